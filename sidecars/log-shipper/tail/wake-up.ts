import type { Clock } from "../../../kit/clock.ts";

/** A loop's alarm: `wait` ends at the deadline or at the next `ring`, whichever comes first; a ring before `wait` ends it at once. */
export class WakeUp {
  readonly #clock: Clock;
  #rung = false;
  #waiting: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#waiting?.abort(new Error("rung"));
  }

  async wait(delayMs: number): Promise<void> {
    if (!this.#rung && delayMs > 0) {
      this.#waiting = new AbortController();
      await this.#clock.sleep(delayMs, this.#waiting.signal).catch(() => undefined);
      this.#waiting = undefined;
    }
    this.#rung = false;
  }
}
