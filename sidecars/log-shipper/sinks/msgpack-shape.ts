// pure
import { incomplete, MalformedMessageError, skipValue } from "../forward-protocol/msgpack-reader.ts";

export function cutOff(): MalformedMessageError {
  return new MalformedMessageError("Cannot write a value as JSON: it is cut off");
}

export function skipWhole(bytes: Uint8Array, at: number): number {
  const end = skipValue(bytes, at, bytes.length);
  if (end === incomplete) throw cutOff();
  return end;
}

/** Bytes before a string's or binary's content, 0 for what is neither. */
export function stringHeaderBytes(type: number): number {
  if (type >= 0xa0 && type < 0xc0) return 1;
  if (type === 0xd9 || type === 0xc4) return 2;
  if (type === 0xda || type === 0xc5) return 3;
  return type === 0xdb || type === 0xc6 ? 5 : 0;
}

export function mapCount(bytes: Uint8Array, at: number): number {
  const type = bytes[at] ?? 0;
  if (type >= 0x80 && type < 0x90) return type & 15;
  if (type === 0xde) return uint(bytes, at + 1, 2);
  if (type === 0xdf) return uint(bytes, at + 1, 4);
  throw new MalformedMessageError("Cannot write a record as JSON: it is not a map");
}

export function mapHeaderBytes(bytes: Uint8Array, at: number): number {
  const type = bytes[at] ?? 0;
  return type < 0x90 ? 1 : type === 0xde ? 3 : 5;
}

export function uint(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) throw cutOff();
  let value = 0;
  for (let index = 0; index < width; index++) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}
