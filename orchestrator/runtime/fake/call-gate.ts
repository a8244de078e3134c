import type { Clock } from "../../../kit/clock.ts";
import type { FakeFault, FakeVerb, JournalEntry } from "./script.ts";

type ArmedFault = { readonly fault: FakeFault; seen: number };
type OpenEntry = { -readonly [K in keyof JournalEntry]: JournalEntry[K] };

/** Every call on the fake engine goes through here: it is written to the journal, and the faults that a test armed hit it. */
export class CallGate {
  readonly #clock: Clock;
  readonly #entries: OpenEntry[] = [];
  #faults: ArmedFault[] = [];
  #order = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get journal(): readonly JournalEntry[] {
    return this.#entries;
  }

  clearJournal(): void {
    this.#entries.length = 0;
  }

  /** Returns a function that disarms it. */
  arm(fault: FakeFault): () => void {
    const armed = { fault, seen: 0 };
    this.#faults.push(armed);
    return () => {
      this.#faults = this.#faults.filter((other) => other !== armed);
    };
  }

  disarmAll(): void {
    this.#faults = [];
  }

  async call<T>(verb: FakeVerb, target: string, effect: () => T | Promise<T>, detail = ""): Promise<T> {
    const entry: OpenEntry = { verb, target, startedAtMs: this.#clock.nowMs(), startOrder: this.#order++, endOrder: undefined, outcome: "running", detail };
    this.#entries.push(entry);
    const hits = this.#hits(verb, target);
    try {
      // A real engine never answers within the same turn of the event loop.
      await Promise.resolve();
      await this.#strike(hits, "before");
      const result = await effect();
      await this.#strike(hits, "after");
      entry.outcome = "ok";
      return result;
    } catch (error) {
      entry.outcome = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      entry.endOrder = this.#order++;
    }
  }

  #hits(verb: FakeVerb, target: string): readonly FakeFault[] {
    const hits: FakeFault[] = [];
    for (const armed of this.#faults) {
      const { fault } = armed;
      if (fault.verb !== "any" && fault.verb !== verb) continue;
      if (typeof fault.target === "string" ? fault.target !== target : fault.target?.test(target) === false) continue;
      armed.seen += 1;
      const first = fault.nth ?? 1;
      if (armed.seen >= first && armed.seen < first + (fault.times ?? 1)) hits.push(fault);
    }
    return hits;
  }

  async #strike(hits: readonly FakeFault[], when: "before" | "after"): Promise<void> {
    for (const fault of hits) {
      if ((fault.when ?? "before") !== when) continue;
      if (fault.delayMs !== undefined) await this.#clock.sleep(fault.delayMs);
      fault.act?.();
      if (fault.error !== undefined) throw fault.error;
    }
  }
}
