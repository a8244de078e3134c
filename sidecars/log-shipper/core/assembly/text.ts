import { setPosition } from "./cursor";
import { copyBlocks, stringHeader } from "./msgpack";

// Strings of JSON.

/** One bit for each byte that ends the plain part of a string: quote, backslash, control characters. */
@inline
function specials(block: v128): i32 {
  return i8x16.bitmask(v128.or(v128.or(i8x16.eq(block, i8x16.splat(34)), i8x16.eq(block, i8x16.splat(92))), i8x16.lt_u(block, i8x16.splat(32))));
}

/** Reads the string at `start` and writes it to `to`. Returns where it wrote to or 0 for "not JSON", and leaves `position`. */
export function text(start: usize, to: usize): usize {
  const first = start + 1;
  // Most strings are short: they are copied while they are searched for their end, and their header is one byte.
  let block = v128.load(first);
  v128.store(to + 1, block);
  let hits = specials(block);
  let length: usize = 0;
  if (hits == 0) {
    block = v128.load(first + 16);
    v128.store(to + 17, block);
    hits = specials(block);
    length = 16;
    if (hits == 0) return longText(first, to);
  }
  length += ctz(hits);
  if (load<u8>(first + length) != 34) return load<u8>(first + length) == 92 ? escapedText(first, first + length, to) : 0;
  store<u8>(to, 0xa0 | length);
  setPosition(first + length + 1);
  return to + 1 + length;
}

/** A string of at least 32 bytes. */
function longText(first: usize, to: usize): usize {
  let stop = first + 32;
  let hits = 0;
  while ((hits = specials(v128.load(stop))) == 0) stop += 16;
  stop += ctz(hits);
  const byte = load<u8>(stop);
  if (byte != 34) return byte == 92 ? escapedText(first, stop, to) : 0;
  const length = stop - first;
  const body = stringHeader(to, length);
  copyBlocks(body, first, length);
  setPosition(stop + 1);
  return body + length;
}

/** The text only shrinks when escapes are resolved, so it is resolved behind a gap and moved to its header. */
function escapedText(first: usize, firstEscape: usize, to: usize): usize {
  const body = to + 5;
  let out = body + (firstEscape - first);
  copyBlocks(body, first, firstEscape - first);
  let from = firstEscape;
  for (;;) {
    const byte = load<u8>(from);
    if (byte == 34) break;
    if (byte != 92) return 0;
    const escaped = load<u8>(from + 1);
    if (escaped == 117) {
      const unit = hex(from + 2);
      if (unit < 0) return 0;
      let point = unit;
      from += 6;
      if (unit >= 0xd800 && unit < 0xe000) {
        const low = unit < 0xdc00 && load<u16>(from) == 0x755c ? hex(from + 2) : -1;
        const paired = low >= 0xdc00 && low < 0xe000;
        point = paired ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
        if (paired) from += 6;
      }
      out = utf8(out, point);
    } else {
      const simple = unescaped(escaped);
      if (simple == 0) return 0;
      store<u8>(out, simple);
      out++;
      from += 2;
    }
    let hits = 0;
    for (;;) {
      const block = v128.load(from);
      v128.store(out, block);
      hits = specials(block);
      if (hits != 0) break;
      from += 16;
      out += 16;
    }
    from += ctz(hits);
    out += ctz(hits);
  }
  const length = out - body;
  const moved = stringHeader(to, length);
  copyBlocks(moved, body, length);
  setPosition(from + 1);
  return moved + length;
}

@inline
function unescaped(byte: u32): u32 {
  switch (byte) {
    case 110: return 10;
    case 116: return 9;
    case 34: return 34;
    case 92: return 92;
    case 47: return 47;
    case 114: return 13;
    case 98: return 8;
    case 102: return 12;
    default: return 0;
  }
}

/** The value of four hexadecimal digits, or -1. */
function hex(start: usize): i32 {
  let sum: i32 = 0;
  for (let index: usize = 0; index < 4; index++) {
    const byte = load<u8>(start + index) as u32;
    const letter = (byte | 32) - 97;
    if (byte - 48 < 10) sum = (sum << 4) | (byte - 48);
    else if (letter < 6) sum = (sum << 4) | (letter + 10);
    else return -1;
  }
  return sum;
}

function utf8(to: usize, point: u32): usize {
  if (point < 0x80) {
    store<u8>(to, point);
    return to + 1;
  }
  if (point < 0x800) {
    store<u8>(to, 0xc0 | (point >> 6));
    store<u8>(to + 1, 0x80 | (point & 0x3f));
    return to + 2;
  }
  if (point < 0x10000) {
    store<u8>(to, 0xe0 | (point >> 12));
    store<u8>(to + 1, 0x80 | ((point >> 6) & 0x3f));
    store<u8>(to + 2, 0x80 | (point & 0x3f));
    return to + 3;
  }
  store<u8>(to, 0xf0 | (point >> 18));
  store<u8>(to + 1, 0x80 | ((point >> 12) & 0x3f));
  store<u8>(to + 2, 0x80 | ((point >> 6) & 0x3f));
  store<u8>(to + 3, 0x80 | (point & 0x3f));
  return to + 4;
}
