// pure
import { ConversionError } from "../conversion-error.ts";
import type { EnginePlan, PlannedField } from "../engine/plan.ts";
import { compactJson } from "../formats/json-text.ts";
import type { Row } from "../formats/row.ts";
import type { OutCell } from "../formats/writers.ts";
import { parseDecimal, rescale, type Decimal } from "./decimal.ts";
import { compileExpression, valueText, type Environment, type Expression, type ExpressionValue } from "./expression.ts";
import { usedColumns, type FieldMapping, type FieldSource, type Mapping } from "./mapping.ts";
import { compileDateFormat, parseTimestamp } from "./timestamp.ts";
import { fits, isBareInJson, typeText, type ValueType } from "./types.ts";

/** A mapping made ready: checks each row against the declared types and makes the output's cells. Throws ConversionError. */
export type CompiledMapping = {
  readonly columns: readonly string[];
  /** Checks the columns of a report: all that are needed are there, and (strict) none is unknown. */
  readonly checkColumns: (columns: readonly string[], line: number) => void;
  readonly plan: EnginePlan;
};

type Maker = (row: Row) => OutCell;
type ColumnTypes = ReadonlyMap<string, ValueType>;

export function compileMapping(mapping: Mapping): CompiledMapping {
  const types = mapping.input.columns;
  const expressions = new Map(mapping.fields.map((field) => [field, field.source.kind === "expr" ? compiledExpression(field.source.text, types) : undefined]));
  const used = usedColumns(mapping, (field) => expressions.get(field)?.columns ?? []);
  const fields = mapping.fields.map((field) => planField(field, types, expressions.get(field)));
  const checks = [...types].map(([column, type]) => ({ column, type, check: checkColumn(column, type) }));
  const withDefault = new Set(mapping.fields.flatMap(({ source }) => (source.kind === "copy" && source.fallback !== undefined ? [source.from] : [])));
  const isJson = mapping.input.format !== "csv";

  return {
    columns: mapping.fields.map((field) => field.name),
    checkColumns(columns, line) {
      const there = new Set(columns);
      const missing = [...used].find((column) => !there.has(column) && types.get(column)?.optional !== true && !withDefault.has(column));
      // A JSON record may leave keys out that others have; each row is checked by itself.
      if (missing !== undefined && !isJson) throw new ConversionError("COLUMN", `the column "${missing}" is missing; the report has ${columns.join(", ")}`, { line, column: missing });
      const unknown = columns.find((column) => !used.has(column) && !types.has(column));
      if (mapping.input.strict && unknown !== undefined) throw new ConversionError("COLUMN", `the column "${unknown}" is not known to this mapping; declare it under in.columns, or set strict: false`, { line, column: unknown });
    },
    plan: { checks: [...checks, ...mapping.fields.flatMap((field) => checkCopy(field, types))], fields },
  };
}

function compiledExpression(text: string, types: ColumnTypes): Expression {
  const compiled = compileExpression(text, (name) => types.get(name));
  if (compiled.kind === "wrong") throw new Error(`The expression "${text}" was accepted before: ${compiled.reason}`);
  return compiled.expression;
}

function checkColumn(column: string, type: ValueType): (row: Row) => void {
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
function isEmpty(row: Row, column: string): boolean {
  return row.kind(column) === "null" || row.text(column) === "";
}

function castError(row: Row, column: string, type: ValueType, text: string): ConversionError {
  return new ConversionError("CAST", text === "" ? `the value is empty, its type is ${typeText(type)}; write ${typeText(type)}? if it may be` : `the value is not ${typeText(type)}`, { line: row.line, column, sample: text });
}

/** The text of a column that a field needs; "" for one that may be missing, and is. */
function need(row: Row, column: string, types: ColumnTypes): string {
  const text = row.text(column);
  if (text === undefined && types.get(column)?.optional === true) return "";
  if (text === undefined) throw new ConversionError("COLUMN", `the record has no "${column}"`, { line: row.line, column });
  if (row.kind(column) === "null") return "";
  if (row.kind(column) === "nested") throw new ConversionError("CAST", "the value is an object or a list, which has no flat form", { line: row.line, column, sample: text });
  return text;
}

/** How the engine is to make a field. */
function planField(field: FieldMapping, types: ColumnTypes, expression: Expression | undefined): PlannedField {
  const { name, source } = field;
  const make = makeField(field, types, expression);
  if (source.kind === "const") return { name, kind: "constant", cell: { text: source.text, json: source.bare ? "raw" : "string" } };
  if (source.kind !== "copy") return { name, kind: "computed", make };
  const type = source.type ?? types.get(source.from);
  const isBare = type !== undefined && isBareInJson(type);
  const fallback: OutCell | undefined = source.fallback === undefined ? undefined : { text: source.fallback, json: isBare ? "raw" : "string" };
  return { name, kind: "copy", column: source.from, bare: isBare, emptyIsNull: type !== undefined && type.kind !== "string", optional: type?.optional === true, fallback, make };
}

/** The check that a copy with a type of its own makes of its column. */
function checkCopy({ source }: FieldMapping, types: ColumnTypes): EnginePlan["checks"] {
  if (source.kind !== "copy" || source.type === undefined) return [];
  const make = makeCopy({ ...source, fallback: source.fallback ?? "" }, source.type ?? types.get(source.from));
  return [{ column: source.from, type: { ...source.type, optional: true }, check: (row) => void make(row) }];
}

function makeField(field: FieldMapping, types: ColumnTypes, expression: Expression | undefined): Maker {
  const { source } = field;
  switch (source.kind) {
    case "copy":
      return makeCopy(source, source.type ?? types.get(source.from));
    case "const": {
      const cell: OutCell = { text: source.text, json: source.bare ? "raw" : "string" };
      return () => cell;
    }
    case "join":
      return (row) => ({ text: source.from.map((column) => need(row, column, types)).join(source.separator), json: "string" });
    case "split":
      return (row) => ({ text: need(row, source.from, types).split(source.separator)[source.index] ?? "", json: "string" });
    case "date":
      return makeDate(source, types);
    case "map":
      return makeMap(source, types);
    case "expr":
      return makeExpression(field.name, source, expression, types);
  }
}

/** An untouched value keeps its characters. */
function makeCopy(source: FieldSource & { readonly kind: "copy" }, type: ValueType | undefined): Maker {
  const { from, fallback } = source;
  return (row) => {
    const kind = row.kind(from);
    if (kind === undefined || isEmpty(row, from)) {
      if (fallback !== undefined) return { text: fallback, json: type !== undefined && isBareInJson(type) ? "raw" : "string" };
      if (kind === undefined && type?.optional !== true) throw new ConversionError("COLUMN", `the record has no "${from}"`, { line: row.line, column: from });
      return { text: "", json: kind === "text" && (type === undefined || type.kind === "string") ? "string" : "null" };
    }
    const text = row.text(from) ?? "";
    if (source.type !== undefined && (kind === "nested" || !fits(source.type, text))) throw castError(row, from, source.type, text);
    if (kind === "nested") return { text: compactJson(text), json: "raw" };
    return { text, json: kind === "text" ? (type !== undefined && isBareInJson(type) ? "raw" : "string") : "raw" };
  };
}

function makeDate(source: FieldSource & { readonly kind: "date" }, types: ColumnTypes): Maker {
  const compiled = compileDateFormat(source.pattern, source.zone);
  if (compiled.kind === "wrong") throw new Error(`The date pattern was accepted before: ${compiled.reason}`);
  return (row) => {
    const text = need(row, source.from, types);
    if (text === "") return { text: "", json: "null" };
    const moment = parseTimestamp(text);
    if (moment === undefined) throw new ConversionError("CAST", "the value is not an RFC 3339 time such as 2026-01-02T03:04:05Z", { line: row.line, column: source.from, sample: text });
    return { text: compiled.format(moment), json: "string" };
  };
}

function makeMap(source: FieldSource & { readonly kind: "map" }, types: ColumnTypes): Maker {
  return (row) => {
    const text = need(row, source.from, types);
    const mapped = source.values.get(text);
    if (mapped !== undefined) return { text: mapped, json: "string" };
    if (source.otherwise.kind === "error") throw new ConversionError("ENUM", `the value is none of ${[...source.values.keys()].join(", ")}`, { line: row.line, column: source.from, sample: text });
    return { text: source.otherwise.kind === "keep" ? text : source.otherwise.text, json: "string" };
  };
}

function makeExpression(name: string, source: FieldSource & { readonly kind: "expr" }, expression: Expression | undefined, types: ColumnTypes): Maker {
  if (expression === undefined) throw new Error(`The field "${name}" has no compiled expression`);
  const json = isBareInJson(source.type) ? "raw" : "string";
  return (row) => {
    const empty = expression.columns.some((column) => types.get(column)?.optional === true && (row.kind(column) === undefined || isEmpty(row, column)));
    if (empty && source.type.optional) return { text: "", json: "null" };
    const environment: Environment = { column: (column) => expressionValue(row, column, types) };
    const value = expression.evaluate(environment);
    const text = typeof value === "object" ? numberText(value, source) : valueText(value);
    if (text === undefined || !fits(source.type, text)) throw new ConversionError("CAST", `the result does not fit ${typeText(source.type)}`, { line: row.line, column: name, sample: valueText(value) });
    return { text, json };
  };
}

function numberText(value: Decimal, source: FieldSource & { readonly kind: "expr" }): string | undefined {
  const scaled = rescale(value, source.type.digits, source.rounding);
  return scaled === undefined ? undefined : valueText(scaled);
}

function expressionValue(row: Row, column: string, types: ColumnTypes): ExpressionValue {
  const type = types.get(column);
  const text = need(row, column, types);
  if (type?.kind === "bool") return text === "true";
  if (type?.kind !== "int64" && type?.kind !== "decimal") return text;
  const value = parseDecimal(text);
  if (value === undefined) throw castError(row, column, type, text);
  return value;
}
