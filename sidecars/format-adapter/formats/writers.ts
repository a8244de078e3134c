// pure
import { cellJson, jsonFrame, type JsonWrap } from "./json-frame.ts";
import { jsonLayout } from "./json-layout.ts";

/** One value to be written. `json` is its JSON form when that is not a string. */
export type OutCell = { readonly text: string; readonly json: "string" | "raw" | "null" };

/** Turns rows into a report. Deterministic: the same rows give the same bytes. */
export type RecordWriter = { start(): string | Uint8Array; row(cells: readonly OutCell[]): string | Uint8Array; end(): string | Uint8Array };

/** A writer of text. */
export type TextWriter = { start(): string; row(cells: readonly OutCell[]): string; end(): string };

/** A record as JSON; see json-layout.ts. */
function jsonObjects(columns: readonly string[]): (cells: readonly OutCell[]) => string {
  const { before, tail } = jsonLayout(columns);
  return (cells) => `{${members(before, cells)}${tail}}`;
}

function members(before: readonly string[], cells: readonly OutCell[]): string {
  return cells.map((cell, index) => `${before[index] ?? ""}${cellJson(cell)}`).join("");
}

/** One JSON object a line. */
export function createNdjsonWriter(columns: readonly string[]): TextWriter {
  const object = jsonObjects(columns);
  return { start: () => "", row: (cells) => `${object(cells)}\n`, end: () => "" };
}

/** A JSON array, one record a line, or what `wrap` says. */
export function createJsonArrayWriter(columns: readonly string[], wrap?: JsonWrap): TextWriter {
  const frame = jsonFrame(columns, wrap);
  let isFirst = true;
  return {
    start: () => frame.start,
    row(cells) {
      const lead = isFirst ? frame.first : frame.other;
      isFirst = false;
      return `${lead}${members(frame.before, cells)}${frame.tail}`;
    },
    end: () => (isFirst ? frame.endOfNone : frame.end),
  };
}
