import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { exitCode } from "../../kit/exit-code.ts";
import type { RoleContext } from "../../kit/process.ts";
import { watchDirectories } from "../../kit/watch-directories.ts";
import { Checkpoint } from "./checkpoint.ts";
import { contradictions, type ShipperConfig, type SinkConfig, type SourceConfig } from "./config.ts";
import { Discovery } from "./discover.ts";
import type { MsgpackValue } from "./forward-protocol/msgpack-writer.ts";
import { Ledger } from "./ledger.ts";
import { encodeExtraPairs, metadataFromFiles, type PodMetadata } from "./metadata.ts";
import { Pipeline } from "./pipeline.ts";
import { noExtraPairs, type ExtraPairs } from "./records.ts";
import { Shipper } from "./shipper.ts";
import { registerShipperGauges, registerShipperMetrics, type ShipperMetrics } from "./shipper-metrics.ts";
import { FileSink } from "./sinks/file-sink.ts";
import { ForwardSink } from "./sinks/forward/forward-sink.ts";
import type { Sink } from "./sinks/sink.ts";
import { StdoutSink } from "./sinks/stdout-sink.ts";
import { ForwardSource } from "./sources/forward-source.ts";
import { TailReader } from "./tail-reader.ts";
import { Tailer } from "./tailer.ts";
import { TrackedFile } from "./tracked-file.ts";
import { WakeUp } from "./wake-up.ts";

type Context = Omit<RoleContext<ShipperConfig>, "reload" | "graceMs" | "version">;

/**
 * Builds the shipper from its configuration and runs it to its end. The exit code is 0 only if everything that was written is
 * delivered; 75 otherwise, after naming what is not, byte range by byte range. `watch` gives the wake-ups, on which nothing but
 * speed depends.
 */
export async function runShipper(context: Context, watch: typeof watchDirectories = watchDirectories): Promise<number> {
  const { config, log, metrics: registry, admin, clock } = context;
  const faults = contradictions(config);
  if (faults.length > 0) {
    for (const fault of faults) log.fatal({ fault }, "The configuration contradicts itself");
    return exitCode.config;
  }
  const metrics = registerShipperMetrics(registry);
  const metadata = await readMetadata(config);
  const pod = text(metadata["pod_name"]) ?? "unknown-pod";
  const scope = text(metadata["pod_id"]) ?? `${text(metadata["namespace_name"]) ?? "default"}/${pod}`;
  const pipeline = new Pipeline({
    sinks: config.sinks.map((each) => ({ sink: createSink(each, pod, context, metrics), required: each.required, shipped: metrics.shipped(each.name), dropped: metrics.dropped(each.name) })),
    inFlightBytesMax: config.inFlight.maxBytes,
    log,
  });
  const checkpoint = await Checkpoint.open({ directory: config.state.directory, clock, log, onWrite: metrics.checkpointWrite });
  const ledger = new Ledger();
  const wakeUp = new WakeUp(clock);
  const tailers = createTailers(context, { metadata, scope, pipeline, checkpoint, ledger, wakeUp, metrics });
  registerShipperGauges(registry, { ledger, tailers, inFlightBytes: () => pipeline.inFlightBytes, monotonicMs: () => clock.monotonicMs() });

  const servers: ForwardSource[] = [];
  try {
    for (const source of config.sources) if (source.type === "forward") servers.push(await listen(source, context, { metadata, pod, scope, pipeline, ledger, metrics }));
  } catch (error) {
    log.fatal({ err: error }, "Cannot listen for applications; is another process of the Pod on this address? Set sources[].listen");
    await pipeline.close();
    await checkpoint.close();
    return exitCode.config;
  }
  admin.addReadinessCheck("sinks", () => pipeline.problems().join("; ") || undefined);
  admin.addReadinessCheck("positions", () => checkpoint.problem());
  context.stopAccepting.addEventListener("abort", () => servers.forEach((server) => server.stopAccepting()), { once: true });

  const watching = new AbortController();
  const shipper = new Shipper({
    tailers, pipeline, wakeUp, clock, log,
    watch: watch({ onWake: () => shipper.wake(), signal: watching.signal, log, polling: config.files.polling }),
    drain: config.drain,
    otherSourcesIdle: () => servers.every((server) => server.idle),
  });
  await shipper.run(context.stopAccepting, context.giveUp);
  watching.abort();
  for (const server of servers) server.close();
  await pipeline.close();
  const undelivered = tailers.flatMap((tailer) => tailer.undelivered());
  await checkpoint.close();
  for (const tailer of tailers) tailer.close();
  return lastWords(context, ledger, undelivered);
}

const namedRangesMax = 100;

function lastWords({ log }: Context, ledger: Ledger, undelivered: readonly { readonly path: string; readonly from: number; readonly to: number }[]): number {
  const totals = ledger.totals();
  if (undelivered.length === 0 && totals.pendingBytes === 0) {
    log.info({ ledger: totals }, "Everything is delivered");
    return exitCode.ok;
  }
  const bytes = undelivered.reduce((sum, range) => sum + range.to - range.from, 0);
  log.error({ ledger: totals, undelivered: undelivered.slice(0, namedRangesMax), undeliveredBytes: bytes, ranges: undelivered.length }, "Ended with undelivered log data; started again on the same volumes, the shipper delivers it");
  return exitCode.retry;
}

type Parts = { readonly metadata: PodMetadata; readonly scope: string; readonly pipeline: Pipeline; readonly checkpoint: Checkpoint; readonly ledger: Ledger; readonly wakeUp: WakeUp; readonly metrics: ShipperMetrics };

function createTailers(context: Context, parts: Parts): readonly Tailer[] {
  const { config, clock, log } = context;
  const { checkpoint } = parts;
  const reader = new TailReader({ scope: parts.scope, chunkBytes: config.chunk.maxBytes, flushMs: config.chunk.flushMs, lineMax: config.lines.maxBytes, longLines: config.lines.tooLong });
  const remembered = checkpoint.state.files;
  let number = Math.max(0, ...remembered.map(({ file }) => file.number));
  const sources = config.sources.flatMap((source) => (source.type === "tail" ? [{ source, discovery: new Discovery({ patterns: source.paths, exclude: source.exclude }) }] : []));
  // A file that two sources match belongs to the first.
  const ownerOf = (path: string) => sources.find(({ discovery }) => discovery.matches(path));
  for (const { file } of remembered) if (ownerOf(file.path) === undefined) void checkpoint.append({ kind: "drop", number: file.number });
  return sources.map(({ source, discovery }, index) => {
    const mine = checkpoint.state.files.filter(({ file }) => ownerOf(file.path)?.source === source);
    return new Tailer(
      {
        ...parts, reader, clock, log, discovery,
        name: `sources[${index}]`,
        range: rangeOptions(source, config, parts.metadata),
        start: source.start,
        rotateWaitMs: config.files.rotateWaitMs,
        openFilesMax: config.files.openMax,
        nextNumber: () => ++number,
        events: parts.metrics.tailEvents,
      },
      mine.map((each) => TrackedFile.remembered(each, clock.monotonicMs())),
    );
  });
}

/** Tag, format and extra pairs of a file's records; the pairs are encoded once per file name. */
function rangeOptions(source: Extract<SourceConfig, { type: "tail" }>, config: ShipperConfig, metadata: PodMetadata) {
  const extras = new Map<string, ExtraPairs>();
  const cacheMax = 1_000;
  return (path: string) => {
    let extra = extras.get(path);
    if (extra === undefined) {
      extra = extraPairs(config, source.enrich ? metadata : {}, source.pathField === undefined ? {} : { [source.pathField]: path });
      if (extras.size >= cacheMax) extras.clear();
      extras.set(path, extra);
    }
    return { format: source.format, tag: source.tag.replaceAll("{file}", basename(path)), extra };
  };
}

function extraPairs(config: ShipperConfig, metadata: PodMetadata, others: Readonly<Record<string, MsgpackValue>>): ExtraPairs {
  const pairs = { ...(Object.keys(metadata).length === 0 ? {} : { [config.metadata.field]: metadata }), ...others };
  return Object.keys(pairs).length === 0 ? noExtraPairs : encodeExtraPairs(pairs);
}

function createSink(sink: SinkConfig, pod: string, { clock, random, log }: Context, metrics: ShipperMetrics): Sink {
  const backoff = { initialMs: 100, factor: 2, jitter: 1, maxMs: 10_000 };
  switch (sink.type) {
    case "stdout":
      return new StdoutSink({ name: sink.name });
    case "file":
      return new FileSink({ name: sink.name, path: sink.path, backoff, clock, random });
    default:
      return new ForwardSink({
        ...sink, clock, random, log,
        hostname: sink.hostname ?? pod,
        credentials: sink.sharedKey === undefined ? undefined : { sharedKey: sink.sharedKey, username: sink.username, password: sink.password },
        backoff: { ...backoff, initialMs: Math.min(backoff.initialMs, sink.retryMaxMs), maxMs: sink.retryMaxMs },
        onEvent: (event) => metrics.sinkEvent(sink.name, event),
      });
  }
}

async function listen(source: Extract<SourceConfig, { type: "forward" }>, context: Context, parts: Pick<Parts, "metadata" | "scope" | "pipeline" | "ledger" | "metrics"> & { readonly pod: string }): Promise<ForwardSource> {
  const server = await ForwardSource.listen({
    ...parts,
    listen: source.listen,
    hostname: `log-shipper.${parts.pod}`,
    sharedKey: source.sharedKey,
    messageBytesMax: source.messageMax,
    connectionsMax: source.connectionsMax,
    tagPrefix: source.tagPrefix,
    extra: extraPairs(context.config, source.enrich ? parts.metadata : {}, {}),
    log: context.log,
    giveUp: context.giveUp,
    onRecords: parts.metrics.sourceRecords,
    onUnacknowledged: parts.metrics.unacknowledged,
  });
  context.log.info({ host: source.listen.host, port: server.port }, "Listening for applications");
  return server;
}

/** The downward-API volume first, the environment's values over it. A missing volume is fine. */
async function readMetadata(config: ShipperConfig): Promise<PodMetadata> {
  const { directory, pod, namespace, uid, node, container } = config.metadata;
  const files = new Map<string, string>();
  for (const name of await readdir(directory).catch(() => [])) {
    if (name.startsWith(".")) continue;
    files.set(name, await readFile(join(directory, name), "utf8").catch(() => ""));
  }
  const given = { pod_name: pod, namespace_name: namespace, pod_id: uid, host: node, container_name: container };
  return { ...metadataFromFiles(files), ...Object.fromEntries(Object.entries(given).filter((each): each is [string, string] => each[1] !== undefined)) };
}

function text(value: MsgpackValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
