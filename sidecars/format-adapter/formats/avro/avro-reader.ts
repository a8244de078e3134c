// pure
import { ConversionError } from "../../conversion-error.ts";
import type { ByteReader } from "../byte-reader.ts";
import { expansionMax, freeBytes } from "../compression.ts";
import { readerLimitsDefault, type CellKind, type RecordHandler, type Row } from "../row.ts";
import { readCodecs, unpackBlock, type ReadCodec } from "./avro-codecs.ts";
import { Cursor, MoreWanted } from "./avro-cursor.ts";
import { readSchema } from "./avro-schema.ts";
import { Decoders, type AvroValue, type BytesForm, type Decode } from "./avro-values.ts";
import { PendingBytes } from "./pending-bytes.ts";

/** `bytes`: how bytes without a logical type become text. */
export type AvroDialect = { readonly bytes: BytesForm };

const magic = Buffer.from("Obj\u0001", "latin1");
const syncBytes = 16;
/** The schema is in the header. */
const headerBytesMax = 1_048_576;
/** Of a block, as it stands in the file and unpacked. Writers make blocks of 16 KB to 2 MB. */
export const blockBytesMax = 16_777_216;
/** Records, and characters of their values, that are handed out before there is a pause. */
const stepRecords = 1_000;
const stepChars = 262_144;
/** What a record costs beside its values. */
const recordChars = 16;

type Header = { readonly names: readonly string[]; readonly columns: ReadonlyMap<string, number>; readonly decoders: readonly Decode[]; readonly codec: ReadCodec; readonly sync: Buffer };

/**
 * Reads an Avro object container file (Avro 1.12 specification, "Object Container Files") block by block; what it holds of the file is one block.
 * A record's "line" is its number. Recursive types are read as far as 128 levels. A file that ends between two blocks is whole: nothing in
 * it tells how many there are to be.
 *
 * This is not avsc's work because that library decodes without limits (a count of 2^40 nulls, a block that unpacks to gigabytes), puts signs of its
 * own for bytes that are no UTF-8, makes code of schemas at run time, and tells neither block nor byte of a fault. It is the oracle of the tests.
 */
export class AvroReader implements ByteReader {
  readonly #handler: RecordHandler;
  readonly #dialect: AvroDialect;
  readonly #pending = new PendingBytes();
  #header: Header | undefined;
  /** The header has at least so many bytes. */
  #headerBytes = 0;
  #block = 0;
  #record = 0;
  #unpacked = 0;
  #packed = 0;
  #chars = 0;

  constructor(dialect: AvroDialect, handler: RecordHandler) {
    this.#dialect = dialect;
    this.#handler = handler;
  }

  push(bytes: Uint8Array): void {
    for (const _ of this.steps(bytes)) continue;
  }

  *steps(bytes: Uint8Array): Generator<void> {
    this.#pending.add(bytes);
    this.#header ??= this.#readHeader();
    const header = this.#header;
    if (header === undefined) return;
    for (let block = this.#nextBlock(header); block !== undefined; block = this.#nextBlock(header)) {
      yield* this.#records(header, block);
      this.#pending.drop(block.end);
    }
  }

  end(): void {
    const { length } = this.#pending.bytes;
    if (this.#header === undefined) throw new ConversionError("INCOMPLETE", "its header is not whole yet", { line: 1, offset: 0 });
    if (length > 0) throw new ConversionError("INCOMPLETE", `it ends inside of block ${this.#block + 1} (byte ${this.#pending.offset + length})`, { line: this.#record + 1, offset: this.#pending.offset });
  }

  #fail(code: "SYNTAX" | "LIMIT", message: string, at = 0): never {
    throw new ConversionError(code, message, { line: this.#record + 1, offset: this.#pending.offset + at });
  }

  /** Undefined when it is not there as a whole. */
  #readHeader(): Header | undefined {
    const { bytes } = this.#pending;
    const start = bytes.subarray(0, magic.length);
    if (!start.equals(magic.subarray(0, start.length))) this.#fail("SYNTAX", "not an Avro object container file: it does not begin with Obj and a byte 1");
    if (bytes.length < this.#headerBytes && bytes.length <= headerBytesMax) return undefined;
    const metadata = new Map<string, Buffer>();
    const cursor = new Cursor(bytes, undefined);
    try {
      cursor.take(magic.length);
      for (const count of cursor.counts()) {
        for (let index = 0; index < count; index++) metadata.set(cursor.string(), Buffer.from(cursor.bytesValue()));
      }
      const header = this.#headerOf(metadata, Buffer.from(cursor.take(syncBytes)));
      this.#pending.drop(cursor.at);
      this.#packed = cursor.at;
      this.#handler.onColumns(header.names, 1);
      return header;
    } catch (error) {
      if (!(error instanceof MoreWanted)) throw error;
      this.#headerBytes = error.wanted;
      if (bytes.length > headerBytesMax) this.#fail("LIMIT", `its header is larger than ${headerBytesMax} bytes`);
      return undefined;
    }
  }

  #headerOf(metadata: ReadonlyMap<string, Buffer>, sync: Buffer): Header {
    const named = metadata.get("avro.codec")?.toString() ?? "null";
    const codec = readCodecs.find((each) => each === named);
    if (codec === undefined) return this.#fail("SYNTAX", `its codec ${JSON.stringify(named.slice(0, 40))} is not supported; there are ${readCodecs.join(", ")}`);
    const text = metadata.get("avro.schema");
    if (text === undefined) return this.#fail("SYNTAX", "its header has no schema");
    const schema = readSchema(text.toString());
    if (schema.kind === "wrong") return this.#fail("SYNTAX", schema.reason);
    const { fields } = schema.record;
    const { columnsMax } = readerLimitsDefault;
    if (fields.length > columnsMax) return this.#fail("LIMIT", `${fields.length} fields, more than ${columnsMax}`);
    const decoders = new Decoders(this.#dialect.bytes);
    const names = fields.map(({ name }) => name);
    return { names, columns: new Map(names.map((name, index) => [name, index])), decoders: fields.map(({ type }) => decoders.of(type)), codec, sync };
  }

  /** The next block's data, and where it ends; undefined when it is not there as a whole. Its sync marker is checked before its data is looked at. */
  #nextBlock({ sync }: Header): { readonly count: number; readonly data: Buffer; readonly start: number; readonly end: number } | undefined {
    const { bytes, offset } = this.#pending;
    if (bytes.length === 0) return undefined;
    const head = new Cursor(bytes.subarray(0, 20), undefined);
    head.record = this.#record + 1;
    const describe = (at: number): string => `block ${this.#block + 1}, byte ${offset + at}`;
    const number = (what: string): number => {
      const start = head.at;
      const value = head.long();
      if (value < 0) this.#fail("SYNTAX", `${what} is ${value} (${describe(start)})`, start);
      return Number(value);
    };
    try {
      const count = number("the number of its records");
      const start = head.at;
      const size = number("the size of its data");
      if (size > blockBytesMax) this.#fail("LIMIT", `a block of ${size} bytes is larger than ${blockBytesMax}; have the application write smaller ones (${describe(start)})`, start);
      const end = head.at + size + syncBytes;
      if (bytes.length < end) {
        this.#pending.expect(end);
        return undefined;
      }
      if (!bytes.subarray(end - syncBytes, end).equals(sync)) this.#fail("SYNTAX", `behind its data the sync marker of this file is missing (${describe(end - syncBytes)})`, end - syncBytes);
      return { count, data: bytes.subarray(head.at, end - syncBytes), start: head.at, end };
    } catch (error) {
      if (error instanceof MoreWanted) return undefined;
      throw error;
    }
  }

  *#records({ codec, decoders, columns }: Header, { count, data, start }: { readonly count: number; readonly data: Buffer; readonly start: number }): Generator<void> {
    const number = ++this.#block;
    const offset = this.#pending.offset + start;
    const unpacked = unpackBlock(codec, data, blockBytesMax);
    if (unpacked.kind === "too large") this.#fail("LIMIT", `block ${number} unpacks to more than ${blockBytesMax} bytes (byte ${offset})`, start);
    if (unpacked.kind === "wrong") return this.#fail("SYNTAX", `block ${number} is no whole ${codec} data: ${unpacked.reason} (byte ${offset})`, start);
    this.#packed += data.length + start + syncBytes;
    this.#unpacked += unpacked.bytes.length;
    this.#checkExpansion(this.#unpacked, this.#packed, start);
    const isPlain = codec === "null";
    const cursor = new Cursor(unpacked.bytes, {
      describe: (at) => (isPlain ? `block ${number}, byte ${offset + at}` : `block ${number} at byte ${offset}, byte ${at} of its content`),
      offsetOf: (at) => (isPlain ? offset + at : offset),
    });
    const row = new AvroRow(columns);
    for (let [index, records, chars] = [0, 0, 0]; index < count; index++) {
      cursor.startRecord(++this.#record);
      row.line = this.#record;
      for (const [field, decode] of decoders.entries()) {
        cursor.column = row.names[field];
        row.values[field] = decode(cursor);
      }
      cursor.column = undefined;
      this.#handler.onRow(row);
      this.#chars += cursor.spent + recordChars;
      this.#checkExpansion(this.#chars, this.#unpacked * 4, start);
      chars += cursor.spent;
      if (++records < stepRecords && chars < stepChars) continue;
      yield;
      [records, chars] = [0, 0];
    }
    if (cursor.at !== unpacked.bytes.length) cursor.fail("SYNTAX", `behind the ${count} records of the block stand ${unpacked.bytes.length - cursor.at} bytes more`);
  }

  /** Records of no bytes, or of a few that unfold to much, are as good a bomb as packed ones. */
  #checkExpansion(large: number, small: number, at: number): void {
    if (large > freeBytes && large > small * expansionMax) this.#fail("LIMIT", `unpacked it is more than ${expansionMax} times as large; is it a bomb? (block ${this.#block})`, at);
  }
}

/** One for all records: its values are those of the record in hand. */
class AvroRow implements Row {
  line = 0;
  readonly names: readonly string[];
  readonly values: AvroValue[] = [];
  readonly #columns: ReadonlyMap<string, number>;

  constructor(columns: ReadonlyMap<string, number>) {
    this.#columns = columns;
    this.names = [...columns.keys()];
  }

  text(column: string): string | undefined {
    return this.#value(column)?.text;
  }

  kind(column: string): CellKind | undefined {
    return this.#value(column)?.kind;
  }

  #value(column: string): AvroValue | undefined {
    const index = this.#columns.get(column);
    return index === undefined ? undefined : this.values[index];
  }
}
