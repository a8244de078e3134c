import { invariant } from "../../kit/assert.ts";
import { rangeChunkId, type Chunk } from "./chunk.ts";
import type { Cut } from "./checkpoint-log.ts";
import { MsgpackWriter } from "./forward-protocol/msgpack-writer.ts";
import type { LongLines } from "./framing.ts";
import { RecordEncoder, type ExtraPairs, type LineFormat, type RecordTime } from "./records.ts";
import { hashBytes, headBytesMax, observe, tailBytesMax, type Fingerprint } from "./tail-state.ts";
import { fingerprintAt, holdsContent, readAt, type TrackedFile } from "./tracked-file.ts";

/**
 * Reads the next chunk of a tracked file. All files share one read buffer and one encoding buffer, so calls must not overlap; a
 * chunk's bytes are its own.
 */
export type RangeOptions = { readonly format: LineFormat; readonly tag: string; readonly extra: ExtraPairs };
export type ReadOutcome =
  | { readonly kind: "caught-up" }
  /** Little has come and a chunk of this file is in flight: more may be gathered until then. */
  | { readonly kind: "gathering"; readonly untilMs: number }
  /** What lies before the position is not what was read there. Nothing was consumed. */
  | { readonly kind: "replaced" }
  | { readonly kind: "chunk"; readonly chunk: Chunk; readonly cut: Cut; readonly filteredBytes: number; readonly unparsed: number; readonly replayed: boolean };

export class TailReader {
  readonly #options: { readonly scope: string; readonly chunkBytes: number; readonly flushMs: number };
  readonly #buffer: Buffer;
  readonly #writer = new MsgpackWriter(65_536);
  readonly #encoders: ReadonlyMap<LineFormat, RecordEncoder>;

  constructor(options: { readonly scope: string; readonly chunkBytes: number; readonly flushMs: number; readonly lineMax: number; readonly longLines: LongLines }) {
    this.#options = options;
    this.#buffer = Buffer.allocUnsafeSlow(tailBytesMax + options.chunkBytes + options.lineMax + 8);
    const formats: readonly LineFormat[] = ["raw", "json", "logfmt"];
    this.#encoders = new Map(formats.map((format) => [format, new RecordEncoder({ ...options, format, writer: this.#writer })]));
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
    const replayed = file.replay[0];
    if (replayed !== undefined) return await this.#replay(file, fd, range, replayed);
    if (size === file.offset || (size === file.partialAtSize && !request.final)) {
      file.behindSinceMs = undefined;
      return { kind: "caught-up" };
    }
    file.behindSinceMs ??= request.nowMs;
    const untilMs = file.behindSinceMs + this.#options.flushMs;
    if (file.inFlight > 0 && size - file.offset < this.#options.chunkBytes && request.nowMs < untilMs && !request.final) return { kind: "gathering", untilMs };
    return await this.#fresh(file, fd, range, { final: request.final, time });
  }

  async #fresh(file: TrackedFile, fd: number, range: RangeOptions, request: { readonly final: boolean; readonly time: RecordTime }): Promise<ReadOutcome> {
    const buffer = this.#buffer;
    const { tailLength, tailHash } = file.print;
    const wanted = Math.min(buffer.length - tailBytesMax, file.size - file.offset);
    const got = await readAt(fd, buffer, 0, tailLength + wanted, file.offset - tailLength);
    // Compared before and after the read: a truncation in between would give the head of one file and the rest of another.
    if (got < tailLength + wanted || hashBytes(buffer.subarray(0, tailLength)) !== tailHash || !(await holdsContent(fd, file.offset, file.print))) return { kind: "replaced" };
    const atEnd = file.offset + wanted === file.size;
    this.#writer.reset();
    const encoded = this.#encoder(range.format).encode(buffer, {
      from: tailLength,
      end: tailLength + wanted,
      final: request.final && atEnd,
      discarding: file.discarding,
      inputMax: this.#options.chunkBytes,
      outputMax: this.#options.chunkBytes * 2,
      time: request.time,
      extra: range.extra,
    });
    const consumed = encoded.end - tailLength;
    if (consumed === 0) {
      file.partialAtSize = file.size;
      file.behindSinceMs = undefined;
      return { kind: "caught-up" };
    }
    const to = file.offset + consumed;
    const print = await this.#printAt(file, fd, to, buffer.subarray(Math.max(0, encoded.end - tailBytesMax), encoded.end));
    const cut: Cut = { from: file.offset, to, ...request.time, print, startsDiscarding: file.discarding, discarding: encoded.discarding, final: request.final && atEnd && to === file.size };
    file.offset = to;
    file.print = print;
    file.discarding = encoded.discarding;
    file.behindSinceMs = undefined;
    return this.#outcome(file, range, cut, { records: encoded.records, filteredBytes: encoded.discardedBytes, unparsed: encoded.unparsed, replayed: false });
  }

  /** Cuts a remembered range again: the same bytes, time and settings give the same chunk. */
  async #replay(file: TrackedFile, fd: number, range: RangeOptions, cut: Cut): Promise<ReadOutcome> {
    const length = cut.to - cut.from;
    const buffer = length <= this.#buffer.length ? this.#buffer : Buffer.allocUnsafeSlow(length);
    if ((await readAt(fd, buffer, 0, length, cut.from)) < length || !(await holdsContent(fd, cut.to, cut.print))) return { kind: "replaced" };
    this.#writer.reset();
    const encoded = this.#encoder(range.format).encode(buffer, { from: 0, end: length, final: cut.final, rest: cut.final ? undefined : cut.discarding ? "cut" : "partial", discarding: cut.startsDiscarding, inputMax: length, outputMax: Infinity, time: cut, extra: range.extra });
    invariant(encoded.end === length, `replayed ${encoded.end} of ${length} bytes`);
    file.replay.shift();
    return this.#outcome(file, range, cut, { records: encoded.records, filteredBytes: encoded.discardedBytes, unparsed: encoded.unparsed, replayed: true });
  }

  #outcome(file: TrackedFile, range: RangeOptions, cut: Cut, counts: { readonly records: number; readonly filteredBytes: number; readonly unparsed: number; readonly replayed: boolean }): ReadOutcome {
    const id = rangeChunkId({ scope: this.#options.scope, content: file.content, from: cut.from, to: cut.to });
    return { kind: "chunk", chunk: { id, tag: range.tag, entries: this.#writer.copy(), records: counts.records }, cut, ...counts };
  }

  /** The head is read only while it still grows; the tail is in the buffer unless the chunk is shorter than it. */
  async #printAt(file: TrackedFile, fd: number, to: number, tail: Buffer): Promise<Fingerprint> {
    const tailLength = Math.min(tailBytesMax, to);
    if (file.print.headLength < headBytesMax || tail.length < tailLength) return await fingerprintAt(fd, to);
    return { ...file.print, tailLength, tailHash: hashBytes(tail) };
  }

  #encoder(format: LineFormat): RecordEncoder {
    const encoder = this.#encoders.get(format);
    if (encoder === undefined) throw new Error(`No encoder for ${format}`);
    return encoder;
  }
}

/** A file's time may be any; EventTime holds 1970 to 2106. */
function timeOf(ns: bigint): RecordTime {
  if (ns < 0n) return { seconds: 0, nanoseconds: 0 };
  return { seconds: Math.min(Number(ns / 1_000_000_000n), 0xffff_ffff), nanoseconds: Number(ns % 1_000_000_000n) };
}
