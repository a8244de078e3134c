// pure
import { ConversionError } from "../conversion-error.ts";
import type { FieldKernel } from "../engine/plan.ts";
import { compactJson } from "../formats/json-text.ts";
import type { Row } from "../formats/row.ts";
import type { OutCell } from "../formats/writers.ts";
import { castError, columnValue, isEmpty, need, type ColumnTypes } from "./cells.ts";
import { compileDateFormat, compileDateParse, datePieces } from "./date-pattern.ts";
import { rescale, type Decimal } from "./decimal.ts";
import { EvaluationError, valueText, type Environment, type ExpressionValue } from "./expression-node.ts";
import type { Expression } from "./expression.ts";
import type { FieldMapping, FieldSource } from "./mapping.ts";
import { listCells } from "./path.ts";
import { partOfText } from "./text-parts.ts";
import { fits, isBareInJson, typeText, type ValueType } from "./types.ts";

/** Makes one field of a row. Throws ConversionError. */
export type Maker = (row: Row) => OutCell;
type Source<K extends FieldSource["kind"]> = FieldSource & { readonly kind: K };

const noValue: OutCell = { text: "", json: "null" };

export function makeField(field: FieldMapping, types: ColumnTypes, expression: Expression | undefined): Maker {
  const { source } = field;
  switch (source.kind) {
    case "copy":
      return makeCopy(source, source.type ?? types.get(source.from));
    case "const": {
      const cell: OutCell = { text: source.text, json: source.bare ? "raw" : "string" };
      return () => cell;
    }
    case "join":
      return (row) => {
        const texts = source.from.map((column) => need(row, column, types));
        return { text: (source.skipsEmpty ? texts.filter((text) => text !== "") : texts).join(source.separator), json: "string" };
      };
    case "split":
      return (row) => ({ text: partOfText(need(row, source.from, types), source.separator, source.index, source.rest), json: "string" });
    case "date":
      return makeDate(source, types);
    case "map":
      return makeMap(source, types);
    case "expr":
      return makeExpression(field.name, source, expression, types);
    case "joinList":
      return (row) => joinedList(row, source, types);
    case "splitList":
      return (row) => {
        const text = need(row, source.from, types);
        return { text: JSON.stringify(text === "" ? [] : text.split(source.separator)), json: "raw" };
      };
  }
}

/** What is written for a missing value. One that is not of the column's type is a text. */
export function fallbackCell(text: string, type: ValueType | undefined): OutCell {
  return { text, json: type !== undefined && isBareInJson(type) && fits(type, text) ? "raw" : "string" };
}

/** An untouched value keeps its characters. */
function makeCopy(source: Source<"copy">, type: ValueType | undefined): Maker {
  const { from, fallback } = source;
  return (row) => {
    const kind = row.kind(from);
    if (kind === undefined || isEmpty(row, from)) {
      if (fallback !== undefined) return fallbackCell(fallback, type);
      if (kind === undefined && type?.optional !== true) throw new ConversionError("COLUMN", `the record has no "${from}"`, { line: row.line, column: from });
      return { text: "", json: kind === "text" && (type === undefined || type.kind === "string") ? "string" : "null" };
    }
    const text = row.text(from) ?? "";
    if (source.type !== undefined && (kind === "nested" || !fits(source.type, text))) throw castError(row, from, source.type, text);
    if (kind === "nested") return { text: compactJson(text), json: "raw" };
    return { text, json: kind === "text" ? (type !== undefined && isBareInJson(type) ? "raw" : "string") : "raw" };
  };
}

/** The check of a copy with a type of its own. */
export function isCopyExact(source: Source<"copy">, type: ValueType | undefined): (row: Row) => void {
  const make = makeCopy({ ...source, fallback: source.fallback ?? "" }, type);
  return (row) => void make(row);
}

function makeDate({ from, input, output }: Source<"date">, types: ColumnTypes): Maker {
  const [parsed, formatted] = [compileDateParse(input), compileDateFormat(output.pattern, output.zone)];
  if (parsed.kind === "wrong" || formatted.kind === "wrong") throw new Error(`The date pattern was accepted before: ${from}`);
  const expected = input.pattern === "rfc3339" ? "an RFC 3339 time such as 2026-01-02T03:04:05Z" : input.pattern.startsWith("unix") ? `a time of the form ${input.pattern}` : `a time of the form ${input.pattern} that clocks in ${input.zone} show once`;
  const json = output.pattern.startsWith("unix") ? "raw" : "string";
  return (row) => {
    const text = need(row, from, types);
    if (text === "") return noValue;
    const moment = parsed.parse(text);
    if (moment === undefined) throw new ConversionError("CAST", `the value is not ${expected}`, { line: row.line, column: from, sample: text });
    const result = formatted.format(moment);
    if (result === undefined) throw new ConversionError("CAST", `the time cannot be written as ${output.pattern} and be the same: it has more digits, a year that has not four digits, or an offset with seconds`, { line: row.line, column: from, sample: text });
    return { text: result, json };
  };
}

/** A value that is kept stays what it was: a number, nothing, a list, as by a copy. */
function makeMap(source: Source<"map">, types: ColumnTypes): Maker {
  const keep = source.otherwise.kind === "keep" ? makeCopy({ kind: "copy", from: source.from, fallback: undefined, type: undefined }, types.get(source.from)) : undefined;
  return (row) => {
    if (keep !== undefined && row.kind(source.from) === "nested") return keep(row);
    const text = need(row, source.from, types);
    const mapped = source.values.get(text);
    if (mapped !== undefined) return { text: mapped, json: "string" };
    if (keep !== undefined) return keep(row);
    if (source.otherwise.kind !== "value") throw new ConversionError("ENUM", `the value is none of ${[...source.values.keys()].join(", ")}`, { line: row.line, column: source.from, sample: text });
    return { text: source.otherwise.text, json: "string" };
  };
}

function makeExpression(name: string, source: Source<"expr">, expression: Expression | undefined, types: ColumnTypes): Maker {
  if (expression === undefined) throw new Error(`The field "${name}" has no compiled expression`);
  const json = isBareInJson(source.type) ? "raw" : "string";
  const wrong = (row: Row, reason: string, sample: string | undefined): ConversionError => new ConversionError("CAST", reason, { line: row.line, column: name, sample });
  return (row) => {
    const environment: Environment = { column: (column) => columnValue(row, column, types) };
    const value = evaluated(expression, environment, (reason) => wrong(row, reason, undefined));
    if (value === undefined || (value === "" && source.type.optional)) {
      if (source.type.optional) return noValue;
      throw wrong(row, `the result has no value, since a column of its is empty, and its type is ${typeText(source.type)}; write ${typeText(source.type)}? if it may be, or coalesce(column, 0)`, undefined);
    }
    const text = typeof value === "object" ? numberText(value, source) : valueText(value);
    if (text === undefined || !fits(source.type, text)) throw wrong(row, `the result does not fit ${typeText(source.type)}`, valueText(value));
    return { text, json };
  };
}

function evaluated(expression: Expression, environment: Environment, wrong: (reason: string) => ConversionError): ExpressionValue | undefined {
  try {
    return expression.evaluate(environment);
  } catch (error) {
    if (error instanceof EvaluationError) throw wrong(`the result cannot be computed: ${error.message}`);
    throw error;
  }
}

function numberText(value: Decimal, source: Source<"expr">): string | undefined {
  const scaled = rescale(value, source.type.digits, source.rounding);
  return scaled === undefined ? undefined : valueText(scaled);
}

function joinedList(row: Row, { from, separator }: Source<"joinList">, types: ColumnTypes): OutCell {
  const text = row.text(from);
  if (row.kind(from) !== "nested" || text?.trimStart().startsWith("[") !== true) return { text: need(row, from, types), json: "string" };
  const cells = listCells(text);
  for (const cell of cells) {
    if (cell.kind === "nested") throw new ConversionError("CAST", "the list holds objects or lists, which have no flat form", { line: row.line, column: from, sample: cell.text });
    if (cell.kind !== "null" && cell.text.includes(separator)) throw new ConversionError("CAST", `a value of the list holds the separator ${JSON.stringify(separator)}`, { line: row.line, column: from, sample: cell.text });
  }
  return { text: cells.map((cell) => (cell.kind === "null" ? "" : cell.text)).join(separator), json: "string" };
}

function unlistedOf({ otherwise }: Source<"map">, type: ValueType | undefined): (FieldKernel & { readonly kind: "map" })["otherwise"] {
  if (otherwise.kind === "keep") return { kind: "keep", bare: type !== undefined && isBareInJson(type) };
  return otherwise.kind === "error" ? { kind: "ask" } : otherwise;
}

/** What the engine can compute of a field for many records at once. */
export function kernelOf(source: FieldSource, expression: Expression | undefined, types: ColumnTypes): FieldKernel | undefined {
  switch (source.kind) {
    case "expr":
      return expression === undefined ? undefined : { kind: "expression", node: expression.node, columns: expression.columns, type: source.type, rounding: source.rounding };
    case "map":
      return { kind: "map", column: source.from, values: source.values, otherwise: unlistedOf(source, types.get(source.from)) };
    case "join":
      return source.skipsEmpty ? undefined : { kind: "join", columns: source.from, separator: source.separator };
    case "split":
      return source.rest || source.index < 0 ? undefined : { kind: "split", column: source.from, separator: source.separator, index: source.index };
    case "date": {
      const pieces = source.output.zone === "UTC" && source.input.pattern === "rfc3339" ? datePieces(source.output.pattern) : undefined;
      return pieces?.kind === "ok" ? { kind: "date", column: source.from, pieces: pieces.pieces } : undefined;
    }
    default:
      return undefined;
  }
}
