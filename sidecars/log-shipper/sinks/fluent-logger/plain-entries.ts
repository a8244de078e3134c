// pure
import { decodeValue, isMap, MalformedMessageError, skipValue, toPlain } from "../../forward-protocol/msgpack-reader.ts";
import { EntryTime } from "../entry.ts";

export type PlainEntry = { readonly seconds: number; readonly nanoseconds: number; readonly record: object };

/**
 * Entries as objects, for a library that encodes by itself. Not all survives that: integers beyond 2^53 become text, and so do binaries.
 * A record that is nested too deep comes as `{ msgpack: base64 }`.
 */
export function plainEntries(entries: Uint8Array): readonly PlainEntry[] {
  const list: PlainEntry[] = [];
  const time = new EntryTime();
  for (let at = 0; at < entries.length; ) {
    const mapAt = time.read(entries, at);
    const end = skipValue(entries, mapAt, entries.length);
    list.push({ seconds: time.seconds, nanoseconds: time.nanoseconds, record: plainRecord(entries.subarray(mapAt, end)) });
    at = end;
  }
  return list;
}

function plainRecord(bytes: Uint8Array): object {
  try {
    const { value } = decodeValue(bytes, 0);
    if (isMap(value)) return Object.fromEntries([...value].map(([key, item]) => [key, toPlain(item)]));
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error;
  }
  return { msgpack: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64") };
}
