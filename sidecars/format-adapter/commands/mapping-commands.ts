import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { exitCode } from "../../../kit/exit-code.ts";
import type { Problem } from "../../../kit/config/problem.ts";
import { readYaml } from "../../../kit/config/yaml-source.ts";
import type { CommandContext } from "../../../kit/process.ts";
import type { Config } from "../config.ts";
import { ConversionError } from "../conversion-error.ts";
import { detectMapping } from "../detect.ts";
import { runExamples } from "../examples.ts";
import { explainMapping, fieldPaths } from "./explain-mapping.ts";
import type { InputOptions } from "../formats/options.ts";
import { inferMapping } from "./infer-mapping.ts";
import { readInput } from "../mapping/read-format.ts";
import { readNode } from "../mapping/node-reader.ts";
import { diffReports, readRecords, type ReadRecord } from "./report-diff.ts";
import { reverseMapping } from "./reverse-mapping.ts";
import { watchHints } from "../watch/watch-hints.ts";

type Print = (text: string) => void;
/** Reports that are different, as diff(1) has it. */
const different = 1;

const usages = {
  test: "usage: format-adapter test [--config FILE]\nRuns the examples of all mappings. 0: they hold; 78: one does not.\n",
  lint: "usage: format-adapter lint [--reverse] [--config FILE]\nTells what is allowed and may surprise, and which fields cannot be undone; --reverse prints the mappings back where all can.\n",
  explain: "usage: format-adapter explain [--sample REPORT] [--mapping NAME] [--config FILE]\nTells how each field is made, and at what cost; with a report, what its first record goes through.\n",
  infer: "usage: format-adapter infer OLD NEW [--old-format FORMAT] [--new-format FORMAT]\nDrafts a mapping from the new report to the old one, from a sample of each with the same records in the same order. Formats are told by the names' endings (csv, tsv, ndjson, json, xml, yaml …).\n",
  diff: "usage: format-adapter diff FIRST SECOND [--format FORMAT] [--ignore COLUMN]...\nCompares two reports record by record, in their order. 0: equal; 1: different.\n",
} as const;

function given(argv: readonly string[], print: Print, command: keyof typeof usages, options: Readonly<Record<string, { readonly type: "string" | "boolean"; readonly multiple?: boolean }>>): { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] } | number {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: { ...options, help: { type: "boolean" } }, allowPositionals: true });
    if (values["help"] !== true) return { values, positionals };
    print(usages[command]);
    return exitCode.ok;
  } catch (error) {
    print(`${error instanceof Error ? error.message : String(error)}\n${usages[command]}`);
    return exitCode.usage;
  }
}

/** `test`: runs the examples of all mappings. */
export function testExamples({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, "test", {});
  if (typeof args === "number") return Promise.resolve(args);
  const mappings = config.adapters.flatMap((adapter) => adapter.mappings);
  const failures = runExamples(mappings);
  for (const { mapping, origin, message } of failures) print(`${origin}: ${mapping}: ${message}\n`);
  print(`${mappings.reduce((sum, mapping) => sum + mapping.examples.length, 0)} examples, ${failures.length} do not hold\n`);
  return Promise.resolve(failures.length === 0 ? exitCode.ok : exitCode.config);
}

/** `lint`: the configuration was read without a problem; tells what may surprise, and what cannot be undone. */
export function lint({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, "lint", { reverse: { type: "boolean" } });
  if (typeof args === "number") return Promise.resolve(args);
  for (const adapter of config.adapters) {
    for (const hint of watchHints(adapter)) print(`${adapter.name}: ${hint}\n`);
    for (const mapping of adapter.mappings) {
      const say = (text: string): void => print(`${adapter.name}: ${mapping.name}: ${text}\n`);
      if (mapping.examples.length === 0) say("has no examples; nothing gates its readiness");
      if (!mapping.input.strict) say("strict is false; new columns go unnoticed");
      const slow = fieldPaths(mapping).filter(({ path }) => path === "slow").map(({ field }) => field.name);
      if (slow.length > 0) say(`made record by record, which is slower: ${slow.join(", ")}; explain tells more`);
      const reverse = reverseMapping(mapping);
      if (reverse.kind === "lossy") for (const { field, reason } of reverse.reasons) say(`cannot be undone: ${field}: ${reason}`);
      else if (args.values["reverse"] === true) print(`# ${mapping.name}, backwards\n${reverse.yaml}`);
      else say("every field can be undone; lint --reverse prints the mapping back");
    }
  }
  print(`${config.adapters.length} adapters, ${config.adapters.reduce((sum, adapter) => sum + adapter.mappings.length, 0)} mappings\n`);
  return Promise.resolve(exitCode.ok);
}

/** `explain`: how each field is made. */
export async function explain({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, "explain", { sample: { type: "string" }, mapping: { type: "string" } });
  if (typeof args === "number") return args;
  const { sample: path, mapping: wanted } = args.values;
  const sample = typeof path === "string" ? await readFile(path) : undefined;
  let shown = 0;
  for (const adapter of config.adapters) {
    const bySample = sample === undefined || typeof path !== "string" ? undefined : await detectMapping(adapter, basename(path), sourceOf(sample)).then((found) => found.mapping.name, (error: unknown) => {
      if (!(error instanceof ConversionError)) throw error;
      print(`${adapter.name}: ${error.code}: ${error.message}\n`);
      return "";
    });
    for (const mapping of adapter.mappings) {
      if ((typeof wanted === "string" && mapping.name !== wanted) || (bySample !== undefined && wanted === undefined && mapping.name !== bySample)) continue;
      print(explainMapping(mapping, sample));
      shown++;
    }
  }
  if (shown === 0) print(`no mapping to explain; there are ${config.adapters.flatMap((adapter) => adapter.mappings.map((mapping) => mapping.name)).join(", ")}\n`);
  return shown === 0 ? exitCode.usage : exitCode.ok;
}

function sourceOf(bytes: Buffer): { read(room: Buffer): Promise<number> } {
  let at = 0;
  return {
    read(room) {
      const count = bytes.copy(room, 0, at);
      at += count;
      return Promise.resolve(count);
    },
  };
}

/** Commands that need no configuration. Undefined for any other. */
export function commandWithoutConfig(argv: readonly string[], print: Print): Promise<number> | undefined {
  const [name, ...rest] = argv;
  if (name === "infer") return guarded(() => infer(rest, print), print);
  if (name === "diff") return guarded(() => diff(rest, print), print);
  return undefined;
}

async function guarded(run: () => Promise<number>, print: Print): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ConversionError) print(`${error.code} on line ${error.line}${error.column === undefined ? "" : ` in column ${error.column}`}: ${error.message}\n`);
    else if (error instanceof Error && "code" in error) print(`${error.message}\n`);
    else throw error;
    return exitCode.usage;
  }
}

async function diff(argv: readonly string[], print: Print): Promise<number> {
  const args = given(argv, print, "diff", { format: { type: "string" }, ignore: { type: "string", multiple: true } });
  if (typeof args === "number") return args;
  const [first, second, ...more] = args.positionals;
  const formats = [first, second].map((path) => inputOf(path ?? "", args.values["format"], print));
  if (first === undefined || second === undefined || more.length > 0 || formats[0] === undefined || formats[1] === undefined) {
    print(usages.diff);
    return exitCode.usage;
  }
  const ignored = new Set(Array.isArray(args.values["ignore"]) ? args.values["ignore"].map(String) : []);
  const outcome = await diffReports(readRecords(first, formats[0]), readRecords(second, formats[1]), ignored);
  for (const line of outcome.lines) print(`${line}\n`);
  print(`${outcome.records} records, ${outcome.different} different\n`);
  return outcome.different === 0 ? exitCode.ok : different;
}

const sampleRecordsMax = 5_000;

async function infer(argv: readonly string[], print: Print): Promise<number> {
  const args = given(argv, print, "infer", { "old-format": { type: "string" }, "new-format": { type: "string" } });
  if (typeof args === "number") return args;
  const [oldPath = "", newPath = ""] = args.positionals;
  const [oldInput, newInput] = [inputOf(oldPath, args.values["old-format"], print), inputOf(newPath, args.values["new-format"], print)];
  if (args.positionals.length !== 2 || oldInput === undefined || newInput === undefined) {
    print(usages.infer);
    return exitCode.usage;
  }
  const [old, recent] = [await firstRecords(readRecords(oldPath, oldInput)), await firstRecords(readRecords(newPath, newInput))];
  const { yaml, unknown } = inferMapping(old.map(({ values }) => values), recent.map(({ values }) => values), { oldFormat: oldInput.format, newFormat: newInput.format });
  print(`# Drafted from ${Math.min(old.length, recent.length)} records${old.length === recent.length ? "" : `; the samples have ${old.length} and ${recent.length} records, are they the same ones?`}\n${yaml}`);
  return unknown.length === 0 ? exitCode.ok : different;
}

async function firstRecords(records: AsyncIterable<ReadRecord>): Promise<readonly ReadRecord[]> {
  const found: ReadRecord[] = [];
  for await (const record of records) {
    found.push(record);
    if (found.length >= sampleRecordsMax) break;
  }
  return found;
}

/** How a file is read: by the format given, or by the ending of its name; with the settings' defaults. */
function inputOf(path: string, format: unknown, print: Print): InputOptions | undefined {
  const name = typeof format === "string" ? format : (/\.([a-z]+)(?:\.(?:gz|zst))?$/.exec(path)?.[1] ?? "");
  const problems: Problem[] = [];
  const { node } = readYaml("format", `{format: ${JSON.stringify(endings[name] ?? name)}}`);
  const input = node === undefined ? undefined : readInput(readNode(node, "", problems));
  if (problems.length > 0) print(`${path}: ${problems.map(({ message }) => message).join("; ")}\n`);
  return problems.length > 0 ? undefined : input;
}

const endings: Readonly<Record<string, string>> = { jsonl: "ndjson", yml: "yaml", prom: "prometheus" };
