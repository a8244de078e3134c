// pure
import { ConversionError } from "../conversion-error.ts";
import { createReader } from "../formats/text-readers.ts";
import type { RecordFault, RecordHandler } from "../formats/row.ts";
import type { EngineInput } from "../formats/options.ts";

/**
 * The words for a record that the engine has refused: what the reader of the format says of the same text, with the line counted
 * from `line`. `columns` are those that a record of CSV must have, none for the header itself.
 */
export function explainRecord(input: EngineInput, text: string, place: { readonly line: number; readonly columns: readonly string[]; readonly isWhole: boolean }): Error {
  const handler: RecordHandler = { onColumns: () => undefined, onRow: () => undefined };
  return readRecord(input, text, place, handler) ?? notInFormat(input, text, place.line);
}

/** The fault of a record of CSV, given whole; throws ConversionError when it is one of the whole report. */
export function recordFault(input: EngineInput, text: string, place: { readonly line: number; readonly columns: readonly string[] }): RecordFault {
  let found: RecordFault | undefined;
  const error = readRecord(input, text, { ...place, isWhole: false }, { onColumns: () => undefined, onRow: () => undefined, onFault: (fault) => (found = fault) });
  if (error !== undefined) throw error;
  if (found === undefined) throw notInFormat(input, text, place.line);
  const { row, raw } = found;
  return { error: movedTo(found.error, place.line), row: { line: place.line, text: (column) => row.text(column), kind: (column) => row.kind(column) }, raw };
}

function readRecord(input: EngineInput, text: string, place: { readonly line: number; readonly columns: readonly string[]; readonly isWhole: boolean }, handler: RecordHandler): ConversionError | undefined {
  // The text begins with a record, not with what stands around.
  const alone: EngineInput = input.format === "csv" && place.columns.length > 0 ? { ...input, names: place.columns } : input.format === "json" ? { format: "json" } : input;
  const reader = createReader(alone, handler);
  try {
    reader.push(text);
    reader.end({ takeUnfinished: !place.isWhole });
    return undefined;
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return movedTo(error, place.line);
  }
}

function movedTo(error: ConversionError, line: number): ConversionError {
  return new ConversionError(error.code, error.message, { line: line + error.line - 1, column: error.column, sample: error.sample });
}

function notInFormat(input: EngineInput, text: string, line: number): ConversionError {
  return new ConversionError("SYNTAX", `the record is not ${input.format.toUpperCase()}`, { line, sample: text });
}
