import { backoffDelayMs, type Backoff } from "./backoff.ts";
import type { Clock, Random } from "./clock.ts";

/**
 * Work by key, after client-go's workqueue: a key added several times is handed out once; a key added while it is being worked on is handed
 * out again after `done`; no key is ever worked on twice at the same time. Bounded by the number of distinct keys.
 */
export class KeyedQueue {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #random: Random;
  readonly #ready: string[] = [];
  readonly #dirty = new Set<string>();
  readonly #working = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** For each delayed key, when it is due; an earlier time replaces a later one. */
  readonly #due = new Map<string, { readonly atMs: number; readonly cancel: AbortController }>();
  readonly #takers: (() => void)[] = [];
  #closed = false;

  constructor(options: { readonly clock: Clock; readonly backoff: Backoff; readonly random: Random }) {
    this.#clock = options.clock;
    this.#backoff = options.backoff;
    this.#random = options.random;
  }

  get length(): number {
    return this.#ready.length;
  }

  add(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (!this.#working.has(key)) this.#hand(key);
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const atMs = this.#clock.monotonicMs() + delayMs;
    const known = this.#due.get(key);
    if (known !== undefined && known.atMs <= atMs) return;
    known?.cancel.abort();
    const cancel = new AbortController();
    this.#due.set(key, { atMs, cancel });
    this.#clock.sleep(delayMs, cancel.signal).then(
      () => {
        this.#due.delete(key);
        this.add(key);
      },
      () => undefined, // replaced by an earlier time, or closed
    );
  }

  /** Adds after the key's own back-off, which grows until `forget`. */
  addRateLimited(key: string): void {
    const attempt = this.#failures.get(key) ?? 0;
    this.#failures.set(key, attempt + 1);
    this.addAfter(key, backoffDelayMs(this.#backoff, attempt, this.#random));
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, or undefined once closed. The taker must call `done(key)`. Rejects with the signal's reason when aborted while waiting. */
  async take(signal: AbortSignal): Promise<string | undefined> {
    while (this.#ready.length === 0) {
      if (this.#closed) return undefined;
      await this.#waitForKey(signal);
    }
    const key = this.#ready.shift() as string;
    this.#dirty.delete(key);
    this.#working.add(key);
    return key;
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#dirty.has(key)) this.#hand(key);
  }

  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#due.values()) cancel.abort();
    this.#due.clear();
    for (const wake of this.#takers.splice(0)) wake();
  }

  #hand(key: string): void {
    this.#ready.push(key);
    this.#takers.shift()?.();
  }

  #waitForKey(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        const index = this.#takers.indexOf(wake);
        if (index >= 0) this.#takers.splice(index, 1);
        reject(signal.reason as Error);
      };
      this.#takers.push(wake);
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}
