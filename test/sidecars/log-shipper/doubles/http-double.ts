import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { listenOnOwnPort } from "../../../support/own-port.ts";

export type DoubleRequest = {
  readonly number: number;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  /** As it came over the wire. */
  readonly sent: Buffer;
  readonly text: string;
};

export type DoubleAnswer = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };

/** What goes wrong with one request. */
export type Fault =
  /** This answer, without looking at the request. */
  | { readonly kind: "answer"; readonly answer: DoubleAnswer }
  /** The connection is reset and nothing is stored. */
  | { readonly kind: "resetBefore" }
  /** What came is stored and the connection is reset instead of an answer. */
  | { readonly kind: "resetAfter" }
  /** What came is stored and the answer breaks off in its body. */
  | { readonly kind: "cutBody" }
  /** What came is stored; the answer waits this long. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The headers of an answer come and its body never ends, a byte every now and then. */
  | { readonly kind: "dribble" };

/** One record that the double has stored. */
export type Stored = { readonly text: string; readonly key: string | undefined };

/** A server that stands for a destination in tests; see the README here. Subclasses know one API. */
export abstract class HttpDouble {
  readonly requests: DoubleRequest[] = [];
  /** Complaints about requests that break the API; a test that expects none asserts it. */
  readonly violations: string[] = [];
  /** What was accepted, in order, also twice. */
  readonly stored: Stored[] = [];
  /** Asked for each request. */
  fault: (request: DoubleRequest) => Fault | undefined = () => undefined;
  /** Records for which the destination says no, for ever. */
  poison: (text: string) => boolean = () => false;
  /** Largest body accepted, as it comes over the wire. */
  bytesMax = Infinity;
  port = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #tls: boolean;
  readonly #ids: string[] = [];

  constructor(tls?: { readonly key: string; readonly cert: string; readonly ca?: string }) {
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response);
    this.#tls = tls !== undefined;
    this.#server = tls === undefined ? createServer(listener) : createTlsServer({ ...tls, ...(tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true }) }, listener);
    for (const event of ["connection", "secureConnection"]) {
      this.#server.on(event, (socket: Socket) => {
        this.#sockets.add(socket);
        socket.on("close", () => this.#sockets.delete(socket));
        socket.on("error", () => socket.destroy());
      });
    }
  }

  /** What the API says about a request: the status and body, after storing what it accepts. */
  abstract accept(request: DoubleRequest): DoubleAnswer;

  get url(): string {
    return `${this.#tls ? "https" : "http"}://127.0.0.1:${this.port}`;
  }

  async listen(port = 0): Promise<this> {
    this.port = await listenOnOwnPort(this.#server, port);
    return this;
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

  /** Ids of the records stored, in order; each id is between # and #. */
  get ids(): readonly string[] {
    // Found once each: tests ask again and again.
    for (const { text } of this.stored.slice(this.#ids.length)) this.#ids.push(idIn(text));
    return this.#ids;
  }

  /** Ids as a destination that drops what it has already would have them. */
  get uniqueIds(): readonly string[] {
    const seen = new Map<string, string>();
    for (const [index, each] of this.stored.entries()) if (!seen.has(each.key ?? `#${index}`)) seen.set(each.key ?? `#${index}`, each.text);
    return [...seen.values()].map(idIn);
  }

  protected violation(message: string, answer: DoubleAnswer): DoubleAnswer {
    this.violations.push(message);
    return answer;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of incoming) parts.push(part as Buffer);
    } catch {
      return; // the client went away in the middle
    }
    const request = this.#read(incoming, Buffer.concat(parts));
    this.requests.push(request);
    const fault = this.fault(request);
    if (fault?.kind === "resetBefore") return void incoming.socket.resetAndDestroy();
    const answer = fault?.kind === "answer" ? fault.answer : this.#answer(incoming, request);
    if (fault?.kind === "resetAfter") return void incoming.socket.resetAndDestroy();
    if (fault?.kind === "slow") await new Promise((resolve) => setTimeout(resolve, fault.ms).unref());
    const body = answer.body ?? "";
    response.writeHead(answer.status, { ...(body === "" ? {} : { "content-type": "application/json" }), ...answer.headers, ...(fault?.kind === "cutBody" || fault?.kind === "dribble" ? { "content-length": String(body.length + 1_000) } : {}) });
    if (fault?.kind === "cutBody") {
      response.write(body.slice(0, body.length >> 1), () => incoming.socket.resetAndDestroy());
    } else if (fault?.kind === "dribble") {
      const timer = setInterval(() => response.write(" "), 20);
      incoming.socket.once("close", () => clearInterval(timer));
    } else {
      response.end(body);
    }
  }

  #read(incoming: IncomingMessage, sent: Buffer): DoubleRequest {
    const url = new URL(incoming.url ?? "/", "http://double");
    const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
    return { number: this.requests.length, path: url.pathname, query: url.searchParams, headers, sent, text: unpack(sent, headers["content-encoding"]) };
  }

  #answer(incoming: IncomingMessage, request: DoubleRequest): DoubleAnswer {
    if (incoming.method !== "POST") return this.violation(`method ${incoming.method}`, { status: 405 });
    if (request.sent.length > this.bytesMax) return { status: 413, body: "Request Entity Too Large" };
    return this.accept(request);
  }
}

function unpack(sent: Buffer, encoding: string | undefined): string {
  if (encoding === "gzip") return gunzipSync(sent).toString("utf8");
  if (encoding === "zstd") return zstdDecompressSync(sent).toString("utf8");
  return sent.toString("utf8");
}

function idIn(text: string): string {
  return /#([^#]+)#/.exec(text)?.[1] ?? `no id in ${text}`;
}
