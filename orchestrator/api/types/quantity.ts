// pure
/**
 * Kubernetes quantities ("100m", "1.5Gi", "2e3"), computed exactly. As in Kubernetes, precision ends at nano: finer fractions
 * are rounded away from zero, so that asking for something never becomes asking for nothing, and magnitudes above 2^63-1 are
 * capped at it.
 */
export type ExactQuantity = { readonly nano: bigint; readonly format: QuantityFormat };
/** Which family of suffixes the text used; the canonical form keeps it. */
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

const NANO = 1_000_000_000n;
const MAX_NANO = ((1n << 63n) - 1n) * NANO;
const syntax = /^([+-]?)(\d+\.?\d*|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?$/;
const decimalSuffixes: readonly (readonly [string, number])[] = [["n", -9], ["u", -6], ["m", -3], ["", 0], ["k", 3], ["M", 6], ["G", 9], ["T", 12], ["P", 15], ["E", 18]];
const binarySuffixes: readonly string[] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** What Kubernetes says of text that is no quantity. */
export const quantityExpectation = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** @throws {SyntaxError} If the text is not a quantity. */
export function parseQuantity(text: string): ExactQuantity {
  const parsed = tryParseQuantity(text);
  if (parsed === undefined) throw new SyntaxError(`Cannot parse quantity "${text}": ${quantityExpectation}`);
  return parsed;
}

/** The quantity, or undefined when the text is none. */
export function tryParseQuantity(text: string): ExactQuantity | undefined {
  // A longer text is no sensible amount; the bound keeps the big integers below small.
  if (text.length > 256) return undefined;
  const match = syntax.exec(text);
  if (match === null) return undefined;
  const [, sign, number = "", suffix = ""] = match;
  const [whole = "", fraction = ""] = number.split(".");
  const digits = BigInt(whole + fraction);
  const scaled = scale(digits, -fraction.length, suffix);
  const nano = scaled.nano > MAX_NANO ? MAX_NANO : scaled.nano;
  return { nano: sign === "-" ? -nano : nano, format: scaled.format };
}

function scale(digits: bigint, fractionExponent: number, suffix: string): ExactQuantity {
  if (suffix.endsWith("i")) {
    const power = 1024n ** BigInt(binarySuffixes.indexOf(suffix));
    return { nano: timesPowerOfTen(digits * power, fractionExponent + 9), format: "BinarySI" };
  }
  if (/^[eE]./.test(suffix)) return { nano: timesPowerOfTen(digits, clampExponent(Number(suffix.slice(1))) + fractionExponent + 9), format: "DecimalExponent" };
  const exponent = decimalSuffixes.find(([name]) => name === suffix)?.[1] ?? 0;
  return { nano: timesPowerOfTen(digits, exponent + fractionExponent + 9), format: "DecimalSI" };
}

/** Beyond this every value is either capped or rounded to one nano, whatever its digits. */
function clampExponent(exponent: number): number {
  return Math.max(-600, Math.min(600, exponent));
}

function timesPowerOfTen(value: bigint, exponent: number): bigint {
  return exponent >= 0 ? value * 10n ** BigInt(exponent) : divideUp(value, 10n ** BigInt(-exponent));
}

/** Rounds away from zero; the divisor is positive. */
function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const exact = quotient * divisor === value;
  if (exact) return quotient;
  return value > 0n ? quotient + 1n : quotient - 1n;
}

/** The form Kubernetes prints: no fraction, the largest suffix of the same family that loses nothing. */
export function formatQuantity(quantity: ExactQuantity): string {
  const { nano, format } = quantity;
  if (nano === 0n) return "0";
  // Below 1 Ki a binary suffix could not show fractions, so Kubernetes turns to the decimal family.
  if (format === "BinarySI" && (nano <= -1024n * NANO || nano >= 1024n * NANO)) return formatBinary(divideUp(nano, NANO));
  let mantissa = nano;
  let exponent = -9;
  while (exponent < 18 && mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    exponent += 3;
  }
  if (format === "DecimalExponent") return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  return `${mantissa}${decimalSuffixes.find(([, power]) => power === exponent)?.[0] ?? ""}`;
}

function formatBinary(bytes: bigint): string {
  let mantissa = bytes;
  let power = 0;
  while (power < binarySuffixes.length - 1 && mantissa % 1024n === 0n) {
    mantissa /= 1024n;
    power += 1;
  }
  return `${mantissa}${binarySuffixes[power] ?? ""}`;
}

/** Kubernetes' canonical text of a quantity: "1000m" -> "1", "1.5Gi" -> "1536Mi". @throws {SyntaxError} */
export function canonicalQuantity(text: string): string {
  return formatQuantity(parseQuantity(text));
}

/** Negative, zero or positive, as for sorting. @throws {SyntaxError} */
export function compareQuantities(left: string, right: string): number {
  const difference = parseQuantity(left).nano - parseQuantity(right).nano;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The exact sum, in the family of the first. @throws {SyntaxError} */
export function addQuantities(left: string, right: string): string {
  const first = parseQuantity(left);
  return formatQuantity({ nano: first.nano + parseQuantity(right).nano, format: first.nano === 0n ? parseQuantity(right).format : first.format });
}

/** Whole units, rounded away from zero. Exact up to 2^53. @throws {SyntaxError} */
export function toUnits(text: string): number {
  return Number(divideUp(parseQuantity(text).nano, NANO));
}

/** Bytes of a memory or storage quantity. @throws {SyntaxError} */
export const toBytes = toUnits;

/** Thousandths of a CPU, rounded away from zero. @throws {SyntaxError} */
export function toMilliCpu(text: string): number {
  return Number(divideUp(parseQuantity(text).nano, NANO / 1000n));
}

/** How many `divisor`s the quantity is, rounded up: the value of a resourceFieldRef. A divisor of zero counts as 1. @throws {SyntaxError} */
export function divideQuantity(text: string, divisor: string): bigint {
  const by = parseQuantity(divisor).nano;
  return divideUp(parseQuantity(text).nano, by === 0n ? NANO : by);
}
