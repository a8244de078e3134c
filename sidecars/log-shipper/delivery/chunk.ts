// pure
import { hash } from "node:crypto";
import type { ExtraPairs } from "../encode/range-encoder.ts";
import { SpanList } from "../encode/span-list.ts";
import { incomplete, MalformedMessageError, skipValue } from "../forward-protocol/msgpack-reader.ts";
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import type { EntryBatch } from "../shape/shaper.ts";

/** What a sink delivers and acknowledges as one: encoded entries under one tag. The bytes are never changed after creation. */
export type Chunk = {
  /** The same content always has the same id and, for a file, the same id always has the same content. */
  readonly id: string;
  readonly tag: string;
  /** Concatenated MessagePack entries, each `[time, map]`. */
  readonly entries: Uint8Array;
  readonly records: number;
  readonly origin: Origin;
};

/** Where a chunk's records came from. */
export type Origin = {
  /** Names the content: one generation of one file of this Pod, or a chunk of an application. The same content always has the same name. */
  readonly content: string;
  /** The file's path, or undefined for records of an application. */
  readonly path: string | undefined;
  /** Position in the content that the spans count from. */
  readonly from: number;
  /** Two numbers per record: where its first byte is, relative to `from`, and how many bytes of the source are its own (not always contiguous). */
  readonly spans: Uint32Array;
};

/** The id of one record: the same however its file was cut into chunks. */
export function recordId(origin: Origin, index: number): string {
  return recordIdAt(origin.content, origin.from + (origin.spans[index * 2] ?? 0));
}

/** The id of the record that begins at `position` of the content. */
export function recordIdAt(content: string, position: number): string {
  return shortHash(`${content}\n${position}`);
}

/**
 * The id of a range of a content, for one outlet (sinks that get the same records of it). A receiver that keeps the ids it has
 * seen stores each range once, however often it is sent.
 */
export function rangeChunkId(options: { readonly content: string; readonly from: number; readonly to: number; readonly outlet: number }): string {
  const { content, from, to, outlet } = options;
  return shortHash(outlet === 0 ? `${content}\n${from}\n${to}` : `${content}\n${from}\n${to}\n${outlet}`);
}

/** The chunks of one range, by outlet: the same range and settings give the same ids. */
export function rangeChunks(range: { readonly content: string; readonly path: string | undefined; readonly tag: string; readonly from: number; readonly to: number }, outlets: readonly EntryBatch[]): readonly Chunk[] {
  const { content, path, tag, from, to } = range;
  return outlets.map(({ entries, records, spans }, outlet) => ({ id: rangeChunkId({ content, from, to, outlet }), tag, entries, records, origin: { content, path, from, spans } }));
}

/** The name of a content in ids: `scope` tells this Pod's files from those of others. */
export function contentName(scope: string, content: string): string {
  return `${scope}\n${content}`;
}

export function shortHash(content: string | Uint8Array): string {
  return hash("sha256", content, "base64url").slice(0, 22);
}

/** Where each entry is: start and size, two numbers per entry. Checks that each is `[time, map]`; throws MalformedMessageError. */
export function entrySpans(entries: Uint8Array): Uint32Array {
  const spans = new SpanList();
  for (let at = 0; at < entries.length; ) {
    const end = skipValue(entries, at, entries.length);
    if (end === incomplete) throw new MalformedMessageError("Cannot accept entries: the last one is cut off");
    if (entries[at] !== 0x92) throw new MalformedMessageError("Cannot accept entries: an entry is not a pair of time and record");
    mapHeader(entries, skipValue(entries, at + 1, end));
    spans.add(at, end - at);
    at = end;
  }
  return spans.view();
}

/** The entries with pairs appended to each record's map; the input's own pairs are kept byte for byte. */
export function enrichEntries(entries: Uint8Array, extra: ExtraPairs): Uint8Array {
  if (extra.count === 0) return entries;
  const writer = new MsgpackWriter(entries.length + 256);
  for (let at = 0; at < entries.length; ) {
    const end = skipValue(entries, at, entries.length);
    const mapAt = skipValue(entries, at + 1, end);
    const { pairs, width } = mapHeader(entries, mapAt);
    writer.raw(entries, at, mapAt);
    writer.mapHeader(pairs + extra.count);
    writer.raw(entries, mapAt + width, end);
    writer.raw(extra.bytes);
    at = end;
  }
  return writer.copy();
}

function mapHeader(bytes: Uint8Array, at: number): { readonly pairs: number; readonly width: number } {
  const type = bytes[at] ?? 0;
  if (type >= 0x80 && type < 0x90) return { pairs: type & 15, width: 1 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type === 0xde) return { pairs: view.getUint16(at + 1), width: 3 };
  if (type === 0xdf) return { pairs: view.getUint32(at + 1), width: 5 };
  throw new MalformedMessageError("Cannot accept entries: a record is not a map");
}
