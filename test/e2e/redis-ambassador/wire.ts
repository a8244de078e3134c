import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { ReplyScanner } from "../../../sidecars/redis-ambassador/protocol/reply-scanner.ts";
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";

/** How long is waited for what has to come: it says nothing about how fast anything is. */
const patienceMs = 60_000;

/** A client that knows nothing but bytes: what it sent and the whole replies that came back, in order. */
export class Wire implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #scanner = new ReplyScanner();
  readonly #replies: Buffer[] = [];
  #rest = Buffer.alloc(0);
  #waiting: (() => void) | undefined;
  closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.#received(bytes));
    const ended = (): void => {
      this.closed = true;
      this.#waiting?.();
    };
    socket.on("error", ended);
    socket.on("close", ended);
    socket.on("end", ended);
  }

  #received(bytes: Buffer): void {
    let at = 0, start = 0;
    while (at < bytes.length) {
      at = this.#scanner.advance(bytes, at, bytes.length);
      if (!this.#scanner.ended) break;
      this.#replies.push(Buffer.concat([this.#rest, bytes.subarray(start, at)]));
      this.#rest = Buffer.alloc(0);
      start = at;
    }
    this.#rest = Buffer.concat([this.#rest, bytes.subarray(start)]);
    this.#waiting?.();
  }

  /** Replies that are there and have not been taken. */
  get pending(): number {
    return this.#replies.length;
  }

  write(bytes: Buffer | string): void {
    this.#socket.write(bytes);
  }

  /** Sends requests; the replies are taken by `replies`. */
  send(...requests: readonly (readonly string[])[]): void {
    this.write(Buffer.concat(requests.map((words) => encodeRequest(words.map((word) => Buffer.from(word, "latin1"))))));
  }

  /** Sends requests and gives as many whole replies, as text of bytes. */
  async ask(...requests: readonly (readonly string[])[]): Promise<string[]> {
    this.send(...requests);
    return await this.replies(requests.length);
  }

  async one(...words: readonly string[]): Promise<string> {
    return (await this.ask(words))[0] ?? "";
  }

  /** The next `count` replies; fewer only when the connection ends. Fails after `timeoutMs`. */
  async replies(count: number, timeoutMs = patienceMs): Promise<string[]> {
    const deadline = performance.now() + timeoutMs;
    while (this.#replies.length < count && !this.closed) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`Only ${this.#replies.length} of ${count} replies within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#replies.splice(0, count).map((reply) => reply.toString("latin1"));
  }

  /** Resolves when the other side has closed. */
  async ended(timeoutMs = patienceMs): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.closed) {
      if (performance.now() > deadline) throw new Error(`The connection is still open after ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
    await this.ended();
  }
}

export type Place = { readonly host: string; readonly port: number };

export async function openWire(place: Place | { readonly path: string }): Promise<Wire> {
  return await whenOpen(connect(place), "connect");
}

/** The same through TLS; the options say which certificates count. */
export async function openTlsWire(options: Place & ConnectionOptions): Promise<Wire> {
  return await whenOpen(connectTls(options), "secureConnect");
}

async function whenOpen(socket: Socket, event: "connect" | "secureConnect"): Promise<Wire> {
  await new Promise<void>((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once("error", reject);
  });
  return new Wire(socket);
}
