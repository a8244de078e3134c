// pure
import type { Clock } from "../../../kit/clock.ts";

/**
 * Time without the moments in which this process itself stood still, because its share of the CPU was used up or the machine was suspended. For
 * deadlines of peers: an answer that came meanwhile waits in the socket, and nobody may be blamed before it is read. A stand-still is seen by
 * the `sleep` that it prolongs, so one must always be under way while a deadline runs; of each, up to that sleep's delay counts as time.
 */
export class AwakeTime {
  readonly #clock: Clock;
  #stoodStillMs = 0;
  /** Up to when stand-stills were counted: each is seen by all sleeps that are under way. */
  #countedUntilMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds from an arbitrary start; may go back by what a stand-still took, when that is seen. */
  nowMs(): number {
    return this.#clock.monotonicMs() - this.#stoodStillMs;
  }

  /** As the clock's. */
  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    const dueMs = this.#clock.monotonicMs() + delayMs;
    await this.#clock.sleep(delayMs, signal);
    const nowMs = this.#clock.monotonicMs();
    this.#stoodStillMs += Math.max(0, nowMs - Math.max(dueMs, this.#countedUntilMs));
    this.#countedUntilMs = nowMs;
  }

  /** Resolves when so much of this time has passed; rejects as `sleep` does. */
  async pass(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const untilMs = this.nowMs() + timeoutMs;
    for (let leftMs = timeoutMs; leftMs > 0; leftMs = untilMs - this.nowMs()) await this.sleep(Math.min(leftMs, lookEveryMs(timeoutMs)), signal);
  }
}

/** How often to look at a deadline of this length. */
export function lookEveryMs(timeoutMs: number): number {
  return Math.max(10, Math.min(1_000, timeoutMs / 4));
}
