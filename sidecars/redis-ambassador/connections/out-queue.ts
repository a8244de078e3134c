// pure
import { giveBackBuffer, takeBuffer } from "../protocol/big-buffers.ts";
import type { OutChunk } from "./run.ts";

const chunkBytes = 64 * 1024;
/** Requests of this size get a chunk of their own. */
const directBytes = 16 * 1024;

/** Where the bytes go: a socket. */
export interface Sink {
  /** Bytes that were written and have not left the process yet. */
  readonly writableLength: number;
  write(bytes: Uint8Array): unknown;
  cork(): void;
  uncork(): void;
}

/**
 * What is to be written to one server, in order. Requests are copied together into chunks, which are used again as soon as no
 * run refers to them and their bytes have left.
 */
export class OutQueue {
  readonly #sink: Sink;
  #chunk: OutChunk = { bytes: Buffer.alloc(0), used: 0, flushed: 0, runs: 0 };
  #queued: Uint8Array[] = [];

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Copies the requests `bytes[start, end)` of one run; they end where the chunk is used up to now. */
  addRun(bytes: Buffer, start: number, end: number): OutChunk {
    const size = end - start, chunk = size >= directBytes ? this.#ownChunk(size) : this.#roomFor(size);
    bytes.copy(chunk.bytes, chunk.used, start, end);
    chunk.used += size;
    chunk.runs += 1;
    return chunk;
  }

  /** Bytes that belong to no run; they are kept as they are until they have left. */
  addRaw(bytes: Uint8Array): void {
    this.#closeChunk();
    this.#queued.push(bytes);
  }

  /** Writes everything; gives how many bytes that were. */
  flush(): number {
    this.#closeChunk();
    const queued = this.#queued;
    if (queued.length === 0) return 0;
    this.#queued = [];
    let written = 0;
    if (queued.length > 1) this.#sink.cork();
    for (const bytes of queued) {
      written += bytes.length;
      this.#sink.write(bytes);
    }
    if (queued.length > 1) this.#sink.uncork();
    return written;
  }

  /** A run in the chunk is answered whole. `failed`: its last reply is an error, which a server may send before it has read all of the request. */
  runEnded(chunk: OutChunk, failed: boolean): void {
    chunk.runs -= 1;
    if (chunk.runs > 0) return;
    if (chunk === this.#chunk) this.reuseChunk();
    else if (!failed || this.#sink.writableLength === 0) free(chunk);
  }

  /** Begins to fill the chunk anew if nothing refers to what is in it. */
  reuseChunk(): void {
    const chunk = this.#chunk;
    if (chunk.runs > 0 || this.#queued.length > 0 || chunk.flushed !== chunk.used || this.#sink.writableLength > 0) return;
    chunk.used = 0;
    chunk.flushed = 0;
  }

  #closeChunk(): void {
    const chunk = this.#chunk;
    if (chunk.used === chunk.flushed) return;
    this.#queued.push(chunk.bytes.subarray(chunk.flushed, chunk.used));
    chunk.flushed = chunk.used;
  }

  /** The chunk being filled, or a new one when it has no room for so many bytes. */
  #roomFor(size: number): OutChunk {
    const chunk = this.#chunk;
    if (chunk.used + size <= chunk.bytes.length) return chunk;
    this.#closeChunk();
    this.#chunk = newChunk(chunkBytes);
    if (chunk.runs === 0 && this.#sink.writableLength === 0) free(chunk);
    return this.#chunk;
  }

  /** A chunk for one run alone, queued already. */
  #ownChunk(size: number): OutChunk {
    this.#closeChunk();
    const chunk = newChunk(size);
    chunk.flushed = size;
    this.#queued.push(chunk.bytes.subarray(0, size));
    return chunk;
  }
}

function newChunk(size: number): OutChunk {
  return { bytes: takeBuffer(size), used: 0, flushed: 0, runs: 0 };
}

/** Its runs are answered, its bytes have left, and it is not the one being filled. */
function free(chunk: OutChunk): void {
  if (chunk.bytes.length > 0) giveBackBuffer(chunk.bytes);
}
