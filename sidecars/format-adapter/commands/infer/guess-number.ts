// pure
import { add, compare, formatDecimal, multiply, parseDecimal, quotient, rescale, subtract, type Decimal, type Rounding } from "../../mapping/decimal.ts";
import { expressionField, typeOf, type Column, type Guess } from "./columns.ts";

type Numbers = readonly (Decimal | undefined)[];
type Wanted = { readonly texts: readonly string[]; readonly numbers: Numbers; readonly digits: number; readonly type: string };
type Numeric = { readonly ref: string; readonly numbers: Numbers; readonly digits: number };

const roundings: readonly Rounding[] = ["none", "half-up", "half-even", "down"];

/** A number with other digits, times or plus a constant, or of two columns. */
export function guessNumber(texts: readonly string[], columns: readonly Column[]): Guess | undefined {
  const type = typeOf(texts);
  if (type.kind !== "int64" && type.kind !== "decimal") return undefined;
  // The type writes all with the same digits after the point, so all must have them.
  const numbers = texts.map((text) => parseDecimal(text));
  if (numbers.some((number) => number !== undefined && number.scale !== type.digits)) return undefined;
  const wanted: Wanted = { texts, numbers, digits: type.digits, type: type.kind === "int64" ? "int64" : `decimal(${type.digits})` };
  const numeric = columns.flatMap(({ ref, values, type: own }): Numeric[] => (ref !== undefined && (own.kind === "int64" || own.kind === "decimal") ? [{ ref, numbers: values.map((value) => parseDecimal(value)), digits: own.digits }] : []));
  return guessOne(wanted, numeric) ?? guessTwo(wanted, numeric);
}

/** The field when the expression gives what is wanted, with the rounding that it takes. */
function fieldOf(wanted: Wanted, expression: string, digits: number, compute: (row: number) => Decimal | undefined): Guess | undefined {
  const made = wanted.texts.map((_, row) => compute(row));
  for (const rounding of digits > wanted.digits ? roundings.slice(1) : roundings.slice(0, 1)) {
    const holds = wanted.texts.every((text, row) => {
      const value = made[row];
      const scaled = value === undefined ? undefined : rescale(value, wanted.digits, rounding);
      return text === (scaled === undefined ? (value === undefined ? "" : undefined) : formatDecimal(scaled));
    });
    if (!holds || (rounding !== "none" && !isTelling(wanted, roundedMin))) continue;
    const loses = rounding !== "none" && made.some((value) => value !== undefined && rescale(value, wanted.digits, "none") === undefined);
    const note = rounding !== "none" && !loses ? { note: "no digit had to be rounded; check how it is to be done" } : {};
    return { source: expressionField(expression, wanted.type, wanted.texts, rounding === "none" ? "" : `, round: ${rounding}`), ...note };
  }
  return undefined;
}

/** Few values, or small ones, are met by many a factor. */
const roundedMin = 4;
const unscaledMin = 100;

/** Whether so many different numbers are wanted, zero aside, the largest of them not small. */
function isTelling({ numbers }: Wanted, different: number): boolean {
  const found = new Set(numbers.flatMap((number) => (number === undefined || Number(number.unscaled) === 0 ? [] : [String(number.unscaled)])));
  return found.size >= different && [...found].some((unscaled) => Math.abs(Number(unscaled)) >= unscaledMin);
}

function guessOne(wanted: Wanted, numeric: readonly Numeric[]): Guess | undefined {
  for (const { ref, numbers, digits } of numeric) {
    const same = fieldOf(wanted, ref, digits, (row) => numbers[row]);
    if (same !== undefined) return same;
  }
  const different = new Set(wanted.texts.filter((text) => /[1-9]/.test(text))).size;
  if (different < 2) return undefined;
  for (const { ref, numbers, digits } of numeric) {
    const factor = factorOf(wanted, numbers);
    const scaled = factor === undefined ? undefined : fieldOf(wanted, `${ref} * ${formatDecimal(factor)}`, digits + factor.scale, (row) => timesOf(numbers[row], factor));
    if (scaled !== undefined) return scaled;
    const difference = differenceOf(wanted, numbers);
    if (difference === undefined) continue;
    const sign = difference.unscaled < 0 ? "-" : "+";
    const moved = fieldOf(wanted, `${ref} ${sign} ${formatDecimal(difference).replace("-", "")}`, Math.max(digits, difference.scale), (row) => plusOf(numbers[row], difference));
    if (moved !== undefined) return moved;
  }
  return undefined;
}

function timesOf(number: Decimal | undefined, factor: Decimal): Decimal | undefined {
  return number === undefined ? undefined : multiply(number, factor);
}

function plusOf(number: Decimal | undefined, difference: Decimal): Decimal | undefined {
  return number === undefined ? undefined : add(number, difference);
}

const factorDigits = 6;

/** What the largest number was multiplied with, as far as it has few digits. */
function factorOf({ numbers: wanted }: Wanted, numbers: Numbers): Decimal | undefined {
  let largest = -1;
  for (const [row, number] of numbers.entries()) if (number !== undefined && wanted[row] !== undefined && (largest < 0 || compare(magnitude(number), magnitude(numbers[largest] ?? number)) > 0)) largest = row;
  const [to, from] = [wanted[largest], numbers[largest]];
  const factor = to === undefined || from === undefined ? undefined : quotient(to, from, factorDigits, "half-even");
  if (factor === undefined || factor.unscaled === 0 || factor.unscaled === 0n) return undefined;
  for (let digits = 0; digits <= factorDigits; digits++) {
    const shorter = rescale(factor, digits, "half-even");
    // A rounded result hides the last digits of the factor: the shortest that is near is tried.
    if (shorter !== undefined && shorter.unscaled !== 0 && shorter.unscaled !== 0n && to !== undefined && from !== undefined && isNear(multiply(from, shorter), to)) return shorter;
  }
  return undefined;
}

function isNear(made: Decimal, wanted: Decimal): boolean {
  const distance = magnitude(subtract(made, wanted));
  return compare(multiply(distance, { unscaled: 10 ** Math.min(wanted.scale, 15), scale: 0 }), { unscaled: 1, scale: 0 }) < 0;
}

function magnitude(number: Decimal): Decimal {
  return number.unscaled < 0 ? { unscaled: -number.unscaled, scale: number.scale } : number;
}

function differenceOf({ numbers: wanted }: Wanted, numbers: Numbers): Decimal | undefined {
  const row = numbers.findIndex((number, index) => number !== undefined && wanted[index] !== undefined);
  const [to, from] = [wanted[row], numbers[row]];
  return to === undefined || from === undefined ? undefined : subtract(to, from);
}

const operations = [["*", multiply, (left: number, right: number) => left + right], ["+", add, Math.max], ["-", subtract, Math.max]] as const;

function guessTwo(wanted: Wanted, numeric: readonly Numeric[]): Guess | undefined {
  for (const left of numeric) {
    for (const right of numeric) {
      for (const [sign, operate, digitsOf] of operations) {
        if (sign !== "-" && numeric.indexOf(right) < numeric.indexOf(left)) continue;
        const found = fieldOf(wanted, `${left.ref} ${sign} ${right.ref}`, digitsOf(left.digits, right.digits), (row) => {
          const [one, other] = [left.numbers[row], right.numbers[row]];
          return one === undefined || other === undefined ? undefined : operate(one, other);
        });
        if (found !== undefined) return found;
      }
    }
  }
  return undefined;
}
