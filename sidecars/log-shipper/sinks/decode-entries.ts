// pure
import type { Chunk } from "../chunk.ts";
import { decodeValue, incomplete, isArray, isMap, MalformedMessageError, skipValue, toPlain, type Decoded } from "../forward-protocol/msgpack-reader.ts";

/**
 * The chunk's records as plain data, for sinks that write text. Times are milliseconds since the epoch, within what a Date holds.
 * An entry that cannot be shown so (nested deeper than the reader goes) comes as `{ msgpack: base64 }`: nothing is dropped, and one
 * odd record from an application stops nobody.
 */
function* decodeEntries(chunk: Chunk): Generator<{ readonly timeMs: number; readonly record: Readonly<Record<string, unknown>> }> {
  for (let at = 0; at < chunk.entries.length; ) {
    const end = skipValue(chunk.entries, at, chunk.entries.length);
    if (end === incomplete) throw new MalformedMessageError("Cannot decode an entry: it is cut off");
    yield decodeEntry(chunk.entries.subarray(at, end));
    at = end;
  }
}

/** The chunk's records as lines of `{"time","tag","record"}`. */
export function jsonLines(chunk: Chunk): string {
  let text = "";
  for (const { timeMs, record } of decodeEntries(chunk)) text += `${JSON.stringify({ time: new Date(timeMs).toISOString(), tag: chunk.tag, record })}\n`;
  return text;
}

function decodeEntry(bytes: Uint8Array): { readonly timeMs: number; readonly record: Readonly<Record<string, unknown>> } {
  try {
    const { value } = decodeValue(bytes, 0);
    const [time, record] = isArray(value) ? value : [];
    if (time !== undefined && isMap(record)) return { timeMs: timeMsOf(time), record: Object.fromEntries([...record].map(([key, item]) => [key, toPlain(item)])) };
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error;
  }
  return { timeMs: 0, record: { msgpack: Buffer.from(bytes).toString("base64") } };
}

/** The largest time that a Date holds. */
const dateMsMax = 8.64e15;

function timeMsOf(time: Decoded): number {
  if (typeof time === "number") return Math.abs(time) <= dateMsMax / 1000 ? time * 1000 : 0;
  if (time === null || typeof time !== "object" || !("data" in time) || time.data.length !== 8) return 0;
  const view = new DataView(time.data.buffer, time.data.byteOffset, 8);
  return view.getUint32(0) * 1000 + Math.floor(view.getUint32(4) / 1_000_000);
}
