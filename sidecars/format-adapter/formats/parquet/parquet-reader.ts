// pure
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { SchemaElement, SchemaTree } from "hyparquet";
import { ConversionError } from "../../conversion-error.ts";
import { readerLimitsDefault, type RecordHandler } from "../row.ts";
import { RecordSink } from "../tree.ts";
import { loadParquet } from "./load.ts";
import { parquetTree, type Meaning } from "./parquet-values.ts";

/** A report whose parts are read where they stand. */
export type RandomAccess = { readonly size: number; readAt(position: number, length: number): Promise<Uint8Array<ArrayBuffer>> };

const magic = "PAR1";
/** Unpacked; the values take several times as much while they are handed out. */
const rowGroupBytesMax = 67_108_864;
const footerBytesMax = 16_777_216;

/** Unpacks no more than the file says; what says more than a row group may have is refused before. */
const compressors = {
  GZIP: (bytes: Uint8Array, size: number): Uint8Array => gunzipSync(bytes, { maxOutputLength: size }),
  ZSTD: (bytes: Uint8Array, size: number): Uint8Array => zstdDecompressSync(bytes, { maxOutputLength: size }),
};

/**
 * Reads Parquet by row groups, each held in memory. Integers, decimals, dates and times are exact; a record's "line" is its number. A file without
 * its footer is INCOMPLETE, a row group of more than 64 MiB LIMIT. Codecs: none, snappy, gzip, zstd.
 */
export async function readParquet(file: RandomAccess, handler: RecordHandler, options: { readonly signal: AbortSignal; readonly onGroup: () => Promise<void> }): Promise<void> {
  await checkEnds(file);
  const library = await loadParquet();
  const buffer = { byteLength: file.size, slice: async (start: number, end = file.size): Promise<ArrayBuffer> => (await file.readAt(start, end - start)).buffer };
  const metadata = await explained(async () => await library.parquetMetadataAsync(buffer, { geoparquet: false }));
  const tree = library.parquetSchema(metadata);
  const meanings = new Map<SchemaElement, Meaning>();
  stripMeanings(tree, meanings, false);
  const sink = new RecordSink(handler, readerLimitsDefault);
  let record = 0;
  for (const group of metadata.row_groups) {
    options.signal.throwIfAborted();
    if (group.total_byte_size > rowGroupBytesMax) throw new ConversionError("LIMIT", `a row group is larger than ${rowGroupBytesMax} bytes; have the application write smaller ones`, { line: record + 1 });
    const rowStart = record;
    const rowEnd = record + Number(group.num_rows);
    const rows = await explained(async () => {
      let found: readonly unknown[][] = [];
      await library.parquetRead({ file: buffer, metadata, rowStart, rowEnd, rowFormat: "array", utf8: false, useOffsetIndex: false, compressors, parsers: { timestampFromNanoseconds: (nanos: bigint) => nanos }, onComplete: (all: unknown[][]) => void (found = all) });
      return found;
    });
    for (const row of rows) {
      record++;
      sink.take({ kind: "map", line: record, entries: new Map(tree.children.map((child, index) => [child.element.name, parquetTree(row[index], child, meanings, record)])) });
    }
    await options.onGroup();
  }
}

async function checkEnds(file: RandomAccess): Promise<void> {
  const text = async (position: number): Promise<string> => Buffer.from(await file.readAt(position, 4)).toString("latin1");
  const isBegun = file.size >= 4;
  if (isBegun && (await text(0)) !== magic) throw new ConversionError("SYNTAX", "not a Parquet file", { line: 1 });
  if (file.size < 12 || (await text(file.size - 4)) !== magic) throw new ConversionError("INCOMPLETE", "the footer is not there yet", { line: 1 });
  const footer = Buffer.from(await file.readAt(file.size - 8, 4)).readUInt32LE(0);
  if (footer > footerBytesMax) throw new ConversionError("LIMIT", `its footer is larger than ${footerBytesMax} bytes`, { line: 1 });
}

/** Takes from the leaves what the library would act upon. The keys of maps stay texts: they become keys. */
function stripMeanings(node: SchemaTree, meanings: Map<SchemaElement, Meaning>, isKey: boolean): void {
  const { element, children } = node;
  if (element.logical_type?.type === "VARIANT") throw new ConversionError("CAST", `the column "${element.name}" is a variant, which is not supported`, { line: 1, column: element.name });
  if (children.length === 0 && !isKey) {
    meanings.set(element, { ...element });
    delete element.converted_type;
    delete element.logical_type;
  }
  const isPair = element.converted_type === "MAP" || element.logical_type?.type === "MAP";
  for (const child of children) for (const [index, inner] of isPair ? child.children.entries() : [[-1, child] as const]) stripMeanings(inner, meanings, isPair && index === 0);
}

/** What the library says of a file that is not right. */
async function explained<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    // A fault of the system has a code, as has zlib's, which is the file's.
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (error instanceof ConversionError || !(error instanceof Error) || (code !== "" && !/^(?:Z_|ZSTD_|ERR_)/.test(code))) throw error;
    throw new ConversionError("SYNTAX", `not a Parquet file that can be read: ${error.message}`, { line: 1 });
  }
}
