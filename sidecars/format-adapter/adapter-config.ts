// pure
import { createHash } from "node:crypto";
import { posix } from "node:path";
import { joinPath, type Problem } from "../../kit/config/problem.ts";
import type { RawNode } from "../../kit/config/raw.ts";
import type { ParseContext, TypedField } from "../../kit/config/schema.ts";
import { readDetect, type DetectRule } from "./detect/detect-rule.ts";
import { piecesFault } from "./formats/csv-dialect.ts";
import type { Mapping } from "./mapping/mapping.ts";
import { readMapping } from "./mapping/read-mapping.ts";
import { readNode, type NodeReader } from "./mapping/node-reader.ts";
import { readPublishing, readCount, readRetention, readWatch, type Publishing, type Retention, type WatchConfig } from "./watch/watch-config.ts";


/** One folder of reports that is watched, and what is made of them. */
export type AdapterConfig = {
  readonly name: string;
  readonly watch: WatchConfig;
  /** In which order adapted reports appear; "none": each as soon as it is done. */
  readonly order: "name" | "mtime" | "none";
  /** How many reports are adapted at a time. */
  readonly concurrency: number;
  /** What becomes of an adapted report whose input was removed. */
  readonly onDelete: "keep" | "mirror";
  /** Whether reports that were adapted by a mapping are adapted again when it changes. */
  readonly onMappingChange: "readapt" | "ignore";
  readonly retention: Retention;
  readonly publish: Publishing;
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

const shorthandKeys = ["name", "watch", "order", "concurrency", "onDelete", "onMappingChange", "retention", "publish", "detect", "mappings"] as const;

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

const concurrencyDefault = 4;

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
  const rules = {
    order: parts.get("order")?.oneOf(["name", "mtime", "none"]) ?? "name",
    concurrency: readCount(parts.get("concurrency"), { otherwise: concurrencyDefault, least: 1, most: 64 }),
    onDelete: parts.get("onDelete")?.oneOf(["keep", "mirror"]) ?? "keep",
    onMappingChange: parts.get("onMappingChange")?.oneOf(["readapt", "ignore"]) ?? "readapt",
    retention: readRetention(parts.get("retention")),
    publish: readPublishing(parts.get("publish")),
  } as const;
  if (readWatchOutcome === undefined || mappings.length === 0) return undefined;
  const whole = mappings.filter((mapping) => mapping !== undefined);
  for (const mapping of whole) {
    if (folderOf(posix.dirname(mapping.output.file)) === folderOf(readWatchOutcome.directory)) parts.get("mappings")?.problem(`"${mapping.name}" writes into the watched folder ${readWatchOutcome.directory}, where its output would be taken for input; choose another folder`);
    const isAppended = readWatchOutcome.ready.append !== undefined;
    if (isAppended !== mapping.output.file.includes("{segment}")) parts.get("mappings")?.problem(isAppended ? `"${mapping.name}" needs {segment} in ${mapping.output.file}, as in {name}.{segment}.csv: each piece of a growing report is a file of its own` : `"${mapping.name}" has {segment} in ${mapping.output.file}, which only "ready: [append]" makes`);
    if (isAppended && mapping.input.format !== "csv" && mapping.input.format !== "ndjson") parts.get("mappings")?.problem(`"${mapping.name}" reads ${mapping.input.format}; only csv and ndjson can be adapted while they grow`);
    const piecewise = isAppended && mapping.input.format === "csv" ? piecesFault(mapping.input) : undefined;
    if (piecewise !== undefined) parts.get("mappings")?.problem(`"${mapping.name}" reads CSV that ${piecewise}; it cannot be adapted while it grows`);
    if (!mapping.output.file.includes("{name}") && /[*?[{]/.test(readWatchOutcome.match)) parts.get("mappings")?.problem(`"${mapping.name}" writes every input to the one file ${mapping.output.file}; put {name} into it`);
  }
  return { name, watch: readWatchOutcome, ...rules, detect, mappings: whole };
}

/** One spelling of an absolute path, to compare by. Links are not followed. */
export function folderOf(path: string): string {
  return posix.resolve("/", path);
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
const hashes = new WeakMap<object, string>();

/** Changes with anything that changes what a mapping makes of an input: not with its name, its examples or comments. */
export function mappingHash(mapping: Mapping): string {
  return remembered(mapping, () => {
    const { name: _name, examples: _examples, ...rest } = mapping;
    return [engineVersion, rest];
  });
}

/** Changes with what decides which mapping an input gets. */
export function detectHash(adapter: AdapterConfig): string {
  return remembered(adapter.detect, () => [adapter.detect, adapter.mappings.length === 1]);
}

/** For inputs that no mapping took: changes when any rule or mapping does. */
export function adapterHash(adapter: AdapterConfig): string {
  return remembered(adapter, () => [adapter.detect, adapter.mappings.map((mapping) => mappingHash(mapping))]);
}

function remembered(key: object, describe: () => unknown): string {
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const hash = createHash("sha256").update(JSON.stringify(describe(), (_, each: unknown) => (each instanceof Map ? [...(each as Map<unknown, unknown>)] : each))).digest("hex").slice(0, 16);
  hashes.set(key, hash);
  return hash;
}
