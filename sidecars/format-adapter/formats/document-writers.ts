// pure
import { ConversionError } from "../conversion-error.ts";
import { isInt64 } from "../mapping/decimal.ts";
import { jsonKeys } from "./json-layout.ts";
import { treeOfJson, type Tree } from "./tree.ts";
import type { OutCell, TextWriter } from "./writers.ts";

/** What a reader of YAML 1.1 or 1.2 takes for something else than text, whatever its case. */
const notText = /^(?:y|n|yes|no|on|off|true|false|null|none|nan|inf|[e_][e_\d]*)$/i;

/** A text as YAML: plain where every reader takes it for text, and between double quotes otherwise. */
function yamlText(text: string): string {
  if (/^[\p{L}_](?:[\p{L}\p{N}_ ./@-]*[\p{L}\p{N}_/@-])?$/u.test(text) && !notText.test(text)) return text;
  return JSON.stringify(text).replace(/[\u007F-\u009F\u2028\u2029\uFEFF\uFFFE\uFFFF]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** What stands before each value of a record: its keys, those of one object below each other (see json-layout.ts). */
function yamlKeys(columns: readonly string[]): readonly string[] {
  let open: readonly string[] = [];
  return columns.map((column, index) => {
    const keys = jsonKeys(column);
    const parents = keys.slice(0, -1);
    let common = 0;
    while (common < open.length && open[common] === parents[common]) common++;
    open = parents;
    const lines = keys.slice(common).map((key, place) => `${"  ".repeat(common + place + 1)}${yamlText(key)}:`);
    return `${index === 0 ? "- " : "  "}${lines.join("\n").slice(2)} `;
  });
}

/** A YAML list of maps, one key a line, points in a column's name being levels; a value that is nested stands in flow form. No record: an empty list. */
export function createYamlWriter(columns: readonly string[]): TextWriter {
  const keys = yamlKeys(columns);
  let isEmpty = true;
  return {
    start: () => "",
    row(cells) {
      isEmpty = false;
      return cells.map((cell, index) => `${keys[index] ?? ""}${yamlCell(cell)}\n`).join("");
    },
    end: () => (isEmpty ? "[]\n" : ""),
  };
}

function yamlCell({ text, json }: OutCell): string {
  if (json === "null") return "null";
  return json === "string" ? yamlText(text) : /^[[{]/.test(text) ? yamlFlow(treeOfJson(text)) : text;
}

function yamlFlow(tree: Tree): string {
  if (tree.kind === "list") return `[${tree.items.map((item) => yamlFlow(item)).join(", ")}]`;
  if (tree.kind === "map") return `{${[...tree.entries].map(([key, value]) => `${yamlText(key)}: ${yamlFlow(value)}`).join(", ")}}`;
  return tree.kind === "text" ? yamlText(tree.text) : tree.text;
}

/** TOML: a list of tables of this name, one key a line, with points for tables inside of them. Keys without a value are left out, since TOML has no null. */
export function createTomlWriter(columns: readonly string[], name: string): TextWriter {
  const keys = columns.map((column) => jsonKeys(column).map((key) => tomlKey(key)).join("."));
  let count = 0;
  return {
    start: () => "",
    row(cells) {
      count++;
      const lines = cells.map((cell, index) => (cell.json === "null" ? "" : `${keys[index] ?? ""} = ${tomlCell(cell, columns[index] ?? "", count)}\n`));
      return `${count === 1 ? "" : "\n"}[[${tomlKey(name)}]]\n${lines.join("")}`;
    },
    end: () => (count === 0 ? `${tomlKey(name)} = []\n` : ""),
  };
}

function tomlKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : tomlText(key);
}

function tomlText(text: string): string {
  return JSON.stringify(text).replaceAll("\u007F", "\\u007F");
}

function tomlCell({ text, json }: OutCell, column: string, record: number): string {
  return json === "string" ? tomlText(text) : tomlValue(treeOfJson(text), () => new ConversionError("CAST", `TOML cannot hold the value (record ${record})`, { line: record, column, sample: text }));
}

function tomlValue(tree: Tree, fail: () => ConversionError): string {
  switch (tree.kind) {
    case "text":
      return tomlText(tree.text);
    case "boolean":
      return tree.text;
    case "number": {
      // Integers have 64 bits, others are doubles, of which a larger one would be read as infinite.
      if (/^-?\d+$/.test(tree.text) ? !isInt64(tree.text) && tree.text !== "-0" : !Number.isFinite(Number(tree.text))) throw fail();
      return tree.text;
    }
    case "null":
      throw fail();
    case "list":
      return `[${tree.items.map((item) => tomlValue(item, fail)).join(", ")}]`;
    case "map": {
      const entries = [...tree.entries].filter(([, value]) => value.kind !== "null").map(([key, value]) => `${tomlKey(key)} = ${tomlValue(value, fail)}`);
      return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
    }
  }
}
