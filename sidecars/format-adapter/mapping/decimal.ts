// pure
/** An exact decimal number: unscaled × 10^-scale. Integers have scale 0. */
export type Decimal = { readonly unscaled: bigint; readonly scale: number };

const form = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/;
const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

/** "151.66" -> 15166 at scale 2. Undefined for anything that is not plain decimal notation (no exponent, no leading zeros, no plus sign). */
export function parseDecimal(text: string): Decimal | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "0", fraction = ""] = match;
  const unscaled = BigInt(whole + fraction);
  return { unscaled: sign === "-" ? -unscaled : unscaled, scale: fraction.length };
}

/** Canonical 64-bit integers alone: no sign but minus, no leading zeros, within range. */
export function isInt64(text: string): boolean {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return false;
  const value = BigInt(text);
  return value >= int64Min && value <= int64Max;
}

export function formatDecimal({ unscaled, scale }: Decimal): string {
  if (scale === 0) return unscaled.toString();
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

export type Rounding = "none" | "half-up" | "half-even" | "down";

/** The same value at another scale. Undefined when digits would be lost and the rounding is "none". half-up rounds halves away from zero, down cuts. */
export function rescale(value: Decimal, scale: number, rounding: Rounding): Decimal | undefined {
  if (scale >= value.scale) return { unscaled: value.unscaled * 10n ** BigInt(scale - value.scale), scale };
  const divisor = 10n ** BigInt(value.scale - scale);
  const quotient = value.unscaled / divisor;
  const remainder = value.unscaled % divisor;
  if (remainder === 0n) return { unscaled: quotient, scale };
  if (rounding === "none") return undefined;
  if (rounding === "down") return { unscaled: quotient, scale };
  const doubled = (remainder < 0n ? -remainder : remainder) * 2n;
  const away = doubled > divisor || (doubled === divisor && (rounding === "half-up" || quotient % 2n !== 0n));
  return { unscaled: away ? quotient + (value.unscaled < 0n ? -1n : 1n) : quotient, scale };
}

export function add(left: Decimal, right: Decimal): Decimal {
  const scale = Math.max(left.scale, right.scale);
  return { unscaled: left.unscaled * 10n ** BigInt(scale - left.scale) + right.unscaled * 10n ** BigInt(scale - right.scale), scale };
}
export function subtract(left: Decimal, right: Decimal): Decimal {
  return add(left, { unscaled: -right.unscaled, scale: right.scale });
}
export function multiply(left: Decimal, right: Decimal): Decimal {
  return { unscaled: left.unscaled * right.unscaled, scale: left.scale + right.scale };
}
/** Negative, zero or positive as left is below, equal to or above right. */
export function compare(left: Decimal, right: Decimal): number {
  const { unscaled } = subtract(left, right);
  return unscaled < 0n ? -1 : unscaled > 0n ? 1 : 0;
}
