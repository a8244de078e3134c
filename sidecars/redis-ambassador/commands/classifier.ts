// pure
import type { CommandFacts } from "./command-facts.ts";
import type { CommandPlan, PlanKind } from "./command-plan.ts";
import { PlanTable } from "./command-plan.ts";
import { soleKey } from "./key-positions.ts";
import { lookOf } from "./offload.ts";

/**
 * Reads that the primary answers all the same: their answers are those of one node (encodings, idle times, cursors,
 * counts of keys that are expired but still there, random picks), or they fill that node's script cache.
 */
const primaryReads = new Set([
  "dump", "object", "memory|usage", "touch", "xinfo", "randomkey", "dbsize", "keys", "scan", "hscan", "sscan", "zscan",
  "eval_ro", "evalsha_ro",
]);

/** Commands that act on the connection itself. Everything else is decided by the flags of the server's own table. */
const special: ReadonlyMap<string, PlanKind> = new Map<string, PlanKind>([
  ["multi", "transaction"], ["watch", "transaction"],
  ["wait", "wait"], ["waitaof", "wait"],
  ["auth", "state"], ["hello", "state"], ["select", "state"], ["client|setname", "state"], ["client|setinfo", "state"],
  ["client|getname", "ask"], ["client|info", "ask"], ["info", "ask"], ["client|list", "ask"], ["client|kill", "ask"], ["client|unblock", "ask"],
  ["client|pause", "ask"], ["client|unpause", "ask"], ["client|help", "ask"], ["client|getredir", "ask"], ["client|trackinginfo", "ask"],
  ["client|id", "local"], ["quit", "local"], ["reset", "local"], ["readonly", "local"], ["readwrite", "local"],
  // DEBUG sends pushes outside of any reply and sleeps; SCRIPT DEBUG turns the connection into a debugger's.
  ["client", "pin"], ["debug", "pin"], ["script|debug", "pin"],
  ["config|set", "reload"], ["module|load", "reload"], ["module|loadex", "reload"], ["module|unload", "reload"],
  ["client|reply", "opaque"], ["monitor", "opaque"], ["subscribe", "opaque"], ["psubscribe", "opaque"], ["ssubscribe", "opaque"],
  ["unsubscribe", "opaque"], ["punsubscribe", "opaque"], ["sunsubscribe", "opaque"],
  ["sync", "refused"], ["psync", "refused"], ["replconf", "refused"],
  ["post", "goodbye"], ["host:", "goodbye"],
]);

/** Neither `readonly` nor `write` in the table, yet able to change any key. */
const hiddenWrites = new Set(["eval", "evalsha", "fcall", "debug", "exec"]);
const withBlockOption = new Set(["xread", "xreadgroup"]);
/** Subcommand containers whose read entries all stay on the primary, whatever they are called. */
const container = (name: string): string => name.split("|")[0] ?? name;

/** The plan for a name that the server's table does not have: the primary, and any key may have changed. */
export const unknownPlan: CommandPlan = {
  name: "unknown", kind: "write", arity: 0, marks: "all", keys: [], soleKey: -1, allKeys: [], keysKnown: false, repeatable: false, blockOption: false,
  requestPolicy: undefined, responsePolicy: undefined, look: undefined, subcommands: undefined,
};

/** The value of a tip such as `request_policy:all_shards`. */
function policyIn(tips: ReadonlySet<string>, name: "request_policy" | "response_policy"): string | undefined {
  for (const tip of tips) if (tip.startsWith(`${name}:`)) return tip.slice(name.length + 1);
  return undefined;
}

function kindOf(name: string, facts: CommandFacts): PlanKind {
  // A server that lists its subcommands refuses all others, which changes nothing about the connection.
  if (name === "client" && facts.subcommands.length > 0) return "ask";
  const named = special.get(name);
  if (named !== undefined) return named;
  // An unlisted CLIENT subcommand changes something about the connection that is not understood here.
  if (container(name) === "client") return "pin";
  if (facts.flags.has("blocking") && !withBlockOption.has(name)) return "blocking";
  if (facts.flags.has("write")) return "write";
  if (facts.flags.has("readonly")) return primaryReads.has(name) || primaryReads.has(container(name)) ? "other" : "read";
  return hiddenWrites.has(name) || facts.flags.has("module") ? "write" : "other";
}

function marksOf(name: string, kind: PlanKind, facts: CommandFacts, writable: number): CommandPlan["marks"] {
  if (hiddenWrites.has(name)) return "all";
  const mayWrite = kind === "write" || (facts.flags.has("write") && (kind === "blocking" || withBlockOption.has(name)));
  if (!mayWrite) return "none";
  return writable > 0 ? "keys" : "all";
}

export function planOf(facts: CommandFacts): CommandPlan {
  const name = facts.name;
  const kind = kindOf(name, facts);
  const real = facts.keySpecs.filter((spec) => !spec.notKey);
  // With MOVE and COPY … DB n the key is in another db too; keys are told apart by name alone, so this needs no care.
  const changed = real.filter((spec) => !spec.readOnly);
  const keys = kind === "read" || changed.length === 0 ? real : changed;
  const marks = marksOf(name, kind, facts, keys.length);
  const keysKnown = keys.length > 0 && keys.every((spec) => spec.begin.kind !== "unknown" && spec.find.kind !== "unknown")
    && !name.startsWith("fcall") && !name.startsWith("eval");
  const subcommands = facts.subcommands.length === 0 ? undefined
    : new PlanTable(facts.subcommands.map((each) => [each.name.split("|")[1] ?? each.name, planOf(each)] as const));
  return {
    name, kind, arity: facts.arity, marks: marks === "keys" && !keysKnown ? "all" : marks, keys, soleKey: soleKey(keys), allKeys: facts.keySpecs, keysKnown, repeatable: facts.flags.has("readonly"), blockOption: withBlockOption.has(name),
    requestPolicy: policyIn(facts.tips, "request_policy"), responsePolicy: policyIn(facts.tips, "response_policy"), look: lookOf(name), subcommands,
  };
}

/**
 * The routing table of one server version. The commands in `special` are in it even when the server's table lacks them,
 * since the ambassador has to notice them before any server sees them.
 */
export function buildPlans(facts: readonly CommandFacts[]): PlanTable {
  const plans = new Map(facts.map((each) => [each.name, planOf(each)] as const));
  for (const [name, kind] of special) {
    if (name.includes("|") || plans.has(name)) continue;
    plans.set(name, { ...unknownPlan, name, kind, marks: "none" });
  }
  return new PlanTable(plans);
}
