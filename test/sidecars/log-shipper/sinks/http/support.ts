import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "@msgpack/msgpack";
import { systemClock, type Clock } from "../../../../../kit/clock.ts";
import { createLog } from "../../../../../kit/log.ts";
import { shortHash, type Chunk } from "../../../../../sidecars/log-shipper/delivery/chunk.ts";
import { DeadLetterFile } from "../../../../../sidecars/log-shipper/delivery/dead-letter.ts";
import { createHttpSink, type HttpSinkParts } from "../../../../../sidecars/log-shipper/sinks/http/create-http-sink.ts";
import type { HttpSink } from "../../../../../sidecars/log-shipper/sinks/http/http-sink.ts";
import type { HttpDouble } from "../../doubles/http-double.ts";
import { ElasticsearchDouble } from "../../doubles/elasticsearch-double.ts";
import { LokiDouble } from "../../doubles/loki-double.ts";
import { OtlpDouble } from "../../doubles/otlp-double.ts";
import { SplunkDouble } from "../../doubles/splunk-double.ts";
import { configOf, temporary } from "../../support/shipper.ts";

type Tls = ConstructorParameters<typeof HttpDouble>[0];

/** The destinations, each with its double and what its sink needs beside the address. */
export const destinations: readonly { readonly type: "loki" | "elasticsearch" | "otlp" | "splunk"; readonly double: (tls?: Tls) => HttpDouble; readonly settings: { readonly [key: string]: unknown } }[] = [
  { type: "loki", double: (tls) => new LokiDouble(tls), settings: {} },
  { type: "elasticsearch", double: (tls) => new ElasticsearchDouble(tls), settings: {} },
  { type: "otlp", double: (tls) => new OtlpDouble(tls), settings: {} },
  { type: "splunk", double: (tls) => new SplunkDouble(tls), settings: { token: "token-of-the-double" } },
];

export type ChunkFacts = { readonly tag?: string; readonly from?: number; readonly seconds?: number; readonly nanoseconds?: (index: number) => number; readonly content?: string };

/** A chunk of these records, each of 100 bytes of its file; encoded with a foreign encoder. */
export function chunkOf(records: readonly Readonly<Record<string, unknown>>[], facts: ChunkFacts = {}): Chunk {
  const { tag = "app", from = 0, seconds = 1_767_268_800, nanoseconds = (index) => index, content = "pod\n1" } = facts;
  const entries = records.map((record, index) => {
    const time = Buffer.alloc(10);
    time.writeUInt16BE(0xd700);
    time.writeUInt32BE(seconds, 2);
    time.writeUInt32BE(nanoseconds(index), 6);
    return Buffer.concat([Buffer.from([0x92]), time, encode(record)]);
  });
  return chunkOfEntries(entries, { tag, from, content });
}

export function chunkOfEntries(entries: readonly Uint8Array[], { tag = "app", from = 0, content = "pod\n1" }: ChunkFacts = {}): Chunk {
  return { id: shortHash(`${content} ${from} ${entries.length}`), tag, entries: Buffer.concat(entries), records: entries.length, origin: { content, path: "/var/log/app.log", from, spans: Uint32Array.from(entries.flatMap((_, index) => [index * 100, 100])) } };
}

/** Lines `#<prefix>-0#`, `#<prefix>-1#`, … */
export function lineRecords(prefix: string, count: number, more: Readonly<Record<string, unknown>> = {}): readonly Readonly<Record<string, unknown>>[] {
  return Array.from({ length: count }, (_, index) => ({ log: `line #${prefix}-${index}# says hello`, ...more }));
}

export function idsFrom(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

export type SinkUnderTest = {
  readonly sink: HttpSink;
  readonly logged: readonly Readonly<Record<string, unknown>>[];
  readonly events: readonly string[];
  readonly deadLetterPath: string;
  readonly deadLetters: () => readonly Readonly<Record<string, unknown>>[];
  readonly deadLetterFile: DeadLetterFile;
} & AsyncDisposable;

/** A sink as its settings make it, with quick retries and a dead-letter file of its own. */
export function startSink(type: string, endpoints: readonly string[], settings: { readonly [key: string]: unknown } = {}, parts: Partial<HttpSinkParts> & { readonly deadLetterMax?: number; readonly clock?: Clock } = {}): SinkUnderTest {
  const place = temporary();
  const { config } = configOf(place.root, { sources: [{ type: "tail", paths: ["/logs/*"] }], sinks: [{ type, endpoints, retryMaxMs: 20, timeoutMs: "2s", ...settings }] });
  const [written] = config.sinks;
  if (written?.type !== "loki" && written?.type !== "elasticsearch" && written?.type !== "otlp" && written?.type !== "splunk") assert.fail("not an HTTP sink");
  const logged: Readonly<Record<string, unknown>>[] = [];
  const events: string[] = [];
  const log = createLog({ role: "log-shipper", level: "debug", stream: { write: (text) => void logged.push(JSON.parse(text) as Record<string, unknown>) } });
  const clock = parts.clock ?? systemClock;
  const deadLetterPath = join(place.root, "dead", "letters.ndjson");
  const deadLetterFile = new DeadLetterFile({ path: deadLetterPath, maxBytes: parts.deadLetterMax ?? 10_000_000, clock, log });
  const sink = createHttpSink(written, { random: Math.random, metadataField: "kubernetes", deadLetters: deadLetterFile, onEvent: (event) => void events.push(event), ...parts, clock, log });
  return {
    sink, logged, events, deadLetterPath, deadLetterFile,
    deadLetters: () => readLetters(deadLetterPath),
    async [Symbol.asyncDispose]() {
      await sink.close();
      await deadLetterFile.close();
      place[Symbol.dispose]();
    },
  };
}


export function readLetters(path: string): readonly Readonly<Record<string, unknown>>[] {
  return readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Record<string, unknown>);
}
