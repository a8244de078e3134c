import type { MetricRegistry } from "../../kit/metrics.ts";

export type AdapterMetrics = ReturnType<typeof registerAdapterMetrics>;

export function registerAdapterMetrics(metrics: MetricRegistry) {
  return {
    files: metrics.counter({ name: "podkit_format_adapter_files_adapted_total", help: "Reports adapted and published.", labels: ["mapping"] }),
    rows: metrics.counter({ name: "podkit_format_adapter_rows_adapted_total", help: "Records of the reports adapted.", labels: ["mapping"] }),
    bytes: metrics.counter({ name: "podkit_format_adapter_bytes_read_total", help: "Bytes of the reports adapted.", labels: ["mapping"] }),
    unchanged: metrics.counter({ name: "podkit_format_adapter_files_unchanged_total", help: "Reports whose adapted form stood there already.", labels: ["mapping"] }),
    quarantined: metrics.counter({ name: "podkit_format_adapter_files_quarantined_total", help: "Reports refused, by the kind of fault.", labels: ["reason"] }),
    rowsRefused: metrics.counter({ name: "podkit_format_adapter_rows_refused_total", help: "Records left out of adapted reports since they were wrong.", labels: ["mapping"] }),
    rowsFiltered: metrics.counter({ name: "podkit_format_adapter_rows_filtered_total", help: "Records left out of adapted reports by where.", labels: ["mapping"] }),
    drift: metrics.counter({ name: "podkit_format_adapter_drift_total", help: "Reports with a version, column or enum value that no mapping knows.", labels: ["adapter"] }),
    torn: metrics.counter({ name: "podkit_format_adapter_torn_reads_total", help: "Reports that changed while they were read; they were read again." }),
    missed: metrics.counter({ name: "podkit_format_adapter_files_missed_by_events_total", help: "Reports that the scan found although no event told of them.", labels: ["adapter"] }),
    faults: metrics.counter({ name: "podkit_format_adapter_transient_faults_total", help: "Tries that failed for want of space, rights or descriptors and were repeated.", labels: ["adapter"] }),
    backlog: metrics.gauge({ name: "podkit_format_adapter_backlog_files", help: "Reports found and not yet adapted.", labels: ["adapter"] }),
    waiting: metrics.gauge({ name: "podkit_format_adapter_waiting_files", help: "Reports that are not finished yet.", labels: ["adapter"] }),
    ignored: metrics.gauge({ name: "podkit_format_adapter_ignored_files", help: "Entries of the folder that match and cannot be reports.", labels: ["adapter", "reason"] }),
    outputRead: metrics.gauge({ name: "podkit_format_adapter_output_read_timestamp_seconds", help: "When an adapted report was last read, as far as access times tell; with publish.reads.", labels: ["adapter"] }),
    seconds: metrics.histogram({ name: "podkit_format_adapter_adapt_seconds", help: "Time to adapt and publish one report.", buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30] }),
  };
}
