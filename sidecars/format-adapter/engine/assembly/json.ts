import { copy, digitsEnd, digitValue, hashOf, isDigit, sameBytes } from "./bytes";
import { byteToScratch, CELL_BYTES, cellKind, codeToScratch, DONE, FALSE, MISSING, NESTED, NEW_KEY, NULL, NUMBER, scratch, setCell, setNext, setRecords, setScratch, TEXT, toScratch, TRUE, WRONG } from "./cells";

/**
 * JSON records: objects, one a line (NDJSON) or in an array. Each key has a slot, and its value goes to the slot's cell. A slot is
 * named by the slot of the object that its key stands in and by the key's bytes; slots marked so are descended into, and their
 * keys have slots of their own.
 *
 * Slots, 16 bytes each: where the key's bytes are, their number, the parent's slot, flags. Reports name their keys in
 * the same order record after record, so the slot of each place is guessed from the record before.
 */
const SLOT_BYTES: usize = 16;
const DESCENDS: u32 = 1;
/** The key has no bytes that JSON escapes, so that it can be compared as it stands. */
const PLAIN: u32 = 2;
/** The parent of the keys of the record itself. */
export const ROOT: u32 = 0xffff_ffff;
const DEPTH_MAX: i32 = 128;

let slots: usize = 0;
let slotCount: u32 = 0;
/** The guesses: a slot for each place. */
let order: usize = 0;
let orderLength: u32 = 0;
/** Open addressing: slot + 1, or 0. */
let table: usize = 0;
let tableMask: u32 = 0;

export let keyStart: usize = 0;
export let keyLength: usize = 0;
export let keyParent: u32 = 0;

/** Gives areas for `capacity` slots: slots 16 × capacity, guesses 4 × capacity, table 4 × tableSize (a power of two, at least 2 × capacity), all zero. */
export function openSlots(slotsArea: usize, orderArea: usize, capacity: u32, tableArea: usize, tableSize: u32): void {
  slots = slotsArea;
  slotCount = 0;
  order = orderArea;
  orderLength = capacity;
  table = tableArea;
  tableMask = tableSize - 1;
  // One more than there may be, for the end of a search.
  for (let index: u32 = 0; index <= SHAPES_MAX; index++) store<u32>(SHAPES + <usize>index * SHAPE_BYTES + 36, NO_OBJECT);
}

/** Adds a slot for a key whose bytes stay where they are. Gives its number. */
export function addSlot(parent: u32, start: usize, length: usize, descends: bool): u32 {
  const slot = slots + <usize>slotCount * SLOT_BYTES;
  store<u32>(slot, <u32>start);
  store<u32>(slot + 4, <u32>length);
  store<u32>(slot + 8, parent);
  let flags = descends ? DESCENDS | PLAIN : PLAIN;
  for (let at = start; at < start + length; at++) {
    const byte = load<u8>(at);
    if (byte < 32 || byte == 34 || byte == 92) flags &= ~PLAIN;
  }
  store<u32>(slot + 12, flags);
  let place = hashOf(parent, start, length) & tableMask;
  while (load<u32>(table + (<usize>place << 2)) != 0) place = (place + 1) & tableMask;
  store<u32>(table + (<usize>place << 2), slotCount + 1);
  return slotCount++;
}

function findSlot(parent: u32, start: usize, length: usize): u32 {
  let at = hashOf(parent, start, length) & tableMask;
  let found = load<u32>(table + (<usize>at << 2));
  while (found != 0) {
    const slot = slots + <usize>(found - 1) * SLOT_BYTES;
    if (load<u32>(slot + 4) == <u32>length && load<u32>(slot + 8) == parent && sameBytes(load<u32>(slot), start, length)) return found - 1;
    at = (at + 1) & tableMask;
    found = load<u32>(table + (<usize>at << 2));
  }
  return ROOT;
}

/**
 * What the members of a record look like, made of the guesses, 48 bytes for each place: the key with its quotes and its colon, a mask of so many bytes,
 * their number, the object's slot, where the slot's cell is in the row. Objects, longer keys and places beyond these have no shape. The page
 * of the constants has none there.
 */
const SHAPES: usize = 16_384;
const SHAPE_BYTES: usize = 48;
const SHAPES_MAX: u32 = 320;
const SHAPED_KEY_MAX: usize = 13;
/** The object of a place without a shape. */
const NO_OBJECT: u32 = 0xffff_fffe;

/** Guesses that the member at a place is that of the slot. */
function guessSlot(at: u32, slot: u32): void {
  if (at < orderLength) store<u32>(order + (<usize>at << 2), slot);
  if (at >= SHAPES_MAX) return;
  const shape = SHAPES + <usize>at * SHAPE_BYTES;
  const known = slots + <usize>slot * SLOT_BYTES;
  const length = <usize>load<u32>(known + 4);
  const hasShape = load<u32>(known + 12) == PLAIN && length <= SHAPED_KEY_MAX;
  store<u32>(shape + 36, hasShape ? load<u32>(known + 8) : NO_OBJECT);
  if (!hasShape) return;
  store<u8>(shape, 34);
  copy(shape + 1, load<u32>(known), length);
  store<u16>(shape + 1 + length, 0x3a22);
  for (let index: usize = 0; index < 16; index++) store<u8>(shape + 16 + index, index < length + 3 ? 0xff : 0);
  store<u32>(shape + 32, <u32>length + 3);
  store<u32>(shape + 40, (slot + 1) * <u32>CELL_BYTES);
}

// The record under way.
let p: usize = 0;
let end: usize = 0;
/** Whether the text is over, as far as it is there. */
let short: bool = false;
let wrong: bool = false;
let newKey: bool = false;
/** A line end within a record is white space in an array and an error in NDJSON. */
let feedsInside: bool = false;
let place: u32 = 0;
let row: usize = 0;

// The string found last.
let textStart: usize = 0;
let textLength: usize = 0;

@inline function isSpace(byte: u32): bool {
  return byte == 32 || byte == 9 || byte == 13 || (byte == 10 && feedsInside);
}
@inline function space(): void {
  while (p < end && isSpace(load<u8>(p))) p++;
}

/** The byte at p, or 0 with `short` set when there is none. */
@inline function peek(): u32 {
  if (p < end) return load<u8>(p);
  short = true;
  return 0;
}

/** The string whose opening quote is at p, decoded. */
function text(): void {
  const quotes = i8x16.splat(34);
  const slashes = i8x16.splat(92);
  const spaces = i8x16.splat(32);
  let start = ++p;
  let decoded: usize = 0;
  for (;;) {
    const bytes = v128.load(p);
    const found = i8x16.bitmask(v128.or(v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, slashes)), i8x16.lt_u(bytes, spaces)));
    if (found == 0) {
      p += 16;
      if (p >= end) {
        short = true;
        return;
      }
      continue;
    }
    p += ctz(found);
    if (p >= end) {
      short = true;
      return;
    }
    const byte = load<u8>(p);
    if (byte == 34) break;
    if (byte != 92) {
      wrong = true;
      return;
    }
    if (decoded == 0) decoded = scratch;
    toScratch(start, p - start);
    escape();
    if (short || wrong) return;
    start = p;
  }
  textStart = start;
  textLength = p - start;
  if (decoded != 0) {
    toScratch(start, p - start);
    textStart = decoded;
    textLength = scratch - decoded;
  }
  p++;
}

/** The four hexadecimal digits at a place; -1 when they are none. */
function fourDigits(at: usize): i32 {
  let value: u32 = 0;
  for (let digit: usize = 0; digit < 4; digit++) {
    const one = digitValue(load<u8>(at + digit));
    if (one == 16) return -1;
    value = (value << 4) | one;
  }
  return value;
}

/** The escape whose backslash is at p, to the scratch area as UTF-8. Half a surrogate pair is wrong: UTF-8 cannot carry it. */
function escape(): void {
  if (p + 2 > end) {
    short = true;
    return;
  }
  const letter = <u32>load<u8>(p + 1);
  p += 2;
  switch (letter) {
    case 34: case 92: case 47: byteToScratch(letter); return;
    case 98: byteToScratch(8); return;
    case 102: byteToScratch(12); return;
    case 110: byteToScratch(10); return;
    case 114: byteToScratch(13); return;
    case 116: byteToScratch(9); return;
    case 117: break;
    default: wrong = true; return;
  }
  if (p + 4 > end) {
    short = true;
    return;
  }
  let code = fourDigits(p);
  p += 4;
  if (code >= 0xd800 && code < 0xdc00) {
    if (p + 6 > end) {
      short = true;
      return;
    }
    const low = load<u8>(p) == 92 && load<u8>(p + 1) == 117 ? fourDigits(p + 2) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
      wrong = true;
      return;
    }
    p += 6;
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code < 0 || (code >= 0xdc00 && code < 0xe000)) {
    wrong = true;
    return;
  }
  codeToScratch(code);
}

@inline function digits(): bool {
  const from = p;
  while (p < end && isDigit(load<u8>(p))) p++;
  return p > from;
}

/** The number at p (RFC 8259, section 6). */
function number(): void {
  if (load<u8>(p) == 45) p++;
  if (p < end && load<u8>(p) == 48) p++;
  else if (!digits()) wrong = p < end;
  if (p < end && load<u8>(p) == 46) {
    p++;
    if (!digits()) wrong = wrong || p < end;
  }
  if (p < end && (load<u8>(p) | 32) == 101) {
    p++;
    if (p < end && (load<u8>(p) == 43 || load<u8>(p) == 45)) p++;
    if (!digits()) wrong = wrong || p < end;
  }
  // More digits may follow the end.
  if (p >= end) short = true;
}

function word(first: u32, last: u32, length: usize): void {
  if (p + length > end) {
    short = true;
    return;
  }
  if (load<u32>(p) != first || (length == 5 && load<u8>(p + 4) != last)) wrong = true;
  p += length;
}

/** The value at p, of whatever kind; gives its kind. Its bytes are [from, p), or of a text those found last. */
function value(depth: i32): u32 {
  const first = peek();
  if (short) return MISSING;
  if (first == 34) {
    text();
    return TEXT;
  }
  if (first == 45 || isDigit(first)) {
    number();
    return NUMBER;
  }
  switch (first) {
    case 116: word(0x65757274, 0, 4); return TRUE;
    case 102: word(0x736c6166, 101, 5); return FALSE;
    case 110: word(0x6c6c756e, 0, 4); return NULL;
    case 123: members(depth, 125); return NESTED;
    case 91: members(depth, 93); return NESTED;
    default: wrong = true; return MISSING;
  }
}

/** Keys of the objects passed over, to find one that comes twice: position and length of each. Page 0 has no constants so far up. */
const PASSED_KEYS: usize = 32_768;
const PASSED_KEYS_PER_OBJECT: usize = 31;
const PASSED_KEY_BYTES: usize = 8;
/** Whether an object had more keys than were compared; the host looks for doubles then. */
export let hasUncompared: bool = false;
export function openNested(): void {
  hasUncompared = false;
}

/** Notes a key; false when its object had it before. */
function noteKey(depth: i32, count: usize): bool {
  if (count >= PASSED_KEYS_PER_OBJECT) {
    hasUncompared = true;
    return true;
  }
  const keys = PASSED_KEYS + <usize>(depth - 1) * (PASSED_KEYS_PER_OBJECT * PASSED_KEY_BYTES);
  for (let index: usize = 0; index < count; index++) {
    const key = keys + index * PASSED_KEY_BYTES;
    if (load<u32>(key + 4) == <u32>textLength && sameBytes(load<u32>(key), textStart, textLength)) return false;
  }
  store<u32>(keys + count * PASSED_KEY_BYTES, <u32>textStart);
  store<u32>(keys + count * PASSED_KEY_BYTES + 4, <u32>textLength);
  return true;
}

/** Passes over an object or a list, checking its form. */
function members(depth: i32, close: u32): void {
  if (depth > DEPTH_MAX) {
    wrong = true;
    return;
  }
  p++;
  space();
  if (peek() == close) {
    p++;
    return;
  }
  const kept = scratch;
  for (let count: usize = 0; ; count++) {
    if (close == 125) {
      if (peek() != 34) {
        wrong = !short;
        return;
      }
      text();
      if (short || wrong) return;
      if (!noteKey(depth, count)) {
        wrong = true;
        return;
      }
      if (!colon()) return;
    }
    value(depth + 1);
    if (short || wrong) return;
    space();
    const after = peek();
    if (short) return;
    p++;
    if (after == close) break;
    if (after != 44) {
      wrong = true;
      return;
    }
    space();
  }
  setScratch(kept);
}

function colon(): bool {
  space();
  if (peek() != 58) {
    wrong = !short;
    return false;
  }
  p++;
  space();
  return true;
}

/**
 * Members as most are, p being at a key: the key that is guessed, no white space, a text without escapes or a number or a word. Passes over
 * them up to the first that is otherwise; true when they close the object. It works with locals: each use of a variable of the module is one
 * of the memory. What stands behind the input may be taken for a part of it, until the end of the member is seen to be there.
 */
function usualMembers(parent: u32): bool {
  const quotes = i8x16.splat(34);
  const slashes = i8x16.splat(92);
  const spaces = i8x16.splat(32);
  const limit = end;
  const cells = row;
  let at = p;
  let guess = min(place, SHAPES_MAX);
  let shape = SHAPES + <usize>guess * SHAPE_BYTES;
  for (;;) {
    p = at;
    place = guess;
    const cell = cells + <usize>load<u32>(shape + 40);
    if (load<u32>(shape + 36) != parent || cellKind(cell) != MISSING) return false;
    if (v128.any_true(v128.and(v128.xor(v128.load(at), v128.load(shape)), v128.load(shape + 16)))) return false;
    let start = at + <usize>load<u32>(shape + 32);
    const first = <u32>load<u8>(start);
    let kind = TEXT;
    if (first == 34) {
      at = ++start;
      for (;;) {
        const bytes = v128.load(at);
        const found = i8x16.bitmask(v128.or(v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, slashes)), i8x16.lt_u(bytes, spaces)));
        at += found == 0 ? 16 : ctz(found);
        if (at >= limit) return false;
        if (found != 0) break;
      }
      if (load<u8>(at) != 34) return false;
    } else if (first == 45 || isDigit(first)) {
      kind = NUMBER;
      const whole = start + (first == 45 ? 1 : 0);
      at = digitsEnd(whole, limit);
      if (at == whole || (load<u8>(whole) == 48 && at > whole + 1)) return false;
      if (load<u8>(at) == 46) {
        const fraction = at + 1;
        at = digitsEnd(fraction, limit);
        if (at == fraction) return false;
      }
    } else {
      const letters = load<u32>(start);
      kind = letters == 0x65757274 ? TRUE : letters == 0x6c6c756e ? NULL : FALSE;
      at = start + (kind == FALSE ? 5 : 4);
      if (kind == FALSE && (letters != 0x736c6166 || load<u8>(start + 4) != 101)) return false;
    }
    const after = <usize>(kind == TEXT ? at + 1 : at);
    if (after >= limit) return false;
    const byte = <u32>load<u8>(after);
    if (byte != 44 && byte != 125) return false;
    setCell(cell, start, at - start, kind);
    guess++;
    shape += SHAPE_BYTES;
    at = after + 1;
    if (byte == 125) break;
  }
  p = at;
  place = guess;
  return true;
}

/** The members of an object that has slots of its own; p is at its brace. */
function object(parent: u32, depth: i32): void {
  if (depth > DEPTH_MAX) {
    wrong = true;
    return;
  }
  p++;
  space();
  if (peek() == 125) {
    p++;
    return;
  }
  for (;;) {
    if (usualMembers(parent)) return;
    space();
    const slot = key(parent);
    if (short || wrong || newKey) return;
    if (!colon()) return;
    const cell = row + <usize>(slot + 1) * CELL_BYTES;
    // A key that comes twice in one record.
    if (cellKind(cell) != MISSING) {
      wrong = true;
      return;
    }
    const from = p;
    if ((load<u32>(slots + <usize>slot * SLOT_BYTES + 12) & DESCENDS) != 0 && peek() == 123) {
      object(slot, depth + 1);
      if (short || wrong || newKey) return;
      setCell(cell, from, p - from, NESTED);
    } else {
      const kind = value(depth + 1);
      if (short || wrong) return;
      if (kind == TEXT) setCell(cell, textStart, textLength, TEXT);
      else setCell(cell, from, p - from, kind);
    }
    space();
    const after = peek();
    if (short) return;
    p++;
    if (after == 125) return;
    if (after != 44) {
      wrong = true;
      return;
    }
    space();
  }
}

/** The slot of the key at p. */
function key(parent: u32): u32 {
  if (peek() != 34) {
    wrong = !short;
    return 0;
  }
  if (place < orderLength) {
    const guess = load<u32>(order + (<usize>place << 2));
    if (guess < slotCount) {
      const slot = slots + <usize>guess * SLOT_BYTES;
      const length = <usize>load<u32>(slot + 4);
      const comparable = load<u32>(slot + 8) == parent && (load<u32>(slot + 12) & PLAIN) != 0;
      if (comparable && p + length + 2 <= end && load<u8>(p + length + 1) == 34 && sameBytes(load<u32>(slot), p + 1, length)) {
        p += length + 2;
        place++;
        return guess;
      }
    }
  }
  text();
  if (short || wrong) return 0;
  const slot = findSlot(parent, textStart, textLength);
  if (slot == ROOT) {
    newKey = true;
    keyStart = textStart;
    keyLength = textLength;
    keyParent = parent;
    return 0;
  }
  guessSlot(place++, slot);
  return slot;
}

/** One record at p into the row's cells. */
function record(): void {
  short = false;
  wrong = false;
  newKey = false;
  place = 0;
  const missing = i32x4(0, MISSING, 0, MISSING);
  let cell = row + CELL_BYTES;
  const last = row + <usize>slotCount * CELL_BYTES;
  for (; cell < last; cell += 2 * CELL_BYTES) v128.store(cell, missing);
  if (cell == last) setCell(cell, 0, 0, MISSING);
  const start = p;
  object(ROOT, 1);
  setCell(row, start, p - start, NESTED);
}

// Where an array is read between two pieces of input.
const BEFORE_ARRAY: u32 = 0;
const BEFORE_FIRST: u32 = 1;
const BEFORE_RECORD: u32 = 2;
const AFTER_RECORD: u32 = 3;
export const AFTER_ARRAY: u32 = 4;
export let arrayPlace: u32 = 0;

export function openArray(): void {
  arrayPlace = BEFORE_ARRAY;
}

/** Scans whole records of an array in [from, to), `recordsMax` at most; rows are `rowBytes` apart. */
export function scanArray(from: usize, to: usize, cells: usize, rowBytes: usize, recordsMax: u32): i32 {
  feedsInside = true;
  p = from;
  end = to;
  row = cells;
  let count: u32 = 0;
  setNext(from);
  setRecords(0);
  while (count < recordsMax) {
    space();
    setNext(p);
    if (p >= end) return DONE;
    const byte = <u32>load<u8>(p);
    if (byte == 123 && (arrayPlace == BEFORE_FIRST || arrayPlace == BEFORE_RECORD)) {
      record();
      if (newKey) return NEW_KEY;
      if (wrong) return WRONG;
      if (short) return DONE;
      arrayPlace = AFTER_RECORD;
      setNext(p);
      setRecords(++count);
      row += rowBytes;
      continue;
    }
    if (byte == 91 && arrayPlace == BEFORE_ARRAY) arrayPlace = BEFORE_FIRST;
    else if (byte == 44 && arrayPlace == AFTER_RECORD) arrayPlace = BEFORE_RECORD;
    else if (byte == 93 && (arrayPlace == BEFORE_FIRST || arrayPlace == AFTER_RECORD)) arrayPlace = AFTER_ARRAY;
    else return WRONG;
    p++;
  }
  return DONE;
}

/** Scans whole lines of NDJSON in [from, to), `recordsMax` records at most; empty lines are passed over. */
export function scanLines(from: usize, to: usize, cells: usize, rowBytes: usize, recordsMax: u32): i32 {
  feedsInside = false;
  p = from;
  end = to;
  row = cells;
  let count: u32 = 0;
  setNext(from);
  setRecords(0);
  while (count < recordsMax) {
    space();
    if (p >= end) return DONE;
    const byte = <u32>load<u8>(p);
    if (byte == 10) {
      p++;
      setNext(p);
      continue;
    }
    if (byte != 123) return WRONG;
    record();
    if (newKey) return NEW_KEY;
    if (!wrong && !short) {
      space();
      if (p >= end) short = true;
      else if (load<u8>(p) != 10) wrong = true;
    }
    if (wrong) return WRONG;
    if (short) return DONE;
    p++;
    setNext(p);
    setRecords(++count);
    row += rowBytes;
  }
  return DONE;
}
