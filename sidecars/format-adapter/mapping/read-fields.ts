// pure
import { numberLeaf } from "../formats/tree.ts";
import { compileDateFormat, compileDateParse } from "./date-pattern.ts";
import { compileExpression } from "./expression.ts";
import type { FieldMapping, FieldSource } from "./mapping.ts";
import type { NodeReader } from "./node-reader.ts";
import { parseType, typeNames, type ValueType } from "./types.ts";

/** Reads `fields:`. Undefined when a problem was found. */
export function readFields(node: NodeReader, columns: ReadonlyMap<string, ValueType>): readonly FieldMapping[] | undefined {
  const entries = node.map();
  if (entries === undefined) return undefined;
  if (entries.size === 0) node.problem("needs at least one field");
  const fields = [...entries].map(([name, source]) => ({ name, source: readSource(source, columns) }));
  return fields.every((field): field is FieldMapping => field.source !== undefined) ? fields : undefined;
}

const verbs = ["const", "join", "expr", "split", "map", "date", "joinList", "splitList"] as const;
const keysOf: Readonly<Record<(typeof verbs)[number] | "copy", readonly string[]>> = {
  const: ["const"], join: ["join", "sep", "skipEmpty"], expr: ["expr", "type", "round"], split: ["from", "split"], map: ["from", "map", "else"], date: ["from", "date"], joinList: ["from", "joinList"], splitList: ["from", "splitList"], copy: ["from", "type", "default"],
};

/** Reads how one field is made. */
export function readSource(node: NodeReader, columns: ReadonlyMap<string, ValueType>): FieldSource | undefined {
  if (node.raw.kind === "scalar") {
    const from = node.text("the name of a column");
    return from === undefined ? undefined : { kind: "copy", from, type: undefined, fallback: undefined };
  }
  const entries = node.raw.kind === "map" ? node.raw.entries : undefined;
  const kind = verbs.find((verb) => entries?.has(verb) === true) ?? "copy";
  const parts = node.map(keysOf[kind]);
  if (parts === undefined) return undefined;
  const from = keysOf[kind].includes("from") ? required(node, parts, "from", "the name of a column") : "";
  if (from === undefined) return undefined;
  switch (kind) {
    case "copy":
      return { kind, from, type: readFieldType(parts.get("type")), fallback: parts.get("default")?.text("a value") };
    case "const":
      return readConst(parts.get("const"));
    case "join": {
      const joined = parts.get("join")?.list()?.map((each) => each.text("the name of a column"));
      if (joined?.length === 0) parts.get("join")?.problem("needs at least one column");
      return joined === undefined || joined.includes(undefined) ? undefined : { kind, from: joined.filter((each) => each !== undefined), separator: parts.get("sep")?.text("a separator") ?? "", skipsEmpty: parts.get("skipEmpty")?.oneOf(["true", "false"]) === "true" };
    }
    case "split":
      return readSplit(from, parts.get("split"));
    case "map":
      return readMap(from, parts);
    case "date":
      return readDate(from, parts.get("date"));
    case "expr":
      return readExpr(node, parts, columns);
    case "joinList":
    case "splitList": {
      const list = parts.get(kind);
      const inner = list?.map(["sep"]);
      const separator = list === undefined || inner === undefined ? undefined : required(list, inner, "sep", "a separator");
      if (separator === "") list?.problem("expected a separator, got an empty one");
      return separator === undefined ? undefined : { kind, from, separator };
    }
  }
}

export function required(node: NodeReader, parts: ReadonlyMap<string, NodeReader>, key: string, expected: string): string | undefined {
  const part = parts.get(key);
  if (part === undefined) node.problem(`needs "${key}": ${expected}`);
  return part?.text(expected);
}

function readFieldType(node: NodeReader | undefined): ValueType | undefined {
  const text = node?.text("a type");
  const type = text === undefined ? undefined : parseType(text);
  if (text !== undefined && type === undefined) node?.problem(`"${text}" is not a type; there are ${typeNames.join(", ")}`);
  return type;
}

function readConst(node: NodeReader | undefined): FieldSource | undefined {
  const text = node?.text("a value");
  if (text === undefined || node?.raw.kind !== "scalar") return undefined;
  const { value } = node.raw;
  if (typeof value === "boolean" && text !== String(value)) node.problem(`write ${value}, or "${text}" in quotes when it is to be a text`);
  // YAML has numbers that JSON has not, such as 00123 and .5: their characters are kept as a text.
  return { kind: "const", text, bare: typeof value === "boolean" || (typeof value !== "string" && numberLeaf(text).kind === "number") };
}

function readSplit(from: string, node: NodeReader | undefined): FieldSource | undefined {
  const parts = node?.map(["sep", "index", "rest"]);
  if (node === undefined || parts === undefined) return undefined;
  const separator = required(node, parts, "sep", "a separator");
  const index = required(node, parts, "index", "which part, from 0, or from -1 at the end");
  const rest = parts.get("rest")?.oneOf(["true", "false"]) === "true";
  if (index !== undefined && !/^-?\d{1,4}$/.test(index)) parts.get("index")?.problem(`expected which part, from 0, or from -1 at the end, got "${index}"`);
  if (separator === "") parts.get("sep")?.problem("expected a separator, got an empty one");
  return separator === undefined || index === undefined ? undefined : { kind: "split", from, separator, index: Number(index), rest };
}

function readMap(from: string, parts: ReadonlyMap<string, NodeReader>): FieldSource | undefined {
  const entries = parts.get("map")?.map();
  if (entries === undefined) return undefined;
  const values = new Map<string, string>();
  for (const [key, value] of entries) values.set(key, value.text("a value") ?? "");
  const otherwise = parts.get("else")?.text('"error", "keep" or a value') ?? "error";
  return { kind: "map", from, values, otherwise: otherwise === "error" || otherwise === "keep" ? { kind: otherwise } : { kind: "value", text: otherwise } };
}

function readDate(from: string, node: NodeReader | undefined): FieldSource | undefined {
  const parts = node?.map(["in", "inZone", "overlap", "gap", "out", "zone"]);
  if (node === undefined || parts === undefined) return undefined;
  const zone = parts.get("zone")?.text("a time zone") ?? "UTC";
  const output = { pattern: parts.get("out")?.text("a pattern such as dd/MM/yyyy HH:mm") ?? "rfc3339", zone };
  const input = {
    pattern: parts.get("in")?.text("a pattern such as dd/MM/yyyy HH:mm") ?? "rfc3339",
    zone: parts.get("inZone")?.text("a time zone") ?? "UTC",
    overlap: parts.get("overlap")?.oneOf(["earlier", "later", "error"]) ?? "earlier",
    gap: parts.get("gap")?.oneOf(["error", "shift"]) ?? "error",
  } as const;
  if (!parts.has("out") && !parts.has("in")) node.problem('needs "out", "in" or both: how the time is to be written, and how it is');
  for (const [place, compiled] of [["in", compileDateParse(input)], ["out", compileDateFormat(output.pattern, output.zone)]] as const) if (compiled.kind === "wrong") (parts.get(place) ?? node).problem(compiled.reason);
  return { kind: "date", from, input, output };
}

function readExpr(node: NodeReader, parts: ReadonlyMap<string, NodeReader>, columns: ReadonlyMap<string, ValueType>): FieldSource | undefined {
  const text = required(node, parts, "expr", "an expression");
  const rounding = parts.get("round")?.oneOf(["half-up", "half-even", "down"]) ?? "none";
  const type = readFieldType(parts.get("type"));
  if (!parts.has("type")) node.problem(`needs "type": what the expression gives, one of ${typeNames.join(", ")}`);
  if (text === undefined || type === undefined) return undefined;
  const compiled = compileExpression(text, (name) => columns.get(name));
  const place = parts.get("expr") ?? node;
  if (compiled.kind === "wrong") {
    place.problem(`cannot use the expression "${text}": ${compiled.reason} (at character ${compiled.at + 1})`);
    return undefined;
  }
  const got = compiled.expression.type;
  if (type.kind === "number") {
    place.problem("an expression gives exact numbers; write decimal(n)");
    return undefined;
  }
  const wanted = type.kind === "int64" || type.kind === "decimal" ? "number" : type.kind === "bool" ? "boolean" : "string";
  if (got.kind !== wanted) place.problem(`the expression gives a ${got.kind}, its type says ${wanted}`);
  else if (got.kind === "number" && got.scale > type.digits && rounding === "none") place.problem(`the expression gives ${got.scale} digits after the point, its type keeps ${type.digits}; say how to round: half-up, half-even or down`);
  return { kind: "expr", text, type, rounding };
}
