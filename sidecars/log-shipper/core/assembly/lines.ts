import { position } from "./cursor";
import { beginLine, isHostLine, object, skipSpace } from "./json";
import { stringHeader, stringHeaderBytes } from "./msgpack";

/** Begin of an entry whose record is `{log: line}` and extra pairs: array, time, map header, key. At most 32 bytes. */
const PLAIN_PREFIX: usize = 32768;
/** The same with a map header for one pair more, the flag. */
const FLAGGED_PREFIX: usize = 32800;
/** Key and value of the flags. At most 16 bytes each. */
const PARTIAL_FLAG: usize = 32832;
const CUT_FLAG: usize = 32848;
/** The extra pairs; they end before page 1. */
const EXTRA: usize = 32896;
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
  beginLine();
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
