// pure
import { ConversionError } from "../conversion-error.ts";
import { parseJsonRecord, type JsonCell } from "../formats/json-text.ts";
import { readerLimitsDefault, type Row } from "../formats/row.ts";
import { listCells, type ColumnPath } from "./path.ts";

/** What a mapping knows of an object or a list that its paths lead into: by key or place what it knows of the value, "all" when it uses that as a whole. */
type Known = Map<string | number, Known | "all">;

/**
 * Checks that objects inside of records have no keys but those that `columns` name, so that a new one is not lost in silence: for each column that
 * is used by its parts alone. Elements of lists that no column names are not looked at. Throws COLUMN with the path of the key.
 */
export function nestedDriftChecks(columns: Iterable<string>, paths: ReadonlyMap<string, ColumnPath>): readonly ((row: Row) => void)[] {
  const roots: Known = new Map();
  for (const column of columns) {
    const path = paths.get(column);
    if (path === undefined) roots.set(column, "all");
    else addPath(roots, [path.root, ...path.steps]);
  }
  return [...roots].flatMap(([root, known]) => (known === "all" || typeof root !== "string" ? [] : [checkOf(root, known)]));
}

function addPath(known: Known, [step, ...rest]: readonly (string | number)[]): void {
  if (step === undefined) return;
  const there = known.get(step);
  if (there === "all") return;
  if (rest.length === 0) {
    known.set(step, "all");
    return;
  }
  const inner: Known = there ?? new Map();
  known.set(step, inner);
  addPath(inner, rest);
}

function checkOf(root: string, known: Known): (row: Row) => void {
  return (row) => {
    const text = row.kind(root) === "nested" ? row.text(root) : undefined;
    if (text !== undefined) checkInside({ kind: "nested", text }, known, { path: root, line: row.line });
  };
}

function checkInside({ text }: JsonCell, known: Known, at: { readonly path: string; readonly line: number }): void {
  if (text.trimStart().startsWith("[")) {
    const cells = listCells(text);
    for (const [step, inner] of known) {
      const cell = typeof step === "number" ? cells[step] : undefined;
      if (cell?.kind === "nested" && inner !== "all") checkInside(cell, inner, { ...at, path: `${at.path}[${step}]` });
    }
    return;
  }
  for (const [key, cell] of parseJsonRecord(text, at.line, readerLimitsDefault.depthMax)) {
    const inner = known.get(key);
    const path = `${at.path}.${key}`;
    if (inner === undefined) throw new ConversionError("COLUMN", `the column "${path}" is not known to this mapping; declare it under in.columns, or set strict: false`, { line: at.line, column: path });
    if (inner !== "all" && cell.kind === "nested") checkInside(cell, inner, { ...at, path });
  }
}
