import { invariant } from "./assert.ts";

/**
 * A queue with a capacity in whatever unit `sizeOf` gives (default: items). Producers either learn at once that it is full (`tryPush`) or wait
 * for room in the order in which they came (`push`); consumers wait for items. An item larger than the whole capacity is accepted when
 * the queue is empty, so that it can never block for ever. Not promised: fairness between several consumers.
 */
export class BoundedQueue<T> {
  readonly #capacity: number;
  readonly #sizeOf: (item: T) => number;
  #items: T[] = [];
  #head = 0;
  #size = 0;
  #closed = false;
  #producers: (() => void)[] = [];
  #consumers: (() => void)[] = [];

  constructor(options: { readonly capacity: number; readonly sizeOf?: (item: T) => number }) {
    invariant(options.capacity > 0, `a queue needs a capacity above 0, got ${options.capacity}`);
    this.#capacity = options.capacity;
    this.#sizeOf = options.sizeOf ?? (() => 1);
  }

  get size(): number {
    return this.#size;
  }
  get length(): number {
    return this.#items.length - this.#head;
  }

  tryPush(item: T): "accepted" | "full" | "closed" {
    if (this.#closed) return "closed";
    const size = this.#sizeOf(item);
    if (this.#producers.length > 0 || (this.length > 0 && this.#size + size > this.#capacity)) return "full";
    this.#append(item, size);
    return "accepted";
  }

  /** Waits for room. Rejects with the signal's reason when aborted while waiting. */
  async push(item: T, options: { readonly signal?: AbortSignal } = {}): Promise<"accepted" | "closed"> {
    const size = this.#sizeOf(item);
    let waited = false;
    while (!this.#closed && (this.length > 0 && this.#size + size > this.#capacity || (!waited && this.#producers.length > 0))) {
      await wait(this.#producers, options.signal);
      waited = true;
    }
    if (this.#closed) return "closed";
    this.#append(item, size);
    this.#wakeProducer();
    return "accepted";
  }

  /** The next item, or undefined once the queue is closed and empty. Rejects with the signal's reason when aborted while waiting. */
  async take(signal?: AbortSignal): Promise<T | undefined> {
    while (this.length === 0) {
      if (this.#closed) return undefined;
      await wait(this.#consumers, signal);
    }
    const item = this.#items[this.#head] as T;
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    this.#size -= this.#sizeOf(item);
    this.#wakeProducer();
    return item;
  }

  /** No more items are accepted; what is inside can still be taken. */
  close(): void {
    this.#closed = true;
    for (const wake of [...this.#producers.splice(0), ...this.#consumers.splice(0)]) wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    while (true) {
      const item = await this.take();
      if (item === undefined && this.#closed && this.length === 0) return;
      yield item as T;
    }
  }

  #append(item: T, size: number): void {
    this.#items.push(item);
    this.#size += size;
    this.#consumers.shift()?.();
  }

  #wakeProducer(): void {
    if (this.#size < this.#capacity) this.#producers.shift()?.();
  }
}

/** Parks the caller in `waiters` until it is woken or aborted. */
function wait(waiters: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const wake = (): void => {
      signal?.removeEventListener("abort", abort);
      resolve();
    };
    const abort = (): void => {
      const index = waiters.indexOf(wake);
      if (index >= 0) waiters.splice(index, 1);
      reject(signal?.reason as Error);
    };
    waiters.push(wake);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
