// pure
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import type { ShapedRecord } from "./record.ts";
import type { EntryBatch } from "./shaper.ts";

/** Collects what goes to one outlet. Neighbouring records that are as they came are copied together. */
export class OutletWriter {
  readonly #writer = new MsgpackWriter(65_536);
  #spans = new Uint32Array(1024);
  #records = 0;
  #runFrom = 0;
  #runTo = 0;

  reset(): void {
    this.#writer.reset();
    this.#records = 0;
    this.#runFrom = 0;
    this.#runTo = 0;
  }

  whole(bytes: Buffer, spans: Uint32Array): void {
    this.#writer.raw(bytes);
    this.#spans = spans.slice();
    this.#records = spans.length / 2;
  }

  pass(bytes: Buffer, from: number, to: number): void {
    if (from !== this.#runTo) {
      this.flush(bytes);
      this.#runFrom = from;
    }
    this.#runTo = to;
  }

  add(record: ShapedRecord, bytes: Buffer): void {
    this.flush(bytes);
    record.write(this.#writer);
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

  flush(bytes: Buffer): void {
    if (this.#runTo > this.#runFrom) this.#writer.raw(bytes, this.#runFrom, this.#runTo);
    this.#runFrom = 0;
    this.#runTo = 0;
  }

  take(): EntryBatch {
    return { entries: this.#writer.copy(), records: this.#records, spans: this.#spans.slice(0, this.#records * 2) };
  }
}
