import { mkdir, open, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../../kit/files.ts";
import type { Log } from "../../kit/log.ts";
import { decodeLedger, encodeEntry, type LedgerEntry } from "./ledger-log.ts";

/**
 * Remembers what became of each input, so that nothing is adapted twice after a restart. Kept in memory and appended to a file; the file is
 * rewritten without its dead lines at start and when they prevail. Losing it is safe: adapting again writes the same bytes. A state directory that
 * cannot be written is told once (`problem`), and work goes on from memory.
 */
export class Ledger {
  readonly #file: string;
  readonly #log: Log;
  #entries: Map<string, LedgerEntry>;
  #handle: FileHandle | undefined;
  #lines = 0;
  /** Writes happen one after the other, whoever asks. */
  #last: Promise<void> = Promise.resolve();
  problem: string | undefined;

  private constructor(file: string, log: Log, entries: ReadonlyMap<string, LedgerEntry>) {
    this.#file = file;
    this.#log = log;
    this.#entries = new Map(entries);
  }

  static async open(directory: string, log: Log): Promise<Ledger> {
    const file = join(directory, "ledger.log");
    const text = await readFile(file, "utf8").catch(() => "");
    const { entries, damagedLines } = decodeLedger(text);
    if (damagedLines > 0) log.warn({ file, damagedLines }, "Lines of the ledger were damaged and are left out; those inputs are adapted again");
    const ledger = new Ledger(file, log, entries);
    await ledger.#attempt(async () => {
      await mkdir(directory, { recursive: true });
      await ledger.#rewrite();
    });
    return ledger;
  }

  get(path: string): LedgerEntry | undefined {
    return this.#entries.get(path);
  }

  async put(entry: LedgerEntry): Promise<void> {
    this.#entries.set(entry.path, entry);
    await this.#append(encodeEntry(entry));
  }

  /** Forgets the inputs of an adapter that are there no more; one that comes again is new. */
  async retain(adapter: string, present: ReadonlySet<string>): Promise<void> {
    for (const [path, entry] of this.#entries) {
      if (entry.adapter !== adapter || present.has(path)) continue;
      this.#entries.delete(path);
      await this.#append(encodeEntry({ path, gone: true }));
    }
  }

  async close(): Promise<void> {
    await this.#handle?.sync().catch(() => undefined); // told by `problem` when it mattered
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #append(line: string): Promise<void> {
    await this.#attempt(async () => {
      this.#handle ??= await open(this.#file, "a", 0o600);
      await this.#handle.write(line);
      this.#lines++;
      if (this.#lines > 1000 && this.#lines > 4 * this.#entries.size) await this.#rewrite();
    });
  }

  async #rewrite(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    await replaceFile(this.#file, [...this.#entries.values()].map((entry) => encodeEntry(entry)).join(""), { mode: 0o600 });
    this.#lines = this.#entries.size;
  }

  #attempt(write: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(async () => await this.#tryTo(write));
    return this.#last;
  }

  async #tryTo(write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.problem = undefined;
    } catch (error) {
      const message = `cannot write the ledger ${this.#file}: ${error instanceof Error ? error.message : String(error)}`;
      if (this.problem === undefined) this.#log.error({ err: error, file: this.#file }, "Cannot write the ledger; after a restart inputs are adapted again");
      this.problem = message;
    }
  }
}
