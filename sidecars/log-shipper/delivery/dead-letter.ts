import { open, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../../kit/clock.ts";
import { fsyncDirectory, makeDirectory } from "../../../kit/files.ts";
import type { Log } from "../../../kit/log.ts";
import { writeDeadLetters, type Burial } from "./dead-letter-line.ts";
import { JsonWriter } from "../sinks/json-writer.ts";

/** Keeps records that a destination will never take. */
export interface DeadLetters {
  /** Resolves when the records are on the disk for good, or when the signal aborts before that; then one or the other may be there. */
  write(burial: Burial, signal: AbortSignal): Promise<"written" | "stopped">;
  /** Why nothing can be written at the moment, or undefined. */
  problem(): string | undefined;
  close(): Promise<void>;
}

type Waiting = { readonly bytes: Buffer; readonly settle: (outcome: "written" | "stopped") => void; settled: boolean };

/**
 * Dead letters as lines of JSON appended to one file. What was written is flushed to the disk (fsync) before it counts. When the disk
 * is full or the file has reached its size, nothing is given up: the records wait, and with them their chunk, until somebody makes
 * room; `problem()` says so. To rotate, move the file away: the next letter goes to a new one. A crash between the flush and the
 * checkpoint gives at most the same line twice (equal `id` and `sink`). A line that a crash has cut off stands alone, so every
 * other line can be read.
 */
export class DeadLetterFile implements DeadLetters {
  readonly #options: { readonly path: string; readonly maxBytes: number; readonly clock: Clock; readonly log: Log };
  readonly #writer = new JsonWriter(4_096);
  readonly #queue: Waiting[] = [];
  readonly #stop = new AbortController();
  #file: FileHandle | undefined;
  #working: Promise<void> | undefined;
  #problem: string | undefined;

  constructor(options: { readonly path: string; readonly maxBytes: number; readonly clock: Clock; readonly log: Log }) {
    this.#options = options;
  }

  async write(burial: Burial, signal: AbortSignal): Promise<"written" | "stopped"> {
    this.#writer.reset();
    writeDeadLetters(this.#writer, burial);
    const { promise, resolve } = Promise.withResolvers<"written" | "stopped">();
    const waiting: Waiting = { bytes: this.#writer.copy(), settle: resolve, settled: false };
    const onAbort = (): void => this.#settle(waiting, "stopped");
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted || this.#stop.signal.aborted) this.#settle(waiting, "stopped");
    else this.#queue.push(waiting);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#working;
    for (const waiting of this.#queue.splice(0)) this.#settle(waiting, "stopped");
    await this.#file?.close();
    this.#file = undefined;
  }

  #settle(waiting: Waiting, outcome: "written" | "stopped"): void {
    waiting.settled = true;
    waiting.settle(outcome);
  }

  /** Writes what waits, one after the other, until nothing does. */
  async #work(): Promise<void> {
    for (let waiting = this.#next(); waiting !== undefined && !this.#stop.signal.aborted; waiting = this.#next()) {
      if (await this.#append(waiting.bytes)) {
        this.#queue.shift();
        this.#settle(waiting, "written");
        continue;
      }
      await this.#options.clock.sleep(retryMs, this.#stop.signal).catch(() => undefined);
    }
  }

  #next(): Waiting | undefined {
    while (this.#queue[0]?.settled === true) this.#queue.shift();
    return this.#queue[0];
  }

  /** False when it could not be written now. */
  async #append(bytes: Buffer): Promise<boolean> {
    const { path, maxBytes } = this.#options;
    try {
      const { file, size } = await this.#current();
      if (size > 0 && size + bytes.length > maxBytes) return this.#hold(`the dead-letter file ${path} is full (${size} of ${maxBytes} bytes); move it away or raise deadLetter.maxBytes. Until then nothing more is delivered past the refused records`);
      try {
        await file.appendFile(bytes);
        await file.sync();
      } catch (error) {
        // What a full disk has taken of the line is taken back; if that fails too, opening it again puts an end to the line.
        await file.truncate(size).catch(() => undefined);
        await this.#forget();
        throw error;
      }
      this.#problem = undefined;
      return true;
    } catch (error) {
      return this.#hold(`cannot write the dead-letter file ${path}: ${error instanceof Error ? error.message : String(error)}; refused records wait until that is mended`);
    }
  }

  #hold(problem: string): false {
    if (this.#problem === undefined) this.#options.log.error({ reason: problem }, "Cannot keep a refused record, so its chunk waits");
    this.#problem = problem;
    return false;
  }

  /** The file of that name as it is now, with its size. */
  async #current(): Promise<{ readonly file: FileHandle; readonly size: number }> {
    const { path } = this.#options;
    if (this.#file !== undefined) {
      const [held, named] = await Promise.all([this.#file.stat({ bigint: true }), stat(path, { bigint: true }).catch(() => undefined)]);
      if (named !== undefined && held.ino === named.ino && held.dev === named.dev) return { file: this.#file, size: Number(held.size) };
      await this.#forget();
    }
    makeDirectory(dirname(path));
    const file = await open(path, "a+", 0o640);
    this.#file = file;
    await fsyncDirectory(dirname(path));
    const { size } = await file.stat();
    if (size === 0) return { file, size };
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    if (buffer[0] === 0x0a) return { file, size };
    await file.appendFile("\n");
    return { file, size: size + 1 };
  }

  async #forget(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }
}

const retryMs = 1_000;
