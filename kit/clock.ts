import { performance } from "node:perf_hooks";
import { setTimeout as sleepMs } from "node:timers/promises";

/** Time as a parameter, so that tests run on a virtual clock (test/support/virtual-clock.ts) instead of sleeping. */
export interface Clock {
  /** Wall time, milliseconds since the epoch. May jump; for people and protocols, never for deadlines. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. For every deadline, delay and duration. */
  monotonicMs(): number;
  /** Resolves after the delay; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** A source of numbers in [0, 1), such as Math.random. */
export type Random = () => number;

/** The longest delay that Node's timers take; a longer one would fire at once. */
const timerDelayMsMax = 2_147_483_647;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(delayMs, signal) {
    signal?.throwIfAborted();
    try {
      await sleepMs(Math.min(Math.max(0, delayMs), timerDelayMsMax), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted(); // the caller's own reason, not Node's AbortError
      throw error;
    }
  },
};
