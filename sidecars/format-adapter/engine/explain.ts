// pure
import { ConversionError } from "../conversion-error.ts";
import { createReader } from "../formats/text-readers.ts";
import type { RecordHandler } from "../formats/row.ts";
import type { EngineInput } from "../formats/options.ts";

/**
 * The words for a record that the engine has refused: what the reader of the format says of the same text, with the line counted
 * from `line`. `columns` is how many a record of CSV must have, 0 for the header itself.
 */
export function explainRecord(input: EngineInput, text: string, place: { readonly line: number; readonly columns: number; readonly isWhole: boolean }): Error {
  const handler: RecordHandler = { onColumns: () => undefined, onRow: () => undefined };
  const header = input.format === "csv" && place.columns > 0 ? `${Array.from({ length: place.columns }, (_, index) => `c${index}`).join(input.delimiter)}\n` : "";
  // The text begins with a record, not with what stands around.
  const reader = createReader(input.format === "json" ? { format: "json", delimiter: input.delimiter } : input, handler);
  try {
    reader.push(header + text);
    reader.end({ takeUnfinished: !place.isWhole });
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return new ConversionError(error.code, error.message, { line: place.line + error.line - (header === "" ? 1 : 2), column: error.column, sample: error.sample });
  }
  return new ConversionError("SYNTAX", `the record is not ${input.format.toUpperCase()}`, { line: place.line, sample: text });
}
