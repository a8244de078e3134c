// pure
import type { ShipperConfig } from "../config.ts";
import type { ExtraPairs, RecordTime } from "../encode/range-encoder.ts";
import { decodeText, type Encoding } from "../encode/encoding.ts";
import { count, short } from "./explain-text.ts";
import { encodingSeen } from "../parse/encoding-seen.ts";
import { settingHints } from "../setting-hints.ts";
import { preview, type LinesSource } from "./preview.ts";
import { createRateLimits, createShaper } from "../shape/create-shaper.ts";

/** What would become of the first lines of a file. */
export type CheckedFile = {
  readonly encoding: string;
  /** Settings that seem to be missing or wrong, by the look of the bytes. */
  readonly hints: readonly string[];
  /** Records of several lines. */
  readonly joined: number;
  readonly records: number;
  readonly unparsed: number;
  readonly firstRefused: { readonly line: number; readonly at: number; readonly reason: string; readonly text: string } | undefined;
  readonly untimed: number;
  readonly filtered: ReadonlyMap<string, number>;
  readonly unrouted: number;
  readonly routed: ReadonlyMap<string, number>;
  /** Bytes after the last record: the beginning of a line. */
  readonly left: number;
  readonly whole: boolean;
};

type Facts = { readonly time: RecordTime; readonly extra: ExtraPairs; readonly tag: string; readonly path: string; /** Whether the bytes are the whole file. */ readonly whole: boolean };

export function checkFile(config: ShipperConfig, source: LinesSource, bytes: Buffer, { time, extra, tag, path, whole }: Facts): CheckedFile {
  const seen = preview(config, source, bytes, { time, extra, final: whole });
  const refused = seen.records.find(({ refusal }) => refusal !== undefined);
  const filtered = new Map<string, number>();
  const routed = new Map<string, number>(config.sinks.map(({ name }) => [name, 0]));
  let untimed = 0;
  let unrouted = 0;
  const shaper = createShaper({
    config, time: source.time, limits: createRateLimits(config.filters),
    events: {
      filtered: (filter, records) => filtered.set(filter, records),
      routed: (sinks, records) => sinks.forEach((sink) => routed.set(sink, records)),
      unrouted: (records) => (unrouted = records),
      untimed: (records) => (untimed = records),
    },
  });
  if (shaper === undefined) for (const { name } of config.sinks) routed.set(name, seen.records.length);
  else shaper.shape(seen.batch, { content: path, from: 0, tag, nowMs: 0, extra, memory: undefined });
  return {
    encoding: encodingSeen(bytes),
    hints: settingHints(source, bytes, seen.encoding),
    joined: seen.records.filter(({ lines }) => lines !== 1).length,
    records: seen.records.length,
    unparsed: seen.unparsed,
    firstRefused: refused?.refusal === undefined ? undefined : { line: lineNumber(bytes, refused.from, seen.encoding), at: refused.from, reason: refused.refusal, text: refused.text.trimEnd() },
    untimed, filtered, unrouted, routed,
    left: seen.left,
    whole,
  };
}

function lineNumber(bytes: Buffer, at: number, encoding: Encoding): number {
  return decodeText(encoding, bytes, 0, at).split("\n").length;
}

/** Indented lines for people. */
export function fileReport(checked: CheckedFile, { format, time, multiline, container }: LinesSource): string {
  const { records, unparsed, firstRefused, untimed, filtered, unrouted, routed } = checked;
  const hints = checked.hints.map((hint) => `    hint: ${hint}\n`).join("");
  if (records === 0) return `${hints}    ${checked.encoding}; no whole line yet${checked.left > 0 ? ` (${checked.left} bytes of an unfinished one)` : ""}\n`;
  const rows = [`${checked.encoding}; ${checked.whole ? "all" : "the first"} ${count(records, "record")}`];
  if (multiline !== undefined || container !== "none") rows.push(`of several lines: ${share(checked.joined, records)}`);
  if (format !== "raw") rows.push(`parsed as ${format}: ${share(records - unparsed, records)}`);
  if (firstRefused !== undefined) rows.push(`first refused, line ${firstRefused.line} (byte ${firstRefused.at}): ${firstRefused.reason}`, `  ${short(firstRefused.text)}`);
  if (time !== undefined) rows.push(`time from field "${time.field}": ${share(records - untimed, records)}`);
  for (const [filter, dropped] of filtered) rows.push(`filter ${filter} drops ${share(dropped, records)}`);
  rows.push(`sinks: ${[...routed].map(([sink, gets]) => `${sink} ${gets}`).join(", ")}${unrouted > 0 ? `; ${unrouted} match no sink` : ""}`);
  return `${rows.map((row) => `    ${row}\n`).join("")}${hints}`;
}

function share(part: number, all: number): string {
  return `${part} of ${all} (${part === all ? "100" : Math.min(99.9, (part / all) * 100).toFixed(1)} %)`;
}
