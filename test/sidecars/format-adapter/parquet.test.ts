import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { SchemaElement } from "hyparquet";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { convertReport } from "../../../sidecars/format-adapter/convert.ts";
import type { ByteSource } from "../../../sidecars/format-adapter/formats/compression.ts";
import type { RandomAccess } from "../../../sidecars/format-adapter/formats/parquet/parquet-pages.ts";
import type { Mapping } from "../../../sidecars/format-adapter/mapping/mapping.ts";
import { mappingOf } from "./support.ts";

function fileOf(bytes: Uint8Array): RandomAccess & ByteSource {
  let at = 0;
  return {
    size: bytes.length,
    readAt: (position, length) => Promise.resolve(Uint8Array.from(bytes.subarray(position, position + length))),
    read(room) {
      const count = Math.min(room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + count));
      at += count;
      return Promise.resolve(count);
    },
  };
}

async function convert(mapping: Mapping, bytes: Uint8Array): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const file = fileOf(bytes);
  await convertReport({ mapping, source: file, file, takeUnfinished: false, signal: new AbortController().signal, write: (piece) => {
    pieces.push(Buffer.from(piece));
    return Promise.resolve();
  } });
  return Buffer.concat(pieces);
}

async function codeOf(mapping: Mapping, bytes: Uint8Array): Promise<string> {
  try {
    await convert(mapping, bytes);
    return "converted";
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return error.code;
  }
}

const columns = "id: int64?, amount: decimal(4)?, ok: bool?, day: date?, at: timestamp?, name: string?, code: string?";
const fields = "{id: id, amount: amount, ok: ok, day: day, at: at, name: name, code: code}";
const toParquet = (codec: string): Mapping => mappingOf({ in: `{format: ndjson, columns: {${columns}}}`, out: `{format: parquet, codec: ${codec}, file: "/o/{name}"}`, fields });
const toNdjson = mappingOf({ in: `{format: parquet, columns: {${columns}}}`, out: '{format: ndjson, file: "/o/{name}"}', fields });
const records = [
  '{"id":9223372036854775807,"amount":1234567890123456789012345678901234.5600,"ok":true,"day":"2026-11-21","at":"2026-01-02T03:04:05.123456Z","name":"Zoë 🎈","code":"00123"}',
  '{"id":-9223372036854775808,"amount":-0.0001,"ok":false,"day":"1901-01-01","at":"1969-12-31T23:59:59.999999Z","name":"","code":"no"}',
  '{"id":9007199254740993,"amount":null,"ok":null,"day":null,"at":null,"name":null,"code":"1.10"}',
].map((line) => `${line}\n`).join("");

for (const codec of ["none", "snappy", "gzip", "zstd"]) {
  test(`${codec}: what was written is read back exactly, and written the same again`, async () => {
    const bytes = await convert(toParquet(codec), Buffer.from(records));
    assert.equal(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", bytes.length - 4), "PAR1PAR1");
    assert.equal((await convert(toNdjson, bytes)).toString(), records);
    assert.ok(bytes.equals(await convert(toParquet(codec), Buffer.from(records))));
  });
}

test("many records make several row groups, all read in order", async () => {
  const lines = Array.from({ length: 60_000 }, (_, index) => `{"id":${index},"code":"${index % 7}"}\n`).join("");
  const mapping = (input: string, output: string): Mapping => mappingOf({ in: `{format: ${input}, columns: {id: int64, code: string}}`, out: `{format: ${output}, file: "/o/{name}"}`, fields: "{id: id, code: code}" });
  const bytes = await convert(mapping("ndjson", "parquet"), Buffer.from(lines));
  assert.ok((await convert(mapping("parquet", "ndjson"), bytes)).equals(Buffer.from(lines)));
});

test("a file that is cut anywhere is not finished; one that is none is refused", async () => {
  const bytes = await convert(toParquet("none"), Buffer.from(records));
  for (let cut = 4; cut < bytes.length; cut += 7) assert.equal(await codeOf(toNdjson, bytes.subarray(0, cut)), "INCOMPLETE", `cut at ${cut}`);
  assert.equal(await codeOf(toNdjson, Buffer.from("id,name\n1,x\n")), "SYNTAX");
  const wrong = Buffer.from(bytes);
  wrong.writeUInt32LE(0xffff_ffff, wrong.length - 8);
  assert.equal(await codeOf(toNdjson, wrong), "LIMIT");
  const garbled = Buffer.from(bytes);
  garbled.fill(0xff, 4, garbled.length - 8);
  assert.equal(await codeOf(toNdjson, garbled), "SYNTAX");
});

test("values that the type cannot hold are refused", async () => {
  const line = (amount: string, at: string): Buffer => Buffer.from(`{"id":1,"amount":${amount},"ok":true,"day":"2026-01-01","at":"${at}","name":"x","code":"x"}\n`);
  assert.equal(await codeOf(toParquet("none"), line("1234567890123456789012345678901234567890.5", "2026-01-01T00:00:00Z")), "CAST");
  assert.equal(await codeOf(toParquet("none"), line("1", "2026-01-01T00:00:00.0000001Z")), "CAST");
});

test("a date that no calendar has is refused, not a fault of the adapter", async () => {
  await assert.rejects(async () => await cellsOf({ type: "INT32", repetition_type: "REQUIRED", converted_type: "DATE" }, [2_000_000_000]), { code: "CAST", column: "c" });
  await assert.rejects(async () => await cellsOf({ type: "INT64", repetition_type: "REQUIRED", converted_type: "TIMESTAMP_MILLIS" }, [2n ** 62n]), { code: "CAST", column: "c" });
});

/** A file of one column, written by the library alone. */
async function cellsOf(element: Omit<SchemaElement, "name">, data: unknown[], more: readonly SchemaElement[] = []): Promise<string> {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({ writer: bytes, codec: "UNCOMPRESSED", schema: [{ name: "root", num_children: 1 }, { name: "c", ...element }, ...more] });
  void writer.write({ columnData: [{ name: "c", data }] });
  void writer.finish();
  const mapping = mappingOf({ in: "{format: parquet}", out: '{format: ndjson, file: "/o/{name}"}', fields: "{c: c}" });
  return (await convert(mapping, bytes.getBytes())).toString().replaceAll(/^\{"c":(.*)\}$/gm, "$1").trim().replaceAll("\n", " ");
}

const check = (name: string, element: Omit<SchemaElement, "name">, data: unknown[], expected: string, more: readonly SchemaElement[] = []): void => {
  test(`${name} are exact`, async () => assert.equal(await cellsOf(element, data, more), expected));
};
check("64-bit integers", { type: "INT64", repetition_type: "REQUIRED" }, [9223372036854775807n, -1n], "9223372036854775807 -1");
check("unsigned 64-bit integers", { type: "INT64", repetition_type: "REQUIRED", converted_type: "UINT_64" }, [18446744073709551615n, 1n], "18446744073709551615 1");
check("decimals in 64 bits", { type: "INT64", repetition_type: "REQUIRED", converted_type: "DECIMAL", scale: 2, precision: 18 }, [151166560000000056n, -5n], "1511665600000000.56 -0.05");
check("doubles", { type: "DOUBLE", repetition_type: "REQUIRED" }, [0.1, 1e21, -0, NaN, Infinity], '0.1 1e+21 -0 "NaN" "Infinity"');
check("floats", { type: "FLOAT", repetition_type: "REQUIRED" }, [0.1, 16777216, 3.4028235e38], "0.1 16777216 3.4028235e+38");
check("milliseconds", { type: "INT64", repetition_type: "REQUIRED", converted_type: "TIMESTAMP_MILLIS" }, [1n, -1n], '"1970-01-01T00:00:00.001Z" "1969-12-31T23:59:59.999Z"');
check("nanoseconds of local time", { type: "INT64", repetition_type: "REQUIRED", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "NANOS" } }, [1_700_000_000_000_000_001n], '"2023-11-14T22:13:20.000000001"');
check("days", { type: "INT32", repetition_type: "REQUIRED", converted_type: "DATE" }, [0, -719162], '"1970-01-01" "0001-01-01"');
check("texts", { type: "BYTE_ARRAY", repetition_type: "OPTIONAL", converted_type: "UTF8" }, ["\uFEFFa", null], '"\uFEFFa" null');
check("lists", { repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" }, [["1", "00123"], null, []], '["1","00123"] null []', [{ name: "list", repetition_type: "REPEATED", num_children: 1 }, { name: "element", repetition_type: "OPTIONAL", type: "BYTE_ARRAY", converted_type: "UTF8" }]);
check("records within records", { repetition_type: "OPTIONAL", num_children: 2 }, [{ id: 9007199254740993n, d: 150n }], '{"id":9007199254740993,"d":1.50}', [{ name: "id", repetition_type: "OPTIONAL", type: "INT64" }, { name: "d", repetition_type: "OPTIONAL", type: "INT64", converted_type: "DECIMAL", scale: 2, precision: 18 }]);

/** A file of one column of integers, in row groups of so many. */
function integers(count: number, group: number, codec: "UNCOMPRESSED" | "SNAPPY" = "UNCOMPRESSED"): Buffer {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({ writer: bytes, codec, schema: [{ name: "root", num_children: 1 }, { name: "c", type: "INT64", repetition_type: "REQUIRED" }] });
  void writer.write({ columnData: [{ name: "c", data: Array.from({ length: count }, (_, index) => BigInt(index)), encoding: "PLAIN" }], rowGroupSize: group });
  void writer.finish();
  return Buffer.from(bytes.getBytes());
}

const cToNdjson = mappingOf({ in: "{format: parquet}", out: '{format: ndjson, file: "/o/{name}"}', fields: "{c: c}" });

async function faultOf(bytes: Uint8Array): Promise<Pick<ConversionError, "code" | "message" | "line">> {
  try {
    await convert(cToNdjson, bytes);
    return assert.fail("converted");
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return error;
  }
}

test("row groups are handed out a thousand records at a time, and no group before the one before it is written", async () => {
  const bytes = integers(5_000, 2_500);
  const pieces: number[] = [];
  await convertReport({ mapping: cToNdjson, source: fileOf(bytes), file: fileOf(bytes), takeUnfinished: false, signal: new AbortController().signal, write: (piece) => {
    pieces.push(Buffer.from(piece).toString().split("\n").length - 1);
    return Promise.resolve();
  } });
  assert.deepEqual(pieces, [1_000, 1_000, 500, 1_000, 1_000, 500]);
});

/** The footer's thrift text with one number changed for another of the same length. */
function withLie(bytes: Buffer, from: number, to: number): Buffer {
  const zigzag = (value: number): Buffer => {
    const all: number[] = [];
    for (let rest = value * 2; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) return Buffer.from([...all, rest]);
      all.push((rest % 128) | 128);
    }
  };
  const [search, replacement] = [zigzag(from), zigzag(to)];
  assert.equal(search.length, replacement.length);
  const lie = Buffer.from(bytes);
  const footer = lie.length - 8 - lie.readUInt32LE(lie.length - 8);
  let found = 0;
  for (let at = lie.indexOf(search, footer); at >= 0 && at < lie.length - 8; at = lie.indexOf(search, at + search.length)) {
    replacement.copy(lie, at);
    found++;
  }
  assert.ok(found > 0);
  return lie;
}

test("a footer that tells of more records than there are is refused", async () => {
  const { code, message } = await faultOf(withLie(integers(1_000, 1_000), 1_000, 7_000));
  assert.deepEqual([code, message], ["SYNTAX", "the footer says that a column has 7000 values, its pages say 1000 (row group 1)"]);
});

/** The first page's header with another size or count: fields 2 (unpacked size) and 5.1 (values) of PageHeader, written as five bytes each. */
async function withPage(o: { readonly unpacked: number; readonly values: number; readonly codec: "GZIP" | "ZSTD" | "SNAPPY" | "UNCOMPRESSED"; readonly data: Buffer; readonly at?: bigint }): Promise<Buffer> {
  const varint = (value: number): Buffer => Buffer.from([0, 7, 14, 21, 28].map((shift, index) => (Math.floor((value * 2) / 2 ** shift) % 128) | (index < 4 ? 128 : 0)));
  const field = (delta: number, value: number): Buffer => Buffer.concat([Buffer.from([(delta << 4) | 5]), varint(value)]);
  const page = Buffer.concat([
    field(1, 0), field(1, o.unpacked), field(1, o.data.length),
    Buffer.from([0x2c]), field(1, o.values), field(1, 0), field(1, 3), field(1, 3), Buffer.from([0, 0]), o.data,
  ]);
  const bytes = new ByteWriter();
  bytes.appendUint32(0x31524150);
  bytes.appendBytes(page);
  const start = bytes.index;
  const element: SchemaElement = { name: "c", type: "INT64", repetition_type: "REQUIRED" };
  const { writeMetadata } = await import("hyparquet-writer/src/metadata.js");
  writeMetadata(bytes, { version: 2, created_by: "x", metadata_length: 0, num_rows: BigInt(o.values), schema: [{ name: "root", num_children: 1 }, element], row_groups: [{
    total_byte_size: 100n, num_rows: BigInt(o.values),
    columns: [{ file_offset: 4n, meta_data: { type: "INT64", encodings: ["PLAIN"], path_in_schema: ["c"], codec: o.codec, num_values: BigInt(o.values), total_uncompressed_size: 100n, total_compressed_size: BigInt(start - 4), data_page_offset: o.at ?? 4n } }],
  }] });
  bytes.appendUint32(0x31524150);
  return Buffer.from(bytes.getBytes());
}

test("a file of one page made by hand is read", async () => {
  const data = Buffer.alloc(16);
  data.writeBigInt64LE(7n, 8);
  assert.equal((await convert(cToNdjson, await withPage({ unpacked: 16, values: 2, codec: "UNCOMPRESSED", data }))).toString(), '{"c":0}\n{"c":7}\n');
});

test("a footer that tells of places outside of the file is refused", async () => {
  for (const at of [100_000n, 0n, -5n, 20n, 2n ** 62n]) {
    const { code, message } = await faultOf(await withPage({ unpacked: 16, values: 2, codec: "UNCOMPRESSED", data: Buffer.alloc(400), at }));
    assert.equal(code, "SYNTAX");
    assert.match(message, at === 20n ? /is none|no end|is not in the file/ : /the footer says that a column is at -?\d+ to -?\d+, which is not in the file/);
  }
});

const zeros = Buffer.alloc(100_000_000);
const packed = { GZIP: gzipSync(zeros, { level: 1 }), ZSTD: zstdCompressSync(zeros), SNAPPY: Buffer.from([0x80, 0xc2, 0xd7, 0x2f, 0, 0]) } as const;
for (const codec of ["GZIP", "ZSTD", "SNAPPY"] as const) {
  test(`${codec}: a page that becomes larger than a row group may be is refused before it is unpacked, and one that lies about it too`, async () => {
    const told = await faultOf(await withPage({ unpacked: 100_000_000, values: 1_000_000, codec, data: packed[codec] }));
    assert.deepEqual([told.code, told.message], ["LIMIT", "a row group unpacks to more than 67108864 bytes; have the application write smaller ones (row group 1, byte 4)"]);
    const lie = await faultOf(await withPage({ unpacked: 80, values: 10, codec, data: packed[codec] }));
    assert.equal(lie.code, "SYNTAX");
  });
}

test("more values than a row group may have are refused before room is made for them", async () => {
  const { code, message } = await faultOf(await withPage({ unpacked: 1_000, values: 2_000_000_000, codec: "UNCOMPRESSED", data: Buffer.alloc(1_000) }));
  assert.deepEqual([code, message], ["LIMIT", "a row group has more than 8388608 values; have the application write smaller ones (row group 1, byte 4)"]);
});

test("whatever one byte is changed to, the outcome is records or a fault of the file", async () => {
  const bytes = integers(40, 20, "SNAPPY");
  for (let at = 0; at < bytes.length; at++) {
    const wrong = Buffer.from(bytes);
    wrong[at] = (wrong[at] ?? 0) ^ 0x11;
    await codeOf(cToNdjson, wrong);
  }
});

test("a text that is not UTF-8 is refused with its record, and none of its bytes becomes another", async () => {
  const element: Omit<SchemaElement, "name"> = { type: "BYTE_ARRAY", repetition_type: "REQUIRED", converted_type: "UTF8" };
  await assert.rejects(async () => await cellsOf({ ...element }, ["a", "b", Uint8Array.of(0xc3, 0x28)]), { code: "CAST", column: "c", line: 3 });
  assert.equal(await cellsOf({ ...element }, ["\uFFFD", "Zoë"]), '"\uFFFD" "Zoë"');
});
