import type { Clock } from "./clock.ts";

/** Two signals and a deadline: first stop taking work in, later give up what is left. */
export type Shutdown = {
  /** Aborted at the first request to end. */
  readonly stopAccepting: AbortSignal;
  /** Aborted when the grace is nearly over, or at the second request. */
  readonly giveUp: AbortSignal;
  /** A request to end: the first begins the grace, the second ends it at once. */
  request(reason: string): void;
};

/** What is left of the grace when work is given up: the time for a last write to disk and the exit. */
export const lastWordsMs = 2_000;

/** `giveUp` follows `stopAccepting` after graceMs − 2 s (at least half the grace, when the grace is that short). */
export function createShutdown(options: { readonly graceMs: number; readonly clock: Clock }): Shutdown {
  const stop = new AbortController();
  const give = new AbortController();
  const drainMs = Math.max(options.graceMs / 2, options.graceMs - lastWordsMs);
  return {
    stopAccepting: stop.signal,
    giveUp: give.signal,
    request(reason) {
      if (stop.signal.aborted) {
        give.abort(new Error(`${reason}, for the second time`));
        return;
      }
      stop.abort(new Error(reason));
      options.clock.sleep(drainMs, give.signal).then(
        () => give.abort(new Error(`the grace period of ${options.graceMs} ms is nearly over`)),
        () => undefined, // given up already
      );
    },
  };
}
