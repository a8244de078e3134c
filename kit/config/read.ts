import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { nearest } from "../nearest.ts";
import { joinPath, type Problem } from "./problem.ts";
import { nest, overlay, type RawNode } from "./raw.ts";
import type { AnyField, ConfigOf, ParseContext } from "./schema.ts";
import { readYaml } from "./yaml-source.ts";

export type ConfigOutcome<C> =
  /** `redacted` is safe to show; `hash` changes with any effective value and tells nothing of it. */
  | { readonly kind: "ok"; readonly config: C; readonly redacted: unknown; readonly hash: string }
  | { readonly kind: "problems"; readonly problems: readonly Problem[] };

const fileBytesMax = 1_048_576;

/**
 * Reads a configuration: defaults < files (later over earlier) < environment < flags. Never half-way: either every value is there and right,
 * or all problems are reported together. An environment variable is PODKIT_ and the path in upper snake case (`flush.intervalMs` is
 * PODKIT_FLUSH_INTERVAL_MS), a flag is the path in kebab case (`--flush-interval-ms=…`). Lists of plain values may be comma-separated there;
 * other structures are YAML flow text. Unknown PODKIT_ variables are ignored, since a Pod may carry those of other roles; unknown flags are not.
 */
export function readConfig<F extends AnyField>(spec: F, sources: { readonly files: readonly string[]; readonly env: Readonly<Record<string, string | undefined>>; readonly argv: readonly string[] }): ConfigOutcome<ConfigOf<F>> {
  const problems: Problem[] = [];
  let tree: RawNode | undefined;
  for (const file of sources.files) tree = overlay(tree, readFile(file, problems));
  // Of a file that could not be read nobody knows what it sets: what seems to be missing may stand in it.
  const isTreeWhole = problems.length === 0;
  const leaves = listLeaves(spec, []);
  tree = overlay(tree, fromEnvironment(leaves, sources.env, problems));
  tree = overlay(tree, fromFlags(leaves, sources.argv, problems));
  const context: ParseContext = { problems: isTreeWhole ? problems : [], readSecretFile };
  const config = spec.parse(tree, "", context);
  if (problems.length > 0 || config === undefined) return { kind: "problems", problems };
  const hash = createHash("sha256").update(JSON.stringify(config, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value instanceof Map ? [...(value as Map<unknown, unknown>)] : value))).digest("hex").slice(0, 12);
  return { kind: "ok", config: config as ConfigOf<F>, redacted: spec.redact(config), hash };
}

/** The files of one `--config`: a file itself, or every *.yaml and *.yml of a folder in order of name (a ConfigMap mount). Absent = none. */
export function listConfigFiles(path: string): readonly string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [path];
  return readdirSync(path).filter((name) => /\.ya?ml$/.test(name) && !name.startsWith(".")).toSorted().map((name) => join(path, name));
}

type Leaf = { readonly path: readonly string[]; readonly field: AnyField };

function listLeaves(field: AnyField, path: readonly string[]): readonly Leaf[] {
  if (field.fields === undefined) return path.length === 0 ? [] : [{ path, field }];
  return Object.entries(field.fields).flatMap(([key, child]) => listLeaves(child, [...path, key]));
}

const words = (path: readonly string[], separator: string): string => path.map((part) => part.replace(/([a-z0-9])([A-Z])/g, `$1${separator}$2`)).join(separator);
const variableName = (leaf: Leaf): string => leaf.field.env ?? `PODKIT_${words(leaf.path, "_").toUpperCase()}`;
const flagName = (leaf: Leaf): string => `--${words(leaf.path, "-").toLowerCase()}`;

/** Every setting with its environment variable and flag; for --help and documentation. */
export function describeSettings(spec: AnyField): readonly { readonly path: string; readonly variable: string; readonly flag: string; readonly doc: string; readonly defaultValue: unknown }[] {
  return listLeaves(spec, []).map((leaf) => ({ path: leaf.path.join("."), variable: variableName(leaf), flag: flagName(leaf), doc: leaf.field.doc, defaultValue: leaf.field.jsonSchema()["default"] }));
}

function readFile(file: string, problems: Problem[]): RawNode | undefined {
  try {
    const size = statSync(file).size;
    if (size > fileBytesMax) throw new Error(`it has ${size} bytes, more than ${fileBytesMax}`);
    const { node, problems: found } = readYaml(file, readFileSync(file, "utf8"));
    problems.push(...found);
    return node;
  } catch (error) {
    problems.push({ origin: file, path: "", message: `cannot read the configuration file: ${error instanceof Error ? error.message : String(error)}` });
    return undefined;
  }
}

function fromEnvironment(leaves: readonly Leaf[], env: Readonly<Record<string, string | undefined>>, problems: Problem[]): RawNode | undefined {
  let tree: RawNode | undefined;
  for (const leaf of leaves) {
    const name = variableName(leaf);
    const text = env[name] ?? (leaf.field.secret ? secretFromFile(`${name}_FILE`, env, problems) : undefined);
    if (text !== undefined) tree = overlay(tree, nest(leaf.path, textNode(leaf, text, name, problems)));
  }
  return tree;
}

function secretFromFile(name: string, env: Readonly<Record<string, string | undefined>>, problems: Problem[]): string | undefined {
  const file = env[name];
  if (file === undefined) return undefined;
  try {
    return readSecretFile(file);
  } catch (error) {
    problems.push({ origin: name, path: "", message: `cannot read the secret's file "${file}": ${error instanceof Error ? error.message : String(error)}` });
    return undefined;
  }
}

function fromFlags(leaves: readonly Leaf[], argv: readonly string[], problems: Problem[]): RawNode | undefined {
  const byFlag = new Map(leaves.map((leaf) => [flagName(leaf), leaf]));
  let tree: RawNode | undefined;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? "";
    const [flag = "", ...rest] = argument.split("=");
    const leaf = byFlag.get(flag);
    if (leaf === undefined) {
      const near = nearest(flag, byFlag.keys());
      problems.push({ origin: argument, path: "", message: `is not a flag${near === undefined ? "" : `; did you mean "${near}"?`}` });
      continue;
    }
    const text = rest.length > 0 ? rest.join("=") : argv[++index];
    if (text === undefined) problems.push({ origin: flag, path: "", message: "needs a value" });
    else tree = overlay(tree, nest(leaf.path, textNode(leaf, text, flag, problems)));
  }
  return tree;
}

function textNode(leaf: Leaf, text: string, origin: string, problems: Problem[]): RawNode {
  const scalar = (value: string): RawNode => ({ kind: "scalar", value, text: value, origin });
  if (leaf.field.form === "scalar") return scalar(text);
  if (!/^\s*[[{]/.test(text)) return { kind: "list", origin, items: text.split(",").map((part) => part.trim()).filter((part) => part !== "").map(scalar) };
  const { node, problems: found } = readYaml(origin, text);
  problems.push(...found.map((problem) => ({ ...problem, path: joinPath("", leaf.path.join(".")) })));
  return node ?? scalar("");
}

function readSecretFile(path: string): string {
  return readFileSync(path, "utf8").replace(/\r?\n$/, "");
}
