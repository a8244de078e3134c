import type { CommandPlan } from "./command-plan.ts";
import type { Hub } from "./hub.ts";
import type { Shard } from "./node.ts";
import { scanned } from "./request-scanner.ts";

/** So many requests without keys are remembered at the beginning of a transaction, to be made again on the shard of its first key. */
const earlyMax = 1_000;

/** What the server says itself of keys in several slots. */
export const crossSlot = Buffer.from("-CROSSSLOT Keys in request don't hash to the same slot\r\n");
export const transactionAborted = Buffer.from("-EXECABORT Transaction discarded because of previous errors.\r\n");
export const boundElsewhere = Buffer.from("-ERR podkit ambassador: this connection is bound to one shard of the cluster by what it has asked for before, and the key belongs to another; use a further connection\r\n");

/**
 * Which slot of a cluster a client's own connection is bound to. A transaction has one slot, as in a cluster itself; before
 * its first key it has none, and may still be taken to another shard.
 */
export class ShardBinding {
  /** MULTI and what came after it while no key was named. */
  early: Buffer[] = [];
  /** A request of the transaction was refused here: EXEC fails. */
  aborted = false;
  #slot = -1;
  readonly #hub: Hub;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  reset(): void {
    this.early = [];
    this.aborted = false;
    this.#slot = -1;
  }

  /**
   * Where a request belongs, seen from a connection to `here`. `move`: nothing binds the transaction to `here` yet, and its
   * first key is elsewhere. `elsewhere`: the transaction or the WATCH has another slot.
   */
  judge(plan: CommandPlan, request: Buffer, here: Shard, transaction: boolean): "here" | "move" | "elsewhere" {
    const slot = this.#slotOf(plan, request);
    if (slot < 0) {
      if (transaction && this.#slot < 0 && plan.name !== "exec" && plan.name !== "discard") this.early.push(request);
      return "here";
    }
    const shard = this.#hub.topology.shardOfSlot(slot) ?? here;
    if (!transaction) return shard === here ? "here" : "elsewhere";
    if (this.#slot >= 0) return slot === this.#slot ? "here" : "elsewhere";
    if (shard !== here) return this.early.length > earlyMax ? "elsewhere" : "move";
    this.#slot = slot;
    this.early = [];
    return "here";
  }

  /** The slot of the request's first key, or a negative number. */
  #slotOf(plan: CommandPlan, request: Buffer): number {
    const scanner = this.#hub.otherScanner, { cluster } = this.#hub.router;
    if (cluster === undefined || scanner.scan(request, 0, request.length) !== scanned.complete) return -1;
    return cluster.slotOf(plan, { bytes: request, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd });
  }
}
