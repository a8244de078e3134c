// pure
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import type { EntryBatch } from "./shaper.ts";

/** Gives memory for a copy of the bytes, and the copy. */
export type Copy = (bytes: Uint8Array) => Uint8Array;

/**
 * Collects what goes to one outlet. What follows each other in the batch and is as it came is copied together, also across
 * records.
 */
export class OutletWriter {
  readonly #copy: Copy;
  readonly #writer = new MsgpackWriter(65_536);
  #bytes: Buffer = Buffer.alloc(0);
  #spans = new Uint32Array(1024);
  #records = 0;
  #runFrom = 0;
  #runTo = 0;

  constructor(copy: Copy) {
    this.#copy = copy;
  }

  /** For a batch with these entries. */
  begin(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#writer.reset();
    this.#records = 0;
    this.#runFrom = 0;
    this.#runTo = 0;
  }

  whole(spans: Uint32Array): void {
    this.pass(0, this.#bytes.length);
    this.#spans = spans.slice();
    this.#records = spans.length / 2;
  }

  /** Bytes of the batch. */
  pass(from: number, to: number): void {
    if (from !== this.#runTo) {
      this.#flush();
      this.#runFrom = from;
    }
    this.#runTo = to;
  }

  /** Bytes from elsewhere, which may change afterwards. */
  put(bytes: Buffer, from: number, to: number): void {
    this.#flush();
    copyRange(this.#writer, bytes, from, to);
  }

  count(start: number, size: number): void {
    const at = this.#records * 2;
    if (at + 2 > this.#spans.length) {
      const larger = new Uint32Array(Math.max(1024, this.#spans.length * 2));
      larger.set(this.#spans);
      this.#spans = larger;
    }
    this.#spans[at] = start;
    this.#spans[at + 1] = size;
    this.#records++;
  }

  #flush(): void {
    if (this.#runTo > this.#runFrom) copyRange(this.#writer, this.#bytes, this.#runFrom, this.#runTo);
    this.#runFrom = 0;
    this.#runTo = 0;
  }

  /** What was given out since `begin`; valid until the next use. */
  bytes(): Uint8Array {
    this.#flush();
    return this.#writer.bytes();
  }

  take(): EntryBatch {
    this.#flush();
    return { entries: this.#copy(this.#writer.bytes()), records: this.#records, spans: this.#spans.slice(0, this.#records * 2) };
  }
}

function copyRange(out: MsgpackWriter, bytes: Buffer, from: number, to: number): void {
  out.reserve(to - from);
  const { buffer } = out;
  let { length } = out;
  // Calling out costs more than some bytes.
  if (to - from <= 48) for (let at = from; at < to; at++) buffer[length++] = bytes[at] ?? 0;
  else length += bytes.copy(buffer, length, from, to);
  out.length = length;
}
