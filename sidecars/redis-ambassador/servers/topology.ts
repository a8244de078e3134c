import { supervise } from "../../../kit/supervise.ts";
import { choosePrimary, readNodeFacts, whyNotEligible, type LagLimits } from "./eligibility.ts";
import type { PlanTable } from "../commands/command-plan.ts";
import { formatAddress, type Address, type Membership, type MembershipSource, type ShardMembers } from "./membership.ts";
import { forgetProof, newNode, newShard, type RedisNode, type Shard } from "./node.ts";
import { readServerMode } from "./peers.ts";
import { Prober, type ProbeContext, type ProbeSettings } from "./prober.ts";
import { bulkBytesMaxDefault, loadServerFacts, type ServerFacts } from "./server-facts.ts";

export type TopologySettings = ProbeSettings & {
  readonly lag: LagLimits;
  /** Replicas are read on while no primary is known. */
  readonly readsWithoutPrimary: boolean;
};

export type TopologyOptions = ProbeContext & {
  readonly source: MembershipSource;
  /** True when keys belong to shards by their hash slot (Cluster). */
  readonly clustered: boolean;
  readonly settings: TopologySettings;
  /** Called for every new shard, before anything else is done with it. */
  readonly onShard: (shard: Shard) => void;
  /** Something that routing depends on has changed: who is primary, who is eligible, or the command table. */
  readonly onChange: () => void;
  /** Another node, or the same one with another history, is the shard's primary now: offsets mean something else. */
  readonly onNewPrimary: (shard: Shard, former: RedisNode | undefined) => void;
  /** The node is no member any more; what is in hand there may be finished. */
  readonly onGone: (node: RedisNode) => void;
};

const slotsCount = 16_384;
const formerMax = 256;
const sourceRestart = { initialMs: 200, maxMs: 10_000, factor: 2, jitter: 0.5 };

/** The same replica for the same reason is told of this often. */
const tellAgainMs = 30_000;
/** Replicas that come and go are told of so often; another primary always is. */
const changesToldAtOnce = 10, changeToldEveryMs = 10_000;

/**
 * Knows the servers: asks each one INFO and decides, shard by shard and from the servers' own words, who is written to and
 * who may be read. Loads the routing table from a server that is written to.
 */
export class Topology {
  readonly clustered: boolean;
  /** At least one, which has no nodes as long as none are known. */
  shards: readonly [Shard, ...Shard[]];
  /** The shards that own slots; without Cluster the only one. */
  owners: readonly Shard[] = [];
  nodes: readonly RedisNode[] = [];
  plans: PlanTable | undefined;
  /** True when the server denies COMMAND: then nothing is known about any command. */
  plansDenied = false;
  bulkBytesMax = bulkBytesMaxDefault;
  #tellable = changesToldAtOnce;
  #toldAtMs = 0;
  readonly #told = new WeakMap<RedisNode, { readonly why: string; readonly atMs: number }>();
  /** How often a replica was read no more, by the reason. */
  readonly ejections = new Map<string, number>();
  /** Monotonic time until which CLIENT PAUSE keeps the primaries from answering anything. */
  pausedUntilMs = 0;
  /** Monotonic time since when there is no command table. */
  readonly tableMissingSinceMs: number;
  readonly #options: TopologyOptions;
  #settings: TopologySettings;
  readonly #probers = new Map<RedisNode, Prober>();
  /** Each node's proof when it answered the probe before: what it told before the next question was asked. */
  readonly #provenBefore = new WeakMap<RedisNode, number>();
  readonly #running = new Map<RedisNode, Promise<void>>();
  readonly #bySlot = new Int16Array(slotsCount).fill(-1);
  /** Nodes that were members, by address, for the case that they come back. */
  readonly #former = new Map<string, RedisNode>();
  /** Nodes that answered, but are not what the configuration takes them for, and the remedy. */
  readonly #misfits = new Map<RedisNode, string>();
  #factsOf = "";
  #signal: AbortSignal | undefined;
  #source: MembershipSource;
  #sourceEnding = new AbortController();
  readonly #sourcesRunning = new Set<Promise<void>>();

  constructor(options: TopologyOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#source = options.source;
    this.clustered = options.clustered;
    this.tableMissingSinceMs = options.clock.monotonicMs();
    this.shards = [this.#newShard("")];
    this.#noteOwners();
  }

  #newShard(id: string): Shard {
    const shard = newShard(id, this.#options.clock.monotonicMs());
    this.#options.onShard(shard);
    return shard;
  }

  /** Follows the membership and probes every node until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const node of this.nodes) this.#follow(node);
    this.#runSource(signal);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.all([...this.#sourcesRunning, ...this.#running.values()]);
  }

  #runSource(signal: AbortSignal): void {
    const source = this.#source, { clock, random, log } = this.#options;
    const ending = (this.#sourceEnding = new AbortController());
    const running = supervise({
      name: "membership", clock, random, signal: AbortSignal.any([signal, ending.signal]), backoff: sourceRestart,
      run: async (until) => await source.run(until, (membership) => {
        if (source === this.#source && !until.aborted) this.apply(membership);
      }),
      onFailure: (error, _attempt, delayMs) => log.error({ err: error, delayMs }, "Finding the servers failed; it is begun again"),
    }).finally(() => this.#sourcesRunning.delete(running));
    this.#sourcesRunning.add(running);
  }

  /** From now on this one says who is a member. Nodes that it knows too keep everything. */
  useSource(source: MembershipSource): void {
    this.#sourceEnding.abort();
    this.#source = source;
    if (this.#signal !== undefined && !this.#signal.aborted) this.#runSource(this.#signal);
  }

  /** Why the servers are not known, in the words of whoever should tell. */
  get sourceProblem(): string | undefined {
    return this.#source.problem?.();
  }

  /** The shard of a hash slot; undefined while nobody is known to own it. */
  shardOfSlot(slot: number): Shard | undefined {
    return this.shards[this.#bySlot[slot] ?? -1];
  }

  /** Another server has said who owns a slot; holds until the next membership. */
  moveSlot(slot: number, address: string): boolean {
    const at = this.shards.findIndex((shard) => shard.nodes.some((node) => node.address === address));
    if (at < 0 || slot < 0 || slot >= slotsCount) return false;
    if (this.#bySlot[slot] !== at) this.shards[at]?.fence.markAll();
    this.#bySlot[slot] = at;
    this.#noteOwners();
    return true;
  }

  #noteOwners(): void {
    if (!this.clustered) {
      this.owners = this.shards;
      return;
    }
    const owning = new Set(this.#bySlot);
    const owners = this.shards.filter((_, index) => owning.has(index));
    this.owners = owners.length > 0 ? owners : this.shards;
  }

  /** The node that another one has named; `by` told of itself when the host is empty. */
  nodeTold(told: Address, by: RedisNode): RedisNode | undefined {
    const address = told.host === "" ? { host: by.host, port: told.port } : told;
    return this.nodeAt(formatAddress(this.#source.mapped?.(address) ?? address));
  }

  nodeAt(address: string): RedisNode | undefined {
    return this.nodes.find((node) => node.address === address);
  }

  /** Why the node could not be asked when that was last tried, or why it is not one to be used, with the remedy. */
  troubleOf(node: RedisNode): string | undefined {
    return this.#misfits.get(node) ?? this.#probers.get(node)?.trouble;
  }

  /** Every node is asked at once. */
  wakeProbes(): void {
    for (const prober of this.#probers.values()) prober.wake();
  }

  /** The settings take effect with the next questions; other credentials or TLS make new connections. */
  reconfigure(settings: TopologySettings): void {
    const before = this.#settings;
    this.#settings = settings;
    if (settings.credentials !== before.credentials || settings.tls !== before.tls) for (const prober of this.#probers.values()) prober.reconnect();
    for (const shard of this.shards) this.#decide(shard);
  }

  /** The data path had trouble with the node: it is not used until a probe begun from now on finds it well. */
  suspect(node: RedisNode, why: string): void {
    const first = node.suspectSinceMs === undefined;
    node.suspectSinceMs = this.#options.clock.monotonicMs();
    if (first) this.#options.log.warn({ node: node.address, why }, "Node is not used until it has been asked again");
    const wasPrimary = node === node.shard.primary || node.facts?.role === "primary";
    this.#decide(node.shard);
    this.#probers.get(node)?.wake();
    if (!wasPrimary) return;
    for (const each of node.shard.nodes) this.#probers.get(each)?.wake();
    this.#source.wake();
  }

  /** Offsets prove nothing until every node of the shard has been asked again. */
  doubtOffsets(shard: Shard): void {
    for (const node of shard.nodes) node.confirmed = false;
  }

  /** The servers are asked for their membership again soon. */
  refresh(): void {
    this.#source.wake();
  }

  /** Reads the table and the limits again, e.g. after MODULE LOAD or CONFIG SET. */
  async reloadServerFacts(): Promise<void> {
    const primary = this.shards.find((shard) => shard.primary !== undefined)?.primary;
    this.#factsOf = "";
    if (primary !== undefined) await this.#loadFacts(primary);
  }

  /** Takes over who is a member; nodes that stay keep all that is known of them. */
  apply(membership: Membership): void {
    const before = new Map(this.nodes.map((node) => [node.address, node] as const));
    const known = new Map(this.shards.map((shard) => [shard.id, shard] as const));
    const shardsBefore = this.shards;
    const shards = membership.map((members) => this.#applyShard(members, known.get(members.id), before));
    const [first, ...others] = shards;
    this.shards = first === undefined ? [this.#newShard("")] : [first, ...others];
    this.nodes = this.shards.flatMap((shard) => shard.nodes);
    this.#applySlots(membership, shardsBefore);
    const staying = new Set(this.nodes);
    for (const node of before.values()) if (!staying.has(node)) this.#forget(node);
    if (this.#signal !== undefined) for (const node of this.nodes) this.#follow(node);
    for (const shard of this.shards) this.#decide(shard);
    this.#options.onChange();
  }

  /** A shard that is given slots has their keys from another one, so that its replicas prove nothing about them yet. */
  #applySlots(membership: Membership, shardsBefore: readonly Shard[]): void {
    const before = Int16Array.from(this.#bySlot);
    this.#bySlot.fill(-1);
    membership.forEach(({ slots }, index) => slots.forEach(([from, to]) => this.#bySlot.fill(index, from, to + 1)));
    const gaining = new Set<Shard>();
    this.#bySlot.forEach((at, slot) => {
      const shard = this.shards[at], former = shardsBefore[before[slot] ?? -1];
      if (shard !== undefined && former !== undefined && former !== shard) gaining.add(shard);
    });
    for (const shard of gaining) shard.fence.markAll();
    this.#noteOwners();
  }

  #applyShard(members: ShardMembers, known: Shard | undefined, before: ReadonlyMap<string, RedisNode>): Shard {
    const shard = known ?? this.#newShard(members.id);
    shard.named = members.named;
    shard.deposed = members.deposed ?? [];
    // Twice the same address is one node.
    const addresses = new Map(members.addresses.map((address) => [formatAddress(address), address] as const));
    shard.nodes = [...addresses.values()].map((address) => {
      const node = before.get(formatAddress(address)) ?? this.#newNode(shard, address);
      if (node.shard !== shard) {
        node.shard = shard;
        forgetProof(node);
        node.confirmed = false;
      }
      return node;
    });
    return shard;
  }

  /** A server that was a member before goes on counting where it ended. */
  #newNode(shard: Shard, { host, port }: Address): RedisNode {
    const node = newNode(shard, host, port), former = this.#former.get(node.address);
    if (former === undefined) return node;
    this.#former.delete(node.address);
    return { ...node, counts: former.counts, latency: former.latency };
  }

  #follow(node: RedisNode): void {
    const signal = this.#signal;
    if (signal === undefined || signal.aborted || this.#probers.has(node)) return;
    const prober = new Prober(node, this.#options, () => this.#settings);
    this.#probers.set(node, prober);
    this.#running.set(node, prober.run(signal, async (info, begunMs) => await this.#learned(node, info, begunMs)).finally(() => this.#running.delete(node)));
  }

  #forget(node: RedisNode): void {
    node.gone = true;
    node.notEligible = "not a member any more";
    this.#probers.get(node)?.end();
    this.#probers.delete(node);
    this.#misfits.delete(node);
    this.#former.delete(node.address);
    this.#former.set(node.address, node);
    for (const oldest of this.#former.keys()) {
      if (this.#former.size <= formerMax) break;
      this.#former.delete(oldest);
    }
    this.#options.onGone(node);
  }

  async #learned(node: RedisNode, info: string | undefined, begunMs: number): Promise<void> {
    if (node.gone) return;
    // A paused primary answers nobody, the probe included.
    if (info === undefined && node === node.shard.primary && this.#options.clock.monotonicMs() < this.pausedUntilMs) return;
    const before = node.facts;
    node.facts = info === undefined || this.#isMisfit(node, info) ? undefined : readNodeFacts(info);
    // A replica that has started anew, or follows somebody else, may have an older copy while its link is up already.
    if (before?.runId !== node.facts?.runId || (node.facts?.offset ?? 0) < (this.#provenBefore.get(node) ?? -1)) forgetProof(node);
    this.#provenBefore.set(node, node.proof.offset);
    const primaryOffset = node.shard.lastPrimary?.facts?.offset;
    node.lagBytes = node.facts?.role === "replica" && primaryOffset !== undefined ? Math.max(0, primaryOffset - node.facts.offset) : undefined;
    if (node.facts !== undefined) {
      node.lastRole = node.facts.role;
      if (node.suspectSinceMs !== undefined && begunMs > node.suspectSinceMs) node.suspectSinceMs = undefined;
      node.confirmed = true;
    }
    if (info !== undefined) this.#source.observe?.(node.address, info);
    this.#decide(node.shard);
    if (node === node.shard.primary && (this.#factsOf === "" || this.#factsOf.startsWith(`${node.address} `) || !this.#factsAreOfAPrimary())) await this.#loadFacts(node);
  }

  #isMisfit(node: RedisNode, info: string): boolean {
    const mode = readServerMode(info) ?? (this.clustered ? "cluster" : "standalone");
    const misfit = mode === "sentinel" ? `server ${node.address} is a sentinel; set upstream.mode to sentinel and upstream.sentinel.masterName, or name the Redis servers, usually port 6379, in upstream.nodes`
      : mode === "cluster" && !this.clustered ? `server ${node.address} is a node of a Redis Cluster; set upstream.mode to cluster`
      : mode === "standalone" && this.clustered ? `server ${node.address} is no node of a Redis Cluster; set upstream.mode to standalone or sentinel`
      : undefined;
    if (misfit === undefined) return this.#misfits.delete(node) && false;
    if (!this.#misfits.has(node)) this.#options.log.error({ node: node.address, why: misfit }, "Server is not used");
    this.#misfits.set(node, misfit);
    return true;
  }

  /** In a cluster one primary's table stands for all; another is asked when that one is a primary no more. */
  #factsAreOfAPrimary(): boolean {
    return this.shards.some(({ primary }) => primary !== undefined && this.#factsOf.startsWith(`${primary.address} `));
  }

  #decide(shard: Shard): void {
    const trusted = shard.nodes.map((node) => ({ address: node.address, facts: node.suspectSinceMs === undefined ? node.facts : undefined }));
    const address = choosePrimary(trusted, shard.lastPrimary?.address, shard);
    const primary = shard.nodes.find((node) => node.address === address);
    const before = shard.primary, eligibleBefore = shard.eligible;
    shard.primary = primary;
    if (primary === undefined && before !== undefined) shard.primaryLostAtMs = this.#options.clock.monotonicMs();
    if (primary !== undefined) this.#noteHistory(shard, primary);
    this.#judgeReplicas(shard);
    if (primary === before && shard.eligible.length === eligibleBefore.length && shard.eligible.every((node, index) => node === eligibleBefore[index])) return;
    const nowMs = this.#options.clock.monotonicMs();
    this.#tellable = Math.min(changesToldAtOnce, this.#tellable + (nowMs - this.#toldAtMs) / changeToldEveryMs);
    this.#toldAtMs = nowMs;
    const tells = primary !== before || this.#tellable >= 1;
    if (tells) this.#tellable = Math.max(0, this.#tellable - 1);
    this.#options.log[tells ? "info" : "debug"]({ ...(this.clustered ? { shard: shard.id } : {}), primary: primary?.address ?? "unknown", eligible: shard.eligible.map((node) => node.address) }, "Nodes changed");
    this.#options.onChange();
  }

  #noteHistory(shard: Shard, primary: RedisNode): void {
    const history = `${primary.address} ${primary.facts?.runId ?? ""} ${primary.facts?.replicationId ?? ""}`;
    if (history === shard.history) return;
    const former = shard.lastPrimary;
    shard.history = history;
    shard.lastPrimary = primary;
    this.doubtOffsets(shard);
    primary.confirmed = true;
    for (const node of shard.nodes) forgetProof(node);
    this.#options.onNewPrimary(shard, former === primary ? undefined : former);
  }

  #judgeReplicas(shard: Shard): void {
    const primaryFacts = shard.lastPrimary?.facts;
    const eligible: RedisNode[] = [];
    for (const node of shard.nodes) {
      const before = node.notEligible;
      node.notEligible = node.suspectSinceMs === undefined ? whyNotEligible(node.facts, primaryFacts, this.#settings.lag, shard.primary === undefined && this.#settings.readsWithoutPrimary, node.lagBytes ?? 0) : "not asked again since it failed";
      if (node.notEligible !== undefined && node.proof.offset >= 0) forgetProof(node);
      if (node.notEligible === undefined) eligible.push(node);
      else if (before === undefined && node !== shard.primary) {
        this.ejections.set(node.notEligible, (this.ejections.get(node.notEligible) ?? 0) + 1);
        this.#tellEjection(node, node.notEligible);
      }
    }
    shard.eligible = eligible;
  }

  /** A replica that comes and goes is told of now and then; the metric counts every time. */
  #tellEjection(node: RedisNode, why: string): void {
    const nowMs = this.#options.clock.monotonicMs(), told = this.#told.get(node);
    const again = told?.why === why && nowMs - told.atMs < tellAgainMs;
    if (!again) this.#told.set(node, { why, atMs: nowMs });
    this.#options.log[again ? "debug" : "warn"]({ node: node.address, why }, "Replica is not read any more");
  }

  async #loadFacts(node: RedisNode): Promise<void> {
    const key = `${node.address} ${node.facts?.version ?? ""} ${node.facts?.runId ?? ""}`;
    const prober = this.#probers.get(node);
    if (key === this.#factsOf || prober === undefined) return;
    const facts = await loadServerFacts({ address: node.address, version: node.facts?.version ?? "" }, async (command, ...words) => await prober.call(command, ...words), this.#options.log);
    if (facts === undefined) return;
    this.#factsOf = key;
    this.#takeFacts(facts);
  }

  #takeFacts(facts: ServerFacts): void {
    this.plans = facts.plans;
    this.plansDenied = facts.denied;
    this.bulkBytesMax = facts.bulkBytesMax;
    this.#options.onChange();
  }
}
