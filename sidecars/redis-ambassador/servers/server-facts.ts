import type { Log } from "../../../kit/log.ts";
import { buildPlans } from "../commands/classifier.ts";
import { readCommandFacts, type Answer } from "../commands/command-facts.ts";
import type { PlanTable } from "../commands/command-plan.ts";

export const bulkBytesMaxDefault = 512 * 1024 * 1024;

/**
 * What one server says of itself: its commands and its longest bulk. `denied`: the user may not run COMMAND, so that
 * nothing is known about any command.
 */
export type ServerFacts = { readonly plans: PlanTable | undefined; readonly denied: boolean; readonly bulkBytesMax: number };

/** Asks a server; undefined when it cannot be asked at present. */
export async function loadServerFacts(node: { readonly address: string; readonly version: string }, call: (command: string, ...words: readonly string[]) => Promise<unknown>, log: Log): Promise<ServerFacts | undefined> {
  let plans: PlanTable | undefined;
  try {
    const facts = readCommandFacts(toAnswer(await call("COMMAND")));
    plans = buildPlans(facts);
    log.info({ node: node.address, version: node.version, commands: facts.length }, "Loaded the command table");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!message.startsWith("NOPERM")) {
      log.warn({ node: node.address, error: message }, "Cannot load the command table; will try again");
      return undefined;
    }
    log.warn({ node: node.address }, "The server denies COMMAND to this user: every client gets a primary connection of its own, and no read goes to a replica");
  }
  return { plans, denied: plans === undefined, bulkBytesMax: await loadBulkBytesMax(call) };
}

async function loadBulkBytesMax(call: (command: string, ...words: readonly string[]) => Promise<unknown>): Promise<number> {
  const answer = await call("CONFIG", "GET", "proto-max-bulk-len").then(toAnswer, () => null);
  const value = Array.isArray(answer) ? Number(answer[1]) : Number.NaN;
  return value > 0 ? value : bulkBytesMaxDefault;
}

/** Narrows what ioredis calls unknown to the shapes of RESP2. */
function toAnswer(value: unknown): Answer {
  if (value === null || typeof value === "string" || typeof value === "number" || value instanceof Uint8Array) return value;
  return Array.isArray(value) ? value.map(toAnswer) : null;
}
