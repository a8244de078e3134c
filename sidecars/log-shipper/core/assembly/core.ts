/**
 * The hot core: log lines to Forward entries, in the language AssemblyScript (https://www.assemblyscript.org), compiled by
 * setup/compile-assembly.ts. What it makes is defined by the TypeScript reference, encode/line-encoder.ts with encode/framing.ts and
 * parse/json.ts; tests hold both to the same bytes.
 *
 * Memory, in pages of 64 KiB, is imported with a fixed size and never grows, so that the host's views stay valid:
 *   page 0       constants of the module, and from 32768 what the host writes before each range
 *   pages 1, 2   keys of the objects that are open in the JSON line under way
 *   from page 3  input, output and spans, placed by the host
 *
 * Blocks of 16 bytes are read and written up to 31 bytes past the end of what they are about. Behind the input and the output
 * lies slack for that; within the output the next write covers it.
 */

/** Begin of an entry whose record is `{log: line}` and extra pairs: array, time, map header, key. At most 32 bytes. */
const PLAIN_PREFIX: usize = 32768;
/** The same with a map header for one pair more, the flag. */
const FLAGGED_PREFIX: usize = 32800;
/** Key and value of the flags. At most 16 bytes each. */
const PARTIAL_FLAG: usize = 32832;
const CUT_FLAG: usize = 32848;
/** The extra pairs; they end before page 1. */
const EXTRA: usize = 32896;
/** 16 bytes per key: a signature, then its position in the output. */
const KEYS: usize = 65536;
const KEY_BYTES: usize = 16;
/** What the pages hold at depth 64: an object with more keys than this is left to the host. */
const KEYS_PER_OBJECT: usize = 64;
const DEPTH_MAX: i32 = 64;
/** Array of two and EventTime, the begin of every entry. */
const TIME_BYTES: usize = 11;

/** What `run` returns: the range is done as far as it goes. */
const DONE: i32 = 0;
/** The line `[lineStart, at)` is the host's to encode; it sets `output`, adds to `unparsed` and runs on. */
const HOST_LINE: i32 = 1;
/** The output area is too small for what was asked. */
const FULL: i32 = 2;
const NEXT: i32 = 3;

// The state of the range under way, which the host reads and, after HOST_LINE, changes.
export let at: usize = 0;
export let output: usize = 0;
export let records: u32 = 0;
export let discardedBytes: usize = 0;
export let discarding: bool = false;
export let unparsed: u32 = 0;
export let lineStart: usize = 0;

let from: usize = 0;
let end: usize = 0;
let inputLimit: usize = 0;
let outputLimit: usize = 0;
let outputEnd: usize = 0;
let spans: usize = 0;
let isFinal: bool = false;
let isJson: bool = false;
let cutsLongLines: bool = false;
let lineMax: usize = 0;
/** The most that one record may take. */
let recordMax: usize = 0;
let plainPrefixBytes: usize = 0;
let flaggedPrefixBytes: usize = 0;
let partialFlagBytes: usize = 0;
let cutFlagBytes: usize = 0;
let extraBytes: usize = 0;
let extraPairs: usize = 0;

/** Bytes of the last line's string header, the guess for the next line's. */
let headerGuess: usize = 2;
/** Where the JSON parser stands after what it parsed last. */
let position: usize = 0;
let keysTop: usize = KEYS;
/** Why the parser gave up: the line may well be right, but is the host's. */
let isHostLine: bool = false;

/** The nearest double to a JSON number's text. */
@external("host", "number")
declare function hostNumber(from: usize, to: usize): f64;

/** Settings of the encoder whose range comes next. */
export function configure(json: bool, cuts: bool, longest: usize, partialBytes: usize, cutBytes: usize): void {
  isJson = json;
  cutsLongLines = cuts;
  lineMax = longest;
  partialFlagBytes = partialBytes;
  cutFlagBytes = cutBytes;
}

export function open(rangeFrom: usize, rangeEnd: usize, inputMax: usize, final: bool, startsDiscarding: bool): void {
  from = rangeFrom;
  end = rangeEnd;
  at = rangeFrom;
  inputLimit = rangeFrom + inputMax;
  isFinal = final;
  discarding = startsDiscarding;
  discardedBytes = 0;
  records = 0;
  unparsed = 0;
}

export function openOutput(area: usize, areaEnd: usize, outputMax: usize, spansArea: usize, plainBytes: usize, flaggedBytes: usize, extra: usize, pairs: usize): void {
  output = area;
  outputEnd = areaEnd;
  outputLimit = area + outputMax;
  spans = spansArea;
  plainPrefixBytes = plainBytes;
  flaggedPrefixBytes = flaggedBytes;
  extraBytes = extra;
  extraPairs = pairs;
  recordMax = (isJson ? lineMax * 3 : lineMax) + extra + 160;
}

export function run(): i32 {
  while (at < inputLimit && output < outputLimit) {
    if (discarding && !passRestOfLine()) return DONE;
    if (at >= end) return DONE;
    if (load<u8>(at) == 0) {
      passNuls();
      if (at >= end) return DONE;
    }
    if (outputEnd - output < recordMax) return FULL;
    const outcome = isJson ? jsonLine() : rawLine();
    if (outcome != NEXT) return outcome;
  }
  return DONE;
}

/** Takes what is left as a piece of a longer line. */
export function takeRest(cut: bool): i32 {
  if (at >= end) return DONE;
  if (outputEnd - output < end - at + extraBytes + 160) return FULL;
  discarding = cut;
  piece(end, cut);
  return DONE;
}

// Lines

function rawLine(): i32 {
  const start = at;
  const limit = min(end, start + lineMax + 1);
  const lineFeeds = i8x16.splat(10);
  const body = output + plainPrefixBytes + headerGuess;
  v128.store(output, v128.load(PLAIN_PREFIX));
  if (plainPrefixBytes > 16) v128.store(output + 16, v128.load(PLAIN_PREFIX + 16));
  let stop = start;
  let to = body;
  let hits: i32 = 0;
  // The line is copied while its end is looked for.
  while (stop < limit) {
    const block = v128.load(stop);
    v128.store(to, block);
    hits = i8x16.bitmask(i8x16.eq(block, lineFeeds));
    if (hits != 0) break;
    stop += 16;
    to += 16;
  }
  stop = hits != 0 ? stop + ctz(hits) : limit;
  let next = stop + 1;
  if (stop >= limit) {
    if (end - start > lineMax) return longPiece();
    if (!isFinal) return DONE;
    stop = end;
    next = end;
  } else if (stop > start && load<u8>(stop - 1) == 13) stop--;
  finishLog(start, stop, body);
  finish(start, next);
  return NEXT;
}

/** Puts the header of the string before the line's copy, which is moved if the guess of its header's size was wrong. */
function finishLog(start: usize, stop: usize, body: usize): void {
  const length = stop - start;
  const headerBytes = stringHeaderBytes(length);
  const header = output + plainPrefixBytes;
  if (headerBytes != headerGuess) {
    memory.copy(header + headerBytes, body, length);
    headerGuess = headerBytes;
  }
  output = stringHeader(header, length) + length;
}

function jsonLine(): i32 {
  const start = at;
  const limit = min(end, start + lineMax + 1);
  let stop = findLineFeed(start, limit);
  const terminated = stop < limit;
  if (!terminated) {
    if (end - start > lineMax) return longPiece();
    if (!isFinal) return DONE;
    stop = end;
  }
  v128.store(output, v128.load(PLAIN_PREFIX));
  keysTop = KEYS;
  isHostLine = false;
  // The parser needs no bounds: no token goes on over a line feed.
  const behind = load<u8>(stop);
  store<u8>(stop, 10);
  let to = skipSpace(start);
  to = load<u8>(to) == 123 ? object(to, output + TIME_BYTES, 0, extraPairs) : 0;
  if (to != 0 && skipSpace(position) != stop) to = 0;
  store<u8>(stop, behind);
  const next = terminated ? stop + 1 : end;
  if (to == 0) {
    if (isHostLine) {
      lineStart = start;
      span(start, next);
      at = next;
      return HOST_LINE;
    }
    unparsed++;
    if (terminated && stop > start && load<u8>(stop - 1) == 13) stop--;
    const body = output + plainPrefixBytes + headerGuess;
    memory.copy(output, PLAIN_PREFIX, plainPrefixBytes);
    memory.copy(body, start, stop - start);
    finishLog(start, stop, body);
  } else output = to;
  finish(start, next);
  return NEXT;
}

/** The first piece of a line that is too long. */
function longPiece(): i32 {
  discarding = cutsLongLines;
  piece(at + lineMax - utf8Overhang(at, at + lineMax), cutsLongLines);
  return NEXT;
}

function piece(stop: usize, cut: bool): void {
  const start = at;
  const length = stop - start;
  memory.copy(output, FLAGGED_PREFIX, flaggedPrefixBytes);
  output = stringHeader(output + flaggedPrefixBytes, length);
  memory.copy(output, start, length);
  output += length;
  v128.store(output, v128.load(cut ? CUT_FLAG : PARTIAL_FLAG));
  output += cut ? cutFlagBytes : partialFlagBytes;
  finish(start, stop);
}

@inline
function finish(start: usize, next: usize): void {
  for (let done: usize = 0; done < extraBytes; done += 16) v128.store(output + done, v128.load(EXTRA + done));
  output += extraBytes;
  span(start, next);
  at = next;
}

@inline
function span(start: usize, next: usize): void {
  store<u32>(spans, start - from);
  store<u32>(spans + 4, next - start);
  spans += 8;
  records++;
}

function passRestOfLine(): bool {
  const found = findLineFeed(at, end);
  const stop = min(end, found + 1);
  discardedBytes += stop - at;
  at = stop;
  discarding = found >= end;
  return !discarding;
}

function passNuls(): void {
  const start = at;
  while (at < end && load<u8>(at) == 0) at++;
  discardedBytes += at - start;
}

/** `limit` if there is none before it. */
function findLineFeed(start: usize, limit: usize): usize {
  const lineFeeds = i8x16.splat(10);
  for (let to = start; to < limit; to += 16) {
    const hits = i8x16.bitmask(i8x16.eq(v128.load(to), lineFeeds));
    if (hits != 0) return min(limit, to + ctz(hits));
  }
  return limit;
}

/** How many bytes before `stop` belong to a UTF-8 sequence that reaches past it. */
function utf8Overhang(start: usize, stop: usize): usize {
  for (let back: usize = 0; back <= 3 && stop - back > start; back++) {
    if ((load<u8>(stop - back) & 0xc0) != 0x80) return back;
  }
  return 0;
}

// JSON. Functions take where they read and write, return where they wrote to or 0 for "not JSON", and leave `position`.

@inline
function skipSpace(start: usize): usize {
  let to = start;
  let byte: u32 = load<u8>(to);
  while (byte == 32 || byte == 9 || byte == 13) byte = load<u8>(++to);
  return to;
}

function value(start: usize, to: usize, depth: i32): usize {
  const byte: u32 = load<u8>(start);
  if (byte == 34) return text(start, to);
  if (byte == 45 || byte - 48 < 10) return number(start, to);
  if (byte == 123) return object(start, to, depth + 1, 0);
  if (byte == 91) return array(start, to, depth + 1);
  const word = load<u32>(start);
  if (word == 0x65757274) {
    store<u8>(to, 0xc3);
    position = start + 4;
    return to + 1;
  }
  if (word == 0x6c6c756e) {
    store<u8>(to, 0xc0);
    position = start + 4;
    return to + 1;
  }
  if (word == 0x736c6166 && load<u8>(start + 4) == 101) {
    store<u8>(to, 0xc2);
    position = start + 5;
    return to + 1;
  }
  return 0;
}

function object(start: usize, header: usize, depth: i32, extraPairs: usize): usize {
  if (depth > DEPTH_MAX) return 0;
  const firstKey = keysTop;
  let to = header + 1;
  let from = skipSpace(start + 1);
  if (load<u8>(from) == 125) {
    from++;
  } else {
    for (;;) {
      if (load<u8>(from) != 34) return 0;
      const key = to;
      const keyEnd = text(from, to);
      if (keyEnd == 0) return 0;
      from = skipSpace(position);
      if (load<u8>(from) != 58) return 0;
      to = value(skipSpace(from + 1), keyEnd, depth);
      if (to == 0) return 0;
      to = keepPair(firstKey, key, keyEnd, to);
      if (to == 0) return 0;
      from = skipSpace(position);
      const byte = load<u8>(from);
      from++;
      if (byte == 125) break;
      if (byte != 44) return 0;
      from = skipSpace(from);
    }
  }
  const pairs = (keysTop - firstKey) / KEY_BYTES;
  keysTop = firstKey;
  position = from;
  return countHeader(header, to, pairs + extraPairs, 0x80, 0xde);
}

/** Notes the pair just written; takes an earlier pair with the same key out of the output. */
@inline
function keepPair(firstKey: usize, key: usize, keyEnd: usize, pairEnd: usize): usize {
  const sign = signature(key, keyEnd);
  for (let known = firstKey; known < keysTop; known += KEY_BYTES) {
    if (load<u64>(known) == sign) {
      const next = known + KEY_BYTES < keysTop ? (load<u32>(known + KEY_BYTES + 8) as usize) : key;
      if (equal(load<u32>(known + 8) as usize, next, key, keyEnd)) return replacePair(known, next, key, pairEnd, sign);
    }
  }
  if (keysTop - firstKey >= KEYS_PER_OBJECT * KEY_BYTES) {
    isHostLine = true;
    return 0;
  }
  store<u64>(keysTop, sign);
  store<u32>(keysTop + 8, key);
  keysTop += KEY_BYTES;
  return pairEnd;
}

/** Equal keys have equal signatures. What lies behind the key is not part of it. */
@inline
function signature(key: usize, keyEnd: usize): u64 {
  const length = keyEnd - key;
  const first = load<u64>(key);
  if (length < 8) return first & (((1 as u64) << ((length as u64) << 3)) - 1);
  return first ^ rotl<u64>(load<u64>(keyEnd - 8), 29);
}

/** Whether the earlier pair `[pair, next)` begins with the key `[key, keyEnd)`. */
function equal(pair: usize, next: usize, key: usize, keyEnd: usize): bool {
  const length = keyEnd - key;
  if (next - pair <= length) return false;
  for (let done: usize = 0; done < length; done++) if (load<u8>(pair + done) != load<u8>(key + done)) return false;
  return true;
}

function replacePair(known: usize, next: usize, key: usize, pairEnd: usize, sign: u64): usize {
  const pair = load<u32>(known + 8) as usize;
  const less = next - pair;
  memory.copy(pair, next, pairEnd - next);
  for (let later = known; later + KEY_BYTES < keysTop; later += KEY_BYTES) {
    store<u64>(later, load<u64>(later + KEY_BYTES));
    store<u32>(later + 8, load<u32>(later + KEY_BYTES + 8) - (less as u32));
  }
  store<u64>(keysTop - KEY_BYTES, sign);
  store<u32>(keysTop - KEY_BYTES + 8, key - less);
  return pairEnd - less;
}

function array(start: usize, header: usize, depth: i32): usize {
  if (depth > DEPTH_MAX) return 0;
  let to = header + 1;
  let count: usize = 0;
  let from = skipSpace(start + 1);
  if (load<u8>(from) == 93) {
    from++;
  } else {
    for (;;) {
      to = value(from, to, depth);
      if (to == 0) return 0;
      count++;
      from = skipSpace(position);
      const byte = load<u8>(from);
      from++;
      if (byte == 93) break;
      if (byte != 44) return 0;
      from = skipSpace(from);
    }
  }
  position = from;
  return countHeader(header, to, count, 0x90, 0xdc);
}

/** Writes the count into the one byte kept for it, moving the content up where the count needs more. */
@inline
function countHeader(header: usize, to: usize, count: usize, fixed: u32, wide: u32): usize {
  if (count < 16) {
    store<u8>(header, fixed | (count as u32));
    return to;
  }
  return wideHeader(header, to, count, wide);
}

function wideHeader(header: usize, to: usize, count: usize, wide: u32): usize {
  const width: usize = count < 65536 ? 2 : 4;
  memory.copy(header + 1 + width, header + 1, to - header - 1);
  if (width == 2) {
    store<u8>(header, wide);
    store<u16>(header + 1, bswap<u16>(count as u16));
  } else {
    store<u8>(header, wide + 1);
    store<u32>(header + 1, bswap<u32>(count as u32));
  }
  return to + width;
}

/** One bit for each byte that ends the plain part of a string: quote, backslash, control characters. */
@inline
function specials(block: v128): i32 {
  return i8x16.bitmask(v128.or(v128.or(i8x16.eq(block, i8x16.splat(34)), i8x16.eq(block, i8x16.splat(92))), i8x16.lt_u(block, i8x16.splat(32))));
}

function text(start: usize, to: usize): usize {
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
  position = first + length + 1;
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
  position = stop + 1;
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
  position = from + 1;
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

@inline
function stringHeaderBytes(length: usize): usize {
  return length < 32 ? 1 : length < 256 ? 2 : length < 65536 ? 3 : 5;
}

@inline
function stringHeader(to: usize, length: usize): usize {
  if (length < 32) {
    store<u8>(to, 0xa0 | length);
    return to + 1;
  }
  if (length < 256) {
    store<u8>(to, 0xd9);
    store<u8>(to + 1, length);
    return to + 2;
  }
  if (length < 65536) {
    store<u8>(to, 0xda);
    store<u16>(to + 1, bswap<u16>(length as u16));
    return to + 3;
  }
  store<u8>(to, 0xdb);
  store<u32>(to + 1, bswap<u32>(length as u32));
  return to + 5;
}

/** Also for a target that lies below the source and overlaps it. For long copies the memory's own is faster. */
@inline
function copyBlocks(to: usize, start: usize, length: usize): void {
  if (length > 512) memory.copy(to, start, length);
  else for (let done: usize = 0; done < length; done += 16) v128.store(to + done, v128.load(start + done));
}

// Numbers

const POWERS_OF_TEN = memory.data<f64>([1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22]);
const SAFE_INTEGER_MAX: u64 = 9007199254740991;

function number(start: usize, to: usize): usize {
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
  position = from;
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
  position = from;
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

function float(to: usize, double: f64): usize {
  store<u8>(to, 0xcb);
  store<u64>(to + 1, bswap<u64>(reinterpret<u64>(double)));
  return to + 9;
}

function unsigned(to: usize, magnitude: u64): usize {
  if (magnitude < 128) {
    store<u8>(to, magnitude);
    return to + 1;
  }
  if (magnitude < 256) {
    store<u8>(to, 0xcc);
    store<u8>(to + 1, magnitude);
    return to + 2;
  }
  if (magnitude < 65536) {
    store<u8>(to, 0xcd);
    store<u16>(to + 1, bswap<u16>(magnitude as u16));
    return to + 3;
  }
  if (magnitude < 4294967296) {
    store<u8>(to, 0xce);
    store<u32>(to + 1, bswap<u32>(magnitude as u32));
    return to + 5;
  }
  store<u8>(to, 0xcf);
  store<u64>(to + 1, bswap<u64>(magnitude));
  return to + 9;
}

/** The number -magnitude, for 1 to 2^63. */
function negated(to: usize, magnitude: u64): usize {
  const low = (0 - magnitude) as u64;
  if (magnitude <= 32) {
    store<u8>(to, low);
    return to + 1;
  }
  if (magnitude <= 128) {
    store<u8>(to, 0xd0);
    store<u8>(to + 1, low);
    return to + 2;
  }
  if (magnitude <= 32768) {
    store<u8>(to, 0xd1);
    store<u16>(to + 1, bswap<u16>(low as u16));
    return to + 3;
  }
  if (magnitude <= 2147483648) {
    store<u8>(to, 0xd2);
    store<u32>(to + 1, bswap<u32>(low as u32));
    return to + 5;
  }
  store<u8>(to, 0xd3);
  store<u64>(to + 1, bswap<u64>(low));
  return to + 9;
}
