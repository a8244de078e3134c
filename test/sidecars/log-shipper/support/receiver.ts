import { createServer, type Server, type Socket } from "node:net";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { decodeMulti } from "@msgpack/msgpack";
import { ackMessage } from "../../../../sidecars/log-shipper/forward-protocol/messages.ts";
import { decodeValue, isArray, isMap, MessageSplitter, textOf } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-reader.ts";
import { listenOnOwnPort } from "../../../support/own-port.ts";

export type Received = { readonly tag: string; readonly chunk: string; readonly size: number; readonly records: readonly Readonly<Record<string, unknown>>[]; readonly bytes: string };

/**
 * A test double of a Forward server that keeps what a foreign server hides: chunk ids, sizes and the order of arrival. Records are
 * decoded with @msgpack/msgpack, not with our own reader. `ack` decides about each chunk.
 */
export class RecordingReceiver {
  readonly received: Received[] = [];
  ack: (chunk: Received) => boolean = () => true;
  /** What it answers instead of one right ack to a chunk that `ack` agrees to. */
  answer: (chunk: Received) => Uint8Array = (chunk) => ackMessage(Buffer.from(chunk.chunk));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;

  constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(port = 0): Promise<void> {
    this.port = await listenOnOwnPort(this.#server, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Records with each chunk id counted once, as a receiver that remembers ids would store them. */
  get unique(): readonly Readonly<Record<string, unknown>>[] {
    const seen = new Map<string, Received>();
    for (const each of this.received) if (!seen.has(each.chunk)) seen.set(each.chunk, each);
    return [...seen.values()].flatMap((each) => each.records);
  }

  get all(): readonly Readonly<Record<string, unknown>>[] {
    return this.received.flatMap((each) => each.records);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const splitter = new MessageSplitter({ bytesMax: 64 * 1024 * 1024 });
    socket.on("data", (segment) => {
      for (const message of splitter.push(segment)) {
        const received = readMessage(message);
        this.received.push(received);
        if (this.ack(received)) socket.write(this.answer(received));
      }
    });
  }
}

function readMessage(message: Buffer): Received {
  const { value } = decodeValue(message, 0);
  const [tag, entries, options] = isArray(value) ? value : [];
  const chunk = isMap(options) ? options.get("chunk") : undefined;
  const size = isMap(options) ? options.get("size") : undefined;
  if (!(tag instanceof Uint8Array) || !(entries instanceof Uint8Array) || !(chunk instanceof Uint8Array) || typeof size !== "number") throw new Error("Not a PackedForward message with chunk and size");
  const compressed = isMap(options) ? options.get("compressed") : undefined;
  const method = compressed instanceof Uint8Array ? textOf(compressed) : "text";
  const unpacked = method === "gzip" ? gunzipSync(entries) : method === "zstd" ? zstdDecompressSync(entries) : entries;
  const records = [...decodeMulti(unpacked)].map((entry) => (entry as [unknown, Record<string, unknown>])[1]);
  return { tag: textOf(tag), chunk: textOf(chunk), size, records, bytes: Buffer.from(entries).toString("base64") };
}
