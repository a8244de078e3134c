// pure
/** A moment, exact to the digits that were written: whole seconds, as milliseconds since 1970, and the digits behind them. */
export type Moment = { readonly epochMs: number; readonly fraction: string };

/** The number that the two digits at `at` are, NaN when they are none. */
function twoDigits(text: string, at: number): number {
  const [tens, ones] = [text.charCodeAt(at) - 48, text.charCodeAt(at + 1) - 48];
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function daysOf(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : (monthDays[month - 1] ?? 0);
}

export type ClockTime = { readonly year: number; readonly month: number; readonly day: number; readonly hour: number; readonly minute: number; readonly second: number };

/** Milliseconds since 1970 of a time in UTC, from the year 100 on; undefined for one that does not exist. A leap second (:60) does not: no clock here can hold it. */
export function epochOf({ year, month, day, hour, minute, second }: ClockTime): number | undefined {
  const exists = year >= 100 && day >= 1 && day <= daysOf(year, month) && hour < 24 && minute < 60 && second < 60;
  return exists ? Date.UTC(year, month - 1, day, hour, minute, second) : undefined;
}

const zoneAndFraction = /^(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * RFC 3339 with a zone, from the year 100 on. Undefined for anything else, also for days that do not exist. By hand, not by one
 * regular expression: this is the costliest step of most mappings.
 */
export function parseTimestamp(text: string): Moment | undefined {
  const between = text.charCodeAt(10);
  const isForm = text[4] === "-" && text[7] === "-" && (between === 84 || between === 32) && text[13] === ":" && text[16] === ":";
  if (!isForm) return undefined;
  const at = epochOf({ year: twoDigits(text, 0) * 100 + twoDigits(text, 2), month: twoDigits(text, 5), day: twoDigits(text, 8), hour: twoDigits(text, 11), minute: twoDigits(text, 14), second: twoDigits(text, 17) });
  if (at === undefined) return undefined;
  if (text.length === 20 && text[19] === "Z") return { epochMs: at, fraction: "" };
  const match = zoneAndFraction.exec(text.slice(19));
  if (match === null) return undefined;
  const [, fraction = "", sign, hours = "0", minutes = "0"] = match;
  return { epochMs: at - (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000, fraction };
}

const epochForm = /^(-?)(\d{1,15})(?:\.(\d{1,9}))?$/;

/** Seconds since 1970, or milliseconds with `digits` 3; a point and more digits may follow. Undefined for anything else and for times out of range. */
export function parseEpoch(text: string, digits: 0 | 3): Moment | undefined {
  const match = epochForm.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", rest = ""] = match;
  const padded = whole.padStart(digits + 1, "0");
  const fraction = (padded.slice(padded.length - digits) + rest).slice(0, 9);
  const seconds = Number(padded.slice(0, padded.length - digits));
  const isWhole = /^0*$/.test(fraction);
  // Before 1970 a second and its fraction count from the second before.
  const epochMs = sign === "-" ? -(seconds + (isWhole ? 0 : 1)) * 1000 : seconds * 1000;
  if (digits + rest.length > 9 || Math.abs(epochMs) > 8.64e15 - 86_400_000) return undefined;
  return { epochMs: epochMs + 0, fraction: sign === "-" && !isWhole ? String(10n ** BigInt(fraction.length) - BigInt(fraction)).padStart(fraction.length, "0") : fraction };
}

/** The reverse; undefined when digits would be lost. */
export function formatEpoch({ epochMs, fraction }: Moment, digits: 0 | 3): string | undefined {
  if (!/^0*$/.test(fraction.slice(digits))) return undefined;
  const value = BigInt(epochMs / 1000) * 10n ** BigInt(digits) + BigInt(fraction.slice(0, digits).padEnd(digits, "0") || "0");
  return String(value);
}
