// pure
import { writerFault } from "../formats/create-writer.ts";
import { jsonLayoutFault, nestsKeys } from "../formats/json-layout.ts";
import type { RefusalPolicy } from "../row-refusals.ts";
import { compileExpression } from "./expression.ts";
import { isFormula } from "./formulas.ts";
import type { Example, Mapping } from "./mapping.ts";
import type { NodeReader } from "./node-reader.ts";
import { readFields, required } from "./read-fields.ts";
import { readInput, readOutput } from "./read-format.ts";
import type { ValueType } from "./types.ts";

/** Reads one entry of `mappings:`. Undefined when a problem was found (all of them are pushed). */
export function readMapping(name: string, node: NodeReader): Mapping | undefined {
  const parts = node.map(["in", "out", "where", "fields", "onError", "formulas", "examples"]);
  if (parts === undefined) return undefined;
  const missing = (["in", "out", "fields"] as const).filter((key) => !parts.has(key));
  for (const key of missing) node.problem(`needs "${key}"`);
  const [inNode, outNode, fieldsNode] = [parts.get("in"), parts.get("out"), parts.get("fields")];
  const input = inNode === undefined ? undefined : readInput(inNode);
  const output = outNode === undefined ? undefined : readOutput(outNode);
  const fields = fieldsNode === undefined || input === undefined ? undefined : readFields(fieldsNode, input.columns);
  const where = input === undefined ? undefined : readWhere(parts.get("where"), input.columns);
  const examples = parts.get("examples")?.list()?.map((example) => readExample(example)) ?? [];
  const onError = readOnError(parts.get("onError"));
  const formulas = parts.get("formulas")?.oneOf(["keep", "quote", "refuse"]) ?? "keep";
  if (input === undefined || output === undefined || fields === undefined || examples.includes(undefined)) return undefined;
  const names = fields.map((field) => field.name);
  const fault = (nestsKeys(output.format) ? jsonLayoutFault(names) : undefined) ?? writerFault(names, output);
  if (fault !== undefined) fieldsNode?.problem(fault);
  const constant = formulas === "refuse" ? fields.find(({ source }) => source.kind === "const" && !source.bare && isFormula(source.text)) : undefined;
  if (constant !== undefined) fieldsNode?.problem(`the constant of "${constant.name}" is a formula, which "formulas: refuse" refuses`);
  return { name, input, output, where, fields, onError, formulas, examples: examples.filter((example) => example !== undefined) };
}

function readWhere(node: NodeReader | undefined, columns: ReadonlyMap<string, ValueType>): string | undefined {
  const text = node?.text("a condition");
  if (node === undefined || text === undefined) return undefined;
  const compiled = compileExpression(text, (name) => columns.get(name));
  if (compiled.kind === "wrong") node.problem(`cannot use the condition "${text}": ${compiled.reason} (at character ${compiled.at + 1})`);
  else if (compiled.expression.type.kind !== "boolean") node.problem(`expected a condition, got an expression that gives a ${compiled.expression.type.kind}`);
  else return text;
  return undefined;
}

const policies = ["fail-file", "skip-row", "quarantine-row"] as const;
const rowsMaxDefault = 100;

/** `fail-file`, `skip-row`, or `{quarantine-row: {max: 10}}`, `{skip-row: {max: 1%}}`. */
function readOnError(node: NodeReader | undefined): RefusalPolicy {
  if (node === undefined) return { kind: "fail-file" };
  if (node.raw.kind !== "map") {
    const kind = node.oneOf(policies) ?? "fail-file";
    return kind === "fail-file" ? { kind } : { kind, rowsMax: rowsMaxDefault, percentMax: undefined };
  }
  const parts = node.map(policies.slice(1));
  const [kind, ...more] = policies.slice(1).filter((policy) => parts?.has(policy) === true);
  if (kind === undefined || kind === "fail-file" || more.length > 0) {
    node.problem('expected "fail-file", or one of skip-row and quarantine-row, as in {skip-row: {max: 10}}');
    return { kind: "fail-file" };
  }
  const max = parts?.get(kind)?.map(["max"])?.get("max");
  const text = max?.text("a number of records, or a share such as 1%") ?? String(rowsMaxDefault);
  const [, number = "", percent] = /^(\d{1,9}(?:\.\d{1,3})?)(%)?$/.exec(text) ?? [];
  if (number === "" || (percent === undefined ? number.includes(".") : Number(number) > 100)) (max ?? node).problem(`expected a number of records, or a share such as 1%, got "${text}"`);
  return percent === undefined ? { kind, rowsMax: Number(number), percentMax: undefined } : { kind, rowsMax: undefined, percentMax: Number(number) };
}

function readExample(node: NodeReader): Example | undefined {
  const parts = node.map(["in", "out", "error"]);
  const input = parts === undefined ? undefined : required(node, parts, "in", "the text of a report");
  if (parts === undefined || input === undefined) return undefined;
  const [out, error] = [parts.get("out"), parts.get("error")];
  if ((out === undefined) === (error === undefined)) {
    node.problem('needs either "out" or "error"');
    return undefined;
  }
  if (out !== undefined) {
    const output = out.text("the text of the adapted report");
    return output === undefined ? undefined : { kind: "gives", input, output, origin: node.origin };
  }
  const expected = error?.map(["code", "line", "column"]);
  const code = expected?.get("code")?.text("a code");
  if (expected === undefined || code === undefined) {
    error?.problem('needs "code"');
    return undefined;
  }
  const line = expected.get("line")?.text("a line");
  return { kind: "fails", input, code, line: line === undefined ? undefined : Number(line), column: expected.get("column")?.text("a column"), origin: node.origin };
}
