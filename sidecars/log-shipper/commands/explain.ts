import { basename, dirname, join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { stdin } from "node:process";
import { exitCode } from "../../../kit/exit-code.ts";
import type { CommandContext } from "../../../kit/process.ts";
import { contradictions, type ShipperConfig } from "../config.ts";
import { Discovery } from "../tail/discover.ts";
import { encodeText } from "../encode/encoding.ts";
import type { ExtraPairs } from "../encode/range-encoder.ts";
import type { MsgpackValue } from "../forward-protocol/msgpack-writer.ts";
import { Explainer } from "./explain-record.ts";
import { explanationText, type Explanation } from "./explain-text.ts";
import { encodeExtraPairs } from "../metadata/metadata.ts";
import { PodMetadataSource } from "../metadata/pod-metadata.ts";
import { fieldsOf, preview, timeOf, type LinesSource } from "./preview.ts";

const usage = `Usage: log-shipper explain [--line TEXT]... [--path FILE] [--source N] [--json]
Shows what every stage does to lines, given by --line or on standard input, as if they stood in FILE. The source is the one
that follows FILE, or number N (from 0), or else the first that reads lines; without --path they stand in the first file that
it matches. Nothing is sent and nothing is written.
`;

const readMax = 16_777_216;

/** `explain`: lines through framing, parser, time, filters and routes of one source, by the shipper's own parts. */
export async function runExplain({ config, argv, print }: CommandContext<ShipperConfig>): Promise<number> {
  const wanted = readArguments(argv);
  if (typeof wanted === "string") return complain(print, wanted);
  const faults = contradictions(config);
  if (faults.length > 0) {
    print(`${faults.join("\n")}\n`);
    return exitCode.config;
  }
  const chosen = chooseSource(config, wanted);
  if (typeof chosen === "string") return complain(print, chosen);
  const lines = wanted.lines.length > 0 ? `${wanted.lines.join("\n")}\n` : await readText(stdin);
  if (lines.length > readMax) return complain(print, `explain reads at most ${readMax} characters; give fewer lines`);
  const { source } = chosen;
  const path = wanted.path ?? (source.type === "tail" ? anyPathOf(source) : "");
  const extra = await extraOf(config, source, path);
  const explanations = explainLines(config, chosen, { bytes: encodeText(source.encoding === "auto" ? "utf-8" : source.encoding, lines), path, extra });
  for (const explanation of explanations) print(wanted.json ? `${JSON.stringify(explanation)}\n` : explanationText(explanation));
  if (explanations.length === 0) print(wanted.json ? "" : "No record came of this input.\n");
  return exitCode.ok;
}

type Wanted = { readonly lines: readonly string[]; readonly path: string | undefined; readonly source: number | undefined; readonly json: boolean };

/** What was asked for, or what is wrong with it. */
function readArguments(argv: readonly string[]): Wanted | string {
  const lines: string[] = [];
  const rest = argv.flatMap((argument) => (/^--(?:line|path|source)=/.test(argument) ? [argument.slice(0, argument.indexOf("=")), argument.slice(argument.indexOf("=") + 1)] : [argument]));
  let path: string | undefined;
  let source: number | undefined;
  let json = false;
  while (rest.length > 0) {
    const name = rest.shift();
    if (name === "--json") {
      json = true;
      continue;
    }
    if (name !== "--line" && name !== "--path" && name !== "--source") return `"${name}" is not an option`;
    const value = rest.shift();
    if (value === undefined) return `${name} needs a value`;
    if (name === "--line") lines.push(value);
    else if (name === "--path") path = value;
    else if (/^\d+$/.test(value)) source = Number(value);
    else return `--source needs the number of a source, got "${value}"`;
  }
  return { lines, path, source, json };
}

type Chosen = { readonly source: LinesSource; readonly index: number };

function chooseSource(config: ShipperConfig, { path, source }: Wanted): Chosen | string {
  const all = config.sources.flatMap((each, index) => (each.type === "forward" ? [] : [{ source: each, index }]));
  const told = all.map((each) => `sources[${each.index}] ${each.source.type === "tail" ? each.source.paths.join(" ") : "standard input"}`).join("; ") || "none";
  if (source !== undefined) return all.find(({ index }) => index === source) ?? `sources[${source}] does not read lines; there are: ${told}`;
  const following = path === undefined ? all[0] : all.find((each) => each.source.type === "tail" && new Discovery({ patterns: each.source.paths, exclude: each.source.exclude }).matches(path));
  return following ?? (path === undefined ? "no source reads lines" : `no source follows "${path}"; there are: ${told}. Name one by --source`);
}

/** A file that the source matches now; where there is none, the first pattern with "{file}" for a name that has wildcards. */
function anyPathOf({ paths, exclude }: Extract<LinesSource, { type: "tail" }>): string {
  const [found] = new Discovery({ patterns: paths, exclude }).look().matches;
  const [pattern = ""] = paths;
  return found?.path ?? join(dirname(pattern), /[*?[{(!+@]/.test(basename(pattern)) ? "{file}" : basename(pattern));
}

/** The pairs that the shipper adds to each record of the file. */
export async function extraOf(config: ShipperConfig, source: LinesSource, path: string): Promise<ExtraPairs> {
  const metadata = source.enrich ? (await PodMetadataSource.open(config.metadata)).current : {};
  const pairs: Record<string, MsgpackValue> = {};
  if (Object.keys(metadata).length > 0) pairs[config.metadata.field] = metadata;
  if (source.type === "tail" && source.pathField !== undefined) pairs[source.pathField] = path;
  return encodeExtraPairs(pairs);
}

function explainLines(config: ShipperConfig, { source, index }: Chosen, { bytes, path, extra }: { readonly bytes: Buffer; readonly path: string; readonly extra: ExtraPairs }): readonly Explanation[] {
  const explainer = new Explainer(config, source.time);
  const tag = source.tag.replaceAll("{file}", basename(path));
  const nowMs = Date.now();
  const { records } = preview(config, source, bytes, { time: { seconds: Math.floor(nowMs / 1000), nanoseconds: (nowMs % 1000) * 1_000_000 }, extra, final: true });
  return records.map(({ from, bytes: own, text, lines, timed, refusal, batch }) => {
    const fields = fieldsOf(batch);
    return {
      source: `sources[${index}]`,
      tag,
      from,
      bytes: own,
      text,
      ...(lines === undefined ? {} : { lines }),
      piece: fields["log_partial"] === true ? "partial" : fields["log_cut"] === true ? "cut" : "whole",
      format: source.format,
      ...(refusal === undefined ? {} : { refusal }),
      fields,
      fileTime: timeOf(batch),
      timeOf: timed ? "container" : source.type === "tail" ? "file" : "reading",
      ...explainer.explain(batch, { tag, extra, content: path }),
    };
  });
}

function complain(print: (text: string) => void, problem: string): number {
  print(`${problem}\n${usage}`);
  return exitCode.usage;
}
