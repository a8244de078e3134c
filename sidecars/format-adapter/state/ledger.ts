import { open, readFile, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectory, replaceFile } from "../../../kit/files.ts";
import type { Log } from "../../../kit/log.ts";
import { describeStateFault } from "./state-fault.ts";
import { decodeLedger, encodeEntry, encodeHeader, entryKey, type LedgerEntry } from "./ledger-log.ts";

/**
 * Remembers what became of each input, so that nothing is adapted twice after a restart. Kept in memory and appended to a file; the file is
 * rewritten without its dead lines at start and when they prevail. Losing it is safe: adapting again writes the same bytes. While the state
 * directory cannot be written (`problem`), work goes on from memory; the first write that works again brings the whole ledger up to date.
 * Lines reach the kernel before `put` resolves, which a killed process survives; only `putDurably` waits for the disk, so a machine that loses
 * power may adapt the last reports again.
 */
export class Ledger {
  readonly #file: string;
  readonly #log: Log;
  /** By adapter and path; not by one text of both, which would cost each entry as much again as its path. */
  readonly #entries = new Map<string, Map<string, LedgerEntry>>();
  /** The entry that was last adapted to an output. */
  readonly #byOutput = new Map<string, LedgerEntry>();
  #handle: FileHandle | undefined;
  #lines = 0;
  /** Writes happen one after the other, whoever asks. */
  #last: Promise<void> = Promise.resolve();
  /** Lines that wait for the write before them; they go together. */
  #queued: { text: string; lines: number; durable: boolean; written: Promise<void> } | undefined;
  /** Outputs that are being made, by whom. */
  readonly #inWork = new Map<string, string>();
  problem: string | undefined;
  /** Whether the disk may have room, or answer, again by itself. */
  isProblemTemporary = false;

  private constructor(file: string, log: Log, entries: ReadonlyMap<string, LedgerEntry>) {
    this.#file = file;
    this.#log = log;
    for (const entry of entries.values()) this.#remember(entry);
  }

  /** `adapters` are the names in force; what others left is forgotten. */
  static async open(directory: string, adapters: readonly string[], log: Log): Promise<Ledger> {
    const file = join(directory, "ledger.log");
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) log.warn({ err: error, file }, "Cannot read the ledger; all inputs are adapted again");
      return "";
    });
    const { entries, damagedLines, otherVersion } = decodeLedger(text);
    if (otherVersion !== undefined) log.warn({ file, otherVersion }, "The ledger is of another version of the adapter and is begun anew; all inputs are adapted again");
    if (damagedLines > 0) log.warn({ file, damagedLines }, "Lines of the ledger were damaged and are left out; those inputs are adapted again");
    const ledger = new Ledger(file, log, entries);
    ledger.#forgetAllBut(adapters);
    await ledger.#attempt(async () => await ledger.#rewrite());
    return ledger;
  }

  get(adapter: string, path: string): LedgerEntry | undefined {
    return this.#entries.get(adapter)?.get(path);
  }

  /** The path of the input that was last adapted to this output, unless it is this adapter's own `path`. */
  ownerOf(output: string, adapter: string, path: string): string | undefined {
    const entry = this.#byOutput.get(output);
    return entry === undefined || (entry.adapter === adapter && entry.path === path) ? undefined : entry.path;
  }

  /** Whether this file, told by its identityOfOutput, is one that an adapter of this ledger published. */
  isPublished(path: string, identity: string): boolean {
    const entry = this.#byOutput.get(path);
    return entry !== undefined && (entry.published === identity || entry.publishedBefore === identity);
  }

  /** Whether an output is being made by another than this input; if not, it is this one's until `release`. */
  isTaken(output: string, adapter: string, path: string): boolean {
    const key = entryKey({ adapter, path });
    const holder = this.#inWork.get(output);
    if (holder !== undefined && holder !== key) return true;
    this.#inWork.set(output, key);
    return false;
  }

  release(output: string): void {
    this.#inWork.delete(output);
  }

  /** As they are now; changes do not show in the list. */
  entriesOf(adapter: string): readonly LedgerEntry[] {
    return [...(this.#entries.get(adapter)?.values() ?? [])];
  }

  async put(entry: LedgerEntry): Promise<void> {
    await this.#put(entry, false);
  }

  /** As `put`; resolves when the disk has it, or when it cannot be written (`problem`). */
  async putDurably(entry: LedgerEntry): Promise<void> {
    await this.#put(entry, true);
  }

  async #put(entry: LedgerEntry, durable: boolean): Promise<void> {
    this.#forget(entry.adapter, entry.path);
    this.#remember(entry);
    await this.#append(encodeEntry(entry), durable);
  }

  async forget(adapter: string, path: string): Promise<void> {
    this.#forget(adapter, path);
    await this.#append(encodeEntry({ path, adapter, gone: true }), false);
  }

  /** Changes which adapters are in force. */
  async keepAdapters(adapters: readonly string[]): Promise<void> {
    this.#forgetAllBut(adapters);
    await this.#attempt(async () => await this.#rewrite());
  }

  /** Tries to write again what could not be written. */
  async heal(): Promise<void> {
    if (this.problem !== undefined) await this.#attempt(async () => await this.#rewrite());
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#handle?.sync().catch(() => undefined); // told by `problem` when it mattered
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #remember(entry: LedgerEntry): void {
    const { adapter, path, output } = entry;
    const entries = this.#entries.get(adapter) ?? new Map<string, LedgerEntry>();
    this.#entries.set(adapter, entries);
    entries.set(path, entry);
    if (output !== undefined) this.#byOutput.set(output, entry);
  }

  #forget(adapter: string, path: string): void {
    const entry = this.get(adapter, path);
    if (entry === undefined) return;
    if (entry.output !== undefined && this.#byOutput.get(entry.output) === entry) this.#byOutput.delete(entry.output);
    this.#entries.get(adapter)?.delete(path);
  }

  #forgetAllBut(adapters: readonly string[]): void {
    for (const [adapter, entries] of this.#entries) {
      if (adapters.includes(adapter)) continue;
      for (const path of entries.keys()) this.#forget(adapter, path);
      this.#entries.delete(adapter);
    }
  }

  #count(): number {
    return [...this.#entries.values()].reduce((sum, entries) => sum + entries.size, 0);
  }

  #all(): readonly LedgerEntry[] {
    return [...this.#entries.values()].flatMap((entries) => [...entries.values()]);
  }

  async #append(text: string, durable: boolean): Promise<void> {
    if (this.#queued === undefined) {
      const queued = { text: "", lines: 0, durable: false, written: this.#last };
      this.#queued = queued;
      queued.written = this.#attempt(async () => {
        this.#queued = undefined;
        await this.#write(queued);
      });
    }
    this.#queued.text += text;
    this.#queued.lines++;
    this.#queued.durable ||= durable;
    await this.#queued.written;
  }

  async #write({ text, lines, durable }: { readonly text: string; readonly lines: number; readonly durable: boolean }): Promise<void> {
    // After a failed write the file lacks lines, or ends in half a line.
    if (this.problem !== undefined) return await this.#rewrite();
    this.#handle ??= await open(this.#file, "a", 0o600);
    await this.#handle.writeFile(text);
    if (durable) await this.#handle.datasync();
    this.#lines += lines;
    if (this.#lines > 1000 && this.#lines > 4 * this.#count()) await this.#rewrite();
  }

  async #rewrite(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    makeDirectory(dirname(this.#file));
    await replaceFile(this.#file, `${encodeHeader()}${this.#all().map((entry) => encodeEntry(entry)).join("")}`, { mode: 0o600 });
    this.#lines = this.#count();
  }

  #attempt(write: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(async () => await this.#tryTo(write));
    return this.#last;
  }

  async #tryTo(write: () => Promise<void>): Promise<void> {
    try {
      await write();
      if (this.problem !== undefined) this.#log.info({ file: this.#file }, "The ledger can be written again");
      this.problem = undefined;
    } catch (error) {
      const { message, isTemporary } = describeStateFault(this.#file, error);
      if (this.problem === undefined) this.#log.error({ err: error, file: this.#file }, "Cannot write the ledger; after a restart inputs are adapted again");
      this.problem = message;
      this.isProblemTemporary = isTemporary;
    }
  }
}
