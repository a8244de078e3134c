import type { Clock } from "../../kit/clock.ts";
import type { StoreEvent, StoreWatch } from "../store/store.ts";

export type Change = { readonly kind: "event"; readonly event: StoreEvent } | { readonly kind: "progress"; readonly revision: number };

/** Lays a progress mark into the changes of a watch after every `everyMs` without one. Each mark names a revision up to which nothing is missing. */
export async function* withBookmarks(start: (signal: AbortSignal) => StoreWatch, options: { readonly clock: Clock; readonly everyMs: number; readonly signal: AbortSignal }): AsyncGenerator<Change, void, undefined> {
  // Ends the watch even while it waits for its next change; `return` alone would wait with it.
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const changes = start(signal);
  const iterator = changes[Symbol.asyncIterator]();
  const tick = (): Promise<"tick" | "over"> => options.clock.sleep(options.everyMs, signal).then(() => "tick", () => "over");
  let timer = tick();
  let next = iterator.next();
  // A failure that comes while nobody waits for it is still thrown by the `await` below.
  next.catch(() => undefined);
  try {
    for (;;) {
      const first = await Promise.race([next, timer]);
      if (first === "over" || first === "tick") {
        // `next` is pending, so everything up to the progress of the watch has been handed out.
        if (first === "tick") { yield { kind: "progress", revision: changes.progress() }; timer = tick(); continue; }
        return;
      }
      if (first.done === true) return;
      yield { kind: "event", event: first.value };
      next = iterator.next();
      next.catch(() => undefined);
    }
  } finally {
    ended.abort();
    await iterator.return?.();
  }
}
