import { hashSlot } from "./hash-slot.ts";
import type { CommandPlan } from "../commands/command-plan.ts";
import type { Arguments } from "../commands/key-positions.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import { clusterRefusals, readRedirection } from "./redirection.ts";
import { hasSeveralKeys, noSlot, slotOf, spreadOf } from "./spread.ts";
import type { Topology } from "../servers/topology.ts";

/** A slot that was refused is dealt with slowly and carefully for so long. */
const unsettledMs = 2_000;
/** After a slot was seen to move, further ones of the same shards are expected to for so long. */
const movingMs = 3_000;

/** What a refusal tells: who should be asked instead, with ASKING before or for good, how long to wait before, and the request's slot. */
export type Advice = { readonly kind: "moved" | "ask" | "later"; readonly node: RedisNode | undefined; readonly pauseMs: number; readonly slot?: number };

/** Which shard of a cluster a request belongs to, and what is learnt from refusals. */
export class ClusterRouting {
  readonly counts = { scattered: 0, moved: 0, ask: 0, tryAgain: 0, clusterDown: 0 };
  /** Bytes of scattered requests that wait for a primary. */
  heldBytes = 0;
  readonly #topology: Topology;
  readonly #monotonicMs: () => number;
  readonly #numbers = new Map<string, number>();
  readonly #unsettled = new Map<number, number>();
  /** Shards that slots move from or to, until when that is assumed. */
  readonly #moving = new Map<Shard, number>();

  constructor(topology: Topology, monotonicMs: () => number) {
    this.#topology = topology;
    this.#monotonicMs = monotonicMs;
  }

  /** The shards that own slots, each with a number that it keeps as long as the ambassador lives; the lowest comes first. */
  get numbered(): readonly (readonly [number: number, shard: Shard])[] {
    const numbered = this.#topology.owners.filter(({ id }) => id !== "").map((shard) => {
      let number = this.#numbers.get(shard.id);
      if (number === undefined) this.#numbers.set(shard.id, (number = this.#numbers.size + 1));
      return [number, shard] as const;
    });
    return numbered.toSorted(([one], [other]) => one - other);
  }

  /** Where what belongs to no key goes: always the same shard, because channels are told apart by node. */
  get home(): Shard {
    return this.numbered[0]?.[1] ?? this.#topology.shards[0];
  }

  /** For a command without keys that any node answers alike. */
  #anywhere(plan: CommandPlan): Shard {
    const { home } = this;
    if (home.primary !== undefined || plan.kind !== "other" || plan.name === "publish" || plan.name.startsWith("pubsub")) return home;
    return this.#topology.owners.find((shard) => shard.primary !== undefined) ?? home;
  }

  /** The one shard that the whole request goes to; undefined when there is more to it than that. */
  placeOf(plan: CommandPlan, args: Arguments): Shard | undefined {
    const spread = spreadOf(plan);
    if (spread.over === "home") return this.#anywhere(plan);
    if (spread.over !== "keys" && spread.over !== "split") return undefined;
    const slot = slotOf(plan, spread, args);
    if (slot === noSlot.none) return this.#anywhere(plan);
    if (slot < 0 || (this.#unsettled.size > 0 && this.#isUnsettled(slot))) return undefined;
    const shard = this.#topology.shardOfSlot(slot);
    return shard !== undefined && this.#moving.size > 0 && hasSeveralKeys(plan) && this.isMoving(shard) ? undefined : shard;
  }

  /** Whether a big request has to be there as a whole: to be split, or because it may be sent elsewhere once it is made. */
  needsWhole(plan: CommandPlan): boolean {
    return spreadOf(plan).over === "split" || this.#moving.size > 0;
  }

  /** The slot of the request's first key, or a negative number when it has none that is known. */
  slotOf(plan: CommandPlan, args: Arguments): number {
    return slotOf(plan, { over: "keys", how: "any" }, args);
  }

  /** A shard for the request in any case. */
  shardOf(plan: CommandPlan, args: Arguments): Shard {
    const slot = this.slotOf(plan, args);
    return (slot >= 0 ? this.#topology.shardOfSlot(slot) : undefined) ?? this.#anywhere(plan);
  }

  /** The shard of a key. */
  shardOfKey(key: Uint8Array): Shard | undefined {
    return this.#topology.shardOfSlot(hashSlot(key, 0, key.length));
  }

  /** Slots of the shard are on their way: its replicas do not know that keys are elsewhere already. */
  slotsMove(shard: Shard): void {
    this.#moving.set(shard, this.#monotonicMs() + movingMs);
  }

  /** Whether the shard's replicas may take keys for missing that only have moved. */
  isMoving(shard: Shard): boolean {
    if (this.#moving.size === 0) return false;
    const until = this.#moving.get(shard);
    if (until === undefined) return false;
    if (until > this.#monotonicMs()) return true;
    this.#moving.delete(shard);
    return false;
  }

  #isUnsettled(slot: number): boolean {
    const until = this.#unsettled.get(slot);
    if (until === undefined) return false;
    if (until > this.#monotonicMs()) return true;
    this.#unsettled.delete(slot);
    return false;
  }

  /** Learns from what `node` has answered instead of executing a request; undefined when that is no cluster's refusal. */
  refused(word: string, reply: Uint8Array, node: RedisNode): Advice | undefined {
    if (!clusterRefusals.has(word)) return undefined;
    const topology = this.#topology, { counts } = this;
    if (word === "TRYAGAIN") {
      counts.tryAgain += 1;
      this.slotsMove(node.shard);
      return { kind: "later", node: undefined, pauseMs: 10 };
    }
    if (word === "CLUSTERDOWN") {
      counts.clusterDown += 1;
      topology.refresh();
      return { kind: "later", node: undefined, pauseMs: 50 };
    }
    const redirection = readRedirection(reply);
    if (redirection === undefined) return { kind: "later", node: undefined, pauseMs: 50 };
    const { kind, slot, to } = redirection, target = topology.nodeTold(to, node);
    this.#unsettled.set(slot, this.#monotonicMs() + unsettledMs);
    if (target?.shard !== node.shard) this.slotsMove(node.shard);
    if (kind === "ask") counts.ask += 1;
    else counts.moved += 1;
    if (kind === "moved" || target === undefined) topology.refresh();
    if (target === undefined) return { kind: "later", node: undefined, pauseMs: 50, slot };
    if (kind === "ask") return { kind, node: target, pauseMs: 0, slot };
    if (topology.shardOfSlot(slot) !== target.shard) {
      topology.moveSlot(slot, target.address);
      return { kind, node: target, pauseMs: 0, slot };
    }
    // Its own shard sends the request back: whoever was asked is the primary no more, or does not know yet that it is.
    if (node.shard === target.shard && node !== target) topology.suspect(node, "answered MOVED");
    return { kind, node: target, pauseMs: node.shard === target.shard ? 25 : 0, slot };
  }
}
