// pure
import { unknownPlan } from "../commands/classifier.ts";
import { combine, elementsOf, encodeAggregate, isError, type Combining } from "./combine.ts";
import type { CommandPlan } from "../commands/command-plan.ts";
import { hashSlot } from "./hash-slot.ts";
import { encodeRequest } from "../protocol/inline.ts";
import type { Arguments } from "../commands/key-positions.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import { noSlot, slotOf, splitBySlot, spreadOf } from "./spread.ts";

/** Where a part goes. `home`: where what belongs to no key goes. */
export type Target = { readonly kind: "slot"; readonly slot: number } | { readonly kind: "shard"; readonly shard: Shard } | { readonly kind: "node"; readonly node: RedisNode } | { readonly kind: "home" };

/** One request to one server: the whole of a client's request or its share of it. */
export type Part = {
  readonly plan: CommandPlan;
  readonly request: Buffer;
  /** Changes when a server says that it belongs to another slot than was thought. */
  target: Target;
  reply: Buffer | undefined;
  /** It is on its way. */
  sent: boolean;
  /** Where it goes with ASKING, next time only. */
  asking: RedisNode | undefined;
  /** Monotonic time of the first refusal, loss or lack of a server. */
  troubleSinceMs: number | undefined;
  /** What to answer when there is trouble for too long; undefined: an error of the ambassador's own. */
  refusal: Buffer | undefined;
  attempts: number;
};

/** One request of a client: `parts` are under way; when all are answered, `finish` gives the reply or further parts. */
export type Entry = { readonly plan: CommandPlan; parts: readonly Part[]; finish: (replies: readonly Buffer[]) => Buffer | readonly Part[] };

/** What an entry needs to know of the cluster. */
export type ClusterShape = { readonly numbered: readonly (readonly [number: number, shard: Shard])[]; readonly random: () => number };

export function newPart(plan: CommandPlan, request: Buffer, target: Target): Part {
  return { plan, request, target, reply: undefined, sent: false, asking: undefined, troubleSinceMs: undefined, refusal: undefined, attempts: 0 };
}

/** What a server without Cluster says. */
const notClustered = Buffer.from("-ERR This instance has cluster support disabled\r\n");

const first = (replies: readonly Buffer[]): Buffer => replies[0] ?? Buffer.from("-ERR podkit ambassador: no shard is known\r\n");

/** Takes a scanned request apart. */
export function newEntry(plan: CommandPlan, request: Buffer, args: Arguments, cluster: ClusterShape): Entry {
  const spread = spreadOf(plan);
  const entry = (parts: readonly Part[], finish: Entry["finish"]): Entry => ({ plan, parts, finish });
  const single = (target: Target): Entry => entry([newPart(plan, request, target)], first);
  const combined = (targets: readonly Target[], how: Combining): Entry => entry(targets.map((target) => newPart(plan, request, target)), (replies) => combine(how, replies));
  const everyShard = cluster.numbered.map(([, shard]): Target => ({ kind: "shard", shard }));
  if (everyShard.length === 0) return single({ kind: "home" });
  switch (spread.over) {
    case "nobody":
      return entry([], () => notClustered);
    case "home":
      return single({ kind: "home" });
    case "shards":
      return combined(everyShard, spread.how);
    case "nodes":
      // A replica that may not be read now is left out; it takes such settings from its operator anyway.
      return combined([...everyShard, ...cluster.numbered.flatMap(([, shard]) => shard.eligible.map((node): Target => ({ kind: "node", node })))], spread.how);
    case "random":
      return entry(everyShard.map((target) => newPart(plan, request, target)), (replies) => {
        const keys = replies.filter((reply) => !isNull(reply));
        return keys[Math.floor(cluster.random() * keys.length)] ?? first(replies);
      });
    case "scan":
      return scanEntry(plan, request, args, cluster);
    case "keys": case "split": {
      const slot = slotOf(plan, spread, args);
      if (slot >= 0) return single({ kind: "slot", slot });
      if (slot === noSlot.unknown) return lookedUp(plan, request, args);
      const split = slot === noSlot.several ? splitBySlot(plan, request, args) : undefined;
      // Keys without their values: a server that gets no more than the first key says the same.
      if (split === undefined) return slot === noSlot.several ? entry([newPart(plan, encodeRequest(wordsOf(request, args).slice(0, 2)), { kind: "slot", slot: slotOf(plan, { over: "keys", how: "any" }, args) })], first) : single({ kind: "home" });
      return entry(split.map((part) => newPart(plan, part.request, { kind: "slot", slot: part.slot })), (replies) => combine(spread.how, replies, split.map(({ places }) => places)));
    }
  }
}

const wordsOf = (request: Buffer, args: Arguments): Buffer[] => Array.from({ length: args.argc }, (_, index) => request.subarray(args.argStart[index], args.argEnd[index]));
const isNull = (reply: Buffer): boolean => (reply[0] === 36 && reply[1] === 45) || reply[0] === 95;

// ── Commands whose keys only a server finds ────────────────────────────────────────────────────────────────────────

/** COMMAND GETKEYS: changes nothing, and any node can answer it. */
const keyFinder: CommandPlan = { ...unknownPlan, name: "command|getkeys", kind: "other", marks: "none", repeatable: true };

/** First a server is asked where the keys stand, then the request goes to the first one's slot. */
function lookedUp(plan: CommandPlan, request: Buffer, args: Arguments): Entry {
  let found = false;
  const finish = ([reply]: readonly Buffer[]): Buffer | readonly Part[] => {
    if (found) return first(reply === undefined ? [] : [reply]);
    found = true;
    return [newPart(plan, request, targetOfFirst(reply))];
  };
  return { plan, parts: [newPart(keyFinder, commandGetKeys(request, args), { kind: "home" })], finish };
}

function commandGetKeys(request: Buffer, args: Arguments): Buffer {
  return encodeRequest(["COMMAND", "GETKEYS", ...wordsOf(request, args)]);
}

function targetOfFirst(reply: Buffer | undefined): Target {
  const key = reply === undefined ? undefined : elementsOf(reply)?.elements[0];
  if (key === undefined) return { kind: "home" };
  const start = key.indexOf(10) + 1;
  return { kind: "slot", slot: hashSlot(key, start, key.length - 2) };
}

// ── SCAN ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * A client's cursor is the server's cursor and the number of the shard. A server's own cursor is at most the size of its
 * table, so that both together are exact also in clients that keep cursors as doubles.
 */
const shardNumbers = 1024n, countByDefault = 10;

function scanEntry(plan: CommandPlan, request: Buffer, args: Arguments, { numbered }: ClusterShape): Entry {
  const words = wordsOf(request, args);
  const text = words[1]?.toString("latin1") ?? "", gathered: Buffer[] = [];
  const countAt = words.findIndex((word, index) => index > 1 && word.toString("latin1").toLowerCase() === "count");
  const wanted = countAt > 0 ? Number(words[countAt + 1]?.toString("latin1")) : countByDefault;
  const told = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  let at = told === undefined || told === 0n ? 0 : numbered.findIndex(([number]) => BigInt(number) === told % shardNumbers);
  if (at < 0) at = 0;
  const part = (cursor: bigint): Part => {
    // What is no cursor is the server's to refuse.
    const sent = told === undefined ? request : encodeRequest(words.map((word, index) => (index === 1 ? cursor.toString() : word)));
    const shard = numbered[at]?.[1];
    return newPart(plan, sent, shard === undefined ? { kind: "home" } : { kind: "shard", shard });
  };
  const finish = ([reply]: readonly Buffer[]): Buffer | readonly Part[] => {
    const outer = reply === undefined ? undefined : elementsOf(reply), [cursorFrame, listFrame] = outer?.elements ?? [];
    const list = listFrame === undefined ? undefined : elementsOf(listFrame);
    if (reply === undefined || outer === undefined || cursorFrame === undefined || list === undefined || isError(reply)) return reply ?? Buffer.alloc(0);
    const cursor = BigInt(cursorFrame.toString("latin1", cursorFrame.indexOf(10) + 1).trim());
    for (const element of list.elements) gathered.push(element);
    let next = cursor * shardNumbers + BigInt(numbered[at]?.[0] ?? 0);
    if (cursor === 0n) {
      at += 1;
      if (at < numbered.length && gathered.length < wanted) return [part(0n)];
      next = at < numbered.length ? BigInt(numbered[at]?.[0] ?? 0) : 0n;
    }
    return encodeAggregate(outer.type, [bulk(next.toString()), encodeAggregate(list.type, gathered)]);
  };
  return { plan, parts: [part(told === undefined ? 0n : told / shardNumbers)], finish };
}

const bulk = (text: string): Buffer => Buffer.from(`$${text.length}\r\n${text}\r\n`);
