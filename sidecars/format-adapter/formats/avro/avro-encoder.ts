// pure
import { parseDecimal, rescale } from "../../mapping/decimal.ts";
import type { ValueType } from "../../mapping/types.ts";
import { daysOf, microsecondsOf } from "../exact-values.ts";
import { decimalPrecision } from "./avro-layout.ts";

/** Grows as it is written to; `length` may be set back. */
export class Encoder {
  #room = Buffer.allocUnsafe(65_536);
  length = 0;

  /** Valid until the next write. */
  get bytes(): Buffer {
    return this.#room.subarray(0, this.length);
  }

  /** A zigzag number. */
  long(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === "number" && Math.abs(value) < 2 ** 52) {
      let zigzag = value < 0 ? -2 * value - 1 : 2 * value;
      for (; zigzag > 0x7f; zigzag = Math.floor(zigzag / 128)) this.#room[this.length++] = (zigzag % 128) | 0x80;
      this.#room[this.length++] = zigzag;
      return;
    }
    const big = BigInt(value);
    let zigzag = big < 0n ? -2n * big - 1n : 2n * big;
    for (; zigzag > 0x7fn; zigzag >>= 7n) this.#room[this.length++] = Number(zigzag & 0x7fn) | 0x80;
    this.#room[this.length++] = Number(zigzag);
  }

  double(value: number): void {
    this.#reserve(8);
    this.length = this.#room.writeDoubleLE(value, this.length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#room[this.length++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#room.set(bytes, this.length);
    this.length += bytes.length;
  }

  string(text: string): void {
    const size = Buffer.byteLength(text);
    this.long(size);
    this.#reserve(size);
    this.length += this.#room.write(text, this.length);
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#room.length) return;
    const room = Buffer.allocUnsafe(Math.max(this.length + count, Math.min(2 * this.#room.length, this.#room.length + 4_194_304)));
    room.set(this.bytes);
    this.#room = room;
  }
}

/** Writes a value; false, with whatever written, when the type cannot hold it. */
export type Encode = (text: string, encoder: Encoder) => boolean;

export function encodeOf(type: ValueType | undefined): Encode {
  switch (type?.kind) {
    case "int64":
      return always((text, encoder) => encoder.long(text.length <= 15 ? Number(text) : BigInt(text)));
    case "bool":
      return always((text, encoder) => encoder.byte(text === "true" ? 1 : 0));
    case "number":
      return (text, encoder) => {
        encoder.double(Number(text));
        return isSameNumber(text, String(Number(text)));
      };
    case "decimal":
      return decimalEncoder(type.digits);
    case "date":
      return always((text, encoder) => encoder.long(daysOf(text)));
    case "timestamp":
      return (text, encoder) => {
        const value = microsecondsOf(text);
        encoder.long(value ?? 0);
        return value !== undefined;
      };
    case "string":
    case undefined:
      return always((text, encoder) => encoder.string(text));
  }
}

/** Of a type that holds whatever the mapping lets through. */
function always(write: (text: string, encoder: Encoder) => void): Encode {
  return (text, encoder) => {
    write(text, encoder);
    return true;
  };
}

function decimalEncoder(digits: number): Encode {
  const max = 10n ** BigInt(Math.max(decimalPrecision, digits));
  return (text, encoder) => {
    const decimal = parseDecimal(text);
    const found = decimal === undefined ? undefined : rescale(decimal, digits, "none")?.unscaled;
    if (found === undefined) return false;
    const unscaled = BigInt(found);
    if (unscaled >= max || unscaled <= -max) return false;
    const bytes = bytesOfInteger(unscaled);
    encoder.long(bytes.length);
    encoder.raw(bytes);
    return true;
  };
}

/** Two's complement in as few bytes as hold it, the highest first. */
export function bytesOfInteger(value: bigint): Uint8Array {
  let size = 1;
  while (BigInt.asIntN(size * 8, value) !== value) size++;
  return Buffer.from(BigInt.asUintN(size * 8, value).toString(16).padStart(size * 2, "0"), "hex");
}

/** Whether two numbers as JSON writes them are the same, digit by digit: 1.10 and 1.1e0 are, and no double stands between them. */
export function isSameNumber(left: string, right: string): boolean {
  const [one, other] = [digitsOf(left), digitsOf(right)];
  return one !== undefined && other !== undefined && one.digits === other.digits && (one.digits === "" || (one.exponent === other.exponent && one.sign === other.sign));
}

/** 0.digits × 10^exponent, without zeros at either end. */
function digitsOf(text: string): { readonly sign: string; readonly digits: string; readonly exponent: number } | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const all = whole + fraction;
  const digits = all.replace(/^0+/, "");
  return { sign, digits: digits.replace(/0+$/, ""), exponent: Number(exponent) + whole.length - (all.length - digits.length) };
}
