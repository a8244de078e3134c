// pure
import { ConversionError, type ConversionCode } from "../../conversion-error.ts";
import { utf8Text } from "../exact-values.ts";
import { readerLimitsDefault } from "../row.ts";

/** What a cursor runs over, and where that stands in the file, for errors. `offsetOf` gives the file's byte; of a packed block, its beginning. */
export type CursorPlace = { readonly describe: (at: number) => string; readonly offsetOf: (at: number) => number };

/** Thrown at the end of bytes that may go on: so many are wanted at least. */
export class MoreWanted extends Error {
  readonly wanted: number;

  constructor(wanted: number) {
    super(`${wanted} bytes are wanted`);
    this.wanted = wanted;
  }
}

const safeBits = 2 ** 28;
const { recordCharsMax, depthMax } = readerLimitsDefault;

/**
 * Reads Avro's binary encoding (specification, "Binary Encoding") byte by byte. What is not as it should be is a ConversionError with
 * the record, the field, the block and the byte.
 */
export class Cursor {
  readonly bytes: Buffer;
  readonly #place: CursorPlace | undefined;
  at = 0;
  /** The record in hand, from 1, and its field. */
  record = 0;
  column: string | undefined;
  /** What the values of the record in hand have taken so far, in characters. */
  spent = 0;
  #depth = 0;

  /** Without a place the bytes may go on: their end is MoreWanted. */
  constructor(bytes: Buffer, place: CursorPlace | undefined) {
    this.bytes = bytes;
    this.#place = place;
  }

  fail(code: ConversionCode, message: string, at = this.at): never {
    throw new ConversionError(code, `${message} (${this.#place?.describe(at) ?? `byte ${at}`})`, { line: Math.max(1, this.record), column: this.column, offset: this.#place?.offsetOf(at) ?? at });
  }

  /** A cursor over a value's own bytes; it is its value that is told when they are wrong. */
  within(bytes: Buffer): Cursor {
    const start = this.at - bytes.length;
    const place = this.#place;
    const inner = new Cursor(bytes, place === undefined ? undefined : { describe: () => place.describe(start), offsetOf: () => place.offsetOf(start) });
    inner.record = this.record;
    inner.column = this.column;
    return inner;
  }

  startRecord(record: number): void {
    this.record = record;
    this.spent = 0;
    this.#depth = 0;
  }

  /** Counts what a value takes: a record of a few bytes may unfold to very much. */
  spend(chars: number): void {
    this.spent += chars;
    if (this.spent > recordCharsMax) this.fail("LIMIT", `a record takes more than ${recordCharsMax} characters`);
  }

  enter(): void {
    if (++this.#depth > depthMax) this.fail("LIMIT", `a record is nested deeper than ${depthMax}`);
  }

  leave(): void {
    this.#depth--;
  }

  #end(wanted: number): never {
    if (this.#place === undefined) throw new MoreWanted(wanted);
    return this.fail("SYNTAX", "the block ends in the middle of a value", this.bytes.length);
  }

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) return this.#end(this.at + 1);
    this.at++;
    return byte;
  }

  take(length: number): Buffer {
    if (length > this.bytes.length - this.at) return this.#end(this.at + length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** A zigzag number of up to 64 bits; a bigint when a double cannot hold it. */
  long(): number | bigint {
    const start = this.at;
    let [low, middle, high, shift, byte] = [0, 0, 0, 0, 0];
    do {
      byte = this.byte();
      const part = byte & 0x7f;
      if (shift < 28) low |= part << shift;
      else if (shift < 56) middle |= part << (shift - 28);
      else if (shift < 63) high |= part;
      else if (byte > 1) return this.fail("SYNTAX", "a number has more than 64 bits", start);
      else high |= part << 7;
      shift += 7;
    } while (byte > 0x7f);
    if (high === 0 && middle < 2 ** 24) {
      const zigzag = middle * safeBits + low;
      return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    }
    const zigzag = (BigInt(high) << 56n) | (BigInt(middle) << 28n) | BigInt(low);
    return (zigzag >> 1n) ^ -(zigzag & 1n);
  }

  int(): number {
    const start = this.at;
    const value = this.long();
    return typeof value === "number" && value >= -2_147_483_648 && value < 2_147_483_648 ? value : this.fail("SYNTAX", "an int has more than 32 bits", start);
  }

  /** A count or length, checked for being none below zero. */
  size(what: string, max: number): number {
    const start = this.at;
    const value = this.long();
    if (value < 0) return this.fail("SYNTAX", `${what} is ${value}`, start);
    return value <= max ? Number(value) : this.fail("LIMIT", `${what} is ${value}, more than ${max}`, start);
  }

  bytesValue(): Buffer {
    return this.take(this.size("a length", recordCharsMax));
  }

  string(): string {
    const start = this.at;
    const bytes = this.bytesValue();
    const text = bytes.toString("utf8");
    // The quick way puts this sign for what is wrong; it may stand there rightly too.
    return text.includes("\uFFFD") ? (utf8Text(bytes) ?? this.fail("ENCODING", "a text is not UTF-8", start)) : text;
  }

  /** Counts of the blocks that an array or a map is made of, until the empty one. */
  *counts(): Generator<number> {
    for (;;) {
      const start = this.at;
      const count = this.long();
      if (count === 0) return;
      if (typeof count !== "number") return this.fail("LIMIT", `a list has ${count} items`, start);
      if (count < 0) this.size("the length of a list", Number.MAX_SAFE_INTEGER);
      yield Math.abs(count);
    }
  }
}
