import type { Labels, RuntimeEvent } from "../runtime.ts";
import { RuntimeError } from "../runtime.ts";
import { carriesLabels } from "../labels.ts";

type Subscriber = { readonly labels: Labels; readonly pending: RuntimeEvent[]; wake: () => void; cut: boolean };

/** The engine's event stream, with the ways in which it misleads: events lost, repeated, and the connection cut. */
export class EventHub {
  readonly #history: RuntimeEvent[] = [];
  readonly #subscribers = new Set<Subscriber>();
  #losing = 0;
  #repeating = 0;

  emit(event: RuntimeEvent): void {
    this.#history.push(event);
    if (this.#losing > 0) {
      this.#losing -= 1;
      return;
    }
    const copies = this.#repeating > 0 ? 2 : 1;
    if (this.#repeating > 0) this.#repeating -= 1;
    for (const subscriber of this.#subscribers) {
      if (!carriesLabels(event.labels, subscriber.labels)) continue;
      for (let copy = 0; copy < copies; copy += 1) subscriber.pending.push(event);
      subscriber.wake();
    }
  }

  loseNext(count: number): void {
    this.#losing += count;
  }

  repeatNext(count: number): void {
    this.#repeating += count;
  }

  /** Ends every open stream with an error; a new subscription works again. */
  cutAll(): void {
    for (const subscriber of this.#subscribers) {
      subscriber.cut = true;
      subscriber.wake();
    }
  }

  async *subscribe(labels: Labels, sinceMs: number | undefined, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    const replay = sinceMs === undefined ? [] : this.#history.filter((event) => event.atMs >= sinceMs && carriesLabels(event.labels, labels));
    const subscriber: Subscriber = { labels, pending: [...replay], wake: () => {}, cut: false };
    const onAbort = (): void => subscriber.wake();
    this.#subscribers.add(subscriber);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (;;) {
        if (signal.aborted) return;
        const event = subscriber.pending.shift();
        if (event !== undefined) {
          yield event;
          continue;
        }
        if (subscriber.cut) throw new RuntimeError("Unreachable", "The fake engine closed the event stream");
        await new Promise<void>((resolve) => {
          subscriber.wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#subscribers.delete(subscriber);
    }
  }
}
