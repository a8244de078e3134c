import { backoffDelayMs, type Backoff } from "../../../../kit/backoff.ts";
import { BoundedQueue } from "../../../../kit/bounded-queue.ts";
import type { Clock, Random } from "../../../../kit/clock.ts";
import type { Log } from "../../../../kit/log.ts";
import type { TlsFiles } from "../../tls/tls.ts";
import type { Chunk } from "../../delivery/chunk.ts";
import { delivered, stopped, type Delivery, type Sink } from "../sink.ts";
import { SenderThread, type SenderThreadOptions } from "./sender-thread.ts";

export type FluentLoggerSinkOptions = {
  readonly name: string;
  readonly settings: Omit<SenderThreadOptions["settings"], "tls">;
  readonly tls: TlsFiles | undefined;
  readonly queueBytes: number;
  readonly timeoutMs: number;
  readonly heartbeatMs: number;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onEvent: (event: "acked" | "resent" | "connected" | "disconnected") => void;
};

type Pending = { readonly chunk: Chunk; readonly settle: (outcome: Delivery) => void };

/**
 * The npm package fluent-logger as a sink, best effort. It runs in a thread of its own, one chunk at a time: when a server half-closes
 * at the wrong moment it spins for ever, and an acknowledgement in two segments is an uncaught exception; then, and when a chunk fails
 * or takes too long, the thread is ended, and the chunk goes to a new one after a delay. What waits is bounded by `queueBytes`.
 *
 * A chunk counts as delivered by fluent-logger's word. Not promised: that this word is right (without acknowledgements it means that
 * the system has taken the bytes), nor that a chunk which is sent again has the id of the first time, so no receiver can tell the copies.
 */
export class FluentLoggerSink implements Sink {
  readonly name: string;
  readonly #options: FluentLoggerSinkOptions;
  readonly #queue: BoundedQueue<Pending>;
  readonly #stop = new AbortController();
  readonly #stopping: Promise<Delivery>;
  readonly #work: Promise<void>;
  #thread: SenderThread | undefined;
  #problem: string | undefined;
  #failures = 0;

  constructor(options: FluentLoggerSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.#queue = new BoundedQueue({ capacity: options.queueBytes, sizeOf: ({ chunk }) => Math.min(chunk.entries.length, options.queueBytes) });
    const stopping = Promise.withResolvers<Delivery>();
    this.#stopping = stopping.promise;
    this.#stop.signal.addEventListener("abort", () => stopping.resolve(stopped), { once: true });
    this.#work = this.#run();
  }

  async deliver(chunk: Chunk): Promise<Delivery> {
    const { promise, resolve } = Promise.withResolvers<Delivery>();
    const room = await Promise.race([this.#queue.push({ chunk, settle: resolve }), this.#stopping]);
    return room === "accepted" ? await Promise.race([promise, this.#stopping]) : stopped;
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    this.#queue.close();
    await this.#thread?.terminate();
    await this.#work;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const pending = await this.#queue.take(this.#stop.signal).catch(() => undefined);
      if (pending === undefined) return;
      await this.#send(pending);
    }
  }

  async #send({ chunk, settle }: Pending): Promise<void> {
    const { backoff, clock, random, timeoutMs, settings, onEvent } = this.#options;
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      if (attempt > 0) onEvent("resent");
      const outcome = await this.#attempt(chunk, timeoutMs);
      if (outcome === "sent") {
        if (settings.ack) onEvent("acked");
        this.#failures = 0;
        this.#problem = undefined;
        return settle(delivered);
      }
      if (!this.#stop.signal.aborted) this.#failed(outcome.failed);
      await clock.sleep(backoffDelayMs(backoff, attempt, random), this.#stop.signal).catch(() => undefined);
    }
  }

  async #attempt(chunk: Chunk, timeoutMs: number): Promise<"sent" | { readonly failed: string }> {
    try {
      this.#thread ??= this.#begin();
    } catch (error) {
      return { failed: error instanceof Error ? error.message : String(error) };
    }
    return await this.#thread.send(chunk.tag, chunk.entries, timeoutMs);
  }

  #begin(): SenderThread {
    const { settings, tls, heartbeatMs, clock, onEvent, log } = this.#options;
    const thread = new SenderThread({ settings: { ...settings, tls: tls?.current().options }, heartbeatMs, clock });
    onEvent("connected");
    void thread.ended.then((reason) => {
      if (this.#thread === thread) this.#thread = undefined;
      onEvent("disconnected");
      log.debug({ sink: this.name, reason }, "The thread of fluent-logger is gone");
    });
    return thread;
  }

  #failed(reason: string): void {
    this.#problem = reason;
    // The first failure and every tenth: an outage of hours must not fill the log.
    if (this.#failures++ % 10 === 0) this.#options.log.warn({ sink: this.name, reason, failures: this.#failures }, "fluent-logger has failed; trying the chunk again with a new one");
  }
}
