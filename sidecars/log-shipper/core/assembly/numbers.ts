import { setPosition } from "./cursor";
import { float, negated, unsigned } from "./msgpack";

// Numbers of JSON.

/** The nearest double to a JSON number's text. */
@external("host", "number")
declare function hostNumber(from: usize, to: usize): f64;

const POWERS_OF_TEN = memory.data<f64>([1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22]);
const SAFE_INTEGER_MAX: u64 = 9007199254740991;

/** Reads the number at `start` and writes it to `to`. Returns where it wrote to or 0 for "not JSON", and leaves `position`. */
export function number(start: usize, to: usize): usize {
  const negative = load<u8>(start) == 45;
  const first = negative ? start + 1 : start;
  let from = first;
  let digit: u32 = 0;
  let magnitude: u64 = 0;
  while ((digit = (load<u8>(from) as u32) - 48) < 10) {
    magnitude = magnitude * 10 + digit;
    from++;
  }
  const digits = from - first;
  if (digits == 0 || (digits > 1 && load<u8>(first) == 48)) return 0;
  const byte = load<u8>(from);
  if (byte == 46 || (byte | 32) == 101) return fraction(start, from, to, magnitude, digits);
  setPosition(from);
  if (digits <= 19) {
    if (!negative) return unsigned(to, magnitude);
    if (magnitude == 0) return float(to, -0.0);
    if (magnitude <= 0x8000000000000000) return negated(to, magnitude);
  } else if (!negative && digits == 20 && load<u8>(first) == 49 && magnitude >= 10000000000000000000) {
    // Beyond 2^64 - 1 the sum has wrapped round to less than that.
    return unsigned(to, magnitude);
  }
  return shortest(to, hostNumber(start, from));
}

/** A number with a fraction or an exponent; its integer part was read up to `stop`. */
function fraction(start: usize, stop: usize, to: usize, integer: u64, integerDigits: usize): usize {
  let from = stop;
  let magnitude = integer;
  let digit: u32 = 0;
  let scale: i32 = 0;
  if (load<u8>(from) == 46) {
    from++;
    const first = from;
    while ((digit = (load<u8>(from) as u32) - 48) < 10) {
      magnitude = magnitude * 10 + digit;
      from++;
    }
    if (from == first) return 0;
    scale = (first - from) as i32;
  }
  const digits = (integerDigits as i32) - scale;
  if ((load<u8>(from) | 32) == 101) {
    from++;
    const sign = load<u8>(from);
    if (sign == 43 || sign == 45) from++;
    const first = from;
    let exponent: i32 = 0;
    while ((digit = (load<u8>(from) as u32) - 48) < 10) {
      if (exponent < 100000) exponent = exponent * 10 + digit;
      from++;
    }
    if (from == first) return 0;
    scale += sign == 45 ? -exponent : exponent;
  }
  setPosition(from);
  // Both factors are exact then, and the one operation rounds to the nearest double.
  if (digits > 19 || magnitude > SAFE_INTEGER_MAX || scale < -22 || scale > 22) return shortest(to, hostNumber(start, from));
  const power = load<f64>(POWERS_OF_TEN + ((abs(scale) as usize) << 3));
  const double = scale < 0 ? (magnitude as f64) / power : (magnitude as f64) * power;
  return shortest(to, load<u8>(start) == 45 ? -double : double);
}

/** A double that is a safe integer becomes one; -0 stays a float. */
function shortest(to: usize, double: f64): usize {
  if (abs(double) > (SAFE_INTEGER_MAX as f64) || trunc(double) != double || reinterpret<u64>(double) == 0x8000000000000000) return float(to, double);
  return double >= 0 ? unsigned(to, double as u64) : negated(to, (-double) as u64);
}
