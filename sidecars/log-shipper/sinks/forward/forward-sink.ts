import { backoffDelayMs, type Backoff } from "../../../../kit/backoff.ts";
import type { Random } from "../../../../kit/clock.ts";
import type { Log } from "../../../../kit/log.ts";
import type { Chunk } from "../../delivery/chunk.ts";
import type { Compression } from "../../forward-protocol/messages.ts";
import type { ServerAddress } from "../open-socket.ts";
import type { Delivery, Sink } from "../sink.ts";
import { nextServer } from "./server-choice.ts";
import { ForwardSession, type SessionOptions } from "./session.ts";
import { Window, type Link } from "./window.ts";

/**
 * Delivery to Forward servers (fluentd, Fluent Bit, or any other), at least once: a chunk is done when its ack came on the
 * connection that it was last sent on. When a connection ends, all unacknowledged chunks are sent again, in order and byte for
 * byte, on another one, after a delay that grows with each failure. It never gives up on an outage.
 *
 * Failover uses one server until it fails, then the one that failed least, and looks every `failbackMs` whether an earlier one is
 * there again. Round-robin has a connection to each server; a chunk stays on its own until that ends. Standby servers come last in
 * failover; in round-robin they serve while no other server can be reached.
 *
 * Not promised: order across a resend or between servers, and that a receiver which ignores chunk ids stores a resent chunk once.
 */
export type ForwardSinkOptions = Omit<SessionOptions, "server" | "onAck"> & {
  readonly name: string;
  readonly servers: readonly ServerAddress[];
  readonly balance: "failover" | "round-robin";
  /** Of the servers in round-robin, in their order; 1 where there is none. */
  readonly weights: readonly number[];
  readonly standby: readonly ServerAddress[];
  /** 0 = never. */
  readonly failbackMs: number;
  readonly compress: Compression;
  readonly backoff: Backoff;
  readonly random: Random;
  readonly log: Log;
  readonly onEvent: (event: "acked" | "resent" | "connected" | "disconnected") => void;
};

type Server = {
  readonly address: ServerAddress;
  readonly weight: number;
  /** In a row, since the last ack; in failover, since the last ack of any server. */
  failures: number;
  /** Connections in a row that stood and gave no ack. */
  barren: number;
};
type Open = Link & { readonly server: Server; readonly session: ForwardSession; acks: number };

export class ForwardSink implements Sink {
  readonly name: string;
  readonly #options: ForwardSinkOptions;
  readonly #servers: readonly Server[];
  readonly #standby: readonly Server[];
  readonly #stop = new AbortController();
  readonly #window: Window;
  readonly #work: Promise<unknown>;
  readonly #open = new Set<Open>();
  #problem: string | undefined = "not connected yet";
  #failures = 0;
  /** Resolved and replaced when a connection or a failure comes. */
  #change = Promise.withResolvers<void>();

  constructor(options: ForwardSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.#servers = options.servers.map((address, index) => ({ address, weight: options.weights[index] ?? 1, failures: 0, barren: 0 }));
    this.#standby = options.standby.map((address) => ({ address, weight: 1, failures: 0, barren: 0 }));
    this.#window = new Window({ compression: options.compress, onEvent: options.onEvent });
    this.#work = options.balance === "failover" ? this.#failover() : this.#roundRobin();
  }

  deliver(chunk: Chunk): Promise<Delivery> {
    return this.#window.deliver(chunk);
  }

  problem(): string | undefined {
    return this.#window.links.length > 0 ? undefined : this.#problem;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    for (const { session } of this.#open) session.destroy("stopped");
    this.#notify();
    await this.#work;
    this.#window.close();
  }

  async #failover(): Promise<void> {
    const servers = [...this.#servers, ...this.#standby];
    while (!this.#stop.signal.aborted) {
      const server = nextServer(servers);
      if (server === undefined) return;
      await this.#rest(server);
      const open = await this.#connect(server);
      if (open === undefined) continue;
      this.#window.add(open);
      await this.#untilEndOrBetter(open, servers);
    }
  }

  /** Resolves when the last of possibly several connections has ended: each time an earlier server answers, it takes over. */
  async #untilEndOrBetter(first: Open, servers: readonly Server[]): Promise<void> {
    const { failbackMs, clock } = this.#options;
    for (let open = first; ; ) {
      const better = servers.slice(0, servers.indexOf(open.server));
      // To go back to a server that answers and does not work costs an ack timeout: each time it takes longer.
      const waitMs = failbackMs * 2 ** Math.min(barrenMax, ...better.map(({ barren }) => barren));
      const over = new AbortController();
      const elapsed = better.length === 0 || failbackMs === 0 ? new Promise<never>(() => undefined) : clock.sleep(waitMs, over.signal).then(() => "look" as const, () => "over" as const);
      const outcome = await Promise.race([open.session.ended, elapsed]);
      over.abort();
      if (outcome !== "look") return;
      const next = await this.#firstOf(better);
      if (next === undefined) continue;
      this.#window.retire(open);
      this.#window.add(next);
      void this.#endWhenIdle(open);
      open = next;
    }
  }

  async #firstOf(servers: readonly Server[]): Promise<Open | undefined> {
    for (const server of servers) {
      const open = await this.#connect(server);
      if (open !== undefined) return open;
    }
    return undefined;
  }

  async #roundRobin(): Promise<void> {
    await Promise.all([...this.#servers.map((server) => this.#keepOpen(server)), ...this.#standby.map((server) => this.#standBy(server))]);
  }

  async #keepOpen(server: Server): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#rest(server);
      const open = await this.#connect(server);
      if (open === undefined) continue;
      this.#window.add(open);
      // A standby server that served meanwhile is done.
      this.#notify();
      await open.session.ended;
    }
  }

  async #standBy(server: Server): Promise<void> {
    const served = (): boolean => this.#window.links.some((link) => this.#servers.some((each) => link === this.#openOf(each)));
    const needed = (): boolean => !served() && this.#servers.every(({ failures }) => failures > 0);
    while (!this.#stop.signal.aborted) {
      await this.#until(needed);
      await this.#rest(server);
      if (this.#stop.signal.aborted || !needed()) continue;
      const open = await this.#connect(server);
      if (open === undefined) continue;
      this.#window.add(open);
      await this.#until(() => served() || !this.#open.has(open));
      this.#window.retire(open);
      await this.#endWhenIdle(open);
    }
  }

  #openOf(server: Server): Open | undefined {
    for (const open of this.#open) if (open.server === server) return open;
    return undefined;
  }

  /** A connection, not yet in use; undefined when there is none. */
  async #connect(server: Server): Promise<Open | undefined> {
    const { onEvent, log, name } = this.#options;
    const { address } = server;
    if (this.#stop.signal.aborted) return undefined;
    try {
      const holder: { open?: Open } = {};
      const session = await ForwardSession.open({ ...this.#options, server: address, onAck: (id) => this.#acked(holder.open, id) }, this.#stop.signal);
      const open: Open = { server, session, weight: server.weight, acks: 0, givenBytes: 0, get inFlightBytes() { return session.inFlightBytes; } };
      holder.open = open;
      this.#open.add(open);
      if (this.#stop.signal.aborted) session.destroy("stopped");
      onEvent("connected");
      log.info({ sink: name, server: address }, "Connected to the log receiver");
      this.#notify();
      void session.ended.then((reason) => this.#ended(open, reason));
      return open;
    } catch (error) {
      this.#failed(server, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #ended(open: Open, reason: Error): void {
    this.#open.delete(open);
    this.#options.onEvent("disconnected");
    const wanted = this.#window.links.includes(open) || open.session.inFlight > 0;
    this.#window.remove(open);
    if (wanted && open.acks === 0) open.server.barren++;
    if (wanted) this.#failed(open.server, reason.message);
    this.#notify();
  }

  #failed(server: Server, reason: string): void {
    const { log, name } = this.#options;
    if (this.#stop.signal.aborted) return;
    this.#problem = reason;
    server.failures++;
    // The first failure and every tenth: an outage of hours must not fill the log.
    if (this.#failures++ % 10 === 0) log.warn({ sink: name, server: server.address, reason, unacknowledged: this.#window.size, failures: this.#failures }, "Lost the log receiver; keeping everything and trying again");
    this.#notify();
  }

  #acked(open: Open | undefined, id: string): void {
    if (open === undefined || !this.#window.acknowledged(open, id)) return;
    open.acks++;
    this.#failures = 0;
    open.server.failures = 0;
    open.server.barren = 0;
    // In failover, the others may be tried again at once when this one fails.
    if (this.#options.balance === "failover") for (const server of [...this.#servers, ...this.#standby]) server.failures = 0;
  }

  /** Ends a retired connection when its last chunk is acknowledged, or it ends by itself. */
  async #endWhenIdle(open: Open): Promise<void> {
    const { clock } = this.#options;
    const { session } = open;
    while (this.#open.has(open) && session.inFlight > 0 && !this.#stop.signal.aborted) await clock.sleep(retiredPollMs, this.#stop.signal).catch(() => undefined);
    session.destroy("another server is used");
  }

  /** Waits out the server's failures. */
  async #rest(server: Server): Promise<void> {
    const { backoff, random, clock } = this.#options;
    if (server.failures > 0) await clock.sleep(backoffDelayMs(backoff, server.failures - 1, random), this.#stop.signal).catch(() => undefined);
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!this.#stop.signal.aborted && !condition()) await this.#change.promise;
  }

  #notify(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

const retiredPollMs = 100;
/** Failing back takes at most so many times twice as long. */
const barrenMax = 6;
