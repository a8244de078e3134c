// pure
import type { MetricRegistry } from "../../../kit/metrics.ts";
import type { SinkConfig } from "../config.ts";

/** What it means that a sink of a type has a chunk. */
const guarantees: { readonly [type in SinkConfig["type"]]: "acknowledged" | "written" | "best-effort" } = {
  forward: "acknowledged", loki: "acknowledged", elasticsearch: "acknowledged", otlp: "acknowledged", splunk: "acknowledged",
  file: "written", stdout: "best-effort", syslog: "best-effort", "fluent-logger": "best-effort",
};

export function guaranteeOf(type: SinkConfig["type"]): string {
  return guarantees[type];
}

/** One series per sink, 1, that says what its word is worth. */
export function registerSinkInfo(registry: MetricRegistry, sinks: () => readonly SinkConfig[]): void {
  const help = "What a sink's word is worth: acknowledged = its receiver has confirmed, written = flushed to the disk, best-effort = handed over, and whether it arrived nobody knows";
  registry.gauge({ name: "podkit_log_shipper_sink_info", help, labels: ["sink", "type", "delivery"] }).collect(() => sinks().map(({ name, type }) => ({ value: 1, labels: { sink: name, type, delivery: guaranteeOf(type) } })));
}
