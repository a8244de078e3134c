// pure
/**
 * Cuts bytes into lines. Where a line is cut depends on the bytes from the start of the range alone, never on how they arrived,
 * so that the same range read again after a crash gives the same records.
 *
 * - A line ends at LF; one CR before it is taken off.
 * - A line longer than `lineMax` bytes is, in mode "split", several pieces of at most `lineMax` bytes, cut before a UTF-8
 *   sequence and not inside one, all but the last flagged `partial`; in mode "cut", its first piece flagged `cut`, and the rest
 *   is passed over.
 * - NUL bytes at the start of a line are passed over: they are the hole that a writer without O_APPEND leaves after a
 *   truncation. NUL elsewhere is kept.
 * - Bytes that are not UTF-8 are kept as they are.
 */
export type LongLines = "split" | "cut";
export type LineFlag = "whole" | "partial" | "cut";

const lineFeed = 10;
const carriageReturn = 13;

export class LineCursor {
  readonly #lineMax: number;
  readonly #longLines: LongLines;
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  #final = false;
  /** First byte not yet consumed. */
  at = 0;
  /** The line found by the last `next()` that returned true: `[start, stop)`. */
  start = 0;
  stop = 0;
  flag: LineFlag = "whole";
  /** Inside the rest of a line that was cut: bytes are passed over until LF. Part of the state kept between ranges. */
  discarding = false;
  /** Bytes passed over since `open`: rests of cut lines and leading NUL bytes. */
  discardedBytes = 0;

  constructor(options: { readonly lineMax: number; readonly longLines: LongLines }) {
    this.#lineMax = options.lineMax;
    this.#longLines = options.longLines;
  }

  /** Starts over `bytes[from, end)`. With `final` an unterminated last line counts as a line. */
  open(bytes: Buffer, range: { readonly from: number; readonly end: number; readonly final: boolean; readonly discarding: boolean }): void {
    this.#bytes = bytes;
    this.at = range.from;
    this.#end = range.end;
    this.#final = range.final;
    this.discarding = range.discarding;
    this.discardedBytes = 0;
  }

  /** Moves to the next line. False: what is left is not a whole line (or nothing). */
  next(): boolean {
    if (this.discarding && !this.#passRestOfLine()) return false;
    this.#passNuls();
    const from = this.at;
    const available = this.#end - from;
    if (available <= 0) return false;
    const found = this.#bytes.indexOf(lineFeed, from);
    const newline = found === -1 || found >= this.#end ? -1 : found;
    const length = (newline === -1 ? this.#end : newline) - from;
    if (length > this.#lineMax) return this.#longPiece(from);
    if (newline === -1 && !this.#final) return false;
    this.start = from;
    this.stop = from + length;
    this.at = newline === -1 ? this.#end : newline + 1;
    if (newline !== -1 && length > 0 && this.#bytes[newline - 1] === carriageReturn) this.stop--;
    this.flag = "whole";
    return true;
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
    const piece = this.#lineMax - utf8Overhang(this.#bytes, from, from + this.#lineMax);
    this.start = from;
    this.stop = from + piece;
    this.at = this.stop;
    this.flag = this.#longLines === "cut" ? "cut" : "partial";
    this.discarding = this.#longLines === "cut";
    return true;
  }

  #passRestOfLine(): boolean {
    const found = this.#bytes.indexOf(lineFeed, this.at);
    const stop = found === -1 || found >= this.#end ? this.#end : found + 1;
    this.discardedBytes += stop - this.at;
    this.at = stop;
    this.discarding = found === -1 || found >= this.#end;
    return !this.discarding;
  }

  #passNuls(): void {
    const from = this.at;
    while (this.at < this.#end && this.#bytes[this.at] === 0) this.at++;
    this.discardedBytes += this.at - from;
  }
}

/** How many bytes before `stop` belong to a UTF-8 sequence that reaches past it; 0 if none or if the bytes are not UTF-8. */
function utf8Overhang(bytes: Buffer, from: number, stop: number): number {
  for (let back = 0; back <= 3 && stop - back > from; back++) {
    const byte = bytes[stop - back] ?? 0;
    if ((byte & 0xc0) !== 0x80) return back;
  }
  return 0;
}
