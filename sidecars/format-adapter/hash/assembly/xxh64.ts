/**
 * XXH64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md) with seed 0, in the language AssemblyScript, compiled by
 * setup/compile-assembly.ts. Several hashes may be under way; the state of each lies in memory, at a place that the host gives:
 *   0   four accumulators of 8 bytes
 *   32  how many bytes were taken, 8 bytes
 *   40  the last 0 to 31 bytes, which fill no stripe yet
 */
const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;
const STRIPE: usize = 32;
const TAKEN: usize = 32;
const REST: usize = 40;

export function begin(state: usize): void {
  store<u64>(state, PRIME_1 + PRIME_2);
  store<u64>(state, PRIME_2, 8);
  store<u64>(state, 0, 16);
  store<u64>(state, 0 - PRIME_1, 24);
  store<u64>(state, 0, TAKEN);
}

// @ts-ignore: decorator
@inline
function round(accumulator: u64, lane: u64): u64 {
  return rotl<u64>(accumulator + lane * PRIME_2, 31) * PRIME_1;
}

/** Takes whole stripes; tells where it ended. */
function stripes(state: usize, from: usize, end: usize): usize {
  let a = load<u64>(state);
  let b = load<u64>(state, 8);
  let c = load<u64>(state, 16);
  let d = load<u64>(state, 24);
  while (from + STRIPE <= end) {
    a = round(a, load<u64>(from));
    b = round(b, load<u64>(from, 8));
    c = round(c, load<u64>(from, 16));
    d = round(d, load<u64>(from, 24));
    from += STRIPE;
  }
  store<u64>(state, a);
  store<u64>(state, b, 8);
  store<u64>(state, c, 16);
  store<u64>(state, d, 24);
  return from;
}

export function take(state: usize, from: usize, length: usize): void {
  const end = from + length;
  const taken = load<u64>(state, TAKEN);
  const rest = <usize>(taken & 31);
  store<u64>(state, taken + <u64>length, TAKEN);
  if (rest > 0) {
    const missing = min<usize>(STRIPE - rest, length);
    memory.copy(state + REST + rest, from, missing);
    from += missing;
    if (rest + missing < STRIPE) return;
    stripes(state, state + REST, state + REST + STRIPE);
  }
  from = stripes(state, from, end);
  memory.copy(state + REST, from, end - from);
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, accumulator: u64): u64 {
  return (hash ^ round(0, accumulator)) * PRIME_1 + PRIME_4;
}

/** The hash of what was taken; more may be taken afterwards. */
export function digest(state: usize): u64 {
  const taken = load<u64>(state, TAKEN);
  let hash: u64;
  if (taken >= 32) {
    const a = load<u64>(state);
    const b = load<u64>(state, 8);
    const c = load<u64>(state, 16);
    const d = load<u64>(state, 24);
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    hash = merge(merge(merge(merge(hash, a), b), c), d);
  } else {
    hash = PRIME_5;
  }
  hash += taken;
  let at = state + REST;
  const end = at + <usize>(taken & 31);
  for (; at + 8 <= end; at += 8) hash = rotl<u64>(hash ^ round(0, load<u64>(at)), 27) * PRIME_1 + PRIME_4;
  if (at + 4 <= end) {
    hash = rotl<u64>(hash ^ (<u64>load<u32>(at) * PRIME_1), 23) * PRIME_2 + PRIME_3;
    at += 4;
  }
  for (; at < end; at++) hash = rotl<u64>(hash ^ (<u64>load<u8>(at) * PRIME_5), 11) * PRIME_1;
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}
