// pure
import type { Encoding } from "./encoding.ts";

/**
 * How a range of a log file becomes Forward entries, `[EventTime, map]` each. An encoder is a pure function of the bytes, its
 * settings and the request: the same range gives the same entries, which is what makes a chunk's id mean its content.
 */
export type LineFormat = "raw" | "json" | "logfmt" | "regexp";
/** Pairs appended to every record, encoded once. */
export type ExtraPairs = { readonly count: number; readonly bytes: Uint8Array };
/** Nanoseconds matter to receivers that sort by time. */
export type RecordTime = { readonly seconds: number; readonly nanoseconds: number };
export const noExtraPairs: ExtraPairs = { count: 0, bytes: new Uint8Array(0) };

export type EncodeRequest = {
  /** The range is `bytes[from, end)`. */
  readonly from: number;
  readonly end: number;
  /** An unterminated last line counts as a line. */
  readonly final: boolean;
  /** What is left without LF at the end is known to be the beginning of a longer line, and becomes a piece with that flag: a range cut there before is cut there again. */
  readonly rest?: "partial" | "cut" | undefined;
  /** The range begins inside the rest of a line that was cut or dropped. */
  readonly discarding: boolean;
  /** Streams of a container, a bit for each, in which the range begins inside the rest of a line that was cut or dropped. */
  readonly cutStreams?: number | undefined;
  /** Where in the content the range begins; needed for byte order marks and UTF-16 alone. */
  readonly position?: number | undefined;
  /** Of the content, where the settings leave it to the content. */
  readonly encoding?: Encoding | undefined;
  /** Stops before a line once this many bytes were consumed. */
  readonly inputMax: number;
  /** Stops before a line once this many bytes of entries were made. */
  readonly outputMax: number;
  /** The time of records that carry none themselves. */
  readonly time: RecordTime;
  readonly extra: ExtraPairs;
  /** Nothing has come for a while, or the range is known to end here: lines that might go on (a stack trace, a container's partial line) count as whole records. */
  readonly flush: boolean;
};

export type EncodedRange = {
  /** Position after the last byte consumed. */
  readonly end: number;
  readonly records: number;
  /** The entries, one after another; valid until the next call. */
  readonly entries: Uint8Array;
  /** Two numbers per record: where its first byte is, relative to the request's `from`, and how many bytes of the range are its own. Valid until the next call. */
  readonly spans: Uint32Array;
  /** Bytes of the range that are in no record: rests of cut lines, dropped lines, NUL holes, byte order marks. */
  readonly discardedBytes: number;
  /** Whether `end` lies inside the rest of a line that was cut or dropped. */
  readonly discarding: boolean;
  /** The streams of a container, a bit for each, in which `end` lies inside the rest of a line that was cut or dropped. */
  readonly cutStreams?: number;
  /** Records whose line its parser refused; they are shipped raw. */
  readonly unparsed: number;
  /** Lines that were too long and are dropped. */
  readonly droppedLines?: number;
  /** Whole lines follow `end` that may go on with what is written next. */
  readonly waiting: boolean;
};

export interface RangeEncoder {
  encode(bytes: Buffer, request: EncodeRequest): EncodedRange;
}
