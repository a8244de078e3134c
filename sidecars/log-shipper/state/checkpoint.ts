import { write } from "node:fs";
import { open, readFile, stat, utimes, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../kit/clock.ts";
import { makeDirectory, replaceFile } from "../../../kit/files.ts";
import type { Log } from "../../../kit/log.ts";
import { encodeRecord, readCheckpoint, type CheckpointRecord, type CheckpointState } from "./checkpoint-log.ts";

/**
 * The checkpoint on disk: `<directory>/positions.log`, appended to and compacted (written anew, fsync, rename) once it is several
 * times as long as its content.
 *
 * An appended record survives the death of this process from the moment `append` resolves; it survives the loss of power after at
 * most `syncEveryMs` more. When the directory cannot be read or written, everything goes on without it: `problem()` tells, and
 * writing is tried again with the whole state every few seconds. What is lost then is only the memory across a restart: the files
 * are read from the start again, and chunks may get other ids.
 */
const compactAtBytes = 1_048_576;
const syncEveryMs = 200;
const retryEveryMs = 5_000;

export class Checkpoint {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onWrite: (outcome: "written" | "failed") => void;
  readonly #state: CheckpointState;
  #file: FileHandle | undefined;
  #bytes = 0;
  #compactAt = compactAtBytes;
  #queued: string[] = [];
  #writing: Promise<void> | undefined;
  #problem: string | undefined;
  #retryAtMs = 0;
  #syncTimer: NodeJS.Timeout | undefined;

  /** Whether nothing was ever saved here before: this is the very first start. */
  readonly isNew: boolean;
  /** When (wall time) a former run last had something to remember; this run's start if there was none. */
  readonly lastWriteMs: number;

  private constructor(options: { readonly directory: string; readonly clock: Clock; readonly log: Log; readonly onWrite: (outcome: "written" | "failed") => void }, state: CheckpointState, before: { readonly isNew: boolean; readonly lastWriteMs: number }) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onWrite = options.onWrite;
    this.#state = state;
    this.isNew = before.isNew;
    this.lastWriteMs = before.lastWriteMs;
  }

  static async open(options: { readonly directory: string; readonly clock: Clock; readonly log: Log; readonly onWrite: (outcome: "written" | "failed") => void }): Promise<Checkpoint> {
    const path = join(options.directory, "positions.log");
    let absent = false;
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      absent = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!absent) options.log.error({ err: error, path }, "Cannot read the saved positions; files are read from the start. Make the state directory readable");
      return "";
    });
    const { state, refused } = readCheckpoint(text);
    if (refused > 0) options.log.warn({ path, refused }, "Passed over damaged records of the saved positions; some lines may be sent again");
    const nowMs = options.clock.nowMs();
    if (absent) state.apply({ kind: "began", ms: nowMs });
    const lastWriteMs = await stat(path).then((stats) => stats.mtimeMs, () => nowMs);
    const checkpoint = new Checkpoint(options, state, { isNew: absent, lastWriteMs });
    await checkpoint.#rewrite();
    // Until something happens in this run, the former one was the last that knew of the files; it may be killed before its first look.
    if (!absent) await utimes(path, lastWriteMs / 1_000, lastWriteMs / 1_000).catch((error: unknown) => options.log.debug({ err: error, path }, "Cannot keep the time of the saved positions"));
    return checkpoint;
  }

  get state(): CheckpointState {
    return this.#state;
  }

  problem(): string | undefined {
    return this.#problem;
  }

  /** Takes the records into the state and resolves once they were written, or could not be. Never rejects. */
  append(...records: readonly CheckpointRecord[]): Promise<void> {
    for (const record of records) {
      this.#state.apply(record);
      this.#queued.push(encodeRecord(record));
    }
    // One write at a time; what is appended meanwhile goes with the next one.
    this.#writing ??= this.#writeQueued();
    return this.#writing;
  }

  /** Writes what is queued, forces it to the disk and closes. */
  async close(): Promise<void> {
    await this.append();
    // The last chance: the volume may have got room again.
    if (this.#problem !== undefined) await this.#rewrite();
    clearTimeout(this.#syncTimer);
    await this.#file?.sync().catch((error: unknown) => this.#failed(error));
    await this.#file?.close();
    this.#file = undefined;
  }

  async #writeQueued(): Promise<void> {
    await Promise.resolve();
    while (this.#queued.length > 0) {
      if (this.#problem !== undefined || this.#bytes > this.#compactAt) {
        this.#queued = [];
        if (this.#problem === undefined || this.#clock.monotonicMs() >= this.#retryAtMs) await this.#rewrite();
        continue;
      }
      const text = this.#queued.join("");
      this.#queued = [];
      try {
        if (this.#file !== undefined) await appendTo(this.#file, text);
        this.#bytes += text.length;
        this.#onWrite("written");
        this.#syncSoon();
      } catch (error) {
        this.#failed(error);
      }
    }
    // In the same turn as the check above, so that no record is queued unseen.
    this.#writing = undefined;
  }

  /** Replaces the log by the shortest one with the same meaning. */
  async #rewrite(): Promise<void> {
    const path = join(this.#directory, "positions.log");
    const text = this.#state.snapshot().map(encodeRecord).join("");
    try {
      await this.#file?.close();
      this.#file = undefined;
      makeDirectory(this.#directory);
      await replaceFile(path, text);
      this.#file = await open(path, "a");
      this.#bytes = text.length;
      this.#compactAt = Math.max(compactAtBytes, text.length * 4);
      if (this.#problem !== undefined) this.#log.info({ path }, "Positions are saved again");
      this.#problem = undefined;
      this.#onWrite("written");
    } catch (error) {
      this.#failed(error);
    }
  }

  #syncSoon(): void {
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      this.#file?.sync().catch((error: unknown) => this.#failed(error));
    }, syncEveryMs).unref();
  }

  #failed(error: unknown): void {
    this.#onWrite("failed");
    this.#retryAtMs = this.#clock.monotonicMs() + retryEveryMs;
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#problem === undefined) this.#log.error({ err: error, directory: this.#directory }, "Cannot save positions; shipping goes on, but a restart would send lines again. Free or mount the state directory (an emptyDir) writable");
    this.#problem = `positions are not saved: ${reason}`;
  }
}

/** As `appendFile` of the handle, at a fraction of its cost: this runs twice for every chunk. */
async function appendTo(file: FileHandle, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    done += await new Promise<number>((resolve, reject) => {
      write(file.fd, bytes, done, bytes.length - done, null, (error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }
}
