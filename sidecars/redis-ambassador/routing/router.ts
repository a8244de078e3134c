import type { Random } from "../../../kit/clock.ts";
import { ClusterRouting } from "../cluster/cluster-routing.ts";
import type { CommandPlan } from "../commands/command-plan.ts";
import type { ConnectionState } from "../connections/connection-state.ts";
import { DryRun } from "./dry-run.ts";
import type { Generation } from "./fence.ts";
import type { HotKeys } from "../see/hot-keys.ts";
import { firstKeyOf, visitKeys, type Arguments } from "../commands/key-positions.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import type { Pool } from "../connections/pool.ts";
import { ReadChooser, type ReadPolicySettings } from "./read-policy.ts";
import type { RequestScanner } from "../protocol/request-scanner.ts";
import type { Topology } from "../servers/topology.ts";
import { hashKey } from "./write-filter.ts";

export type Consistency = "eventual" | "monotonic" | "session" | "pod";
export type ReadSettings = ReadPolicySettings & {
  readonly consistency: Consistency;
  /** Everything goes to the primary, and where reads would have gone is counted. */
  readonly dryRun: boolean;
};

/** What `join` has done with a request. */
export const joined = {
  yes: 0,
  /** It belongs to another node than what is unanswered: it waits until all is answered. */
  elsewhere: 1,
  /** No replica may answer it at present, and it may not go to the primary. */
  noReplica: 2,
  /** It may go to a replica as soon as that has caught up with what this client has already read. */
  unproven: 3,
  /** It concerns several shards, or has to be looked into. */
  scattered: 4,
} as const;
export type Joined = (typeof joined)[keyof typeof joined];

/** Consecutive requests for one node; `node` is a replica, or undefined for the primary. */
export type Segment = { start: number; count: number; reads: number; writes: number; shard: Shard; node: RedisNode | undefined; generation: Generation | undefined;
  /** Dry run: the replica that would have got it. */
  wouldBe: RedisNode | undefined;
};

export function newSegment(shard: Shard): Segment {
  return { start: 0, count: 0, reads: 0, writes: 0, shard, node: undefined, generation: undefined, wouldBe: undefined };
}

/** A client as far as routing is concerned. */
export interface RoutedClient {
  readonly state: ConnectionState;
  /** READWRITE was given, or reads have failed elsewhere: everything goes to the primary. */
  readonly primaryOnly: boolean;
  /** Where everything unanswered is; undefined when nothing is. */
  readonly unansweredAt: RedisNode | undefined;
  /** Consistency `session`: the last write by shard. */
  readonly lastWrites: Map<Shard, Generation> | undefined;
  noteWrite(shard: Shard, generation: Generation): void;
  /** Consistency `monotonic`: where it reads, by shard. */
  readonly readsAt: Map<Shard, ReadPlace> | undefined;
  noteRead(shard: Shard, place: ReadPlace): void;
}

/** Where a client reads under `monotonic`, and the state that another place must have reached before it may read there. */
export type ReadPlace = { readonly node: RedisNode | undefined; leaving: Generation | undefined; triedMs: number };

/** A client that reads the primary tries to go back to a replica this often; each time costs the wait for a proof. */
const returnIntervalMs = 100;

/** Decides to which node of a shard a request goes. One segment at a time is put together, for all clients. */
export class Router {
  readonly segment: Segment;
  readonly chooser: ReadChooser;
  /** With a Redis Cluster alone. */
  readonly cluster: ClusterRouting | undefined;
  readonly dryRun = new DryRun();
  settings: ReadSettings;
  /** Reads that went to the primary though the policy prefers replicas, by why. */
  readonly diverted = { noReplica: 0, unproven: 0 };
  /** Monotonic time until which no replica is read, because the primary does not answer either. */
  replicasPausedUntilMs = 0;
  #hotKeys: HotKeys | undefined;
  #sampleEvery = 1;
  #turnEnds = false;
  #untilSample = 1;
  readonly #scanner: RequestScanner;
  readonly #topology: Topology;
  readonly #pool: Pool;
  readonly #random: Random;
  readonly #monotonicMs: () => number;

  constructor(options: { settings: ReadSettings; scanner: RequestScanner; topology: Topology; pool: Pool; random: Random; monotonicMs: () => number }) {
    this.settings = options.settings;
    this.#scanner = options.scanner;
    this.#topology = options.topology;
    this.#pool = options.pool;
    this.#monotonicMs = options.monotonicMs;
    this.#random = options.random;
    this.chooser = new ReadChooser(options.settings, options.random);
    this.segment = newSegment(options.topology.shards[0]);
    this.cluster = options.topology.clustered ? new ClusterRouting(options.topology, options.monotonicMs) : undefined;
  }

  /**
   * A read was sent to a replica: it is the next one's turn, from the next turn of the event loop on. What is sent within one
   * turn goes out together, to one replica, in one write.
   */
  readSent(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    setImmediate(this.#endTurn);
  }
  readonly #endTurn = (): void => {
    this.#turnEnds = false;
    this.chooser.nextTurn();
  };

  /** Counts the first key of one request in so many. */
  watchKeys(hotKeys: HotKeys | undefined, oneIn: number): void {
    this.#hotKeys = hotKeys;
    this.#sampleEvery = oneIn;
  }

  #sampleKey(plan: CommandPlan, bytes: Buffer): void {
    // Not every so-many-th, which would always hit the same place of a pipeline.
    this.#untilSample = 1 + Math.floor(2 * this.#sampleEvery * this.#random());
    const args = this.#arguments(bytes), at = this.#hotKeys === undefined ? undefined : firstKeyOf(plan, args);
    if (at === undefined) return;
    const start = args.argStart[at] ?? 0, end = args.argEnd[at] ?? 0;
    this.#hotKeys?.add(hashKey(bytes, start, end), bytes, start, end);
  }

  /** Whether writes have to be marked, so that reads can be proven. */
  get marksWrites(): boolean {
    return this.settings.consistency === "pod" || this.settings.consistency === "session";
  }

  /** Adds the request in the scanner, which begins at `at`, to the segment under way. */
  join(client: RoutedClient, shard: Shard, plan: CommandPlan, bytes: Buffer, at: number, segment: Segment = this.segment): Joined {
    const { unansweredAt } = client;
    if (segment.count === 0) {
      segment.start = at;
      segment.reads = 0;
      segment.writes = 0;
      segment.generation = undefined;
      segment.shard = shard;
      if (unansweredAt !== undefined) {
        if (unansweredAt.shard !== shard) return joined.elsewhere;
        segment.node = isReplica(unansweredAt) ? unansweredAt : undefined;
      } else {
        const outcome = this.#firstNode(client, shard, plan, bytes, segment);
        if (outcome !== joined.yes) return outcome;
      }
    } else if (segment.shard !== shard) {
      return joined.elsewhere;
    }
    if (segment.node !== undefined && !(plan.kind === "read" && this.#mayRead(client, plan, bytes, segment.node))) {
      if (unansweredAt !== undefined) return joined.elsewhere;
      segment.node = undefined;
    }
    if (plan.kind === "read") {
      segment.reads += 1;
      if (this.settings.dryRun) this.#noteDryRun(client, plan, bytes, segment);
      if (segment.node === undefined && this.settings.consistency === "monotonic") client.noteRead(shard, { node: undefined, leaving: undefined, triedMs: this.#monotonicMs() });
    } else if (plan.kind === "write") {
      segment.writes += 1;
      segment.wouldBe = undefined;
    }
    segment.count += 1;
    this.#untilSample -= 1;
    if (this.#untilSample <= 0) this.#sampleKey(plan, bytes);
    if (plan.marks !== "none" && this.marksWrites) segment.generation = this.mark(client, shard, plan, bytes);
    return joined.yes;
  }

  /** Chooses where a segment begins that starts with this request, when nothing is unanswered. */
  #firstNode(client: RoutedClient, shard: Shard, plan: CommandPlan, bytes: Buffer, segment: Segment): Joined {
    segment.node = undefined;
    segment.wouldBe = undefined;
    if (plan.kind !== "read" || client.primaryOnly) return joined.yes;
    if (this.settings.consistency === "monotonic" && !this.settings.dryRun) return this.#monotonicNode(client, shard, segment);
    const node = this.chooser.choose(shard, (each) => !this.#pool.refuses(each, client.state) && this.#mayRead(client, plan, bytes, each));
    if (this.settings.dryRun) {
      segment.wouldBe = node;
      return joined.yes;
    }
    segment.node = node;
    if (node !== undefined) return joined.yes;
    if (this.settings.policy !== "primary") this.diverted[shard.eligible.length > 0 ? "unproven" : "noReplica"] += 1;
    return this.settings.policy === "replica" ? joined.noReplica : joined.yes;
  }

  /** The node that the client reads already; another one only when that has reached what the client may have seen. */
  #monotonicNode(client: RoutedClient, shard: Shard, segment: Segment): Joined {
    const place = client.readsAt?.get(shard), nowMs = this.#monotonicMs();
    if (nowMs < this.replicasPausedUntilMs || this.#slotsMove(shard)) return joined.yes;
    if (place?.node !== undefined && place.node.shard === shard && place.node.notEligible === undefined) {
      segment.node = place.node;
      return joined.yes;
    }
    if (place !== undefined && place.leaving === undefined) {
      if (place.node === undefined && nowMs - place.triedMs < returnIntervalMs && this.settings.policy !== "replica") return joined.yes;
      if (this.settings.policy === "primary" || shard.eligible.length === 0) return this.settings.policy === "replica" ? joined.noReplica : joined.yes;
      place.leaving = shard.fence.markAll();
      place.triedMs = nowMs;
      return joined.unproven;
    }
    const leaving = place?.leaving;
    const node = this.chooser.choose(shard, (each) => !this.#pool.refuses(each, client.state) && (leaving === undefined || shard.fence.hasPassed(leaving, each.proof)));
    if (node === undefined && leaving !== undefined && shard.eligible.length > 0 && nowMs - (place?.triedMs ?? 0) < returnIntervalMs) return joined.unproven;
    if (node === undefined && this.settings.policy === "replica") return joined.noReplica;
    segment.node = node;
    client.noteRead(shard, { node, leaving: undefined, triedMs: nowMs });
    return joined.yes;
  }

  /** A replica for a read form of the request in the scanner; `keyIndex` is its only key, undefined when it may read any. */
  nodeForReadForm(client: RoutedClient, shard: Shard, keyIndex: number | undefined, bytes: Buffer): RedisNode | undefined {
    if (client.primaryOnly || this.settings.dryRun) return undefined;
    const { unansweredAt } = client, { consistency } = this.settings;
    const may = (node: RedisNode): boolean => !this.#pool.refuses(node, client.state) && this.#mayReadKey(client, keyIndex, bytes, node);
    const bound = this.segment.count > 0 ? this.segment.node : unansweredAt;
    if (this.segment.count > 0 || unansweredAt !== undefined) return bound !== undefined && isReplica(bound) && bound.shard === shard && may(bound) ? bound : undefined;
    if (consistency !== "monotonic") return this.chooser.choose(shard, may);
    const place = client.readsAt?.get(shard)?.node;
    return place !== undefined && place.notEligible === undefined && !this.#slotsMove(shard) ? place : undefined;
  }

  #mayReadKey(client: RoutedClient, keyIndex: number | undefined, bytes: Buffer, node: RedisNode): boolean {
    const regardless = this.#mayReadRegardless(client, node);
    if (regardless !== undefined) return regardless;
    const { fence } = node.shard;
    if (keyIndex === undefined) return fence.canReadAll(node.proof);
    return fence.canRead(hashKey(bytes, this.#scanner.argStart[keyIndex] ?? 0, this.#scanner.argEnd[keyIndex] ?? 0), node.proof);
  }

  #mayRead(client: RoutedClient, plan: CommandPlan, bytes: Buffer, node: RedisNode): boolean {
    const regardless = this.#mayReadRegardless(client, node);
    if (regardless !== undefined) return regardless;
    const { fence } = node.shard;
    if ((fence.clear || !plan.keysKnown) && fence.canReadAll(node.proof)) return true;
    if (!plan.keysKnown) return false;
    const sole = plan.soleKey, scanner = this.#scanner;
    if (sole > 0 && sole < scanner.argc) return fence.canRead(hashKey(bytes, scanner.argStart[sole] ?? 0, scanner.argEnd[sole] ?? 0), node.proof);
    const args = this.#arguments(bytes);
    let may = true;
    for (const spec of plan.keys) {
      const known = visitKeys(spec, args, (index) => {
        may &&= fence.canRead(hashKey(bytes, args.argStart[index] ?? 0, args.argEnd[index] ?? 0), node.proof);
      });
      if (!known) may = false;
    }
    return may;
  }

  /** Policy `replica` takes its replicas as they are: it would have nobody else to ask. */
  #slotsMove(shard: Shard): boolean {
    return this.cluster !== undefined && this.settings.policy !== "replica" && this.cluster.isMoving(shard);
  }

  /** Whether a node may be read, as far as that does not depend on the keys; undefined: it does. */
  #mayReadRegardless(client: RoutedClient, node: RedisNode): boolean | undefined {
    if (node.notEligible !== undefined || (this.replicasPausedUntilMs > 0 && this.#monotonicMs() < this.replicasPausedUntilMs)) return false;
    if (this.#slotsMove(node.shard)) return false;
    const { consistency } = this.settings;
    if (consistency === "eventual" || consistency === "monotonic") return true;
    if (consistency === "pod") return undefined;
    const lastWrite = client.lastWrites?.get(node.shard);
    return lastWrite === undefined || node.shard.fence.hasPassed(lastWrite, node.proof);
  }

  #noteDryRun(client: RoutedClient, plan: CommandPlan, bytes: Buffer, segment: Segment): void {
    const node = segment.wouldBe !== undefined && this.#mayRead(client, plan, bytes, segment.wouldBe) ? segment.wouldBe : undefined;
    this.dryRun.note(plan.name, node?.address);
    if (segment.count === 0) this.readSent();
  }

  /** Why a server may not answer the read in the scanner now, or undefined when it may. `keyIndex` as in nodeForReadForm; "plan": by the plan's keys. */
  whyNotRead(client: RoutedClient, plan: CommandPlan, keyIndex: number | undefined | "plan", bytes: Buffer, node: RedisNode): string | undefined {
    if (node.notEligible !== undefined) return node.notEligible;
    if (this.#monotonicMs() < this.replicasPausedUntilMs) return "paused by CLIENT PAUSE";
    if (this.#pool.refuses(node, client.state)) return "it refused this user";
    const may = keyIndex === "plan" ? this.#mayRead(client, plan, bytes, node) : this.#mayReadKey(client, keyIndex, bytes, node);
    return may ? undefined : "not proven yet to have the latest write of these keys";
  }

  /** Marks the keys that the request in the scanner may change; gives the generation that its run belongs to. */
  mark(client: RoutedClient, shard: Shard, plan: CommandPlan, bytes: Uint8Array): Generation {
    const { fence } = shard, scanner = this.#scanner, sole = plan.marks === "keys" ? plan.soleKey : -1;
    if (sole > 0 && sole < scanner.argc && scanner.argc === scanner.argcTotal && this.settings.consistency === "pod") {
      return fence.mark(hashKey(bytes, scanner.argStart[sole] ?? 0, scanner.argEnd[sole] ?? 0));
    }
    const args = this.#arguments(bytes);
    let known = plan.marks === "keys" && args.argc === scanner.argcTotal;
    let generation: Generation | undefined;
    for (const spec of plan.keys) {
      known = known && visitKeys(spec, args, (index) => {
        generation = fence.mark(hashKey(bytes, args.argStart[index] ?? 0, args.argEnd[index] ?? 0));
      });
    }
    // A write without any key in it is an error for the server; marking everything for it is merely cautious.
    if (!known || generation === undefined) generation = fence.markAll();
    if (this.settings.consistency === "session") client.noteWrite(shard, generation);
    return generation;
  }

  /**
   * The same for a request of which only the beginning is there: what it gives marks the first key, if that is the only one.
   * It is to be called when the request is sent, in one go with that: what is marked before could be proven before.
   */
  markerOf(client: RoutedClient, shard: Shard, plan: CommandPlan, begun: Uint8Array): () => Generation {
    const { fence } = shard, spec = plan.keys[0], args = this.#arguments(begun);
    const index = plan.marks === "keys" && plan.keys.length === 1 && spec?.begin.kind === "index" && spec.find.kind === "range" && spec.find.last === 0 ? spec.begin.index : args.argc;
    const hash = index < args.argc ? hashKey(begun, args.argStart[index] ?? 0, args.argEnd[index] ?? 0) : undefined;
    return () => {
      const generation = hash === undefined ? fence.markAll() : fence.mark(hash);
      if (this.settings.consistency === "session") client.noteWrite(shard, generation);
      return generation;
    };
  }

  #arguments(bytes: Uint8Array): Arguments {
    const scanner = this.#scanner;
    return { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd };
  }

  /** The shard that the request in the scanner belongs to, by its first key. */
  shardOf(plan: CommandPlan, bytes: Uint8Array): Shard {
    return this.cluster === undefined ? this.#topology.shards[0] : this.cluster.shardOf(plan, this.#arguments(bytes));
  }

  /** The one shard that deals with the request in the scanner; undefined when it concerns several, or has to be looked into. */
  placeOf(plan: CommandPlan, bytes: Uint8Array): Shard | undefined {
    return this.cluster === undefined ? this.#topology.shards[0] : this.cluster.placeOf(plan, this.#arguments(bytes));
  }
}

/** By what it said last; the primary of its shard is none, whatever that was. */
export function isReplica(node: RedisNode): boolean {
  return node !== node.shard.primary && node.facts?.role !== "primary";
}
