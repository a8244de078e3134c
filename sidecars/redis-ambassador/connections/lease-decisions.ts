// pure
import { arityHolds, type CommandPlan } from "../commands/command-plan.ts";

/** What a client's own connection is in the middle of. */
export type Holding = {
  /** Replies are not matched with requests any more. */
  readonly raw: boolean;
  /** From WATCH or MULTI on. */
  readonly transaction: boolean;
  /** MULTI was given. */
  readonly multi: boolean;
  /** The transaction belongs to a shard of a cluster. */
  readonly bound: boolean;
};

/**
 * What is done with a request of a client that holds a connection:
 * - `close`    the client's connection is ended
 * - `reset`    the connection is given up, and the client's state is fresh
 * - `raw`      it is passed on, and so is whatever comes back
 * - `tellId`   the ambassador answers with its own number of the client
 * - `quit`     it is answered, and the client's connection is ended
 * - `refuse`   it is answered with an error
 * - `pin`      it is passed on, and from now on replies cannot be matched with requests
 * - `count`    it is passed on, and its one reply is awaited
 */
export type Forwarding = "close" | "reset" | "raw" | "tellId" | "quit" | "refuse" | "pin" | "count";

/** `wordCount` is asked only where it matters. */
export function forwardingOf(plan: CommandPlan, wordCount: () => number, { raw, transaction, multi, bound }: Holding): Forwarding {
  if (plan.kind === "goodbye" || (plan.kind === "refused" && raw)) return "close";
  if (plan.name === "reset" && arityHolds(plan, wordCount())) return "reset";
  if (raw) return "raw";
  if (plan.name === "client|id" && !multi && arityHolds(plan, wordCount())) return "tellId";
  if (plan.name === "quit") return "quit";
  if (plan.kind === "refused") return "refuse";
  if (plan.kind === "opaque") return "pin";
  // What the server queues or executes now would change its state without the ambassador's knowing.
  const changesState = plan.kind === "state" || plan.kind === "pin" || plan.kind === "local";
  return transaction && changesState && !(bound && plan.name === "select") ? "pin" : "count";
}

/** Whether a transaction is over once the request is accepted. `alone`: it is the name without any further word, as it has to be. */
export function endsTransaction(name: string, alone: boolean, multi: boolean): boolean {
  return alone && (name === "exec" || (name === "discard" && multi) || (name === "unwatch" && !multi));
}

/** A server that becomes a replica unblocks its clients, without having executed anything. CLIENT UNBLOCK says it differently. */
export function isDemotion(frame: Uint8Array): boolean {
  return Buffer.from(frame.buffer, frame.byteOffset, Math.min(frame.length, 128)).toString("latin1").startsWith("-UNBLOCKED force unblock from blocking operation, instance state changed");
}
