import { backoffDelayMs, type Backoff } from "../../../kit/backoff.ts";
import type { Clock } from "../../../kit/clock.ts";
import { watchDirectories } from "../../../kit/watch-directories.ts";
import { codeOf, commonFaults, describeFault } from "./faults.ts";
import { Passes } from "./pass.ts";
import { identityOf } from "./same-folder.ts";
import type { AdapterOptions } from "../record.ts";

export type AdapterLoop = {
  /** Why this adapter is not ready, or undefined. */
  problem(): string | undefined;
  /** Looks again now. */
  wake(): void;
  /** Resolves when the signal was aborted and the files in hand are finished. */
  readonly done: Promise<void>;
};

const retry: Backoff = { initialMs: 100, maxMs: 30_000, factor: 2, jitter: 0.5 };

/**
 * Watches one folder and adapts what is finished. Events only wake it; each pass lists the folder, so a missed event costs at most
 * `reconcileMs`. Transient faults (space, rights) show in readiness and are retried for ever; one that concerns a single report does not hold
 * up the others.
 */
export function runAdapter(options: AdapterOptions): AdapterLoop {
  const { adapter, clock, signal, log } = options;
  const waker = createWaker();
  const passes = new Passes(options);
  const watch = watchDirectories({ onWake: () => waker.wake(), onEntry: (path) => passes.announced.tell(path), signal, log, plain: true });
  watch.add(adapter.watch.directory);
  let problem: string | undefined = "the first scan is not over";

  const loop = async (): Promise<void> => {
    let failures = 0;
    let identity: string | undefined;
    let told: string | undefined;
    while (!signal.aborted) {
      waker.take();
      try {
        const found = await identityOf(adapter.watch.directory);
        if (identity !== undefined && found !== identity) {
          // Another folder has its name now; the watch is on the old one.
          watch.remove(adapter.watch.directory);
          watch.add(adapter.watch.directory);
        }
        identity = found;
        const { nextMs } = await passes.look();
        problem = undefined;
        told = undefined;
        failures = 0;
        await waker.wait(nextMs, clock, signal);
      } catch (error) {
        if (signal.aborted) return;
        problem = describeFault(adapter, error);
        options.metrics.faults.inc({ adapter: adapter.name });
        const delayMs = backoffDelayMs(retry, failures++, options.random);
        log[told === codeOf(error) ? "debug" : "warn"]({ err: error, adapter: adapter.name, retryMs: Math.round(delayMs) }, problem);
        told = codeOf(error);
        // A fault of one report must not delay the next: an event ends the wait. A common fault would only come again.
        if (commonFaults.has(told)) await clock.sleep(delayMs, signal).catch(() => undefined);
        else await waker.wait(Math.min(delayMs, adapter.watch.reconcileMs), clock, signal);
      }
    }
  };
  const run = async (): Promise<void> => {
    try {
      await loop();
    } finally {
      await watch.close();
    }
  };
  return { problem: () => problem, wake: () => waker.wake(), done: run() };
}

const settleRoundsMax = 10;

/**
 * Adapts everything that is finished now and returns; for `run --once`. Waits for what the `stable` rule wants to see for a while. Throws on a
 * transient fault. Resolves to the number of reports that were refused or would not hold still.
 */
export async function adaptOnce(options: AdapterOptions): Promise<number> {
  const passes = new Passes(options);
  for (let round = 1; ; round++) {
    const { nextMs, unsettled } = await passes.look();
    if (unsettled === 0 || round === settleRoundsMax) return passes.refused + unsettled;
    await options.clock.sleep(nextMs, options.signal);
  }
}

/** A wake that is remembered until it is taken. */
function createWaker(): { wake(): void; take(): void; wait(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> } {
  let woken = false;
  let cancel: AbortController | undefined;
  return {
    wake() {
      woken = true;
      cancel?.abort();
    },
    take() {
      woken = false;
    },
    async wait(delayMs, clock, signal) {
      if (woken) return;
      cancel = new AbortController();
      await clock.sleep(delayMs, AbortSignal.any([signal, cancel.signal])).catch(() => undefined);
      cancel = undefined;
    },
  };
}
