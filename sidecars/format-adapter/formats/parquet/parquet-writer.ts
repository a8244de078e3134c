// pure
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { SchemaElement } from "hyparquet";
import { ConversionError } from "../../conversion-error.ts";
import { parseDecimal, rescale } from "../../mapping/decimal.ts";
import type { ValueType } from "../../mapping/types.ts";
import { daysOf, microsecondsOf } from "../exact-values.ts";
import type { OutCell, RecordWriter } from "../writers.ts";
import { parquetLibrary } from "./load.ts";

export const parquetCodecs = ["none", "snappy", "gzip", "zstd"] as const;
export type ParquetCodec = (typeof parquetCodecs)[number];

/** A reader of row groups holds one in memory, and so does the writer. */
const rowsMax = 30_000;
const charsMax = 4_194_304;
const compressors = { GZIP: (bytes: Uint8Array): Uint8Array => gzipSync(bytes), ZSTD: (bytes: Uint8Array): Uint8Array => zstdCompressSync(bytes) };

/** How the values of a field are stored. `value` is undefined for one that does not fit. */
type Column = { readonly element: SchemaElement; readonly value: (text: string) => unknown };

/**
 * Writes Parquet, every column optional, in row groups of at most 30,000 records. int64, decimal (38 digits), bool, date and timestamp
 * (microseconds) fields are stored as such, all others as text. The libraries must be loaded. Deterministic.
 */
export function createParquetWriter(columns: readonly string[], types: readonly (ValueType | undefined)[], codec: ParquetCodec): RecordWriter {
  const { ByteWriter, ParquetWriter } = parquetLibrary();
  const made = columns.map((name, index) => columnOf(name, types[index]));
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes, compressors, createdBy: "podkit", codec: codec === "none" ? "UNCOMPRESSED" : codec === "snappy" ? "SNAPPY" : codec === "gzip" ? "GZIP" : "ZSTD",
    schema: [{ name: "root", num_children: columns.length }, ...made.map(({ element }) => element)],
  });
  let data: unknown[][] = columns.map(() => []);
  let rows = 0;
  let chars = 0;
  let record = 0;

  const taken = (): Uint8Array => {
    const piece = Uint8Array.from(bytes.getBytes());
    bytes.index = 0;
    return piece;
  };
  const flush = (): Uint8Array => {
    if (rows > 0) void writer.write({ columnData: columns.map((name, index) => ({ name, data: data[index] ?? [] })), rowGroupSize: rows });
    data = columns.map(() => []);
    [rows, chars] = [0, 0];
    return taken();
  };
  return {
    start: () => new Uint8Array(),
    row(cells: readonly OutCell[]) {
      record++;
      for (const [index, cell] of cells.entries()) {
        const isNull = cell.json === "null" || (cell.text === "" && types[index] !== undefined && types[index].kind !== "string");
        const value = isNull ? null : made[index]?.value(cell.text);
        if (value === undefined) throw new ConversionError("CAST", `the value does not fit its column's type (record ${record})`, { line: record, column: columns[index], sample: cell.text });
        data[index]?.push(value);
        chars += cell.text.length;
      }
      rows++;
      return rows === rowsMax || chars > charsMax ? flush() : "";
    },
    end() {
      const last = flush();
      void writer.finish();
      return Buffer.concat([last, taken()]);
    },
  };
}

const decimalMax = 10n ** 38n;

function columnOf(name: string, type: ValueType | undefined): Column {
  const optional = { name, repetition_type: "OPTIONAL" } as const;
  switch (type?.kind) {
    case "int64":
      return { element: { ...optional, type: "INT64" }, value: (text) => BigInt(text) };
    case "bool":
      return { element: { ...optional, type: "BOOLEAN" }, value: (text) => text === "true" };
    case "decimal":
      return {
        element: { ...optional, type: "FIXED_LEN_BYTE_ARRAY", type_length: 16, converted_type: "DECIMAL", logical_type: { type: "DECIMAL", precision: 38, scale: type.digits }, precision: 38, scale: type.digits },
        value(text) {
          const decimal = parseDecimal(text);
          const unscaled = decimal === undefined ? undefined : rescale(decimal, type.digits, "none")?.unscaled;
          const big = unscaled === undefined ? undefined : BigInt(unscaled);
          return big !== undefined && big < decimalMax && big > -decimalMax ? big : undefined;
        },
      };
    case "date":
      return { element: { ...optional, type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } }, value: daysOf };
    case "timestamp":
      return { element: { ...optional, type: "INT64", converted_type: "TIMESTAMP_MICROS", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" } }, value: microsecondsOf };
    case "string":
    case "number":
    case undefined:
      return { element: { ...optional, type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } }, value: (text) => text };
  }
}
