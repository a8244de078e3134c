import { invariant } from "../../../kit/assert.ts";
import type { Clock } from "../../../kit/clock.ts";
import { contentName, rangeChunks } from "../delivery/chunk.ts";
import type { ChunkMemory } from "../delivery/chunk-memory.ts";
import { encodingOf } from "../encode/encoding.ts";
import type { EncodedRange, EncodeRequest, ExtraPairs, RecordTime } from "../encode/range-encoder.ts";
import type { Ledger } from "../state/ledger.ts";
import type { Pipeline } from "../delivery/pipeline.ts";
import type { ShapedRange } from "../shape/shaper.ts";
import { shapeRange, type RangeOptions } from "../tail/tail-reader.ts";
import { WakeUp } from "../tail/wake-up.ts";
import type { StdinContent, StdinRange } from "./stdin-content.ts";

/**
 * Records of standard input. Nothing is read while the pipeline has no room, so the application waits: memory is bounded by the
 * buffer, by `inFlightBytesMax` of bytes cut and not delivered, and by what they are encoded to.
 *
 * At the end of the input what is left is shipped, an unterminated last line included. After `stopAccepting` it is read on until it
 * ends or nothing came for `quietMs`.
 *
 * Not promised: what was read and not delivered does not survive this process. It is named at the end, when the end is an orderly
 * one. A record's time is when it was read, unless it tells one itself.
 */
export type StdinOptions = Omit<RangeOptions, "extra"> & {
  readonly content: StdinContent;
  readonly scope: string;
  readonly extra: () => ExtraPairs;
  readonly pipeline: Pipeline;
  readonly memory: ChunkMemory;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly chunkBytes: number;
  readonly bufferBytes: number;
  readonly flushMs: number;
  readonly quietMs: number;
  readonly inFlightBytesMax: number;
  readonly onRead: (records: number, bytes: number) => void;
  readonly onUnparsed: (records: number) => void;
};

/** Timers hold no more than about 25 days. */
const waitMsMax = 1_000_000_000;

export class StdinSource {
  readonly #options: StdinOptions;
  readonly #wakeUp: WakeUp;
  readonly #name: string;
  #stopAtMs: number | undefined;
  /** Nothing more is read. */
  #finishing = false;
  /** How much was found not to hold a whole record. */
  #heldLength = -1;
  #flushAtMs: number | undefined;
  #gatheringSinceMs: number | undefined;
  #sending = 0;

  constructor(options: StdinOptions) {
    this.#options = options;
    this.#wakeUp = new WakeUp(options.clock);
    this.#name = contentName(options.scope, options.content.name);
    options.content.reserve(options.bufferBytes);
  }

  /** Whether all that will ever be read is delivered. */
  get idle(): boolean {
    const { content } = this.#options;
    return this.#finishing && content.length === 0 && content.ranges.size === 0;
  }

  get sending(): boolean {
    return this.#sending > 0;
  }

  /** Until everything is delivered, or `over`. */
  async run(stopAccepting: AbortSignal, over: AbortSignal): Promise<void> {
    const { content, pipeline, clock } = this.#options;
    const ring = (): void => this.#wakeUp.ring();
    content.onChange = ring;
    pipeline.onRoom(ring, over);
    for (const signal of [stopAccepting, over]) signal.addEventListener("abort", ring, { once: true });
    const again = [...content.ranges.values()];
    while (!over.aborted) {
      if (stopAccepting.aborted) this.#stopAtMs ??= clock.monotonicMs();
      const waitMs = this.#step(again, clock.monotonicMs());
      if (this.idle) break;
      if (waitMs > 0) await this.#wakeUp.wait(Math.min(waitMs, waitMsMax));
    }
    content.onChange = () => undefined;
  }

  /** Does the next thing; returns how long nothing is to be done, unless something happens. */
  #step(again: StdinRange[], nowMs: number): number {
    const { content, pipeline, inFlightBytesMax } = this.#options;
    if (!pipeline.hasRoom()) return Infinity;
    const first = again.shift();
    if (first !== undefined) {
      this.#send(first, this.#encodeAgain(first), nowMs);
      return 0;
    }
    if (content.rangeBytes >= inFlightBytesMax) return Infinity;
    if (!this.#finishing) content.fill(nowMs);
    const quietAtMs = this.#stopAtMs === undefined ? Infinity : Math.max(this.#stopAtMs, content.lastMs) + this.#options.quietMs;
    if (content.ended || nowMs >= quietAtMs) this.#finishing = true;
    if (content.length === 0) return this.#finishing ? Infinity : quietAtMs - nowMs;
    const waitMs = this.#advance(nowMs);
    return Math.min(waitMs, this.#finishing ? Infinity : quietAtMs - nowMs);
  }

  /** Cuts the next range. Returns 0 when it did, or how long to wait for more. */
  #advance(nowMs: number): number {
    const { content, chunkBytes, flushMs, holdMs, encodingByMark } = this.#options;
    const { length } = content;
    const final = this.#finishing;
    if (encodingByMark) content.encoding ??= encodingOf(content.bytes, final);
    if (encodingByMark && content.encoding === undefined) return Infinity;
    const flush = this.#flushAtMs !== undefined && nowMs >= this.#flushAtMs && length === this.#heldLength;
    if (length === this.#heldLength && !final && !flush) return this.#flushAtMs === undefined ? Infinity : this.#flushAtMs - nowMs;
    this.#gatheringSinceMs ??= nowMs;
    const gatherMs = this.#gatheringSinceMs + flushMs - nowMs;
    if (this.#sending > 0 && length < chunkBytes && gatherMs > 0 && !final) return gatherMs;
    this.#gatheringSinceMs = undefined;
    const time = this.#now();
    const request = { discarding: content.discarding, cutStreams: content.cutStreams, position: content.position, inputMax: chunkBytes, outputMax: chunkBytes * 2, time };
    let encoded = this.#encode(content.bytes, { ...request, final, flush: final || flush });
    if (encoded.end === 0 && content.isFull) encoded = this.#encode(content.bytes, { ...request, final, flush: true });
    if (encoded.end === 0) {
      this.#heldLength = length;
      this.#flushAtMs = encoded.waiting && holdMs !== undefined ? content.lastMs + holdMs : undefined;
      return this.#flushAtMs === undefined ? Infinity : this.#flushAtMs - nowMs;
    }
    this.#heldLength = -1;
    this.#flushAtMs = undefined;
    this.#cut(encoded, { time, final: final && encoded.end === length, nowMs });
    return 0;
  }

  #cut(encoded: EncodedRange, { time, final, nowMs }: { readonly time: RecordTime; readonly final: boolean; readonly nowMs: number }): void {
    const { content } = this.#options;
    const from = content.position;
    const shaped = this.#shape(encoded, { from, nowMs, memory: undefined });
    const { discarding, cutStreams = 0 } = encoded;
    const range: StdinRange = {
      from, to: from + encoded.end, bytes: Buffer.from(content.bytes.subarray(0, encoded.end)), time, final,
      startsDiscarding: content.discarding, startsCutStreams: content.cutStreams, discarding, shape: shaped.memory,
    };
    content.cut(range, { discarding, cutStreams });
    this.#options.onRead(encoded.records, encoded.end);
    this.#options.onUnparsed(encoded.unparsed);
    if (encoded.droppedLines !== undefined) this.#options.onDroppedLines(encoded.droppedLines);
    this.#deliver(range, shaped, encoded.discardedBytes);
  }

  /** The range as it was cut before the configuration changed. */
  #encodeAgain(range: StdinRange): EncodedRange {
    const { bytes, from, time, final, discarding, startsDiscarding, startsCutStreams } = range;
    const encoded = this.#encode(bytes, { discarding: startsDiscarding, cutStreams: startsCutStreams, position: from, inputMax: bytes.length, outputMax: Infinity, time, final, flush: true, rest: final ? undefined : discarding ? "cut" : "partial" });
    invariant(encoded.end === bytes.length, `cut ${encoded.end} of ${bytes.length} bytes again`);
    return encoded;
  }

  #send(range: StdinRange, encoded: EncodedRange, nowMs: number): void {
    this.#deliver(range, this.#shape(encoded, { from: range.from, nowMs, memory: range.shape }), encoded.discardedBytes);
  }

  #encode(bytes: Buffer, request: Omit<EncodeRequest, "from" | "end" | "extra" | "encoding">): EncodedRange {
    const { encoder, extra, content } = this.#options;
    return encoder.encode(bytes, { ...request, from: 0, end: bytes.length, extra: extra(), encoding: content.encoding });
  }

  #shape(encoded: EncodedRange, facts: { readonly from: number; readonly nowMs: number; readonly memory: StdinRange["shape"] }): ShapedRange {
    const { tag, extra, shaper, memory } = this.#options;
    return shapeRange(encoded, { tag, extra: extra(), shaper }, memory, { content: this.#name, ...facts });
  }

  #deliver(range: StdinRange, shaped: ShapedRange, discardedBytes: number): void {
    const { content, pipeline, ledger, tag } = this.#options;
    const { from, to } = range;
    const chunks = rangeChunks({ content: this.#name, path: undefined, tag, from, to }, shaped.outlets);
    const filteredBytes = discardedBytes + shaped.filteredBytes;
    ledger.read(to - from);
    this.#sending++;
    void pipeline.deliver(chunks).then((delivery) => {
      this.#sending--;
      if (delivery.kind === "delivered") {
        content.delivered(range);
        ledger.settled(to - from, { filteredBytes, deadLetteredBytes: delivery.deadLetteredBytes });
      }
      this.#wakeUp.ring();
    });
  }

  #now(): RecordTime {
    const nowMs = this.#options.clock.nowMs();
    return { seconds: Math.floor(nowMs / 1000), nanoseconds: Math.floor((nowMs % 1000) * 1_000_000) };
  }
}
