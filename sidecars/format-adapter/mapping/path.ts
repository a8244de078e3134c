// pure
import { parseJsonRecord, type JsonCell } from "../formats/json-text.ts";
import type { CellKind, Row } from "../formats/row.ts";

/**
 * Columns inside of columns: `customer.city`, `items[0].sku`. The record's own columns come first, so that one whose name has a
 * point in it is found by that name.
 */
export type ColumnPath = { readonly root: string; readonly steps: readonly (string | number)[] };

const form = /^([^.[\]]+)((?:\.[^.[\]]+|\[\d{1,9}\])+)$/;

/** Undefined for a name that is no path. */
export function parsePath(name: string): ColumnPath | undefined {
  const match = form.exec(name);
  if (match === null) return undefined;
  const steps = [...(match[2] ?? "").matchAll(/\.([^.[\]]+)|\[(\d+)\]/g)].map(([, key, index]) => key ?? Number(index));
  return { root: match[1] ?? "", steps };
}

/** A row with its columns and with these paths. Throws ConversionError when a nested value is not right JSON. */
export function withPaths(row: Row, paths: ReadonlyMap<string, ColumnPath>): Row {
  const found = new Map<string, JsonCell | undefined>();
  const cell = (column: string): JsonCell | undefined => {
    const path = paths.get(column);
    if (path === undefined || row.kind(column) !== undefined) return undefined;
    if (!found.has(column)) found.set(column, walk(row, path));
    return found.get(column);
  };
  return {
    get line() {
      return row.line;
    },
    text: (column) => cell(column)?.text ?? row.text(column),
    kind: (column): CellKind | undefined => cell(column)?.kind ?? row.kind(column),
  };
}

function walk(row: Row, path: ColumnPath): JsonCell | undefined {
  const [kind, text] = [row.kind(path.root), row.text(path.root)];
  let at: JsonCell | undefined = kind === undefined || text === undefined ? undefined : { kind, text };
  for (const step of path.steps) {
    if (at?.kind !== "nested") return undefined;
    const isList = at.text.trimStart().startsWith("[");
    if (isList !== (typeof step === "number")) return undefined;
    at = typeof step === "number" ? listCells(at.text)[step] : parseJsonRecord(at.text, row.line, depthMax).get(step);
  }
  return at;
}

const depthMax = 128;
/** A string, a bracket, a comma, or what stands between. */
const listToken = /"(?:[^"\\]|\\.)*"|[{}[\],]|[^"{}[\],]+/g;

/** The elements of a JSON list that was checked before. */
export function listCells(text: string): readonly JsonCell[] {
  const cells: JsonCell[] = [];
  let depth = 0;
  let element = "";
  for (const [token] of text.matchAll(listToken)) {
    if (depth === 1 && (token === "," || token === "]")) {
      if (element.trim() !== "") cells.push(cellOf(element));
      element = "";
    } else if (depth > 0) element += token;
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
  }
  return cells;
}

function cellOf(text: string): JsonCell {
  return parseJsonRecord(`{"value":${text}}`, 1, depthMax).get("value") ?? { kind: "null", text: "null" };
}
