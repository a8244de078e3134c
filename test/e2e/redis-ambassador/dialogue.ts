import { connect, type Socket } from "node:net";
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import { decodeResp } from "../../support/resp.ts";
import type { Place } from "./wire.ts";

/** Ends an exchange whose number of replies is not known: every server answers it in every state but the silent ones. */
const mark = "end-of-exchange";

/** How long is waited for what has to come: only a difference makes it missing. */
const patienceMs = 30_000;

/** Bytes of requests; a word is latin1 text, one character a byte. */
export function requestBytes(words: readonly string[]): Buffer {
  return encodeRequest(words.map((word) => Buffer.from(word, "latin1")));
}

/** A client that knows only bytes, with the decoder of the tests and not the ambassador's scanner: whole replies in order. */
export class Dialogue implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #frames: string[] = [];
  #rest = "";
  #pieces: string[] = [];
  #piecesLength = 0;
  /** No use looking before so much is there. */
  #needed = 0;
  #wake: (() => void) | undefined;
  closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#received(text));
    const ended = (): void => {
      this.closed = true;
      this.#wake?.();
    };
    socket.on("error", ended);
    socket.on("close", ended);
    socket.on("end", ended);
  }

  static async open(place: Place): Promise<Dialogue> {
    const socket = connect(place);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", () => resolve());
      socket.once("error", reject);
    });
    return new Dialogue(socket);
  }

  #received(text: string): void {
    this.#pieces.push(text);
    this.#piecesLength += text.length;
    if (this.#piecesLength < this.#needed) return;
    this.#rest += this.#pieces.join("");
    this.#pieces = [];
    this.#piecesLength = 0;
    let at = 0;
    for (;;) {
      const found = at < this.#rest.length ? decodeResp(this.#rest, at) : undefined;
      if (found === undefined) break;
      this.#frames.push(this.#rest.slice(at, found.next));
      at = found.next;
    }
    this.#rest = this.#rest.slice(at);
    const bulk = /^\$(\d+)\r\n/.exec(this.#rest);
    this.#needed = bulk === null ? 0 : bulk[0].length + Number(bulk[1]) + 2 - this.#rest.length;
    this.#wake?.();
  }

  write(bytes: Buffer | string): void {
    if (typeof bytes === "string") this.#socket.write(bytes, "latin1");
    else this.#socket.write(bytes);
  }

  async #until(done: () => boolean, timeoutMs: number): Promise<boolean> {
    if (done()) return true;
    const deadline = performance.now() + timeoutMs;
    while (!this.closed) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (done()) return true;
    }
    return done();
  }

  /** The next `count` replies, pushes counted; fewer when the connection ends or nothing comes for `timeoutMs`. */
  async take(count: number, timeoutMs = patienceMs): Promise<string[]> {
    await this.#until(() => this.#frames.length >= count, timeoutMs);
    return this.#frames.splice(0, count);
  }

  /** The next replies up to one that is neither a push nor missing; `count` of those. */
  async takeReplies(count: number, timeoutMs = patienceMs): Promise<string[]> {
    const enough = (): number => {
      let replies = 0;
      for (let index = 0; index < this.#frames.length; index += 1) {
        if (this.#frames[index]?.startsWith(">") !== true) replies += 1;
        if (replies === count) return index + 1;
      }
      return 0;
    };
    await this.#until(() => enough() > 0, timeoutMs);
    return this.#frames.splice(0, enough() || this.#frames.length);
  }

  async ask(...requests: readonly (readonly string[])[]): Promise<string[]> {
    this.write(Buffer.concat(requests.map(requestBytes)));
    return await this.takeReplies(requests.length);
  }

  /** Everything that is answered up to a PING sent behind it, or to the end of the connection. The PING's own reply is left out. */
  async askMarked(bytes: Buffer | string, timeoutMs = patienceMs): Promise<string[]> {
    // Behind MULTI the PING is queued.
    const begins = /^(?:\*\d+\r\n\$5\r\n)?multi\r\n$/i.test(bytes.toString("latin1"));
    this.write(bytes);
    this.write(requestBytes(["PING", mark]));
    let end = -1;
    await this.#until(() => (end = this.#frames.findIndex((frame) => frame.includes(mark) || (begins && frame === "+QUEUED\r\n"))) >= 0, timeoutMs);
    const found = this.#frames.splice(0, end < 0 ? this.#frames.length : end + 1);
    if (end >= 0) found.pop();
    return this.closed ? [...found, "closed"] : found;
  }

  async ended(timeoutMs = patienceMs): Promise<boolean> {
    return await this.#until(() => this.closed, timeoutMs) && this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.ended();
  }
}
