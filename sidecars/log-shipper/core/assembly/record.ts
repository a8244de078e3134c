import { copyBlocks, mapHeader, mapHeaderBytes, stringHeader, stringHeaderBytes } from "./msgpack";
import { contentStart, firstPair, isMap, isText, pairCount, sameBytes, skipValue } from "./values";

// One record while it is shaped, as shape/record.ts: where the pairs that some setting speaks of are, and what of them has changed.

// The shaping area, from its beginning, which the host places (core/core.ts).
/** What the settings come to, written by the host (shape/core-program.ts). */
export const PROGRAM_BYTES: usize = 32768;
/** By number of a name: its pair, or -1. 256 of 4 bytes. */
const PAIR_OF: usize = PROGRAM_BYTES;
/** By number of a filter: records that it dropped. 256 of 4 bytes. */
export const COUNTS: usize = PAIR_OF + 1024;
const PAIRS: usize = COUNTS + 1024;
const PAIRS_MAX: u32 = 1024;
/** New values, one after another. */
const SCRATCH: usize = PAIRS + 1024 * 40;
const SCRATCH_BYTES: usize = 65536;
/** What the host gets starts here. */
export const SHAPED: usize = SCRATCH + SCRATCH_BYTES + 64;

// Words at the beginning of the program.
const KEY_COUNT: usize = 4;
const KEY_LENGTHS: usize = 8;
const WANTS_ALL: usize = 12;
/** By length of a name, 63 for all longer ones: the first name, as the address of its length, its bytes' address, its number and the next name. */
const KEY_HEADS: usize = 16;

// Of each pair, words.
const STATE: usize = 0;
const ID: usize = 4;
const KEY_FROM: usize = 8;
const KEY_TO: usize = 12;
const END: usize = 16;
const VALUE_FROM: usize = 20;
const VALUE_TO: usize = 24;
const NEW_KEY: usize = 28;
const NEW_KEY_BYTES: usize = 32;
const PAIR_BYTES: usize = 40;

// What has become of a pair. Bits, because a field may be renamed and redacted.
const NEW_VALUE: u32 = 1;
const RENAMED: u32 = 2;
const REMOVED: u32 = 4;

/** What `find` returns. */
export const NOT_FOUND: u32 = 0;
export const FOUND: u32 = 1;
/** Inside a map: it can be looked at, but to change it is the host's. */
export const NESTED: u32 = 2;

export let base: usize = 0;
let wantsAll: bool = false;
let lengths: u32 = 0;
let keyCount: u32 = 0;

let from: usize = 0;
let mapAt: usize = 0;
let to: usize = 0;
let addedFrom: usize = 0;
/** Pairs noted, in the order of the entry, new ones behind them. */
export let pairs: u32 = 0;
let left: u32 = 0;
let came: u32 = 0;
let dirty: bool = false;
let scratch: usize = 0;
/** The record has more than this module takes. */
let tooMuch: bool = false;

/** Where the value is that the last `find` found. */
export let pair: usize = 0;
export let valueFrom: usize = 0;
export let valueTo: usize = 0;

// What is given out. What follows each other and is as it came is copied together, also across records.
export let shaped: usize = 0;
export let isFull: bool = false;
let shapedEnd: usize = 0;
let runFrom: usize = 0;
let runTo: usize = 0;

/** With the program that stands at the beginning of the area. */
export function openRecords(area: usize, outputEnd: usize): void {
  base = area;
  keyCount = load<u32>(base + KEY_COUNT);
  lengths = load<u32>(base + KEY_LENGTHS);
  wantsAll = load<u32>(base + WANTS_ALL) != 0;
  shaped = base + SHAPED;
  shapedEnd = outputEnd;
  isFull = false;
  runFrom = 0;
  runTo = 0;
}

/** Takes the entry at `entry`; returns where it ends, or 0 if the host has to. */
export function loadEntry(entry: usize, addedPairs: u32, addedBytes: usize, passOver: bool): usize {
  from = entry;
  pairs = 0;
  dirty = false;
  tooMuch = false;
  scratch = base + SCRATCH;
  for (let id: usize = 0; id < (keyCount as usize); id += 4) v128.store(base + PAIR_OF + (id << 2), i32x4.splat(-1));
  mapAt = load<u8>(entry + 1) == 0xd7 ? entry + 11 : skipValue(entry + 1);
  const count = pairCount(mapAt);
  left = count;
  came = count;
  to = passOver ? walk(firstPair(mapAt), count - addedPairs) + addedBytes : walk(firstPair(mapAt), count);
  addedFrom = to - addedBytes;
  return tooMuch ? 0 : to;
}

function walk(first: usize, count: u32): usize {
  let at = first;
  for (let rest = count; rest > 0; rest--) {
    const keyFrom = at;
    const keyType: u32 = load<u8>(keyFrom);
    const short = keyType >= 0xa0 && keyType < 0xc0;
    const keyTo = short ? keyFrom + 1 + (keyType & 31) : skipValue(keyFrom);
    at = skipValue(keyTo);
    if (short && !wantsAll && ((lengths >>> (keyType & 31)) & 1) == 0) continue;
    const id = short ? findKey(keyFrom + 1, keyTo) : isText(keyType) ? findKey(contentStart(keyFrom), keyTo) : -1;
    if (id >= 0 || wantsAll) note(id, keyFrom, keyTo, at);
  }
  return at;
}

/** The number of the name, -1 for a name nobody asked for. */
@inline
function findKey(start: usize, stop: usize): i32 {
  const length = stop - start;
  let key = load<u32>(base + KEY_HEADS + (min<usize>(length, 63) << 2)) as usize;
  for (; key != 0; key = load<u32>(key + 12) as usize) {
    if (load<u32>(key) == (length as u32) && sameBytes(load<u32>(key + 4) as usize, start, length)) return load<i32>(key + 8);
  }
  return -1;
}

function note(id: i32, keyFrom: usize, keyTo: usize, end: usize): void {
  if (pairs >= PAIRS_MAX) {
    tooMuch = true;
    return;
  }
  const index = pairs++;
  const noted = pairAt(index);
  store<u32>(noted + STATE, 0);
  store<i32>(noted + ID, id);
  store<u32>(noted + KEY_FROM, keyFrom);
  store<u32>(noted + KEY_TO, keyTo);
  store<u32>(noted + END, end);
  store<u32>(noted + VALUE_FROM, keyTo);
  store<u32>(noted + VALUE_TO, end);
  if (id >= 0) own(id, index);
}

@inline
function pairAt(index: u32): usize {
  return base + PAIRS + (index as usize) * PAIR_BYTES;
}

/** The pair is the one of that name now; an earlier one goes. */
function own(id: i32, index: u32): void {
  const place = base + PAIR_OF + ((id as usize) << 2);
  const earlier = load<i32>(place);
  store<u32>(place, index);
  if (earlier >= 0 && earlier != (index as i32)) removePair(pairAt(earlier as u32), earlier as u32);
}

function removePair(removed: usize, index: u32): void {
  const id = load<i32>(removed + ID);
  if (id >= 0) {
    const place = base + PAIR_OF + ((id as usize) << 2);
    if (load<u32>(place) == index) store<i32>(place, -1);
  }
  left--;
  change(removed, REMOVED);
}

@inline
function change(changed: usize, state: u32): void {
  store<u32>(changed + STATE, load<u32>(changed + STATE) | state);
  dirty = true;
}

/** Looks for the field of a path (shape/core-program.ts). */
export function find(path: usize): u32 {
  if (findTop(load<i32>(path))) return FOUND;
  const first = load<i32>(path + 4);
  if (first < 0 || !findTop(first)) return NOT_FOUND;
  return descend(path) ? NESTED : NOT_FOUND;
}

@inline
function findTop(id: i32): bool {
  const index = load<i32>(base + PAIR_OF + ((id as usize) << 2));
  return index >= 0 && select(index as u32);
}

/** Finds the pair by its place; false for a removed one. */
export function select(index: u32): bool {
  const selected = pairAt(index);
  if ((load<u32>(selected + STATE) & REMOVED) != 0) return false;
  pair = selected;
  valueFrom = load<u32>(selected + VALUE_FROM) as usize;
  valueTo = load<u32>(selected + VALUE_TO) as usize;
  return true;
}

/** Whether the shipper has put the selected pair there, before shaping or by a filter. */
@inline
export function isAdded(): bool {
  return (load<u32>(pair + KEY_FROM) as usize) >= addedFrom;
}

function descend(path: usize): bool {
  const steps = load<u32>(path + 8);
  for (let step: u32 = 0; step < steps; step++) {
    const name = load<u32>(path + 12 + ((step as usize) << 3)) as usize;
    const length = load<u32>(path + 16 + ((step as usize) << 3)) as usize;
    if (!isMap(load<u8>(valueFrom))) return false;
    let at = firstPair(valueFrom);
    let found = false;
    for (let rest = pairCount(valueFrom); rest > 0; rest--) {
      const keyFrom = at;
      const value = skipValue(keyFrom);
      at = skipValue(value);
      if (!isText(load<u8>(keyFrom))) continue;
      const content = contentStart(keyFrom);
      if (value - content != length || !sameBytes(name, content, length)) continue;
      found = true;
      valueFrom = value;
      valueTo = at;
    }
    if (!found) return false;
  }
  return true;
}

/** Room for a text of that many bytes and its header; 0 if there is none. */
export function roomForText(length: usize): usize {
  const content = scratch + 5;
  return content + length + 32 <= base + SCRATCH + SCRATCH_BYTES ? content : 0;
}

/** The text `[start, stop)`, which stands where `roomForText` said, is kept: what comes next is put behind it. */
@inline
export function keepText(stop: usize): void {
  scratch = stop;
}

/** A kept text becomes the value found, which must not be nested. */
export function replaceByText(start: usize, stop: usize): void {
  const header = start - stringHeaderBytes(stop - start);
  stringHeader(header, stop - start);
  setValue(pair, header, stop);
}

function setValue(which: usize, start: usize, stop: usize): void {
  store<u32>(which + VALUE_FROM, start);
  store<u32>(which + VALUE_TO, stop);
  change(which, NEW_VALUE);
}

/** Takes the field found out; it must not be nested. */
export function removeFound(): void {
  removePair(pair, indexOf(pair));
}

@inline
function indexOf(which: usize): u32 {
  return ((which - base - PAIRS) / PAIR_BYTES) as u32;
}

/** Gives the field found, which must not be nested, another name. A field of that name goes. */
export function renameFound(id: i32, key: usize, keyBytes: u32): void {
  const former = load<i32>(pair + ID);
  if (former == id) return;
  if (former >= 0) store<i32>(base + PAIR_OF + ((former as usize) << 2), -1);
  store<i32>(pair + ID, id);
  setKey(pair, key, keyBytes);
  own(id, indexOf(pair));
}

function setKey(which: usize, key: usize, keyBytes: u32): void {
  store<u32>(which + NEW_KEY, key);
  store<u32>(which + NEW_KEY_BYTES, keyBytes);
  change(which, RENAMED);
}

/** Sets a field to an encoded value: in its place if it exists, at the end if not. False if the host has to. `constant`: addresses and sizes of key and value. */
export function put(id: i32, constant: usize, replace: bool): bool {
  const value = load<u32>(constant + 8) as usize;
  const valueEnd = value + (load<u32>(constant + 12) as usize);
  if (findTop(id)) {
    if (replace) setValue(pair, value, valueEnd);
    return true;
  }
  const index = pairs;
  note(id, to, to, to);
  if (tooMuch) return false;
  left++;
  const added = pairAt(index);
  setKey(added, load<u32>(constant) as usize, load<u32>(constant + 4));
  setValue(added, value, valueEnd);
  return true;
}

/** Gives out the entry as it stands now. */
export function write(): void {
  if (!dirty) return pass(from, to);
  const first = firstPair(mapAt);
  // A changed record has the shortest header.
  const isCounted = left != came || first - mapAt != mapHeaderBytes(left);
  pass(from, isCounted ? mapAt : first);
  if (isCounted) give(scratch, mapHeader(scratch, left) - scratch);
  let passed = first;
  for (let index: u32 = 0; index < pairs; index++) {
    const each = pairAt(index);
    const what = load<u32>(each + STATE);
    if (what == 0) continue;
    const keyFrom = load<u32>(each + KEY_FROM) as usize, keyTo = load<u32>(each + KEY_TO) as usize;
    pass(passed, keyFrom);
    passed = load<u32>(each + END) as usize;
    if ((what & REMOVED) != 0) continue;
    if ((what & RENAMED) != 0) give(load<u32>(each + NEW_KEY) as usize, load<u32>(each + NEW_KEY_BYTES) as usize);
    else pass(keyFrom, keyTo);
    if ((what & NEW_VALUE) != 0) {
      const value = load<u32>(each + VALUE_FROM) as usize;
      give(value, (load<u32>(each + VALUE_TO) as usize) - value);
    } else passed = keyTo;
  }
  pass(passed, to);
}

/** Bytes of the batch. */
@inline
function pass(start: usize, stop: usize): void {
  if (start != runTo) {
    flush();
    runFrom = start;
  }
  runTo = stop;
}

/** Bytes from elsewhere, which may change afterwards. */
function give(start: usize, length: usize): void {
  flush();
  copyOut(start, length);
}

export function flush(): void {
  if (runTo > runFrom) copyOut(runFrom, runTo - runFrom);
  runFrom = 0;
  runTo = 0;
}

function copyOut(start: usize, length: usize): void {
  if (shapedEnd - shaped < length) {
    isFull = true;
    return;
  }
  copyBlocks(shaped, start, length);
  shaped += length;
}
