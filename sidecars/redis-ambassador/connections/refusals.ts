// pure
import { clusterRefusals } from "../cluster/redirection.ts";

/** The server is no primary, or has no data to answer from. */
const unfit: ReadonlySet<string> = new Set(["READONLY", "LOADING", "MASTERDOWN"]);
/** A replica lacks a script, or knows users otherwise than its primary does. */
const replicaLacks: ReadonlySet<string> = new Set(["NOSCRIPT", "NOPERM", "NOAUTH"]);

/**
 * Why a server has not executed a request:
 * - `unfit`    it cannot at present, and what is known of it is to be looked at again
 * - `replica`  the primary may be able to
 * - `cluster`  the slot is elsewhere, or nowhere at present (`ClusterRouting.refused` says what to do)
 */
export type Refusal = "unfit" | "replica" | "cluster";

/** The first word of an error line, without the minus. */
export function errorWord(frame: Uint8Array): string {
  let end = 1;
  while (end < frame.length && end < 32 && (frame[end] ?? 0) > 32) end += 1;
  return Buffer.from(frame.buffer, frame.byteOffset, end).toString("latin1", 1);
}

/** What the first word of an error means; undefined: it is the answer to the request. */
export function refusalOf(word: string, from: { readonly isReplica: boolean; readonly clustered: boolean }): Refusal | undefined {
  if (unfit.has(word)) return "unfit";
  if (from.isReplica && replicaLacks.has(word)) return "replica";
  return from.clustered && clusterRefusals.has(word) ? "cluster" : undefined;
}

/** Whether a server that answers this can take nothing of its kind at present. */
export function isUnfit(word: string): boolean {
  return unfit.has(word);
}
