import type { Readable } from "node:stream";
import type { Encoding } from "../encode/encoding.ts";
import type { RecordTime } from "../encode/range-encoder.ts";
import type { ByteRange } from "../state/checkpoint-log.ts";
import type { ShapeMemory } from "../shape/shaper.ts";

/** A range that was cut, with all that is needed to cut it again the same way. */
export type StdinRange = {
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
  readonly time: RecordTime;
  readonly startsDiscarding: boolean;
  readonly startsCutStreams: number;
  readonly discarding: boolean;
  readonly final: boolean;
  readonly shape: ShapeMemory | undefined;
};

/**
 * What came by standard input and is not yet delivered, held in memory: it cannot be read again. It outlives a change of the
 * configuration. Positions count from the first byte.
 *
 * Bounded by not reading: by the buffer for what is not yet cut, by the reader of ranges for what is.
 */
export class StdinContent {
  /** Names the content: another process reads another. */
  readonly name: string;
  readonly #stream: Readable;
  #buffer: Buffer = Buffer.alloc(0);
  /** Where in the buffer what is not yet cut begins and ends. */
  #from = 0;
  #to = 0;
  /** Position of the first byte not yet cut. */
  position = 0;
  discarding = false;
  cutStreams = 0;
  encoding: Encoding | undefined;
  /** Cut and not delivered, by start, in order. */
  readonly ranges = new Map<number, StdinRange>();
  rangeBytes = 0;
  #ended = false;
  problem: Error | undefined;
  /** When (monotonic) the last bytes came. */
  lastMs = 0;
  /** Called when there may be something to read, or the end has come. */
  onChange: () => void = () => undefined;

  constructor(stream: Readable, name: string) {
    this.name = name;
    this.#stream = stream;
    stream.on("readable", () => this.onChange());
    stream.on("end", () => this.#end(undefined));
    stream.on("close", () => this.#end(undefined));
    stream.on("error", (error: Error) => this.#end(error));
  }

  /** Nothing will come any more. */
  get ended(): boolean {
    return this.#ended;
  }

  get length(): number {
    return this.#to - this.#from;
  }

  /** What is not yet cut; valid until the next `fill`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  get isFull(): boolean {
    return this.length >= this.#buffer.length;
  }

  /** Makes the buffer hold at least as many bytes. */
  reserve(bytes: number): void {
    if (this.#buffer.length >= bytes) return;
    const larger = Buffer.allocUnsafeSlow(bytes);
    this.#buffer.copy(larger, 0, this.#from, this.#to);
    this.#buffer = larger;
    this.#to -= this.#from;
    this.#from = 0;
  }

  /** Takes what has come, as far as there is room. */
  fill(nowMs: number): void {
    if (this.#from > 0 && !this.#ended) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    for (;;) {
      const room = this.#buffer.length - this.#to;
      if (room === 0) return;
      const some = Math.min(room, this.#stream.readableLength);
      // A read of nothing makes the stream ask for more, and tell its end.
      const piece: unknown = some === 0 ? this.#stream.read() : this.#stream.read(some);
      if (!Buffer.isBuffer(piece)) return;
      this.#to += piece.copy(this.#buffer, this.#to);
      this.lastMs = nowMs;
      if (some === 0) return;
    }
  }

  /** The range at the beginning of `bytes` is cut. */
  cut(range: StdinRange, after: { readonly discarding: boolean; readonly cutStreams: number }): void {
    this.ranges.set(range.from, range);
    this.rangeBytes += range.bytes.length;
    this.#from += range.to - range.from;
    this.position = range.to;
    this.discarding = after.discarding;
    this.cutStreams = after.cutStreams;
  }

  delivered(range: StdinRange): void {
    if (this.ranges.delete(range.from)) this.rangeBytes -= range.bytes.length;
  }

  /** What was taken and not delivered. */
  undelivered(): readonly ByteRange[] {
    const joined: { from: number; to: number }[] = [];
    for (const { from, to } of [...this.ranges.values(), { from: this.position, to: this.position + this.length }].toSorted((left, right) => left.from - right.from)) {
      const last = joined.at(-1);
      if (last?.to === from) last.to = to;
      else if (to > from) joined.push({ from, to });
    }
    return joined;
  }

  #end(error: Error | undefined): void {
    this.#ended = true;
    this.problem ??= error;
    this.onChange();
  }
}
