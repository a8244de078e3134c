import { write } from "node:fs";
import { backoffDelayMs, type Backoff } from "../../../kit/backoff.ts";
import type { Clock, Random } from "../../../kit/clock.ts";
import type { Chunk } from "../chunk.ts";
import { jsonLines } from "./decode-entries.ts";
import { delivered, stopped, type Delivery, type Sink } from "./sink.ts";

/**
 * Records as JSON lines on a file descriptor (1 = standard output; our own diagnostics are on 2). A chunk is
 * delivered when all its bytes were handed to the kernel; what a full or broken pipe refuses is tried again. Not promised: that
 * whoever reads the pipe has read or kept them.
 *
 * Not through pino: the flush of its asynchronous destination calls back while bytes are still in its buffer, and its line without
 * a level is not JSON.
 */
export class StdoutSink implements Sink {
  readonly name: string;
  readonly #options: { readonly fd?: number; readonly backoff: Backoff; readonly clock: Clock; readonly random: Random };
  readonly #stop = new AbortController();
  readonly #stopped: Promise<Delivery>;
  #turn: Promise<unknown> = Promise.resolve();
  #problem: string | undefined;

  constructor(options: { readonly name: string; readonly fd?: number; readonly backoff: Backoff; readonly clock: Clock; readonly random: Random }) {
    this.name = options.name;
    this.#options = options;
    const stopping = Promise.withResolvers<Delivery>();
    this.#stopped = stopping.promise;
    this.#stop.signal.addEventListener("abort", () => stopping.resolve(stopped), { once: true });
  }

  deliver(chunk: Chunk): Promise<Delivery> {
    const turn = this.#turn.then(() => this.#write(chunk));
    this.#turn = turn;
    // A write into a full pipe may hang for ever; the end does not wait for it.
    return Promise.race([turn, this.#stopped]);
  }

  problem(): string | undefined {
    return this.#problem;
  }

  close(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    return Promise.resolve();
  }

  async #write(chunk: Chunk): Promise<Delivery> {
    const { fd, backoff, clock, random } = this.#options;
    const bytes = Buffer.from(jsonLines(chunk));
    let failures = 0;
    for (let at = 0; at < bytes.length; ) {
      if (this.#stop.signal.aborted) return stopped;
      try {
        at += await writeSome(fd ?? 1, bytes, at);
        failures = 0;
        this.#problem = undefined;
      } catch (error) {
        const full = error instanceof Error && "code" in error && error.code === "EAGAIN";
        if (!full) this.#problem = `cannot write to standard output: ${error instanceof Error ? error.message : String(error)}`;
        await clock.sleep(full ? fullPipeWaitMs : backoffDelayMs(backoff, failures++, random), this.#stop.signal).catch(() => undefined);
      }
    }
    return delivered;
  }
}

const fullPipeWaitMs = 10;

function writeSome(fd: number, bytes: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, at, bytes.length - at, null, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
