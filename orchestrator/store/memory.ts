import type { CreateResult, DeleteResult, Entry, Store, StoreEvent, StoreOptions, StoreWatch, WriteResult } from "./store.ts";
import { compactionTarget, historyRevisionsDefault, StoreError } from "./store.ts";
import { firstAfter, WatchHub } from "./watch-hub.ts";

/** A store that forgets everything with its process: for tests, simulations and clusters of an hour. Bounded history like the durable one. */
export function createMemoryStore(options: StoreOptions = {}): Store {
  return new MemoryStore(options.historyRevisions ?? historyRevisionsDefault);
}

class MemoryStore implements Store {
  readonly #entries = new Map<string, Entry>();
  readonly #historyRevisions: number;
  readonly #hub: WatchHub;
  #history: StoreEvent[] = [];
  #revision = 0;
  #compacted = 0;
  #closed = false;

  constructor(historyRevisions: number) {
    this.#historyRevisions = historyRevisions;
    this.#hub = new WatchHub({
      currentRevision: () => this.#revision,
      compactedRevision: () => this.#compacted,
      read: (prefix, afterRevision, limit) => this.#readHistory(prefix, afterRevision, limit),
    });
  }

  async create(key: string, value: string): Promise<CreateResult> {
    this.#requireOpen();
    const current = this.#entries.get(key);
    if (current !== undefined) return { kind: "exists", current };
    const revision = this.#nextRevision();
    this.#entries.set(key, { key, value, revision });
    this.#record({ kind: "put", key, value, revision, previous: undefined });
    return { kind: "created", revision };
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#requireOpen();
    return this.#entries.get(key);
  }

  async update(key: string, value: string, ifRevision: number): Promise<WriteResult> {
    this.#requireOpen();
    const current = this.#entries.get(key);
    if (current === undefined) return { kind: "notFound" };
    if (current.revision !== ifRevision) return { kind: "conflict", current };
    const revision = this.#nextRevision();
    this.#entries.set(key, { key, value, revision });
    this.#record({ kind: "put", key, value, revision, previous: { value: current.value, revision: current.revision } });
    return { kind: "updated", revision };
  }

  async delete(key: string, ifRevision?: number): Promise<DeleteResult> {
    this.#requireOpen();
    const current = this.#entries.get(key);
    if (current === undefined) return { kind: "notFound" };
    if (ifRevision !== undefined && current.revision !== ifRevision) return { kind: "conflict", current };
    const revision = this.#nextRevision();
    this.#entries.delete(key);
    this.#record({ kind: "delete", key, value: current.value, revision, previous: { value: current.value, revision: current.revision } });
    return { kind: "deleted", revision, previous: current };
  }

  async list(prefix: string, options: { readonly atRevision?: number } = {}): Promise<{ readonly revision: number; readonly entries: readonly Entry[] }> {
    this.#requireOpen();
    const revision = options.atRevision ?? this.#revision;
    if (revision > this.#revision) throw new StoreError("FutureRevision", `Cannot list at revision ${revision}: the store is at revision ${this.#revision}`);
    if (revision < this.#compacted) throw new StoreError("Compacted", `Cannot list at revision ${revision}: history before revision ${this.#compacted} was compacted`);
    const source = revision === this.#revision ? this.#entries : this.#entriesAt(revision);
    const entries = [...source.values()].filter((entry) => entry.key.startsWith(prefix)).toSorted((a, b) => (a.key < b.key ? -1 : 1));
    return { revision, entries };
  }

  watch(prefix: string, options: { readonly afterRevision: number; readonly signal: AbortSignal }): StoreWatch {
    this.#requireOpen();
    return this.#hub.watch(prefix, options);
  }

  async compact(revision: number): Promise<void> {
    this.#requireOpen();
    this.#compactTo(Math.min(revision, this.#revision));
  }

  currentRevision(): number { return this.#revision; }
  compactedRevision(): number { return this.#compacted; }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hub.close();
  }

  #requireOpen(): void {
    if (this.#closed) throw new StoreError("Closed", "Cannot use the store: it was closed");
  }

  #nextRevision(): number { return ++this.#revision; }

  #record(event: StoreEvent): void {
    this.#history.push(event);
    const target = compactionTarget(this.#revision, this.#compacted, this.#historyRevisions);
    if (target !== undefined) this.#compactTo(target);
    this.#hub.publish([event]);
  }

  #compactTo(revision: number): void {
    if (revision <= this.#compacted) return;
    this.#history.splice(0, firstAfter(this.#history, revision));
    this.#compacted = revision;
  }

  #readHistory(prefix: string, afterRevision: number, limit: number): { readonly events: readonly StoreEvent[]; readonly completeTo: number } {
    const after = this.#history.slice(firstAfter(this.#history, afterRevision));
    const events = after.filter((event) => event.key.startsWith(prefix)).slice(0, limit);
    return { events, completeTo: events.length < limit ? this.#revision : (events.at(-1)?.revision ?? this.#revision) };
  }

  /** Undoes the history after the revision, newest first. */
  #entriesAt(revision: number): ReadonlyMap<string, Entry> {
    const entries = new Map(this.#entries);
    for (const event of this.#history.slice(firstAfter(this.#history, revision)).toReversed()) {
      if (event.previous === undefined) entries.delete(event.key);
      else entries.set(event.key, { key: event.key, value: event.previous.value, revision: event.previous.revision });
    }
    return entries;
  }
}
