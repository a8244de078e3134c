// pure
import { parseJsonRecord } from "../../formats/json-text.ts";
import { fits, type ValueType } from "../../mapping/types.ts";
import { listCells } from "../../mapping/path.ts";

/** A column of the new sample: its name or path, and its values in the order of the records, "" where there is none. */
export type Column = {
  readonly name: string;
  readonly values: readonly string[];
  readonly type: ValueType;
  /** How an expression names it, and how it has its text; undefined when it cannot. */
  readonly ref: string | undefined;
  readonly textRef: string | undefined;
};

/** How a field is made, in the mapping language, and what its author should know of the guess. */
export type Guess = { readonly source: string; readonly note?: string };

const plain = { digits: 0, optional: false };
const typesTried: readonly ValueType[] = [
  { kind: "int64", ...plain },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((digits) => ({ kind: "decimal", digits, optional: false }) as const),
  { kind: "bool", ...plain },
  { kind: "date", ...plain },
  { kind: "timestamp", ...plain },
];

/** The narrowest type that all values have; an optional one where some have none. */
export function typeOf(values: readonly string[]): ValueType {
  const there = values.filter((value) => value !== "");
  const found = there.length === 0 ? undefined : typesTried.find((type) => there.every((value) => fits(type, value)));
  return { ...(found ?? { kind: "string", ...plain }), optional: found === undefined || there.length < values.length };
}

const word = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\d{1,9}\])*$/;
const reserved: ReadonlySet<string> = new Set(["true", "false", "if"]);

export function columnOf(name: string, values: readonly string[]): Column {
  const type = typeOf(values);
  const ref = word.test(name) && !reserved.has(name) ? name : name.includes("`") ? undefined : `\`${name}\``;
  const isText = type.kind === "string" || type.kind === "date" || type.kind === "timestamp";
  return { name, values, type, ref, textRef: ref === undefined || isText ? ref : `text(${ref})` };
}

/** A value in YAML: bare where nothing else can be meant, in quotes otherwise. */
export function yaml(text: string): string {
  return /^[A-Za-z_][\w]*(?:[-./ ][\w]+)*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n|nan|inf)$/i.test(text) ? text : JSON.stringify(text);
}

/** A text in an expression. */
export function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** A field that an expression gives. It may be empty where the old one is. */
export function expressionField(expression: string, type: string, wanted: readonly string[], more = ""): string {
  return `{expr: ${JSON.stringify(expression)}, type: ${JSON.stringify(`${type}${wanted.includes("") ? "?" : ""}`).replace(/^"([a-z0-9]+)"$/, "$1")}${more}}`;
}

export function sameAs(wanted: readonly string[], made: (index: number) => string | undefined): boolean {
  return wanted.every((value, index) => made(index) === value);
}

type Values = ReadonlyMap<string, string>;
const depthMax = 6;
const listItemsMax = 3;
const columnsMax = 500;

/**
 * The values of a record told as JSON writes them, as texts by path: `customer.name`, `items[0].price`. Objects are taken apart; a list stays
 * as its JSON text too. As names of fields, not of columns, points in keys are escaped and elements of lists are none.
 */
export function flattened(record: Values, use: "columns" | "fields"): Values {
  const named = (key: string): string => (use === "fields" ? key.replaceAll(".", "\\.") : key);
  const found = new Map<string, string>();
  const take = (name: string, token: string, depth: number): void => {
    if (found.size >= columnsMax) return;
    const isObject = token.startsWith("{");
    if (isObject && depth < depthMax) {
      for (const [key, { kind, text }] of parseJsonRecord(token, 1, 128)) take(`${name}.${named(key)}`, kind === "text" ? JSON.stringify(text) : text, depth + 1);
      return;
    }
    found.set(name, token.startsWith('"') ? (JSON.parse(token) as string) : token === "null" ? "" : token);
    if (!token.startsWith("[") || use === "fields" || depth >= depthMax) return;
    for (const [index, { kind, text }] of listCells(token).slice(0, listItemsMax).entries()) take(`${name}[${index}]`, kind === "text" ? JSON.stringify(text) : text, depth + 1);
  };
  for (const [name, token] of record) take(named(name), token, 0);
  return found;
}

/** The names with those of one parent behind each other, where the last of them stands that came before. */
export function besideTheirKin(names: readonly string[], separator: string): readonly string[] {
  const placed: string[] = [];
  for (const name of names) {
    let place = -1;
    for (let parent = name.lastIndexOf(separator); parent > 0 && place < 0; parent = name.lastIndexOf(separator, parent - 1)) place = placed.findLastIndex((other) => other.startsWith(name.slice(0, parent + separator.length)));
    placed.splice(place < 0 ? placed.length : place + 1, 0, name);
  }
  return placed;
}

/** All names that records have, in the order in which they come. */
export function namesOf(records: readonly Values[]): readonly string[] {
  return [...new Set(records.flatMap((record) => [...record.keys()]))];
}

