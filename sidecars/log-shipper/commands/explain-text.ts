// pure
import type { Change, FilterStep, ShapingSteps } from "./explain-record.ts";

/** Everything about one record; printed by --json as it is. */
export type Explanation = ShapingSteps & {
  readonly source: string;
  readonly tag: string;
  /** Where its bytes begin in the input, and how many are its own. */
  readonly from: number;
  readonly bytes: number;
  readonly text: string;
  /** How many lines of the input it is made of; absent if lines of other records lie between. */
  readonly lines?: number;
  readonly piece: "whole" | "partial" | "cut";
  readonly format: string;
  readonly refusal?: string;
  /** As parsed, with what the shipper adds. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly fileTime: string;
  /** What that is the time of. */
  readonly timeOf: "file" | "container" | "reading";
};

const valueMax = 200;
const column = 9;

/** A record's way through the stages, one line for each, for people. */
export function explanationText(explanation: Explanation): string {
  const { source, tag, from, bytes, text, piece, format, refusal, fields, lines, time, fileTime, filters, routes, result } = explanation;
  const origin = { file: "of the file", container: "of the container's line", reading: "when it was read" }[explanation.timeOf];
  const made = lines === undefined ? ", of several lines, with lines of other records between" : lines > 1 ? ` of ${lines} lines` : "";
  const framing = { whole: `a whole record${made}`, partial: "a piece of a longer line (log_partial); pieces are not parsed", cut: "the beginning of a longer line, the rest is cut off (log_cut); it is not parsed" }[piece];
  const rows: (readonly [stage: string, told: string])[] = [
    ["record", `${source}, tag ${tag}, bytes ${from} to ${from + bytes}`],
    ["line", short(text)],
    ["framing", framing],
    ["parse", refusal === undefined ? `${format}: ${count(Object.keys(fields).length, "field")}` : `${format}: refused, shipped raw: ${refusal}`],
    ["", short(JSON.stringify(fields))],
    ["time", time === undefined ? `${fileTime} (${origin}; no time is configured)` : time.found ? `${time.value} from field "${time.field}"` : `${fileTime} (${origin}): field "${time.field}" ${time.present ? "has no time of the format" : "is not there"}`],
    ...filters.flatMap(filterRows),
  ];
  if (result === undefined) rows.push(["result", "dropped: no sink gets it"]);
  else rows.push(...routes.map(({ sink, gets }, index) => [index === 0 ? "routes" : "", `${gets ? "->" : "no"} ${sink}`] as const), ["result", short(JSON.stringify(result.fields))]);
  return `${rows.map(([stage, told]) => `${stage.padEnd(column)}${told}`).join("\n")}\n\n`;
}

/** Filters that change nothing, but let a record pass or drop it. */
const decides: ReadonlySet<string> = new Set(["keep", "drop", "sample", "rate-limit"]);

function filterRows({ filter, type, outcome, changes }: FilterStep, index: number): readonly (readonly [string, string])[] {
  const name = filter === `${type}-${index}` ? type : `${type} "${filter}"`;
  const told = outcome === "other tags" ? "not for this tag" : outcome === "unchanged" && decides.has(type) ? "passed" : outcome;
  return [[`filter ${index}`, `${name}: ${told}`], ...changes.map((change) => ["", `  ${changeText(change)}`] as const)];
}

function changeText(change: Change): string {
  const before = "before" in change ? short(JSON.stringify(change.before)) : undefined;
  const after = "after" in change ? short(JSON.stringify(change.after)) : undefined;
  if (before === undefined) return `+ ${change.field}: ${after}`;
  return after === undefined ? `- ${change.field}: ${before}` : `${change.field}: ${before} -> ${after}`;
}

export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

export function short(text: string | undefined): string {
  // Control characters of a log must not reach the terminal.
  const visible = (text ?? "").replaceAll(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return visible.length > valueMax ? `${visible.slice(0, valueMax)}… (${visible.length} characters)` : visible;
}
