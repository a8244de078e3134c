import type { CounterHandle, MetricRegistry } from "../../kit/metrics.ts";
import type { Ledger } from "./state/ledger.ts";
import type { ShapeEvents } from "./shape/create-shaper.ts";
import { registerShapeMetrics } from "./shape/shape-metrics.ts";
import type { Tailer, TailEvents } from "./tail/tailer.ts";
import type { TrackedFile } from "./tail/tracked-file.ts";

/** The shipper's metrics. File labels are bounded: beyond 50 files the rest is one series, "other". */
const fileSeriesMax = 50;

export type ShipperMetrics = {
  readonly tailEvents: TailEvents;
  readonly shapeEvents: ShapeEvents;
  readonly shipped: (sink: string) => CounterHandle;
  readonly dropped: (sink: string) => CounterHandle;
  readonly deadLettered: (sink: string) => CounterHandle;
  readonly sinkEvent: (sink: string, event: "acked" | "resent" | "connected" | "disconnected") => void;
  readonly checkpointWrite: (outcome: "written" | "failed") => void;
  readonly tooLong: (lines: number) => void;
  readonly sourceRecords: (records: number, bytes: number) => void;
  readonly unacknowledged: (records: number) => void;
};

export function registerShipperMetrics(registry: MetricRegistry): ShipperMetrics {
  const name = (rest: string): string => `podkit_log_shipper_${rest}`;
  const counter = (rest: string, help: string, labels: readonly string[] = [], seriesMax?: number) => registry.counter({ name: name(rest), help, labels, ...(seriesMax === undefined ? {} : { seriesMax }) });
  const linesRead = counter("lines_read_total", "Records read from files and applications", ["source"], fileSeriesMax);
  const bytesRead = counter("bytes_read_total", "Bytes of files and applications taken in", ["source"], fileSeriesMax);
  const unparsed = counter("lines_unparsed_total", "Lines that their parser refused; shipped raw");
  const tooLong = counter("lines_too_long_total", "Lines longer than lines.maxBytes that were dropped (lines.tooLong: drop)");
  const rotations = counter("rotations_total", "Files whose name went to another file");
  const truncations = counter("truncations_total", "Files that were truncated or rewritten in place");
  const deleted = counter("files_deleted_total", "Files deleted after they were delivered to their end");
  const lost = counter("lost_bytes_total", "Bytes known to have been written that were overwritten or removed before they could be read");
  const shipped = counter("lines_shipped_total", "Records confirmed by the sink", ["sink"]);
  const dropped = counter("lines_dropped_total", "Records that an optional sink could not take in time", ["sink"]);
  const deadLettered = counter("lines_dead_lettered_total", "Records that the destination will never take; they stand in the dead-letter file", ["sink"]);
  const acks = counter("acks_total", "Chunks acknowledged by the receiver", ["sink"]);
  const resends = counter("resends_total", "Chunks sent again after a connection ended", ["sink"]);
  const connects = counter("connections_total", "Connections to the receiver", ["sink"]);
  const disconnects = counter("disconnections_total", "Connections to the receiver that ended", ["sink"]);
  const checkpoints = counter("checkpoint_writes_total", "Writes of positions", ["outcome"]);
  const unacknowledged = counter("unacknowledged_source_records_total", "Records that applications sent without asking for an acknowledgement");
  return {
    shapeEvents: registerShapeMetrics(registry),
    tailEvents: {
      read: (path, records, bytes) => {
        linesRead.inc({ source: path }, records);
        bytesRead.inc({ source: path }, bytes);
      },
      unparsed: (records) => unparsed.inc({}, records),
      rotated: () => rotations.inc(),
      truncated: () => truncations.inc(),
      deleted: () => deleted.inc(),
      lost: (bytes) => lost.inc({}, bytes),
    },
    shipped: (sink) => shipped.with({ sink }),
    dropped: (sink) => dropped.with({ sink }),
    deadLettered: (sink) => deadLettered.with({ sink }),
    sinkEvent: (sink, event) => {
      const family = event === "acked" ? acks : event === "resent" ? resends : event === "connected" ? connects : disconnects;
      family.inc({ sink });
    },
    checkpointWrite: (outcome) => checkpoints.inc({ outcome }),
    tooLong: (lines) => tooLong.inc({}, lines),
    sourceRecords: (records, bytes) => {
      linesRead.inc({ source: "forward" }, records);
      bytesRead.inc({ source: "forward" }, bytes);
    },
    unacknowledged: (records) => unacknowledged.inc({}, records),
  };
}

/** Figures that are read off the state when somebody asks. */
export function registerShipperGauges(registry: MetricRegistry, state: { readonly ledger: Ledger; readonly tailers: () => readonly Tailer[]; readonly inFlightBytes: () => number; readonly monotonicMs: () => number }): void {
  const name = (rest: string): string => `podkit_log_shipper_${rest}`;
  const openFiles = () => state.tailers().flatMap((tailer) => [...tailer.files]).filter((file) => file.fd !== undefined);
  /** The files that are furthest behind have series of their own, the others are added up. */
  const perFile = (value: (file: TrackedFile) => number, addUp: (values: readonly number[]) => number) => () => {
    const readings = openFiles().map((file) => ({ value: value(file), labels: { file: file.path, inode: file.identity.ino } }));
    if (readings.length <= fileSeriesMax) return readings;
    const worst = readings.toSorted((left, right) => right.value - left.value);
    return [...worst.slice(0, fileSeriesMax), { value: addUp(worst.slice(fileSeriesMax).map((each) => each.value)), labels: { file: "other", inode: "other" } }];
  };
  const lagSeconds = ({ waitingSinceMs }: TrackedFile): number => (waitingSinceMs === undefined ? 0 : (state.monotonicMs() - waitingSinceMs) / 1000);
  registry.gauge({ name: name("lag_bytes"), help: "Bytes of a file not yet delivered", labels: ["file", "inode"] }).collect(perFile((file) => Math.max(0, file.size - file.deliveredTo), (values) => values.reduce((sum, each) => sum + each, 0)));
  registry.gauge({ name: name("lag_seconds"), help: "For how long the oldest undelivered byte of a file has been known", labels: ["file", "inode"] }).collect(perFile(lagSeconds, (values) => Math.max(...values)));
  registry.gauge({ name: name("file_ledger_bytes"), help: "Bytes of an open file before the reading position, over all runs, by what became of them", labels: ["file", "inode", "column"], seriesMax: (fileSeriesMax + 1) * 5 }).collect(() => {
    const open = openFiles().toSorted((left, right) => right.ledger.pending - left.ledger.pending);
    const sums = new Map<string, { readonly labels: { readonly file: string; readonly inode: string; readonly column: string }; value: number }>();
    for (const [index, { path, identity, ledger }] of open.entries()) {
      const named = index < fileSeriesMax ? { file: path, inode: identity.ino } : { file: "other", inode: "other" };
      const { acked, filtered, deadLettered, skipped, pending } = ledger;
      for (const [column, value] of Object.entries({ acked, filtered, dead_lettered: deadLettered, skipped, pending })) {
        const key = `${named.file}\n${named.inode}\n${column}`;
        const sum = sums.get(key);
        if (sum === undefined) sums.set(key, { labels: { ...named, column }, value });
        else sum.value += value;
      }
    }
    return [...sums.values()];
  });
  registry.gauge({ name: name("in_flight_bytes"), help: "Encoded bytes held in memory until delivered" }).collect(() => [{ value: state.inFlightBytes(), labels: {} }]);
  registry.gauge({ name: name("files_open"), help: "Log files open" }).collect(() => [{ value: openFiles().length, labels: {} }]);
  registry.gauge({ name: name("ledger_bytes"), help: "Bytes taken in, by what became of them: read = acked + filtered + dead_lettered + pending", labels: ["column"] }).collect(() => {
    const totals = state.ledger.totals();
    return [
      { value: totals.readBytes, labels: { column: "read" } },
      { value: totals.ackedBytes, labels: { column: "acked" } },
      { value: totals.filteredBytes, labels: { column: "filtered" } },
      { value: totals.deadLetteredBytes, labels: { column: "dead_lettered" } },
      { value: totals.pendingBytes, labels: { column: "pending" } },
    ];
  });
}
