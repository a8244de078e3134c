// pure
import type { KeySpec } from "./key-positions.ts";
import type { Look } from "./offload.ts";

/**
 * What is done with a command. Everything that the server does not flag `readonly` goes to the primary.
 * - `read`        may be answered by a replica
 * - `write`       primary, over the shared connection, and its keys count as written
 * - `other`       primary, over the shared connection, changes no key
 * - `blocking`    may wait on the server: a connection of its own for this one command
 * - `wait`        WAIT and WAITAOF: as blocking, and must prove this client's writes
 * - `state`       changes what the connection is (db, user, protocol, name): asked of a server, then remembered
 * - `ask`         about the connection or other connections: a connection of its own with this client's state
 * - `transaction` MULTI and WATCH: a connection of its own until EXEC, DISCARD or UNWATCH
 * - `pin`         from now on this client has a server connection of its own, replies still counted one by one
 * - `opaque`      as pin, and replies cannot be matched with requests any more (subscriptions, MONITOR, CLIENT REPLY)
 * - `reload`      changes what the ambassador has read of the server (limits, the command table): a connection of its own
 * - `local`       answered by the ambassador
 * - `refused`     answered with an error by the ambassador
 * - `goodbye`     closes without an answer (the server's guard against HTTP requests)
 */
export type PlanKind = "read" | "write" | "other" | "blocking" | "wait" | "state" | "ask" | "transaction" | "pin" | "opaque"
  | "reload" | "local" | "refused" | "goodbye";

export type CommandPlan = {
  /** Lower case; subcommands as `client|setname`. */
  readonly name: string;
  readonly kind: PlanKind;
  /** As in CommandFacts. */
  readonly arity: number;
  /** Which keys count as written when it is passed on. */
  readonly marks: "none" | "keys" | "all";
  /** For a read: its keys. For a write: the keys it may change. */
  readonly keys: readonly KeySpec[];
  /** The argument that is the only one of `keys`, where that is known without a look at the request; else -1. */
  readonly soleKey: number;
  /** All that decides on the slot: every key, read or changed, and shard channels. */
  readonly allKeys: readonly KeySpec[];
  /** False when the command may touch keys that are not among its arguments. */
  readonly keysKnown: boolean;
  /** It changes nothing, so it may be sent again when its reply was lost. */
  readonly repeatable: boolean;
  /** It blocks only with a BLOCK option (XREAD, XREADGROUP). */
  readonly blockOption: boolean;
  /** What the server tips a cluster's client to do with it: `all_shards`, `all_nodes`, `multi_shard`, `special`; undefined: by its keys. */
  readonly requestPolicy: string | undefined;
  /** How the answers of several shards become one: `one_succeeded`, `all_succeeded`, `agg_sum`, `agg_min`, `special`, …; undefined: in order. */
  readonly responsePolicy: string | undefined;
  /** Set when the request itself has to be looked at before it is routed. */
  readonly look: Look | undefined;
  readonly subcommands: PlanTable | undefined;
};

/** Whether the server would find the number of words right. */
export function arityHolds(plan: CommandPlan, argc: number): boolean {
  return plan.arity >= 0 ? plan.arity === 0 || argc === plan.arity : argc >= -plan.arity;
}

const slotsMin = 64;

/** Names to plans: an open-addressed hash over case-folded bytes, so that a look-up makes no string. */
export class PlanTable {
  readonly #names: (Uint8Array | undefined)[];
  readonly #plans: (CommandPlan | undefined)[];
  readonly #mask: number;
  readonly size: number;

  constructor(plans: Iterable<readonly [string, CommandPlan]>) {
    const entries = [...plans];
    let slots = slotsMin;
    while (slots < entries.length * 3) slots *= 2;
    this.#mask = slots - 1;
    this.#names = Array.from({ length: slots }, () => undefined);
    this.#plans = Array.from({ length: slots }, () => undefined);
    this.size = entries.length;
    for (const [name, plan] of entries) {
      const bytes = Uint8Array.from(Buffer.from(name, "latin1"), (byte) => byte | 0x20);
      let slot = this.#hash(bytes, 0, bytes.length);
      while (this.#names[slot] !== undefined) slot = (slot + 1) & this.#mask;
      this.#names[slot] = bytes;
      this.#plans[slot] = plan;
    }
  }

  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + ((bytes[at] ?? 0) | 0x20)) | 0;
    return (hash ^ (hash >>> 10)) & this.#mask;
  }

  find(bytes: Uint8Array, start: number, end: number): CommandPlan | undefined {
    if (end - start > 64) return undefined;
    let slot = this.#hash(bytes, start, end);
    for (;;) {
      const name = this.#names[slot];
      if (name === undefined) return undefined;
      if (name.length === end - start) {
        let at = 0;
        while (at < name.length && ((bytes[start + at] ?? 0) | 0x20) === name[at]) at += 1;
        if (at === name.length) return this.#plans[slot];
      }
      slot = (slot + 1) & this.#mask;
    }
  }
}
