import { backoffDelayMs, type Backoff } from "../../../../kit/backoff.ts";
import type { Random } from "../../../../kit/clock.ts";
import type { Log } from "../../../../kit/log.ts";
import type { Chunk } from "../../chunk.ts";
import { delivered, stopped, type Delivery, type Sink } from "../sink.ts";
import { ForwardSession, type SessionOptions } from "./session.ts";

/**
 * Delivery to a Forward server (fluentd, Fluent Bit, or any other), at least once: a chunk is done when its ack came on the
 * connection that it was last sent on. When a connection ends, all unacknowledged chunks are sent again, in order and byte for
 * byte, on the next one, after a delay that grows with each failure; with several servers the next one is tried. It never gives
 * up on an outage.
 *
 * Not promised: order across a resend, and that a receiver which ignores chunk ids stores a resent chunk once.
 */
export type ForwardSinkOptions = Omit<SessionOptions, "server" | "onAck"> & {
  readonly name: string;
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  readonly backoff: Backoff;
  readonly random: Random;
  readonly log: Log;
  readonly onEvent: (event: "acked" | "resent" | "connected" | "disconnected") => void;
};

type Pending = { readonly chunk: Chunk; sends: number; readonly promise: Promise<Delivery>; readonly settle: (outcome: Delivery) => void };

export class ForwardSink implements Sink {
  readonly name: string;
  readonly #options: ForwardSinkOptions;
  readonly #stop = new AbortController();
  /** In the order of their first delivery; a chunk leaves when it is acknowledged. */
  readonly #pending = new Map<string, Pending>();
  readonly #loop: Promise<void>;
  #session: ForwardSession | undefined;
  #problem: string | undefined = "not connected yet";
  #failures = 0;

  constructor(options: ForwardSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.#loop = this.#run();
  }

  deliver(chunk: Chunk): Promise<Delivery> {
    const known = this.#pending.get(chunk.id);
    if (known !== undefined) {
      // An application chooses its chunk ids itself and may choose one twice; only the same content is the same chunk.
      if (Buffer.compare(known.chunk.entries, chunk.entries) === 0) return known.promise;
      return known.promise.then((outcome) => (outcome.kind === "delivered" ? this.deliver(chunk) : outcome));
    }
    if (this.#stop.signal.aborted) return Promise.resolve(stopped);
    const { promise, resolve } = Promise.withResolvers<Delivery>();
    const delivery: Pending = { chunk, sends: 0, promise, settle: resolve };
    this.#pending.set(chunk.id, delivery);
    if (this.#session !== undefined) this.#send(this.#session, delivery);
    return promise;
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    this.#session?.destroy("stopped");
    await this.#loop;
    for (const delivery of this.#pending.values()) delivery.settle(stopped);
    this.#pending.clear();
  }

  async #run(): Promise<void> {
    const { servers, backoff, random, clock, log, name } = this.#options;
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      const server = servers[attempt % servers.length];
      if (server === undefined) return;
      const reason = await this.#serve(server);
      if (this.#stop.signal.aborted) return;
      this.#problem = reason.message;
      const delayMs = backoffDelayMs(backoff, this.#failures++, random);
      // The first failure and every tenth: an outage of hours must not fill the log.
      if (this.#failures % 10 === 1) log.warn({ sink: name, server, reason: reason.message, unacknowledged: this.#pending.size, retryInMs: Math.round(delayMs) }, "Lost the log receiver; keeping everything and trying again");
      await clock.sleep(delayMs, this.#stop.signal).catch(() => undefined);
    }
  }

  /** One connection from open to end; returns why it ended. */
  async #serve(server: { readonly host: string; readonly port: number }): Promise<Error> {
    const { onEvent, log, name } = this.#options;
    try {
      const session = await ForwardSession.open({ ...this.#options, server, onAck: (id) => this.#acked(id) }, this.#stop.signal);
      onEvent("connected");
      log.info({ sink: name, server }, "Connected to the log receiver");
      this.#session = session;
      if (this.#stop.signal.aborted) session.destroy("stopped");
      this.#problem = undefined;
      for (const delivery of this.#pending.values()) this.#send(session, delivery);
      const reason = await session.ended;
      onEvent("disconnected");
      return reason;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#session = undefined;
    }
  }

  #send(session: ForwardSession, delivery: Pending): void {
    if (delivery.sends++ > 0) this.#options.onEvent("resent");
    session.send(delivery.chunk);
  }

  #acked(id: string): void {
    this.#failures = 0;
    const delivery = this.#pending.get(id);
    if (delivery === undefined) return;
    this.#pending.delete(id);
    this.#options.onEvent("acked");
    delivery.settle(delivered);
  }
}
