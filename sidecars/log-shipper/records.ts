// pure
import { LineCursor, type LongLines } from "./framing.ts";
import type { MsgpackWriter } from "./forward-protocol/msgpack-writer.ts";
import { JsonTranscoder } from "./parse/json.ts";
import { writeLogfmt } from "./parse/logfmt.ts";

/**
 * Turns a range of a log file into Forward entries, `[EventTime, map]` each. A pure function of the bytes, the settings and the
 * time given: the same range gives the same entries, which is what makes a chunk's id mean its content.
 *
 * A line that its parser refuses becomes `{log: line}` and is counted, never dropped. Pieces of over-long lines are not parsed;
 * they carry `log_partial: true` (more of the line follows in the next record) or `log_cut: true` (the rest was passed over).
 */
export type LineFormat = "raw" | "json" | "logfmt";
/** Pairs appended to every record, encoded once. */
export type ExtraPairs = { readonly count: number; readonly bytes: Uint8Array };
/** Nanoseconds matter to receivers that sort by time. */
export type RecordTime = { readonly seconds: number; readonly nanoseconds: number };
export const noExtraPairs: ExtraPairs = { count: 0, bytes: new Uint8Array(0) };

export type EncodedRange = {
  /** Position after the last byte consumed. */
  readonly end: number;
  readonly records: number;
  readonly discardedBytes: number;
  /** Whether the position lies inside the rest of a line that was cut. */
  readonly discarding: boolean;
  readonly unparsed: number;
};

export class RecordEncoder {
  readonly #cursor: LineCursor;
  readonly #format: LineFormat;
  readonly #json = new JsonTranscoder();
  readonly #writer: MsgpackWriter;

  constructor(options: { readonly format: LineFormat; readonly lineMax: number; readonly longLines: LongLines; readonly writer: MsgpackWriter }) {
    this.#cursor = new LineCursor(options);
    this.#format = options.format;
    this.#writer = options.writer;
  }

  /**
   * Appends the whole lines of `bytes[from, end)` to the writer, stopping before a line once `inputMax` bytes were consumed or
   * `outputMax` were written. With `rest`, what is left without LF at the end is known to be the beginning of a longer line, and
   * becomes a piece with that flag: a range cut there before is cut there again.
   */
  encode(bytes: Buffer, range: { readonly from: number; readonly end: number; readonly final: boolean; readonly rest?: "partial" | "cut" | undefined; readonly discarding: boolean; readonly inputMax: number; readonly outputMax: number; readonly time: RecordTime; readonly extra: ExtraPairs }): EncodedRange {
    const cursor = this.#cursor;
    cursor.open(bytes, range);
    let records = 0;
    let unparsed = 0;
    while (cursor.at - range.from < range.inputMax && this.#writer.length < range.outputMax && cursor.next()) {
      records++;
      if (!this.#record(bytes, cursor, range.time, range.extra)) unparsed++;
    }
    if (range.rest !== undefined && cursor.takeRest(range.rest)) {
      records++;
      this.#record(bytes, cursor, range.time, range.extra);
    }
    return { end: cursor.at, records, discardedBytes: cursor.discardedBytes, discarding: cursor.discarding, unparsed };
  }

  /** False when the line's parser refused it. */
  #record(bytes: Buffer, line: LineCursor, time: RecordTime, extra: ExtraPairs): boolean {
    const writer = this.#writer;
    writer.byte(0x92);
    writer.eventTime(time.seconds, time.nanoseconds);
    const parsed = this.#format === "raw" || line.flag !== "whole" ? undefined : this.#parse(bytes, line, extra.count);
    if (parsed !== true) {
      writer.mapHeader(1 + extra.count + (line.flag === "whole" ? 0 : 1));
      writer.raw(logKey);
      writer.stringHeader(line.stop - line.start);
      writer.raw(bytes, line.start, line.stop);
      if (line.flag !== "whole") {
        writer.string(line.flag === "cut" ? "log_cut" : "log_partial");
        writer.byte(0xc3);
      }
    }
    writer.raw(extra.bytes);
    return parsed !== false;
  }

  #parse(bytes: Buffer, line: LineCursor, extraCount: number): boolean {
    if (this.#format === "json") return this.#json.object(bytes, line.start, line.stop, this.#writer, extraCount) >= 0;
    return writeLogfmt(bytes.toString("utf8", line.start, line.stop), this.#writer, extraCount) >= 0;
  }
}

const logKey = Buffer.from([0xa3, 0x6c, 0x6f, 0x67]);
