import { copy } from "./bytes";

/**
 * The memory of the engine, which the host lays out. Blocks of 16 bytes are read up to 15 bytes past the end of what they are
 * about, and written likewise; there is slack behind every area.
 *
 * A cell is one value of one record, 8 bytes: where its bytes begin, then their number and its kind in one word. The bytes are
 * those of the value itself, free of the quotes and escapes of the format that it stood in: in the input, where nothing had to be
 * undone, or else in the scratch area.
 *
 * A row is the cells of one record. Its first cell is the record as it stands in the input; then there is one for each column.
 */
export const TEXT: u32 = 0;
export const NUMBER: u32 = 1;
export const TRUE: u32 = 2;
export const FALSE: u32 = 3;
export const NULL: u32 = 4;
/** An object or a list, as JSON text. */
export const NESTED: u32 = 5;
export const MISSING: u32 = 6;

export const CELL_BYTES: usize = 8;

@inline export function setCell(cell: usize, start: usize, length: usize, kind: u32): void {
  store<u32>(cell, <u32>start);
  store<u32>(cell + 4, (<u32>length << 3) | kind);
}
@inline export function cellStart(cell: usize): usize {
  return <usize>load<u32>(cell);
}
@inline export function cellLength(cell: usize): usize {
  return <usize>(load<u32>(cell + 4) >> 3);
}
@inline export function cellKind(cell: usize): u32 {
  return load<u32>(cell + 4) & 7;
}

/** Where the next value that has to be undone goes; the host sets it back between batches. The area is as large as the input. */
export let scratch: usize = 0;

@inline export function setScratch(position: usize): void {
  scratch = position;
}
@inline export function toScratch(source: usize, length: usize): void {
  copy(scratch, source, length);
  scratch += length;
}
@inline export function byteToScratch(byte: u32): void {
  store<u8>(scratch++, <u8>byte);
}
/** A character as UTF-8. */
export function codeToScratch(code: u32): void {
  if (code < 0x80) return byteToScratch(code);
  if (code < 0x800) {
    byteToScratch(0xc0 | (code >> 6));
  } else {
    if (code < 0x10000) byteToScratch(0xe0 | (code >> 12));
    else {
      byteToScratch(0xf0 | (code >> 18));
      byteToScratch(0x80 | ((code >> 12) & 63));
    }
    byteToScratch(0x80 | ((code >> 6) & 63));
  }
  byteToScratch(0x80 | (code & 63));
}

/** What a scan returns. */
export const DONE: i32 = 0;
/** The record at `next` breaks the rules of the format; the host finds the words for it. */
export const WRONG: i32 = 1;
/** The record at `next` has a key that no slot stands for: keyStart, keyLength and keyParent tell which. */
export const NEW_KEY: i32 = 2;

/** Position behind the last whole record. */
export let next: usize = 0;
/** Whole records of the scan. */
export let records: u32 = 0;
@inline export function setNext(position: usize): void {
  next = position;
}
@inline export function setRecords(count: u32): void {
  records = count;
}
