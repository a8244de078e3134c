// pure
/** A program of ours that runs in a container of its own: one bundle, one image `podkit/<name>`. */
export type Role = {
  readonly name: string;
  readonly entry: string;
  readonly title: string;
  /** Programs of its worker threads, and modules that it imports on first use, by the name of their file beside main.cjs. */
  readonly workers?: Readonly<Record<string, string>>;
  /** Who runs it; 65532 unless a role cannot do its work without more, which no role for production needs. */
  readonly user?: string;
  /**
   * Settings of a start at the image's build, with a folder for what the role writes: what V8 compiles then goes into the image and takes a
   * fifth of the CPU off each start (bench/footprint-notes.md). Without it V8 compiles anew each time.
   */
  readonly warmUp?: (folder: string) => string;
};

const warmShipper = (folder: string): string => `state: { directory: ${folder}/state }
sources: [{ type: tail, paths: [${folder}/*.log] }]
sinks: [{ type: forward, servers: [127.0.0.1:1] }]
`;

const warmAdapter = (folder: string): string => `stateDirectory: ${folder}/state
watch: { dir: ${folder}, match: "*.csv" }
mappings:
  v1:
    in: { format: csv, columns: { a: int64, b: decimal(2), c: "string?" } }
    out: { format: csv, file: "${folder}/old/{name}.csv" }
    fields: { x: a, y: { from: c, default: "" }, z: { expr: "a * b", type: decimal(2) } }
`;

export const roles: readonly Role[] = [
  { name: "log-shipper", entry: "sidecars/log-shipper/main.ts", title: "Sidecar: ships the log files of a Pod's application, each line once", workers: { "fluent-logger-worker": "sidecars/log-shipper/sinks/fluent-logger/worker.ts" }, warmUp: warmShipper },
  { name: "redis-ambassador", entry: "sidecars/redis-ambassador/main.ts", title: "Ambassador: Redis on localhost, writes to the primary, reads to the replicas", warmUp: () => "upstream: { nodes: [127.0.0.1:1] }\n" },
  { name: "format-adapter", entry: "sidecars/format-adapter/main.ts", title: "Adapter: keeps an old report format available, complete and exact", workers: { "parquet-library": "sidecars/format-adapter/formats/parquet/library.ts" }, warmUp: warmAdapter },
  { name: "dns", entry: "orchestrator/network/dns/main.ts", title: "Names of Services for the Pods of a cluster", warmUp: () => "" },
  { name: "demo-app", entry: "manifests/demo/app/main.ts", title: "Demonstration: an application that knows none of its sidecars" },
  { name: "demo-receiver", entry: "manifests/demo/receiver/main.ts", title: "Demonstration: a central log service" },
  { name: "demo-report-reader", entry: "manifests/demo/report-reader/main.ts", title: "Demonstration: a consumer of the old report format" },
  { name: "reaper", entry: "test/support/reaper-main.ts", title: "Tests: removes what a test run that died left on the engine", user: "0:0" },
  { name: "fault-proxy", entry: "test/support/fault-proxy-main.ts", title: "Tests: a TCP proxy that injects faults by plan" },
];
