import type { CommandPlan } from "../commands/command-plan.ts";
import type { Hub } from "../hub.ts";
import type { Shard } from "../servers/node.ts";
import { scanned } from "../protocol/request-scanner.ts";

/** So many bytes of a transaction's requests are remembered, so that it can be made again elsewhere. */
const historyBytesMax = 1024 * 1024;

/** What the server says itself of keys in several slots. */
export const crossSlot = Buffer.from("-CROSSSLOT Keys in request don't hash to the same slot\r\n");
export const transactionAborted = Buffer.from("-EXECABORT Transaction discarded because of previous errors.\r\n");
/** EXEC of a transaction whose watched keys have changed, by protocol. */
export const watchFailed = { 2: Buffer.from("*-1\r\n"), 3: Buffer.from("_\r\n") } as const;
export const queuedReply = Buffer.from("+QUEUED\r\n");
export const boundElsewhere = Buffer.from("-ERR podkit ambassador: this connection is bound to one shard of the cluster by what it has asked for before, and the key belongs to another; use a further connection\r\n");

/**
 * Which slot of a cluster a client's own connection is bound to. A transaction has one slot, as in a cluster itself; before
 * its first key it has none, and may still be taken to another shard.
 */
export class ShardBinding {
  /** MULTI and what was queued after it; undefined when that was too much, or when keys are watched as well. */
  history: Buffer[] | undefined;
  /** A server has refused a part of the transaction, because its slot is elsewhere: EXEC makes all of it again. */
  redo = false;
  /** Keys are watched: when their slot has moved nobody can tell whether they have changed. */
  watching = false;
  /** Monotonic time since when the transaction is being made again. */
  redoSinceMs: number | undefined;
  #historyBytes = 0;
  /** A request of the transaction was refused here: EXEC fails. */
  aborted = false;
  #slot = -1;
  readonly #hub: Hub;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  reset(): void {
    this.history = undefined;
    this.#historyBytes = 0;
    this.redo = false;
    this.redoSinceMs = undefined;
    this.watching = false;
    this.aborted = false;
    this.#slot = -1;
  }

  begin(multi: Buffer): void {
    this.history = [multi];
  }

  /** The shard of the transaction's slot at present. */
  get shard(): Shard | undefined {
    return this.#slot < 0 ? undefined : this.#hub.topology.shardOfSlot(this.#slot);
  }

  /** Remembers a request that was queued. */
  queued(request: Buffer): void {
    this.#historyBytes += request.length;
    if (this.#historyBytes > historyBytesMax) this.history = undefined;
    else this.history?.push(request);
  }

  /**
   * Where a request belongs, seen from a connection to `here`. `move`: nothing binds the transaction to `here` yet, and its
   * first key is elsewhere. `elsewhere`: the transaction or the WATCH has another slot.
   */
  judge(plan: CommandPlan, request: Buffer, here: Shard, transaction: boolean): "here" | "move" | "elsewhere" {
    const slot = this.#slotOf(plan, request);
    if (slot < 0) return "here";
    const shard = this.#hub.topology.shardOfSlot(slot) ?? here;
    if (!transaction) return shard === here ? "here" : "elsewhere";
    if (this.#slot >= 0) return slot === this.#slot ? "here" : "elsewhere";
    if (shard !== here) return this.history === undefined ? "elsewhere" : "move";
    this.#slot = slot;
    return "here";
  }

  /** The slot of the request's first key, or a negative number. */
  #slotOf(plan: CommandPlan, request: Buffer): number {
    const scanner = this.#hub.otherScanner, { cluster } = this.#hub.router;
    if (cluster === undefined || scanner.scan(request, 0, request.length) !== scanned.complete) return -1;
    return cluster.slotOf(plan, { bytes: request, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd });
  }
}
