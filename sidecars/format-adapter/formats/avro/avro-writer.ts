// pure
import { createHash } from "node:crypto";
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import { ConversionError } from "../../conversion-error.ts";
import type { ValueType } from "../../mapping/types.ts";
import type { OutCell, RecordWriter } from "../writers.ts";
import { Encoder, encodeOf } from "./avro-encoder.ts";
import { avroSchema, isNullable, type AvroNames } from "./avro-layout.ts";
import { blockBytesMax } from "./avro-reader.ts";

/** Two stand for a codec's own name: Avro calls them null and zstandard. */
export const writeCodecs = ["deflate", "none", "zstd"] as const;
export type WriteCodec = (typeof writeCodecs)[number];
export type AvroLayout = AvroNames & { readonly codec: WriteCodec };

const codecNames = { none: "null", deflate: "deflate", zstd: "zstandard" } as const;
/** Before it is packed. */
const blockBytes = 65_536;
/** A block is to be within what is read back. */
const recordBytesMax = blockBytesMax - blockBytes;

/**
 * Writes an Avro object container file, its schema by the types that the mapping knows. The same records give the same bytes: the sync marker, which
 * the specification wants random, is a hash of the header and the first block, so that it differs from file to file all the same. A record
 * that is refused leaves nothing behind.
 */
export function createAvroWriter(columns: readonly string[], types: readonly (ValueType | undefined)[], layout: AvroLayout): RecordWriter {
  const schema = avroSchema(columns, types, layout, (reason) => {
    throw new ConversionError("NAME", reason, { line: 1 });
  });
  const fields = columns.map((name, index) => ({ name, isNullable: isNullable(types[index]), isText: types[index] === undefined || types[index].kind === "string", encode: encodeOf(types[index]) }));
  const encoder = new Encoder();
  let sync: Buffer | undefined;
  let rows = 0;
  let record = 0;

  const encodeField = ({ name, isNullable: nullable, isText, encode }: (typeof fields)[number], { text, json }: OutCell): void => {
    const isNull = json === "null" || (text === "" && !isText);
    const fail = (message: string): never => {
      throw new ConversionError("CAST", `${message} (record ${record})`, { line: record, column: name, sample: text });
    };
    if (isNull && !nullable) fail("there is no value, and its type has no ? behind it");
    if (nullable) encoder.long(isNull ? 0 : 1);
    if (!isNull && !encode(text, encoder)) fail("the value does not fit its column's type");
  };
  const flush = (): Uint8Array => {
    if (rows === 0 && sync !== undefined) return new Uint8Array();
    const head = new Encoder();
    if (sync === undefined) {
      writeHeader(head, schema, codecNames[layout.codec]);
      sync = createHash("sha256").update(head.bytes).update(encoder.bytes).digest().subarray(0, 16);
      head.raw(sync);
    }
    if (rows === 0) return Uint8Array.from(head.bytes);
    const data = pack(layout.codec, encoder.bytes);
    head.long(rows);
    head.long(data.length);
    const piece = Buffer.concat([head.bytes, data, sync]);
    [rows, encoder.length] = [0, 0];
    return piece;
  };
  return {
    start: () => new Uint8Array(),
    row(cells) {
      record++;
      const before = encoder.length;
      try {
        for (const [index, field] of fields.entries()) encodeField(field, cells[index] ?? { text: "", json: "null" });
        if (encoder.length - before > recordBytesMax) throw new ConversionError("LIMIT", `a record of ${encoder.length - before} bytes is larger than ${recordBytesMax} (record ${record})`, { line: record });
      } catch (error) {
        encoder.length = before;
        throw error;
      }
      rows++;
      return encoder.length >= blockBytes ? flush() : "";
    },
    end: () => flush(),
  };
}

function writeHeader(encoder: Encoder, schema: string, codec: string): void {
  encoder.raw(Buffer.from("Obj\u0001", "latin1"));
  encoder.long(2);
  encoder.string("avro.codec");
  encoder.string(codec);
  encoder.string("avro.schema");
  encoder.string(schema);
  encoder.long(0);
}

function pack(codec: WriteCodec, bytes: Buffer): Uint8Array {
  switch (codec) {
    case "none":
      return bytes;
    case "deflate":
      return deflateRawSync(bytes);
    case "zstd":
      return zstdCompressSync(bytes);
  }
}
