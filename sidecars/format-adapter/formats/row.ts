// pure
import type { ConversionError } from "../conversion-error.ts";

/** What kind of value stands in a cell. CSV knows text alone; JSON tells the others. `nested` is an object or array as JSON text. */
export type CellKind = "text" | "number" | "boolean" | "null" | "nested";

/** One record of a report, by column name. `text` is the value as it was written, unescaped; numbers keep their digits. */
export type Row = {
  /** The line on which the record begins, from 1. */
  readonly line: number;
  text(column: string): string | undefined;
  kind(column: string): CellKind | undefined;
};

/** Takes a report in pieces of text and hands out its records. Throws ConversionError. */
export type RecordReader = {
  push(text: string): void;
  /** The input is over. `takeUnfinished` false = a last record without an end is refused as INCOMPLETE instead of being taken. */
  end(options: { readonly takeUnfinished: boolean }): void;
};

/**
 * `onColumns` is called before the first row with the CSV header or the keys of the first JSON record; for JSON again before each record that
 * brings keys which none before it had, with those keys; not at all for an input without records and header.
 */
export type RecordHandler = {
  onColumns(columns: readonly string[], line: number): void;
  onRow(row: Row): void;
  /** Given for a record that is not in its format although it is certain where it ends; reading goes on behind it. Without this the error is thrown. */
  readonly onFault?: ((fault: RecordFault) => void) | undefined;
};

/** `row` has what could be read of the record, `raw` is all of it as it stands in the report, without its line end. */
export type RecordFault = { readonly error: ConversionError; readonly row: Row; readonly raw: string };

export type ReaderLimits = { readonly recordCharsMax: number; readonly columnsMax: number; readonly depthMax: number };

export const readerLimitsDefault: ReaderLimits = { recordCharsMax: 16_777_216, columnsMax: 10_000, depthMax: 128 };
