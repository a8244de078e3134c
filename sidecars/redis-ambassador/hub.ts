import type { Clock } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { buildPlans, unknownPlan } from "./classifier.ts";
import { firstClientId } from "./client-id.ts";
import type { CommandPlan } from "./command-plan.ts";
import type { Client } from "./client.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { Fence, Generation } from "./fence.ts";
import type { RedisNode } from "./node.ts";
import type { Pool } from "./pool.ts";
import { RequestScanner } from "./request-scanner.ts";
import type { Topology } from "./topology.ts";

export type Consistency = "eventual" | "session" | "pod";
export type ReadPolicy = "primary" | "prefer-replica" | "round-robin";

export type HubOptions = {
  readonly consistency: Consistency;
  readonly readPolicy: ReadPolicy;
  readonly holdMs: number;
  readonly heldBytesMax: number;
  readonly clientInputBytesMax: number;
  readonly clientOutputBytesMax: number;
};

/** What all clients of one ambassador share. */
export class Hub {
  readonly options: HubOptions;
  readonly topology: Topology;
  readonly pool: Pool;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
  readonly scanner: RequestScanner;
  /** For looking at requests that are not being routed at the moment. */
  readonly otherScanner: RequestScanner;
  readonly clients = new Map<number, Client>();
  readonly parked = new Set<Client>();
  readonly counts = { local: 0, reissued: 0, uncertain: 0, held: 0, holdExpired: 0, diverted: 0, slowClosed: 0, accepted: 0, refused: 0 };
  heldBytes = 0;
  #nextId = firstClientId;
  #turn = 0;
  readonly #specialPlans = buildPlans([]);

  constructor(options: HubOptions & { topology: Topology; pool: Pool; fence: Fence; clock: Clock; log: Log }) {
    this.options = options;
    this.topology = options.topology;
    this.pool = options.pool;
    this.fence = options.fence;
    this.clock = options.clock;
    this.log = options.log;
    this.scanner = new RequestScanner(() => this.topology.bulkBytesMax);
    this.otherScanner = new RequestScanner(() => Number.MAX_SAFE_INTEGER);
  }

  newClientId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  /** False while commands have to wait: no primary, or its command table is not loaded yet. */
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

  /** The next read takes the next node. Called when a read is sent, so that a read which is diverted uses up no turn. */
  nextTurn(): void {
    this.#turn += 1;
  }

  /** The first node in turn that `mayRead` accepts; undefined for the primary. */
  pickReplica(state: ConnectionState, mayRead: (node: RedisNode) => boolean): RedisNode | undefined {
    const { eligible, primary } = this.topology;
    if (this.options.readPolicy === "primary" || eligible.length === 0) return undefined;
    const places = eligible.length + (this.options.readPolicy === "round-robin" && primary !== undefined ? 1 : 0);
    for (let tried = 0; tried < places; tried += 1) {
      const node = eligible[(this.#turn + tried) % places];
      if (node === undefined) return undefined;
      if (!this.pool.refuses(node, state) && mayRead(node)) return node;
    }
    this.counts.diverted += 1;
    return undefined;
  }

  /** Whether reads have to be proven at all. */
  get proves(): boolean {
    return this.options.consistency !== "eventual";
  }

  mayRead(hash: number, node: RedisNode, lastWrite: Generation | undefined): boolean {
    switch (this.options.consistency) {
      case "eventual":
        return true;
      case "session":
        return lastWrite === undefined || this.fence.hasPassed(lastWrite, node.proof);
      default:
        return this.fence.canRead(hash, node.proof);
    }
  }

  mayReadAll(node: RedisNode, lastWrite: Generation | undefined): boolean {
    return this.options.consistency === "pod" ? this.fence.canReadAll(node.proof) : this.mayRead(0, node, lastWrite);
  }

  /** Lets every waiting client try again. */
  resumeParked(): void {
    const waiting = [...this.parked];
    this.parked.clear();
    this.heldBytes = 0;
    for (const client of waiting) client.resume();
  }
}

/** Where COMMAND is denied, nothing is known of a command but its name: the client gets a connection of its own. */
const pinnedPlan: CommandPlan = { ...unknownPlan, kind: "pin" };
