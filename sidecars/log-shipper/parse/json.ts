// pure
import { skipValue } from "../forward-protocol/msgpack-reader.ts";
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";

/**
 * Turns the bytes of one JSON object into MessagePack without making a JavaScript object of it.
 *
 * The result is what encoding `JSON.parse(text)` gives, with these differences, all of them towards losing less:
 * - integers beyond 2^53 that fit 64 bits stay exact;
 * - bytes that are not UTF-8 stay as they are (JSON.parse would see U+FFFD).
 * A key given twice counts once, with its last value. A lone surrogate escape becomes U+FFFD, as in JSON.parse followed by
 * encoding. Everything that JSON.parse refuses is refused; so is nesting deeper than 64.
 */
export class JsonTranscoder {
  #in: Buffer = Buffer.alloc(0);
  #end = 0;
  #at = 0;
  #out: Buffer = Buffer.alloc(0);
  #to = 0;
  #keyStarts: number[] = [];
  /** The keys of the object under way at each depth, once it has so many that comparing them one by one would take too long. */
  readonly #manyKeys: (Set<string> | undefined)[] = [];

  /**
   * Appends the object in `bytes[from, end)`. Returns the number of its pairs, or -1 if it is not one JSON object, and then
   * nothing was appended. `extraPairs` raises the count in the map's header: the caller appends that many pairs itself.
   */
  object(bytes: Buffer, from: number, end: number, writer: MsgpackWriter, extraPairs: number): number {
    // The densest growth is "-0," (3 bytes) becoming a float of 9; 16 spare bytes cover headers.
    writer.reserve((end - from) * 3 + 16);
    this.#in = bytes;
    this.#end = end;
    this.#at = from;
    this.#out = writer.buffer;
    this.#to = writer.length;
    this.#keyStarts.length = 0;
    this.#space();
    if (this.#at >= end || bytes[this.#at] !== 0x7b) return -1;
    const pairs = this.#object(0, extraPairs);
    if (pairs < 0) return -1;
    this.#space();
    if (this.#at !== end) return -1;
    writer.length = this.#to;
    return pairs;
  }

  #space(): void {
    for (; this.#at < this.#end; this.#at++) {
      const byte = this.#in[this.#at];
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a) return;
    }
  }

  #value(depth: number): boolean {
    if (this.#at >= this.#end) return false;
    const byte = this.#in[this.#at] ?? 0;
    if (byte === 0x22) return this.#string();
    if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return this.#number();
    if (byte === 0x7b) return this.#object(depth + 1, 0) >= 0;
    if (byte === 0x5b) return this.#array(depth + 1);
    if (byte === 0x74) return this.#word("true", 0xc3);
    if (byte === 0x66) return this.#word("false", 0xc2);
    if (byte === 0x6e) return this.#word("null", 0xc0);
    return false;
  }

  #word(word: string, encoded: number): boolean {
    if (this.#at + word.length > this.#end) return false;
    for (let index = 1; index < word.length; index++) if (this.#in[this.#at + index] !== word.charCodeAt(index)) return false;
    this.#out[this.#to++] = encoded;
    this.#at += word.length;
    return true;
  }

  #object(depth: number, extraPairs: number): number {
    if (depth > depthMax) return -1;
    const header = this.#to++;
    const firstKey = this.#keyStarts.length;
    this.#manyKeys[depth] = undefined;
    this.#at++;
    this.#space();
    if (this.#at < this.#end && this.#in[this.#at] === 0x7d) {
      this.#at++;
    } else if (!this.#pairs(depth, firstKey)) {
      return -1;
    }
    const pairs = this.#keyStarts.length - firstKey;
    this.#keyStarts.length = firstKey;
    this.#header(header, pairs + extraPairs, 0x80, 0xde);
    return pairs;
  }

  #pairs(depth: number, firstKey: number): boolean {
    for (;;) {
      this.#space();
      if (this.#at >= this.#end || this.#in[this.#at] !== 0x22) return false;
      const keyStart = this.#to;
      if (!this.#string()) return false;
      const keyEnd = this.#to;
      this.#space();
      if (this.#at >= this.#end || this.#in[this.#at] !== 0x3a) return false;
      this.#at++;
      this.#space();
      if (!this.#value(depth)) return false;
      this.#keepPair(depth, firstKey, keyStart, keyEnd);
      this.#space();
      const byte = this.#at < this.#end ? this.#in[this.#at] : 0;
      this.#at++;
      if (byte === 0x7d) return true;
      if (byte !== 0x2c) return false;
    }
  }

  /** Notes the pair just written; takes an earlier pair with the same key out of the output. */
  #keepPair(depth: number, firstKey: number, keyStart: number, keyEnd: number): void {
    const starts = this.#keyStarts;
    if (starts.length - firstKey >= manyKeys && this.#isNewAmongMany(depth, firstKey, keyStart, keyEnd)) {
      starts.push(keyStart);
      return;
    }
    const length = keyEnd - keyStart;
    for (let index = firstKey; index < starts.length; index++) {
      const earlier = starts[index] ?? 0;
      const next = starts[index + 1] ?? keyStart;
      if (next - earlier <= length || this.#out[earlier] !== this.#out[keyStart] || this.#out[earlier + length - 1] !== this.#out[keyEnd - 1]) continue;
      if (this.#out.compare(this.#out, keyStart, keyEnd, earlier, earlier + length) !== 0) continue;
      this.#out.copyWithin(earlier, next, this.#to);
      this.#to -= next - earlier;
      starts.splice(index, 1);
      for (let later = index; later < starts.length; later++) starts[later] = (starts[later] ?? 0) - (next - earlier);
      starts.push(keyStart - (next - earlier));
      return;
    }
    starts.push(keyStart);
  }

  #isNewAmongMany(depth: number, firstKey: number, keyStart: number, keyEnd: number): boolean {
    const out = this.#out;
    let keys = this.#manyKeys[depth];
    if (keys === undefined) {
      keys = new Set();
      for (const start of this.#keyStarts.slice(firstKey)) keys.add(out.toString("latin1", start, skipValue(out, start, keyStart)));
      this.#manyKeys[depth] = keys;
    }
    const key = out.toString("latin1", keyStart, keyEnd);
    if (keys.has(key)) return false;
    keys.add(key);
    return true;
  }

  #array(depth: number): boolean {
    if (depth > depthMax) return false;
    const header = this.#to++;
    this.#at++;
    this.#space();
    let count = 0;
    if (this.#at < this.#end && this.#in[this.#at] === 0x5d) {
      this.#at++;
    } else {
      for (;;) {
        this.#space();
        if (!this.#value(depth)) return false;
        count++;
        this.#space();
        const byte = this.#at < this.#end ? this.#in[this.#at] : 0;
        this.#at++;
        if (byte === 0x5d) break;
        if (byte !== 0x2c) return false;
      }
    }
    this.#header(header, count, 0x90, 0xdc);
    return true;
  }

  /** Writes the count into the one byte kept for it, moving the content up where the count needs more. */
  #header(at: number, count: number, fixed: number, wide: number): void {
    if (count < 16) {
      this.#out[at] = fixed | count;
      return;
    }
    const width = count < 65_536 ? 2 : 4;
    this.#out.copyWithin(at + 1 + width, at + 1, this.#to);
    this.#to += width;
    this.#out[at] = width === 2 ? wide : wide + 1;
    this.#out.writeUIntBE(count, at + 1, width);
  }

  #string(): boolean {
    const from = this.#at + 1;
    const input = this.#in;
    const end = this.#end;
    const out = this.#out;
    const shortEnd = Math.min(end, from + 32);
    let at = from;
    let to = this.#to + 1;
    let byte = 0;
    // Most strings are short: they are copied while they are searched for their end, and their header is one byte.
    while (at < shortEnd && (byte = input[at] ?? 0) !== 0x22 && byte !== 0x5c && byte >= 0x20) {
      out[to++] = byte;
      at++;
    }
    if (at < shortEnd && byte === 0x22) {
      out[this.#to] = 0xa0 | (at - from);
      this.#to = to;
      this.#at = at + 1;
      return true;
    }
    while (at < end && (byte = input[at] ?? 0) !== 0x22 && byte !== 0x5c && byte >= 0x20) at++;
    if (at >= end || byte < 0x20) return false;
    if (byte === 0x5c) return this.#escapedString(from, at);
    this.#stringHeader(at - from);
    input.copy(out, this.#to, from, at);
    this.#to += at - from;
    this.#at = at + 1;
    return true;
  }

  /** The text only shrinks when escapes are resolved, so it is resolved behind a 5-byte gap and moved up to its header. */
  #escapedString(from: number, firstEscape: number): boolean {
    const gap = this.#to;
    const textStart = gap + 5;
    this.#in.copy(this.#out, textStart, from, firstEscape);
    let to = textStart + firstEscape - from;
    let at = firstEscape;
    for (;;) {
      if (at >= this.#end) return false;
      const byte = this.#in[at] ?? 0;
      if (byte < 0x20) return false;
      if (byte === 0x22) break;
      if (byte !== 0x5c) {
        this.#out[to++] = byte;
        at++;
        continue;
      }
      const escaped = this.#in[at + 1] ?? 0;
      if (escaped === 0x75) {
        const unit = this.#hex(at + 2);
        if (unit < 0) return false;
        const low = unit >= 0xd800 && unit < 0xdc00 && this.#in[at + 6] === 0x5c && this.#in[at + 7] === 0x75 ? this.#hex(at + 8) : -1;
        const paired = low >= 0xdc00 && low < 0xe000;
        to = writeUtf8(this.#out, to, paired ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : unit);
        at += paired ? 12 : 6;
        continue;
      }
      const simple = simpleEscapes.get(escaped);
      if (simple === undefined || at + 1 >= this.#end) return false;
      this.#out[to++] = simple;
      at += 2;
    }
    this.#to = gap;
    this.#stringHeader(to - textStart);
    this.#out.copyWithin(this.#to, textStart, to);
    this.#to += to - textStart;
    this.#at = at + 1;
    return true;
  }

  #hex(at: number): number {
    if (at + 4 > this.#end) return -1;
    let value = 0;
    for (let index = at; index < at + 4; index++) {
      const byte = this.#in[index] ?? 0;
      const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x41 && byte <= 0x46 ? byte - 0x37 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1;
      if (digit < 0) return -1;
      value = value * 16 + digit;
    }
    return value;
  }

  #stringHeader(length: number): void {
    const out = this.#out;
    if (length < 32) {
      out[this.#to++] = 0xa0 | length;
    } else if (length < 256) {
      out[this.#to++] = 0xd9;
      out[this.#to++] = length;
    } else if (length < 65_536) {
      out[this.#to++] = 0xda;
      this.#to = out.writeUInt16BE(length, this.#to);
    } else {
      out[this.#to++] = 0xdb;
      this.#to = out.writeUInt32BE(length, this.#to);
    }
  }

  #number(): boolean {
    const from = this.#at;
    const input = this.#in;
    const end = this.#end;
    const negative = input[from] === 0x2d;
    const firstDigit = negative ? from + 1 : from;
    let at = firstDigit;
    let magnitude = 0;
    let byte = 0;
    while (at < end && (byte = input[at] ?? 0) >= 0x30 && byte <= 0x39) {
      magnitude = magnitude * 10 + (byte - 0x30);
      at++;
    }
    const digits = at - firstDigit;
    if (digits === 0 || (digits > 1 && input[firstDigit] === 0x30)) return false;
    const integerEnd = at;
    at = this.#fractionEnd(at);
    if (at < 0) return false;
    at = this.#exponentEnd(at);
    if (at < 0) return false;
    this.#at = at;
    if (at === integerEnd && digits <= 15) {
      if (negative && magnitude === 0) this.#float(-0);
      else this.#integer(negative ? -magnitude : magnitude);
      return true;
    }
    const text = input.toString("latin1", from, at);
    if (at === integerEnd) this.#longInteger(text);
    else this.#float(Number(text));
    return true;
  }

  #fractionEnd(at: number): number {
    return at < this.#end && this.#in[at] === 0x2e ? this.#digitsEnd(at + 1) : at;
  }

  #exponentEnd(at: number): number {
    const byte = at < this.#end ? this.#in[at] : 0;
    if (byte !== 0x65 && byte !== 0x45) return at;
    const sign = this.#in[at + 1];
    return this.#digitsEnd(sign === 0x2b || sign === 0x2d ? at + 2 : at + 1);
  }

  /** The end of at least one digit, or -1. */
  #digitsEnd(from: number): number {
    let at = from;
    for (; at < this.#end; at++) {
      const byte = this.#in[at] ?? 0;
      if (byte < 0x30 || byte > 0x39) break;
    }
    return at === from ? -1 : at;
  }

  #longInteger(text: string): void {
    const value = text.length <= 20 ? BigInt(text) : undefined;
    if (value === undefined || value > 0xffff_ffff_ffff_ffffn || value < -0x8000_0000_0000_0000n) return this.#float(Number(text));
    const narrow = Number(value);
    if (Number.isSafeInteger(narrow)) return this.#integer(narrow);
    this.#out[this.#to] = value >= 0n ? 0xcf : 0xd3;
    this.#to = value >= 0n ? this.#out.writeBigUInt64BE(value, this.#to + 1) : this.#out.writeBigInt64BE(value, this.#to + 1);
  }

  #integer(value: number): void {
    const out = this.#out;
    if (value >= 0) {
      if (value < 128) {
        out[this.#to++] = value;
      } else if (value < 256) {
        out[this.#to++] = 0xcc;
        out[this.#to++] = value;
      } else if (value < 65_536) {
        out[this.#to++] = 0xcd;
        this.#to = out.writeUInt16BE(value, this.#to);
      } else if (value < 4_294_967_296) {
        out[this.#to++] = 0xce;
        this.#to = out.writeUInt32BE(value, this.#to);
      } else {
        out[this.#to++] = 0xcf;
        this.#to = out.writeUInt32BE(Math.floor(value / 4_294_967_296), this.#to);
        this.#to = out.writeUInt32BE(value % 4_294_967_296, this.#to);
      }
      return;
    }
    if (value >= -32) {
      out[this.#to++] = value & 0xff;
    } else if (value >= -128) {
      out[this.#to++] = 0xd0;
      this.#to = out.writeInt8(value, this.#to);
    } else if (value >= -32_768) {
      out[this.#to++] = 0xd1;
      this.#to = out.writeInt16BE(value, this.#to);
    } else if (value >= -2_147_483_648) {
      out[this.#to++] = 0xd2;
      this.#to = out.writeInt32BE(value, this.#to);
    } else {
      out[this.#to++] = 0xd3;
      this.#to = out.writeBigInt64BE(BigInt(value), this.#to);
    }
  }

  #float(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) return this.#integer(value);
    this.#out[this.#to++] = 0xcb;
    this.#to = this.#out.writeDoubleBE(value, this.#to);
  }
}

const depthMax = 64;
const manyKeys = 64;
const simpleEscapes: ReadonlyMap<number, number> = new Map([
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

function writeUtf8(out: Buffer, at: number, codePoint: number): number {
  const point = codePoint >= 0xd800 && codePoint < 0xe000 ? 0xfffd : codePoint;
  if (point < 0x80) {
    out[at] = point;
    return at + 1;
  }
  if (point < 0x800) {
    out[at] = 0xc0 | (point >> 6);
    out[at + 1] = 0x80 | (point & 0x3f);
    return at + 2;
  }
  if (point < 0x10000) {
    out[at] = 0xe0 | (point >> 12);
    out[at + 1] = 0x80 | ((point >> 6) & 0x3f);
    out[at + 2] = 0x80 | (point & 0x3f);
    return at + 3;
  }
  out[at] = 0xf0 | (point >> 18);
  out[at + 1] = 0x80 | ((point >> 12) & 0x3f);
  out[at + 2] = 0x80 | ((point >> 6) & 0x3f);
  out[at + 3] = 0x80 | (point & 0x3f);
  return at + 4;
}
