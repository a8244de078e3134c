// pure
/**
 * An exact decimal number: unscaled × 10^-scale. Integers have scale 0. `unscaled` is a safe integer as long as all that it came from were, and
 * a bigint otherwise; both stand for the same number.
 */
export type Decimal = { readonly unscaled: number | bigint; readonly scale: number };

const form = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/;
const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;
/** Any number of so many digits is a safe integer. */
const safeDigits = 15;

/** "151.66" -> 15166 at scale 2. Undefined for anything that is not plain decimal notation (no exponent, no leading zeros, no plus sign). */
export function parseDecimal(text: string): Decimal | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "0", fraction = ""] = match;
  const digits = whole + fraction;
  const unscaled = digits.length <= safeDigits ? Number(digits) : BigInt(digits);
  return { unscaled: sign === "-" ? -unscaled : unscaled, scale: fraction.length };
}

/** Canonical 64-bit integers alone: no sign but minus, no leading zeros, within range. */
export function isInt64(text: string): boolean {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return false;
  if (text.length <= safeDigits) return true;
  const value = BigInt(text);
  return value >= int64Min && value <= int64Max;
}

export function formatDecimal({ unscaled, scale }: Decimal): string {
  if (scale === 0) return String(unscaled);
  const digits = String(unscaled < 0 ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${unscaled < 0 ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

export type Rounding = "none" | "half-up" | "half-even" | "down";

/** unscaled × 10^digits, exact. */
function shift(unscaled: number | bigint, digits: number): number | bigint {
  if (digits === 0) return unscaled;
  if (typeof unscaled === "number" && digits <= safeDigits) {
    const shifted = unscaled * 10 ** digits;
    if (Number.isSafeInteger(shifted)) return shifted;
  }
  return BigInt(unscaled) * 10n ** BigInt(digits);
}

/** The same value at another scale. Undefined when digits would be lost and the rounding is "none". half-up rounds halves away from zero, down cuts. */
export function rescale(value: Decimal, scale: number, rounding: Rounding): Decimal | undefined {
  if (scale >= value.scale) return { unscaled: shift(value.unscaled, scale - value.scale), scale };
  const unscaled = BigInt(value.unscaled);
  const divisor = 10n ** BigInt(value.scale - scale);
  if (rounding === "none" && unscaled % divisor !== 0n) return undefined;
  return { unscaled: rounded(unscaled, divisor, rounding), scale };
}

export function add(left: Decimal, right: Decimal): Decimal {
  const scale = Math.max(left.scale, right.scale);
  const [first, second] = [shift(left.unscaled, scale - left.scale), shift(right.unscaled, scale - right.scale)];
  if (typeof first === "number" && typeof second === "number" && Number.isSafeInteger(first + second)) return { unscaled: first + second, scale };
  return { unscaled: BigInt(first) + BigInt(second), scale };
}
export function subtract(left: Decimal, right: Decimal): Decimal {
  return add(left, { unscaled: -right.unscaled, scale: right.scale });
}
export function multiply(left: Decimal, right: Decimal): Decimal {
  const scale = left.scale + right.scale;
  if (typeof left.unscaled === "number" && typeof right.unscaled === "number" && Number.isSafeInteger(left.unscaled * right.unscaled)) return { unscaled: left.unscaled * right.unscaled, scale };
  return { unscaled: BigInt(left.unscaled) * BigInt(right.unscaled), scale };
}
/** left / right at so many digits after the point; undefined for a division by zero. */
export function quotient(left: Decimal, right: Decimal, scale: number, rounding: Rounding): Decimal | undefined {
  const divisor = BigInt(right.unscaled);
  if (divisor === 0n) return undefined;
  // left / right = (left × 10^shift / divisor) × 10^-scale, its sign taken from the dividend alone.
  const shifted = scale + right.scale - left.scale;
  const [top, bottom] = [BigInt(left.unscaled) * 10n ** BigInt(Math.max(0, shifted)), divisor * 10n ** BigInt(Math.max(0, -shifted))];
  return { unscaled: rounded(bottom < 0n ? -top : top, bottom < 0n ? -bottom : bottom, rounding), scale };
}

/** dividend / divisor as a whole number; the divisor is positive, the rounding is one. */
function rounded(dividend: bigint, divisor: bigint, rounding: Rounding): bigint {
  const whole = dividend / divisor;
  const remainder = dividend % divisor;
  const doubled = (remainder < 0n ? -remainder : remainder) * 2n;
  const away = rounding !== "down" && (doubled > divisor || (doubled === divisor && (rounding === "half-up" || whole % 2n !== 0n)));
  return away ? whole + (dividend < 0n ? -1n : 1n) : whole;
}

/** Negative, zero or positive as left is below, equal to or above right. */
export function compare(left: Decimal, right: Decimal): number {
  const { unscaled } = subtract(left, right);
  return unscaled < 0 ? -1 : unscaled > 0 ? 1 : 0;
}
