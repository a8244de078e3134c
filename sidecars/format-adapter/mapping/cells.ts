// pure
import { ConversionError } from "../conversion-error.ts";
import type { Row } from "../formats/row.ts";
import { parseDecimal } from "./decimal.ts";
import type { ExpressionValue } from "./expression-node.ts";
import { fits, isBareInJson, typeText, type ValueType } from "./types.ts";

export type ColumnTypes = ReadonlyMap<string, ValueType>;

/** Whether the values of a column are of its declared type. Throws ConversionError. */
export function checkColumn(column: string, type: ValueType): (row: Row) => void {
  return (row) => {
    const text = row.text(column);
    if (text === undefined || isEmpty(row, column)) {
      if (!type.optional && (text !== undefined || row.kind(column) === "null")) throw castError(row, column, type, text ?? "");
      return;
    }
    const isQuotedNumber = row.kind(column) === "text" || !isBareInJson(type);
    if (row.kind(column) === "nested" || !fits(type, text) || !isQuotedNumber && row.kind(column) !== (type.kind === "bool" ? "boolean" : "number")) throw castError(row, column, type, text);
  };
}

/** Empty text stands for "no value", except where text is wanted. */
export function isEmpty(row: Row, column: string): boolean {
  return row.kind(column) === "null" || row.text(column) === "";
}

export function castError(row: Row, column: string, type: ValueType, text: string): ConversionError {
  return new ConversionError("CAST", text === "" ? `the value is empty, its type is ${typeText(type)}; write ${typeText(type)}? if it may be` : `the value is not ${typeText(type)}`, { line: row.line, column, sample: text });
}

/** The text of a column that a field needs; "" for one that may be missing, and is. */
export function need(row: Row, column: string, types: ColumnTypes): string {
  const text = row.text(column);
  if (text === undefined && types.get(column)?.optional === true) return "";
  if (text === undefined) throw new ConversionError("COLUMN", `the record has no "${column}"`, { line: row.line, column });
  if (row.kind(column) === "null") return "";
  if (row.kind(column) === "nested") throw new ConversionError("CAST", "the value is an object or a list, which has no flat form", { line: row.line, column, sample: text });
  return text;
}

/** The value of a column in an expression; undefined for an empty one that is no string. */
export function columnValue(row: Row, column: string, types: ColumnTypes): ExpressionValue | undefined {
  const type = types.get(column);
  const text = need(row, column, types);
  if (type?.kind !== "bool" && type?.kind !== "int64" && type?.kind !== "decimal") return text;
  if (text === "") {
    if (type.optional) return undefined;
    throw castError(row, column, type, text);
  }
  if (type.kind === "bool") return text === "true";
  const value = parseDecimal(text);
  if (value === undefined) throw castError(row, column, type, text);
  return value;
}
