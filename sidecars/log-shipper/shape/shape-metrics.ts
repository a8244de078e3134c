import type { MetricRegistry } from "../../../kit/metrics.ts";
import type { ShapeEvents } from "./create-shaper.ts";

/** Counts what filters drop and where records go. Ranges that are cut again after a restart are counted again. */
export function registerShapeMetrics(registry: MetricRegistry): ShapeEvents {
  const counter = (name: string, help: string, labels: readonly string[] = []) => registry.counter({ name: `podkit_log_shipper_${name}`, help, labels });
  const filtered = counter("filtered_records_total", "Records that a filter dropped", ["filter"]);
  const routed = counter("routed_records_total", "Records that a sink was to get", ["sink"]);
  const unrouted = counter("unrouted_records_total", "Records that matched no sink and went nowhere");
  const untimed = counter("untimed_records_total", "Records whose time field had no time of the format; they keep the time of their file");
  return {
    filtered: (filter, records) => filtered.inc({ filter }, records),
    routed: (sinks, records) => {
      for (const sink of sinks) routed.inc({ sink }, records);
    },
    unrouted: (records) => unrouted.inc({}, records),
    untimed: (records) => untimed.inc({}, records),
  };
}
