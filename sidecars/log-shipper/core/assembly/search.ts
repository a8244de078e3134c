import { sameBytes, scalarTextMax } from "./values";

// Patterns (shape/core-program.ts). Every pattern tells quickly whether a text can contain it; a plain one, which is a row of
// characters and sets of characters that tell one another's ends apart, is also matched here, in ASCII text.

const BYTES_MIN: usize = 0;
/** Texts of which every match contains at least one: how many, and the address of their sizes and addresses. */
const REQUIRED_COUNT: usize = 4;
const REQUIRED: usize = 8;
const DIGITS_MIN: usize = 12;
const FLAGS: usize = 16;
const ATOM_COUNT: usize = 20;
const ATOMS: usize = 24;
export const REPLACEMENT: usize = 28;
export const REPLACEMENT_BYTES: usize = 32;
/** The byte that every match begins with; 256 if there are several. */
const FIRST: usize = 36;

const PLAIN: u32 = 1;
const AT_BEGIN: u32 = 2;
const AT_END: u32 = 4;
const AT_BOUNDARY: u32 = 8;
/** None of the required texts is in a number, nor in true, false and null. */
const BEYOND_SCALARS: u32 = 16;

/** Of each atom: a bit for each ASCII character, then the least and the greatest number of them. */
const ATOM_BYTES: usize = 24;

/** Longer texts are searched in pieces (parse/pattern.ts), by the host. */
const SEARCHED_MAX: usize = 8192;

/** What `search` returns. */
export const NO_MATCH: u32 = 0;
export const MATCH: u32 = 1;
export const HOST: u32 = 2;

export let matchFrom: usize = 0;
export let matchTo: usize = 0;

/** Whether the text of the value at `at`, which is no text, may contain the pattern. */
export function scalarMayMatch(pattern: usize, at: usize): bool {
  const most = scalarTextMax(at);
  return most > 0 && (load<u32>(pattern + FLAGS) & BEYOND_SCALARS) == 0 && load<u32>(pattern + BYTES_MIN) <= most && load<u32>(pattern + DIGITS_MIN) <= most;
}

/** False only if the pattern is not in the text `[from, to)`. */
export function mayMatch(pattern: usize, from: usize, to: usize): bool {
  if (to - from < (load<u32>(pattern + BYTES_MIN) as usize)) return false;
  const digits = load<u32>(pattern + DIGITS_MIN);
  if (digits > 0 && !hasDigits(from, to, digits)) return false;
  const count = load<u32>(pattern + REQUIRED_COUNT);
  let text = load<u32>(pattern + REQUIRED) as usize;
  for (let rest = count; rest > 0; rest--) {
    if (includes(from, to, load<u32>(text + 4) as usize, load<u32>(text) as usize)) return true;
    text += 8;
  }
  return count == 0;
}

/** Looks for the pattern in the text `[from, to)`, which `mayMatch` must have let pass. */
export function firstMatch(pattern: usize, from: usize, to: usize): u32 {
  if ((load<u32>(pattern + FLAGS) & PLAIN) == 0 || to - from > SEARCHED_MAX || !isAscii(from, to)) return HOST;
  return nextMatch(pattern, from, to, from) ? MATCH : NO_MATCH;
}

/** The next match from `start` on in a text in which there was one; leaves `matchFrom` and `matchTo`. */
export function nextMatch(pattern: usize, from: usize, to: usize, start: usize): bool {
  const flags = load<u32>(pattern + FLAGS);
  const first = load<u32>(pattern + FIRST);
  for (let at = start; at < to; at++) {
    if (first < 256) {
      at = indexOf(at, to, first);
      if (at == to) return false;
    }
    if ((flags & AT_BEGIN) != 0 && at > from) return false;
    if ((flags & AT_BOUNDARY) != 0 && (at > from && isWord(load<u8>(at - 1))) == isWord(load<u8>(at))) continue;
    const stop = matchAt(pattern, at, to);
    if (stop == 0 || ((flags & AT_END) != 0 && stop != to)) continue;
    matchFrom = at;
    matchTo = stop;
    return true;
  }
  return false;
}

/** Where the match that begins at `start` ends; 0 without one. Nothing is tried twice: no atom can take what the next one needs. */
@inline
function matchAt(pattern: usize, start: usize, to: usize): usize {
  let atom = load<u32>(pattern + ATOMS) as usize;
  const end = atom + (load<u32>(pattern + ATOM_COUNT) as usize) * ATOM_BYTES;
  let at = start;
  for (; atom < end; atom += ATOM_BYTES) {
    const most = load<u32>(atom + 20);
    let count: u32 = 0;
    while (count < most && at < to && isIn(atom, load<u8>(at))) {
      at++;
      count++;
    }
    if (count < load<u32>(atom + 16)) return 0;
  }
  return at;
}

@inline
function isIn(set: usize, byte: u32): bool {
  return ((load<u8>(set + (byte >> 3)) >> (byte & 7)) & 1) != 0;
}

@inline
function isWord(byte: u32): bool {
  return byte - 48 < 10 || (byte | 32) - 97 < 26 || byte == 95;
}

/** `to` if it is not there. */
@inline
function indexOf(from: usize, to: usize, byte: u32): usize {
  const wanted = i8x16.splat(byte as i8);
  for (let at = from; at < to; at += 16) {
    const hits = i8x16.bitmask(i8x16.eq(v128.load(at), wanted));
    if (hits != 0) return min(to, at + ctz(hits));
  }
  return to;
}

function includes(from: usize, to: usize, wanted: usize, length: usize): bool {
  const first: u32 = load<u8>(wanted);
  if (to - from < length) return false;
  const last = to - length + 1;
  for (let at = indexOf(from, last, first); at < last; at = indexOf(at + 1, last, first)) if (sameBytes(at, wanted, length)) return true;
  return false;
}

function isAscii(from: usize, to: usize): bool {
  let at = from;
  for (; at + 16 <= to; at += 16) if (i8x16.bitmask(v128.load(at)) != 0) return false;
  return at == to || (i8x16.bitmask(v128.load(at)) & ((1 << ((to - at) as i32)) - 1)) == 0;
}

/** Nothing but spaces and dashes between them. */
function hasDigits(from: usize, to: usize, wanted: u32): bool {
  let digits: u32 = 0;
  for (let at = from; at < to; at++) {
    const byte: u32 = load<u8>(at);
    if (byte - 48 < 10) {
      if (++digits == wanted) return true;
    } else if (byte != 32 && byte != 45) digits = 0;
  }
  return false;
}
