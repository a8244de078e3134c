// pure
import { posix } from "node:path";
import { parseDurationMs, parseSizeBytes } from "../../../kit/config/units.ts";
import type { NodeReader } from "../mapping/node-reader.ts";

/** When a file counts as finished; all given rules must hold. */
export type ReadyRules = {
  /** Its name is not one of a file in the making. */
  readonly rename: boolean;
  /** It is whole by its format. */
  readonly complete: boolean;
  /** Size, times and inode were the same at so many looks, over so long. */
  readonly stable: { readonly quietMs: number; readonly checks: number } | undefined;
  /** A file of this name stands beside it and is not older; {file} is the report's name, {name} the same without its last extension. */
  readonly doneFile: string | undefined;
  /** No process has it open for writing; those of these names need not let us see. */
  readonly closed: { readonly except: readonly string[] } | undefined;
  /** It grows for ever: its records are adapted as they land, in segments, at most so often. */
  readonly append: { readonly everyMs: number } | undefined;
};

/** The newest that are kept; what goes beyond any of these is removed. */
export type Limits = { readonly maxAgeMs: number | undefined; readonly maxCount: number | undefined; readonly maxBytes: number | undefined };

export type WatchConfig = { readonly directory: string; readonly match: string; readonly ready: ReadyRules; readonly reconcileMs: number };
export type Retention = { readonly inputs: Limits | undefined; readonly outputs: Limits | undefined };
/** Names of the files beside each adapted report; {file} is its name, {name} the same without its last extension. */
export type Beside = { readonly manifest: string | undefined; readonly done: string | undefined };
/** `reads`: whether a metric tells when adapted reports were last read. */
export type Publishing = Beside & { readonly reads: boolean };

export const readyDefault: ReadyRules = { rename: true, complete: true, stable: undefined, doneFile: undefined, closed: undefined, append: undefined };
const quietDefaultMs = 500;
const appendEveryDefaultMs = 1000;
/** What a Pod's first process is when its containers share their processes; it opens no report. */
const closedExceptDefault = ["pause"];

export function readWatch(node: NodeReader): WatchConfig | undefined {
  const parts = node.map(["dir", "match", "ready", "reconcile"]);
  const directory = parts?.get("dir")?.text("an absolute path");
  if (parts === undefined) return undefined;
  if (!parts.has("dir")) node.problem('needs "dir": the folder to watch');
  if (directory !== undefined && !directory.startsWith("/")) parts.get("dir")?.problem(`expected an absolute path, got "${directory}"`);
  const match = parts.get("match")?.text("a glob on the file's name") ?? "*";
  if (match === "" || match.includes("/")) parts.get("match")?.problem(`expected a glob on the file's name, got "${match}"`);
  const reconcileMs = readDuration(parts.get("reconcile"), { otherwise: 10_000, leastMs: 50 });
  const ready = parts.has("ready") ? readReady(parts.get("ready")) : readyDefault;
  return directory === undefined ? undefined : { directory: posix.resolve("/", directory), match, ready, reconcileMs };
}

const plainRules = ["rename", "complete", "footer", "stable", "closed", "append"] as const;
const ruleKeys = ["stable", "done-file", "closed", "append"] as const;

function readReady(node: NodeReader | undefined): ReadyRules {
  let rules: ReadyRules = { ...readyDefault, rename: false, complete: false };
  for (const item of node?.list() ?? []) rules = { ...rules, ...(item.raw.kind === "map" ? readRule(item) : readPlainRule(item)) };
  if (rules.append !== undefined && (rules.complete || rules.stable !== undefined || rules.closed !== undefined || rules.doneFile !== undefined)) node?.problem('"append" adapts a report while it grows; only "rename" goes with it');
  return rules;
}

function readPlainRule(item: NodeReader): Partial<ReadyRules> {
  if (item.raw.kind === "scalar" && item.raw.text === "done-file") {
    item.problem('needs a pattern: {done-file: {pattern: "{file}.done"}}');
    return {};
  }
  switch (item.oneOf(plainRules)) {
    case "rename":
      return { rename: true };
    case "complete":
    case "footer":
      return { complete: true };
    case "stable":
      return { stable: { quietMs: quietDefaultMs, checks: 2 } };
    case "closed":
      return { closed: { except: closedExceptDefault } };
    case "append":
      return { append: { everyMs: appendEveryDefaultMs } };
    case undefined:
      return {};
  }
}

function readRule(item: NodeReader): Partial<ReadyRules> {
  const rule = item.map(ruleKeys);
  if (rule?.size !== 1) {
    if (rule?.size === 0) item.problem(`expected one of ${ruleKeys.join(", ")}`);
    else if (rule !== undefined) item.problem("holds several rules; make each an item of the list");
    return {};
  }
  const stable = rule.get("stable")?.map(["quiet", "checks"]);
  if (stable !== undefined) return { stable: { quietMs: readDuration(stable.get("quiet"), { otherwise: quietDefaultMs, leastMs: 1 }), checks: readCount(stable.get("checks"), { otherwise: 2, least: 2, most: 100 }) } };
  const done = rule.get("done-file")?.map(["pattern"]);
  if (done !== undefined) return { doneFile: readNamePattern(done.get("pattern"), '"{file}.done"') ?? "{file}.done" };
  const closed = rule.get("closed")?.map(["except"]);
  if (closed !== undefined) return { closed: { except: closed.get("except")?.list()?.flatMap((name) => name.text("a process's name") ?? []) ?? closedExceptDefault } };
  const append = rule.get("append")?.map(["every"]);
  return append === undefined ? {} : { append: { everyMs: readDuration(append.get("every"), { otherwise: appendEveryDefaultMs, leastMs: 10 }) } };
}

/** A name made of a report's own name; never that name itself. */
function readNamePattern(node: NodeReader | undefined, example: string): string | undefined {
  const pattern = node?.text(`a name such as ${example}`);
  if (pattern === undefined) return undefined;
  if (pattern === "" || pattern.includes("/") || pattern === "{file}" || pattern === "{name}") node?.problem(`expected a name such as ${example}, got "${pattern}"`);
  return pattern;
}

export function readPublishing(node: NodeReader | undefined): Publishing {
  const parts = node?.map(["manifest", "done", "reads"]);
  const one = (key: "manifest" | "done", example: string): string | undefined => {
    const pattern = readNamePattern(parts?.get(key), example);
    if (pattern !== undefined && !/\{file\}|\{name\}/.test(pattern)) parts?.get(key)?.problem(`needs {file} or {name}, as in ${example}: each adapted report has its own`);
    return pattern;
  };
  const beside = { manifest: one("manifest", '"{file}.manifest.json"'), done: one("done", '"{file}.done"') };
  if (beside.manifest !== undefined && beside.manifest === beside.done) node?.problem("manifest and done must have two names");
  return { ...beside, reads: parts?.get("reads")?.oneOf(["true", "false"]) === "true" };
}

export function readRetention(node: NodeReader | undefined): Retention {
  const parts = node?.map(["inputs", "outputs"]);
  return { inputs: readLimits(parts?.get("inputs")), outputs: readLimits(parts?.get("outputs")) };
}

function readLimits(node: NodeReader | undefined): Limits | undefined {
  const parts = node?.map(["maxAge", "maxCount", "maxBytes"]);
  if (node === undefined || parts === undefined) return undefined;
  if (parts.size === 0) node.problem("needs maxAge, maxCount or maxBytes");
  const age = parts.get("maxAge");
  const count = parts.get("maxCount");
  const bytesNode = parts.get("maxBytes");
  const bytesText = bytesNode?.text("a size such as 100MiB");
  const maxBytes = bytesText === undefined ? undefined : parseSizeBytes(bytesText);
  if (bytesText !== undefined && maxBytes === undefined) bytesNode?.problem(`expected a size such as 100MiB, got "${bytesText}"`);
  return {
    maxAgeMs: age === undefined ? undefined : readDuration(age, { otherwise: 0, leastMs: 1 }),
    maxCount: count === undefined ? undefined : readCount(count, { otherwise: 0, least: 0, most: Number.MAX_SAFE_INTEGER }),
    maxBytes,
  };
}

export function readDuration(node: NodeReader | undefined, range: { readonly otherwise: number; readonly leastMs: number }): number {
  const text = node?.text("a duration such as 10s");
  if (text === undefined) return range.otherwise;
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= range.leastMs) return ms;
  node?.problem(range.leastMs > 1 ? `expected a duration of at least ${range.leastMs}ms, got "${text}"` : `expected a duration such as 500ms, got "${text}"`);
  return range.otherwise;
}

export function readCount(node: NodeReader | undefined, range: { readonly otherwise: number; readonly least: number; readonly most: number }): number {
  const text = node?.text("a whole number");
  if (text === undefined) return range.otherwise;
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= range.least && count <= range.most) return count;
  node?.problem(`expected a whole number from ${range.least} to ${range.most}, got "${text}"`);
  return range.otherwise;
}

/** The name that a pattern makes of a file's name. */
export function nameBeside(pattern: string, file: string): string {
  return pattern.replaceAll(/\{file\}|\{name\}/g, (word) => (word === "{file}" ? file : stemOf(file)));
}

/** Whether a name can be one that the pattern made; such a file is no report. */
export function isNameBeside(pattern: string, name: string): boolean {
  const [before = "", ...rest] = pattern.split(/\{file\}|\{name\}/);
  const after = rest.at(-1);
  return after === undefined ? name === before : name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after);
}

/** A file's name without its last extension. */
export function stemOf(file: string): string {
  return file.replace(/\.[^.]+$/, "");
}
