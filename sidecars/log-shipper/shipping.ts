import { basename } from "node:path";
import type { RoleContext } from "../../kit/process.ts";
import type { watchDirectories } from "../../kit/watch-directories.ts";
import type { Checkpoint } from "./state/checkpoint.ts";
import type { Loss } from "./state/checkpoint-log.ts";
import { Claims } from "./tail/claims.ts";
import { CompressedFiles } from "./tail/compressed-files.ts";
import type { ShipperConfig, SourceConfig } from "./config.ts";
import { DeadLetterFile } from "./delivery/dead-letter.ts";
import { ChunkMemory } from "./delivery/chunk-memory.ts";
import type { Core } from "./core/core.ts";
import { createCore, readBytesMax } from "./core/create-core.ts";
import { discoveriesOf } from "./tail/discover.ts";
import { createEncoder, type EncoderMemory } from "./encode/create-encoder.ts";
import { noExtraPairs, type ExtraPairs, type RangeEncoder } from "./encode/range-encoder.ts";
import { MsgpackWriter, type MsgpackValue } from "./forward-protocol/msgpack-writer.ts";
import type { Ledger } from "./state/ledger.ts";
import { encodeExtraPairs, type PodMetadata } from "./metadata/metadata.ts";
import { OpenFiles } from "./tail/open-files.ts";
import { deadLetterPath, ownPaths } from "./own-files.ts";
import { Pipeline } from "./delivery/pipeline.ts";
import { PodMetadataSource } from "./metadata/pod-metadata.ts";
import { createRateLimits, createShaper, outletIndexes } from "./shape/create-shaper.ts";
import type { Shaper } from "./shape/shaper.ts";
import { Shipper } from "./shipper.ts";
import type { ShipperMetrics } from "./shipper-metrics.ts";
import { createSink } from "./sinks/create-sink.ts";
import { ForwardSource } from "./sources/forward-source.ts";
import { holdMsOf } from "./sources/line-config.ts";
import type { StdinContent } from "./sources/stdin-content.ts";
import { StdinSource } from "./sources/stdin-source.ts";
import { Spool } from "./tail/spool.ts";
import { TailReader } from "./tail/tail-reader.ts";
import { Tailer } from "./tail/tailer.ts";
import { serverTls } from "./tls/tls.ts";
import { TrackedFile, type FileLedger } from "./tail/tracked-file.ts";
import { WakeUp } from "./tail/wake-up.ts";

/** What outlives a change of the configuration. */
export type Lasting = {
  readonly context: Pick<RoleContext<ShipperConfig>, "log" | "clock" | "random" | "stopAccepting" | "giveUp">;
  readonly watch: typeof watchDirectories;
  readonly metrics: ShipperMetrics;
  readonly checkpoint: Checkpoint;
  readonly ledger: Ledger;
  /** Standard input, once and for all configurations; nothing is read of it before the first call. */
  readonly stdin: () => StdinContent;
};
/** How a run ended: what was written and not delivered, and each file's own ledger. */
export type Ending = { readonly undelivered: readonly Loss[]; readonly files: readonly (FileLedger & { readonly path: string; readonly inode: string })[] };

/** How long a change of configuration waits for acknowledgements; what has none by then is sent again afterwards, from the file. */
const suspendWaitMs = 3_000;
const suspendPollMs = 20;
/** Where directories are polled, a line after a silence is seen within this. */
const pollingIntervalMs = 100;

type Parts = {
  readonly config: ShipperConfig;
  readonly lasting: Lasting;
  /** For all sources but standard input: what it makes is copied before anybody waits. */
  readonly core: Core | undefined;
  readonly shaperOf: (source: SourceConfig, core: Core | undefined) => Shaper | undefined;
  readonly metadata: PodMetadataSource;
  readonly pod: string;
  readonly scope: string;
  readonly memory: ChunkMemory;
  readonly pipeline: Pipeline;
  readonly deadLetters: DeadLetterFile;
  readonly wakeUp: WakeUp;
};

/** Everything that one configuration runs: sources, pipeline, sinks. Memory across restarts is the checkpoint alone. */
export class Shipping {
  readonly tailers: readonly Tailer[];
  readonly pipeline: Pipeline;
  readonly #parts: Parts;
  readonly #servers: readonly ForwardSource[];
  readonly #stdin: StdinSource | undefined;
  readonly #over = new AbortController();
  readonly #suspended = new AbortController();
  #shipper: Shipper | undefined;

  private constructor(parts: Parts, servers: readonly ForwardSource[]) {
    this.#parts = parts;
    this.pipeline = parts.pipeline;
    this.tailers = createTailers(parts);
    this.#servers = servers;
    const stdin = parts.config.sources.find((source) => source.type === "stdin");
    this.#stdin = stdin === undefined ? undefined : createStdinSource(stdin, parts);
  }

  /** Throws when it cannot listen for applications; nothing is left running then. */
  static async start(config: ShipperConfig, lasting: Lasting): Promise<Shipping> {
    const { context, metrics } = lasting;
    const metadata = await PodMetadataSource.open(config.metadata);
    const pod = text(metadata.current["pod_name"]) ?? "unknown-pod";
    const scope = text(metadata.current["pod_id"]) ?? `${text(metadata.current["namespace_name"]) ?? "default"}/${pod}`;
    const deadLetters = new DeadLetterFile({ path: deadLetterPath(config), maxBytes: config.deadLetter.maxBytes, clock: context.clock, log: context.log });
    const memory = new ChunkMemory({ freeBytesMax: config.inFlight.maxBytes });
    const outlets = outletIndexes(config.sinks);
    const limits = createRateLimits(config.filters);
    const pipeline = new Pipeline({
      sinks: config.sinks.map((each, index) => ({
        sink: createSink(each, { ...context, metrics, pod, config, deadLetters }),
        required: each.required,
        outlet: outlets[index] ?? 0,
        shipped: metrics.shipped(each.name),
        dropped: metrics.dropped(each.name),
        deadLettered: metrics.deadLettered(each.name),
      })),
      inFlightBytesMax: config.inFlight.maxBytes,
      memory,
      log: context.log,
    });
    const core = createCore(config, config.sources.filter((source) => source.type === "tail"));
    const shaperOf: Parts["shaperOf"] = ({ time }, its) => createShaper({ config, time, limits, events: metrics.shapeEvents, copy: (bytes) => memory.copy(bytes), core: its });
    const parts = { config, lasting, core, shaperOf, metadata, pod, scope, memory, pipeline, deadLetters, wakeUp: new WakeUp(context.clock) };
    const servers: ForwardSource[] = [];
    try {
      for (const source of config.sources) if (source.type === "forward") servers.push(await listen(source, parts));
    } catch (error) {
      for (const server of servers) server.close();
      await pipeline.close();
      throw error;
    }
    return new Shipping(parts, servers);
  }

  /** Resolves when drained after `stopAccepting`, or after the end of standard input if it is the only source; at `giveUp`; or when suspended. */
  async run(): Promise<void> {
    const { config, lasting, metadata, pipeline, wakeUp } = this.#parts;
    const { log, clock, stopAccepting, giveUp } = lasting.context;
    const onStop = (): void => this.#servers.forEach((server) => server.stopAccepting());
    if (stopAccepting.aborted) onStop();
    stopAccepting.addEventListener("abort", onStop, { signal: this.#over.signal });
    void metadata.follow(clock, this.#over.signal);
    const shipper = new Shipper({
      tailers: this.tailers, pipeline, wakeUp, clock, log,
      watch: lasting.watch({ onWake: () => shipper.wake(), signal: this.#over.signal, log, polling: config.files.polling, pollingIntervalMs }),
      drain: config.drain,
      otherSourcesIdle: () => this.#servers.every((server) => server.idle) && this.#stdin?.idle !== false,
    });
    this.#shipper = shipper;
    const stopped = AbortSignal.any([giveUp, this.#suspended.signal]);
    const inputEnded = new AbortController();
    const reading = this.#stdin?.run(stopAccepting, stopped).then(() => {
      if (config.sources.every((source) => source.type === "stdin")) inputEnded.abort(new Error("standard input has ended"));
      wakeUp.ring();
    });
    await shipper.run(AbortSignal.any([stopAccepting, inputEnded.signal]), stopped);
    await reading;
  }

  /** Stops reading, gives what is in flight a while to be acknowledged, and makes `run` end. */
  async suspend(): Promise<void> {
    const { clock, giveUp } = this.#parts.lasting.context;
    this.pipeline.pause();
    const untilMs = clock.monotonicMs() + suspendWaitMs;
    const inFlight = (): boolean => this.#shipper?.advancing === true || this.#servers.some((server) => !server.idle) || this.#stdin?.sending === true || this.tailers.some((tailer) => [...tailer.files].some((file) => file.inFlight > 0));
    while (inFlight() && clock.monotonicMs() < untilMs && !giveUp.aborted) await clock.sleep(suspendPollMs, giveUp).catch(() => undefined);
    this.#suspended.abort(new Error("the configuration changes"));
  }

  /** Ends what `run` has left. */
  async close(): Promise<Ending> {
    this.#over.abort(new Error("over"));
    for (const server of this.#servers) server.close();
    await this.pipeline.close();
    await this.#parts.deadLetters.close();
    // What the closing settled is settled in this turn of the event loop.
    await new Promise((resolve) => void setImmediate(resolve));
    for (const tailer of this.tailers) await tailer.retain();
    const undelivered = this.tailers.flatMap((tailer) => tailer.undelivered());
    const files = this.tailers.flatMap((tailer) => [...tailer.files]).map((file) => ({ path: file.path, inode: file.identity.ino, ...file.ledger }));
    for (const tailer of this.tailers) tailer.close();
    return { undelivered, files };
  }
}

function createTailers(parts: Parts): readonly Tailer[] {
  const { config, lasting, core } = parts;
  const { checkpoint, context, metrics } = lasting;
  const { clock, log } = context;
  const tails = config.sources.filter((source) => source.type === "tail");
  const reader = new TailReader({ scope: parts.scope, chunkBytes: config.chunk.maxBytes, flushMs: config.chunk.flushMs, buffer: core?.input ?? Buffer.allocUnsafeSlow(readBytesMax(config, tails)), memory: parts.memory });
  const encoderMemory: EncoderMemory = { writer: new MsgpackWriter(65_536), core };
  const openFiles = new OpenFiles({ max: config.files.openMax, log });
  const claims = new Claims({ ownPaths: ownPaths(config), log });
  const { directory: spoolDirectory, maxBytes: spoolBytesMax } = config.spool;
  const spool = spoolDirectory === undefined ? undefined : new Spool({ directory: spoolDirectory, maxBytes: spoolBytesMax, log });
  const remembered = checkpoint.state.files;
  let number = Math.max(0, ...remembered.map(({ file }) => file.number));
  const discoveries = discoveriesOf(tails, spoolDirectory === undefined ? [] : [`${spoolDirectory}/**`]);
  const sources = discoveries.flatMap((discovery, index) => {
    const source = tails[index];
    return source === undefined ? [] : [{ source, discovery }];
  });
  const ownerOf = (path: string) => sources.find(({ discovery }) => discovery.matches(path));
  for (const { file } of remembered) if (ownerOf(file.path) === undefined) void checkpoint.append({ kind: "drop", number: file.number });
  return sources.map(({ source, discovery }) => {
    const mine = checkpoint.state.files.filter(({ file }) => ownerOf(file.path)?.source === source);
    return new Tailer(
      {
        pipeline: parts.pipeline, wakeUp: parts.wakeUp, checkpoint, ledger: lasting.ledger, reader, clock, log, discovery, openFiles, claims, spool,
        name: `sources[${config.sources.indexOf(source)}]`,
        range: rangeOptions(source, parts, createEncoder(source, config, encoderMemory)),
        compressed: source.gzip.read ? new CompressedFiles({ directory: config.state.directory, maxBytes: source.gzip.maxBytes, log, onUnpacked: () => parts.wakeUp.ring() }) : undefined,
        deleteAfterMs: source.deleteAfterMs,
        skipFirst: source.start === "end" && checkpoint.isNew,
        rotateWaitMs: config.files.rotateWaitMs,
        nextNumber: () => ++number,
        events: metrics.tailEvents,
      },
      mine.map((each) => TrackedFile.remembered(each, clock.monotonicMs())),
    );
  });
}

/** Tag, format and extra pairs of a file's records; the pairs are encoded once per file name and state of the metadata. */
function rangeOptions(source: Extract<SourceConfig, { type: "tail" }>, { config, lasting, metadata, core, shaperOf }: Parts, encoder: RangeEncoder) {
  const shaper = shaperOf(source, core);
  const extras = new Map<string, ExtraPairs>();
  const cacheMax = 1_000;
  let encodedFrom = metadata.current;
  return (path: string) => {
    if (extras.size >= cacheMax || encodedFrom !== metadata.current) extras.clear();
    encodedFrom = metadata.current;
    let extra = extras.get(path);
    if (extra === undefined) {
      extra = extraPairs(config, source.enrich ? encodedFrom : {}, source.pathField === undefined ? {} : { [source.pathField]: path });
      extras.set(path, extra);
    }
    return { tag: source.tag.replaceAll("{file}", basename(path)), extra, encoder, shaper, onDroppedLines: lasting.metrics.tooLong, holdMs: holdMsOf(source), encodingByMark: source.encoding === "auto" };
  };
}

function extraPairs(config: ShipperConfig, metadata: PodMetadata, others: Readonly<Record<string, MsgpackValue>>): ExtraPairs {
  const pairs = { ...(Object.keys(metadata).length === 0 ? {} : { [config.metadata.field]: metadata }), ...others };
  return Object.keys(pairs).length === 0 ? noExtraPairs : encodeExtraPairs(pairs);
}

/** It has a core of its own: a file may be being read into the other's memory at any time. */
function createStdinSource(source: Extract<SourceConfig, { type: "stdin" }>, parts: Parts): StdinSource {
  const { config, lasting } = parts;
  const { chunk, inFlight, drain } = config;
  const core = createCore(config, [source]);
  return new StdinSource({
    content: lasting.stdin(), scope: parts.scope, pipeline: parts.pipeline, memory: parts.memory, ledger: lasting.ledger, clock: lasting.context.clock,
    tag: source.tag,
    extra: currentPairs(source, parts),
    encoder: createEncoder(source, config, { writer: new MsgpackWriter(65_536), core }),
    encodingByMark: source.encoding === "auto",
    holdMs: holdMsOf(source),
    shaper: parts.shaperOf(source, core),
    chunkBytes: chunk.maxBytes,
    bufferBytes: readBytesMax(config, [source]),
    flushMs: chunk.flushMs,
    quietMs: drain.quietMs,
    inFlightBytesMax: inFlight.maxBytes,
    onRead: (records, bytes) => lasting.metrics.tailEvents.read("stdin", records, bytes),
    onUnparsed: lasting.metrics.tailEvents.unparsed,
    onDroppedLines: lasting.metrics.tooLong,
  });
}

/** The pairs for every record as they stand now; the same object until the metadata changes. */
function currentPairs(source: { readonly enrich: boolean }, { config, metadata }: Parts): () => ExtraPairs {
  let encodedFrom = metadata.current;
  let extra = extraPairs(config, source.enrich ? encodedFrom : {}, {});
  return () => {
    if (encodedFrom !== metadata.current) {
      encodedFrom = metadata.current;
      extra = extraPairs(config, source.enrich ? encodedFrom : {}, {});
    }
    return extra;
  };
}

async function listen(source: Extract<SourceConfig, { type: "forward" }>, parts: Parts): Promise<ForwardSource> {
  const { lasting } = parts;
  const { log, giveUp, clock } = lasting.context;
  const server = await ForwardSource.listen({
    listen: source.listen,
    hostname: `log-shipper.${parts.pod}`,
    socketPath: source.socket,
    tls: serverTls(source.tls, "sources[].tls", clock),
    sharedKey: source.sharedKey,
    users: source.users,
    handshakeTimeoutMs: source.handshakeTimeoutMs,
    messageBytesMax: source.messageMax,
    connectionsMax: source.connectionsMax,
    tagPrefix: source.tagPrefix,
    scope: parts.scope,
    extra: currentPairs(source, parts),
    shaper: parts.shaperOf(source, parts.core),
    pipeline: parts.pipeline,
    ledger: lasting.ledger,
    log, giveUp,
    onRecords: lasting.metrics.sourceRecords,
    onUnacknowledged: lasting.metrics.unacknowledged,
  });
  log.info({ host: source.listen.host, port: server.port }, "Listening for applications");
  return server;
}

function text(value: MsgpackValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
