// pure
import { invariant } from "./assert.ts";

/** Exponential back-off: attempt 0 waits `initialMs`, each further one `factor` times more, up to `maxMs`. */
export type Backoff = {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** The share of the delay that is drawn at random: 0 = none, 1 = full jitter. */
  readonly jitter: number;
};

/** The delay before the given attempt (0, 1, …). Never above `maxMs`; `random` gives numbers in [0, 1). */
export function backoffDelayMs(policy: Backoff, attempt: number, random: () => number): number {
  invariant(policy.initialMs >= 0 && policy.initialMs <= policy.maxMs, `back-off needs 0 <= initialMs <= maxMs, got ${policy.initialMs} and ${policy.maxMs}`);
  invariant(policy.factor >= 1 && policy.jitter >= 0 && policy.jitter <= 1, `back-off needs factor >= 1 and jitter in 0..1, got ${policy.factor} and ${policy.jitter}`);
  const full = Math.min(policy.maxMs, policy.initialMs * policy.factor ** Math.max(0, attempt));
  return full * (1 - policy.jitter) + full * policy.jitter * random();
}
