// pure
import type { Clock } from "../../../kit/clock.ts";

// A process that was not run for a while (a stalled machine, a CPU limit, a debugger) wakes up with all its timers due and with
// answers that nobody has read yet. What it then measures as a server's silence is its own absence.

/** Tells from a regular tick how long this process itself did not run. */
export class Lateness {
  readonly #periodMs: number;
  #lastMs: number | undefined;

  /** A tick that comes later than twice its period was kept from coming. */
  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** To be called once a tick with the monotonic time: how much later it comes than it should; 0 when it is hardly late. */
  at(nowMs: number): number {
    const lateMs = this.#lastMs === undefined ? 0 : nowMs - this.#lastMs - this.#periodMs;
    this.#lastMs = nowMs;
    return lateMs > this.#periodMs ? lateMs : 0;
  }
}

const slices = 8;

/**
 * Sleeps for `delayMs` during which this process runs: however long it is kept from running, that takes one of eight parts of
 * the sleep at most, so that what has arrived meanwhile is read before the sleep ends. Rejects as Clock.sleep does.
 */
export async function sleepAwake(clock: Pick<Clock, "sleep">, delayMs: number, signal?: AbortSignal): Promise<void> {
  for (let slice = 0; slice < slices; slice += 1) await clock.sleep(delayMs / slices, signal);
}
