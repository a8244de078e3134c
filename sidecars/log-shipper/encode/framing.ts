// pure
import { codeUnitsOf, markBytes, type CodeUnits, type Encoding } from "./encoding.ts";

/**
 * Cuts bytes into lines. Where a line is cut depends on the bytes from the start of the range alone, never on how they arrived,
 * so that the same range read again after a crash gives the same records.
 *
 * - A line ends at LF; one CR before it is taken off.
 * - A line longer than `lineMax` bytes is, in mode "split", several pieces of at most `lineMax` bytes, cut between characters, all
 *   but the last flagged `partial`; in mode "cut", its first piece flagged `cut`, and the rest is passed over; in mode "drop" all
 *   of it is passed over.
 * - NUL characters at the start of a line are passed over: they are the hole that a writer without O_APPEND leaves after a
 *   truncation. NUL elsewhere is kept.
 * - A byte order mark at the beginning of the content is passed over.
 * - Bytes that are not of the encoding are kept as they are.
 */
export type LongLines = "split" | "cut" | "drop";
export type LineFlag = "whole" | "partial" | "cut";

const carriageReturn = 13;

export type LineRange = {
  readonly from: number;
  readonly end: number;
  /** An unterminated last line counts as a line. */
  readonly final: boolean;
  readonly discarding: boolean;
  /** Where in the content the range begins, if that matters: a byte order mark stands at 0, and UTF-16 at even positions. */
  readonly position?: number | undefined;
};

export class LineCursor {
  readonly #lineMax: number;
  readonly #longLines: LongLines;
  readonly #encoding: Encoding;
  readonly #units: CodeUnits;
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  #final = false;
  /** First byte not yet consumed. */
  at = 0;
  /** The line found by the last `next()` that returned true: `[start, stop)`. */
  start = 0;
  stop = 0;
  flag: LineFlag = "whole";
  /** Inside the rest of a line that was cut or dropped: bytes are passed over until LF. Part of the state kept between ranges. */
  discarding = false;
  /** Bytes passed over since `open`: rests of cut lines, dropped lines, leading NUL characters, the byte order mark. */
  discardedBytes = 0;
  /** Lines found too long and dropped since `open`; the rest of one that an earlier range began with is not counted again. */
  droppedLines = 0;

  constructor(options: { readonly lineMax: number; readonly longLines: LongLines; readonly encoding?: Encoding }) {
    this.#encoding = options.encoding ?? "utf-8";
    this.#units = codeUnitsOf(this.#encoding);
    this.#lineMax = options.lineMax - (options.lineMax % this.#units.width);
    this.#longLines = options.longLines;
  }

  /** Starts over `bytes[from, end)`. */
  open(bytes: Buffer, range: LineRange): void {
    this.#bytes = bytes;
    this.at = range.from;
    this.#end = range.end;
    this.#final = range.final;
    this.discarding = range.discarding;
    this.discardedBytes = 0;
    this.droppedLines = 0;
    const { position = 1 } = range;
    const { width } = this.#units;
    // Reading began in the middle of a code unit.
    if (range.position !== undefined && position % width !== 0) this.#pass(Math.min(this.#end, this.at + 1));
    if (position === 0) this.#pass(this.at + markBytes(this.#encoding, bytes, this.at, this.#end));
    // Half a code unit at the end is looked at again together with its other half.
    if (!range.final) this.#end -= (this.#end - this.at) % width;
  }

  /** Moves to the next line. False: what is left is not a whole line (or nothing). */
  next(): boolean {
    const { width } = this.#units;
    for (;;) {
      if (this.discarding && !this.#passRestOfLine()) return false;
      this.#passNuls();
      const from = this.at;
      if (from >= this.#end) return false;
      const newline = this.#units.lineFeed(this.#bytes, from, this.#end);
      const length = (newline === -1 ? this.#end : newline) - from;
      if (length > this.#lineMax && this.#longLines === "drop") {
        this.discarding = true;
        this.droppedLines++;
        continue;
      }
      if (length > this.#lineMax) return this.#longPiece(from);
      if (newline === -1 && !this.#final) return false;
      this.start = from;
      this.stop = from + length;
      this.at = newline === -1 ? this.#end : newline + width;
      if (newline !== -1 && length > 0 && this.#units.is(this.#bytes, newline - width, carriageReturn)) this.stop -= width;
      this.flag = "whole";
      return true;
    }
  }

  /** Takes what is left, if anything is, as a piece of a longer line. */
  takeRest(flag: "partial" | "cut"): boolean {
    if (this.at >= this.#end) return false;
    this.start = this.at;
    this.stop = this.#end;
    this.at = this.#end;
    this.flag = flag;
    this.discarding = flag === "cut";
    return true;
  }

  #longPiece(from: number): boolean {
    const stop = from + this.#lineMax;
    this.start = from;
    this.stop = stop - this.#units.overhang(this.#bytes, from, stop);
    this.at = this.stop;
    this.flag = this.#longLines === "cut" ? "cut" : "partial";
    this.discarding = this.#longLines === "cut";
    return true;
  }

  #passRestOfLine(): boolean {
    const newline = this.#units.lineFeed(this.#bytes, this.at, this.#end);
    this.#pass(newline === -1 ? this.#end : newline + this.#units.width);
    this.discarding = newline === -1;
    return !this.discarding;
  }

  #passNuls(): void {
    const { width, is } = this.#units;
    let to = this.at;
    while (to + width <= this.#end && is(this.#bytes, to, 0)) to += width;
    this.#pass(to);
  }

  #pass(to: number): void {
    this.discardedBytes += to - this.at;
    this.at = to;
  }
}
