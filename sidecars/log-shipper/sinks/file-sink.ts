import { open, rename, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { backoffDelayMs, type Backoff } from "../../../kit/backoff.ts";
import type { Clock, Random } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import { fsyncDirectory, makeDirectory } from "../../../kit/files.ts";
import type { Chunk } from "../delivery/chunk.ts";
import { JsonLines } from "./json-lines.ts";
import { delivered, stopped, type Delivery, type Sink } from "./sink.ts";

export type FileSinkOptions = {
  readonly name: string;
  readonly path: string;
  /** 0 = never rotated by us. */
  readonly rotateBytes: number;
  /** How many rotated files are kept. */
  readonly keep: number;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, "info" | "warn">;
};

/** `bytes` is where the next write begins; `ino` and `dev` tell whether the path still leads here. */
type OpenFile = { readonly handle: FileHandle; readonly dev: bigint; readonly ino: bigint; bytes: number };

/**
 * Records as JSON lines appended to a file. A chunk is delivered when it was written and flushed to the disk (fdatasync; for a new
 * file also its directory). A failed write is taken back and tried again for ever; a chunk may stand in the file twice after a crash.
 * Every line can be read: what a crash cut off stands alone.
 *
 * The file may be renamed, deleted or truncated by others at any time (logrotate with `create` or `copytruncate`; no signal is
 * needed): before each chunk the path is looked at, and the next chunk goes to a new file. With `rotateBytes` it is rotated here.
 * Not promised: anything about what somebody deletes or truncates, nor about rotated files beyond `keep`.
 */
export class FileSink implements Sink {
  readonly name: string;
  readonly #options: FileSinkOptions;
  readonly #json = new JsonLines();
  readonly #stop = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();
  #file: OpenFile | undefined;
  #problem: string | undefined;

  constructor(options: FileSinkOptions) {
    this.name = options.name;
    this.#options = options;
  }

  deliver(chunk: Chunk): Promise<Delivery> {
    const turn = this.#turn.then(() => this.#write(chunk));
    this.#turn = turn;
    return turn;
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#turn;
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  async #write(chunk: Chunk): Promise<Delivery> {
    const { path, backoff, clock, random, log } = this.#options;
    const lines = this.#json.lines(chunk);
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      try {
        await this.#append(lines);
        if (this.#problem !== undefined) log.info({ sink: this.name, path }, "The file can be written again");
        this.#problem = undefined;
        return delivered;
      } catch (error) {
        const problem = `cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`;
        if (this.#problem !== problem) log.warn({ err: error, sink: this.name, path }, "Cannot write the sink's file; it is tried again for ever, and nothing is lost meanwhile");
        this.#problem = problem;
        await clock.sleep(backoffDelayMs(backoff, attempt, random), this.#stop.signal).catch(() => undefined);
      }
    }
    return stopped;
  }

  async #append(lines: Buffer): Promise<void> {
    const file = await this.#current(lines.length);
    try {
      await file.handle.appendFile(lines);
      await file.handle.datasync();
      file.bytes += lines.length;
    } catch (error) {
      // A part may have been written. If it cannot be taken back, the next opening ends its line.
      await file.handle.truncate(file.bytes).catch(() => undefined);
      await this.#forget();
      throw error;
    }
  }

  /** The file at the path, with room for so many bytes. */
  async #current(more: number): Promise<OpenFile> {
    const { path, rotateBytes } = this.#options;
    const there = await stat(path, { bigint: true }).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    });
    if (this.#file !== undefined && (there?.ino !== this.#file.ino || there.dev !== this.#file.dev)) await this.#forget();
    if (this.#file !== undefined && there !== undefined) this.#file.bytes = Number(there.size);
    this.#file ??= await this.#open();
    if (rotateBytes === 0 || this.#file.bytes === 0 || this.#file.bytes + more <= rotateBytes) return this.#file;
    await this.#forget();
    await this.#rotate();
    this.#file = await this.#open();
    return this.#file;
  }

  async #open(): Promise<OpenFile> {
    const { path } = this.#options;
    makeDirectory(dirname(path));
    const handle = await open(path, "a+");
    try {
      const { dev, ino, size } = await handle.stat({ bigint: true });
      const file: OpenFile = { handle, dev, ino, bytes: Number(size) };
      if (file.bytes === 0) await fsyncDirectory(dirname(path));
      else if (!(await endsWithNewline(file))) {
        await handle.appendFile("\n");
        file.bytes++;
      }
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** path.4 becomes path.5, and so on; one that is not there is passed over. */
  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    for (let index = keep; index > 0; index--) {
      await rename(index === 1 ? path : `${path}.${index - 1}`, `${path}.${index}`).catch((error: unknown) => {
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      });
    }
    await fsyncDirectory(dirname(path));
  }

  async #forget(): Promise<void> {
    const handle = this.#file?.handle;
    this.#file = undefined;
    await handle?.close().catch(() => undefined); // what was delivered was flushed before
  }
}

async function endsWithNewline({ handle, bytes }: OpenFile): Promise<boolean> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, bytes - 1);
  return buffer[0] === 0x0a;
}
