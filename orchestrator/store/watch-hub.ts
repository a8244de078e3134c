import type { StoreEvent, StoreWatch } from "./store.ts";
import { StoreError } from "./store.ts";

/** What a watch needs of its store when the hub's recent events no longer reach back far enough. */
export type History = {
  /** Up to `limit` events of the prefix after the revision, in order; and the revision up to which nothing of the prefix was left out. */
  read(prefix: string, afterRevision: number, limit: number): { readonly events: readonly StoreEvent[]; readonly completeTo: number };
  currentRevision(): number;
  compactedRevision(): number;
};

type Watcher = { readonly prefix: string; position: number; wake: (() => void) | undefined };

const batchMax = 256;

/**
 * Wakes watches after a commit. A watcher is a position; what it has not read yet stays in the store's history (or in the shared
 * list of recent events), so no watcher owns a queue and a stalled one costs nothing.
 * Invariant: a watcher that waits has seen every change of its prefix up to its position, and its position is the newest revision.
 */
export class WatchHub {
  readonly #history: History;
  readonly #watchers = new Set<Watcher>();
  readonly #recentMax: number;
  #recent: StoreEvent[] = [];
  /** All events after this revision are in #recent. */
  #recentAfter: number;
  #closed = false;

  constructor(history: History, options: { readonly recentMax?: number } = {}) {
    this.#history = history;
    this.#recentMax = options.recentMax ?? 1024;
    this.#recentAfter = history.currentRevision();
  }

  /** Called once per commit, in order, after the events are durable and visible to reads. */
  publish(events: readonly StoreEvent[]): void {
    const newest = events.at(-1)?.revision;
    if (newest === undefined) return;
    for (const event of events) this.#recent.push(event);
    if (this.#recent.length > this.#recentMax * 2) {
      const dropped = this.#recent.splice(0, this.#recent.length - this.#recentMax);
      this.#recentAfter = dropped.at(-1)?.revision ?? this.#recentAfter;
    }
    for (const watcher of this.#watchers) {
      if (watcher.wake === undefined) continue;
      if (events.some((event) => event.key.startsWith(watcher.prefix))) watcher.wake();
      else watcher.position = newest;
    }
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.wake?.();
  }

  watch(prefix: string, options: { readonly afterRevision: number; readonly signal: AbortSignal }): StoreWatch {
    const watcher: Watcher = { prefix, position: options.afterRevision, wake: undefined };
    return { progress: () => watcher.position, [Symbol.asyncIterator]: () => this.#run(watcher, options.signal) };
  }

  async *#run(watcher: Watcher, signal: AbortSignal): AsyncGenerator<StoreEvent, void, undefined> {
    if (watcher.position > this.#history.currentRevision())
      throw new StoreError("FutureRevision", `Cannot watch from revision ${watcher.position}: the store is at revision ${this.#history.currentRevision()}`);
    this.#watchers.add(watcher);
    const abort = (): void => watcher.wake?.();
    signal.addEventListener("abort", abort);
    try {
      while (!signal.aborted && !this.#closed) {
        const { events, completeTo } = this.#read(watcher);
        for (const event of events) {
          if (signal.aborted) return;
          yield event;
          // Only now, when the next one is asked for, is it certain that this one was taken.
          watcher.position = event.revision;
        }
        watcher.position = completeTo;
        if (completeTo === this.#history.currentRevision() && !signal.aborted && !this.#closed) await this.#wait(watcher);
      }
    } finally {
      signal.removeEventListener("abort", abort);
      this.#watchers.delete(watcher);
    }
  }

  /** `wake` is cleared by the first call, so that a change published between the wake-up and the reading cannot move the position. */
  async #wait(watcher: Watcher): Promise<void> {
    await new Promise<void>((resolve) => {
      watcher.wake = () => { watcher.wake = undefined; resolve(); };
    });
  }

  #read(watcher: Watcher): { readonly events: readonly StoreEvent[]; readonly completeTo: number } {
    if (watcher.position < this.#history.compactedRevision())
      throw new StoreError("Compacted", `Cannot watch from revision ${watcher.position}: history before revision ${this.#history.compactedRevision()} was compacted`);
    if (watcher.position >= this.#recentAfter) {
      const events = this.#recent.slice(firstAfter(this.#recent, watcher.position)).filter((event) => event.key.startsWith(watcher.prefix));
      return { events, completeTo: this.#history.currentRevision() };
    }
    return this.#history.read(watcher.prefix, watcher.position, batchMax);
  }
}

/** Index of the first event with a higher revision; revisions ascend. */
export function firstAfter(events: readonly { readonly revision: number }[], revision: number): number {
  let low = 0, high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle]?.revision ?? Infinity) <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
