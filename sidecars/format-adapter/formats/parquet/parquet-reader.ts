// pure
import type { DecodedArray, FileMetaData, RowGroup, SchemaElement, SchemaTree } from "hyparquet";
import { ConversionError } from "../../conversion-error.ts";
import { expansionMax, freeBytes } from "../compression.ts";
import { utf8Text } from "../exact-values.ts";
import { readerLimitsDefault, type RecordHandler } from "../row.ts";
import { RecordSink } from "../tree.ts";
import { loadParquet } from "./load.ts";
import { checkPages, compressors, groupBytesMax, type RandomAccess } from "./parquet-pages.ts";
import { parquetTree, type Meaning } from "./parquet-values.ts";

const magic = "PAR1";
const footerBytesMax = 16_777_216;
/** Records, and characters of their values, that are handed out before there is a pause. */
const stepRecords = 1_000;
const stepChars = 1_048_576;

/**
 * Reads Parquet by row groups, each held in memory column by column. Integers, decimals, dates and times are exact; a record's "line" is its number. A
 * file without its footer is INCOMPLETE; LIMIT: a row group of more than 64 MiB unpacked or 8 Mi values. Codecs: none, snappy, gzip, zstd. Not
 * bounded: what strings packed as differences (DELTA_BYTE_ARRAY) become, of a file that was made to harm.
 */
export async function readParquet(file: RandomAccess, handler: RecordHandler, options: { readonly signal: AbortSignal; readonly onStep: () => Promise<void> }): Promise<void> {
  await checkEnds(file);
  const library = await loadParquet();
  const buffer = { byteLength: file.size, slice: async (start: number, end = file.size): Promise<ArrayBuffer> => (await file.readAt(start, end - start)).buffer };
  const meanings = new Map<SchemaElement, Meaning>();
  const { metadata, tree } = await explained(async () => {
    const found = await library.parquetMetadataAsync(buffer, { geoparquet: false });
    const root = library.parquetSchema(found);
    stripMeanings(root, meanings, false);
    return { metadata: found, tree: root };
  });
  const report: Report = { file, buffer, metadata, tree, meanings, sink: new RecordSink(handler, readerLimitsDefault), record: 0, chars: 0, ...options };
  for (const [index, group] of metadata.row_groups.entries()) {
    options.signal.throwIfAborted();
    await readGroup(report, group, index + 1);
  }
}

type FileBuffer = { readonly byteLength: number; slice(start: number, end?: number): Promise<ArrayBuffer> };
/** `record`: the number of records that were handed out; `chars`: what their values took. */
type Report = {
  readonly file: RandomAccess; readonly buffer: FileBuffer; readonly metadata: FileMetaData; readonly tree: SchemaTree; readonly meanings: ReadonlyMap<SchemaElement, Meaning>;
  readonly sink: RecordSink; readonly signal: AbortSignal; readonly onStep: () => Promise<void>; record: number; chars: number;
};

/** A function of its own, so that the values of a group are gone before the next one is read. */
async function readGroup(report: Report, group: RowGroup, number: number): Promise<void> {
  const { file, buffer, metadata, tree, meanings, sink, signal, onStep } = report;
  const count = await checkGroup(file, group, { group: number, record: report.record });
  const columns = await explained(async () => await columnsOf({ metadata, rowStart: report.record, rowEnd: report.record + count, file: buffer }));
  const cells = tree.children.map((child) => ({ child, at: cellsOf(columns.get(child.element.name) ?? []) }));
  for (let [row, records, chars] = [0, 0, 0]; row < count; row++) {
    const hand = { record: ++report.record, chars: 0 };
    sink.take({ kind: "map", line: report.record, entries: new Map(cells.map(({ child, at }) => [child.element.name, parquetTree(at(row), child, meanings, hand)])) });
    chars += hand.chars;
    if (++records < stepRecords && chars < stepChars) continue;
    report.chars += chars;
    // A value that many records share stands in the file but once.
    if (report.chars > freeBytes && report.chars > file.size * expansionMax * 4) throw new ConversionError("LIMIT", `its values are more than ${expansionMax * 4} times as large as the file; is it a bomb?`, { line: report.record });
    await onStep();
    signal.throwIfAborted();
    [records, chars] = [0, 0];
  }
  await onStep();
}

/** How many records the group has, when it is within its limits and its pages are as the footer says. */
async function checkGroup(file: RandomAccess, group: RowGroup, place: { readonly group: number; readonly record: number }): Promise<number> {
  const fail = (code: "SYNTAX" | "LIMIT", message: string): never => {
    throw new ConversionError(code, `${message} (row group ${place.group})`, { line: place.record + 1 });
  };
  const count = Number(group.num_rows);
  if (!(count >= 0)) fail("SYNTAX", `the footer says that a row group has ${count} records`);
  if (group.total_byte_size > groupBytesMax) fail("LIMIT", `a row group is larger than ${groupBytesMax} bytes; have the application write smaller ones`);
  // Each record has a value, be it null, in each column.
  if (group.columns.some(({ meta_data: meta }) => meta !== undefined && meta.num_values < group.num_rows) || (group.columns.length === 0 && count > 0)) fail("SYNTAX", `the footer says that a row group has ${count} records, and fewer values`);
  await checkPages(file, group, place);
  return count;
}

/**
 * A text takes a third of the memory of the bytes that it was made of. What is no UTF-8 stays bytes, and is refused with its record when it comes
 * to it: the library's own parser would put signs of its own.
 */
const parsers = { timestampFromNanoseconds: (nanos: bigint): bigint => nanos, stringFromBytes: (bytes: Uint8Array | undefined): unknown => (bytes === undefined ? undefined : (utf8Text(bytes) ?? bytes)) };

/** The values of a row group, by column. */
async function columnsOf(group: { readonly file: FileBuffer; readonly metadata: FileMetaData; readonly rowStart: number; readonly rowEnd: number }): Promise<ReadonlyMap<string, readonly DecodedArray[]>> {
  const columns = new Map<string, DecodedArray[]>();
  if (group.rowEnd === group.rowStart) return columns;
  const { parquetRead } = await loadParquet();
  await parquetRead({ ...group, utf8: false, useOffsetIndex: false, compressors, parsers, onChunk({ columnName, columnData }) {
    const chunks = columns.get(columnName) ?? [];
    chunks.push(columnData);
    columns.set(columnName, chunks);
  } });
  const count = group.rowEnd - group.rowStart;
  for (const [name, chunks] of columns) {
    const found = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (found < count) throw new ConversionError("SYNTAX", `a column has ${found} values for ${count} records`, { line: group.rowStart + 1, column: name });
  }
  return columns;
}

/** Values of a column in their order, asked for one after the other. */
function cellsOf(chunks: readonly DecodedArray[]): (row: number) => unknown {
  let [index, start] = [0, 0];
  return (row) => {
    for (let chunk = chunks[index]; chunk !== undefined && row - start >= chunk.length; chunk = chunks[++index]) start += chunk.length;
    const value: unknown = chunks[index]?.[row - start];
    return value;
  };
}

async function checkEnds(file: RandomAccess): Promise<void> {
  const text = async (position: number): Promise<string> => Buffer.from(await file.readAt(position, 4)).toString("latin1");
  const isBegun = file.size >= 4;
  if (isBegun && (await text(0)) !== magic) throw new ConversionError("SYNTAX", "not a Parquet file", { line: 1 });
  if (file.size < 12 || (await text(file.size - 4)) !== magic) throw new ConversionError("INCOMPLETE", "the footer is not there yet", { line: 1 });
  const footer = Buffer.from(await file.readAt(file.size - 8, 4)).readUInt32LE(0);
  if (footer > footerBytesMax) throw new ConversionError("LIMIT", `its footer is larger than ${footerBytesMax} bytes`, { line: 1 });
}

/** Takes from the leaves what the library would act upon, but that they are texts. */
function stripMeanings(node: SchemaTree, meanings: Map<SchemaElement, Meaning>, isKey: boolean): void {
  const { element, children } = node;
  if (element.logical_type?.type === "VARIANT") throw new ConversionError("CAST", `the column "${element.name}" is a variant, which is not supported`, { line: 1, column: element.name });
  const isText = element.converted_type === "UTF8" || element.logical_type?.type === "STRING";
  if (children.length === 0 && !isKey && !isText) {
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
