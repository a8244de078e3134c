/**
 * Where objects live: a map from key to text in which every write gets its own revision, one higher than the last, for the whole
 * store. The verbs are those of kine and etcd. Two implementations, memory.ts and sqlite.ts, hold to one contract suite
 * (test/contract/store).
 *
 * Promised: a resolved write is durable as far as the implementation is (SQLite: it survives the loss of the process and of power);
 * writes are applied one after another in the order in which they were called; a reader never sees a write that may yet be lost; a
 * watch yields every change after its revision exactly once, in order.
 * Not promised: writing several keys at once, and reading at a revision that was compacted (StoreError "Compacted").
 */
export interface Store {
  create(key: string, value: string): Promise<CreateResult>;
  get(key: string): Promise<Entry | undefined>;
  /** Writes only when the key's entry still has revision `ifRevision`. */
  update(key: string, value: string, ifRevision: number): Promise<WriteResult>;
  /** With `ifRevision` only when the entry still has that revision. */
  delete(key: string, ifRevision?: number): Promise<DeleteResult>;
  /** All entries whose key begins with `prefix`, sorted by key, and the revision at which this was true. `atRevision` reads the past. */
  list(prefix: string, options?: { readonly atRevision?: number }): Promise<{ readonly revision: number; readonly entries: readonly Entry[] }>;
  /**
   * Changes of keys beginning with `prefix` after `afterRevision`. Holds no buffer: a slow reader is only a position in the history,
   * and gets StoreError "Compacted" when the history it still needs is gone. Ends (without an error) when the signal aborts or the store closes.
   */
  watch(prefix: string, options: { readonly afterRevision: number; readonly signal: AbortSignal }): StoreWatch;
  /** Forgets the history up to and including `revision`, but never the current entries. Compacting less than before does nothing. */
  compact(revision: number): Promise<void>;
  currentRevision(): number;
  /** The revision up to which history was forgotten; a watch may begin there, not before. */
  compactedRevision(): number;
  /** Resolves after the writes in hand are durable; later calls throw StoreError "Closed". Ends all watches. */
  close(): Promise<void>;
}

export type Entry = { readonly key: string; readonly value: string; readonly revision: number };
export type CreateResult = { readonly kind: "created"; readonly revision: number } | { readonly kind: "exists"; readonly current: Entry };
export type WriteResult = { readonly kind: "updated"; readonly revision: number } | { readonly kind: "conflict"; readonly current: Entry } | { readonly kind: "notFound" };
export type DeleteResult = { readonly kind: "deleted"; readonly revision: number; readonly previous: Entry } | { readonly kind: "conflict"; readonly current: Entry } | { readonly kind: "notFound" };

/** `value` of a deletion is the last value; `previous` is absent when the key was created by this change. */
export type StoreEvent = {
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly value: string;
  readonly revision: number;
  readonly previous: { readonly value: string; readonly revision: number } | undefined;
};

export interface StoreWatch extends AsyncIterable<StoreEvent> {
  /** Every change of the prefix up to this revision has been yielded: what a bookmark may say. */
  progress(): number;
}

export type StoreErrorCode = "Compacted" | "FutureRevision" | "Held" | "Corrupt" | "DiskFull" | "Closed" | "Failed";

/** What was being done, why it failed, and the remedy where one is known. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}

/** Revisions kept for watches that resume; the store compacts by itself when a quarter more than this has gathered. */
export const historyRevisionsDefault = 10_000;
export type StoreOptions = { readonly historyRevisions?: number };

/** Where automatic compaction cuts, or undefined while there is not enough to be worth it. */
export function compactionTarget(revision: number, compacted: number, historyRevisions: number): number | undefined {
  return revision - compacted >= historyRevisions + Math.max(16, historyRevisions / 4) ? revision - historyRevisions : undefined;
}
