import avsc from "avsc";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, deflateRawSync, zstdCompressSync } from "node:zlib";
import { convertReport } from "../../../../../sidecars/format-adapter/convert.ts";
import { ConversionError } from "../../../../../sidecars/format-adapter/conversion-error.ts";
import { AvroReader, type AvroDialect } from "../../../../../sidecars/format-adapter/formats/avro/avro-reader.ts";
import type { ByteSource } from "../../../../../sidecars/format-adapter/formats/compression.ts";
import type { Mapping } from "../../../../../sidecars/format-adapter/mapping/mapping.ts";

/** avsc with 64-bit integers as bigints. */
const longType: unknown = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(0),
  toBuffer(value: bigint) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value, 0);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (left: bigint, right: bigint) => (left < right ? -1 : left > right ? 1 : 0),
});
export function oracleType(schema: unknown): avsc.Type {
  return avsc.Type.forSchema(schema as avsc.Schema, { registry: { long: longType as avsc.Type }, wrapUnions: true });
}

/** A file written by the oracle: metadata and sync marker are its own. */
export async function fileByOracle(schema: unknown, values: readonly unknown[], options: { readonly codec?: "null" | "deflate"; readonly blockSize?: number } = {}): Promise<Buffer> {
  const encoder = new avsc.streams.BlockEncoder(oracleType(schema), { codec: options.codec ?? "null", blockSize: options.blockSize ?? 65_536, writeHeader: true });
  const pieces: Buffer[] = [];
  const done = pipeline(encoder, new Writable({ write: (piece: Buffer, _, next) => {
    pieces.push(piece);
    next();
  } }));
  for (const value of values) encoder.write(value);
  encoder.end();
  await done;
  return Buffer.concat(pieces);
}

/** What the oracle reads in a file. */
export async function valuesByOracle(bytes: Buffer): Promise<{ readonly schema: unknown; readonly values: readonly unknown[] }> {
  let schema: unknown;
  const parseHook = (found: unknown): avsc.Type => oracleType((schema = found));
  const decoder = new avsc.streams.BlockDecoder({ parseHook, codecs: { null: (data: Buffer, next: (error: Error | null, unpacked?: Buffer) => void) => next(null, data), ...avsc.streams.BlockDecoder.defaultCodecs() } });
  const values: unknown[] = [];
  decoder.end(bytes);
  for await (const value of decoder) values.push(value);
  return { schema, values };
}

/** Without the classes of avsc; bytes as the integer that they are in two's complement. */
export function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return BigInt.asIntN(value.length * 8, BigInt(`0x${value.toString("hex")}`));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

export type Block = { readonly count: number | bigint; readonly data: Buffer; readonly sync?: Buffer; readonly size?: number };
export const sync = Buffer.from("0123456789abcdef");

/** Zigzag and variable length, written independently of the adapter. */
export function long(value: number | bigint): Buffer {
  let zigzag = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  for (; zigzag > 0x7fn; zigzag >>= 7n) bytes.push(Number(zigzag & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(zigzag)]);
}

export function text(value: string): Buffer {
  return Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)]);
}

/** A file put together by hand. */
export function fileOf(schema: unknown, blocks: readonly Block[], codec = "null"): Buffer {
  const schemaText = typeof schema === "string" && schema.startsWith("{") ? schema : JSON.stringify(schema);
  const header = [Buffer.from("Obj\u0001", "latin1"), long(2), text("avro.schema"), text(schemaText), text("avro.codec"), text(codec), long(0), sync];
  return Buffer.concat([...header, ...blocks.flatMap((block) => {
    const data = packed(codec, block.data);
    return [long(block.count), long(block.size ?? data.length), data, block.sync ?? sync];
  })]);
}

function packed(codec: string, data: Buffer): Buffer {
  if (codec === "deflate") return deflateRawSync(data);
  if (codec === "zstandard") return zstdCompressSync(data);
  if (codec !== "snappy") return data;
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(data));
  return Buffer.concat([snappyOf(data), check]);
}

/** Raw Snappy of literals, and of one copy that runs into itself where the data repeats one byte. */
export function snappyOf(data: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let rest = data.length; ; rest = Math.floor(rest / 128)) {
    pieces.push(Buffer.from([rest > 127 ? (rest % 128) | 128 : rest]));
    if (rest <= 127) break;
  }
  for (const [part = ""] of data.toString("latin1").matchAll(/([\s\S])\1{8,63}|[\s\S]/g)) {
    pieces.push(Buffer.from([0]), Buffer.from(part[0] ?? "", "latin1"));
    if (part.length > 1) pieces.push(Buffer.from([((part.length - 2) << 2) | 2, 1, 0]));
  }
  return Buffer.concat(pieces);
}

export type ReadOutcome = { readonly columns: readonly string[]; readonly rows: readonly (readonly (string | undefined)[])[]; readonly fault?: { readonly code: string; readonly message: string; readonly line: number; readonly column: string | undefined; readonly offset: number | undefined } };

/** Reads a file in pieces of this size: each row as the texts of its columns, a text in quotes. */
export function readAvro(bytes: Buffer, size = bytes.length, dialect: AvroDialect = { bytes: "utf8" }): ReadOutcome {
  let columns: readonly string[] = [];
  const rows: (string | undefined)[][] = [];
  try {
    const reader = new AvroReader(dialect, {
      onColumns: (names) => (columns = names),
      onRow: (row) => rows.push(columns.map((column) => (row.kind(column) === "text" ? JSON.stringify(row.text(column)) : row.text(column)))),
    });
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    reader.end();
    return { columns, rows };
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    const { code, message, line, column, offset } = error;
    return { columns, rows, fault: { code, message, line, column, offset } };
  }
}

export function sourceOf(bytes: Buffer, piece = Infinity): ByteSource {
  let at = 0;
  return {
    read(room) {
      const count = Math.min(room.length, piece, bytes.length - at);
      bytes.copy(room, 0, at, at + count);
      at += count;
      return Promise.resolve(count);
    },
  };
}

export async function convert(mapping: Mapping, bytes: Buffer): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await convertReport({ mapping, source: sourceOf(bytes), takeUnfinished: false, signal: new AbortController().signal, write: (piece) => {
    pieces.push(Buffer.from(piece));
    return Promise.resolve();
  } });
  return Buffer.concat(pieces);
}
