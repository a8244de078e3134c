import { CELL_BYTES, DONE, NESTED, scratch, setCell, setNext, setRecords, TEXT, toScratch, WRONG } from "./cells";

const LINE_FEED: u32 = 10;
const CARRIAGE_RETURN: u32 = 13;

/**
 * Scans whole CSV records of `columns` fields in [from, end) into rows, `recordsMax` at most. `isLast` tells that nothing follows,
 * so that a CR at the end is the end of its record. A `quote` equal to the delimiter stands for no quoting at all.
 */
export function scanCsv(from: usize, end: usize, isLast: bool, rows: usize, columns: u32, recordsMax: u32, delimiter: u32, quote: u32): i32 {
  const delimiters = i8x16.splat(<i8>delimiter);
  const quotes = i8x16.splat(<i8>quote);
  const feeds = i8x16.splat(<i8>LINE_FEED);
  const returns = i8x16.splat(<i8>CARRIAGE_RETURN);
  const quoting = quote != delimiter;
  let at = from;
  let cell = rows;
  let count: u32 = 0;
  setNext(from);
  setRecords(0);
  while (count < recordsMax && at < end) {
    const row = cell;
    const recordStart = at;
    cell += CELL_BYTES;
    for (let column: u32 = 1; ; column++) {
      let start = at;
      let length: usize;
      if (at < end && quoting && load<u8>(at) == quote) {
        start = ++at;
        let decoded: usize = 0;
        for (;;) {
          const found = i8x16.bitmask(i8x16.eq(v128.load(at), quotes));
          if (found == 0) {
            at += 16;
            if (at >= end) return DONE;
            continue;
          }
          at += ctz(found);
          if (at >= end || (at + 1 >= end && !isLast)) return DONE;
          if (at + 1 >= end || load<u8>(at + 1) != quote) break;
          if (decoded == 0) decoded = scratch;
          toScratch(start, at + 1 - start);
          at += 2;
          start = at;
        }
        length = at - start;
        if (decoded != 0) {
          toScratch(start, length);
          start = decoded;
          length = scratch - decoded;
        }
        at++;
      } else {
        for (;;) {
          const bytes = v128.load(at);
          const found = i8x16.bitmask(v128.or(v128.or(i8x16.eq(bytes, delimiters), i8x16.eq(bytes, quotes)), v128.or(i8x16.eq(bytes, feeds), i8x16.eq(bytes, returns))));
          if (found != 0) {
            at += ctz(found);
            break;
          }
          at += 16;
          if (at >= end) return DONE;
        }
        if (at >= end) return DONE;
        if (quoting && load<u8>(at) == quote) return WRONG;
        length = at - start;
      }
      if (column <= columns) {
        setCell(cell, start, length, TEXT);
        cell += CELL_BYTES;
      }
      if (at >= end) return DONE;
      const after = <u32>load<u8>(at++);
      if (after == delimiter) continue;
      if (after == CARRIAGE_RETURN) {
        if (at >= end && !isLast) return DONE;
        if (at < end && load<u8>(at) == LINE_FEED) at++;
      } else if (after != LINE_FEED) return WRONG;
      // Not before the record's end: one that has none is not finished, whatever it holds.
      if (column != columns) return WRONG;
      break;
    }
    setCell(row, recordStart, at - recordStart, NESTED);
    count++;
    setNext(at);
    setRecords(count);
  }
  return DONE;
}
