// pure
/**
 * MessagePack, reading: finding the end of a value without decoding it, and decoding small control messages.
 *
 * Strings come back as their bytes (`Uint8Array`), because the Forward handshake hashes the bytes of the wire and a nonce is not
 * UTF-8; `textOf` turns them into text where text is meant. Map keys are text.
 */
export type Decoded = null | boolean | number | bigint | Uint8Array | EventTime | readonly Decoded[] | ReadonlyMap<string, Decoded>;
/** An extension value; type 0 with 8 bytes is the Forward protocol's EventTime. */
export type EventTime = { readonly extension: number; readonly data: Uint8Array };

/** The bytes cannot be MessagePack (the reserved byte 0xc1) or are not the expected message. */
export class MalformedMessageError extends Error {
  override name = "MalformedMessageError";
}

export const incomplete = -1;

/**
 * Returns where the value at `from` ends, or `incomplete` if it reaches past `end`. Does not recurse, so nesting costs no stack;
 * a declared length costs no memory. Throws MalformedMessageError for the byte 0xc1.
 */
export function skipValue(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (let wanted = 1; wanted > 0; wanted--) {
    if (at >= end) return incomplete;
    const type = bytes[at] ?? 0;
    if (type < 0x80 || type >= 0xe0) {
      at += 1;
    } else if (type < 0x90) {
      wanted += (type & 15) * 2;
      at += 1;
    } else if (type < 0xa0) {
      wanted += type & 15;
      at += 1;
    } else if (type < 0xc0) {
      at += 1 + (type & 31);
    } else {
      const header = headerBytes[type - 0xc0] ?? 0;
      if (header === 0) throw new MalformedMessageError(`Cannot read MessagePack: byte 0x${type.toString(16)} is not a type`);
      if (at + header > end) return incomplete;
      const count = lengthAt(bytes, at, type);
      if (type >= 0xde) wanted += count * 2;
      else if (type >= 0xdc) wanted += count;
      else at += count;
      at += header;
    }
    if (at > end) return incomplete;
  }
  return at;
}

/** How far the skipping of a value has come: `wanted` values from `at` on are still to be skipped. */
type SkipProgress = { at: number; wanted: number };

/** As skipValue, to be called again with more bytes: true when the value is whole, and ends at `progress.at`. */
function skipMore(bytes: Uint8Array, progress: SkipProgress, end: number): boolean {
  while (progress.wanted > 0) {
    const { at } = progress;
    if (at >= end) return false;
    const header = containerHeader(bytes, at, end);
    if (header === incomplete) return false;
    if (header > 0) {
      progress.wanted += containerValues(bytes, at) - 1;
      progress.at += header;
      continue;
    }
    const next = skipValue(bytes, at, end);
    if (next === incomplete) return false;
    progress.at = next;
    progress.wanted--;
  }
  return true;
}

/** Bytes of the header of a map or array, 0 for anything else, `incomplete` when it is cut off. */
function containerHeader(bytes: Uint8Array, at: number, end: number): number {
  const type = bytes[at] ?? 0;
  if (type >= 0x80 && type < 0xa0) return 1;
  if (type < 0xdc || type > 0xdf) return 0;
  const header = type === 0xdc || type === 0xde ? 3 : 5;
  return at + header > end ? incomplete : header;
}

function containerValues(bytes: Uint8Array, at: number): number {
  const type = bytes[at] ?? 0;
  if (type < 0x90) return (type & 15) * 2;
  if (type < 0xa0) return type & 15;
  const count = lengthAt(bytes, at, type);
  return type >= 0xde ? count * 2 : count;
}

/** Bytes of type, length and fixed payload for 0xc0 to 0xdf; 0 is not a type. */
const headerBytes: readonly number[] = [
  1, 0, 1, 1, 2, 3, 5, 3, 4, 6, 5, 9, 2, 3, 5, 9, // nil, -, false, true, bin, ext, float, uint
  2, 3, 5, 9, 3, 4, 6, 10, 18, 2, 3, 5, 3, 5, 3, 5, // int, fixext, str, array, map
];

/** The variable length that a 0xc0 to 0xdf header declares, 0 if it has none. */
function lengthAt(bytes: Uint8Array, at: number, type: number): number {
  switch (type) {
    case 0xc4:
    case 0xc7:
    case 0xd9:
      return bytes[at + 1] ?? 0;
    case 0xc5:
    case 0xc8:
    case 0xda:
    case 0xdc:
    case 0xde:
      return uint(bytes, at + 1, 2);
    case 0xc6:
    case 0xc9:
    case 0xdb:
    case 0xdd:
    case 0xdf:
      return uint(bytes, at + 1, 4);
    default:
      return 0;
  }
}

function uint(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let index = 0; index < width; index++) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}

const decodeDepthMax = 80;

/** Decodes the whole value at `from`, which must be complete (see skipValue). Refuses nesting deeper than 80 (JSON lines may be 64 deep). */
export function decodeValue(bytes: Uint8Array, from: number): { readonly value: Decoded; readonly end: number } {
  const cursor = { bytes, at: from };
  const value = decodeNext(cursor, 0);
  return { value, end: cursor.at };
}

type Cursor = { readonly bytes: Uint8Array; at: number };

function decodeNext(cursor: Cursor, depth: number): Decoded {
  if (depth > decodeDepthMax) throw new MalformedMessageError(`Cannot read MessagePack: nested deeper than ${decodeDepthMax}`);
  const { bytes } = cursor;
  const start = cursor.at;
  const type = bytes[start] ?? 0xc1;
  if (type < 0x80) return advance(cursor, 1, type);
  if (type >= 0xe0) return advance(cursor, 1, type - 256);
  if (type < 0x90) return decodeMap(cursor, type & 15, 1, depth);
  if (type < 0xa0) return decodeArray(cursor, type & 15, 1, depth);
  if (type < 0xc0) return take(cursor, 1, type & 31);
  const header = headerBytes[type - 0xc0] ?? 0;
  if (header === 0) throw new MalformedMessageError(`Cannot read MessagePack: byte 0x${type.toString(16)} is not a type`);
  const count = lengthAt(bytes, start, type);
  if (type >= 0xde) return decodeMap(cursor, count, header, depth);
  if (type >= 0xdc) return decodeArray(cursor, count, header, depth);
  if (type >= 0xd9 || (type >= 0xc4 && type <= 0xc6)) return take(cursor, header, count);
  return decodeScalar(cursor, type, header, count);
}

function decodeScalar(cursor: Cursor, type: number, header: number, count: number): Decoded {
  const { bytes, at } = cursor;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (type === 0xc0) return advance(cursor, 1, null);
  if (type === 0xc2 || type === 0xc3) return advance(cursor, 1, type === 0xc3);
  if (type >= 0xc7 && type <= 0xc9) {
    const extension = view.getInt8(at + header - 1);
    return advance(cursor, header + count, { extension, data: bytes.subarray(at + header, at + header + count) });
  }
  if (type >= 0xd4 && type <= 0xd8) return advance(cursor, header, { extension: view.getInt8(at + 1), data: bytes.subarray(at + 2, at + header) });
  if (type === 0xca) return advance(cursor, header, view.getFloat32(at + 1));
  if (type === 0xcb) return advance(cursor, header, view.getFloat64(at + 1));
  if (type === 0xcf) return advance(cursor, header, narrow(view.getBigUint64(at + 1)));
  if (type === 0xd3) return advance(cursor, header, narrow(view.getBigInt64(at + 1)));
  if (type < 0xd0) return advance(cursor, header, uint(bytes, at + 1, header - 1));
  return advance(cursor, header, type === 0xd0 ? view.getInt8(at + 1) : type === 0xd1 ? view.getInt16(at + 1) : view.getInt32(at + 1));
}

function narrow(value: bigint): number | bigint {
  const short = Number(value);
  return Number.isSafeInteger(short) ? short : value;
}

function advance<T>(cursor: Cursor, by: number, value: T): T {
  cursor.at += by;
  return value;
}

function take(cursor: Cursor, header: number, count: number): Uint8Array {
  const from = cursor.at + header;
  cursor.at = from + count;
  return cursor.bytes.subarray(from, from + count);
}

function decodeArray(cursor: Cursor, count: number, header: number, depth: number): readonly Decoded[] {
  cursor.at += header;
  const items: Decoded[] = [];
  for (let index = 0; index < count; index++) items.push(decodeNext(cursor, depth + 1));
  return items;
}

function decodeMap(cursor: Cursor, count: number, header: number, depth: number): ReadonlyMap<string, Decoded> {
  cursor.at += header;
  const map = new Map<string, Decoded>();
  for (let index = 0; index < count; index++) {
    const key = decodeNext(cursor, depth + 1);
    map.set(key instanceof Uint8Array ? textOf(key) : JSON.stringify(toPlain(key)), decodeNext(cursor, depth + 1));
  }
  return map;
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

/** A decoded value as plain JSON-like data: strings as text, maps as objects, integers beyond 2^53 as decimal text. */
export function toPlain(value: Decoded): unknown {
  if (value instanceof Uint8Array) return textOf(value);
  if (typeof value === "bigint") return value.toString();
  if (isMap(value)) return Object.fromEntries([...value].map(([key, item]) => [key, toPlain(item)]));
  if (isArray(value)) return value.map(toPlain);
  return value;
}

export function isMap(value: Decoded | undefined): value is ReadonlyMap<string, Decoded> {
  return value instanceof Map;
}

export function isArray(value: Decoded | undefined): value is readonly Decoded[] {
  return Array.isArray(value);
}

/**
 * Cuts a byte stream into whole MessagePack values, whatever the segments: the work is linear in the bytes, also when they come one
 * by one. Holds at most `bytesMax` of an unfinished value and throws MalformedMessageError beyond that. The yielded views are valid
 * until the next `push`.
 */
export class MessageSplitter {
  bytesMax: number;
  /** Holds the beginning of an unfinished value; `#heldBytes` of it are in use. */
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;
  readonly #progress: SkipProgress = { at: 0, wanted: 1 };

  constructor(options: { readonly bytesMax: number }) {
    this.bytesMax = options.bytesMax;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  *push(segment: Buffer): Generator<Buffer> {
    const bytes = this.#heldBytes === 0 ? segment : this.#append(segment);
    const progress = this.#progress;
    let from = 0;
    while (from < bytes.length && skipMore(bytes, progress, bytes.length)) {
      const message = bytes.subarray(from, progress.at);
      from = progress.at;
      progress.wanted = 1;
      yield message;
    }
    this.#hold(bytes, from);
    progress.at -= from;
    if (this.#heldBytes > this.bytesMax) {
      throw new MalformedMessageError(`Cannot accept a message: ${this.#heldBytes} bytes are not a whole message yet, the limit is ${this.bytesMax}`);
    }
  }

  /** The held bytes and the segment, in one piece that grows by doubling. */
  #append(segment: Buffer): Buffer {
    const length = this.#heldBytes + segment.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#held.length * 2));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    segment.copy(this.#held, this.#heldBytes);
    return this.#held.subarray(0, length);
  }

  #hold(bytes: Buffer, from: number): void {
    const rest = bytes.length - from;
    if (rest === 0) this.#held = Buffer.alloc(0);
    // A copy: the segment's memory is the socket's, which may be used again.
    else if (from > 0 || bytes.buffer !== this.#held.buffer) this.#held = Buffer.from(bytes.subarray(from));
    this.#heldBytes = rest;
  }
}
