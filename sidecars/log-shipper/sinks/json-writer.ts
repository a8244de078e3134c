// pure
import { skipValue } from "../forward-protocol/msgpack-reader.ts";
import { JsonMemo } from "./json-memo.ts";
import { byteKinds, JsonText, plain } from "./json-text.ts";
import { sameBytes, type KeyNames } from "./key-names.ts";
import { cutOff, mapCount, mapHeaderBytes, skipWhole, stringHeaderBytes, uint } from "./msgpack-shape.ts";

/**
 * JSON text straight from MessagePack bytes, without making JavaScript objects of the records. What the same bytes give is always the
 * same:
 * - integers keep all their digits, to 64 bits; a float is written so that it stays one (`1.0`), NaN and the infinities as strings;
 * - a binary is treated as a string;
 * - a key given twice in one map counts once, with its last value; a key that is not a string becomes the text of its JSON;
 * - an extension is `{"ext":type,"base64":data}`.
 */
export class JsonWriter extends JsonText {
  /** Which of the names given with the last record it had, one bit each. */
  found = 0;
  /** How many members of the last record were written. */
  topMembers = 0;
  #stamp = 0;
  /** By depth: the stamp of the map that last had a key with this hash. */
  readonly #seen: Int32Array[] = [];
  #keyHash = 0;
  readonly #memos: JsonMemo[] = [new JsonMemo(), new JsonMemo(), new JsonMemo(), new JsonMemo()];

  /**
   * The record of an entry as a JSON object, and where it ends. One that is nested deeper than 100 comes as `{"msgpack":base64}`:
   * nothing is dropped, and one odd record from an application stops nobody. `found` says afterwards which of the `names` it had.
   */
  record(bytes: Uint8Array, at: number, names?: KeyNames): number {
    this.byte(0x7b);
    const end = this.recordMembers(bytes, at, names);
    this.byte(0x7d);
    return end;
  }

  /** As `record`, without the braces. A caller that goes on puts the comma if `length` has grown. */
  recordMembers(bytes: Uint8Array, at: number, names?: KeyNames): number {
    const before = this.length;
    this.found = 0;
    try {
      return this.#members(bytes, at, 0, names);
    } catch (error) {
      if (!(error instanceof TooDeepError)) throw error;
      this.found = 0;
      this.topMembers = 1;
      const end = skipValue(bytes, at, bytes.length);
      this.length = before;
      this.ascii('"msgpack":"');
      this.ascii(Buffer.from(bytes.subarray(at, end)).toString("base64"));
      this.byte(0x22);
      return end;
    }
  }

  /** The value at `at` as JSON; returns where it ends. Throws MalformedMessageError for bytes that are not whole MessagePack. */
  value(bytes: Uint8Array, at: number, depth = 0): number {
    const type = bytes[at] ?? 0xc1;
    if (type < 0x80) {
      this.integer(type);
      return at + 1;
    }
    if (type >= 0xe0) {
      this.integer(type - 256);
      return at + 1;
    }
    if (type >= 0xa0 && type < 0xc0) return this.#stringValue(bytes, at + 1, type & 31);
    if (type === 0xd9) return this.#stringValue(bytes, at + 2, bytes[at + 1] ?? 0);
    if (type < 0x90 || type >= 0xde) return this.#object(bytes, at, depth);
    if (type < 0xa0 || type === 0xdc || type === 0xdd) return this.#array(bytes, at, depth);
    return this.#scalar(bytes, at, type);
  }

  #stringValue(bytes: Uint8Array, from: number, count: number): number {
    if (from + count > bytes.length) throw cutOff();
    this.string(bytes, from, from + count);
    return from + count;
  }

  #object(bytes: Uint8Array, at: number, depth: number): number {
    this.byte(0x7b);
    const end = this.#members(bytes, at, depth + 1, undefined);
    this.byte(0x7d);
    return end;
  }

  #array(bytes: Uint8Array, at: number, depth: number): number {
    if (depth >= depthMax) throw new TooDeepError();
    const type = bytes[at] ?? 0;
    const count = type < 0xa0 ? type & 15 : uint(bytes, at + 1, type === 0xdc ? 2 : 4);
    let next = at + (type < 0xa0 ? 1 : type === 0xdc ? 3 : 5);
    this.byte(0x5b);
    for (let index = 0; index < count; index++) {
      if (index > 0) this.byte(0x2c);
      next = this.value(bytes, next, depth + 1);
    }
    this.byte(0x5d);
    return next;
  }

  #members(bytes: Uint8Array, mapAt: number, depth: number, names: KeyNames | undefined): number {
    if (depth >= depthMax) throw new TooDeepError();
    const count = mapCount(bytes, mapAt);
    if (count > manyKeys) return this.#membersLastWins(bytes, mapAt, depth, names);
    const begin = this.length;
    const seen = (this.#seen[depth] ??= new Int32Array(keySlots));
    const stamp = this.#nextStamp();
    let at = mapAt + mapHeaderBytes(bytes, mapAt);
    let written = 0;
    for (let index = 0; index < count; index++) {
      const type = bytes[at] ?? 0;
      const short = type >= 0xa0 && type < 0xc0;
      if (!short && type !== 0xd9) return this.#againLastWins(begin, bytes, mapAt, depth, names);
      const from = short ? at + 1 : at + 2;
      const to = from + (short ? type & 31 : (bytes[at + 1] ?? 0));
      if (to > bytes.length) throw cutOff();
      if (names !== undefined && this.#omits(names, bytes, from, to)) {
        at = skipWhole(bytes, to);
        continue;
      }
      this.#key(bytes, from, to, written++ > 0);
      const slot = this.#keyHash & (keySlots - 1);
      if (seen[slot] === stamp && repeatsEarlierKey(bytes, mapAt, index, from, to)) return this.#againLastWins(begin, bytes, mapAt, depth, names);
      seen[slot] = stamp;
      at = depth === 0 ? this.#topValue(bytes, to, slot) : this.value(bytes, to, depth);
    }
    if (depth === 0) this.topMembers = written;
    return at;
  }

  #omits(names: KeyNames, bytes: Uint8Array, from: number, to: number): boolean {
    const index = names.find(bytes, from, to);
    if (index < 0) return false;
    this.found |= 1 << index;
    return names.omits(index);
  }

  #nextStamp(): number {
    if (this.#stamp === 0x7fff_ffff) {
      this.#stamp = 0;
      for (const table of this.#seen) table.fill(0);
    }
    return ++this.#stamp;
  }

  /** A key with the comma before and the colon after it; leaves its hash. */
  #key(bytes: Uint8Array, from: number, to: number, comma: boolean): void {
    this.reserve((to - from) * 6 + 4);
    const { buffer } = this;
    let out = this.length;
    if (comma) buffer[out++] = 0x2c;
    buffer[out++] = 0x22;
    let hash = to - from;
    let at = from;
    for (; at < to; at++) {
      const byte = bytes[at] ?? 0;
      if (byteKinds[byte] !== plain) break;
      buffer[out++] = byte;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    this.length = out;
    if (at < to) this.stringContent(bytes, at, to);
    this.#keyHash = hash ^ (hash >>> 13);
    this.reserve(2);
    this.buffer[this.length++] = 0x22;
    this.buffer[this.length++] = 0x3a;
  }

  /** A value of the record itself. What every record has alike, such as the Pod's metadata, is written once and copied then. */
  #topValue(bytes: Uint8Array, at: number, slot: number): number {
    const type = bytes[at] ?? 0;
    const composite = (type >= 0x80 && type < 0xa0) || (type >= 0xdc && type <= 0xdf);
    const memo = this.#memos[slot & 3];
    if (!composite || memo === undefined) return this.value(bytes, at, 0);
    if (memo.matches(bytes, at)) {
      this.raw(memo.json);
      return at + memo.source.length;
    }
    const begin = this.length;
    const { replaced } = this;
    const end = this.value(bytes, at, 0);
    if (this.replaced === replaced) memo.offer(bytes, at, end, this.buffer, begin, this.length);
    return end;
  }

  #againLastWins(begin: number, bytes: Uint8Array, mapAt: number, depth: number, names: KeyNames | undefined): number {
    this.length = begin;
    return this.#membersLastWins(bytes, mapAt, depth, names);
  }

  /** For maps with odd, repeated or many keys: slower, and right for all. */
  #membersLastWins(bytes: Uint8Array, mapAt: number, depth: number, names: KeyNames | undefined): number {
    const count = mapCount(bytes, mapAt);
    const valueAts = new Map<string, number>();
    let at = mapAt + mapHeaderBytes(bytes, mapAt);
    for (let index = 0; index < count; index++) {
      const valueAt = skipWhole(bytes, at);
      const key = this.#keyText(bytes, at, valueAt, depth);
      valueAts.delete(key);
      valueAts.set(key, valueAt);
      at = skipWhole(bytes, valueAt);
    }
    let written = 0;
    for (const [key, valueAt] of valueAts) {
      const keyBytes = Buffer.from(key, "latin1");
      if (names !== undefined && this.#omits(names, keyBytes, 0, keyBytes.length)) continue;
      if (written++ > 0) this.byte(0x2c);
      this.string(keyBytes, 0, keyBytes.length);
      this.byte(0x3a);
      this.value(bytes, valueAt, depth);
    }
    if (depth === 0) this.topMembers = written;
    return at;
  }

  /** A key's bytes, one per character; of a key that is no string, those of its JSON. */
  #keyText(bytes: Uint8Array, at: number, end: number, depth: number): string {
    const type = bytes[at] ?? 0;
    const header = stringHeaderBytes(type);
    if (header > 0) return Buffer.from(bytes.subarray(at + header, end)).toString("latin1");
    const begin = this.length;
    this.value(bytes, at, depth + 1);
    const text = this.buffer.toString("latin1", begin, this.length);
    this.length = begin;
    return text;
  }

  #scalar(bytes: Uint8Array, at: number, type: number): number {
    const end = skipWhole(bytes, at);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    switch (type) {
      case 0xc0:
        this.ascii("null");
        break;
      case 0xc2:
      case 0xc3:
        this.ascii(type === 0xc3 ? "true" : "false");
        break;
      case 0xca:
      case 0xcb:
        this.ascii(floatText(type === 0xca ? view.getFloat32(at + 1) : view.getFloat64(at + 1)));
        break;
      case 0xcc:
      case 0xcd:
      case 0xce:
        this.integer(uint(bytes, at + 1, end - at - 1));
        break;
      case 0xcf:
        this.ascii(view.getBigUint64(at + 1).toString());
        break;
      case 0xd0:
        this.integer(view.getInt8(at + 1));
        break;
      case 0xd1:
        this.integer(view.getInt16(at + 1));
        break;
      case 0xd2:
        this.integer(view.getInt32(at + 1));
        break;
      case 0xd3:
        this.ascii(view.getBigInt64(at + 1).toString());
        break;
      default:
        this.#bytesValue(bytes, at, end, type);
    }
    return end;
  }

  /** Long strings, binaries and extensions. */
  #bytesValue(bytes: Uint8Array, at: number, end: number, type: number): void {
    const header = stringHeaderBytes(type);
    if (header > 0) return this.string(bytes, at + header, end);
    const fixed = type >= 0xd4 && type <= 0xd8;
    const typeAt = fixed ? at + 1 : at + 1 + (type === 0xc7 ? 1 : type === 0xc8 ? 2 : 4);
    this.ascii('{"ext":');
    this.integer(((bytes[typeAt] ?? 0) << 24) >> 24);
    this.ascii(`,"base64":"${Buffer.from(bytes.subarray(typeAt + 1, end)).toString("base64")}"}`);
  }
}

class TooDeepError extends Error {}

/** JSON lines may be 64 deep; each level is a few frames of the stack. */
const depthMax = 100;
/** Above it, keys are compared as strings of a Map. */
const manyKeys = 64;
const keySlots = 4_096;
/** Shows that it was a float: a column of floats must not look like integers where it happens to be whole. */
function floatText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return Number.isInteger(value) && !text.includes("e") ? `${text}.0` : text;
}

/** Whether a key of the map before pair `index` has these bytes. */
function repeatsEarlierKey(bytes: Uint8Array, mapAt: number, index: number, from: number, to: number): boolean {
  let at = mapAt + mapHeaderBytes(bytes, mapAt);
  for (let earlier = 0; earlier < index; earlier++) {
    const end = skipWhole(bytes, at);
    const start = at + stringHeaderBytes(bytes[at] ?? 0);
    if (end - start === to - from && sameBytes(bytes, from, to, bytes, start)) return true;
    at = skipWhole(bytes, end);
  }
  return false;
}
