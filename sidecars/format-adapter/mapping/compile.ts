// pure
import { ConversionError } from "../conversion-error.ts";
import type { EnginePlan, PlannedField } from "../engine/plan.ts";
import type { Row } from "../formats/row.ts";
import type { OutCell } from "../formats/writers.ts";
import { checkColumn, columnValue, type ColumnTypes } from "./cells.ts";
import { EvaluationError, type Evaluate } from "./expression-node.ts";
import { compileExpression, type Expression } from "./expression.ts";
import { guardFormula } from "./formulas.ts";
import { fallbackCell, isCopyExact, kernelOf, makeField } from "./fields.ts";
import { columnsOf, isFlat, rootColumn, type FieldMapping, type Mapping } from "./mapping.ts";
import { nestedDriftChecks } from "./nested-drift.ts";
import { parsePath, withPaths, type ColumnPath } from "./path.ts";
import { isBareInJson } from "./types.ts";

/** A mapping made ready: checks each row against the declared types and makes the output's cells. Throws ConversionError. */
export type CompiledMapping = {
  readonly columns: readonly string[];
  /** Checks the columns of a report: all that are needed are there, and (strict) none is unknown. */
  readonly checkColumns: (columns: readonly string[], line: number) => void;
  readonly plan: EnginePlan;
};

export function compileMapping(mapping: Mapping): CompiledMapping {
  const types = mapping.input.columns;
  const expressionOf = (text: string): Expression => compiledExpression(text, types);
  const filter = mapping.where === undefined ? undefined : expressionOf(mapping.where);
  const used = new Set([...mapping.fields.flatMap((field) => [...columnsOf(field, (text) => expressionOf(text).columns)]), ...(filter?.columns ?? [])]);
  const paths = new Map([...used, ...types.keys()].flatMap((column) => {
    const path = parsePath(column);
    return path === undefined || isFlat(mapping.input) ? [] : [[column, path] as const];
  }));
  const view = paths.size === 0 ? (row: Row): Row => row : (row: Row): Row => withPaths(row, paths);
  const fields = mapping.fields.map((field) => planField(mapping, field, { paths, view }));
  const checks = [...[...types].map(([column, type]) => ({ column, type, check: checkColumn(column, type) })), ...mapping.fields.flatMap((field) => checkCopy(field, types))];
  return {
    columns: mapping.fields.map((field) => field.name),
    checkColumns: columnChecker(mapping, used),
    plan: {
      checks: checks.filter(({ column }) => !paths.has(column)),
      rowChecks: [...(mapping.input.strict ? nestedDriftChecks([...used, ...types.keys()], paths) : []), ...checks.filter(({ column }) => paths.has(column)).map(({ check }) => (row: Row) => check(view(row)))],
      where: filter === undefined ? undefined : { keep: filterOf(filter, types, view), node: filter.node, columns: filter.columns },
      fields,
      refusals: mapping.onError,
    },
  };
}

function columnChecker(mapping: Mapping, used: ReadonlySet<string>): CompiledMapping["checkColumns"] {
  const types = mapping.input.columns;
  const withDefault = new Set(mapping.fields.flatMap(({ source }) => (source.kind === "copy" && source.fallback !== undefined ? [source.from] : [])));
  // A record may leave keys out that others have; each row is checked by itself.
  const isRagged = !isFlat(mapping.input);
  return (columns, line) => {
    const there = new Set(columns);
    const missing = [...used].find((column) => !there.has(column) && types.get(column)?.optional !== true && !withDefault.has(column));
    if (missing !== undefined && !isRagged) throw new ConversionError("COLUMN", `the column "${missing}" is missing; the report has ${columns.join(", ")}`, { line, column: missing });
    if (!mapping.input.strict) return;
    const known = new Set([...used, ...types.keys()].flatMap((column) => [column, rootColumn(column, () => isFlat(mapping.input))]));
    const unknown = columns.find((column) => !known.has(column));
    if (unknown !== undefined) throw new ConversionError("COLUMN", `the column "${unknown}" is not known to this mapping; declare it under in.columns, or set strict: false`, { line, column: unknown });
  };
}

function compiledExpression(text: string, types: ColumnTypes): Expression {
  const compiled = compileExpression(text, (name) => types.get(name));
  if (compiled.kind === "wrong") throw new Error(`The expression "${text}" was accepted before: ${compiled.reason}`);
  return compiled.expression;
}

type View = { readonly paths: ReadonlyMap<string, ColumnPath>; readonly view: (row: Row) => Row };

/** How the engine is to make a field. */
function planField(mapping: Mapping, field: FieldMapping, { paths, view }: View): PlannedField {
  const types = mapping.input.columns;
  const { name, source } = field;
  const expression = source.kind === "expr" ? compiledExpression(source.text, types) : undefined;
  const made = makeField(field, types, expression);
  const guards = mapping.formulas !== "keep";
  const guarded = (cell: OutCell, line: number): OutCell => (guards ? guardFormula(cell, mapping.formulas, { line, field: name }) : cell);
  if (source.kind === "const") return { name, kind: "constant", cell: guarded({ text: source.text, json: source.bare ? "raw" : "string" }, 1) };
  const isPath = columnsOf(field, () => expression?.columns ?? []).some((column) => paths.has(column));
  const seen: typeof made = isPath ? (row) => made(view(row)) : made;
  const make: typeof made = guards ? (row) => guarded(seen(row), row.line) : seen;
  if (source.kind !== "copy" || isPath || guards) return { name, kind: "computed", make, kernel: isPath || guards ? undefined : kernelOf(source, expression, types) };
  const type = source.type ?? types.get(source.from);
  const isBare = type !== undefined && isBareInJson(type);
  return { name, kind: "copy", column: source.from, bare: isBare, emptyIsNull: type !== undefined && type.kind !== "string", optional: type?.optional === true, fallback: source.fallback === undefined ? undefined : fallbackCell(source.fallback, type), make };
}

/** The check that a copy with a type of its own makes of its column. */
function checkCopy({ source }: FieldMapping, types: ColumnTypes): EnginePlan["checks"] {
  if (source.kind !== "copy" || source.type === undefined) return [];
  const check = isCopyExact(source, source.type ?? types.get(source.from));
  return [{ column: source.from, type: { ...source.type, optional: true }, check }];
}

function filterOf(filter: Expression, types: ColumnTypes, view: (row: Row) => Row): (row: Row) => boolean {
  const evaluate = filter.evaluate as Evaluate<boolean>;
  return (raw) => {
    const row = view(raw);
    try {
      return evaluate({ column: (column) => columnValue(row, column, types) }) === true;
    } catch (error) {
      if (error instanceof EvaluationError) throw new ConversionError("CAST", `"where" has no result: ${error.message}`, { line: row.line });
      throw error;
    }
  };
}
