import type { Log } from "../../../kit/log.ts";
import type { CounterHandle } from "../../../kit/metrics.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkMemory } from "./chunk-memory.ts";
import type { Delivery, Sink } from "../sinks/sink.ts";

/**
 * Hands each chunk to every sink and tells when all required ones have it. Bounded: what is undelivered counts against
 * `inFlightBytesMax`, and sources stop reading while there is no room (the log file itself is the buffer). An optional sink has
 * the same bound of its own; chunks beyond it are dropped for that sink alone, and counted.
 */
export type PipelineSink = {
  readonly sink: Sink;
  readonly required: boolean;
  /** Which of a range's chunks the sink gets. */
  readonly outlet: number;
  readonly shipped: CounterHandle;
  readonly dropped: CounterHandle;
  readonly deadLettered: CounterHandle;
};

/** What became of a range's chunks. Bytes are those of the source. */
export type RangeDelivery = { readonly kind: "delivered"; readonly deadLetteredBytes: number } | { readonly kind: "undelivered" };

export class Pipeline {
  readonly #sinks: readonly PipelineSink[];
  readonly #inFlightBytesMax: number;
  readonly #log: Log;
  readonly #memory: ChunkMemory;
  readonly #onRoom = new Set<() => void>();
  readonly #optionalBytes = new Map<PipelineSink, number>();
  #inFlightBytes = 0;
  #paused = false;

  constructor(options: { readonly sinks: readonly PipelineSink[]; readonly inFlightBytesMax: number; readonly memory: ChunkMemory; readonly log: Log }) {
    this.#sinks = options.sinks;
    this.#inFlightBytesMax = options.inFlightBytesMax;
    this.#log = options.log;
    this.#memory = options.memory;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Whether another chunk may be delivered now. One chunk always has room when nothing is in flight, whatever its size. */
  hasRoom(): boolean {
    return !this.#paused && this.#inFlightBytes < this.#inFlightBytesMax;
  }

  /** From now on there is no room: the pipeline is about to be closed. */
  pause(): void {
    this.#paused = true;
  }

  /** Calls back whenever something was delivered, until the signal aborts. */
  onRoom(callback: () => void, signal: AbortSignal): void {
    this.#onRoom.add(callback);
    signal.addEventListener("abort", () => this.#onRoom.delete(callback), { once: true });
  }

  /** Resolves when there is room. Rejects with the signal's reason. */
  async room(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom()) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
      this.#onRoom.add(resolve);
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await promise;
      } finally {
        this.#onRoom.delete(resolve);
        signal.removeEventListener("abort", onAbort);
      }
    }
  }

  /**
   * Takes the chunks of one range, one for each outlet, and resolves once every required sink has its own, or one was stopped
   * before, or failed on it. Never rejects. The chunks' memory is given back once all sinks, also optional ones, are done with it.
   */
  async deliver(chunks: readonly Chunk[]): Promise<RangeDelivery> {
    const size = chunks.reduce((sum, chunk) => sum + chunk.entries.length, 0);
    this.#inFlightBytes += size;
    const required: Promise<{ readonly chunk: Chunk; readonly delivery: Delivery }>[] = [];
    const optional: Promise<boolean>[] = [];
    try {
      for (const target of this.#sinks) {
        const chunk = chunks[target.outlet];
        if (chunk === undefined || chunk.records === 0) continue;
        if (target.required) required.push(this.#to(target, chunk).then((delivery) => ({ chunk, delivery })));
        else optional.push(this.#toOptional(target, chunk));
      }
      return rangeDelivery(await Promise.all(required));
    } catch (error) {
      this.#log.error({ err: error, chunk: chunks[0]?.id, tag: chunks[0]?.tag }, "A sink failed on a chunk, which counts as undelivered until the next start. This is a fault of podkit; please report it");
      return { kind: "undelivered" };
    } finally {
      this.#inFlightBytes -= size;
      void this.#giveBack(chunks, required, optional);
      for (const callback of this.#onRoom) callback();
    }
  }

  problems(): readonly string[] {
    return this.#sinks.flatMap(({ sink, required }) => {
      const problem = required ? sink.problem() : undefined;
      return problem === undefined ? [] : [`sink ${sink.name}: ${problem}`];
    });
  }

  /** A sink that hangs in the system (a network file system that does not answer) is left alone, so that what it did not deliver is named. */
  async close(): Promise<void> {
    await Promise.all(this.#sinks.map(({ sink }) => closed(sink)));
  }

  async #to(target: PipelineSink, chunk: Chunk): Promise<Delivery> {
    const delivery = await target.sink.deliver(chunk);
    if (delivery.kind === "delivered") {
      target.shipped.inc(chunk.records - delivery.deadLettered.length);
      if (delivery.deadLettered.length > 0) target.deadLettered.inc(delivery.deadLettered.length);
    }
    return delivery;
  }

  /** Resolves when the sink is done: true if it has the chunk, or was not offered it. */
  async #toOptional(target: PipelineSink, chunk: Chunk): Promise<boolean> {
    const queued = this.#optionalBytes.get(target) ?? 0;
    if (queued >= this.#inFlightBytesMax) {
      target.dropped.inc(chunk.records);
      return true;
    }
    this.#optionalBytes.set(target, queued + chunk.entries.length);
    const { kind } = await this.#to(target, chunk).catch((error: unknown) => {
      this.#log.warn({ err: error, sink: target.sink.name }, "An optional sink failed on a chunk");
      return { kind: "failed" as const };
    });
    this.#optionalBytes.set(target, (this.#optionalBytes.get(target) ?? 0) - chunk.entries.length);
    if (kind !== "delivered") target.dropped.inc(chunk.records);
    return kind === "delivered";
  }

  /** A sink that failed or was stopped may still read the memory, so that is left to the garbage collector. */
  async #giveBack(chunks: readonly Chunk[], required: readonly Promise<{ readonly delivery: Delivery }>[], optional: readonly Promise<boolean>[]): Promise<void> {
    const kept = await Promise.allSettled([...required.map(async (each) => (await each).delivery.kind === "delivered"), ...optional]);
    const done = kept.every((outcome) => outcome.status === "fulfilled" && outcome.value);
    for (const { entries } of chunks) {
      if (done) this.#memory.giveBack(entries);
      else this.#memory.forget(entries);
    }
  }
}

/** A record counts as dead-lettered, once, when a required sink has put it into the dead-letter file. */
function rangeDelivery(outcomes: readonly { readonly chunk: Chunk; readonly delivery: Delivery }[]): RangeDelivery {
  const deadLettered = new Map<number, number>();
  for (const { chunk, delivery } of outcomes) {
    if (delivery.kind === "stopped") return { kind: "undelivered" };
    const { spans } = chunk.origin;
    for (const index of delivery.deadLettered) deadLettered.set(spans[index * 2] ?? 0, spans[index * 2 + 1] ?? 0);
  }
  return { kind: "delivered", deadLetteredBytes: deadLettered.values().reduce((sum, bytes) => sum + bytes, 0) };
}

const closeMaxMs = 1_000;

async function closed(sink: Sink): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, closeMaxMs);
  await Promise.race([sink.close(), late.promise]);
  clearTimeout(timer);
}
