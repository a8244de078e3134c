// pure
import { createHash } from "node:crypto";
import { posix } from "node:path";
import { joinPath, type Problem } from "../../kit/config/problem.ts";
import type { RawNode } from "../../kit/config/raw.ts";
import type { ParseContext, TypedField } from "../../kit/config/schema.ts";
import { parseDurationMs } from "../../kit/config/units.ts";
import type { Mapping } from "./mapping/mapping.ts";
import { readMapping } from "./mapping/read-mapping.ts";
import { readNode, type NodeReader } from "./mapping/node-reader.ts";

/** When a file counts as finished; all given rules must hold. `stable`: size and times have not changed for `quietMs`. */
export type ReadyRules = { readonly rename: boolean; readonly complete: boolean; readonly stableQuietMs: number | undefined };
export type DetectRule = { readonly header: readonly string[]; readonly use: string };

/** One folder of reports that is watched, and what is made of them. */
export type AdapterConfig = {
  readonly name: string;
  readonly watch: { readonly directory: string; readonly match: string; readonly ready: ReadyRules; readonly reconcileMs: number };
  readonly order: "name" | "mtime";
  readonly detect: readonly DetectRule[];
  readonly mappings: readonly Mapping[];
};

/** The `adapters:` list; its items are a language of their own. */
export const adaptersField: TypedField<readonly AdapterConfig[]> = {
  doc: "the folders to watch and the mappings to apply",
  form: "structure",
  secret: false,
  env: undefined,
  fields: undefined,
  optionalValue: false,
  parse(node, path, context) {
    if (node === undefined) {
      context.problems.push({ origin: "", path, message: 'is required: give "watch" and "mappings", or a list "adapters" of such' });
      return undefined;
    }
    const items = readNode(node, path, context.problems).list();
    const adapters = items?.map((item, index) => readAdapter(item, index)).filter((adapter) => adapter !== undefined);
    if (adapters !== undefined && node.kind === "list") checkTogether(adapters, node, path, context);
    return adapters;
  },
  redact: (adapters) => (adapters as readonly AdapterConfig[]).map(({ name, watch, mappings }) => ({ name, watch, mappings: mappings.map((mapping) => ({ name: mapping.name, hash: mappingHash(mapping), output: mapping.output.file })) })),
  jsonSchema: () => ({ type: "array", items: { type: "object" } }),
};

const shorthandKeys = ["name", "watch", "order", "detect", "mappings"] as const;

/** One adapter may be written at the top level: `watch`, `detect`, `mappings` there mean a list of one. */
export function foldShorthand(node: RawNode | undefined, problems: Problem[]): RawNode | undefined {
  if (node?.kind !== "map") return node;
  const own = [...node.entries].filter(([key]) => shorthandKeys.some((known) => known === key));
  if (own.length === 0) return node;
  if (node.entries.has("adapters")) problems.push({ origin: own[0]?.[1].keyOrigin ?? node.origin, path: own[0]?.[0] ?? "", message: 'stands beside "adapters"; move it into an item of that list' });
  const rest = [...node.entries].filter(([key]) => !shorthandKeys.some((known) => known === key));
  const item: RawNode = { kind: "map", entries: new Map(own), origin: node.origin };
  return { ...node, entries: new Map([...rest, ["adapters", { keyOrigin: node.origin, node: { kind: "list", items: [item], origin: node.origin } }]]) };
}

function readAdapter(node: NodeReader, index: number): AdapterConfig | undefined {
  const parts = node.map(shorthandKeys);
  if (parts === undefined) return undefined;
  for (const key of ["watch", "mappings"] as const) if (!parts.has(key)) node.problem(`needs "${key}"`);
  const watch = parts.get("watch");
  const readWatchOutcome = watch === undefined ? undefined : readWatch(watch);
  const mappingNodes = parts.get("mappings")?.map();
  if (mappingNodes?.size === 0) parts.get("mappings")?.problem("needs at least one mapping");
  const mappings = [...(mappingNodes ?? [])].map(([name, mapping]) => readMapping(name, mapping));
  const detect = readDetect(parts.get("detect"), [...(mappingNodes?.keys() ?? [])]);
  if (detect.length === 0 && (mappingNodes?.size ?? 0) > 1 && !parts.has("detect")) node.problem('needs "detect" to choose among its mappings');
  const name = parts.get("name")?.text("a name") ?? `adapter-${index + 1}`;
  const order = parts.get("order")?.oneOf(["name", "mtime"]) ?? "name";
  if (readWatchOutcome === undefined || mappings.length === 0) return undefined;
  const whole = mappings.filter((mapping) => mapping !== undefined);
  for (const mapping of whole) {
    if (posix.normalize(posix.dirname(mapping.output.file)) === posix.normalize(readWatchOutcome.directory)) parts.get("mappings")?.problem(`"${mapping.name}" writes into the watched folder ${readWatchOutcome.directory}, where its output would be taken for input; choose another folder`);
    if (!mapping.output.file.includes("{name}") && /[*?[{]/.test(readWatchOutcome.match)) parts.get("mappings")?.problem(`"${mapping.name}" writes every input to the one file ${mapping.output.file}; put {name} into it`);
  }
  return { name, watch: readWatchOutcome, order, detect, mappings: whole };
}

const refusedReady = ["done-file", "closed", "append"] as const;

function readWatch(node: NodeReader): AdapterConfig["watch"] | undefined {
  const parts = node.map(["dir", "match", "ready", "reconcile"]);
  const directory = parts?.get("dir")?.text("an absolute path");
  if (parts === undefined) return undefined;
  if (!parts.has("dir")) node.problem('needs "dir": the folder to watch');
  if (directory !== undefined && !directory.startsWith("/")) parts.get("dir")?.problem(`expected an absolute path, got "${directory}"`);
  const match = parts.get("match")?.text("a glob on the file's name") ?? "*";
  if (match.includes("/")) parts.get("match")?.problem(`expected a glob on the file's name, got "${match}"`);
  const reconcileText = parts.get("reconcile")?.text("a duration such as 10s") ?? "10s";
  const reconcileMs = parseDurationMs(reconcileText);
  if (reconcileMs === undefined || reconcileMs < 50) parts.get("reconcile")?.problem(`expected a duration of at least 50ms, got "${reconcileText}"`);
  const ready = readReady(parts.get("ready"));
  return directory === undefined || reconcileMs === undefined ? undefined : { directory, match, ready, reconcileMs };
}

function readReady(node: NodeReader | undefined): ReadyRules {
  if (node === undefined) return { rename: true, complete: true, stableQuietMs: undefined };
  let rules: ReadyRules = { rename: false, complete: false, stableQuietMs: undefined };
  for (const item of node.list() ?? []) {
    const stable = item.raw.kind === "map" ? item.map(["stable"])?.get("stable") : undefined;
    if (item.raw.kind === "map") {
      const quiet = stable?.map(["quiet"])?.get("quiet")?.text("a duration") ?? "500ms";
      const quietMs = parseDurationMs(quiet);
      if (quietMs === undefined) item.problem(`expected a duration such as 500ms, got "${quiet}"`);
      rules = { ...rules, stableQuietMs: quietMs ?? 500 };
      continue;
    }
    const refused = item.raw.kind === "scalar" && refusedReady.some((word) => item.raw.kind === "scalar" && item.raw.text === word);
    if (refused) {
      item.problem(`"${item.text("a rule") ?? ""}" is not supported yet; there are rename, complete and stable`);
      continue;
    }
    const word = item.oneOf(["rename", "complete", "footer", "stable"]);
    rules = { rename: rules.rename || word === "rename", complete: rules.complete || word === "complete" || word === "footer", stableQuietMs: word === "stable" ? 500 : rules.stableQuietMs };
  }
  return rules;
}

function readDetect(node: NodeReader | undefined, names: readonly string[]): readonly DetectRule[] {
  return (node?.list() ?? []).flatMap((item) => {
    const parts = item.map(["when", "use"]);
    const use = parts?.get("use")?.oneOf(names);
    const header = parts?.get("when")?.map(["header"])?.get("header")?.list()?.map((column) => column.text("a column"));
    if (parts !== undefined && (!parts.has("use") || header === undefined)) item.problem('needs "when: {header: [columns]}" and "use: mapping"');
    return use === undefined || header === undefined || header.includes(undefined) ? [] : [{ header: header.filter((column) => column !== undefined), use }];
  });
}

function checkTogether(adapters: readonly AdapterConfig[], node: RawNode & { readonly kind: "list" }, path: string, context: ParseContext): void {
  const names = new Map<string, number>();
  const outputs = new Map<string, string>();
  for (const [index, adapter] of adapters.entries()) {
    const origin = node.items[index]?.origin ?? node.origin;
    if (names.has(adapter.name)) context.problems.push({ origin, path: joinPath(path, index), message: `the name "${adapter.name}" is taken by another adapter` });
    names.set(adapter.name, index);
    for (const mapping of adapter.mappings) {
      const key = mapping.output.file;
      const other = outputs.get(key);
      const sameFolder = adapters.some((each) => each !== adapter && each.watch.directory !== adapter.watch.directory && each.mappings.some((theirs) => theirs.output.file === key));
      if (other !== undefined && other !== adapter.name && sameFolder) context.problems.push({ origin, path: joinPath(path, index), message: `writes ${key}, as "${other}" does from another folder: inputs of one name would overwrite each other` });
      outputs.set(key, adapter.name);
    }
  }
}

/** Changes when this program makes something else of the same mapping; then everything is adapted again. */
const engineVersion = 1;

/** Each is asked for every file at every scan. */
const hashes = new WeakMap<Mapping | AdapterConfig, string>();

/** Changes with anything that changes what a mapping makes of an input: not with its name, its examples or comments. */
export function mappingHash(mapping: Mapping): string {
  return remembered(mapping, () => {
    const { name: _name, examples: _examples, ...rest } = mapping;
    return [engineVersion, rest];
  });
}

/** For inputs that no mapping took: changes when any rule or mapping does. */
export function adapterHash(adapter: AdapterConfig): string {
  return remembered(adapter, () => [adapter.detect, adapter.mappings.map((mapping) => mappingHash(mapping))]);
}

function remembered(key: Mapping | AdapterConfig, describe: () => unknown): string {
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const hash = createHash("sha256").update(JSON.stringify(describe(), (_, each: unknown) => (each instanceof Map ? [...(each as Map<unknown, unknown>)] : each))).digest("hex").slice(0, 16);
  hashes.set(key, hash);
  return hash;
}
