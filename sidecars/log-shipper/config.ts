// pure
import { boolean, choice, durationMs, integer, list, object, sizeBytes, string, union, type ConfigOf } from "../../kit/config/schema.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../kit/process-spec.ts";
import { absolutePath } from "./absolute-path.ts";
import { ownFileFaults } from "./own-files.ts";
import { shapingFaults } from "./shape/faults.ts";
import { filtersSpec, matchSpec } from "./shape/filter-config.ts";
import { optional, withSetting } from "./shape/settings.ts";
import { timeSpec } from "./shape/time-config.ts";
import { fileSinkSpec } from "./sinks/file-config.ts";
import { deadLetterSpec } from "./delivery/dead-letter-config.ts";
import { fluentLoggerSinkSpec } from "./sinks/fluent-logger/config.ts";
import { forwardSinkSpec } from "./sinks/forward/config.ts";
import { elasticsearchSinkSpec, lokiSinkSpec, otlpSinkSpec, splunkSinkSpec } from "./sinks/http/config.ts";
import { stdoutSinkSpec } from "./sinks/stdout-config.ts";
import { syslogSinkSpec } from "./sinks/syslog/config.ts";
import { forwardSourceSpec } from "./sources/forward-config.ts";
import { stdinSpec } from "./sources/stdin-config.ts";
import { tailSpec } from "./sources/tail-config.ts";

export const spec = object(
  {
    admin: adminSpec,
    log: logSpec,
    shutdown: shutdownSpec,
    sources: list(union("type", withSetting({ tail: tailSpec, forward: forwardSourceSpec, stdin: stdinSpec }, "time", optional(timeSpec)), { doc: "a source" }), { doc: "where records come from", minItems: 1 }),
    filters: filtersSpec,
    sinks: list(union("type", withSetting({ forward: forwardSinkSpec, loki: lokiSinkSpec, elasticsearch: elasticsearchSinkSpec, otlp: otlpSinkSpec, splunk: splunkSinkSpec, syslog: syslogSinkSpec, "fluent-logger": fluentLoggerSinkSpec, stdout: stdoutSinkSpec, file: fileSinkSpec }, "match", matchSpec), { doc: "a sink" }), { doc: "where records go, each to all whose match it meets", minItems: 1 }),
    lines: object(
      {
        maxBytes: sizeBytes({ doc: "longest line kept whole", default: 131_072, min: 16 }),
        tooLong: choice(["split", "cut", "drop"], { doc: "what becomes of a longer one: several records, its beginning alone, or nothing", default: "split" }),
      },
      { doc: "lines" },
    ),
    chunk: object(
      {
        maxBytes: sizeBytes({ doc: "most bytes of a file in one chunk", default: 1_048_576, min: 1_024, max: 16_777_216 }),
        flushMs: durationMs({ doc: "longest wait for more while a chunk of the same file is in flight", default: 1_000, min: 0 }),
      },
      { doc: "chunks, the unit of delivery" },
    ),
    core: choice(["wasm", "typescript"], { doc: "what encodes raw and JSON lines; both make the same bytes, WebAssembly at a third of the cost", default: "wasm" }),
    inFlight: object({ maxBytes: sizeBytes({ doc: "most bytes undelivered in memory; reading stops at it, the file is the buffer", default: 4_194_304, min: 65_536 }) }, { doc: "back-pressure" }),
    files: object(
      {
        openMax: integer({ doc: "most files open at once", default: 1_000, min: 1 }),
        rotateWaitMs: durationMs({ doc: "how long a rotated file is watched for more lines after it last grew", default: 5_000, min: 0 }),
        polling: boolean({ doc: "poll directories instead of using the kernel's notifications", default: false }),
      },
      { doc: "following files" },
    ),
    state: object({ directory: string({ doc: "where positions are kept; a volume that outlives a container restart", default: "/podkit/log-shipper", check: absolutePath }) }, { doc: "memory across restarts" }),
    spool: object(
      {
        directory: string({ doc: "keeps a second name (a hard link) of every followed file here until it is delivered, so that rotation and deletion take nothing away; best in the volume of the logs, elsewhere rotated files are copied. Off without it", optional: true, check: absolutePath }),
        maxBytes: sizeBytes({ doc: "most bytes of files that nobody else has a name for any more; beyond it the oldest are given up", default: 1_073_741_824, min: 1 }),
      },
      { doc: "rotated files, kept until they are delivered" },
    ),
    deadLetter: deadLetterSpec,
    drain: object(
      {
        quietMs: durationMs({ doc: "how long no file may grow before the end is believed", default: 500, min: 0 }),
        marker: string({ doc: "a file whose appearance says that all writers are gone; believed instead of quietMs", optional: true, check: absolutePath }),
        watchWriters: boolean({ doc: "in a Pod with a shared process namespace, wait while a process has a log open for writing", default: true }),
      },
      { doc: "ending" },
    ),
    metadata: object(
      {
        directory: string({ doc: "a downward-API volume with the files name, namespace, uid, nodename, labels, annotations", default: "/etc/podinfo", check: absolutePath }),
        refreshMs: durationMs({ doc: "how often the volume is read again; labels may change", default: 10_000, min: 10 }),
        field: string({ doc: "record field that gets the metadata", default: "kubernetes" }),
        pod: string({ doc: "Pod name, instead of the volume", optional: true, env: "POD_NAME" }),
        namespace: string({ doc: "Pod namespace, instead of the volume", optional: true, env: "POD_NAMESPACE" }),
        uid: string({ doc: "Pod uid, instead of the volume", optional: true, env: "POD_UID" }),
        node: string({ doc: "node name, instead of the volume", optional: true, env: "NODE_NAME" }),
        ip: string({ doc: "Pod address; a downward-API volume cannot tell it", optional: true, env: "POD_IP" }),
        labels: list(string({ doc: "a key, in which * stands for any characters" }), { doc: "which of the Pod's labels", default: ["*"] }),
        annotations: list(string({ doc: "a key, in which * stands for any characters" }), { doc: "which of the Pod's annotations; some are long", default: [] }),
        container: string({ doc: "name of the container whose logs these are", optional: true, env: "PODKIT_LOG_CONTAINER" }),
      },
      { doc: "what each record says about its Pod" },
    ),
  },
  { doc: "podkit log shipper" },
);

export type ShipperConfig = ConfigOf<typeof spec>;
export type SourceConfig = ShipperConfig["sources"][number];
export type SinkConfig = ShipperConfig["sinks"][number];

/** Faults that lie between settings, in the words of the configuration. Empty when there are none. */
export function contradictions(config: ShipperConfig): string[] {
  const faults: string[] = [];
  if (config.lines.maxBytes > config.chunk.maxBytes) faults.push(`lines.maxBytes (${config.lines.maxBytes}) must not be above chunk.maxBytes (${config.chunk.maxBytes})`);
  if (config.sources.filter((source) => source.type === "stdin").length > 1) faults.push("sources: standard input can be read only once; leave one of type stdin");
  const names = config.sinks.map((sink) => sink.name);
  for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index))) faults.push(`sinks: the name "${name}" is used twice; give each sink its own`);
  if (!config.sinks.some((sink) => sink.required)) faults.push("sinks: at least one must be required, or nothing would ever be kept for delivery");
  if (config.inFlight.maxBytes < config.chunk.maxBytes) faults.push(`inFlight.maxBytes (${config.inFlight.maxBytes}) must not be below chunk.maxBytes (${config.chunk.maxBytes})`);
  faults.push(...shapingFaults(config), ...ownFileFaults(config));
  return faults;
}
