import { randomBytes } from "node:crypto";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Log } from "../../../kit/log.ts";
import { contentName, enrichEntries, rangeChunkId, shortHash, type Chunk } from "../chunk.ts";
import { ackMessage, checkPing, heloMessage, pongMessage, readPing, type Helo } from "../forward-protocol/messages.ts";
import { MalformedMessageError, MessageSplitter, textOf } from "../forward-protocol/msgpack-reader.ts";
import { readTransport, type Transport } from "../forward-protocol/transport.ts";
import type { Ledger } from "../ledger.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Shaper } from "../shape/shaper.ts";
import type { ExtraPairs } from "../encode/range-encoder.ts";

/**
 * A Forward server for the applications of the Pod. A chunk is acknowledged only after every required sink has acknowledged it,
 * so an application that waits for its acks has at-least-once delivery to the central service.
 *
 * Each of our messages is one write, and nonce and salt are msgpack bin: fluent-logger needs both. A connection is ended by a
 * reset, never by a half-close, on which fluent-logger spins for ever if it has a write pending.
 *
 * Not promised: delivery of messages without the chunk option. They cannot be acknowledged, and what is unsent when this process
 * dies is gone; they are counted (`onUnacknowledged`).
 */
export type ForwardSourceOptions = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly hostname: string;
  readonly sharedKey: string | undefined;
  readonly messageBytesMax: number;
  readonly connectionsMax: number;
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

type Connection = { readonly socket: Socket; pending: number; ended: boolean };

export class ForwardSource {
  readonly #options: ForwardSourceOptions;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  #pending = 0;
  #sequence = 0;
  #refused = 0;

  private constructor(options: ForwardSourceOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => void this.#serve(socket));
    this.#server.maxConnections = options.connectionsMax;
  }

  /** Throws when it cannot listen. */
  static async listen(options: ForwardSourceOptions): Promise<ForwardSource> {
    const source = new ForwardSource(options);
    await new Promise<void>((resolve, reject) => {
      source.#server.once("error", reject);
      source.#server.listen(options.listen.port, options.listen.host, () => resolve());
    });
    return source;
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  /** Whether everything received was delivered and acknowledged. */
  get idle(): boolean {
    return this.#pending === 0;
  }

  /** Takes no new connections; those that exist are served on. */
  stopAccepting(): void {
    this.#server.close();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#connections) socket.resetAndDestroy();
  }

  async #serve(socket: Socket): Promise<void> {
    const connection: Connection = { socket, pending: 0, ended: false };
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", (error) => this.#options.log.debug({ err: error }, "A client's connection failed"));
    const splitter = new MessageSplitter({ bytesMax: this.#options.messageBytesMax });
    const handshake = this.#options.sharedKey === undefined ? undefined : { helo: { nonce: randomBytes(16), authSalt: new Uint8Array(0) }, sharedKey: this.#options.sharedKey };
    let established = handshake === undefined;
    if (handshake !== undefined) socket.write(heloMessage(handshake.helo));
    try {
      // Reading by iteration: the next segment is taken from the kernel only when this one was dealt with.
      for await (const segment of readSegments(socket)) {
        for (const message of splitter.push(segment)) {
          if (established || handshake === undefined) {
            await this.#accept(connection, message);
          } else {
            this.#greet(socket, message, handshake);
            established = true;
          }
        }
      }
      // The client has sent its FIN, so it has no writes pending and a FIN of ours is safe; its acks go out before.
      connection.ended = true;
      if (connection.pending === 0) socket.end();
    } catch (error) {
      if (error instanceof MalformedMessageError && this.#refused++ % 100 === 0) this.#options.log.warn({ reason: error.message }, "Refused an application's message and reset its connection");
      socket.resetAndDestroy();
    }
  }

  #greet(socket: Socket, message: Buffer, handshake: { readonly helo: Helo; readonly sharedKey: string }): void {
    const { hostname } = this.#options;
    const ping = readPing(message);
    const refusal = checkPing(ping, { ...handshake, hostname });
    socket.write(pongMessage({ refusal, hostname, ping, ...handshake }));
    if (refusal !== undefined) throw new MalformedMessageError(`The handshake failed: ${refusal}`);
  }

  async #accept(connection: Connection, message: Buffer): Promise<void> {
    const { pipeline, ledger, giveUp } = this.#options;
    const transport = await readTransport(message, this.#options.messageBytesMax);
    const records = transport.spans.length / 2;
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
    const batch = { entries: enrichEntries(transport.entries, extra()), records: transport.spans.length / 2, spans: transport.spans };
    const { outlets, filteredBytes } = shaper?.shape(batch, { content, from: 0, tag, nowMs: performance.now(), memory: undefined }) ?? { outlets: [batch], filteredBytes: 0 };
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

async function* readSegments(socket: Socket): AsyncGenerator<Buffer> {
  const segments: AsyncIterable<unknown> = socket.iterator({ destroyOnReturn: false });
  for await (const segment of segments) if (Buffer.isBuffer(segment)) yield segment;
}
