// pure
import { hash } from "node:crypto";
import { incomplete, MalformedMessageError, skipValue } from "./forward-protocol/msgpack-reader.ts";
import { MsgpackWriter } from "./forward-protocol/msgpack-writer.ts";
import type { ExtraPairs } from "./records.ts";

/** What a sink delivers and acknowledges as one: encoded entries under one tag. The bytes are never changed after creation. */
export type Chunk = {
  /** The same content always has the same id and, for a file, the same id always has the same content. */
  readonly id: string;
  readonly tag: string;
  /** Concatenated MessagePack entries, each `[time, map]`. */
  readonly entries: Uint8Array;
  readonly records: number;
};

/**
 * The id of a range of a file's content (`content` names one generation of one file). `scope` tells this Pod's files from those of others (its uid, or namespace and name); with it a
 * receiver that keeps the ids it has seen stores each range once, however often it is sent.
 */
export function rangeChunkId(options: { readonly scope: string; readonly content: string; readonly from: number; readonly to: number }): string {
  return shortHash(`${options.scope}\n${options.content}\n${options.from}\n${options.to}`);
}

export function shortHash(content: string | Uint8Array): string {
  return hash("sha256", content, "base64url").slice(0, 22);
}

/** Counts the entries and checks that each is `[time, map]`. Throws MalformedMessageError. */
export function countEntries(entries: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < entries.length; count++) {
    const end = skipValue(entries, at, entries.length);
    if (end === incomplete) throw new MalformedMessageError("Cannot accept entries: the last one is cut off");
    if (entries[at] !== 0x92) throw new MalformedMessageError("Cannot accept entries: an entry is not a pair of time and record");
    mapHeader(entries, skipValue(entries, at + 1, end));
    at = end;
  }
  return count;
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
