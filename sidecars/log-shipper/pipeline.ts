import type { Log } from "../../kit/log.ts";
import type { CounterHandle } from "../../kit/metrics.ts";
import type { Chunk } from "./chunk.ts";
import type { Sink } from "./sinks/sink.ts";

/**
 * Hands each chunk to every sink and tells when all required ones have it. Bounded: what is undelivered counts against
 * `inFlightBytesMax`, and sources stop reading while there is no room (the log file itself is the buffer). An optional sink has
 * the same bound of its own; chunks beyond it are dropped for that sink alone, and counted.
 */
export type PipelineSink = { readonly sink: Sink; readonly required: boolean; readonly shipped: CounterHandle; readonly dropped: CounterHandle };

export class Pipeline {
  readonly #sinks: readonly PipelineSink[];
  readonly #inFlightBytesMax: number;
  readonly #log: Log;
  readonly #onRoom = new Set<() => void>();
  readonly #optionalBytes = new Map<PipelineSink, number>();
  #inFlightBytes = 0;
  #paused = false;

  constructor(options: { readonly sinks: readonly PipelineSink[]; readonly inFlightBytesMax: number; readonly log: Log }) {
    this.#sinks = options.sinks;
    this.#inFlightBytesMax = options.inFlightBytesMax;
    this.#log = options.log;
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

  /** Resolves true once every required sink has the chunk, false if one was stopped before, or failed on it. Never rejects. */
  async deliver(chunk: Chunk): Promise<boolean> {
    const size = chunk.entries.length;
    this.#inFlightBytes += size;
    try {
      const required: Promise<"delivered" | "stopped">[] = [];
      for (const target of this.#sinks) {
        if (target.required) required.push(this.#to(target, chunk));
        else this.#toOptional(target, chunk);
      }
      const outcomes = await Promise.all(required);
      return outcomes.every((outcome) => outcome === "delivered");
    } catch (error) {
      this.#log.error({ err: error, chunk: chunk.id, tag: chunk.tag }, "A sink failed on a chunk, which counts as undelivered until the next start. This is a fault of podkit; please report it");
      return false;
    } finally {
      this.#inFlightBytes -= size;
      for (const callback of this.#onRoom) callback();
    }
  }

  problems(): readonly string[] {
    return this.#sinks.flatMap(({ sink, required }) => {
      const problem = required ? sink.problem() : undefined;
      return problem === undefined ? [] : [`sink ${sink.name}: ${problem}`];
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#sinks.map(({ sink }) => sink.close()));
  }

  async #to(target: PipelineSink, chunk: Chunk): Promise<"delivered" | "stopped"> {
    const outcome = await target.sink.deliver(chunk);
    if (outcome === "delivered") target.shipped.inc(chunk.records);
    return outcome;
  }

  #toOptional(target: PipelineSink, chunk: Chunk): void {
    const queued = this.#optionalBytes.get(target) ?? 0;
    if (queued >= this.#inFlightBytesMax) return target.dropped.inc(chunk.records);
    this.#optionalBytes.set(target, queued + chunk.entries.length);
    void this.#to(target, chunk)
      .catch((error: unknown) => {
        this.#log.warn({ err: error, sink: target.sink.name }, "An optional sink failed on a chunk");
        return "failed" as const;
      })
      .then((outcome) => {
        this.#optionalBytes.set(target, (this.#optionalBytes.get(target) ?? 0) - chunk.entries.length);
        if (outcome !== "delivered") target.dropped.inc(chunk.records);
      });
  }
}
