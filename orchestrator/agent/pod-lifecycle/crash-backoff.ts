// pure
import type { CrashBackoff } from "./facts.ts";

/** The kubelet's figures: the first restart is immediate, then 10 s doubling up to 5 min; forgotten after twice the maximum of good running. */
const initialMs = 10_000;
const maxMs = 300_000;
const forgetAfterMs = 2 * maxMs;

function isForgotten(backoff: CrashBackoff, finishedAtMs: number): boolean {
  return finishedAtMs - backoff.lastUpdateMs > forgetAfterMs;
}

/** When a container that ended at `finishedAtMs` may be started again; a time in the past means now. */
export function restartAtMs(backoff: CrashBackoff | undefined, finishedAtMs: number): number {
  return backoff === undefined || isForgotten(backoff, finishedAtMs) ? finishedAtMs : finishedAtMs + backoff.delayMs;
}

/** The back-off to remember when the restart is done at `nowMs`. */
export function nextBackoff(backoff: CrashBackoff | undefined, finishedAtMs: number, nowMs: number): CrashBackoff {
  const delayMs = backoff === undefined || isForgotten(backoff, finishedAtMs) ? initialMs : Math.min(backoff.delayMs * 2, maxMs);
  return { delayMs, lastUpdateMs: nowMs };
}
