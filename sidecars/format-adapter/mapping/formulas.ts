// pure
import { ConversionError } from "../conversion-error.ts";
import type { OutCell } from "../formats/writers.ts";

/** What becomes of a value that a spreadsheet would take for a formula: written as it is, made text by a single quote before it, or refused. */
export type FormulaPolicy = "keep" | "quote" | "refuse";

/** What begins a formula in the common spreadsheets (OWASP, CSV injection). A number with its sign is none. */
const formula = /^(?:[=@\t\r]|[+-](?!\d+(?:\.\d+)?$))/;

export function isFormula(text: string): boolean {
  return formula.test(text);
}

/** The cell by the policy, which is not `keep`. Numbers, truth values and nested values are none that a spreadsheet would compute. Throws ConversionError with the record's line and the field. */
export function guardFormula(cell: OutCell, policy: FormulaPolicy, place: { readonly line: number; readonly field: string }): OutCell {
  if (cell.json === "raw" || !isFormula(cell.text)) return cell;
  if (policy === "refuse") throw new ConversionError("CAST", "a spreadsheet would take the value for a formula", { line: place.line, column: place.field, sample: cell.text });
  return { ...cell, text: `'${cell.text}` };
}
