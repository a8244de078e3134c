// pure
import type { Chunk } from "../chunk.ts";
import { decodeValue, isArray, isMap, MalformedMessageError, toPlain, type Decoded } from "../forward-protocol/msgpack-reader.ts";

/** The chunk's records as plain data, for sinks that write text. Times are milliseconds since the epoch. */
export function* decodeEntries(chunk: Chunk): Generator<{ readonly timeMs: number; readonly record: Readonly<Record<string, unknown>> }> {
  for (let at = 0; at < chunk.entries.length; ) {
    const { value, end } = decodeValue(chunk.entries, at);
    at = end;
    const [time, record] = isArray(value) ? value : [];
    if (time === undefined || !isMap(record)) throw new MalformedMessageError("Cannot decode an entry: it is not a pair of time and record");
    yield { timeMs: timeMsOf(time), record: Object.fromEntries([...record].map(([key, item]) => [key, toPlain(item)])) };
  }
}

function timeMsOf(time: Decoded): number {
  if (typeof time === "number") return time * 1000;
  if (time === null || typeof time !== "object" || !("data" in time) || time.data.length !== 8) return 0;
  const view = new DataView(time.data.buffer, time.data.byteOffset, 8);
  return view.getUint32(0) * 1000 + Math.floor(view.getUint32(4) / 1_000_000);
}
