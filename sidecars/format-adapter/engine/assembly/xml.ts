import { digitValue, hashOf, isDigit, sameBytes } from "./bytes";
import { byteToScratch, CELL_BYTES, codeToScratch, DONE, MISSING, NESTED, scratch, setCell, setNext, setRecords, setScratch, TEXT, toScratch, WRONG } from "./cells";

/**
 * XML records: the elements at one path. What is inside of them becomes cells by node: an attribute or an element is named by the
 * node of the element that it stands in and by its own name. Nodes are made as they are met; one has a column once a record had a
 * value there.
 *
 * Nodes, 24 bytes each: where the name is, its length, the parent's key, the column's cell or 0, the record that had it last.
 */
const NODE_BYTES: usize = 24;
const NODES_MAX: u32 = 16_384;
const TABLE_SIZE: u32 = 32_768;
const NAMES_BYTES: usize = 1_048_576;
const NAME_MAX: usize = 1_000;
const DEPTH_MAX: i32 = 128;
const ATTRIBUTES_MAX: usize = 256;
const REFERENCE_MAX: usize = 32;

/** There is no parent: the record itself. A parent's key is the node twice, and one more for its attributes. */
const RECORD: u32 = 0x3fff_ffff;
/** The record's own text. */
const RECORD_TEXT: u32 = 0;
const NONE: u32 = 0xffff_ffff;

/** Records had values at nodes without a column: give each of the pending nodes one, and scan again. */
const NEW_COLUMNS: i32 = 3;
/** There are more names than nodes or their bytes than there is room for. */
const FULL: i32 = 4;

const STACK: usize = <usize>NODES_MAX * NODE_BYTES;
const TABLE: usize = STACK + <usize>DEPTH_MAX * (8 + NAME_MAX);
const ORDER: usize = TABLE + <usize>TABLE_SIZE * 4;
const PENDING: usize = ORDER + <usize>NODES_MAX * 4;
const ATTRIBUTES: usize = PENDING + <usize>NODES_MAX * 4;
const NAMES: usize = ATTRIBUTES + ATTRIBUTES_MAX * 8;

let area: usize = 0;
let nodeCount: u32 = 0;
let nameEnd: usize = 0;
/** The path of the records: position and length of each step's name. */
let steps: usize = 0;
let stepCount: i32 = 0;

/** Elements that are open around the records, and how many of them are steps of the path. */
let depth: i32 = 0;
let matched: i32 = 0;
const PROLOG: u32 = 0;
const AFTER_DOCTYPE: u32 = 1;
const INSIDE: u32 = 2;
const AFTER_ROOT: u32 = 3;
export let xmlPlace: u32 = 0;
export let pendingCount: u32 = 0;

export function xmlAreaBytes(): usize {
  return NAMES + NAMES_BYTES + 64;
}

/** Begins a document; `memory` is zero. */
export function openXml(memory: usize, stepsArea: usize, count: i32): void {
  area = memory;
  steps = stepsArea;
  stepCount = count;
  nodeCount = 1; // RECORD_TEXT
  nameEnd = memory + NAMES;
  depth = 0;
  matched = 0;
  xmlPlace = PROLOG;
}

@inline function nodeAt(node: u32): usize {
  return area + <usize>node * NODE_BYTES;
}
export function nodeName(node: u32): usize {
  return load<u32>(nodeAt(node));
}
export function nodeNameLength(node: u32): usize {
  return load<u32>(nodeAt(node) + 4);
}
export function nodeParent(node: u32): u32 {
  return load<u32>(nodeAt(node) + 8);
}
export function pendingNode(index: u32): u32 {
  return load<u32>(area + PENDING + (<usize>index << 2));
}
/** `cell` is the place of the column's cell in a row. */
export function setNodeColumn(node: u32, cell: u32): void {
  store<u32>(nodeAt(node) + 12, cell);
}
/** Elements open around the records, from the root. */
export function openElements(): i32 {
  return depth;
}
export function openName(level: i32): usize {
  return load<u32>(area + STACK + <usize>level * 8);
}
export function openNameLength(level: i32): usize {
  return load<u32>(area + STACK + <usize>level * 8 + 4);
}

let p: usize = 0;
let end: usize = 0;
let short: bool = false;
let wrong: bool = false;
let full: bool = false;
/** The record is right XML, but a row cannot hold it. Told at its end: what is not XML comes first. */
let refused: bool = false;
let serial: u32 = 0;
let guess: usize = 0;
let row: usize = 0;
let nameStart: usize = 0;
let nameLength: usize = 0;
let textStart: usize = 0;
let textLength: usize = 0;

@inline function stopped(): bool {
  return short || wrong || full;
}
@inline function isWhite(byte: u32): bool {
  return byte == 32 || byte == 10 || byte == 13 || byte == 9;
}
@inline function isNameStart(byte: u32): bool {
  return (byte | 32) - 97 < 26 || byte >= 128 || byte == 95 || byte == 58;
}
@inline function isNameByte(byte: u32): bool {
  return (byte | 32) - 97 < 26 || byte >= 128 || byte - 48 < 11 || byte == 95 || byte == 45 || byte == 46;
}
@inline function white(): void {
  while (p < end && isWhite(load<u8>(p))) p++;
}
function isWhiteRange(from: usize, to: usize): bool {
  for (let at = from; at < to; at++) if (!isWhite(load<u8>(at))) return false;
  return true;
}

/** The name at p. Characters above ASCII are taken for letters. */
function name(): void {
  nameStart = p;
  if (p < end && !isNameStart(load<u8>(p))) {
    wrong = true;
    return;
  }
  while (p < end && isNameByte(load<u8>(p))) p++;
  nameLength = p - nameStart;
  if (nameLength > NAME_MAX) wrong = true;
  else if (p >= end) short = true;
}

/** Whether p is at a character that XML has; sets `wrong` or `short` if not. Only control characters and 0xEF are asked about. */
function character(byte: u32): void {
  if (byte < 32) {
    if (byte != 9 && byte != 10 && byte != 13) wrong = true;
    return;
  }
  if (p + 3 > end) short = true;
  else if (load<u8>(p + 1) == 0xbf && load<u8>(p + 2) >= 0xbe) wrong = true; // U+FFFE and U+FFFF
}

/** Moves p to the next `<`, `&` or CR of text; `stopped` when there is none or a fault before it. */
function run(): void {
  const openings = i8x16.splat(60);
  const ampersands = i8x16.splat(38);
  const brackets = i8x16.splat(93);
  const spaces = i8x16.splat(32);
  const specials = i8x16.splat(<i8>0xef);
  let at = p;
  for (;;) {
    const bytes = v128.load(at);
    let found = <u32>i8x16.bitmask(v128.or(v128.or(i8x16.eq(bytes, openings), i8x16.eq(bytes, ampersands)), v128.or(v128.or(i8x16.eq(bytes, brackets), i8x16.lt_u(bytes, spaces)), i8x16.eq(bytes, specials))));
    while (found != 0) {
      p = at + ctz(found);
      if (p >= end) {
        p = end;
        short = true;
        return;
      }
      const byte = <u32>load<u8>(p);
      if (byte == 60 || byte == 38 || byte == 13) return;
      if (byte == 93) {
        if (p + 1 >= end || (load<u8>(p + 1) == 93 && p + 2 >= end)) short = true;
        else if (load<u8>(p + 1) == 93 && load<u8>(p + 2) == 62) wrong = true;
      } else character(byte);
      if (short || wrong) return;
      found &= found - 1;
    }
    at += 16;
    if (at >= end) {
      p = end;
      short = true;
      return;
    }
  }
}

/** The reference at p, to the scratch area. There are the five of XML itself and numbers; no other entity is known. */
function reference(): void {
  let stop = p + 1;
  for (; ; stop++) {
    if (stop - p > REFERENCE_MAX) {
      wrong = true;
      return;
    }
    if (stop >= end) {
      short = true;
      return;
    }
    const byte = <u32>load<u8>(stop);
    if (byte == 59) break;
    if ((byte | 32) - 97 >= 26 && !isDigit(byte) && byte != 35) {
      wrong = true;
      return;
    }
  }
  const length = stop - p - 1;
  const first = p + 1;
  p = stop + 1;
  if (length >= 2 && load<u8>(first) == 35) {
    numbered(first + 1, stop);
    return;
  }
  let byte: u32 = 0;
  if (length == 2) {
    const letters = load<u16>(first);
    byte = letters == 0x746c ? 60 : letters == 0x7467 ? 62 : 0;
  } else if (length == 3) byte = load<u16>(first) == 0x6d61 && load<u8>(first + 2) == 112 ? 38 : 0;
  else if (length == 4) {
    const letters = load<u32>(first);
    byte = letters == 0x746f7571 ? 34 : letters == 0x736f7061 ? 39 : 0;
  }
  if (byte == 0) wrong = true;
  else byteToScratch(byte);
}

function numbered(from: usize, stop: usize): void {
  const isHexadecimal = load<u8>(from) == 120;
  const base: u32 = isHexadecimal ? 16 : 10;
  let at = isHexadecimal ? from + 1 : from;
  if (at == stop) wrong = true;
  let code: u32 = 0;
  for (; at < stop; at++) {
    const digit = digitValue(load<u8>(at));
    if (digit >= base) {
      wrong = true;
      return;
    }
    code = code * base + digit;
    if (code > 0x10ffff) {
      wrong = true;
      return;
    }
  }
  if (code < 32 ? code != 9 && code != 10 && code != 13 : (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff) wrong = true;
  if (!wrong) codeToScratch(code);
}

/** Passes over what goes on to two bytes `last` and a `>`, as comments and CDATA do; the first place where the two come. With `asText` it goes to the scratch area. */
function until(last: u32, asText: bool): void {
  let start = p;
  for (; p < end; p++) {
    const byte = <u32>load<u8>(p);
    if (byte == last) {
      if (p + 2 >= end) break;
      if (load<u8>(p + 1) != last) continue;
      if (load<u8>(p + 2) != 62) {
        if (!asText) {
          wrong = true; // two hyphens within a comment
          return;
        }
        continue;
      }
      if (asText) toScratch(start, p - start);
      p += 3;
      return;
    }
    if (byte < 32 || byte == 0xef) character(byte);
    if (short || wrong) return;
    if (byte == 13 && asText) {
      toScratch(start, p - start);
      byteToScratch(10);
      if (p + 1 < end && load<u8>(p + 1) == 10) p++;
      start = p + 1;
    }
  }
  short = true;
}

/** The comment, the processing instruction or (`asText`) the CDATA section whose `<` is at p. */
function aside(allowsText: bool, asText: bool): void {
  if (load<u8>(p + 1) == 63) {
    instruction();
    return;
  }
  if (p + 3 > end) {
    short = true;
    return;
  }
  const third = load<u8>(p + 2);
  if (third == 45) {
    if (p + 4 > end) short = true;
    else if (load<u8>(p + 3) != 45) wrong = true;
    if (short || wrong) return;
    p += 4;
    until(45, false);
  } else if (third == 91 && allowsText) {
    if (p + 9 > end) short = true;
    else if (load<u64>(p + 1) != 0x5b41544144435b21) wrong = true;
    if (short || wrong) return;
    p += 9;
    until(93, asText);
  } else wrong = true;
}

function instruction(): void {
  p += 2;
  name();
  if (short || wrong) return;
  if (nameLength == 3 && (load<u8>(nameStart) | 32) == 120 && (load<u8>(nameStart + 1) | 32) == 109 && (load<u8>(nameStart + 2) | 32) == 108) {
    wrong = true;
    return;
  }
  const from = p;
  for (; p + 1 < end; p++) {
    const byte = <u32>load<u8>(p);
    if (byte == 63 && load<u8>(p + 1) == 62) {
      if (p > from && !isWhite(load<u8>(from))) wrong = true;
      p += 2;
      return;
    }
    if (byte < 32 || byte == 0xef) character(byte);
    if (short || wrong) return;
  }
  short = true;
}

/** The attribute's value whose quote is at p, undone: white space is spaces. */
function attributeValue(): void {
  if (p >= end) {
    short = true;
    return;
  }
  const quote = <u32>load<u8>(p);
  if (quote != 34 && quote != 39) {
    wrong = true;
    return;
  }
  const quotes = i8x16.splat(<i8>quote);
  const openings = i8x16.splat(60);
  const ampersands = i8x16.splat(38);
  const spaces = i8x16.splat(32);
  const specials = i8x16.splat(<i8>0xef);
  let start = ++p;
  let decoded: usize = 0;
  for (;;) {
    const bytes = v128.load(p);
    const found = <u32>i8x16.bitmask(v128.or(v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, openings)), v128.or(v128.or(i8x16.eq(bytes, ampersands), i8x16.lt_u(bytes, spaces)), i8x16.eq(bytes, specials))));
    p += found == 0 ? 16 : ctz(found);
    if (p >= end) {
      short = true;
      return;
    }
    if (found == 0) continue;
    const byte = <u32>load<u8>(p);
    if (byte == quote) break;
    if (byte == 60) wrong = true;
    else if (byte != 38) character(byte);
    if (short || wrong) return;
    if (byte == 0xef) {
      p += 3;
      continue;
    }
    if (decoded == 0) decoded = scratch;
    toScratch(start, p - start);
    if (byte == 38) reference();
    else {
      byteToScratch(32);
      p++;
      if (byte == 13 && p < end && load<u8>(p) == 10) p++;
    }
    if (short || wrong) return;
    start = p;
  }
  textStart = start;
  textLength = p - start;
  if (decoded != 0) {
    toScratch(start, p - start);
    textStart = decoded;
    textLength = scratch - decoded;
  }
  p++;
}

/** The node of the name at p below `parent`; p goes behind the name. Reports name things in the same order record after record. */
function nodeHere(parent: u32): u32 {
  const order = area + ORDER + (guess << 2);
  if (guess < NODES_MAX) {
    const guessed = load<u32>(order);
    const node = nodeAt(guessed);
    const length = <usize>load<u32>(node + 4);
    if (length != 0 && load<u32>(node + 8) == parent && p + length < end && !isNameByte(load<u8>(p + length)) && sameBytes(load<u32>(node), p, length)) {
      guess++;
      nameStart = p;
      nameLength = length;
      p += length;
      return guessed;
    }
  }
  name();
  if (short || wrong) return NONE;
  const table = area + TABLE;
  let place = hashOf(parent, nameStart, nameLength) & (TABLE_SIZE - 1);
  let found = load<u32>(table + (<usize>place << 2));
  while (found != 0) {
    const node = nodeAt(found);
    if (load<u32>(node + 4) == <u32>nameLength && load<u32>(node + 8) == parent && sameBytes(load<u32>(node), nameStart, nameLength)) break;
    place = (place + 1) & (TABLE_SIZE - 1);
    found = load<u32>(table + (<usize>place << 2));
  }
  if (found == 0) {
    if (nodeCount >= NODES_MAX || nameEnd + nameLength > area + NAMES + NAMES_BYTES) {
      full = true;
      return NONE;
    }
    found = nodeCount++;
    const node = nodeAt(found);
    memory.copy(nameEnd, nameStart, nameLength);
    store<u32>(node, <u32>nameEnd);
    store<u32>(node + 4, <u32>nameLength);
    store<u32>(node + 8, parent);
    nameEnd += nameLength;
    store<u32>(table + (<usize>place << 2), found);
  }
  if (guess < NODES_MAX) store<u32>(order, found);
  guess++;
  return found;
}

/** Whether this record had the node before; remembers that it has it now. */
@inline function repeats(node: u32): bool {
  const stamp = nodeAt(node) + 16;
  if (load<u32>(stamp) == serial) return true;
  store<u32>(stamp, serial);
  return false;
}

function setValue(node: u32, start: usize, length: usize): void {
  if (refused) return;
  const cell = load<u32>(nodeAt(node) + 12);
  if (cell != 0) setCell(row + <usize>cell * CELL_BYTES, start, length, TEXT);
  else {
    store<u32>(area + PENDING + (<usize>pendingCount << 2), node);
    pendingCount++;
  }
}

@inline function isDeclaration(): bool {
  return nameLength >= 5 && load<u32>(nameStart) == 0x6e6c6d78 && load<u8>(nameStart + 4) == 115 && (nameLength == 5 || load<u8>(nameStart + 5) == 58);
}

/** The attributes and the end of a tag, p being behind its name; those of `parent` are values. True when the tag is an empty element's. */
function attributes(parent: u32, areValues: bool): bool {
  let count: usize = 0;
  while (true) {
    const before = p;
    white();
    if (p >= end) {
      short = true;
      return false;
    }
    const byte = <u32>load<u8>(p);
    if (byte == 62) {
      p++;
      return false;
    }
    if (byte == 47) {
      if (p + 1 >= end) short = true;
      else if (load<u8>(p + 1) != 62) wrong = true;
      p += 2;
      return true;
    }
    if (p == before || count >= ATTRIBUTES_MAX) {
      wrong = true;
      return false;
    }
    let node = NONE;
    if (areValues) {
      node = nodeHere((parent << 1) | 1);
      if (stopped()) return false;
      if (repeats(node)) wrong = true;
    } else {
      name();
      if (short || wrong) return false;
      const list = area + ATTRIBUTES;
      for (let other: usize = 0; other < count; other++) {
        if (<usize>load<u32>(list + other * 8 + 4) == nameLength && sameBytes(load<u32>(list + other * 8), nameStart, nameLength)) wrong = true;
      }
      store<u32>(list + count * 8, <u32>nameStart);
      store<u32>(list + count * 8 + 4, <u32>nameLength);
    }
    const isValue = areValues && !isDeclaration();
    white();
    if (p < end && load<u8>(p) != 61) wrong = true;
    if (wrong) return false;
    p++;
    white();
    const kept = scratch;
    attributeValue();
    if (short || wrong) return false;
    if (isValue) setValue(node, textStart, textLength);
    else setScratch(kept);
    count++;
  }
  return false;
}

/** The rest of a closing tag behind its `</`. */
function closing(start: usize, length: usize): void {
  if (p + length > end) {
    short = true;
    return;
  }
  if (!sameBytes(start, p, length)) {
    wrong = true;
    return;
  }
  p += length;
  white();
  if (p >= end) short = true;
  else if (load<u8>(p) != 62) wrong = true;
  p++;
}

/** What stands in an element up to its closing tag's `</`: either text, which is the value of `node`, or elements of `parent`. */
function content(parent: u32, node: u32, level: i32): void {
  let start = p;
  let decoded: usize = 0;
  let hasElements = false;
  for (;;) {
    run();
    if (short || wrong) return;
    const byte = <u32>load<u8>(p);
    if (byte == 60) {
      if (p + 1 >= end) {
        short = true;
        return;
      }
      const after = <u32>load<u8>(p + 1);
      if (after == 47) break;
      if (after != 33 && after != 63) {
        if (!isWhiteRange(start, p) || (decoded != 0 && !isWhiteRange(decoded, scratch))) refused = true;
        hasElements = true;
        p++;
        element(parent, level + 1);
        if (stopped()) return;
        start = p;
        decoded = 0;
        continue;
      }
      if (decoded == 0) decoded = scratch;
      toScratch(start, p - start);
      aside(true, true);
    } else {
      if (decoded == 0) decoded = scratch;
      toScratch(start, p - start);
      if (byte == 38) reference();
      else {
        byteToScratch(10);
        p++;
        if (p < end && load<u8>(p) == 10) p++;
      }
    }
    if (short || wrong) return;
    start = p;
  }
  let from = start;
  let length = p - start;
  if (decoded != 0) {
    toScratch(start, length);
    from = decoded;
    length = scratch - decoded;
  }
  if (!hasElements) {
    if (node != RECORD_TEXT || !isWhiteRange(from, from + length)) setValue(node, from, length);
  } else if (!isWhiteRange(from, from + length)) refused = true;
  p += 2;
}

/** The element whose name is at p. */
function element(parent: u32, level: i32): void {
  const node = nodeHere(parent << 1);
  if (stopped()) return;
  if (level > DEPTH_MAX) {
    wrong = true;
    return;
  }
  if (repeats(node)) refused = true;
  const start = <usize>load<u32>(nodeAt(node));
  const length = nameLength;
  const isEmpty = attributes(node, true);
  if (stopped()) return;
  if (isEmpty) {
    setValue(node, p, 0);
    return;
  }
  content(node, node, level);
  if (!stopped()) closing(start, length);
}

/** The record whose name has been read. */
function record(columns: u32): void {
  guess = 0;
  serial++;
  refused = false;
  pendingCount = 0;
  for (let column: u32 = 1; column <= columns; column++) setCell(row + <usize>column * CELL_BYTES, 0, 0, MISSING);
  const step = steps + <usize>depth * 8;
  const isEmpty = attributes(RECORD, true);
  if (stopped() || isEmpty) return;
  content(RECORD, RECORD_TEXT, depth + 1);
  if (!stopped()) closing(load<u32>(step), load<u32>(step + 4));
  if (!stopped() && refused) wrong = true;
}

/** The document type declaration at p, without declarations of its own: those are refused. Nothing that it names is ever read. */
function doctype(): void {
  let quote: u32 = 0;
  if (p + 10 > end) {
    short = true;
    return;
  }
  if (load<u64>(p + 1) != 0x45505954434f4421 || !isWhite(load<u8>(p + 9))) {
    wrong = true;
    return;
  }
  p += 10;
  white();
  name();
  if (short || wrong) return;
  for (; p < end; p++) {
    const byte = <u32>load<u8>(p);
    if (byte < 32 || byte == 0xef) character(byte);
    else if (quote != 0) quote = byte == quote ? 0 : quote;
    else if (byte == 34 || byte == 39) quote = byte;
    else if (byte == 91 || byte == 60) wrong = true;
    else if (byte == 62) {
      p++;
      xmlPlace = AFTER_DOCTYPE;
      return;
    }
    if (short || wrong) return;
  }
  short = true;
}

/** The end of the text without its last character if that is not ASCII: it may be cut. */
function beforeCharacter(from: usize): usize {
  let at = end;
  while (at > from && (load<u8>(at - 1) & 0xc0) == 0x80 && end - at < 3) at--;
  return at > from && load<u8>(at - 1) >= 0xc0 ? at - 1 : at;
}

/** Text around the records: checked and passed over. `next` is where it may be cut. */
function outsideText(): void {
  while (!stopped()) {
    const kept = scratch;
    const from = p;
    run();
    setNext(p == end ? beforeCharacter(from) : p);
    if (stopped()) return;
    const byte = <u32>load<u8>(p);
    if (byte == 60) return;
    if (byte == 13) {
      // An LF may belong to it.
      if (p + 1 >= end) {
        short = true;
        return;
      }
      p++;
    } else {
      reference();
      setScratch(kept);
    }
  }
}

/** The closing tag at p of an element around the records. */
function close(): void {
  if (depth == 0) {
    wrong = true;
    return;
  }
  p += 2;
  closing(openName(depth - 1), openNameLength(depth - 1));
  if (short || wrong) return;
  depth--;
  if (matched > depth) matched = depth;
  if (depth == 0) xmlPlace = AFTER_ROOT;
}

/** The tag of an element around the records whose name has been read; opens it. */
function around(isStep: bool): void {
  const start = nameStart;
  const length = nameLength;
  const isEmpty = attributes(RECORD, false);
  if (short || wrong) return;
  if (isEmpty) {
    if (depth == 0) xmlPlace = AFTER_ROOT;
    return;
  }
  if (depth + 1 > DEPTH_MAX) {
    wrong = true;
    return;
  }
  const kept = area + STACK + <usize>DEPTH_MAX * 8 + <usize>depth * NAME_MAX;
  memory.copy(kept, start, length);
  store<u32>(area + STACK + <usize>depth * 8, <u32>kept);
  store<u32>(area + STACK + <usize>depth * 8 + 4, <u32>length);
  if (isStep) matched = depth + 1;
  depth++;
  xmlPlace = INSIDE;
}

/** Scans whole records in [from, to), `recordsMax` at most; rows have `columns` cells and one more. */
export function scanXml(from: usize, to: usize, cells: usize, columns: u32, recordsMax: u32): i32 {
  p = from;
  end = to;
  row = cells;
  short = false;
  wrong = false;
  full = false;
  pendingCount = 0;
  let count: u32 = 0;
  setNext(from);
  setRecords(0);
  while (count < recordsMax) {
    setNext(p);
    if (p >= end) return DONE;
    const start = p;
    if (load<u8>(p) != 60) {
      if (depth > 0) outsideText();
      else {
        white();
        wrong = p == start;
      }
    } else if (p + 1 >= end) return DONE;
    else {
      const after = <u32>load<u8>(p + 1);
      if (after == 63) aside(false, false);
      else if (after == 33) {
        if (xmlPlace == PROLOG && p + 2 < end && load<u8>(p + 2) == 68) doctype();
        else aside(depth > 0, false);
      } else if (after == 47) close();
      else if (xmlPlace == AFTER_ROOT) wrong = true;
      else {
        p++;
        name();
        if (!stopped()) {
          const step = steps + <usize>depth * 8;
          const isStep = matched == depth && depth < stepCount && <usize>load<u32>(step + 4) == nameLength && sameBytes(load<u32>(step), nameStart, nameLength);
          if (isStep && depth + 1 == stepCount) {
            record(columns);
            if (!stopped() && pendingCount > 0) return NEW_COLUMNS;
            if (!stopped()) {
              if (depth == 0) xmlPlace = AFTER_ROOT;
              setCell(row, start, p - start, NESTED);
              setNext(p);
              setRecords(++count);
              row += <usize>(columns + 1) * CELL_BYTES;
            }
          } else around(isStep);
        }
      }
    }
    if (wrong) return WRONG;
    if (full) return FULL;
    if (short) return DONE;
  }
  return DONE;
}
