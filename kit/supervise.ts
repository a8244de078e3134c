import { backoffDelayMs, type Backoff } from "./backoff.ts";
import type { Clock, Random } from "./clock.ts";

/**
 * Keeps a loop running: starts `run` again, after a growing delay, whenever it throws or returns, until the signal is aborted. The delay
 * starts anew after a run that lasted `healthyAfterMs`. Resolves when aborted and `run` has ended; never rejects.
 */
export async function supervise(options: {
  readonly name: string;
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly onFailure?: (error: unknown, attempt: number, delayMs: number) => void;
  readonly healthyAfterMs?: number;
}): Promise<void> {
  const { clock, signal } = options;
  const healthyAfterMs = options.healthyAfterMs ?? 2 * options.backoff.maxMs;
  let attempt = 0;
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs();
    let failure: unknown = new Error(`${options.name} ended by itself`);
    try {
      await options.run(signal);
    } catch (error) {
      failure = error;
    }
    if (signal.aborted) return;
    if (clock.monotonicMs() - startedMs >= healthyAfterMs) attempt = 0;
    const delayMs = backoffDelayMs(options.backoff, attempt, options.random);
    options.onFailure?.(failure, attempt, delayMs);
    attempt++;
    await clock.sleep(delayMs, signal).catch(() => undefined); // an abort ends the loop above
  }
}
