// pure
import { ConversionError } from "../conversion-error.ts";
import { Core } from "../engine/core.ts";
import { compileFilter, compileKernel } from "../engine/kernels.ts";
import type { PlannedField } from "../engine/plan.ts";
import { createByteReader } from "../formats/create-reader.ts";
import { isEngineInput, isEngineOutput } from "../formats/options.ts";
import type { Row } from "../formats/row.ts";
import { compileMapping } from "../mapping/compile.ts";
import { compileExpression } from "../mapping/expression.ts";
import { columnsOf, isFlat, type FieldMapping, type Mapping } from "../mapping/mapping.ts";
import { parsePath, withPaths } from "../mapping/path.ts";

/** How a field comes about: its bytes copied, a constant, computed for many records at once, or record by record by closures. */
export type FieldPath = "copied" | "constant" | "compiled" | "slow";

const words: Readonly<Record<FieldPath, string>> = { copied: "bytes copied", constant: "constant", compiled: "compiled, many records at once", slow: "record by record" };

/** How each field of a mapping is made. Which way a field goes may also depend on its values: those that the core is not sure of are made record by record. */
export function fieldPaths(mapping: Mapping): readonly { readonly field: FieldMapping; readonly path: FieldPath }[] {
  const { plan } = compileMapping(mapping);
  const byEngine = isEngineInput(mapping.input) && isEngineOutput(mapping.output);
  return mapping.fields.map((field, index) => ({ field, path: byEngine ? pathOf(plan.fields[index]) : field.source.kind === "const" ? "constant" : "slow" }));
}

function pathOf(planned: PlannedField | undefined): FieldPath {
  if (planned?.kind === "copy") return "copied";
  if (planned?.kind === "constant") return "constant";
  return planned?.kernel !== undefined && compileKernel(new Core(), planned.kernel, () => 1) !== undefined ? "compiled" : "slow";
}

/** The mapping in words: its format, its filter, its fields; with a sample, also what its first record goes through, and whether that is refused. */
export function explainMapping(mapping: Mapping, sample?: Uint8Array): { readonly text: string; readonly isRefused: boolean } {
  const { plan } = compileMapping(mapping);
  const byEngine = isEngineInput(mapping.input) && isEngineOutput(mapping.output);
  const lines = [`${mapping.name}: ${mapping.input.format} to ${mapping.output.format}, ${byEngine ? "by the engine" : "record by record: the engine does not read and write both of these formats"}`];
  for (const [column, type] of mapping.input.columns) lines.push(`  checked  ${column}: ${type.kind}${type.kind === "decimal" ? `(${type.digits})` : ""}${type.optional ? ", may be empty" : ""}`);
  if (plan.where !== undefined) lines.push(`  where    ${mapping.where ?? ""}: ${byEngine && compileFilter(new Core(), plan.where.node, () => 1) !== undefined ? words.compiled : words.slow}`);
  for (const { field, path } of fieldPaths(mapping)) lines.push(`  field    ${field.name}: ${sourceText(field)}: ${words[path]}`);
  if (mapping.onError.kind !== "fail-file") lines.push(`  onError  ${mapping.onError.kind}, ${mapping.onError.rowsMax === undefined ? `at most ${mapping.onError.percentMax} %` : `at most ${mapping.onError.rowsMax} records`}`);
  const explained = sample === undefined ? { lines: [], isRefused: false } : explainSample(mapping, sample);
  return { text: `${[...lines, ...explained.lines].join("\n")}\n`, isRefused: explained.isRefused };
}

function sourceText({ source }: FieldMapping): string {
  switch (source.kind) {
    case "copy":
      return `${source.from}${source.type === undefined ? "" : ` as ${source.type.kind}`}${source.fallback === undefined ? "" : `, or ${JSON.stringify(source.fallback)}`}`;
    case "const":
      return JSON.stringify(source.text);
    case "join":
      return source.from.join(` ${JSON.stringify(source.separator)} `);
    case "split":
      return `part ${source.index} of ${source.from} at ${JSON.stringify(source.separator)}`;
    case "date":
      return `${source.from} from ${source.input.pattern} ${source.input.zone} to ${source.output.pattern} ${source.output.zone}`;
    case "map":
      return `${source.from} by ${source.values.size} values, else ${source.otherwise.kind === "value" ? JSON.stringify(source.otherwise.text) : source.otherwise.kind}`;
    case "expr":
      return source.text;
    case "joinList":
    case "splitList":
      return `${source.kind} of ${source.from} at ${JSON.stringify(source.separator)}`;
  }
}

/** What the first record of a report becomes, field by field. */
function explainSample(mapping: Mapping, sample: Uint8Array): { readonly lines: readonly string[]; readonly isRefused: boolean } {
  const lines: string[] = [];
  let isRefused = false;
  let isLeftOut = false;
  const stop = new Error("the first record is there");
  const { plan, checkColumns } = compileMapping(mapping);
  const show = (text: string | undefined): string => (text === undefined ? "missing" : JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text));
  const attempt = (what: string, run: () => string): void => {
    try {
      lines.push(`  ${what}: ${run()}`);
    } catch (error) {
      if (!(error instanceof ConversionError)) throw error;
      isRefused ||= !isLeftOut;
      lines.push(`  ${what}: ${error.code}${error.column === undefined ? "" : ` in ${error.column}`}: ${error.message}${error.sample === undefined ? "" : `: ${show(error.sample)}`}`);
    }
  };
  const paths = new Map(mapping.fields.flatMap((field) => [...columnsOf(field, (text) => expressionColumns(mapping, text))]).flatMap((column) => {
    const path = isFlat(mapping.input) ? undefined : parsePath(column);
    return path === undefined ? [] : [[column, path] as const];
  }));
  const explainRow = (row: Row): void => {
    const seen = withPaths(row, paths);
    lines.push(`the first record, on line ${row.line}:`);
    for (const check of [...plan.checks.map((each) => each.check), ...plan.rowChecks]) {
      try {
        check(row);
      } catch (error) {
        attempt("check", () => {
          throw error;
        });
      }
    }
    const { where } = plan;
    if (where !== undefined)
      attempt("where", () => {
        isLeftOut = !where.keep(row);
        return isLeftOut ? "left out" : "kept";
      });
    for (const [index, field] of plan.fields.entries()) {
      const source = mapping.fields[index];
      const columns = source === undefined ? [] : columnsOf(source, (text) => expressionColumns(mapping, text));
      const from = columns.map((column) => `${column} ${show(seen.text(column))}`).join(", ");
      attempt(`field ${field.name}`, () => `${from === "" ? "" : `${from} -> `}${show(field.kind === "constant" ? field.cell.text : field.make(row).text)}`);
    }
  };
  try {
    const reader = createByteReader(mapping.input, {
      onColumns: checkColumns,
      onRow(row) {
        explainRow(row);
        throw stop;
      },
    });
    reader.push(sample);
    reader.end({ takeUnfinished: true });
  } catch (error) {
    if (error !== stop && !(error instanceof ConversionError)) throw error;
    if (error instanceof ConversionError) {
      isRefused = true;
      lines.push(`the sample: ${error.code} on line ${error.line}: ${error.message}`);
    }
  }
  return { lines, isRefused };
}

function expressionColumns(mapping: Mapping, text: string): readonly string[] {
  const compiled = compileExpression(text, (name) => mapping.input.columns.get(name));
  return compiled.kind === "ok" ? compiled.expression.columns : [];
}
