import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import { entrySpans } from "../delivery/chunk.ts";
import { decodeValue, incomplete, isMap, MalformedMessageError, skipValue, textOf, type Decoded } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** A client's message in any of the four modes, as PackedForward: the records' bytes are those that were sent. */
export type Transport = { readonly tag: string; readonly entries: Uint8Array; /** Of the entries (chunk.ts). */ readonly spans: Uint32Array; readonly chunk: Uint8Array | undefined };

const unpackers: Readonly<Record<string, (packed: Uint8Array, bytesMax: number) => Promise<Uint8Array>>> = {
  gzip: async (packed, bytesMax) => await gunzipped(packed, { maxOutputLength: bytesMax }),
  zstd: unpackZstd,
};
const gunzipped = promisify(gunzip);

/** Longest tag and longest options of a message: both are decoded as a whole. */
const tagBytesMax = 4_096;
const optionBytesMax = 65_536;
/** A message has two to four parts. */
const partsMax = 4;

/**
 * Reads Message, Forward, PackedForward (entries as str or bin) and CompressedPackedForward (gzip, zstd). Throws
 * MalformedMessageError for anything else, and for compressed entries that would unpack to more than `bytesMax`. Memory and time
 * are bounded by the message's own bytes, whatever counts and depths it claims.
 */
export async function readTransport(message: Buffer, bytesMax: number): Promise<Transport> {
  const [tagPart, second, third, fourth] = partsOf(message);
  if (tagPart === undefined || second === undefined) throw new MalformedMessageError("Cannot accept a message: it has fewer than two parts");
  const tag = tagOf(tagPart);
  const type = second[0] ?? 0;
  if (isArrayType(type)) return finish(tag, Uint8Array.from(second.subarray(arrayHeader(second).width)), optionsOf(third));
  if (isBytesType(type)) {
    const options = optionsOf(third);
    return finish(tag, await unpack(bytesOf(second), optionText(options, "compressed"), bytesMax), options);
  }
  if (third === undefined) throw new MalformedMessageError("Cannot accept a message: its record is missing");
  const writer = new MsgpackWriter(message.length + 16);
  writer.byte(0x92);
  writer.raw(second);
  writer.raw(third);
  return finish(tag, writer.copy(), optionsOf(fourth));
}

function finish(tag: string, entries: Uint8Array, options: ReadonlyMap<string, Decoded> | undefined): Transport {
  const chunk = options?.get("chunk");
  return { tag, entries, spans: entrySpans(entries), chunk: chunk instanceof Uint8Array ? Uint8Array.from(chunk) : undefined };
}

function tagOf(part: Buffer): string {
  const tag = part.length <= tagBytesMax && isBytesType(part[0] ?? 0) ? decodeValue(part, 0).value : undefined;
  if (!(tag instanceof Uint8Array)) throw new MalformedMessageError(`Cannot accept a message: its tag is not a string of at most ${tagBytesMax} bytes`);
  return textOf(tag);
}

function bytesOf(part: Buffer): Uint8Array {
  const { value } = decodeValue(part, 0);
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

/** The entries, which are the caller's own. */
async function unpack(packed: Uint8Array, compressed: string | undefined, bytesMax: number): Promise<Uint8Array> {
  if (compressed === undefined || compressed === "" || compressed === "text") return Uint8Array.from(packed);
  const unpacker = Object.hasOwn(unpackers, compressed) ? unpackers[compressed] : undefined;
  if (unpacker === undefined) throw new MalformedMessageError(`Cannot accept a message: its entries are compressed by "${compressed.slice(0, 20)}"; gzip and zstd are known`);
  try {
    return await unpacker(packed, bytesMax);
  } catch (error) {
    throw new MalformedMessageError(`Cannot unpack compressed entries: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** All frames, one after the other: a sender that compresses as it collects makes many, and node:zlib stops after the first. */
async function unpackZstd(packed: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (let at = 0; at < packed.length; ) {
    const { content, consumed } = await unpackZstdFrame(packed.subarray(at), bytesMax - bytes);
    if (consumed <= 0) throw new Error("a frame is empty");
    if (content.length > 0) pieces.push(content);
    bytes += content.length;
    at += consumed;
  }
  return Buffer.concat(pieces);
}

function unpackZstdFrame(packed: Uint8Array, bytesMax: number): Promise<{ readonly content: Uint8Array; readonly consumed: number }> {
  return new Promise((resolve, reject) => {
    // At least one byte: zero would mean no limit of its own.
    zstdDecompress(packed, { maxOutputLength: Math.max(1, bytesMax), info: true }, (error, result: unknown) => {
      if (error !== null) return reject(error);
      if (isInformed(result)) return resolve({ content: result.buffer, consumed: result.engine.bytesWritten });
      reject(new Error("node:zlib does not tell how much it has read"));
    });
  });
}

/** What zlib gives with `info: true`; its types do not say so. */
function isInformed(result: unknown): result is { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } } {
  return typeof result === "object" && result !== null && "buffer" in result && Buffer.isBuffer(result.buffer) && "engine" in result;
}

/** The elements of the message, as bytes. */
function partsOf(message: Buffer): readonly Buffer[] {
  if (!isArrayType(message[0] ?? 0)) throw new MalformedMessageError("Cannot accept a message: it is not an array");
  const { count, width } = arrayHeader(message);
  if (count > partsMax) throw new MalformedMessageError(`Cannot accept a message: it has ${count} parts, at most ${partsMax} are known`);
  const parts: Buffer[] = [];
  let at = width;
  for (let index = 0; index < count; index++) {
    const end = skipValue(message, at, message.length);
    if (end === incomplete) throw new MalformedMessageError("Cannot accept a message: it is cut off");
    parts.push(message.subarray(at, end));
    at = end;
  }
  return parts;
}

function arrayHeader(bytes: Buffer): { readonly count: number; readonly width: number } {
  const type = bytes[0] ?? 0;
  if (type < 0xa0) return { count: type & 15, width: 1 };
  return type === 0xdc ? { count: bytes.readUInt16BE(1), width: 3 } : { count: bytes.readUInt32BE(1), width: 5 };
}

function optionsOf(part: Buffer | undefined): ReadonlyMap<string, Decoded> | undefined {
  if (part === undefined) return undefined;
  if (part.length > optionBytesMax) throw new MalformedMessageError(`Cannot accept a message: its options have ${part.length} bytes, at most ${optionBytesMax} are read`);
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
