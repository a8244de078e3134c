import { copy, hashOf, sameBytes } from "./bytes";
import { CELL_BYTES, cellKind, cellLength, cellStart, FALSE, MISSING, NESTED, NULL, NUMBER, setCell, TEXT, TRUE } from "./cells";
import { isDate, isTime } from "./check";

/**
 * Computes fields for many records at once. A register holds one 64-bit number for each record; a step reads registers and fills
 * one. Numbers are scaled integers: 1.50 at scale 2 is 150. A record for which a step is not sure of the result (it is out of
 * range, or the value is not of the usual form) is marked in `unsure`, one byte for each record, and left to the host, whose
 * arithmetic has no bounds.
 *
 * `cells` is the column's cell in the first row; rows are `rowBytes` apart.
 */
const REGISTER_BYTES: usize = 8;
/** More digits could pass the range. */
const DIGITS_MAX: u32 = 18;

/** A column of numbers, times 10^scale. */
export function loadNumbers(target: usize, cells: usize, rowBytes: usize, count: u32, scale: u32, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const kind = cellKind(cells);
    const length = cellLength(cells);
    let value: i64 = 0;
    let good = (kind == TEXT || kind == NUMBER) && length != 0;
    if (good) {
      let at = cellStart(cells);
      const stop = at + length;
      const negative = load<u8>(at) == 45;
      if (negative) at++;
      const first = at;
      let byte: u32 = 0;
      while (at < stop && (byte = <u32>load<u8>(at) - 48) < 10) {
        value = value * 10 + byte;
        at++;
      }
      const whole = <u32>(at - first);
      let fraction: u32 = 0;
      good = whole > 0 && (whole == 1 || load<u8>(first) != 48);
      if (good && at < stop) {
        good = load<u8>(at++) == 46;
        const point = at;
        while (at < stop && (byte = <u32>load<u8>(at) - 48) < 10) {
          value = value * 10 + byte;
          at++;
        }
        fraction = <u32>(at - point);
        good = good && at == stop && fraction > 0;
      }
      good = good && fraction <= scale && whole + scale <= DIGITS_MAX;
      for (; good && fraction < scale; fraction++) value *= 10;
      if (negative) value = -value;
    }
    store<i64>(target, value);
    if (!good) store<u8>(unsure + row, 1);
    target += REGISTER_BYTES;
    cells += rowBytes;
  }
}

/** A column of truth values, 0 or 1. */
export function loadFlags(target: usize, cells: usize, rowBytes: usize, count: u32, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const kind = cellKind(cells);
    const length = cellLength(cells);
    const start = cellStart(cells);
    const isTrue = kind == TRUE || (kind == TEXT && length == 4 && load<u32>(start) == 0x65757274);
    const isFalse = kind == FALSE || (kind == TEXT && length == 5 && load<u32>(start) == 0x736c6166 && load<u8>(start + 4) == 101);
    store<i64>(target, isTrue ? 1 : 0);
    if (!isTrue && !isFalse) store<u8>(unsure + row, 1);
    target += REGISTER_BYTES;
    cells += rowBytes;
  }
}

/** Whether a column's value is this text, 0 or 1. */
export function equalTexts(target: usize, cells: usize, rowBytes: usize, count: u32, text: usize, textLength: usize, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const kind = cellKind(cells);
    store<i64>(target, cellLength(cells) == textLength && sameBytes(cellStart(cells), text, textLength) ? 1 : 0);
    if (kind == NESTED || kind == MISSING || kind == NULL) store<u8>(unsure + row, 1);
    target += REGISTER_BYTES;
    cells += rowBytes;
  }
}

export function fillNumbers(target: usize, count: u32, value: i64): void {
  for (let row: u32 = 0; row < count; row++) store<i64>(target + <usize>row * REGISTER_BYTES, value);
}

export function addNumbers(target: usize, left: usize, right: usize, count: u32, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const at = <usize>row * REGISTER_BYTES;
    const one = load<i64>(left + at);
    const other = load<i64>(right + at);
    const sum = one + other;
    store<i64>(target + at, sum);
    if (((one ^ sum) & (other ^ sum)) < 0) store<u8>(unsure + row, 1);
  }
}

export function subtractNumbers(target: usize, left: usize, right: usize, count: u32, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const at = <usize>row * REGISTER_BYTES;
    const one = load<i64>(left + at);
    const other = load<i64>(right + at);
    const difference = one - other;
    store<i64>(target + at, difference);
    if (((one ^ other) & (one ^ difference)) < 0) store<u8>(unsure + row, 1);
  }
}

export function multiplyNumbers(target: usize, left: usize, right: usize, count: u32, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const at = <usize>row * REGISTER_BYTES;
    const one = load<i64>(left + at);
    const other = load<i64>(right + at);
    store<i64>(target + at, one * other);
    // The product has at most as many bits as both together.
    const bits = 128 - clz(one < 0 ? -one : one) - clz(other < 0 ? -other : other);
    if (bits > 63 || one == i64.MIN_VALUE || other == i64.MIN_VALUE) store<u8>(unsure + row, 1);
  }
}

/** How a number is rounded: away from zero from the half on, to the even one at the half, towards zero. */
const HALF_UP: u32 = 1;
const HALF_EVEN: u32 = 2;

/** Divides by a power of ten. With rounding 0, a rest is for the host. */
export function roundNumbers(target: usize, source: usize, count: u32, divisor: i64, rounding: u32, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const at = <usize>row * REGISTER_BYTES;
    const value = load<i64>(source + at);
    let quotient = value / divisor;
    const rest = value % divisor;
    if (rest != 0) {
      // The divisor is at most 10^18, so that twice the rest is in range.
      const doubled = (rest < 0 ? -rest : rest) * 2;
      if (rounding == 0) store<u8>(unsure + row, 1);
      if ((rounding == HALF_UP || rounding == HALF_EVEN) && (doubled > divisor || (doubled == divisor && (rounding == HALF_UP || (quotient & 1) != 0)))) quotient += value < 0 ? -1 : 1;
    }
    store<i64>(target + at, quotient);
  }
}

/** `signs`: bit 0 when less, bit 1 when equal, bit 2 when greater gives 1. */
export function compareNumbers(target: usize, left: usize, right: usize, count: u32, signs: u32): void {
  for (let row: u32 = 0; row < count; row++) {
    const at = <usize>row * REGISTER_BYTES;
    const one = load<i64>(left + at);
    const other = load<i64>(right + at);
    const sign: u32 = one < other ? 1 : one == other ? 2 : 4;
    store<i64>(target + at, (signs & sign) != 0 ? 1 : 0);
  }
}

/** Both (0) or any (1) of two truth values. */
export function combineFlags(target: usize, left: usize, right: usize, count: u32, any: bool): void {
  for (let row: u32 = 0; row < count; row++) {
    const at = <usize>row * REGISTER_BYTES;
    const one = load<i64>(left + at);
    const other = load<i64>(right + at);
    store<i64>(target + at, any ? one | other : one & other);
  }
}

export function chooseNumbers(target: usize, flags: usize, yes: usize, no: usize, count: u32): void {
  for (let row: u32 = 0; row < count; row++) {
    const at = <usize>row * REGISTER_BYTES;
    store<i64>(target + at, load<i64>((load<i64>(flags + at) != 0 ? yes : no) + at));
  }
}

/** The most bytes of a number as text: a sign, 19 digits, a point, and zeros before it. */
export const NUMBER_BYTES: usize = 32;

/** Numbers as cells: texts of NUMBER_BYTES each at `texts`. Cells are `computedBytes` apart. At most 18 digits behind the point. */
export function writeNumbers(computed: usize, computedBytes: usize, source: usize, count: u32, scale: u32, texts: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const value = load<i64>(source + <usize>row * REGISTER_BYTES);
    let left: u64 = value < 0 ? <u64>0 - <u64>value : <u64>value;
    let at = texts + NUMBER_BYTES;
    let digits: u32 = 0;
    do {
      if (digits == scale && digits != 0) store<u8>(--at, 46);
      store<u8>(--at, <u8>(48 + left % 10));
      left /= 10;
      digits++;
    } while (left != 0 || digits <= scale);
    if (value < 0) store<u8>(--at, 45);
    setCell(computed, at, texts + NUMBER_BYTES - at, NUMBER);
    computed += computedBytes;
    texts += NUMBER_BYTES;
  }
}

/** Truth values as cells of the two texts. */
export function writeFlags(computed: usize, computedBytes: usize, source: usize, count: u32, texts: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    if (load<i64>(source + <usize>row * REGISTER_BYTES) != 0) setCell(computed, texts, 4, NUMBER);
    else setCell(computed, texts + 4, 5, NUMBER);
    computed += computedBytes;
  }
}

/** The first record from `row` on that is marked, `count` if there is none. */
export function nextMarked(marks: usize, row: u32, count: u32): u32 {
  while (row < count && (row & 7) != 0) {
    if (load<u8>(marks + row) != 0) return row;
    row++;
  }
  while (row + 8 <= count && load<u64>(marks + row) == 0) row += 8;
  while (row < count && load<u8>(marks + row) == 0) row++;
  return row;
}

/** The first record from `row` on that is not marked, `count` if there is none. */
export function nextUnmarked(marks: usize, row: u32, count: u32): u32 {
  while (row < count && load<u8>(marks + row) != 0) row++;
  return row;
}

/** Marks the records whose truth value is 0. */
export function markFalse(marks: usize, source: usize, count: u32): void {
  for (let row: u32 = 0; row < count; row++) if (load<i64>(source + <usize>row * REGISTER_BYTES) == 0) store<u8>(marks + row, 1);
}

@inline function isPlain(kind: u32): bool {
  return kind != NESTED && kind != MISSING && kind != NULL;
}

/**
 * A table of texts for `mapTexts`: entries of 16 bytes (position and length of the key, of the value), open addressing; a key at
 * position 0 is none. `entries` is a power of two.
 */
export function addMapped(table: usize, entries: u32, key: usize, keyLength: usize, value: usize, valueLength: usize): void {
  let place = hashOf(0, key, keyLength) & (entries - 1);
  while (load<u32>(table + <usize>place * 16) != 0) place = (place + 1) & (entries - 1);
  const entry = table + <usize>place * 16;
  store<u32>(entry, <u32>key);
  store<u32>(entry + 4, <u32>keyLength);
  store<u32>(entry + 8, <u32>value);
  store<u32>(entry + 12, <u32>valueLength);
}

/** What an unlisted value becomes: for the host to say, itself, the given text, or itself with texts as numbers. An empty text is never kept here: its type says what it is. */
const ASK: u32 = 0;
const KEEP: u32 = 1;
const KEEP_BARE: u32 = 3;

export function mapTexts(computed: usize, computedBytes: usize, cells: usize, rowBytes: usize, count: u32, table: usize, entries: u32, otherwise: u32, other: usize, otherLength: usize, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const start = cellStart(cells);
    const length = cellLength(cells);
    let place = hashOf(0, start, length) & (entries - 1);
    let entry = table + <usize>place * 16;
    while (load<u32>(entry) != 0 && (load<u32>(entry + 4) != <u32>length || !sameBytes(load<u32>(entry), start, length))) {
      place = (place + 1) & (entries - 1);
      entry = table + <usize>place * 16;
    }
    if (!isPlain(cellKind(cells))) store<u8>(unsure + row, 1);
    else if (load<u32>(entry) != 0) setCell(computed, load<u32>(entry + 8), load<u32>(entry + 12), TEXT);
    else if (otherwise == ASK || (length == 0 && (otherwise == KEEP || otherwise == KEEP_BARE))) store<u8>(unsure + row, 1);
    else if (otherwise == KEEP) setCell(computed, start, length, cellKind(cells));
    else if (otherwise == KEEP_BARE) setCell(computed, start, length, cellKind(cells) == TEXT ? NUMBER : cellKind(cells));
    else setCell(computed, other, otherLength, TEXT);
    computed += computedBytes;
    cells += rowBytes;
  }
}

/** Part `index` of a text that is split by a separator, empty when there is none: a piece of the column's own bytes. */
export function splitTexts(computed: usize, computedBytes: usize, cells: usize, rowBytes: usize, count: u32, separator: usize, separatorLength: usize, index: u32, unsure: usize): void {
  const first = load<u8>(separator);
  for (let row: u32 = 0; row < count; row++) {
    let start = cellStart(cells);
    const stop = start + cellLength(cells);
    let at = start;
    let part: u32 = 0;
    for (; at + separatorLength <= stop; at++) {
      if (load<u8>(at) != first || !sameBytes(at, separator, separatorLength)) continue;
      if (part == index) break;
      part++;
      at += separatorLength - 1;
      start = at + 1;
    }
    if (at + separatorLength > stop) at = stop;
    if (isPlain(cellKind(cells))) setCell(computed, start, part == index ? at - start : 0, TEXT);
    else store<u8>(unsure + row, 1);
    computed += computedBytes;
    cells += rowBytes;
  }
}

/** Appends a column's value to the texts that are being made, one of at most `capacity` bytes for each record. */
export function beginTexts(computed: usize, computedBytes: usize, count: u32, texts: usize, capacity: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    setCell(computed, texts, 0, TEXT);
    computed += computedBytes;
    texts += capacity;
  }
}
export function appendTexts(computed: usize, computedBytes: usize, cells: usize, rowBytes: usize, count: u32, capacity: usize, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const length = cellLength(cells);
    const done = cellLength(computed);
    // Copying overwrites up to 15 bytes behind.
    if (!isPlain(cellKind(cells)) || done + length + 16 > capacity) store<u8>(unsure + row, 1);
    else {
      copy(cellStart(computed) + done, cellStart(cells), length);
      setCell(computed, cellStart(computed), done + length, TEXT);
    }
    computed += computedBytes;
    cells += rowBytes;
  }
}
export function appendText(computed: usize, computedBytes: usize, count: u32, text: usize, length: usize, capacity: usize, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const done = cellLength(computed);
    if (done + length + 16 > capacity) store<u8>(unsure + row, 1);
    else {
      copy(cellStart(computed) + done, text, length);
      setCell(computed, cellStart(computed), done + length, TEXT);
    }
    computed += computedBytes;
  }
}

/** Marks what is not a time in UTC, as RFC 3339 has it; a fraction is one only where `fractions` says so. */
export function checkTimes(cells: usize, rowBytes: usize, count: u32, fractions: bool, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const length = cellLength(cells);
    const start = cellStart(cells);
    if (cellKind(cells) != TEXT || (fractions ? length < 20 : length != 20) || !isDate(start) || !isTime(start + 10, length - 10)) store<u8>(unsure + row, 1);
    cells += rowBytes;
  }
}

/** Appends `length` bytes of a column's value from its place `from`, where it has so many. */
export function appendPieces(computed: usize, computedBytes: usize, cells: usize, rowBytes: usize, count: u32, from: usize, length: usize, capacity: usize, unsure: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const done = cellLength(computed);
    if (cellLength(cells) < from + length || done + length + 16 > capacity) store<u8>(unsure + row, 1);
    else {
      copy(cellStart(computed) + done, cellStart(cells) + from, length);
      setCell(computed, cellStart(computed), done + length, TEXT);
    }
    computed += computedBytes;
    cells += rowBytes;
  }
}
