// pure
import { parseTimestamp } from "../mapping/timestamp.ts";

// The texts of values that binary formats (Parquet, Avro) hold as numbers and bytes, and the reverse. All exact.

/** Digits behind the second by the unit of a count. */
export const unitDigits = { MILLIS: 3, MICROS: 6, NANOS: 9 } as const;

/** A count since 1970 with so many digits behind the second, as 2026-01-02T03:04:05.123456; digits that are all zero are left out. Undefined outside of ±270,000 years. */
export function momentText(value: bigint, digits: number): string | undefined {
  const unit = 10n ** BigInt(digits);
  const fraction = ((value % unit) + unit) % unit;
  const date = new Date(Number((value - fraction) / unit) * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  const seconds = date.toISOString().slice(0, -5);
  return fraction === 0n ? seconds : `${seconds}.${String(fraction).padStart(digits, "0")}`;
}

/** A count since midnight, as 03:04:05.123456; undefined for one that is no time of a day. */
export function timeText(value: bigint, digits: number): string | undefined {
  return value >= 0n && value < 86_400n * 10n ** BigInt(digits) ? momentText(value, digits)?.slice(11) : undefined;
}

/** Days since 1970, as 2026-01-02; undefined outside of ±270,000 years. */
export function dateText(days: number): string | undefined {
  const date = new Date(days * 86_400_000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().slice(0, -14);
}

/** The shortest decimal form that is this number again, at its own precision. */
export function floatText(value: number, isSingle: boolean): string {
  if (Object.is(value, -0)) return "-0";
  if (!isSingle || !Number.isFinite(value)) return String(value);
  for (let precision = 6; precision < 9; precision++) {
    const shorter = Number(value.toPrecision(precision));
    if (Math.fround(shorter) === value) return String(shorter);
  }
  return String(Number(value.toPrecision(9)));
}

/** Two's complement, the highest byte first. */
export function integerOfBytes(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}

/** 16 bytes as 8-4-4-4-12 hex digits. */
export function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined for bytes that are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Microseconds since 1970 of an RFC 3339 text; undefined when it is none, or has digits behind the microsecond. */
export function microsecondsOf(text: string): bigint | undefined {
  const moment = parseTimestamp(text);
  if (moment === undefined || /[1-9]/.test(moment.fraction.slice(6))) return undefined;
  return BigInt(moment.epochMs) * 1000n + BigInt(moment.fraction.slice(0, 6).padEnd(6, "0"));
}

/** Days since 1970 of a date as 2026-01-02 that is known to be right. */
export function daysOf(text: string): number {
  return Date.parse(`${text}T00:00:00Z`) / 86_400_000;
}
