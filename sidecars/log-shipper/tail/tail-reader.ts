import { invariant } from "../../../kit/assert.ts";
import { contentName, rangeChunks, type Chunk } from "../delivery/chunk.ts";
import type { ChunkMemory } from "../delivery/chunk-memory.ts";
import type { Cut } from "../state/checkpoint-log.ts";
import { encodingOf, markBytesMax, type Encoding } from "../encode/encoding.ts";
import type { EncodedRange, ExtraPairs, RangeEncoder, RecordTime } from "../encode/range-encoder.ts";
import type { ShapedRange, ShapeMemory, Shaper } from "../shape/shaper.ts";
import { hashBytes, headBytesMax, observe, tailBytesMax, type Fingerprint } from "./tail-state.ts";
import { holdsContent, readAt, stillHoldsContent, type TrackedFile } from "./tracked-file.ts";

/**
 * Reads the next range of a tracked file as chunks, one for each outlet. All files share one read buffer, and their encoders may
 * share memory, so calls must not overlap; a chunk's bytes are its own.
 */
export type RangeOptions = {
  readonly tag: string;
  readonly extra: ExtraPairs;
  readonly encoder: RangeEncoder;
  /** Whether the encoder is to be told the encoding that the content's byte order mark says. */
  readonly encodingByMark: boolean;
  /** How long lines that may go on are held back after the file last grew; undefined when there are no such lines. */
  readonly holdMs: number | undefined;
  readonly shaper: Shaper | undefined;
  /** Told of lines that were too long and dropped; not again when a range is cut again. */
  readonly onDroppedLines: (lines: number) => void;
};
export type ReadOutcome =
  | { readonly kind: "caught-up" }
  /** Little has come and a chunk of this file is in flight: more may be gathered until then. */
  | { readonly kind: "gathering"; readonly untilMs: number }
  /** What lies before the position is not what was read there. Nothing was consumed. `reached` is the size it had a moment before, when that was still its own. */
  | { readonly kind: "replaced"; readonly reached?: number }
  | {
      readonly kind: "range";
      /** By outlet. */
      readonly chunks: readonly Chunk[];
      readonly cut: Cut;
      readonly records: number;
      /** Bytes of the range that go nowhere on purpose. */
      readonly filteredBytes: number;
      readonly unparsed: number;
      readonly replayed: boolean;
    };

export class TailReader {
  readonly #options: { readonly scope: string; readonly chunkBytes: number; readonly flushMs: number; readonly memory: ChunkMemory };
  readonly #buffer: Buffer;

  /** The buffer must hold the bytes of a head, a chunk and a longest line. */
  constructor(options: { readonly scope: string; readonly chunkBytes: number; readonly flushMs: number; readonly buffer: Buffer; readonly memory: ChunkMemory }) {
    this.#options = options;
    this.#buffer = options.buffer;
  }

  /** `final` takes an unterminated last line as a line. The file must be open. */
  async next(file: TrackedFile, range: RangeOptions, request: { readonly final: boolean; readonly nowMs: number }): Promise<ReadOutcome> {
    const { fd } = file;
    const stats = file.stat();
    if (fd === undefined || stats === undefined) return { kind: "caught-up" };
    const size = Number(stats.size);
    const seen = observe(file, { size, mtimeNs: stats.mtimeNs });
    if (size > file.size) file.lastGrowthMs = request.nowMs;
    if (seen === "shrunk") return { kind: "replaced" };
    if (!file.verified) {
      if (!(await holdsContent(fd, file.offset, file.print))) return { kind: "replaced" };
      file.verified = true;
    } else if (seen === "maybe-rewritten" && !(await holdsContent(fd, file.offset, file.print))) {
      return { kind: "replaced" };
    }
    file.size = size;
    file.mtimeNs = stats.mtimeNs;
    const time = timeOf(stats.mtimeNs);
    if (range.encodingByMark && file.encoding === undefined) {
      file.encoding = await encodingAt(fd, size, request.final);
      if (file.encoding === undefined) {
        file.partialAtSize = size;
        return { kind: "caught-up" };
      }
    }
    const replayed = file.replay[0];
    if (replayed !== undefined) return await this.#replay(file, fd, range, replayed, request.nowMs);
    const flush = file.flushAtMs !== undefined && request.nowMs >= file.flushAtMs && size === file.partialAtSize;
    if (size === file.offset || (size === file.partialAtSize && !request.final && !flush)) {
      file.behindSinceMs = undefined;
      return { kind: "caught-up" };
    }
    file.behindSinceMs ??= request.nowMs;
    const untilMs = file.behindSinceMs + this.#options.flushMs;
    if (file.inFlight > 0 && size - file.offset < this.#options.chunkBytes && request.nowMs < untilMs && !request.final) return { kind: "gathering", untilMs };
    return await this.#fresh(file, fd, range, { final: request.final, flush, time, nowMs: request.nowMs });
  }

  async #fresh(file: TrackedFile, fd: number, range: RangeOptions, request: { readonly final: boolean; readonly flush: boolean; readonly time: RecordTime; readonly nowMs: number; readonly readMax?: number; readonly force?: true }): Promise<ReadOutcome> {
    const buffer = this.#buffer;
    const { tailLength, tailHash } = file.print;
    // With what the fingerprint is made of: read again after a truncation, it would be another content's.
    const lead = file.offset < headBytesMax ? file.offset : tailLength;
    const wanted = Math.min(request.readMax ?? this.#options.chunkBytes + lineEndMax, buffer.length - headBytesMax, file.size - file.offset);
    const got = await readAt(fd, buffer, 0, lead + wanted, file.offset - lead);
    // Compared before and after the read: a truncation in between would give the head of one file and the rest of another.
    if (got < lead + wanted) return { kind: "replaced", reached: file.size };
    if (hashBytes(buffer.subarray(lead - tailLength, lead)) !== tailHash || !stillHoldsContent(fd, file.offset, file.print)) return { kind: "replaced" };
    const atEnd = file.offset + wanted === file.size;
    const encoded = range.encoder.encode(buffer, {
      from: lead,
      end: lead + wanted,
      final: request.final && atEnd,
      discarding: file.discarding,
      cutStreams: file.cutStreams,
      position: file.offset,
      encoding: file.encoding,
      inputMax: this.#options.chunkBytes,
      outputMax: this.#options.chunkBytes * 2,
      time: request.time,
      extra: range.extra,
      flush: request.force === true || ((request.final || request.flush) && atEnd),
    });
    const consumed = encoded.end - lead;
    // What does not end within a chunk may end within the buffer.
    if (consumed === 0 && !atEnd && request.readMax === undefined) return await this.#fresh(file, fd, range, { ...request, readMax: buffer.length });
    // Records that follow each other without a gap may fill it: they are divided.
    if (consumed === 0 && !atEnd && request.force === undefined) return await this.#fresh(file, fd, range, { ...request, force: true });
    file.flushAtMs = undefined;
    if (consumed === 0) {
      file.partialAtSize = file.size;
      if (encoded.waiting && range.holdMs !== undefined) file.flushAtMs = file.lastGrowthMs + range.holdMs;
      file.behindSinceMs = undefined;
      return { kind: "caught-up" };
    }
    const from = file.offset;
    const to = from + consumed;
    // Before the next read: the encoded bytes are valid until then.
    const shaped = shapeRange(encoded, range, this.#options.memory, { content: this.#contentOf(file), from, nowMs: request.nowMs, memory: undefined });
    const tail = buffer.subarray(Math.max(0, encoded.end - tailBytesMax), encoded.end);
    const counts = { records: encoded.records, filteredBytes: encoded.discardedBytes + shaped.filteredBytes, unparsed: encoded.unparsed };
    const { cutStreams = 0 } = encoded;
    const streams = file.cutStreams === 0 && cutStreams === 0 ? {} : { startsCutStreams: file.cutStreams, cutStreams };
    const ending = { startsDiscarding: file.discarding, discarding: encoded.discarding, ...streams, final: request.final && atEnd && to === file.size };
    const head = lead === file.offset ? { headLength: Math.min(headBytesMax, to), headHash: hashBytes(buffer.subarray(0, Math.min(headBytesMax, to))) } : file.print;
    const print: Fingerprint = { headLength: head.headLength, headHash: head.headHash, tailLength: tail.length, tailHash: hashBytes(tail) };
    if (encoded.droppedLines !== undefined) range.onDroppedLines(encoded.droppedLines);
    const cut: Cut = { from, to, ...request.time, print, ...ending, ...(shaped.memory === undefined ? {} : { shape: shaped.memory }) };
    file.offset = to;
    file.print = print;
    file.discarding = encoded.discarding;
    file.cutStreams = cutStreams;
    file.behindSinceMs = undefined;
    return { kind: "range", chunks: this.#chunks(file, range, cut, shaped), cut, ...counts, replayed: false };
  }

  /** Cuts a remembered range again: the same bytes, time and settings give the same chunks. */
  async #replay(file: TrackedFile, fd: number, range: RangeOptions, cut: Cut, nowMs: number): Promise<ReadOutcome> {
    const length = cut.to - cut.from;
    const buffer = length <= this.#buffer.length ? this.#buffer : Buffer.allocUnsafeSlow(length);
    if ((await readAt(fd, buffer, 0, length, cut.from)) < length || !(await holdsContent(fd, cut.to, cut.print))) return { kind: "replaced" };
    const encoded = range.encoder.encode(buffer, { from: 0, end: length, final: cut.final, rest: cut.final ? undefined : cut.discarding ? "cut" : "partial", discarding: cut.startsDiscarding, cutStreams: cut.startsCutStreams, position: cut.from, encoding: file.encoding, inputMax: length, outputMax: Infinity, time: cut, extra: range.extra, flush: true });
    invariant(encoded.end === length, `replayed ${encoded.end} of ${length} bytes`);
    file.replay.shift();
    const shaped = shapeRange(encoded, range, this.#options.memory, { content: this.#contentOf(file), from: cut.from, nowMs, memory: cut.shape });
    return { kind: "range", chunks: this.#chunks(file, range, cut, shaped), cut, records: encoded.records, filteredBytes: encoded.discardedBytes + shaped.filteredBytes, unparsed: encoded.unparsed, replayed: true };
  }

  #chunks(file: TrackedFile, { tag }: RangeOptions, { from, to }: Cut, shaped: ShapedRange): readonly Chunk[] {
    return rangeChunks({ content: this.#contentOf(file), path: file.path, tag, from, to }, shaped.outlets);
  }

  #contentOf(file: TrackedFile): string {
    return contentName(this.#options.scope, file.content);
  }
}

/** Chunks own their bytes: what the encoder made is overwritten by the next range. */
export function shapeRange(encoded: EncodedRange, { tag, extra, shaper }: Pick<RangeOptions, "tag" | "extra" | "shaper">, copies: ChunkMemory, facts: { readonly content: string; readonly from: number; readonly nowMs: number; readonly memory: ShapeMemory | undefined }): ShapedRange {
  if (shaper !== undefined) return shaper.shape(encoded, { ...facts, tag, extra });
  const { entries, records, spans } = encoded;
  return { outlets: [{ entries: copies.copy(entries), records, spans: spans.slice() }], filteredBytes: 0, memory: undefined };
}

/** The encoding that the content's byte order mark says. Undefined while there are too few bytes to tell. */
async function encodingAt(fd: number, size: number, final: boolean): Promise<Encoding | undefined> {
  const head = Buffer.alloc(Math.min(size, markBytesMax));
  const got = await readAt(fd, head, 0, head.length, 0);
  return encodingOf(head.subarray(0, got), final);
}

/** CR and LF, which do not count as bytes of a line. */
const lineEndMax = 2;

/** A file's time may be any; EventTime holds 1970 to 2106. */
function timeOf(ns: bigint): RecordTime {
  if (ns < 0n) return { seconds: 0, nanoseconds: 0 };
  return { seconds: Math.min(Number(ns / 1_000_000_000n), 0xffff_ffff), nanoseconds: Number(ns % 1_000_000_000n) };
}
