// pure
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { PageHeader, RowGroup } from "hyparquet";
import { ConversionError } from "../../conversion-error.ts";
import { unpackSnappy } from "../snappy.ts";
import { parquetLibrary } from "./load.ts";

/** A report whose parts are read where they stand. */
export type RandomAccess = { readonly size: number; readAt(position: number, length: number): Promise<Uint8Array<ArrayBuffer>> };

/** Unpacked; the values take several times as much while they are handed out. */
export const groupBytesMax = 67_108_864;
/** Of all columns together. */
export const groupValuesMax = 8_388_608;
const headerBytesMax = 1_048_576;
const headerBytes = 4_096;

/** Where a group's values are, in the file: the record before it, its number. */
type Place = { readonly group: number; readonly record: number };

/**
 * Adds up what the pages of a row group say of themselves, before anything of it is unpacked: the library takes a page's word for how many values it
 * holds and how large it becomes, and the footer may say something else. Throws LIMIT and SYNTAX, with the group, the column and the byte.
 */
export async function checkPages(file: RandomAccess, group: RowGroup, place: Place): Promise<void> {
  let [bytes, values] = [0, 0];
  for (const { meta_data: meta, file_path: path } of group.columns) {
    const column = meta?.path_in_schema.join(".");
    const fail = (code: "SYNTAX" | "LIMIT", message: string, offset?: number): never => {
      throw new ConversionError(code, `${message} (row group ${place.group}${offset === undefined ? "" : `, byte ${offset}`})`, { line: place.record + 1, column, offset });
    };
    if (meta === undefined || (path !== undefined && path !== "")) return fail("SYNTAX", "its columns are in another file");
    const start = Number(meta.dictionary_page_offset === undefined || meta.dictionary_page_offset === 0n ? meta.data_page_offset : meta.dictionary_page_offset < meta.data_page_offset ? meta.dictionary_page_offset : meta.data_page_offset);
    const end = start + Number(meta.total_compressed_size);
    if (!(start >= 4 && end >= start && end <= file.size - 8)) fail("SYNTAX", `the footer says that a column is at ${start} to ${end}, which is not in the file`);
    let told = 0;
    // As the library does, which takes what is left when it is less than two bytes for nothing.
    for (let at = start; at < end - 1; ) {
      const { header, length } = await headerAt(file, at, end, fail);
      const [packed, unpacked, count] = [header.compressed_page_size, header.uncompressed_page_size, valuesOf(header)];
      if (!(packed >= 0 && unpacked >= 0 && count >= 0) || at + length + packed > end) fail("SYNTAX", "a page does not end within its column", at);
      bytes += unpacked;
      values += count;
      if (header.type !== "DICTIONARY_PAGE") told += count;
      if (bytes > groupBytesMax) fail("LIMIT", `a row group unpacks to more than ${groupBytesMax} bytes; have the application write smaller ones`, at);
      if (values > groupValuesMax) fail("LIMIT", `a row group has more than ${groupValuesMax} values; have the application write smaller ones`, at);
      at += length + packed;
    }
    if (told !== Number(meta.num_values)) fail("SYNTAX", `the footer says that a column has ${meta.num_values} values, its pages say ${told}`);
  }
}

function valuesOf({ data_page_header: first, data_page_header_v2: second, dictionary_page_header: dictionary }: PageHeader): number {
  return Math.max(first?.num_values ?? 0, second?.num_values ?? 0, second?.num_rows ?? 0, dictionary?.num_values ?? 0);
}

/** Statistics may make a header long. */
async function headerAt(file: RandomAccess, at: number, end: number, fail: (code: "SYNTAX", message: string, offset: number) => never): Promise<{ readonly header: PageHeader; readonly length: number }> {
  for (let size = headerBytes; ; size *= 8) {
    const bytes = await file.readAt(at, Math.min(size, end - at));
    const reader = { view: new DataView(bytes.buffer), offset: 0 };
    try {
      const header = parquetLibrary().parquetHeader(reader);
      if (header.type === undefined || ![header.compressed_page_size, header.uncompressed_page_size].every((each) => Number.isSafeInteger(each))) return fail("SYNTAX", "a page's header is none", at);
      return { header, length: reader.offset };
    } catch (error) {
      if (error instanceof ConversionError) throw error;
      if (bytes.length === end - at || size > headerBytesMax) return fail("SYNTAX", "a page's header has no end", at);
    }
  }
}

/** Unpack no more than a page says; what says too much was refused before. */
export const compressors = {
  GZIP: (bytes: Uint8Array, size: number): Uint8Array => gunzipSync(bytes, { maxOutputLength: Math.max(1, size) }),
  ZSTD: (bytes: Uint8Array, size: number): Uint8Array => zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, size) }),
  SNAPPY: (bytes: Uint8Array, size: number): Uint8Array => {
    const unpacked = unpackSnappy(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), size);
    if (unpacked.kind === "unpacked") return unpacked.bytes;
    throw new Error(unpacked.kind === "too large" ? "a page unpacks to more than it says" : `a page is no whole snappy data: ${unpacked.reason}`);
  },
};
