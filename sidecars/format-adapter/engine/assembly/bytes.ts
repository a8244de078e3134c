/**
 * What is done with bytes whatever they mean. Blocks of 16 are read up to 15 bytes behind the end of what they are about, and written
 * likewise; there is slack behind every area.
 */

/** Copies in blocks; up to 15 bytes behind the target are overwritten. */
@inline export function copy(target: usize, source: usize, length: usize): void {
  let to = target;
  let from = source;
  const stop = source + length;
  while (from < stop) {
    v128.store(to, v128.load(from));
    from += 16;
    to += 16;
  }
}

/** Whether two ranges hold the same bytes. */
@inline export function sameBytes(left: usize, right: usize, length: usize): bool {
  let done: usize = 0;
  for (; done + 16 <= length; done += 16) if (i8x16.bitmask(i8x16.eq(v128.load(left + done), v128.load(right + done))) != 0xffff) return false;
  const rest = <u32>(length - done);
  if (rest == 0) return true;
  const mask = (1 << rest) - 1;
  return (i8x16.bitmask(i8x16.eq(v128.load(left + done), v128.load(right + done))) & mask) == mask;
}

/** FNV-1a, for tables; `seed` keeps what has the same bytes apart. */
export function hashOf(seed: u32, start: usize, length: usize): u32 {
  let hash: u32 = 2166136261 ^ seed;
  const stop = start + length;
  for (let at = start; at < stop; at++) hash = (hash ^ load<u8>(at)) * 16777619;
  return hash ^ (hash >> 15);
}

@inline export function isDigit(byte: u32): bool {
  return byte - 48 < 10;
}

/** Where the digits at `at` end, `limit` or a little behind it at the latest. */
@inline export function digitsEnd(at: usize, limit: usize): usize {
  let digits: usize;
  do {
    digits = ctz(~i8x16.bitmask(i8x16.lt_u(i8x16.sub(v128.load(at), i8x16.splat(48)), i8x16.splat(10)))); // 16 when all are: the mask has so many bits
    at += digits;
  } while (digits == 16 && at < limit);
  return at;
}

/** The hexadecimal digit of 0 to 15. */
@inline export function hexadecimal(value: u32): u32 {
  return value < 10 ? 48 + value : 87 + value;
}

/** What a decimal or hexadecimal digit counts; 16 when it is none. */
@inline export function digitValue(byte: u32): u32 {
  if (isDigit(byte)) return byte - 48;
  const letter = (byte | 32) - 97;
  return letter < 6 ? letter + 10 : 16;
}
