import { encode } from "@msgpack/msgpack";
import type { Chunk } from "../../../../sidecars/log-shipper/delivery/chunk.ts";
import type { Clock, Random } from "../../../../kit/clock.ts";
import { systemClock } from "../../../../kit/clock.ts";
import { createLog, type Log } from "../../../../kit/log.ts";

/** A chunk of these records, made with a foreign encoder; all at the same second. */
export function chunkOf(id: string, records: readonly Readonly<Record<string, unknown>>[], options: { readonly tag?: string; readonly seconds?: number } = {}): Chunk {
  const entries = records.map((record) => encode([options.seconds ?? 1_700_000_000, record]));
  const spans = Uint32Array.from(records.flatMap((_, index) => [index * 10, 10]));
  return { id, tag: options.tag ?? "app", entries: Buffer.concat(entries), records: records.length, origin: { content: `test:${id}`, path: undefined, from: 0, spans } };
}

/** What sinks need beside their settings; they try again quickly. */
export const quick: { readonly clock: Clock; readonly random: Random; readonly log: Log; readonly backoff: { readonly initialMs: number; readonly factor: number; readonly jitter: number; readonly maxMs: number } } = {
  clock: systemClock, random: Math.random, log: createLog({ role: "test", level: "silent" }), backoff: { initialMs: 5, factor: 2, jitter: 1, maxMs: 30 },
};
