import type { Socket } from "node:net";
import { backoffDelayMs, type Backoff } from "../../../../kit/backoff.ts";
import type { Clock, Random } from "../../../../kit/clock.ts";
import type { Log } from "../../../../kit/log.ts";
import type { Chunk } from "../../delivery/chunk.ts";
import { nextServer } from "../forward/server-choice.ts";
import { AwakeTime, lookEveryMs } from "../awake-time.ts";
import { openSocket, socketFault, type ServerAddress, type SocketOptions } from "../open-socket.ts";
import { delivered, stopped, type Delivery, type Sink } from "../sink.ts";
import { SyslogMessages, type SyslogMessageOptions } from "./message.ts";

export type SyslogSinkOptions = SyslogMessageOptions & Omit<SocketOptions, "server"> & {
  readonly name: string;
  readonly servers: readonly ServerAddress[];
  /** How long a connection must stand after it took a chunk. */
  readonly confirmMs: number;
  readonly connectTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onEvent: (event: "resent" | "connected" | "disconnected") => void;
};

type Server = { readonly address: ServerAddress; readonly weight: 1; failures: number };
type Pending = { readonly chunk: Chunk; readonly settle: (outcome: Delivery) => void; sends: number; sentAtMs: number; written: boolean };

/**
 * Messages of RFC 5424 over TCP or TLS. Best effort, because syslog has no acknowledgements: a chunk counts as delivered when the
 * system has taken all of it and the connection stood for `confirmMs` after that. When a connection ends, what is not delivered by
 * then is sent again, so a chunk may arrive twice. Nothing else is promised: what a server that dies, or a network that is silently
 * cut, had in its buffers is lost.
 *
 * One server is used until it fails, then the one that failed least. It never gives up on an outage.
 */
export class SyslogSink implements Sink {
  readonly name: string;
  readonly #options: SyslogSinkOptions;
  readonly #messages: SyslogMessages;
  readonly #servers: readonly Server[];
  readonly #stop = new AbortController();
  /** In the order in which they came. */
  readonly #pending = new Set<Pending>();
  readonly #work: Promise<void>;
  readonly #time: AwakeTime;
  #connection: Connection | undefined;
  #problem: string | undefined = "not connected yet";
  #failures = 0;

  constructor(options: SyslogSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.#messages = new SyslogMessages(options);
    this.#time = new AwakeTime(options.clock);
    this.#servers = options.servers.map((address) => ({ address, weight: 1, failures: 0 }));
    this.#work = this.#run();
  }

  deliver(chunk: Chunk): Promise<Delivery> {
    if (this.#stop.signal.aborted) return Promise.resolve(stopped);
    const { promise, resolve } = Promise.withResolvers<Delivery>();
    const pending: Pending = { chunk, settle: resolve, sends: 0, sentAtMs: 0, written: false };
    this.#pending.add(pending);
    if (this.#connection !== undefined) this.#send(this.#connection, pending);
    return promise;
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#work;
    for (const { settle } of this.#pending) settle(stopped);
    this.#pending.clear();
  }

  async #run(): Promise<void> {
    const { backoff, clock, random } = this.#options;
    while (!this.#stop.signal.aborted) {
      const server = nextServer(this.#servers);
      if (server === undefined) return;
      if (server.failures > 0) await clock.sleep(backoffDelayMs(backoff, server.failures - 1, random), this.#stop.signal).catch(() => undefined);
      if (this.#stop.signal.aborted) return;
      const reason = await this.#serveBy(server);
      if (!this.#stop.signal.aborted) this.#failed(server, reason);
    }
  }

  /** One connection from its beginning to its end; resolves with the reason of the end. */
  async #serveBy(server: Server): Promise<string> {
    const { onEvent, log, clock, confirmMs } = this.#options;
    const { host, port } = server.address;
    let connection: Connection;
    try {
      connection = await Connection.open({ ...this.#options, server: server.address }, this.#stop.signal);
    } catch (error) {
      return `Cannot connect to ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`;
    }
    onEvent("connected");
    log.info({ sink: this.name, server: server.address }, "Connected to the syslog server");
    this.#connection = connection;
    for (const pending of this.#pending) this.#send(connection, pending);
    void this.#watch(connection);
    // Some servers take a connection and end it at once, for want of a certificate for one.
    clock.sleep(confirmMs, connection.over).then(() => (this.#problem = undefined), () => undefined);
    const stop = (): void => connection.end();
    this.#stop.signal.addEventListener("abort", stop, { once: true });
    if (this.#stop.signal.aborted) stop();
    const openedAtMs = clock.monotonicMs();
    const reason = await connection.ended;
    this.#stop.signal.removeEventListener("abort", stop);
    this.#connection = undefined;
    onEvent("disconnected");
    // A server that takes connections and ends them at once has not worked.
    if (clock.monotonicMs() - openedAtMs > stableMs) server.failures = 0;
    return `The connection to ${host}:${port} is over: ${reason}`;
  }

  #send(connection: Connection, pending: Pending): void {
    const { confirmMs, onEvent } = this.#options;
    if (pending.sends++ > 0) onEvent("resent");
    pending.written = false;
    const bytes = this.#messages.encode(pending.chunk);
    pending.sentAtMs = this.#time.nowMs();
    connection.write(bytes, () => {
      pending.written = true;
      connection.lastWrittenAtMs = this.#time.nowMs();
      const confirm = (): void => {
        if (connection.over.aborted || !this.#pending.delete(pending)) return;
        this.#failures = 0;
        for (const server of this.#servers) server.failures = 0;
        pending.settle(delivered);
      };
      if (confirmMs === 0) confirm();
      else this.#time.pass(confirmMs, connection.over).then(confirm, () => undefined); // over: sent again on the next one
    });
  }

  /** Ends a connection that takes no data. */
  async #watch(connection: Connection): Promise<void> {
    const { writeTimeoutMs } = this.#options;
    while (!connection.over.aborted) {
      await this.#time.sleep(lookEveryMs(writeTimeoutMs), connection.over).catch(() => undefined);
      const oldest = this.#pending.values().find(({ written }) => !written);
      if (oldest === undefined) continue;
      const waitedMs = this.#time.nowMs() - Math.max(oldest.sentAtMs, connection.lastWrittenAtMs);
      if (waitedMs > writeTimeoutMs) connection.destroy(`the server took no data for ${Math.round(waitedMs)} ms`);
    }
  }

  #failed(server: Server, reason: string): void {
    server.failures++;
    this.#problem = reason;
    // The first failure and every tenth: an outage of hours must not fill the log.
    if (this.#failures++ % 10 === 0) this.#options.log.warn({ sink: this.name, server: server.address, reason, undelivered: this.#pending.size, failures: this.#failures }, "Lost the syslog server; keeping what is not delivered and trying again");
  }
}

/** A connection that stood so long has worked, though nothing was sent on it. */
const stableMs = 10_000;
/** How long the goodbye of a connection may take. */
const endTimeoutMs = 500;

type ConnectionOptions = SocketOptions & { readonly connectTimeoutMs: number; readonly clock: Clock };

class Connection {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #over = new AbortController();
  lastWrittenAtMs = -Infinity;
  /** Resolves with the reason once the connection is over. Never rejects. */
  readonly ended: Promise<string>;
  #end: (reason: string) => void = () => undefined;

  private constructor(options: ConnectionOptions, onReady: () => void) {
    this.#clock = options.clock;
    const socket = openSocket(options, onReady);
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      this.#end = (reason) => {
        this.#end = () => undefined;
        this.#over.abort(new Error(reason));
        socket.destroy();
        resolve(reason);
      };
    });
    socket.on("error", (error) => this.#end(socketFault(error)));
    socket.on("end", () => this.#end("the server closed it"));
    socket.on("close", () => this.#end("it was closed"));
    socket.resume(); // servers have nothing to say
  }

  /** Throws with the reason. */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    const ready = Promise.withResolvers<"ready">();
    const connection = new Connection(options, () => ready.resolve("ready"));
    const over = new AbortController();
    const late = new AwakeTime(options.clock).pass(options.connectTimeoutMs, AbortSignal.any([over.signal, signal])).then(() => `no success within ${options.connectTimeoutMs} ms`, () => "stopped");
    const outcome = await Promise.race([ready.promise, connection.ended, late]);
    over.abort();
    if (outcome === "ready" && !signal.aborted) return connection;
    connection.destroy(outcome);
    throw new Error(outcome);
  }

  /** Aborts at the end. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** `onWritten` is called when the system has taken all of it. */
  write(bytes: Buffer, onWritten: () => void): void {
    this.#socket.write(bytes, (error) => {
      if (error === undefined || error === null) onWritten();
    });
  }

  destroy(reason: string): void {
    this.#end(reason);
  }

  /** Ends in order, with TLS's goodbye; what is still to be written goes lost. */
  end(): void {
    if (this.#socket.writableLength > 0) return this.#end("stopped");
    this.#socket.end();
    this.#clock.sleep(endTimeoutMs, this.#over.signal).then(() => this.#end("stopped"), () => undefined);
  }
}
