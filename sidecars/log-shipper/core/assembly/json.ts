import { position, setPosition } from "./cursor";
import { countHeader } from "./msgpack";
import { number } from "./numbers";
import { text } from "./text";
import { sameBytes } from "./values";

/** 16 bytes per key: a signature, then its position in the output. */
const KEYS: usize = 65536;
const KEY_BYTES: usize = 16;
/** What the pages hold at depth 64: an object with more keys than this is left to the host. */
const KEYS_PER_OBJECT: usize = 64;
const DEPTH_MAX: i32 = 64;

let keysTop: usize = KEYS;
/** Why the parser gave up: the line may well be right, but is the host's. */
export let isHostLine: bool = false;

export function beginLine(): void {
  keysTop = KEYS;
  isHostLine = false;
}

// JSON. Functions take where they read and write, return where they wrote to or 0 for "not JSON", and leave `position`.

@inline
export function skipSpace(start: usize): usize {
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
    setPosition(start + 4);
    return to + 1;
  }
  if (word == 0x6c6c756e) {
    store<u8>(to, 0xc0);
    setPosition(start + 4);
    return to + 1;
  }
  if (word == 0x736c6166 && load<u8>(start + 4) == 101) {
    store<u8>(to, 0xc2);
    setPosition(start + 5);
    return to + 1;
  }
  return 0;
}

export function object(start: usize, header: usize, depth: i32, extraPairs: usize): usize {
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
  setPosition(from);
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
@inline
function equal(pair: usize, next: usize, key: usize, keyEnd: usize): bool {
  return next - pair > keyEnd - key && sameBytes(pair, key, keyEnd - key);
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
  setPosition(from);
  return countHeader(header, to, count, 0x90, 0xdc);
}
