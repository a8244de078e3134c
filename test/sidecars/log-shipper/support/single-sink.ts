import assert from "node:assert/strict";
import { afterEach } from "node:test";
import { createLog } from "../../../../kit/log.ts";
import { MetricRegistry } from "../../../../kit/metrics.ts";
import { registerShipperMetrics } from "../../../../sidecars/log-shipper/shipper-metrics.ts";
import { createSink } from "../../../../sidecars/log-shipper/sinks/create-sink.ts";
import type { Sink } from "../../../../sidecars/log-shipper/sinks/sink.ts";
import { quick } from "../sinks/chunks.ts";
import { configOf, temporary } from "./shipper.ts";

export type SingleSink = { readonly sink: Sink; readonly events: readonly string[]; readonly logged: readonly Readonly<Record<string, unknown>>[] };

const started: Sink[] = [];
afterEach(async () => {
  for (const sink of started.splice(0)) await sink.close();
});

/** One sink as its settings make it, alone; closed after the test. */
export function startSingleSink(settings: { readonly [key: string]: unknown }): SingleSink {
  using place = temporary();
  const { config } = configOf(place.root, { sources: [{ type: "tail", paths: ["/logs/*"] }], sinks: [settings] });
  const [written] = config.sinks;
  if (written === undefined) assert.fail("no sink");
  const events: string[] = [], logged: Readonly<Record<string, unknown>>[] = [];
  const metrics = { ...registerShipperMetrics(new MetricRegistry()), sinkEvent: (_sink: string, event: string) => void events.push(event) };
  const log = createLog({ role: "log-shipper", level: "debug", stream: { write: (text) => void logged.push(JSON.parse(text) as Record<string, unknown>) } });
  const deadLetters = { write: () => assert.fail("this sink refuses nothing"), problem: () => undefined, close: () => Promise.resolve() };
  const sink = createSink(written, { ...quick, log, metrics, pod: "web-1", config, deadLetters });
  started.push(sink);
  return { sink, events, logged };
}
