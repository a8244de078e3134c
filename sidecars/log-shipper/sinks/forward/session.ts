import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { Clock } from "../../../../kit/clock.ts";
import { checkPong, pingMessage, readAck, readHelo, type Credentials, type Helo } from "../../forward-protocol/messages.ts";
import { MessageSplitter } from "../../forward-protocol/msgpack-reader.ts";
import { AwakeTime, lookEveryMs } from "../awake-time.ts";
import { openSocket, socketFault, type SocketOptions } from "../open-socket.ts";
import type { Frame } from "./frame.ts";

/**
 * One connection to one Forward server, from connect to its end. Any doubt ends it: an error, the peer's FIN, a frame that is not
 * an ack, an ack for what has not left yet, a deadline. What was sent and not acknowledged by then is the caller's to send again elsewhere; an ack can no longer
 * arrive after the end.
 */
export type SessionOptions = SocketOptions & {
  /** Our name in the shared-key handshake; must differ from the server's. */
  readonly hostname: string;
  readonly credentials: Credentials | undefined;
  readonly connectTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  /** The longest wait for a chunk's ack, from the moment on when the kernel has taken all of it. */
  readonly ackTimeoutMs: number;
  /** The longest time that a chunk may take to leave for the kernel, once the chunks before it have left. */
  readonly writeTimeoutMs: number;
  readonly clock: Clock;
  readonly onAck: (chunkId: string) => void;
};

/** Control messages are small; more unfinished bytes than this is not a Forward server. */
const controlBytesMax = 65_536;

type Sent = { readonly bytes: number; readonly atMs: number; flushedAtMs: number | undefined };

export class ForwardSession {
  readonly #options: SessionOptions;
  readonly #socket: Socket;
  readonly #splitter = new MessageSplitter({ bytesMax: controlBytesMax });
  readonly #sent = new Map<string, Sent>();
  /** Of the frames that the socket may still read from. */
  readonly #onFree = new Set<() => void>();
  #inFlightBytes = 0;
  readonly #time: AwakeTime;
  #lastFlushMs = -Infinity;
  readonly #over = new AbortController();
  /** Resolves with the reason when the session is over. Never rejects. */
  readonly ended: Promise<Error>;
  #end: (reason: Error) => void = () => undefined;
  #onMessage: (message: Buffer) => void = (message) => this.#acknowledged(message);

  private constructor(options: SessionOptions, onReady: () => void) {
    this.#options = options;
    this.#time = new AwakeTime(options.clock);
    const socket = openSocket(options, onReady);
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      this.#end = (reason) => {
        this.#end = () => undefined;
        this.#over.abort(reason);
        socket.destroy();
        resolve(reason);
      };
    });
    const where = `${options.server.host}:${options.server.port}`;
    socket.on("error", (error) => this.#end(new Error(`The connection to ${where} failed: ${socketFault(error)}`, { cause: error })));
    socket.on("end", () => this.#end(new Error(`The server ${where} closed the connection`)));
    socket.on("close", () => {
      this.#end(new Error(`The connection to ${where} was closed`));
      for (const onFree of this.#onFree) onFree();
      this.#onFree.clear();
    });
    socket.on("data", (segment) => this.#received(segment));
  }

  /** Connects and, with credentials, shakes hands. Throws with the reason. */
  static async open(options: SessionOptions, signal: AbortSignal): Promise<ForwardSession> {
    const where = `${options.server.host}:${options.server.port}`;
    let onReady = (): void => undefined;
    const session = new ForwardSession(options, () => onReady());
    const onAbort = (): void => session.destroy("stopped");
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await session.#within(options.connectTimeoutMs, `connect to ${where}`, (done) => (onReady = done));
      if (options.credentials !== undefined) await session.#within(options.handshakeTimeoutMs, `shake hands with ${where}`, (done) => session.#shakeHands(options.credentials, done));
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
    void session.#watch();
    return session;
  }

  /** Chunks sent and not acknowledged. */
  get inFlight(): number {
    return this.#sent.size;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /**
   * Writes the frame; the ack of its chunk arrives through `onAck`, or the session ends. `onFree` is called once, when nothing here
   * or in the system reads the frame's memory any more.
   */
  send(frame: Frame, onFree: () => void): void {
    const entry: Sent = { bytes: frame.bytes, atMs: this.#time.nowMs(), flushedAtMs: undefined };
    this.#sent.set(frame.id, entry);
    this.#inFlightBytes += frame.bytes;
    // Once for this frame, also if it is sent here again later.
    const free = (): void => onFree();
    this.#onFree.add(free);
    this.#socket.cork();
    this.#socket.write(frame.before);
    this.#socket.write(frame.entries);
    this.#socket.write(frame.after, (error) => {
      // After an error the system may still be reading, until the socket is closed.
      if (error !== undefined && error !== null) return;
      entry.flushedAtMs = this.#lastFlushMs = this.#time.nowMs();
      if (this.#onFree.delete(free)) free();
    });
    this.#socket.uncork();
    if (this.#socket.closed && this.#onFree.delete(free)) free();
  }

  destroy(reason: string): void {
    this.#end(new Error(reason));
  }

  /** Runs one phase of the opening with its deadline. */
  async #within(timeoutMs: number, doing: string, start: (done: () => void) => void): Promise<void> {
    const timer = new AbortController();
    const done = new Promise<"done">((resolve) => start(() => resolve("done")));
    const late = this.#time.pass(timeoutMs, timer.signal).then(() => "late" as const, () => "done" as const);
    const outcome = await Promise.race([done, late, this.ended]);
    timer.abort();
    if (outcome === "done") return;
    if (outcome === "late") {
      const reason = new Error(`Cannot ${doing}: no success within ${timeoutMs} ms`);
      this.#end(reason);
      throw reason;
    }
    throw new Error(`Cannot ${doing}: ${outcome.message}`, { cause: outcome });
  }

  #shakeHands(credentials: Credentials | undefined, done: () => void): void {
    if (credentials === undefined) return done();
    const { hostname } = this.#options;
    const salt = randomBytes(16);
    let helo: Helo | undefined;
    this.#onMessage = (message) => {
      if (helo === undefined) {
        const received = readHelo(message);
        // The splitter's views do not outlive this call.
        helo = { nonce: Uint8Array.from(received.nonce), authSalt: Uint8Array.from(received.authSalt) };
        this.#socket.write(pingMessage({ helo, hostname, salt, credentials }));
        return;
      }
      checkPong(message, { helo, hostname, salt, sharedKey: credentials.sharedKey });
      this.#onMessage = (next) => this.#acknowledged(next);
      done();
    };
  }

  #received(segment: Buffer): void {
    try {
      for (const message of this.#splitter.push(segment)) this.#onMessage(message);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #acknowledged(message: Buffer): void {
    const id = readAck(message);
    if (id === undefined) {
      const hint = this.#options.credentials === undefined ? "; if it is a HELO, the server demands a shared key: set sinks.sharedKey" : "";
      return this.#end(new Error(`The server sent something that is not an acknowledgement${hint}`));
    }
    // An unknown or repeated ack confirms nothing and harms nothing.
    const entry = this.#sent.get(id);
    if (entry === undefined) return;
    if (entry.flushedAtMs !== undefined) return this.#confirmed(id, entry);
    // With TLS a write's end is told one turn of the event loop late, and a quick ack may come before; later than that it is a lie.
    setImmediate(() => setImmediate(() => {
      if (entry.flushedAtMs === undefined) this.#end(new Error(`The server acknowledged chunk ${id} before it had all of it`));
      else this.#confirmed(id, entry);
    }));
  }

  #confirmed(id: string, entry: Sent): void {
    if (this.#over.signal.aborted || this.#sent.get(id) !== entry) return;
    this.#sent.delete(id);
    this.#inFlightBytes -= entry.bytes;
    this.#options.onAck(id);
  }

  /** Ends the session when a chunk's write or ack is overdue. */
  async #watch(): Promise<void> {
    const { ackTimeoutMs, writeTimeoutMs } = this.#options;
    const everyMs = lookEveryMs(Math.min(ackTimeoutMs, writeTimeoutMs));
    while (!this.#over.signal.aborted) {
      await this.#time.sleep(everyMs, this.#over.signal).catch(() => undefined);
      const nowMs = this.#time.nowMs();
      // The oldest; those after it were written later.
      const [oldest] = this.#sent;
      if (oldest === undefined) continue;
      const [id, { atMs, flushedAtMs }] = oldest;
      const unwrittenMs = nowMs - Math.max(atMs, this.#lastFlushMs);
      if (flushedAtMs === undefined && unwrittenMs > writeTimeoutMs) this.#end(new Error(`The server took no data of chunk ${id} for ${Math.round(unwrittenMs)} ms`));
      if (flushedAtMs !== undefined && nowMs - flushedAtMs > ackTimeoutMs) this.#end(new Error(`No acknowledgement of chunk ${id} within ${ackTimeoutMs} ms`));
    }
  }
}
