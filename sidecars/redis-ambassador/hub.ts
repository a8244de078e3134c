import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { buildPlans, unknownPlan } from "./commands/classifier.ts";
import { firstClientId } from "./commands/client-id.ts";
import type { ClientDescription } from "./commands/client-list.ts";
import type { CommandPlan } from "./commands/command-plan.ts";
import { HotKeys, printable, type HotKey } from "./see/hot-keys.ts";
import type { InfoFacts } from "./see/info-section.ts";
import { encodeRequest } from "./protocol/inline.ts";
import { firstKeyOf } from "./commands/key-positions.ts";
import type { ListenerAuth } from "./listener/listener-auth.ts";
import type { RedisNode } from "./servers/node.ts";
import type { Look } from "./commands/offload.ts";
import { OutputBacklog } from "./connections/output-backlog.ts";
import type { Pool } from "./connections/pool.ts";
import { RequestScanner, scanned } from "./protocol/request-scanner.ts";
import { Rewriter } from "./commands/rewriter.ts";
import { Router, type ReadSettings } from "./routing/router.ts";
import type { Run } from "./connections/run.ts";
import { SlowLog } from "./see/slow-log.ts";
import type { Topology } from "./servers/topology.ts";
import { collector } from "./connections/collector.ts";

export type HubSettings = ReadSettings & {
  /** How clients must authenticate; those that are connected stay admitted when it changes. */
  readonly auth: ListenerAuth;
  /** What is said of it in INFO. */
  readonly mode: string;
  readonly version: string;
  readonly slowLogEntries: number;
  /** So many of the most used keys are told; 0: none are counted. */
  readonly hotKeysKept: number;
  /** Whether replicas answer reads that the server flags as writes. */
  readonly offload: boolean;
  readonly holdMs: number;
  readonly heldBytesMax: number;
  readonly clientInputBytesMax: number;
  readonly clientOutputBytesMax: number;
  readonly allClientsOutputBytesMax: number;
};

/** A client as all others and the process see it. */
export interface HubClient {
  readonly id: number;
  readonly address: string;
  /** The server's number for the connection that the client has for itself at present. */
  readonly serverId: number | undefined;
  describe(): ClientDescription;
  resume(): void;
  close(): void;
  endWhenIdle(): void;
}

const ping = encodeRequest(["PING"]);
/** One use of a key in so many is counted. */
const keySampling = 64;
const hotKeysMax = 1000;

/** What all clients of one ambassador share. */
export class Hub {
  settings: HubSettings;
  readonly topology: Topology;
  readonly pool: Pool;
  readonly router: Router;
  readonly rewriter = new Rewriter();
  readonly hotKeys: HotKeys;
  readonly slowLog: SlowLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly scanner: RequestScanner;
  /** For looking at requests that are not being routed at the moment. */
  readonly otherScanner: RequestScanner;
  readonly clients = new Map<number, HubClient>();
  readonly parked = new Set<HubClient>();
  readonly counts = { local: 0, reissued: 0, uncertain: 0, held: 0, heldMs: 0, holdExpired: 0, slowClosed: 0, accepted: 0, refused: 0, handshakesFailed: 0, offloaded: 0 };
  heldBytes = 0;
  readonly outputBacklog: OutputBacklog;
  #awaitingProof: (() => void)[] = [];
  #nextId = firstClientId;
  readonly #specialPlans = buildPlans([]);

  constructor(options: { settings: HubSettings; topology: Topology; pool: Pool; clock: Clock; random: Random; log: Log }) {
    this.settings = options.settings;
    this.outputBacklog = new OutputBacklog(options.settings.clientOutputBytesMax, options.settings.allClientsOutputBytesMax);
    this.topology = options.topology;
    this.pool = options.pool;
    this.clock = options.clock;
    this.random = options.random;
    this.log = options.log;
    this.scanner = new RequestScanner(() => this.topology.bulkBytesMax);
    this.otherScanner = new RequestScanner(() => Number.MAX_SAFE_INTEGER);
    this.slowLog = new SlowLog(options.settings.slowLogEntries);
    this.hotKeys = new HotKeys({ kept: hotKeysMax, sampledOneIn: keySampling, halfLifeMs: 10_000, nowMs: options.clock.monotonicMs() });
    this.router = new Router({ settings: options.settings, scanner: this.scanner, topology: this.topology, pool: this.pool, random: options.random, monotonicMs: () => this.clock.monotonicMs() });
    this.#watchKeys();
  }

  #watchKeys(): void {
    this.router.watchKeys(this.settings.hotKeysKept > 0 ? this.hotKeys : undefined, keySampling);
  }

  hotKeysNow(): HotKey[] {
    return this.settings.hotKeysKept > 0 ? this.hotKeys.list(this.clock.monotonicMs()).slice(0, this.settings.hotKeysKept) : [];
  }

  /** A run took long: the first command in it and that one's first key are kept. */
  noteSlow(run: Run, durationMicros: number, node: RedisNode, client: string): void {
    if (run.bytes === undefined || this.otherScanner.scan(run.bytes, run.start, run.end) !== scanned.complete) return;
    const scanner = this.otherScanner, { bytes } = run, plan = this.planOf(scanner, bytes);
    const args = { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd };
    const at = firstKeyOf(plan, args);
    this.slowLog.add({
      atMs: this.clock.nowMs(), durationMicros, command: plan === unknownPlan ? printable(bytes, args.argStart[0] ?? 0, args.argEnd[0] ?? 0) : plan.name.replace("|", " "),
      key: at === undefined ? undefined : printable(bytes, args.argStart[at] ?? 0, args.argEnd[at] ?? 0), commands: run.count, node: node.address, client,
    });
  }

  infoFacts(): InfoFacts {
    const { settings, topology, router, counts } = this;
    return {
      version: settings.version, mode: settings.mode, consistency: settings.consistency, policy: settings.policy, clients: this.clients.size, dedicatedConnections: this.pool.leases, shards: topology.owners,
      counts: {
        diverted_reads: router.diverted.unproven, reads_without_replica: router.diverted.noReplica, offloaded_reads: counts.offloaded, reissued_commands: counts.reissued, uncertain_commands: counts.uncertain, held: counts.held, hold_expired_commands: counts.holdExpired,
        scripts_given_again: this.rewriter.scripts.counts.revived, slow_commands: this.slowLog.total, slow_clients_closed: counts.slowClosed,
      },
      hotKeys: this.hotKeysNow(),
    };
  }

  newClientId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  /** False while commands have to wait, because no command table is loaded yet. */
  get tableKnown(): boolean {
    return this.topology.plans !== undefined || this.topology.plansDenied;
  }

  /** The plan of the request that `scanner` has just found (or the beginning of which it has). */
  planOf(scanner: RequestScanner, bytes: Uint8Array): CommandPlan {
    const { plans } = this.topology;
    const plan = (plans ?? this.#specialPlans).find(bytes, scanner.argStart[0] ?? 0, scanner.argEnd[0] ?? 0);
    if (plan === undefined) return plans === undefined ? pinnedPlan : unknownPlan;
    if (plan.subcommands !== undefined && scanner.argc > 1) {
      return plan.subcommands.find(bytes, scanner.argStart[1] ?? 0, scanner.argEnd[1] ?? 0) ?? plan;
    }
    return plan;
  }

  /** The request with the script itself in place of its hash, when `node` is known to have lost a script that clients believe it has. */
  revived(look: Look, request: Buffer, node: RedisNode): Buffer {
    const scanner = this.otherScanner;
    scanner.scan(request, 0, request.length);
    return this.rewriter.revive(look, { bytes: request, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd }, node) ?? request;
  }

  /** Takes over other settings; what is in hand goes on under the old ones. */
  reconfigure(settings: HubSettings): void {
    const markedBefore = this.router.marksWrites;
    this.settings = settings;
    this.outputBacklog.clientBytesMax = settings.clientOutputBytesMax;
    this.outputBacklog.allBytesMax = settings.allClientsOutputBytesMax;
    this.router.settings = settings;
    this.router.chooser.settings = settings;
    this.slowLog.capacity = settings.slowLogEntries;
    this.#watchKeys();
    if (this.router.marksWrites && !markedBefore) this.#markWhatIsInHand();
    this.resumeParked();
    this.checkProofs();
  }

  /** Writes that were sent unmarked: every key counts as written until the connections that carry them have answered. */
  #markWhatIsInHand(): void {
    for (const shard of this.topology.shards) {
      const generation = shard.fence.markAll();
      if (shard.primary === undefined) continue;
      for (const upstream of this.pool.sharedWith(shard.primary)) {
        upstream.send(collector(1, () => undefined, () => undefined), ping, 0, ping.length, 1, generation);
      }
    }
  }

  /** CLIENT PAUSE of everything was accepted: until this monotonic time no replica is read. Undefined: CLIENT UNPAUSE. */
  pauseReplicas(untilMs: number | undefined): void {
    this.topology.pausedUntilMs = untilMs ?? 0;
    this.router.replicasPausedUntilMs = untilMs ?? 0;
  }

  /** Calls back when something new is known of the replicas, or after a short time. */
  awaitProof(resume: () => void): void {
    this.#awaitingProof.push(resume);
  }

  /** To be called when an offset is known, when nodes have changed, and from time to time. */
  checkProofs(): void {
    if (this.#awaitingProof.length === 0) return;
    const waiting = this.#awaitingProof;
    this.#awaitingProof = [];
    for (const resume of waiting) resume();
  }

  /** Clients whose primary has been gone for too long get their errors. */
  expireHolds(nowMs: number): void {
    const { topology } = this, { holdMs } = this.settings;
    const withoutTable = !this.tableKnown && nowMs - topology.tableMissingSinceMs >= holdMs;
    if (withoutTable || topology.owners.some((shard) => shard.primary === undefined && nowMs - shard.primaryLostAtMs >= holdMs)) this.resumeParked();
  }

  /** Lets every client that waits for a primary try again. */
  resumeParked(): void {
    const waiting = [...this.parked];
    this.parked.clear();
    this.heldBytes = 0;
    for (const client of waiting) client.resume();
  }
}

/** Where COMMAND is denied, nothing is known of a command but its name: the client gets a connection of its own. */
const pinnedPlan: CommandPlan = { ...unknownPlan, kind: "pin" };
