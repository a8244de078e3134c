import { digitsEnd, isDigit } from "./bytes";
import { CELL_BYTES, cellKind, cellLength, cellStart, MISSING, NESTED, NULL } from "./cells";

/**
 * Whether values are of their declared types. Accepts the usual forms of right values at once; whatever it is not sure of is for
 * the host to judge, whose rules (mapping/types.ts) are the ones that count.
 *
 * Checks, 16 bytes each: column, type, digits behind the point, whether it may be empty.
 */
const CHECK_BYTES: usize = 16;
const INT64: u32 = 1;
const DECIMAL: u32 = 2;
const BOOL: u32 = 3;
const DATE: u32 = 4;
const TIMESTAMP: u32 = 5;
/** A number with an exponent is for the host. */
const NUMERIC: u32 = 6;

/** Which check could not accept its value, after `firstUnsure` has given a row. */
export let unsureCheck: u32 = 0;

/** The first of `count` rows with a value that is not accepted, beginning with check `firstCheck` of the first one; `count` if there is none. */
export function firstUnsure(cells: usize, rowBytes: usize, count: u32, checks: usize, checkCount: u32, firstCheck: u32): u32 {
  let from = firstCheck;
  for (let row: u32 = 0; row < count; row++) {
    for (let index = from; index < checkCount; index++) {
      const check = checks + <usize>index * CHECK_BYTES;
      if (!accepts(check, cells + <usize>load<u32>(check) * CELL_BYTES)) {
        unsureCheck = index;
        return row;
      }
    }
    from = 0;
    cells += rowBytes;
  }
  return count;
}

function accepts(check: usize, cell: usize): bool {
  const kind = cellKind(cell);
  if (kind == MISSING) return true;
  const length = cellLength(cell);
  if (kind == NULL || length == 0) return load<u32>(check + 12) != 0;
  if (kind == NESTED) return false;
  const start = cellStart(cell);
  switch (load<u32>(check + 4)) {
    case INT64: return isDecimal(start, length, 0, 18);
    case DECIMAL: return isDecimal(start, length, load<u32>(check + 8), 18);
    case BOOL: return (length == 4 && load<u32>(start) == 0x65757274) || (length == 5 && load<u32>(start) == 0x736c6166 && load<u8>(start + 4) == 101);
    case NUMERIC: return isDecimal(start, length, 18, 18);
    case DATE: return length == 10 && isDate(start);
    case TIMESTAMP: return length >= 20 && isDate(start) && isTime(start + 10, length - 10);
    default: return true;
  }
}

/** Plain notation without leading zeros, at most `wholeMax` digits before and `fractionMax` behind the point. */
function isDecimal(start: usize, length: usize, fractionMax: u32, wholeMax: u32): bool {
  const stop = start + length;
  let at = start;
  const negative = load<u8>(at) == 45;
  if (negative) at++;
  const whole = at;
  at = min(digitsEnd(whole, stop), stop);
  const digits = <u32>(at - whole);
  if (digits == 0 || digits > wholeMax || (digits > 1 && load<u8>(whole) == 48)) return false;
  if (at == stop) return !(negative && load<u8>(whole) == 48 && digits == 1);
  if (load<u8>(at) != 46) return false;
  const fraction = ++at;
  at = min(digitsEnd(fraction, stop), stop);
  return at == stop && at > fraction && <u32>(at - fraction) <= fractionMax;
}

@inline function pair(at: usize): u32 {
  const tens = <u32>load<u8>(at) - 48;
  const ones = <u32>load<u8>(at + 1) - 48;
  return tens < 10 && ones < 10 ? tens * 10 + ones : 1000;
}

/** Bit m: month m has 31 days. */
const LONG_MONTHS: u32 = 0b1010110101010;

/** YYYY-MM-DD from the year 100; not the 29th of February, which the host looks at. */
export function isDate(at: usize): bool {
  if (pair(at) - 1 > 98 || pair(at + 2) > 99 || load<u8>(at + 4) != 45 || load<u8>(at + 7) != 45) return false;
  const month = pair(at + 5);
  const day = pair(at + 8);
  return month >= 1 && month <= 12 && day >= 1 && (day <= 28 || (month != 2 && (day <= 30 || (day == 31 && ((LONG_MONTHS >> month) & 1) != 0))));
}

/** Thh:mm:ss, at most 9 digits behind a point, Z. */
export function isTime(at: usize, length: usize): bool {
  if (load<u8>(at) != 84 || load<u8>(at + 3) != 58 || load<u8>(at + 6) != 58 || pair(at + 1) > 23 || pair(at + 4) > 59 || pair(at + 7) > 59) return false;
  const stop = at + length - 1;
  if (load<u8>(stop) != 90) return false;
  let place = at + 9;
  if (place == stop) return true;
  if (load<u8>(place++) != 46 || place == stop || stop - place > 9) return false;
  while (place < stop) if (!isDigit(load<u8>(place++))) return false;
  return true;
}
