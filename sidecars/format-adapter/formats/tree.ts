// pure
import { ConversionError } from "../conversion-error.ts";
import { parseJsonRecord } from "./json-text.ts";
import type { CellKind, ReaderLimits, RecordHandler, Row } from "./row.ts";

/** A value of a document format. The text of a number or boolean is as JSON writes it, with all digits of the source. */
export type Tree = Leaf | { readonly kind: "list"; readonly items: readonly Tree[] } | TreeMap;
export type TreeMap = { readonly kind: "map"; readonly entries: ReadonlyMap<string, Tree>; readonly line: number };
export type Leaf = { readonly kind: "text" | "number" | "boolean" | "null"; readonly text: string };

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;

/** A number where JSON can write it with the same characters, and text otherwise: nothing is lost, and nothing made up. */
export function numberLeaf(text: string): Leaf {
  return { kind: jsonNumber.test(text) ? "number" : "text", text };
}

export function treeJson(tree: Tree): string {
  switch (tree.kind) {
    case "list":
      return `[${tree.items.map((item) => treeJson(item)).join(",")}]`;
    case "map":
      return `{${[...tree.entries].map(([key, value]) => `${JSON.stringify(key)}:${treeJson(value)}`).join(",")}}`;
    case "text":
      return JSON.stringify(tree.text);
    case "null":
      return "null";
    case "number":
    case "boolean":
      return tree.text;
  }
}

/** The tree of JSON text that is known to be right. */
export function treeOfJson(text: string): Tree {
  if (text.startsWith("[")) return { kind: "list", items: jsonElements(text).map((element) => treeOfJson(element)) };
  if (!text.startsWith("{")) return leafOfJson(text);
  const cells = parseJsonRecord(text, 1, Infinity);
  return { kind: "map", line: 1, entries: new Map([...cells].map(([key, { kind, text: value }]) => [key, kind === "nested" ? treeOfJson(value) : { kind, text: value }])) };
}

function leafOfJson(text: string): Leaf {
  if (text.startsWith('"')) return { kind: "text", text: JSON.parse(text) as string };
  return { kind: text === "null" ? "null" : text === "true" || text === "false" ? "boolean" : "number", text };
}

/** The texts of a list's elements. */
function jsonElements(text: string): readonly string[] {
  const elements: string[] = [];
  let from = 1;
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},]/g)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if ((token === "," && depth === 1) || depth === 0) {
      const element = text.slice(from, index).trim();
      if (element !== "") elements.push(element);
      from = index + 1;
    }
  }
  return elements;
}

/** A record of a document. */
class TreeRow implements Row {
  readonly line: number;
  readonly #entries: ReadonlyMap<string, Tree>;
  constructor({ line, entries }: TreeMap) {
    this.line = line;
    this.#entries = entries;
  }
  text(column: string): string | undefined {
    const value = this.#entries.get(column);
    if (value === undefined) return undefined;
    return value.kind === "list" || value.kind === "map" ? treeJson(value) : value.kind === "null" ? "null" : value.text;
  }
  kind(column: string): CellKind | undefined {
    const kind = this.#entries.get(column)?.kind;
    return kind === "list" || kind === "map" ? "nested" : kind;
  }
}

/** Hands records out and tells new columns before the record that brings them. */
export class RecordSink {
  readonly #handler: RecordHandler;
  readonly #limits: ReaderLimits;
  /** Bounded: beyond `columnsMax` a new key is told each time it comes. */
  readonly #known = new Set<string>();
  #isFirst = true;

  constructor(handler: RecordHandler, limits: ReaderLimits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  take(record: TreeMap): void {
    this.takeRow(record.entries.keys(), record.entries.size, new TreeRow(record));
  }

  takeRow(keys: Iterable<string>, count: number, row: Row): void {
    const { columnsMax } = this.#limits;
    if (count > columnsMax) throw new ConversionError("LIMIT", `${count} keys, more than ${columnsMax}`, { line: row.line });
    const fresh: string[] = [];
    for (const key of keys) if (!this.#known.has(key)) fresh.push(key);
    if (this.#isFirst || fresh.length > 0) this.#handler.onColumns(fresh, row.line);
    this.#isFirst = false;
    for (const key of fresh) if (this.#known.size < columnsMax) this.#known.add(key);
    this.#handler.onRow(row);
  }
}

/**
 * The keys that lead to the records. With `strict` the maps around them have no other keys than those, and those that are `ignored` with all
 * that is in them.
 */
export type RecordsPlace = { readonly records: readonly string[]; readonly ignored?: readonly (readonly string[])[]; readonly strict?: boolean };

/**
 * The records of a document: the list at the path, or what stands there as the one record. The path's parts are keys. A list of anything but maps
 * is refused. `line` is where the document begins.
 */
export function recordsOf(document: Tree, place: RecordsPlace, line = 1): readonly TreeMap[] {
  const { records: path } = place;
  let found = document;
  for (const key of path) {
    const next = found.kind === "map" ? found.entries.get(key) : undefined;
    if (next === undefined) throw new ConversionError("COLUMN", `the document has no "${path.join(".")}", where its records are to stand`, { line: found.kind === "map" ? found.line : line, column: key });
    found = next;
  }
  if (place.strict === true && document.kind === "map") checkAround(document, [], place);
  if (found.kind === "map") return [found];
  const where = path.length === 0 ? "the document" : `"${path.join(".")}"`;
  if (found.kind !== "list") throw new ConversionError("SYNTAX", `${where} must be a list of records, or one record`, { line, sample: found.text });
  return found.items.map((item, index) => {
    if (item.kind !== "map") throw new ConversionError("SYNTAX", `item ${index + 1} of ${where} is not a record`, { line, sample: item.kind === "list" ? treeJson(item) : item.text });
    return item;
  });
}

function checkAround(map: TreeMap, at: readonly string[], place: RecordsPlace): void {
  const { records, ignored = [] } = place;
  for (const [key, value] of map.entries) {
    const path = [...at, key];
    if ([records, ...ignored].some((known) => isPathPrefix(known, path))) continue;
    if (![records, ...ignored].some((known) => isPathPrefix(path, known))) throw unknownAround(path.join("."), map.line);
    if (value.kind === "map") checkAround(value, path, place);
  }
}

/** Whether a path of keys leads to another, or to something around it. */
export function isPathPrefix(path: readonly string[], of: readonly string[]): boolean {
  return path.every((key, index) => of[index] === key);
}

/** A key beside the records that a strict mapping does not know; `path` leads to it. */
export function unknownAround(path: string, line: number): ConversionError {
  return new ConversionError("COLUMN", `the key "${path}" beside the records is not known to this mapping; name it under in.ignore, or set strict: false`, { line, column: path });
}
