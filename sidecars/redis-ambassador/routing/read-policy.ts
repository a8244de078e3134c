// pure
import type { Random } from "../../../kit/clock.ts";
import type { RedisNode, Shard } from "../servers/node.ts";

export const readPolicies = ["primary", "prefer-replica", "replica", "round-robin", "random", "least-latency", "zone", "weighted"] as const;

/**
 * Where reads go when the consistency lets them:
 * - `primary`        never to a replica
 * - `prefer-replica` the replicas in turn, the primary when none may be read
 * - `replica`        the replicas in turn, never the primary: a read waits until a replica may be read
 * - `round-robin`    the primary and the replicas in turn
 * - `random`         any replica, the primary when none may be read
 * - `least-latency`  the node, the primary included, that answers probes soonest; those within a quarter of it take turns
 * - `zone`           the replicas of one's own zone in turn, else the other replicas, else the primary
 * - `weighted`       the nodes in proportion to their weights; a replica's is 1 and the primary's 0 unless told otherwise
 */
export type ReadPolicy = (typeof readPolicies)[number];

export type ReadPolicySettings = {
  readonly policy: ReadPolicy;
  /** The zone that the ambassador itself is in. */
  readonly zone: string | undefined;
  /** Zones of nodes that do not tell theirs (Valkey does: availability-zone), by address. */
  readonly zones: Readonly<Record<string, string>>;
  /** By address. */
  readonly weights: Readonly<Record<string, number>>;
};

const nearlyTheQuickest = 1.25;

/** Chooses a node for a read. It remembers whose turn it is; everything else it is told. */
export class ReadChooser {
  settings: ReadPolicySettings;
  readonly #random: Random;
  #turn = 0;
  readonly #credits = new WeakMap<RedisNode, number>();

  constructor(settings: ReadPolicySettings, random: Random) {
    this.settings = settings;
    this.#random = random;
  }

  /** The next read takes the next node. Called when a read is sent to a replica, so that a read which is diverted uses up no turn. */
  nextTurn(): void {
    this.#turn += 1;
  }

  /** A replica that `mayRead` accepts, or undefined for the primary (with policy `replica`: for none at present). */
  choose(shard: Shard, mayRead: (node: RedisNode) => boolean): RedisNode | undefined {
    const { eligible } = shard;
    if (eligible.length === 0) return undefined;
    switch (this.settings.policy) {
      case "primary":
        return undefined;
      case "round-robin":
        return this.#inTurn(eligible, eligible.length + (shard.primary === undefined ? 0 : 1), this.#turn, mayRead);
      case "random":
        return this.#inTurn(eligible, eligible.length, Math.floor(this.#random() * eligible.length), mayRead);
      case "least-latency":
        return this.#quickest(shard, mayRead);
      case "zone": {
        const near = eligible.filter((node) => this.#isNear(node));
        return this.#inTurn(near, near.length, this.#turn, mayRead) ?? this.#inTurn(eligible, eligible.length, this.#turn, mayRead);
      }
      case "weighted":
        return this.#byWeight(shard, mayRead);
      default:
        return this.#inTurn(eligible, eligible.length, this.#turn, mayRead);
    }
  }

  /** Tries one node after the other; a place past the list's end stands for the primary. */
  #inTurn(nodes: readonly RedisNode[], places: number, from: number, mayRead: (node: RedisNode) => boolean): RedisNode | undefined {
    for (let tried = 0; tried < places; tried += 1) {
      const node = nodes[(from + tried) % places];
      if (node === undefined) {
        this.#turn += tried + 1; // the primary has had its turn
        return undefined;
      }
      if (mayRead(node)) return node;
    }
    return undefined;
  }

  #quickest(shard: Shard, mayRead: (node: RedisNode) => boolean): RedisNode | undefined {
    const micros = (node: RedisNode | undefined): number => node?.probeMicros ?? Number.POSITIVE_INFINITY;
    const may = shard.eligible.filter(mayRead);
    const best = Math.min(micros(shard.primary), ...may.map(micros));
    const quick = may.filter((node) => micros(node) <= best * nearlyTheQuickest);
    const places = quick.length + (micros(shard.primary) <= best * nearlyTheQuickest ? 1 : 0);
    const node = quick[this.#turn % Math.max(1, places)];
    if (node === undefined) this.#turn += 1; // the primary has had its turn
    return node;
  }

  #isNear(node: RedisNode): boolean {
    const { zone, zones } = this.settings;
    return zone !== undefined && (zones[node.address] ?? node.facts?.zone) === zone;
  }

  /** Smooth weighted round-robin: every candidate earns its weight, the richest is chosen and pays what all have earned. */
  #byWeight(shard: Shard, mayRead: (node: RedisNode) => boolean): RedisNode | undefined {
    let richest: RedisNode | undefined, most = 0, earned = 0;
    for (const node of shard.primary === undefined ? shard.eligible : [...shard.eligible, shard.primary]) {
      const weight = this.settings.weights[node.address] ?? (node === shard.primary ? 0 : 1);
      if (weight <= 0 || (node !== shard.primary && !mayRead(node))) continue;
      const credit = (this.#credits.get(node) ?? 0) + weight;
      this.#credits.set(node, credit);
      earned += weight;
      if (richest !== undefined && credit <= most) continue;
      richest = node;
      most = credit;
    }
    if (richest !== undefined) this.#credits.set(richest, most - earned);
    return richest === shard.primary ? undefined : richest;
  }
}
