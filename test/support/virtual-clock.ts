import type { Clock } from "../../kit/clock.ts";

export type VirtualClock = Clock & {
  /** Moves time on, waking sleepers in order of their time and letting everything they cause run before the next one. */
  advance(ms: number): Promise<void>;
  /** Lets everything run that needs no time. */
  settle(): Promise<void>;
  /** How many sleeps are pending. */
  readonly sleepers: number;
};

/** A clock that stands still until a test moves it. */
export function createVirtualClock(startMs = Date.UTC(2026, 0, 1)): VirtualClock {
  let elapsedMs = 0;
  let sequence = 0;
  const sleepers = new Map<number, { readonly atMs: number; readonly wake: () => void }>();

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const earliest = (untilMs: number): number | undefined => {
    let best: { readonly id: number; readonly atMs: number } | undefined;
    for (const [id, { atMs }] of sleepers) if (atMs <= untilMs && (best === undefined || atMs < best.atMs)) best = { id, atMs };
    return best?.id;
  };

  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error);
          return;
        }
        const id = sequence++;
        const abort = (): void => {
          sleepers.delete(id);
          reject(signal?.reason as Error);
        };
        const wake = (): void => {
          signal?.removeEventListener("abort", abort);
          resolve();
        };
        signal?.addEventListener("abort", abort, { once: true });
        sleepers.set(id, { atMs: elapsedMs + Math.max(0, delayMs), wake });
      });
    },
    async advance(ms) {
      const untilMs = elapsedMs + ms;
      await settle();
      for (let id = earliest(untilMs); id !== undefined; id = earliest(untilMs)) {
        const sleeper = sleepers.get(id);
        sleepers.delete(id);
        elapsedMs = Math.max(elapsedMs, sleeper?.atMs ?? elapsedMs);
        sleeper?.wake();
        await settle();
      }
      elapsedMs = untilMs;
    },
    settle,
    get sleepers() {
      return sleepers.size;
    },
  };
}
