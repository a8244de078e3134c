// pure
import type { Combining } from "./combine.ts";
import type { CommandPlan } from "../commands/command-plan.ts";
import { hashSlot } from "./hash-slot.ts";
import { argumentIs, visitKeys, type Arguments } from "../commands/key-positions.ts";

/**
 * Over how much of a cluster a command goes.
 * - `keys`    the shard of its keys, all of which must be in one slot; that is for the server to check
 * - `split`   one part for every slot of its keys, when they are in several
 * - `shards`  every shard's primary
 * - `nodes`   every node
 * - `scan`    one shard after the other, the cursor says which
 * - `random`  every shard's primary, and one of the answers at random
 * - `nobody`  answered here as by a server without Cluster: a client must not take part in what is done for it
 * - `home`    one and the same shard always, because it keeps what is told there (channels) or because any will do
 */
export type Spread = { readonly over: "keys" | "split" | "shards" | "nodes" | "scan" | "random" | "nobody" | "home"; readonly how: Combining };

const keys: Spread = { over: "keys", how: "any" }, home: Spread = { over: "home", how: "any" };

/**
 * What differs from the servers' tips, or has none. PING asks one node, as a plain server's does; MSETNX is all or nothing and
 * cannot be split; what is about one server only (INFO, LATENCY, …) is answered by one.
 */
const exceptions: ReadonlyMap<string, Spread> = new Map([
  ["ping", home], ["info", home], ["msetnx", keys], ["scan", { over: "scan", how: "any" }], ["randomkey", { over: "random", how: "any" }],
]);
/** For servers before 7.0, which give no tips. */
const withoutTips: ReadonlyMap<string, Spread> = new Map<string, Spread>([
  ["mget", { over: "split", how: "by-key" }], ["mset", { over: "split", how: "all_succeeded" }],
  ...["del", "unlink", "exists", "touch"].map((name) => [name, { over: "split", how: "agg_sum" }] as const),
  ["dbsize", { over: "shards", how: "agg_sum" }], ["keys", { over: "shards", how: "concat" }],
  ...["flushall", "flushdb", "script"].map((name) => [name, { over: "shards", how: "all_succeeded" }] as const),
]);
const policies: ReadonlySet<string> = new Set<Combining>(["all_succeeded", "one_succeeded", "agg_sum", "agg_min", "agg_max", "agg_logical_and", "agg_logical_or"]);
const isCombining = (policy: string): policy is Combining => policies.has(policy);
const known = new WeakMap<CommandPlan, Spread>();

/** Over how much of a cluster the command goes, from the server's tips. */
export function spreadOf(plan: CommandPlan): Spread {
  let spread = known.get(plan);
  if (spread === undefined) known.set(plan, (spread = decide(plan)));
  return spread;
}

function decide({ name, allKeys: specs, requestPolicy, responsePolicy, keysKnown }: CommandPlan): Spread {
  const exception = exceptions.get(name);
  if (exception !== undefined) return exception;
  if (name === "asking" || (name.startsWith("cluster|") && name !== "cluster|help")) return { over: "nobody", how: "any" };
  if (requestPolicy === undefined) return withoutTips.get(name) ?? (specs.length > 0 ? keys : home);
  if (requestPolicy === "multi_shard") {
    const how = responsePolicy === undefined ? "by-key" : responsePolicy;
    return keysKnown && (how === "by-key" || isCombining(how)) ? { over: "split", how } : keys;
  }
  const over = requestPolicy === "all_shards" ? "shards" : requestPolicy === "all_nodes" ? "nodes" : undefined;
  if (over === undefined) return specs.length > 0 ? keys : home;
  if (responsePolicy === undefined) return over === "shards" && !specs.length ? { over, how: "concat" } : home;
  return isCombining(responsePolicy) ? { over, how: responsePolicy } : home;
}

/** What the slot of a request can be, besides a number from 0 on. */
export const noSlot = { none: -1, unknown: -2, several: -3 } as const;

/**
 * The slot of the scanned request: of its first key, which the server compares with the others. `none`: it has no keys;
 * `unknown`: only a server can tell where they stand; `several`: it has to be split.
 */
export function slotOf(plan: CommandPlan, spread: Spread, args: Arguments): number {
  const { allKeys: specs } = plan, [only] = specs;
  if (specs.length === 1 && only?.begin.kind === "index" && only.find.kind === "range" && only.find.last === 0) {
    return only.begin.index < args.argc ? slotAt(args, only.begin.index) : noSlot.none;
  }
  // The servers' table calls these incomplete, because a key could be named STREAMS.
  if (plan.blockOption) return slotOfStreams(args);
  let slot: number = noSlot.none, known = true, several = false;
  for (const spec of specs) {
    const found = visitKeys(spec, args, (index) => {
      if (slot === noSlot.none) slot = slotAt(args, index);
      else if (spread.over === "split" && !several) several = slotAt(args, index) !== slot;
    });
    if (!found) known = false;
  }
  if (several) return noSlot.several;
  return slot === noSlot.none && !known ? noSlot.unknown : slot;
}

/** Whether a command may name several keys; while its slot moves, a server executes it only if it has all of them. */
export function hasSeveralKeys({ allKeys: [only, ...others] }: CommandPlan): boolean {
  return others.length > 0 || (only !== undefined && !(only.begin.kind === "index" && only.find.kind === "range" && only.find.last === 0));
}

/** The first key of XREAD or XREADGROUP. */
function slotOfStreams(args: Arguments): number {
  for (let index = 1; index < args.argc; index += 1) {
    if (argumentIs(args, index, "STREAMS")) return index + 1 < args.argc ? slotAt(args, index + 1) : noSlot.none;
    if (argumentIs(args, index, "GROUP")) index += 2;
    else if (argumentIs(args, index, "COUNT") || argumentIs(args, index, "BLOCK")) index += 1;
  }
  return noSlot.none;
}

function slotAt(args: Arguments, index: number): number {
  return hashSlot(args.bytes, args.argStart[index] ?? 0, args.argEnd[index] ?? 0);
}

/** The keys of one slot, and what follows each of them, as a request of its own. */
export type SplitPart = { readonly slot: number; readonly request: Buffer; readonly places: readonly number[] };

/** Splits a request by the slots of its keys; undefined when its arguments do not come in whole groups. */
export function splitBySlot(plan: CommandPlan, bytes: Buffer, args: Arguments): SplitPart[] | undefined {
  const spec = plan.allKeys[0];
  if (plan.allKeys.length !== 1 || spec?.begin.kind !== "index" || spec.find.kind !== "range" || spec.find.last >= 0 || spec.find.limit > 1) return undefined;
  const { begin: { index: first } } = spec, { last } = spec.find, step = Math.max(1, spec.find.step);
  // What comes after the keys (a path, for example) goes with every part. The last key of MSET is followed by its value.
  const end = step > 1 ? args.argc : args.argc + last + 1, groups = (end - first) / step;
  if (groups < 1 || !Number.isInteger(groups)) return undefined;
  const bySlot = new Map<number, number[]>();
  for (let group = 0; group < groups; group += 1) {
    const slot = slotAt(args, first + group * step), own = bySlot.get(slot);
    if (own === undefined) bySlot.set(slot, [group]);
    else own.push(group);
  }
  const piece = (from: number, to: number): Buffer[] => Array.from({ length: Math.max(0, to - from) }, (_, offset) => argument(bytes, args, from + offset));
  return [...bySlot].map(([slot, places]) => {
    const parts = [...piece(0, first), ...places.flatMap((group) => piece(first + group * step, first + (group + 1) * step)), ...piece(end, args.argc)];
    return { slot, places, request: Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...parts]) };
  });
}

/** One argument as it stands on the wire, with a header of its own. */
function argument(bytes: Buffer, args: Arguments, index: number): Buffer {
  const start = args.argStart[index] ?? 0, end = args.argEnd[index] ?? 0;
  return Buffer.concat([Buffer.from(`$${end - start}\r\n`), bytes.subarray(start, end), Buffer.from("\r\n")]);
}
