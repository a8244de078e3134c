import type { Chunk } from "../../delivery/chunk.ts";
import type { Compression } from "../../forward-protocol/messages.ts";
import { delivered, stopped, type Delivery } from "../sink.ts";
import { compressedFrame, plainFrame, type Frame } from "./frame.ts";
import { leastLoaded } from "./server-choice.ts";
import type { ForwardSession } from "./session.ts";

/** A connection that chunks may be given to. */
export type Link = { readonly session: ForwardSession; readonly weight: number; givenBytes: number; readonly inFlightBytes: number };

type Pending = {
  readonly chunk: Chunk;
  readonly promise: Promise<Delivery>;
  readonly settle: (outcome: Delivery) => void;
  frame: Frame | undefined;
  /** Where it was sent last and may still be acknowledged. */
  on: Link | undefined;
  sends: number;
  acknowledged: boolean;
  /** Sockets that may still read its memory. */
  readers: number;
};

/**
 * The chunks that are not acknowledged, in the order in which they came, and which connection each is on. A chunk is done when its
 * ack came on the connection that it was last sent on and no socket reads its memory any more; the memory may then be used
 * for something else.
 */
export class Window {
  readonly #links: Link[] = [];
  readonly #pending = new Map<string, Pending>();
  readonly #compression: Compression;
  readonly #onEvent: (event: "acked" | "resent") => void;
  /** Frames are sent in the order of their chunks, however long each takes to compress. */
  #turn: Promise<unknown> = Promise.resolve();
  #over = false;

  constructor(options: { readonly compression: Compression; readonly onEvent: (event: "acked" | "resent") => void }) {
    this.#compression = options.compression;
    this.#onEvent = options.onEvent;
  }

  /** Chunks not acknowledged. */
  get size(): number {
    return this.#pending.size;
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  deliver(chunk: Chunk): Promise<Delivery> {
    const known = this.#pending.get(chunk.id);
    if (known !== undefined) {
      // An application chooses its chunk ids itself and may choose one twice; only the same content is the same chunk.
      if (Buffer.compare(known.chunk.entries, chunk.entries) === 0) return known.promise;
      return known.promise.then((outcome) => (outcome.kind === "delivered" ? this.deliver(chunk) : outcome));
    }
    if (this.#over) return Promise.resolve(stopped);
    const { promise, resolve } = Promise.withResolvers<Delivery>();
    const pending: Pending = { chunk, promise, settle: resolve, frame: undefined, on: undefined, sends: 0, acknowledged: false, readers: 0 };
    this.#pending.set(chunk.id, pending);
    if (this.#compression === "none") {
      pending.frame = plainFrame(chunk);
      this.#place(pending);
    } else {
      const frame = compressedFrame(chunk, this.#compression);
      this.#turn = Promise.allSettled([this.#turn, frame]).then(() => this.#framed(pending, frame));
    }
    return promise;
  }

  /** From now on the link gets chunks, at first those that wait. */
  add(link: Link): void {
    // A link that joins late owes nothing for the time before.
    link.givenBytes = Math.max(0, ...this.#links.map((each) => (each.givenBytes / each.weight) * link.weight));
    this.#links.push(link);
    this.#placeWaiting();
  }

  /** The link gets nothing new. What is on it may still be acknowledged there. */
  retire(link: Link): void {
    const index = this.#links.indexOf(link);
    if (index !== -1) this.#links.splice(index, 1);
  }

  /** The link is over: what was on it goes to another, or waits for one. */
  remove(link: Link): void {
    this.retire(link);
    for (const pending of this.#pending.values()) if (pending.on === link) pending.on = undefined;
    this.#placeWaiting();
  }

  /** Whether the ack was waited for on this link. */
  acknowledged(link: Link, id: string): boolean {
    const pending = this.#pending.get(id);
    if (pending?.on !== link) return false;
    pending.acknowledged = true;
    pending.on = undefined;
    this.#onEvent("acked");
    this.#settleIfDone(pending);
    return true;
  }

  /** Gives up everything. */
  close(): void {
    this.#over = true;
    for (const pending of this.#pending.values()) pending.settle(stopped);
    this.#pending.clear();
  }

  async #framed(pending: Pending, frame: Promise<Frame>): Promise<void> {
    if (this.#over) return;
    try {
      pending.frame = await frame;
    } catch {
      // Compression fails for want of memory alone. The chunk is then sent as it is; receivers know both.
      pending.frame = plainFrame(pending.chunk);
    }
    this.#place(pending);
  }

  #placeWaiting(): void {
    for (const pending of this.#pending.values()) this.#place(pending);
  }

  #place(pending: Pending): void {
    const { frame } = pending;
    if (frame === undefined || pending.on !== undefined || pending.acknowledged) return;
    const link = leastLoaded(this.#links);
    if (link === undefined) return;
    if (pending.sends++ > 0) this.#onEvent("resent");
    pending.on = link;
    pending.readers++;
    link.givenBytes += frame.bytes;
    link.session.send(frame, () => {
      pending.readers--;
      this.#settleIfDone(pending);
    });
  }

  #settleIfDone(pending: Pending): void {
    if (!pending.acknowledged || pending.readers > 0 || this.#pending.get(pending.chunk.id) !== pending) return;
    this.#pending.delete(pending.chunk.id);
    pending.settle(delivered);
  }
}
