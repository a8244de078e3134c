import { copy, hexadecimal } from "./bytes";
import { CELL_BYTES, cellKind, cellLength, cellStart, MISSING, NESTED, NULL, scratch, TEXT } from "./cells";

/**
 * Writes records by a program: one entry per field, 32 bytes each:
 *    0  position and, at 4, length of what stands before the value (separator and key)
 *    8  position of the field's column in its row of cells; in the row of computed cells with COMPUTED, in none with CONSTANT
 *   12  flags
 *   16  position and, at 20, length of what stands for a missing or empty value with FALLBACK, or of the constant; as it is to be written
 */
const ENTRY_BYTES: usize = 32;
const COMPUTED: u32 = 1;
const CONSTANT: u32 = 2;
/** A text is written bare in JSON: its type is a number or a boolean. */
const BARE: u32 = 4;
/** An empty text is null in JSON: its type is declared and not string. */
const EMPTY_IS_NULL: u32 = 8;
/** The record may lack the value. */
const OPTIONAL: u32 = 16;
const FALLBACK: u32 = 32;
/** No record has had the column, and every one should. */
const ABSENT: u32 = 64;

/** What an emission returns: all rows are written, or the output is full, or row `rowsDone` cannot be written. */
const DONE: i32 = 0;
const FULL: i32 = 1;
const WRONG: i32 = 2;
export let rowsDone: u32 = 0;
export let wrongField: u32 = 0;
/** Position behind the last whole record written. */
export let written: usize = 0;

let program: usize = 0;
let programEnd: usize = 0;
let firstLead: usize = 0;
let firstLeadLength: usize = 0;
let lead: usize = 0;
let leadLength: usize = 0;
let tail: usize = 0;
let tailLength: usize = 0;
let begun: bool = false;
let delimiter: u32 = 44;
let quoteAll: bool = false;

/** What is put before the first and every other record, and behind each. */
export function openOutput(programArea: usize, fields: u32, firstLeadAt: usize, firstLeadBytes: usize, leadAt: usize, leadBytes: usize, tailAt: usize, tailBytes: usize): void {
  program = programArea;
  programEnd = programArea + <usize>fields * ENTRY_BYTES;
  firstLead = firstLeadAt;
  firstLeadLength = firstLeadBytes;
  lead = leadAt;
  leadLength = leadBytes;
  tail = tailAt;
  tailLength = tailBytes;
  begun = false;
}
export function openCsvOutput(delimiterByte: u32, quotesAll: bool): void {
  delimiter = delimiterByte;
  quoteAll = quotesAll;
}

/** Writes rows [rowsDone of before .. count) to [output, outputEnd); there is slack behind outputEnd. */
export function emit(isCsv: bool, cells: usize, rowBytes: usize, computed: usize, computedRowBytes: usize, count: u32, output: usize, outputEnd: usize): i32 {
  let at = output;
  written = output;
  rowsDone = 0;
  /** A value may end here at the latest. */
  const room = outputEnd - tailLength;
  const isOnly = programEnd - program == ENTRY_BYTES;
  for (let row: u32 = 0; row < count; row++) {
    const leadBytes = begun ? leadLength : firstLeadLength;
    if (at + leadBytes > room) return FULL;
    copy(at, begun ? lead : firstLead, leadBytes);
    at += leadBytes;
    let index: u32 = 0;
    for (let entry = program; entry < programEnd; entry += ENTRY_BYTES, index++) {
      const before = <usize>load<u32>(entry + 4);
      const flags = load<u32>(entry + 12);
      // Most values of CSV: short, of a column, nothing to quote.
      if (isCsv && (flags & (CONSTANT | ABSENT)) == 0 && before <= 16 && at + 64 <= room) {
        const usual = ((flags & COMPUTED) != 0 ? computed : cells) + <usize>load<u32>(entry + 8) * CELL_BYTES;
        const word = load<u32>(usual + 4);
        const bytes = <usize>(word >> 3);
        if ((word & 7) < NULL && bytes - 1 < 32 && !quoteAll) {
          const from = <usize>load<u32>(usual);
          const first = v128.load(from);
          const second = v128.load(from, 16);
          if (((<u64>csvSpecials(first) | (<u64>csvSpecials(second) << 16)) & (((<u64>1) << bytes) - 1)) == 0) {
            v128.store(at, v128.load(load<u32>(entry)));
            at += before;
            v128.store(at, first);
            v128.store(at, second, 16);
            at += bytes;
            continue;
          }
        }
      }
      if ((flags & ABSENT) != 0) {
        wrongField = index;
        return WRONG;
      }
      if (at + before > room) return FULL;
      copy(at, load<u32>(entry), before);
      at += before;
      let cell: usize = 0;
      let kind: u32 = MISSING;
      let length: usize = 0;
      if ((flags & CONSTANT) == 0) {
        cell = ((flags & COMPUTED) != 0 ? computed : cells) + <usize>load<u32>(entry + 8) * CELL_BYTES;
        kind = cellKind(cell);
        length = cellLength(cell);
      }
      if (kind == MISSING || kind == NULL || length == 0) {
        if ((flags & (CONSTANT | FALLBACK)) != 0) {
          const given = <usize>load<u32>(entry + 20);
          if (at + given > room) return FULL;
          copy(at, load<u32>(entry + 16), given);
          at += given;
          continue;
        }
        if (kind == MISSING && (flags & OPTIONAL) == 0) {
          wrongField = index;
          return WRONG;
        }
        if (at + 8 > room) return FULL;
        if (isCsv ? quoteAll || isOnly : kind == TEXT && (flags & EMPTY_IS_NULL) == 0) {
          store<u16>(at, 0x2222);
          at += 2;
        } else if (!isCsv) {
          store<u32>(at, 0x6c6c756e);
          at += 4;
        }
        continue;
      }
      const start = cellStart(cell);
      // The most that a value becomes: every byte an escape of six. Near the end of the output it is counted.
      const most = isCsv ? length * 2 + 2 : length * 6 + 2;
      if (at + most + 16 > room && (at + length + 18 > room || at + grown(isCsv, kind, flags, start, length) > room)) return FULL;
      if (!isCsv) at = jsonValue(at, start, length, kind, flags);
      else if (kind != NESTED) {
        const bytes = v128.load(start);
        if (length > 16 || quoteAll || (csvSpecials(bytes) & ((1 << <u32>length) - 1)) != 0) at = csvValue(at, start, length);
        else {
          v128.store(at, bytes);
          at += length;
        }
      }
      // Behind what the scan has put there: it has put nothing there for this value.
      else at = csvValue(at, scratch, compact(scratch, start, length) - scratch);
    }
    copy(at, tail, tailLength);
    at += tailLength;
    begun = true;
    written = at;
    rowsDone = row + 1;
    cells += rowBytes;
    computed += computedRowBytes;
  }
  return DONE;
}

/** Which of 16 bytes make a value of CSV need quotes. */
@inline function csvSpecials(bytes: v128): u32 {
  const breaks = v128.or(i8x16.eq(bytes, i8x16.splat(10)), i8x16.eq(bytes, i8x16.splat(13)));
  return i8x16.bitmask(v128.or(breaks, v128.or(i8x16.eq(bytes, i8x16.splat(34)), i8x16.eq(bytes, i8x16.splat(<i8>delimiter)))));
}

/** How long the value becomes, exactly enough: only near the end of the output does it matter. */
function grown(isCsv: bool, kind: u32, flags: u32, start: usize, length: usize): usize {
  let extra: usize = 2;
  const stop = start + length;
  if (isCsv) {
    for (let at = start; at < stop; at++) if (load<u8>(at) == 34) extra++;
  } else if (kind == TEXT && (flags & BARE) == 0) {
    for (let at = start; at < stop; at++) {
      const byte = load<u8>(at);
      if (byte < 32 || byte == 34 || byte == 92) extra += 5;
    }
  }
  return length + extra;
}

function jsonValue(at: usize, start: usize, length: usize, kind: u32, flags: u32): usize {
  if (kind == NESTED) return compact(at, start, length);
  if (kind != TEXT || (flags & BARE) != 0) {
    copy(at, start, length);
    return at + length;
  }
  store<u8>(at++, 34);
  const quotes = i8x16.splat(34);
  const slashes = i8x16.splat(92);
  const spaces = i8x16.splat(32);
  let from = start;
  const stop = start + length;
  while (from < stop) {
    const bytes = v128.load(from);
    v128.store(at, bytes);
    const found = i8x16.bitmask(v128.or(v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, slashes)), i8x16.lt_u(bytes, spaces)));
    const left = stop - from;
    const clean: usize = found == 0 ? 16 : <usize>ctz(found);
    if (clean >= left) {
      at += left;
      break;
    }
    at += clean;
    from += clean;
    if (clean < 16) at = escaped(at, load<u8>(from++));
  }
  store<u8>(at++, 34);
  return at;
}

/** The escapes are those of JSON.stringify. */
function escaped(at: usize, byte: u32): usize {
  let letter: u32 = 0;
  switch (byte) {
    case 34: case 92: letter = byte; break;
    case 8: letter = 98; break;
    case 9: letter = 116; break;
    case 10: letter = 110; break;
    case 12: letter = 102; break;
    case 13: letter = 114; break;
    default: break;
  }
  store<u8>(at, 92);
  if (letter != 0) {
    store<u8>(at + 1, <u8>letter);
    return at + 2;
  }
  store<u32>(at + 1, 0x303075 | (hexadecimal(byte >> 4) << 24));
  store<u8>(at + 5, <u8>hexadecimal(byte & 15));
  return at + 6;
}

/** JSON text without the white space between its parts, which might hold line ends. */
function compact(at: usize, start: usize, length: usize): usize {
  const stop = start + length;
  let inText = false;
  for (let from = start; from < stop; from++) {
    const byte = load<u8>(from);
    if (inText) {
      if (byte == 92) store<u8>(at++, load<u8>(from++) as u8);
      else if (byte == 34) inText = false;
    } else if (byte == 32 || byte == 9 || byte == 10 || byte == 13) continue;
    else if (byte == 34) inText = true;
    store<u8>(at++, load<u8>(from));
  }
  return at;
}

function csvValue(at: usize, start: usize, length: usize): usize {
  const begin = at;
  const quotes = i8x16.splat(34);
  const stop = start + length;
  let special = quoteAll;
  for (let from = start; from < stop && !special; from += 16, at += 16) {
    const bytes = v128.load(from);
    v128.store(at, bytes);
    const found = csvSpecials(bytes);
    special = found != 0 && <usize>ctz(found) < stop - from;
  }
  if (!special) return begin + length;
  at = begin;
  store<u8>(at++, 34);
  let from = start;
  while (from < stop) {
    const bytes = v128.load(from);
    v128.store(at, bytes);
    const found = i8x16.bitmask(i8x16.eq(bytes, quotes));
    const left = stop - from;
    const clean: usize = found == 0 ? 16 : <usize>ctz(found);
    if (clean >= left) {
      at += left;
      break;
    }
    at += clean;
    from += clean;
    if (clean < 16) {
      store<u16>(at, 0x2222);
      at += 2;
      from++;
    }
  }
  store<u8>(at++, 34);
  return at;
}
