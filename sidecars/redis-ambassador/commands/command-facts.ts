// pure
import type { KeySpec } from "./key-positions.ts";

/** One entry of the server's COMMAND answer, as much of it as routing needs. */
export type CommandFacts = {
  readonly name: string;
  /** Number of words with the name and the subcommand; negative: at least so many. 0: not known. */
  readonly arity: number;
  readonly flags: ReadonlySet<string>;
  /** Hints for cluster clients and for comparing answers, lower case: `request_policy:…`, `response_policy:…`, `nondeterministic_output`, … */
  readonly tips: ReadonlySet<string>;
  readonly keySpecs: readonly KeySpec[];
  readonly subcommands: readonly CommandFacts[];
};

/** A RESP2 answer as ioredis gives it. */
export type Answer = string | number | null | Uint8Array | readonly Answer[];

const text = (value: Answer | undefined): string =>
  typeof value === "string" ? value : value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : "";
const number = (value: Answer | undefined): number => (typeof value === "number" ? value : Number(text(value)));
const isList = (value: Answer | undefined): value is readonly Answer[] => Array.isArray(value);
const list = (value: Answer | undefined): readonly Answer[] => (isList(value) ? value : []);

/** A flat `[name, value, …]` list as a map. */
function fields(value: Answer | undefined): Map<string, Answer> {
  const found = new Map<string, Answer>(), flat = list(value);
  for (let at = 0; at + 1 < flat.length; at += 2) found.set(text(flat[at]), flat[at + 1] ?? null);
  return found;
}

function readBegin(value: Answer | undefined): KeySpec["begin"] {
  const begin = fields(value), spec = fields(begin.get("spec"));
  switch (text(begin.get("type"))) {
    case "index":
      return { kind: "index", index: number(spec.get("index")) };
    case "keyword":
      return { kind: "keyword", keyword: text(spec.get("keyword")).toUpperCase(), from: number(spec.get("startfrom")) };
    default:
      return { kind: "unknown" };
  }
}

function readFind(value: Answer | undefined): KeySpec["find"] {
  const find = fields(value), spec = fields(find.get("spec"));
  switch (text(find.get("type"))) {
    case "range":
      return { kind: "range", last: number(spec.get("lastkey")), step: number(spec.get("keystep")), limit: number(spec.get("limit")) };
    case "keynum":
      return { kind: "keynum", countAt: number(spec.get("keynumidx")), firstAt: number(spec.get("firstkey")), step: number(spec.get("keystep")) };
    default:
      return { kind: "unknown" };
  }
}

function readSpec(value: Answer): KeySpec {
  const spec = fields(value);
  const flags = list(spec.get("flags")).map((flag) => text(flag).toLowerCase());
  const incomplete = flags.includes("incomplete");
  return {
    readOnly: flags.includes("ro"), notKey: flags.includes("not_key"),
    begin: incomplete ? { kind: "unknown" } : readBegin(spec.get("begin_search")), find: readFind(spec.get("find_keys")),
  };
}

/** Servers before 7.0 give only first key, last key and step. */
function legacySpecs(entry: readonly Answer[], flags: ReadonlySet<string>): KeySpec[] {
  if (flags.has("movablekeys")) return [{ readOnly: false, notKey: false, begin: { kind: "unknown" }, find: { kind: "unknown" } }];
  const first = number(entry[3]), last = number(entry[4]), step = number(entry[5]);
  if (!(first > 0)) return [];
  return [{
    readOnly: false, notKey: false, begin: { kind: "index", index: first },
    find: { kind: "range", last: last < 0 ? last : last - first, step: Math.max(1, step), limit: 0 },
  }];
}

/**
 * Reads the answer of COMMAND. An entry that is not understood is left out, which sends its command to the primary as an
 * unknown one.
 */
export function readCommandFacts(answer: Answer): CommandFacts[] {
  return list(answer).flatMap((each) => {
    const entry = list(each), name = text(entry[0]).toLowerCase();
    if (name === "") return [];
    const flags = new Set(list(entry[2]).map((flag) => text(flag).toLowerCase()));
    const tips = new Set(list(entry[7]).map((tip) => text(tip).toLowerCase()));
    const keySpecs = entry.length > 8 ? list(entry[8]).map(readSpec) : legacySpecs(entry, flags);
    return [{ name, arity: number(entry[1]) || 0, flags, tips, keySpecs, subcommands: readCommandFacts(entry[9] ?? []) }];
  });
}
