import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { backoffDelayMs, type Backoff } from "../../../kit/backoff.ts";
import type { Clock, Random } from "../../../kit/clock.ts";
import type { Chunk } from "../chunk.ts";
import { jsonLines } from "./decode-entries.ts";
import { delivered, stopped, type Delivery, type Sink } from "./sink.ts";

/**
 * Records as JSON lines appended to a file. A chunk is delivered when it was written and flushed to the disk (fdatasync); a failed
 * write is tried again for ever, so a chunk may stand in the file twice. The file is not rotated.
 */
export class FileSink implements Sink {
  readonly name: string;
  readonly #options: { readonly path: string; readonly backoff: Backoff; readonly clock: Clock; readonly random: Random };
  readonly #stop = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();
  #file: FileHandle | undefined;
  #problem: string | undefined;

  constructor(options: { readonly name: string; readonly path: string; readonly backoff: Backoff; readonly clock: Clock; readonly random: Random }) {
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
    await this.#file?.close();
  }

  async #write(chunk: Chunk): Promise<Delivery> {
    const { path, backoff, clock, random } = this.#options;
    const text = jsonLines(chunk);
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      try {
        this.#file ??= await this.#open(path);
        await this.#file.appendFile(text);
        await this.#file.datasync();
        this.#problem = undefined;
        return delivered;
      } catch (error) {
        this.#problem = `cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`;
        await clock.sleep(backoffDelayMs(backoff, attempt, random), this.#stop.signal).catch(() => undefined);
      }
    }
    return stopped;
  }

  async #open(path: string): Promise<FileHandle> {
    await mkdir(dirname(path), { recursive: true });
    return await open(path, "a");
  }
}
