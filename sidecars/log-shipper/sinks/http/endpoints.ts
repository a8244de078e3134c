// pure
import { backoffDelayMs, type Backoff } from "../../../../kit/backoff.ts";

type Endpoint = { notBeforeMs: number; failures: number; failedAtMs: number };

/**
 * Which of several equal servers to ask, and when. One is used until it fails; then the next one is, at once, while the failed one
 * rests: for as long as it asked for, else for a delay with full jitter that doubles with each failure. When all rest, the one that
 * is over first is next. All times are of the monotonic clock, so that a jump of the wall clock changes nothing.
 */
export class Endpoints {
  readonly #endpoints: readonly Endpoint[];
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #preferred = 0;

  constructor(options: { readonly count: number; readonly backoff: Backoff; readonly random: () => number }) {
    this.#endpoints = Array.from({ length: options.count }, () => ({ notBeforeMs: -Infinity, failures: 0, failedAtMs: -Infinity }));
    this.#backoff = options.backoff;
    this.#random = options.random;
  }

  /** The one to ask, and how long to wait first. Ask again after a wait: things may have changed. */
  pick(nowMs: number): { readonly index: number; readonly waitMs: number } {
    const count = this.#endpoints.length;
    let best = { index: this.#preferred, waitMs: Infinity };
    for (let step = 0; step < count; step++) {
      const index = (this.#preferred + step) % count;
      const waitMs = Math.max(0, (this.#endpoints[index]?.notBeforeMs ?? 0) - nowMs);
      if (waitMs < best.waitMs) best = { index, waitMs };
      if (waitMs === 0) break;
    }
    return best;
  }

  succeeded(index: number): void {
    const endpoint = this.#endpoints[index];
    if (endpoint === undefined) return;
    endpoint.failures = 0;
    this.#preferred = index;
  }

  /**
   * A request that began at `startedMs` failed. Requests that were under way together count as one failure. `afterMs` is the wait that
   * the server asked for. Returns how long this endpoint rests.
   */
  failed(index: number, startedMs: number, nowMs: number, afterMs: number | undefined): number {
    const endpoint = this.#endpoints[index];
    if (endpoint === undefined) return 0;
    if (startedMs >= endpoint.failedAtMs) {
      const delayMs = backoffDelayMs(this.#backoff, endpoint.failures, this.#random);
      endpoint.failures++;
      endpoint.failedAtMs = nowMs;
      endpoint.notBeforeMs = Math.max(endpoint.notBeforeMs, nowMs + delayMs);
    }
    if (afterMs !== undefined) endpoint.notBeforeMs = Math.max(endpoint.notBeforeMs, nowMs + afterMs);
    if (this.#preferred === index) this.#preferred = (index + 1) % this.#endpoints.length;
    return Math.max(0, endpoint.notBeforeMs - nowMs);
  }
}
