// pure
import { GrowingBuffer } from "../growing-buffer.ts";

/** MessagePack, writing: exactly what Forward messages and log records need (https://github.com/msgpack/msgpack/blob/master/spec.md). */
export type MsgpackValue = null | boolean | number | bigint | string | Uint8Array | readonly MsgpackValue[] | { readonly [key: string]: MsgpackValue };

const uint32Size = 4_294_967_296;
const shortTextMax = 64;

export class MsgpackWriter extends GrowingBuffer {
  constructor(initialBytes = 1024) {
    super(initialBytes);
  }

  arrayHeader(count: number): void {
    this.#header(count, 0x90, 16, 0xdc);
  }

  mapHeader(count: number): void {
    this.#header(count, 0x80, 16, 0xde);
  }

  stringHeader(byteCount: number): void {
    this.reserve(5);
    if (byteCount >= 32 && byteCount < 256) {
      this.buffer[this.length++] = 0xd9;
      this.buffer[this.length++] = byteCount;
    } else {
      this.#header(byteCount, 0xa0, 32, 0xda);
    }
  }

  binaryHeader(byteCount: number): void {
    this.reserve(5);
    if (byteCount < 256) {
      this.buffer[this.length++] = 0xc4;
      this.buffer[this.length++] = byteCount;
    } else if (byteCount < 65_536) {
      this.buffer[this.length++] = 0xc5;
      this.length = this.buffer.writeUInt16BE(byteCount, this.length);
    } else {
      this.buffer[this.length++] = 0xc6;
      this.length = this.buffer.writeUInt32BE(byteCount, this.length);
    }
  }

  string(value: string): void {
    if (value.length <= shortTextMax && this.#ascii(value)) return;
    const byteCount = Buffer.byteLength(value, "utf8");
    this.stringHeader(byteCount);
    this.reserve(byteCount);
    this.length += this.buffer.write(value, this.length, byteCount, "utf8");
  }

  /** Calling out costs more than a few characters. False, with nothing written, when they are not all ASCII. */
  #ascii(value: string): boolean {
    const { length } = value;
    this.stringHeader(length);
    this.reserve(length);
    const { buffer } = this;
    const from = this.length;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 128) {
        this.length = from - (length < 32 ? 1 : 2);
        return false;
      }
      buffer[from + index] = code;
    }
    this.length = from + length;
    return true;
  }

  binary(value: Uint8Array): void {
    this.binaryHeader(value.length);
    this.raw(value);
  }

  /** Integers within the safe range take the shortest integer form, everything else a 64-bit float; -0 stays a float. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) return this.float(value);
    return value >= 0 ? this.#unsigned(value) : this.#negative(value);
  }

  float(value: number): void {
    this.reserve(9);
    this.buffer[this.length++] = 0xcb;
    this.length = this.buffer.writeDoubleBE(value, this.length);
  }

  /** Exact for -2^63 to 2^64 - 1. Throws RangeError outside. */
  bigint(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) return this.number(Number(value));
    this.reserve(9);
    this.buffer[this.length++] = value >= 0n ? 0xcf : 0xd3;
    this.length = value >= 0n ? this.buffer.writeBigUInt64BE(value, this.length) : this.buffer.writeBigInt64BE(value, this.length);
  }

  /** EventTime of the Forward protocol: extension type 0 in the 8-byte fixed form. */
  eventTime(seconds: number, nanoseconds: number): void {
    this.reserve(10);
    this.buffer[this.length++] = 0xd7;
    this.buffer[this.length++] = 0x00;
    this.length = this.buffer.writeUInt32BE(seconds, this.length);
    this.length = this.buffer.writeUInt32BE(nanoseconds, this.length);
  }

  value(value: MsgpackValue): void {
    if (value === null) return this.byte(0xc0);
    switch (typeof value) {
      case "boolean":
        return this.byte(value ? 0xc3 : 0xc2);
      case "number":
        return this.number(value);
      case "bigint":
        return this.bigint(value);
      case "string":
        return this.string(value);
      default:
        return this.#composite(value);
    }
  }

  #composite(value: Uint8Array | readonly MsgpackValue[] | { readonly [key: string]: MsgpackValue }): void {
    if (value instanceof Uint8Array) return this.binary(value);
    if (isList(value)) {
      this.arrayHeader(value.length);
      for (const item of value) this.value(item);
      return;
    }
    const entries = Object.entries(value);
    this.mapHeader(entries.length);
    for (const [key, item] of entries) {
      this.string(key);
      this.value(item);
    }
  }

  #header(count: number, fixed: number, fixedLimit: number, wide: number): void {
    this.reserve(5);
    if (count < fixedLimit) {
      this.buffer[this.length++] = fixed | count;
    } else if (count < 65_536) {
      this.buffer[this.length++] = wide;
      this.length = this.buffer.writeUInt16BE(count, this.length);
    } else {
      this.buffer[this.length++] = wide + 1;
      this.length = this.buffer.writeUInt32BE(count, this.length);
    }
  }

  #unsigned(value: number): void {
    this.reserve(9);
    const { buffer } = this;
    if (value < 128) {
      buffer[this.length++] = value;
    } else if (value < 256) {
      buffer[this.length++] = 0xcc;
      buffer[this.length++] = value;
    } else if (value < 65_536) {
      buffer[this.length++] = 0xcd;
      this.length = buffer.writeUInt16BE(value, this.length);
    } else if (value < uint32Size) {
      buffer[this.length++] = 0xce;
      this.length = buffer.writeUInt32BE(value, this.length);
    } else {
      buffer[this.length++] = 0xcf;
      this.length = buffer.writeUInt32BE(Math.floor(value / uint32Size), this.length);
      this.length = buffer.writeUInt32BE(value % uint32Size, this.length);
    }
  }

  #negative(value: number): void {
    this.reserve(9);
    const { buffer } = this;
    if (value >= -32) {
      buffer[this.length++] = value & 0xff;
    } else if (value >= -128) {
      buffer[this.length++] = 0xd0;
      this.length = buffer.writeInt8(value, this.length);
    } else if (value >= -32_768) {
      buffer[this.length++] = 0xd1;
      this.length = buffer.writeInt16BE(value, this.length);
    } else if (value >= -2_147_483_648) {
      buffer[this.length++] = 0xd2;
      this.length = buffer.writeInt32BE(value, this.length);
    } else {
      buffer[this.length++] = 0xd3;
      this.length = buffer.writeBigInt64BE(BigInt(value), this.length);
    }
  }
}

function isList(value: readonly MsgpackValue[] | { readonly [key: string]: MsgpackValue }): value is readonly MsgpackValue[] {
  return Array.isArray(value);
}
