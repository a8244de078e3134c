import { gunzip } from "node:zlib";
import { promisify } from "node:util";
import { entrySpans } from "../chunk.ts";
import { decodeValue, incomplete, isMap, MalformedMessageError, skipValue, textOf, type Decoded } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** A client's message in any of the four modes, as PackedForward: the records' bytes are those that were sent. */
export type Transport = { readonly tag: string; readonly entries: Uint8Array; /** Of the entries (chunk.ts). */ readonly spans: Uint32Array; readonly chunk: Uint8Array | undefined };

const unzip = promisify(gunzip);

/**
 * Reads Message, Forward, PackedForward (entries as str or bin) and CompressedPackedForward. Throws MalformedMessageError for
 * anything else, and for compressed entries that would unpack to more than `bytesMax`.
 */
export async function readTransport(message: Buffer, bytesMax: number): Promise<Transport> {
  const parts = partsOf(message);
  const [tagPart, second, third, fourth] = parts;
  if (tagPart === undefined || second === undefined) throw new MalformedMessageError("Cannot accept a message: it has fewer than two parts");
  const tag = decodeValue(tagPart, 0).value;
  if (!(tag instanceof Uint8Array)) throw new MalformedMessageError("Cannot accept a message: its tag is not a string");
  const type = second[0] ?? 0;
  if (isArrayType(type)) return finish(tag, Buffer.concat(partsOf(second)), third);
  if (isBytesType(type)) {
    const options = optionsOf(third);
    const { value } = decodeValue(second, 0);
    const packed = value instanceof Uint8Array ? value : new Uint8Array(0);
    const entries = optionText(options, "compressed") === "gzip" ? await unpack(packed, bytesMax) : Uint8Array.from(packed);
    return finish(tag, entries, third);
  }
  if (third === undefined) throw new MalformedMessageError("Cannot accept a message: its record is missing");
  const writer = new MsgpackWriter(message.length + 16);
  writer.byte(0x92);
  writer.raw(second);
  writer.raw(third);
  return finish(tag, writer.copy(), fourth);
}

function finish(tag: Uint8Array, entries: Uint8Array, optionPart: Buffer | undefined): Transport {
  const chunk = optionsOf(optionPart)?.get("chunk");
  return { tag: textOf(tag), entries, spans: entrySpans(entries), chunk: chunk instanceof Uint8Array ? Uint8Array.from(chunk) : undefined };
}

async function unpack(packed: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  try {
    return await unzip(packed, { maxOutputLength: bytesMax });
  } catch (error) {
    throw new MalformedMessageError(`Cannot unpack compressed entries: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The elements of an array, as bytes. */
function partsOf(message: Buffer): readonly Buffer[] {
  const type = message[0] ?? 0;
  if (!isArrayType(type)) throw new MalformedMessageError("Cannot accept a message: it is not an array");
  const count = type < 0xa0 ? type & 15 : type === 0xdc ? message.readUInt16BE(1) : message.readUInt32BE(1);
  const parts: Buffer[] = [];
  let at = type < 0xa0 ? 1 : type === 0xdc ? 3 : 5;
  for (let index = 0; index < count; index++) {
    const end = skipValue(message, at, message.length);
    if (end === incomplete) throw new MalformedMessageError("Cannot accept a message: it is cut off");
    parts.push(message.subarray(at, end));
    at = end;
  }
  return parts;
}

function optionsOf(part: Buffer | undefined): ReadonlyMap<string, Decoded> | undefined {
  if (part === undefined) return undefined;
  const { value } = decodeValue(part, 0);
  return isMap(value) ? value : undefined;
}

function optionText(options: ReadonlyMap<string, Decoded> | undefined, key: string): string | undefined {
  const value = options?.get(key);
  return value instanceof Uint8Array ? textOf(value) : undefined;
}

function isArrayType(type: number): boolean {
  return (type >= 0x90 && type < 0xa0) || type === 0xdc || type === 0xdd;
}

function isBytesType(type: number): boolean {
  return (type >= 0xa0 && type < 0xc0) || (type >= 0xc4 && type <= 0xc6) || (type >= 0xd9 && type <= 0xdb);
}
