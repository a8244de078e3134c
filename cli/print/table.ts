// pure
import { visibleLength } from "./text.ts";

/** Columns aligned with three spaces between, as kubectl prints them; the last column is not padded. Empty cells show as <none>. */
export function renderTable(headers: readonly string[] | undefined, rows: readonly (readonly string[])[]): string[] {
  const all = headers === undefined ? rows : [headers, ...rows];
  const widths: number[] = [];
  for (const row of all) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, visibleLength(shown(cell)))));
  return all.map((row) => row.map((cell, index) => (index === row.length - 1 ? shown(cell) : pad(shown(cell), (widths[index] ?? 0) + 3))).join("").trimEnd());
}

const shown = (cell: string): string => (cell === "" ? "<none>" : cell);
const pad = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - visibleLength(text)));
