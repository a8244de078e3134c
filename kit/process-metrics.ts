import { monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricRegistry } from "./metrics.ts";
import { version } from "./version.ts";

/** The metrics every process of ours has: podkit_build_info, process_* and the event loop's lag. */
export function registerProcessMetrics(metrics: MetricRegistry, role: string): void {
  metrics.gauge({ name: "podkit_build_info", help: "Always 1; the labels tell what runs.", labels: ["version", "role"] }).set(1, { version, role });
  metrics.gauge({ name: "process_start_time_seconds", help: "Start of the process, seconds since the epoch." }).set(Math.round(Date.now() / 1000 - process.uptime()));
  metrics.gauge({ name: "process_resident_memory_bytes", help: "Resident memory." }).collect(() => [{ value: process.memoryUsage.rss() }]);
  metrics.gauge({ name: "process_cpu_seconds", help: "User and system CPU time spent." }).collect(() => {
    const { user, system } = process.cpuUsage();
    return [{ value: (user + system) / 1e6 }];
  });
  const delay = monitorEventLoopDelay({ resolution: 100 });
  delay.enable();
  metrics.gauge({ name: "nodejs_eventloop_lag_seconds", help: "Longest delay of the event loop since the last scrape." }).collect(() => {
    const lagMs = Math.max(0, delay.max / 1e6 - 100); // the histogram includes its own 100 ms interval
    delay.reset();
    return [{ value: lagMs / 1e3 }];
  });
}
