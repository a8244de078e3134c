// pure
import { jsonLayout, jsonLayoutFault } from "./json-layout.ts";
import type { OutCell } from "./writers.ts";

/**
 * How a JSON document looks beyond its records. `records`: the keys that lead to their list, none for the top. `constants`: what stands before
 * them, by path (as the names of fields: `meta.version`). `indent`: spaces for each level; 0 puts each record on a line of its own.
 */
export type JsonWrap = { readonly records: readonly string[]; readonly constants: readonly { readonly path: string; readonly cell: OutCell }[]; readonly indent: number };

/** The text between the values of a JSON document with a list of records. */
export type JsonFrame = {
  readonly start: string;
  /** Before the first record, and before each other. */
  readonly first: string;
  readonly other: string;
  /** Before each value. */
  readonly before: readonly string[];
  /** Behind the last value of a record. */
  readonly tail: string;
  readonly end: string;
  /** As `end`, when there was no record. */
  readonly endOfNone: string;
};

const noWrap: JsonWrap = { records: [], constants: [], indent: 0 };

export function jsonFrame(columns: readonly string[], wrap: JsonWrap = noWrap): JsonFrame {
  const { records, constants, indent } = wrap;
  const depth = records.length;
  const lineAt = (level: number): string => (indent === 0 ? "" : `\n${" ".repeat(indent * level)}`);
  const recordLine = indent === 0 ? "\n" : lineAt(depth + 1);
  const layout = jsonLayout(columns, indent, depth + 2);
  const around = depth === 0 ? undefined : jsonLayout(aroundColumns(wrap), indent, 1);
  const before = around?.before ?? [];
  const start = around === undefined ? "[" : `{${before.slice(0, -1).map((text, index) => `${text}${cellJson(constants[index]?.cell)}`).join("")}${before.at(-1) ?? ""}[`;
  const close = around === undefined ? "]\n" : `]${around.tail}${lineAt(0)}}\n`;
  return {
    start,
    first: `${recordLine}{`,
    other: `,${recordLine}{`,
    before: layout.before,
    tail: `${layout.tail}${lineAt(depth + 1)}}`,
    end: `${indent === 0 ? "\n" : lineAt(depth)}${close}`,
    endOfNone: close,
  };
}

/** A value as JSON writes it. */
export function cellJson(cell: OutCell | undefined): string {
  return cell === undefined || cell.json === "null" ? "null" : cell.json === "raw" ? cell.text : JSON.stringify(cell.text);
}

function aroundColumns({ records, constants }: JsonWrap): readonly string[] {
  return [...constants.map(({ path }) => path), records.map((key) => key.replaceAll(".", String.raw`\.`)).join(".")];
}

/** Why there can be no such document. */
export function jsonWrapFault(wrap: JsonWrap): string | undefined {
  return wrap.records.length === 0 ? undefined : jsonLayoutFault(aroundColumns(wrap));
}
