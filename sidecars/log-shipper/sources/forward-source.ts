import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { Log } from "../../../kit/log.ts";
import { contentName, enrichEntries, rangeChunkId, shortHash, type Chunk } from "../delivery/chunk.ts";
import { ackMessage, checkPing, heloMessage, pongMessage, readPing, type Helo, type User } from "../forward-protocol/messages.ts";
import { MalformedMessageError, MessageSplitter, textOf } from "../forward-protocol/msgpack-reader.ts";
import { readTransport, type Transport } from "../forward-protocol/transport.ts";
import type { Ledger } from "../state/ledger.ts";
import type { Pipeline } from "../delivery/pipeline.ts";
import type { Shaper } from "../shape/shaper.ts";
import type { ExtraPairs } from "../encode/range-encoder.ts";
import { ForwardListener, type ListenerOptions } from "./forward-listener.ts";

/**
 * A Forward server for the applications of the Pod. A chunk is acknowledged only after every required sink has acknowledged it,
 * so an application that waits for its acks has at-least-once delivery to the central service.
 *
 * Each of our messages is one write, and nonce and salt are msgpack bin: fluent-logger needs both. A connection is ended by a
 * reset, never by a half-close, on which fluent-logger spins for ever if it has a write pending. A Unix socket knows no reset and
 * is closed.
 *
 * Memory is bounded whatever a client sends: by `messageBytesMax` for each connection before a message is whole, by the pipeline's
 * bound after that.
 *
 * Not promised: delivery of messages without the chunk option. They cannot be acknowledged, and what is unsent when this process
 * dies is gone; they are counted (`onUnacknowledged`).
 */
export type ForwardSourceOptions = Omit<ListenerOptions, "onConnection"> & {
  readonly hostname: string;
  readonly sharedKey: string | undefined;
  readonly users: readonly User[];
  readonly messageBytesMax: number;
  readonly tagPrefix: string;
  /** Names this Pod in the ids given to chunks that came without one. */
  readonly scope: string;
  /** Pairs for every record, as they stand now. */
  readonly extra: () => ExtraPairs;
  readonly shaper: Shaper | undefined;
  readonly pipeline: Pipeline;
  readonly ledger: Ledger;
  readonly log: Log;
  readonly giveUp: AbortSignal;
  readonly onRecords: (records: number, bytes: number) => void;
  readonly onUnacknowledged: (records: number) => void;
};

type Connection = { readonly socket: Socket; readonly reset: () => void; pending: number; ended: boolean };
type Handshake = { readonly helo: Helo; readonly sharedKey: string; readonly users: readonly User[] };

/** Before a client has shown that it knows the key it may say no more than this. */
const handshakeBytesMax = 4_096;
/** Records grow by the Pod's metadata; a message of very many tiny ones is refused rather than blown up. */
const enrichedBytesMax = 134_217_728;
/** Acks that a client does not read; beyond it nothing more is read from it. */
const unreadAcksMax = 65_536;
/** How long the last acks may take to leave before connections are reset. */
const closingWaitMs = 500;

export class ForwardSource {
  readonly #options: ForwardSourceOptions;
  readonly #connections = new Set<Connection>();
  #listener: ForwardListener | undefined;
  #pending = 0;
  #sequence = 0;
  #refused = 0;
  #closed = false;

  private constructor(options: ForwardSourceOptions) {
    this.#options = options;
  }

  /** Throws when it cannot listen. */
  static async listen(options: ForwardSourceOptions): Promise<ForwardSource> {
    const source = new ForwardSource(options);
    source.#listener = await ForwardListener.listen({ ...options, onConnection: (socket, reset) => void source.#serve({ socket, reset, pending: 0, ended: false }) });
    return source;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Whether everything received was delivered and acknowledged. */
  get idle(): boolean {
    return this.#pending === 0;
  }

  /** Takes no new connections; those that exist are served on. */
  stopAccepting(): void {
    this.#listener?.close();
  }

  /** Takes nothing more. Connections are reset once the acks that were written have left. */
  close(): void {
    this.#closed = true;
    this.#listener?.close();
    for (const connection of this.#connections) {
      const { socket, reset } = connection;
      if (socket.writableLength === 0) reset();
      else {
        const timer = setTimeout(reset, closingWaitMs);
        socket.once("drain", reset).once("close", () => clearTimeout(timer));
      }
    }
  }

  async #serve(connection: Connection): Promise<void> {
    const { socket, reset } = connection;
    const { sharedKey, users, messageBytesMax, handshakeTimeoutMs, log } = this.#options;
    this.#connections.add(connection);
    socket.on("close", () => this.#connections.delete(connection));
    socket.on("error", (error) => log.debug({ err: error }, "A client's connection failed"));
    let handshake: Handshake | undefined = sharedKey === undefined ? undefined : { helo: { nonce: randomBytes(16), authSalt: users.length === 0 ? new Uint8Array(0) : randomBytes(16) }, sharedKey, users };
    const splitter = new MessageSplitter({ bytesMax: handshake === undefined ? messageBytesMax : handshakeBytesMax });
    const late = handshake === undefined ? undefined : setTimeout(reset, handshakeTimeoutMs);
    if (handshake !== undefined) socket.write(heloMessage(handshake.helo));
    try {
      // Reading by iteration: the next segment is taken from the kernel only when this one was dealt with.
      for await (const segment of readSegments(socket)) {
        for (const message of splitter.push(segment)) {
          if (handshake === undefined) {
            await this.#accept(connection, message);
          } else {
            this.#greet(socket, message, handshake);
            clearTimeout(late);
            handshake = undefined;
            splitter.bytesMax = messageBytesMax;
          }
        }
        if (socket.writableLength > unreadAcksMax) await drained(socket);
      }
      // The client has sent its FIN, so it has no writes pending and a FIN of ours is safe; its acks go out before.
      connection.ended = true;
      if (connection.pending === 0) socket.end();
    } catch (error) {
      if (error instanceof MalformedMessageError && this.#refused++ % 100 === 0) log.warn({ reason: error.message, refused: this.#refused }, "Refused an application's message and reset its connection");
      reset();
    } finally {
      clearTimeout(late);
    }
  }

  #greet(socket: Socket, message: Buffer, handshake: Handshake): void {
    const { hostname } = this.#options;
    const ping = readPing(message);
    const refusal = checkPing(ping, { ...handshake, hostname });
    socket.write(pongMessage({ refusal, hostname, ping, ...handshake }));
    if (refusal !== undefined) throw new MalformedMessageError(`The handshake failed: ${refusal}`);
  }

  async #accept(connection: Connection, message: Buffer): Promise<void> {
    const { pipeline, ledger, giveUp } = this.#options;
    if (this.#closed) throw new Error("The source is closed");
    if (message.length > this.#options.messageBytesMax) throw new MalformedMessageError(`Cannot accept a message: it has ${message.length} bytes, the limit is ${this.#options.messageBytesMax}`);
    const transport = await readTransport(message, this.#options.messageBytesMax);
    const records = transport.spans.length / 2;
    const grown = transport.entries.length + records * this.#options.extra().bytes.length;
    if (grown > enrichedBytesMax) throw new MalformedMessageError(`Cannot accept a message: its ${records} records would be ${grown} bytes with the Pod's metadata, the limit is ${enrichedBytesMax}`);
    if (records === 0) return this.#acknowledge(connection, transport.chunk);
    const bytes = transport.entries.length;
    this.#pending++;
    connection.pending++;
    await pipeline.room(giveUp).catch((error: unknown) => {
      this.#pending--;
      connection.pending--;
      throw error;
    });
    const { chunks, filteredBytes } = this.#chunks(transport);
    this.#options.onRecords(records, bytes);
    if (transport.chunk === undefined) this.#options.onUnacknowledged(records);
    ledger.read(bytes);
    void pipeline.deliver(chunks).then((delivery) => {
      this.#pending--;
      connection.pending--;
      if (delivery.kind !== "delivered") return;
      ledger.settled(bytes, { filteredBytes, deadLetteredBytes: delivery.deadLetteredBytes });
      this.#acknowledge(connection, transport.chunk);
    });
  }

  /** The message's records for each outlet. What a rate limit drops may differ when the application sends the chunk again. */
  #chunks(transport: Transport): { readonly chunks: readonly Chunk[]; readonly filteredBytes: number } {
    const { extra, tagPrefix, shaper, scope } = this.#options;
    const id = this.#idOf(transport.chunk);
    const tag = tagPrefix + transport.tag;
    const content = contentName(scope, `forward:${id}`);
    const pairs = extra();
    const batch = { entries: enrichEntries(transport.entries, pairs), records: transport.spans.length / 2, spans: transport.spans };
    const { outlets, filteredBytes } = shaper?.shape(batch, { content, from: 0, tag, nowMs: performance.now(), extra: pairs, memory: undefined }) ?? { outlets: [batch], filteredBytes: 0 };
    const chunks = outlets.map(({ entries, records, spans }, outlet) => ({
      id: outlet === 0 ? id : rangeChunkId({ content, from: 0, to: transport.entries.length, outlet }),
      tag, entries, records,
      origin: { content, path: undefined, from: 0, spans },
    }));
    return { chunks, filteredBytes };
  }

  #acknowledge(connection: Connection, chunk: Uint8Array | undefined): void {
    const { socket } = connection;
    if (chunk !== undefined && socket.writable) socket.write(ackMessage(chunk));
    if (connection.ended && connection.pending === 0) socket.end();
  }

  /** The application's own id, so that a chunk which it sends again is the same chunk further on. */
  #idOf(chunk: Uint8Array | undefined): string {
    if (chunk !== undefined) return textOf(chunk);
    return shortHash(`${this.#options.scope}\nforward\n${process.pid}\n${process.hrtime.bigint()}\n${this.#sequence++}`);
  }
}

/** Resolves when the client has read on, or is gone. */
async function drained(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

async function* readSegments(socket: Socket): AsyncGenerator<Buffer> {
  const segments: AsyncIterable<unknown> = socket.iterator({ destroyOnReturn: false });
  for await (const segment of segments) if (Buffer.isBuffer(segment)) yield segment;
}
