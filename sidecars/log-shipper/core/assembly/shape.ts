import { base, COUNTS, find, flush, isAdded, isFull, keepText, loadEntry, NESTED, NOT_FOUND, openRecords, pairs, put, removeFound, renameFound, replaceByText, roomForText, select, valueFrom, valueTo, write } from "./record";
import { copyBlocks } from "./msgpack";
import { firstMatch, HOST, MATCH, matchFrom, matchTo, mayMatch, nextMatch, REPLACEMENT, REPLACEMENT_BYTES, scalarMayMatch } from "./search";
import { contentStart, firstPair, isList, isMap, isNumber, isText, numberOf, sameBytes, skipValue } from "./values";

// Filters over the entries of a batch. What they do is defined by the TypeScript reference, shape/filters.ts with shape/condition.ts and
// shape/redact.ts. The settings come as instructions of 32 bytes (shape/core-program.ts): what to do, the field, the
// instruction that follows, the one that follows if a test does not hold, and four words more.

const END: u32 = 0;
const DROP: u32 = 1;
const EXISTS: u32 = 2;
const EQUALS: u32 = 3;
const COMPARE: u32 = 4;
/** 5 is a test by a pattern. */
const SAMPLE: u32 = 6;
const REDACT: u32 = 7;
const RENAME: u32 = 8;
const REMOVE: u32 = 9;
const ADD: u32 = 10;

const PATH: usize = 4;
const NEXT: usize = 8;
const OTHERWISE: usize = 12;
const FIRST_WORD: usize = 16;
const SECOND_WORD: usize = 20;
const THIRD_WORD: usize = 24;
const FOURTH_WORD: usize = 28;

/** What a test or an action comes to: the next instruction, the other one, or the record is the host's. */
const NO: u32 = 0;
const YES: u32 = 1;
const HOST_RECORD: u32 = 2;

/** What `shape` returns: all records are shaped. */
const DONE: i32 = 0;
/** The entry at `entry` is the host's to shape; it puts what becomes of it at `shaped` and calls `pass`. */
const HOST_ENTRY: i32 = 1;
/** The output does not fit. */
const FULL: i32 = 2;

/** Deeper values are the host's. */
const DEPTH_MAX: u32 = 64;

export let entry: usize = 0;
export let kept: u32 = 0;
/** Bytes of records that go nowhere. */
export let droppedBytes: u32 = 0;

/** Of the entry: where its record begins in the range, and how many bytes of the range are its own. */
export let span: usize = 0;

let entriesEnd: usize = 0;
let keptSpans: usize = 0;
let addedPairs: u32 = 0;
let addedBytes: usize = 0;
let passesOver: bool = false;
let contentHash: u32 = 0;
let rangeFrom: u64 = 0;

/** For the batch in `[entries, end)`, and the program at the beginning of the area. */
export function openShape(area: usize, shapedEnd: usize, entries: usize, end: usize, spansArea: usize, keptSpansArea: usize): void {
  openRecords(area, shapedEnd);
  memory.fill(area + COUNTS, 0, 1024);
  entry = entries;
  entriesEnd = end;
  span = spansArea;
  keptSpans = keptSpansArea;
  kept = 0;
  droppedBytes = 0;
}

/** What the records end with, whether no setting speaks of that, and what their ids are made of. */
export function describeShape(pairsAdded: u32, bytesAdded: usize, passOver: bool, hash: u32, position: f64): void {
  addedPairs = pairsAdded;
  addedBytes = bytesAdded;
  passesOver = passOver;
  contentHash = hash;
  rangeFrom = position as u64;
}

export function shape(): i32 {
  while (entry < entriesEnd) {
    const end = loadEntry(entry, addedPairs, addedBytes, passesOver);
    const outcome = end == 0 ? HOST_RECORD : apply();
    if (outcome == HOST_RECORD) {
      flush();
      return isFull ? FULL : HOST_ENTRY;
    }
    if (outcome == YES) write();
    if (isFull) return FULL;
    settle(end, outcome == YES);
  }
  flush();
  return isFull ? FULL : DONE;
}

/** The host has shaped the entry. */
export function pass(keeps: bool): void {
  settle(skipValue(entry), keeps);
}

@inline
function settle(end: usize, keeps: bool): void {
  if (keeps) {
    store<u64>(keptSpans, load<u64>(span));
    keptSpans += 8;
    kept++;
  } else droppedBytes += load<u32>(span + 4);
  span += 8;
  entry = end;
}

/** NO when a filter drops the record. */
function apply(): u32 {
  let at = load<u32>(base) as usize;
  while (load<u32>(at) > DROP) {
    const outcome = step(at);
    if (outcome == HOST_RECORD) return HOST_RECORD;
    at = load<u32>(at + (outcome == YES ? NEXT : OTHERWISE)) as usize;
  }
  if (load<u32>(at) == END) return YES;
  const count = base + COUNTS + ((load<u32>(at + FIRST_WORD) as usize) << 2);
  store<u32>(count, load<u32>(count) + 1);
  return NO;
}

@inline
function step(at: usize): u32 {
  const what = load<u32>(at), path = load<u32>(at + PATH) as usize;
  if (what == SAMPLE) return sample(at);
  if (what == REDACT) return redact(at);
  if (what == ADD) return put(load<i32>(at + FIRST_WORD), load<u32>(at + SECOND_WORD) as usize, load<u32>(at + THIRD_WORD) != 0) ? YES : HOST_RECORD;
  const found = find(path);
  if (what == RENAME || what == REMOVE) return found == NOT_FOUND ? YES : found == NESTED ? HOST_RECORD : changeFound(at, what);
  if (found == NOT_FOUND) return NO;
  switch (what) {
    case EXISTS: return YES;
    case EQUALS: return equals(at) ? YES : NO;
    case COMPARE: return compare(at);
    default: return matches(load<u32>(at + FIRST_WORD) as usize);
  }
}

@inline
function changeFound(at: usize, what: u32): u32 {
  if (what == REMOVE) removeFound();
  else renameFound(load<i32>(at + FIRST_WORD), load<u32>(at + SECOND_WORD) as usize, load<u32>(at + THIRD_WORD));
  return YES;
}

// Tests of the value found

/** One of texts, of numbers, or of the words true, false and null. */
function equals(at: usize): bool {
  const type: u32 = load<u8>(valueFrom);
  if (isText(type)) {
    const from = contentStart(valueFrom), length = valueTo - from;
    let text = load<u32>(at + FIRST_WORD) as usize;
    const folds = load<u32>(at + FOURTH_WORD) != 0;
    for (let rest = load<u32>(text); rest > 0; rest--) {
      text += 4;
      const wanted = load<u32>(text + 4) as usize;
      if ((load<u32>(text) as usize) == length && (folds ? sameFolded(wanted, from, length) : sameBytes(wanted, from, length))) return true;
      text += 4;
    }
    return false;
  }
  if (isNumber(type)) {
    const value = numberOf(valueFrom);
    let number = load<u32>(at + SECOND_WORD) as usize;
    for (let rest = load<u32>(number); rest > 0; rest--) {
      number += 8;
      if (load<f64>(number) == value) return true;
    }
    return false;
  }
  const word: u32 = type == 0xc3 ? 1 : type == 0xc2 ? 2 : type == 0xc0 ? 4 : 0;
  return (load<u32>(at + THIRD_WORD) & word) != 0;
}

/** `lower` is in lower case; case is that of ASCII letters alone. */
function sameFolded(lower: usize, from: usize, length: usize): bool {
  for (let done: usize = 0; done < length; done++) {
    const byte: u32 = load<u8>(from + done);
    if ((load<u8>(lower + done) as u32) != (byte - 65 < 26 ? byte + 32 : byte)) return false;
  }
  return true;
}

/** Text that may read as a number is the host's. */
function compare(at: usize): u32 {
  const type: u32 = load<u8>(valueFrom);
  if (!isNumber(type)) return isText(type) && valueTo - valueFrom <= 64 ? HOST_RECORD : NO;
  const value = numberOf(valueFrom), bound = load<f64>(at + THIRD_WORD);
  switch (load<u32>(at + FIRST_WORD)) {
    case 0: return value > bound ? YES : NO;
    case 1: return value >= bound ? YES : NO;
    case 2: return value < bound ? YES : NO;
    default: return value <= bound ? YES : NO;
  }
}

function matches(pattern: usize): u32 {
  const type: u32 = load<u8>(valueFrom);
  if (!isText(type)) return scalarMayMatch(pattern, valueFrom) ? HOST_RECORD : NO;
  const from = contentStart(valueFrom);
  if (!mayMatch(pattern, from, valueTo)) return NO;
  const outcome = firstMatch(pattern, from, valueTo);
  return outcome == HOST ? HOST_RECORD : outcome == MATCH ? YES : NO;
}

/** As shape/sampling.ts. */
function sample(at: usize): u32 {
  const path = load<u32>(at + PATH) as usize;
  let hash: u32;
  if (path != 0 && find(path) != NOT_FOUND) hash = hashBytes(isText(load<u8>(valueFrom)) ? contentStart(valueFrom) : valueFrom, valueTo);
  else {
    const position = rangeFrom + (load<u32>(span) as u64);
    hash = mixed(mixed(contentHash ^ ((position >> 32) as u32)) ^ (position as u32));
  }
  return (hash as f64) < load<f64>(at + THIRD_WORD) ? YES : NO;
}

function hashBytes(from: usize, to: usize): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let at = from; at < to; at++) hash = (hash ^ (load<u8>(at) as u32)) * 0x01000193;
  return mixed(hash);
}

function mixed(value: u32): u32 {
  let hash = value;
  hash = (hash ^ (hash >>> 16)) * 0x85ebca6b;
  hash = (hash ^ (hash >>> 13)) * 0xc2b2ae35;
  return hash ^ (hash >>> 16);
}

// Redaction

/** In one field, or in all but those that the shipper has put there. */
function redact(at: usize): u32 {
  const path = load<u32>(at + PATH) as usize, patterns = load<u32>(at + FIRST_WORD) as usize;
  if (path != 0) {
    const found = find(path);
    return found == NOT_FOUND ? YES : redactFound(patterns, found == NESTED);
  }
  for (let index: u32 = 0; index < pairs; index++) {
    if (!select(index) || isAdded()) continue;
    if (redactFound(patterns, false) == HOST_RECORD) return HOST_RECORD;
  }
  return YES;
}

function redactFound(patterns: usize, isNested: bool): u32 {
  const type: u32 = load<u8>(valueFrom);
  if (!isText(type)) return isScalarOrHolds(patterns, valueFrom, valueTo, 0) ? HOST_RECORD : YES;
  let from = contentStart(valueFrom), to = valueTo;
  let changed = false;
  for (let index: u32 = 0; index < load<u32>(patterns); index++) {
    const pattern = load<u32>(patterns + 4 + ((index as usize) << 2)) as usize;
    if (!mayMatch(pattern, from, to)) continue;
    const outcome = firstMatch(pattern, from, to);
    if (outcome == HOST) return HOST_RECORD;
    if (outcome != MATCH) continue;
    if (isNested) return HOST_RECORD;
    const stop = replaceAll(pattern, from, to);
    if (stop == 0) return HOST_RECORD;
    const content = roomForText(0);
    if (stop - content == to - from && sameBytes(content, from, to - from)) continue;
    keepText(stop);
    changed = true;
    from = content;
    to = stop;
  }
  if (changed) replaceByText(from, to);
  return YES;
}

/** Whether something in a value that is no text may match. */
function isScalarOrHolds(patterns: usize, from: usize, to: usize, depth: u32): bool {
  const type: u32 = load<u8>(from);
  if (isMap(type) || isList(type)) {
    if (depth > DEPTH_MAX) return true;
    for (let at = firstPair(from); at < to; ) {
      if (isMap(type)) at = skipValue(at);
      const end = skipValue(at);
      if (isScalarOrHolds(patterns, at, end, depth + 1)) return true;
      at = end;
    }
    return false;
  }
  for (let index: u32 = 0; index < load<u32>(patterns); index++) {
    const pattern = load<u32>(patterns + 4 + ((index as usize) << 2)) as usize;
    if (isText(type) ? mayMatch(pattern, contentStart(from), to) : scalarMayMatch(pattern, from)) return true;
  }
  return false;
}

/** Writes the text with every match replaced, the first of which is known, to where there is room; returns where it ends, 0 without room. */
function replaceAll(pattern: usize, from: usize, to: usize): usize {
  const replacement = load<u32>(pattern + REPLACEMENT) as usize, replacementBytes = load<u32>(pattern + REPLACEMENT_BYTES) as usize;
  let out = roomForText(to - from), passed = from;
  if (out == 0) return 0;
  const begin = out;
  do {
    // What is left of the text fits if it fits behind all of this.
    if (roomForText(out - begin + replacementBytes + to - passed) == 0) return 0;
    copyBlocks(out, passed, matchFrom - passed);
    out += matchFrom - passed;
    copyBlocks(out, replacement, replacementBytes);
    out += replacementBytes;
    passed = matchTo;
  } while (nextMatch(pattern, from, to, passed));
  copyBlocks(out, passed, to - passed);
  return out + to - passed;
}
