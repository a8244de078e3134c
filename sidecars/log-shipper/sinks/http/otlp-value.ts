// pure
import { incomplete, MalformedMessageError, skipValue } from "../../forward-protocol/msgpack-reader.ts";
import type { JsonWriter } from "../json-writer.ts";
import { mapCount, mapHeaderBytes, stringHeaderBytes } from "../msgpack-shape.ts";

/**
 * Writes the MessagePack value at `at` as an OTLP AnyValue in JSON and returns where it ends. 64-bit integers are decimal text, as in
 * every JSON of protobuf; one beyond 2^63 - 1 is a string, since OTLP has no type for it; null is the empty value; an extension, and
 * what is nested deeper than 60, is bytes.
 */
export function writeAnyValue(writer: JsonWriter, bytes: Uint8Array, at: number, depth = 0): number {
  const type = bytes[at] ?? 0xc1;
  const header = stringHeaderBytes(type);
  if (header > 0) {
    const end = endOf(bytes, at);
    writer.ascii('{"stringValue":');
    writer.string(bytes, at + header, end);
    writer.byte(0x7d);
    return end;
  }
  if (type < 0x80 || type >= 0xe0 || (type >= 0xcc && type <= 0xd3)) return writeInteger(writer, bytes, at, type);
  if (depth >= depthMax) return writeBytes(writer, bytes, at, at);
  if ((type >= 0x80 && type < 0x90) || type >= 0xde) {
    writer.ascii('{"kvlistValue":{"values":[');
    const end = writeKeyValues(writer, bytes, at, depth + 1);
    writer.ascii("]}}");
    return end;
  }
  if (type < 0xa0 || type === 0xdc || type === 0xdd) return writeArray(writer, bytes, at, type, depth);
  switch (type) {
    case 0xc0:
      writer.ascii("{}");
      return at + 1;
    case 0xc2:
    case 0xc3:
      writer.ascii(type === 0xc3 ? '{"boolValue":true}' : '{"boolValue":false}');
      return at + 1;
    case 0xca:
    case 0xcb: {
      writer.ascii('{"doubleValue":');
      const end = writer.value(bytes, at);
      writer.byte(0x7d);
      return end;
    }
    default:
      return writeBytes(writer, bytes, at, at + 1);
  }
}

/** The pairs of a map as KeyValues, `{"key":…,"value":…},…` without brackets; `skip` says which value positions to leave out. Returns where the map ends. */
export function writeKeyValues(writer: JsonWriter, bytes: Uint8Array, mapAt: number, depth: number, skip?: (valueAt: number) => boolean): number {
  const count = mapCount(bytes, mapAt);
  let at = mapAt + mapHeaderBytes(bytes, mapAt);
  let first = true;
  for (let pair = 0; pair < count; pair++) {
    const valueAt = endOf(bytes, at);
    if (skip?.(valueAt) === true) {
      at = endOf(bytes, valueAt);
      continue;
    }
    writer.ascii(first ? '{"key":' : ',{"key":');
    first = false;
    writeKey(writer, bytes, at, valueAt);
    writer.ascii(',"value":');
    at = writeAnyValue(writer, bytes, valueAt, depth);
    writer.byte(0x7d);
  }
  return at;
}

/** A key that is no string becomes the text of its JSON. */
function writeKey(writer: JsonWriter, bytes: Uint8Array, at: number, end: number): void {
  const header = stringHeaderBytes(bytes[at] ?? 0);
  if (header > 0) return writer.string(bytes, at + header, end);
  const begin = writer.length;
  writer.value(bytes, at);
  const text = writer.buffer.toString("latin1", begin, writer.length);
  writer.length = begin;
  const json = Buffer.from(text, "latin1");
  writer.string(json, 0, json.length);
}

function writeInteger(writer: JsonWriter, bytes: Uint8Array, at: number, type: number): number {
  const tooLarge = type === 0xcf && (bytes[at + 1] ?? 0) >= 0x80;
  writer.ascii(tooLarge ? '{"stringValue":"' : '{"intValue":"');
  const end = writer.value(bytes, at);
  writer.ascii('"}');
  return end;
}

function writeArray(writer: JsonWriter, bytes: Uint8Array, at: number, type: number, depth: number): number {
  const wide = type === 0xdc ? 2 : 4;
  let count = type & 15;
  if (type >= 0xdc) {
    count = 0;
    for (let index = 1; index <= wide; index++) count = count * 256 + (bytes[at + index] ?? 0);
  }
  let next = at + (type >= 0xdc ? 1 + wide : 1);
  writer.ascii('{"arrayValue":{"values":[');
  for (let index = 0; index < count; index++) {
    if (index > 0) writer.byte(0x2c);
    next = writeAnyValue(writer, bytes, next, depth + 1);
  }
  writer.ascii("]}}");
  return next;
}

function writeBytes(writer: JsonWriter, bytes: Uint8Array, at: number, from: number): number {
  const end = endOf(bytes, at);
  writer.ascii(`{"bytesValue":"${Buffer.from(bytes.subarray(from, end)).toString("base64")}"}`);
  return end;
}

const depthMax = 60;

function endOf(bytes: Uint8Array, at: number): number {
  const end = skipValue(bytes, at, bytes.length);
  if (end === incomplete) throw new MalformedMessageError("Cannot write a value as OTLP: it is cut off");
  return end;
}
