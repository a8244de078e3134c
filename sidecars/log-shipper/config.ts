// pure
import { address, boolean, choice, durationMs, integer, list, object, secret, sizeBytes, string, union, type ConfigOf } from "../../kit/config/schema.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../kit/process-spec.ts";

const absolute = (path: string): string | undefined => (path.startsWith("/") ? undefined : 'an absolute path such as "/var/log/app/*.log"');

const tailSpec = object(
  {
    paths: list(string({ doc: "an absolute glob, such as /var/log/app/*.log; ** reaches 8 directories down", check: absolute }), { doc: "which files to follow", minItems: 1 }),
    exclude: list(string({ doc: "an absolute glob", check: absolute }), { doc: "which of them to leave out", default: [] }),
    tag: string({ doc: "tag of the records; {file} is the file's name without directories", default: "app" }),
    format: choice(["raw", "json", "logfmt"], { doc: "how a line becomes a record; a line that does not parse is shipped raw", default: "raw" }),
    start: choice(["beginning", "end"], { doc: "where to start in files present at the very first start", default: "beginning" }),
    pathField: string({ doc: "name of a record field that holds the file's path; none without it", optional: true }),
    enrich: boolean({ doc: "add the Pod's metadata to each record", default: true }),
  },
  { doc: "files in a shared directory" },
);

const forwardSourceSpec = object(
  {
    listen: address({ doc: "where applications of the Pod send to", default: "127.0.0.1:24224" }),
    tagPrefix: string({ doc: "put before the tags of applications", default: "" }),
    sharedKey: secret({ doc: "key that applications must know; none asked without it", optional: true }),
    messageMax: sizeBytes({ doc: "largest message accepted", default: 4_194_304, min: 1_024, max: 67_108_864 }),
    connectionsMax: integer({ doc: "most connections at once", default: 64, min: 1 }),
    enrich: boolean({ doc: "add the Pod's metadata to each record", default: true }),
  },
  { doc: "records that applications send by the Forward protocol" },
);

const required = boolean({ doc: "whether a chunk counts as delivered only when this sink has it; an optional sink may miss some", default: true });

const forwardSinkSpec = object(
  {
    name: string({ doc: "name in logs and metrics", default: "forward" }),
    servers: list(address({ doc: "a Forward server" }), { doc: "servers, tried in turn", minItems: 1 }),
    required,
    sharedKey: secret({ doc: "the shared key that the server demands", optional: true }),
    username: string({ doc: "user of the handshake", default: "" }),
    password: secret({ doc: "password of the handshake", default: "" }),
    hostname: string({ doc: "our name in the handshake, the Pod's name without it", optional: true }),
    connectTimeoutMs: durationMs({ doc: "longest wait for a connection", default: 5_000, min: 10 }),
    handshakeTimeoutMs: durationMs({ doc: "longest wait for the handshake", default: 5_000, min: 10 }),
    writeTimeoutMs: durationMs({ doc: "longest time that a chunk may take to leave", default: 30_000, min: 10 }),
    ackTimeoutMs: durationMs({ doc: "longest wait for a chunk's acknowledgement", default: 60_000, min: 10 }),
    retryMaxMs: durationMs({ doc: "longest delay between attempts to connect", default: 10_000, min: 10 }),
  },
  { doc: "a Forward server: fluentd, Fluent Bit or another" },
);

const stdoutSinkSpec = object({ name: string({ doc: "name in logs and metrics", default: "stdout" }), required }, { doc: "JSON lines on standard output" });
const fileSinkSpec = object({ name: string({ doc: "name in logs and metrics", default: "file" }), path: string({ doc: "file to append JSON lines to", check: absolute }), required }, { doc: "JSON lines in a file" });

export const spec = object(
  {
    admin: adminSpec,
    log: logSpec,
    shutdown: shutdownSpec,
    sources: list(union("type", { tail: tailSpec, forward: forwardSourceSpec }, { doc: "a source" }), { doc: "where records come from", minItems: 1 }),
    sinks: list(union("type", { forward: forwardSinkSpec, stdout: stdoutSinkSpec, file: fileSinkSpec }, { doc: "a sink" }), { doc: "where records go, each to all of them", minItems: 1 }),
    lines: object(
      {
        maxBytes: sizeBytes({ doc: "longest line kept whole", default: 131_072, min: 16 }),
        tooLong: choice(["split", "cut"], { doc: "what becomes of a longer one: several records, or its beginning alone", default: "split" }),
      },
      { doc: "lines" },
    ),
    chunk: object(
      {
        maxBytes: sizeBytes({ doc: "most bytes of a file in one chunk", default: 262_144, min: 1_024, max: 16_777_216 }),
        flushMs: durationMs({ doc: "longest wait for more while a chunk of the same file is in flight", default: 1_000, min: 0 }),
      },
      { doc: "chunks, the unit of delivery" },
    ),
    inFlight: object({ maxBytes: sizeBytes({ doc: "most bytes undelivered in memory; reading stops at it, the file is the buffer", default: 2_097_152, min: 65_536 }) }, { doc: "back-pressure" }),
    files: object(
      {
        openMax: integer({ doc: "most files open at once", default: 1_000, min: 1 }),
        rotateWaitMs: durationMs({ doc: "how long a rotated file is watched for more lines after it last grew", default: 5_000, min: 0 }),
        polling: boolean({ doc: "poll directories instead of using the kernel's notifications", default: false }),
      },
      { doc: "following files" },
    ),
    state: object({ directory: string({ doc: "where positions are kept; a volume that outlives a container restart", default: "/podkit/log-shipper", check: absolute }) }, { doc: "memory across restarts" }),
    drain: object(
      {
        quietMs: durationMs({ doc: "how long no file may grow before the end is believed", default: 500, min: 0 }),
        marker: string({ doc: "a file whose appearance says that all writers are gone; believed instead of quietMs", optional: true, check: absolute }),
        watchWriters: boolean({ doc: "in a Pod with a shared process namespace, wait while a process has a log open for writing", default: true }),
      },
      { doc: "ending" },
    ),
    metadata: object(
      {
        directory: string({ doc: "a downward-API volume with the files name, namespace, uid, nodename, labels", default: "/etc/podinfo", check: absolute }),
        refreshMs: durationMs({ doc: "how often the volume is read again; labels may change", default: 10_000, min: 10 }),
        field: string({ doc: "record field that gets the metadata", default: "kubernetes" }),
        pod: string({ doc: "Pod name, instead of the volume", optional: true, env: "POD_NAME" }),
        namespace: string({ doc: "Pod namespace, instead of the volume", optional: true, env: "POD_NAMESPACE" }),
        uid: string({ doc: "Pod uid, instead of the volume", optional: true, env: "POD_UID" }),
        node: string({ doc: "node name, instead of the volume", optional: true, env: "NODE_NAME" }),
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
  const names = config.sinks.map((sink) => sink.name);
  for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index))) faults.push(`sinks: the name "${name}" is used twice; give each sink its own`);
  if (!config.sinks.some((sink) => sink.required)) faults.push("sinks: at least one must be required, or nothing would ever be kept for delivery");
  if (config.inFlight.maxBytes < config.chunk.maxBytes) faults.push(`inFlight.maxBytes (${config.inFlight.maxBytes}) must not be below chunk.maxBytes (${config.chunk.maxBytes})`);
  return faults;
}
