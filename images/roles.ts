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
  /** Bakes what V8 compiled at a start with `--version` into the image: less CPU at the start and 1 MiB less memory (bench/footprint). */
  readonly compileCache?: true;
};

export const roles: readonly Role[] = [
  { name: "log-shipper", entry: "sidecars/log-shipper/main.ts", title: "Sidecar: ships the log files of a Pod's application, each line once", workers: { "fluent-logger-worker": "sidecars/log-shipper/sinks/fluent-logger/worker.ts" }, compileCache: true },
  { name: "redis-ambassador", entry: "sidecars/redis-ambassador/main.ts", title: "Ambassador: Redis on localhost, writes to the primary, reads to the replicas", compileCache: true },
  { name: "format-adapter", entry: "sidecars/format-adapter/main.ts", title: "Adapter: keeps an old report format available, complete and exact", workers: { "parquet-library": "sidecars/format-adapter/formats/parquet/library.ts" }, compileCache: true },
  { name: "dns", entry: "orchestrator/network/dns/main.ts", title: "Names of Services for the Pods of a cluster", compileCache: true },
  { name: "demo-app", entry: "manifests/demo/app/main.ts", title: "Demonstration: an application that knows none of its sidecars" },
  { name: "demo-receiver", entry: "manifests/demo/receiver/main.ts", title: "Demonstration: a central log service" },
  { name: "demo-report-reader", entry: "manifests/demo/report-reader/main.ts", title: "Demonstration: a consumer of the old report format" },
  { name: "reaper", entry: "test/support/reaper-main.ts", title: "Tests: removes what a test run that died left on the engine", user: "0:0" },
  { name: "fault-proxy", entry: "test/support/fault-proxy-main.ts", title: "Tests: a TCP proxy that injects faults by plan" },
];
