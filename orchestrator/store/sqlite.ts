import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { CreateResult, DeleteResult, Entry, Store, StoreEvent, StoreOptions, StoreWatch, WriteResult } from "./store.ts";
import { compactionTarget, historyRevisionsDefault, StoreError } from "./store.ts";
import { WatchHub } from "./watch-hub.ts";

/**
 * The durable store: one row per revision in one SQLite file, the shape of kine. `value` of a deletion row is the last value.
 *
 *   id (= revision) | key            | value  | previous_id | deleted
 *   1               | /registry/a/x  | {...1} | 0           | 0
 *   2               | /registry/a/x  | {...2} | 1           | 0
 *   3               | /registry/a/x  | {...2} | 2           | 1
 *
 * Writes called in one turn of the event loop are committed together (one transaction, one fsync), and only then resolved and shown
 * to reads and watches. WAL with synchronous=FULL: a resolved write survives kill -9 and the loss of power, as far as the disk keeps
 * its word. A commit blocks the event loop for as long as the disk needs.
 * The file is held exclusively: a second process gets StoreError "Held" at once.
 */
export function openSqliteStore(options: SqliteOptions): Store {
  const database = openDatabase(options.path);
  try {
    return new SqliteStore(database, options);
  } catch (error) {
    database.close();
    throw sqliteError(`Cannot open the store ${options.path}`, error);
  }
}

/** `onCompactionFailure` hears of old history that could not be deleted, which only takes room. */
export type SqliteOptions = StoreOptions & { readonly path: string; readonly onCompactionFailure?: (error: StoreError) => void };

const schemaVersion = 1;
/** How many rows one compaction deletes before others may run. */
const compactionBatch = 2_000;

function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // Secrets are in it: nobody else may read it, and SQLite gives the files beside it the same mode.
    closeSync(openSync(path, "a", 0o600));
    database = new DatabaseSync(path, { timeout: 0 });
    // The exclusive mode must be chosen before WAL: then there is no shared-memory file, and the lock lasts until this process ends.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE");
    const found = database.prepare("PRAGMA user_version").get()?.["user_version"];
    if (typeof found === "number" && found > schemaVersion)
      throw new StoreError("Corrupt", `Cannot open the store ${path}: it was written by a newer podkit (format ${found}, this one knows ${schemaVersion}); use that version or another state directory`);
    database.exec(`
      CREATE TABLE IF NOT EXISTS revision (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value TEXT NOT NULL, previous_id INTEGER NOT NULL, deleted INTEGER NOT NULL);
      CREATE UNIQUE INDEX IF NOT EXISTS revision_by_key ON revision (key, id);
      CREATE TABLE IF NOT EXISTS compaction (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), id INTEGER NOT NULL);
      INSERT OR IGNORE INTO compaction VALUES (1, 0);
      PRAGMA user_version = ${schemaVersion};
      COMMIT`);
    return database;
  } catch (error) {
    database?.close();
    throw sqliteError(`Cannot open the store ${path}`, error);
  }
}

type Operation =
  | { readonly kind: "create"; readonly key: string; readonly value: string; readonly settle: Settle<CreateResult> }
  | { readonly kind: "update"; readonly key: string; readonly value: string; readonly ifRevision: number; readonly settle: Settle<WriteResult> }
  | { readonly kind: "delete"; readonly key: string; readonly ifRevision: number | undefined; readonly settle: Settle<DeleteResult> };
type Settle<R> = { readonly resolve: (result: R) => void; readonly reject: (error: unknown) => void };

type Row = { readonly id: number; readonly key: string; readonly value: string; readonly previousId: number; readonly deleted: boolean };

class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #historyRevisions: number;
  readonly #onCompactionFailure: (error: StoreError) => void;
  readonly #hub: WatchHub;
  readonly #latest: StatementSync;
  readonly #insert: StatementSync;
  readonly #history: StatementSync;
  readonly #list: StatementSync;
  readonly #byId: StatementSync;
  #pending: Operation[] = [];
  #flushing: Promise<void> | undefined;
  #revision: number;
  #compacted: number;
  #closed = false;

  constructor(database: DatabaseSync, options: SqliteOptions) {
    this.#database = database;
    this.#path = options.path;
    this.#historyRevisions = options.historyRevisions ?? historyRevisionsDefault;
    this.#onCompactionFailure = options.onCompactionFailure ?? (() => undefined);
    this.#latest = database.prepare("SELECT id, key, value, previous_id, deleted FROM revision WHERE key = ? ORDER BY id DESC LIMIT 1");
    this.#insert = database.prepare("INSERT INTO revision (id, key, value, previous_id, deleted) VALUES (?, ?, ?, ?, ?)");
    this.#history = database.prepare("SELECT id, key, value, previous_id, deleted FROM revision WHERE id > ? AND key >= ? AND key < ? ORDER BY id LIMIT ?");
    this.#list = database.prepare("SELECT id, key, value, previous_id, deleted FROM revision JOIN (SELECT max(id) AS newest FROM revision WHERE key >= ? AND key < ? AND id <= ? GROUP BY key) ON id = newest WHERE deleted = 0 ORDER BY key");
    this.#byId = database.prepare("SELECT id, key, value, previous_id, deleted FROM revision WHERE id = ?");
    // AUTOINCREMENT's own counter outlives the compaction of the newest row, so that no revision is ever given twice.
    this.#revision = numberOf(database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'revision'").get()?.["seq"] ?? 0);
    this.#compacted = numberOf(database.prepare("SELECT id FROM compaction").get()?.["id"] ?? 0);
    this.#hub = new WatchHub({
      currentRevision: () => this.#revision,
      compactedRevision: () => this.#compacted,
      read: (prefix, afterRevision, limit) => this.#readHistory(prefix, afterRevision, limit),
    });
  }

  async create(key: string, value: string): Promise<CreateResult> {
    return await new Promise((resolve, reject) => { this.#enqueue({ kind: "create", key, value, settle: { resolve, reject } }); });
  }

  async update(key: string, value: string, ifRevision: number): Promise<WriteResult> {
    return await new Promise((resolve, reject) => { this.#enqueue({ kind: "update", key, value, ifRevision, settle: { resolve, reject } }); });
  }

  async delete(key: string, ifRevision?: number): Promise<DeleteResult> {
    return await new Promise((resolve, reject) => { this.#enqueue({ kind: "delete", key, ifRevision, settle: { resolve, reject } }); });
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#requireOpen();
    const row = this.#read(`Cannot read ${key}`, () => this.#latestOf(key));
    return row === undefined || row.deleted ? undefined : entryOf(row);
  }

  async list(prefix: string, options: { readonly atRevision?: number } = {}): Promise<{ readonly revision: number; readonly entries: readonly Entry[] }> {
    this.#requireOpen();
    const revision = options.atRevision ?? this.#revision;
    if (revision > this.#revision) throw new StoreError("FutureRevision", `Cannot list at revision ${revision}: the store is at revision ${this.#revision}`);
    if (revision < this.#compacted) throw new StoreError("Compacted", `Cannot list at revision ${revision}: history before revision ${this.#compacted} was compacted`);
    const rows = this.#read(`Cannot list ${prefix}`, () => this.#list.all(prefix, afterPrefix(prefix), revision));
    return { revision, entries: rows.map((row) => entryOf(rowOf(row))) };
  }

  watch(prefix: string, options: { readonly afterRevision: number; readonly signal: AbortSignal }): StoreWatch {
    this.#requireOpen();
    return this.#hub.watch(prefix, options);
  }

  async compact(revision: number): Promise<void> {
    this.#requireOpen();
    await this.#flushing;
    await this.#compactTo(Math.min(revision, this.#revision));
  }

  currentRevision(): number { return this.#revision; }
  compactedRevision(): number { return this.#compacted; }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushing;
    this.#hub.close();
    this.#database.close();
  }

  #requireOpen(): void {
    if (this.#closed) throw new StoreError("Closed", "Cannot use the store: it was closed");
  }

  #enqueue(operation: Operation): void {
    this.#requireOpen();
    this.#pending.push(operation);
    this.#flushing ??= new Promise<void>((resolve) => {
      setImmediate(() => {
        this.#flushing = undefined;
        this.#flush();
        resolve();
      });
    });
  }

  /** One transaction for everything that waits. Either all of it is durable and answered, or nothing of it happened and all are rejected. */
  #flush(): void {
    const operations = this.#pending;
    this.#pending = [];
    const before = this.#revision;
    const events: StoreEvent[] = [];
    const answers: (() => void)[] = [];
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const operation of operations) answers.push(this.#apply(operation, events));
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#revision = before;
      const why = sqliteError(`Cannot write to the store ${this.#path}`, error);
      this.#rollBack(why);
      for (const operation of operations) operation.settle.reject(why);
      return;
    }
    for (const answer of answers) answer();
    this.#hub.publish(events);
    const target = compactionTarget(this.#revision, this.#compacted, this.#historyRevisions);
    if (target !== undefined) void this.#compactTo(target);
  }

  #rollBack(why: StoreError): void {
    try {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch (error) {
      // SQLite rolls back by itself on the worst errors; whatever is left open would mix two groups, so nothing more is written.
      this.#closed = true;
      this.#hub.close();
      why.cause = new AggregateError([why.cause, error], "Rolling back failed too");
    }
  }

  #apply(operation: Operation, events: StoreEvent[]): () => void {
    const row = this.#latestOf(operation.key);
    const current = row === undefined || row.deleted ? undefined : entryOf(row);
    switch (operation.kind) {
      case "create": {
        if (current !== undefined) return () => { operation.settle.resolve({ kind: "exists", current }); };
        const revision = this.#append("put", operation.key, operation.value, undefined, events);
        return () => { operation.settle.resolve({ kind: "created", revision }); };
      }
      case "update": {
        if (current === undefined) return () => { operation.settle.resolve({ kind: "notFound" }); };
        if (current.revision !== operation.ifRevision) return () => { operation.settle.resolve({ kind: "conflict", current }); };
        const revision = this.#append("put", operation.key, operation.value, current, events);
        return () => { operation.settle.resolve({ kind: "updated", revision }); };
      }
      case "delete": {
        if (current === undefined) return () => { operation.settle.resolve({ kind: "notFound" }); };
        if (operation.ifRevision !== undefined && current.revision !== operation.ifRevision) return () => { operation.settle.resolve({ kind: "conflict", current }); };
        const revision = this.#append("delete", operation.key, current.value, current, events);
        return () => { operation.settle.resolve({ kind: "deleted", revision, previous: current }); };
      }
      default: return operation satisfies never;
    }
  }

  #append(kind: "put" | "delete", key: string, value: string, previous: Entry | undefined, events: StoreEvent[]): number {
    const revision = ++this.#revision;
    this.#insert.run(revision, key, value, previous?.revision ?? 0, kind === "delete" ? 1 : 0);
    events.push({ kind, key, value, revision, previous: previous === undefined ? undefined : { value: previous.value, revision: previous.revision } });
    return revision;
  }

  #latestOf(key: string): Row | undefined {
    const row = this.#latest.get(key);
    return row === undefined ? undefined : rowOf(row);
  }

  #readHistory(prefix: string, afterRevision: number, limit: number): { readonly events: readonly StoreEvent[]; readonly completeTo: number } {
    const rows = this.#read(`Cannot read the history of ${prefix}`, () => this.#history.all(afterRevision, prefix, afterPrefix(prefix), limit).map(rowOf));
    const events = rows.map((row): StoreEvent => {
      const before = row.previousId === 0 ? undefined : this.#byId.get(row.previousId);
      const previous = before === undefined ? undefined : { value: rowOf(before).value, revision: row.previousId };
      return { kind: row.deleted ? "delete" : "put", key: row.key, value: row.value, revision: row.id, previous };
    });
    return { events, completeTo: rows.length < limit ? this.#revision : (rows.at(-1)?.id ?? this.#revision) };
  }

  /** The mark is written first: a crash in between leaves rows that nobody can ask for any more, and the next compaction takes them. */
  async #compactTo(revision: number): Promise<void> {
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    const statement = `DELETE FROM revision WHERE id IN (SELECT old.id FROM revision AS old WHERE old.id <= ?1 AND (old.deleted = 1
      OR EXISTS (SELECT 1 FROM revision AS newer WHERE newer.key = old.key AND newer.id > old.id AND newer.id <= ?1)) LIMIT ${compactionBatch})`;
    try {
      this.#database.prepare("UPDATE compaction SET id = ? WHERE id < ?").run(revision, revision);
      const remove = this.#database.prepare(statement);
      while (!this.#closed && Number(remove.run(revision).changes) === compactionBatch) await new Promise((resolve) => { setImmediate(resolve); });
    } catch (error) {
      // History that could not be deleted only takes room; the next compaction tries again. A full disk shows at the next write.
      if (!this.#closed) this.#onCompactionFailure(sqliteError(`Cannot compact the store ${this.#path}`, error));
    }
  }

  #read<R>(doing: string, read: () => R): R {
    try {
      return read();
    } catch (error) {
      throw sqliteError(doing, error);
    }
  }
}

/** The first text after all texts with this prefix. Keys are ASCII. */
function afterPrefix(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : Number(value);
}

function rowOf(row: Readonly<Record<string, unknown>>): Row {
  return { id: numberOf(row["id"]), key: String(row["key"]), value: String(row["value"]), previousId: numberOf(row["previous_id"]), deleted: row["deleted"] === 1 };
}

function entryOf(row: Row): Entry {
  return { key: row.key, value: row.value, revision: row.id };
}

/** SQLite's primary result codes, by what a person can do about them. */
function sqliteError(doing: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = typeof error === "object" && error !== null && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : 0;
  const words = error instanceof Error ? error.message : String(error);
  const errno = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (errno === "ENOENT" || errno === "EACCES" || errno === "EROFS") return new StoreError("Failed", `${doing}: ${words}; the directory must exist and be writable`, { cause: error });
  switch (code) {
    case 5: case 6: return new StoreError("Held", `${doing}: another process holds it; only one control plane may run per state directory`, { cause: error });
    case 11: case 26: return new StoreError("Corrupt", `${doing}: the file is damaged or is no store (${words}); move it away to begin with an empty cluster`, { cause: error });
    case 13: return new StoreError("DiskFull", `${doing}: the disk is full; free some room and try again`, { cause: error });
    case 8: case 14: case 23: return new StoreError("Failed", `${doing}: ${words}; the directory must exist and be writable`, { cause: error });
    default: return new StoreError("Failed", `${doing}: ${words}`, { cause: error });
  }
}
