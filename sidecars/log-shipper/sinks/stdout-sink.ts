import { destination } from "pino";
import { backoffDelayMs, type Backoff } from "../../../kit/backoff.ts";
import type { Clock, Random } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import type { Chunk } from "../delivery/chunk.ts";
import { JsonLines } from "./json-lines.ts";
import { delivered, stopped, type Delivery, type Sink } from "./sink.ts";

type Stream = ReturnType<typeof destination>;

/**
 * Records as JSON lines on a file descriptor (1 = standard output; our own diagnostics are on 2), written by pino's asynchronous
 * destination. A chunk is delivered when all its bytes were handed to the kernel; what a full pipe refuses waits, what a broken one
 * refuses is tried again. Not promised: that whoever reads the pipe has read or kept them.
 *
 * The word for "all was written" is the destination's event `drain`, with one chunk in it at a time. Its `flush` calls back at once,
 * with bytes still to be written; and after a broken pipe it takes no more, so a new one is made.
 */
export class StdoutSink implements Sink {
  readonly name: string;
  readonly #options: { readonly fd?: number; readonly backoff: Backoff; readonly clock: Clock; readonly random: Random; readonly log: Pick<Log, "info" | "warn"> };
  readonly #json = new JsonLines();
  readonly #stop = new AbortController();
  readonly #stopped: Promise<Delivery>;
  #turn: Promise<unknown> = Promise.resolve();
  #stream: Stream | undefined;
  #problem: string | undefined;

  /** Another descriptor than 1 and 2 is closed at the end. */
  constructor(options: { readonly name: string; readonly fd?: number; readonly backoff: Backoff; readonly clock: Clock; readonly random: Random; readonly log: Pick<Log, "info" | "warn"> }) {
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
    // Or it would, at exit, wait for a full pipe for ever.
    this.#stream?.destroy();
    return Promise.resolve();
  }

  async #write(chunk: Chunk): Promise<Delivery> {
    const { fd, backoff, clock, random, log } = this.#options;
    if (this.#stop.signal.aborted) return stopped;
    const text = this.#json.lines(chunk).toString("utf8");
    if (text === "") return delivered;
    for (let failures = 0, next = text; ; failures++) {
      this.#stream ??= destination({ dest: fd ?? 1, sync: false, retryEAGAIN: () => !this.#stop.signal.aborted });
      const outcome = await written(this.#stream, next);
      if (this.#stop.signal.aborted) return stopped;
      if (outcome === "written") {
        if (this.#problem !== undefined) log.info({ sink: this.name }, "Standard output can be written again");
        this.#problem = undefined;
        return delivered;
      }
      if (this.#problem === undefined) log.warn({ err: outcome, sink: this.name }, "Cannot write to standard output; it is tried again for ever, and nothing is lost meanwhile");
      this.#problem = `cannot write to standard output: ${outcome.message}`;
      const broken = "code" in outcome && outcome.code === "EPIPE";
      // What it holds is written on with the next write, also an empty one; whoever read a broken pipe has lost what was in it.
      if (broken) this.#stream = undefined;
      next = broken ? text : "";
      await clock.sleep(backoffDelayMs(backoff, failures, random), this.#stop.signal).catch(() => undefined);
      if (this.#stop.signal.aborted) return stopped;
    }
  }
}

/** Resolves when the destination has nothing left to write, or with what went wrong. */
function written(stream: Stream, text: string): Promise<"written" | Error> {
  return new Promise((resolve) => {
    const onDrain = (): void => settle("written");
    const onError = (error: Error): void => settle(error);
    const settle = (outcome: "written" | Error): void => {
      stream.off("drain", onDrain);
      // The destination reports an error that it does not know twice, the second time to nobody else.
      setImmediate(() => stream.off("error", onError));
      resolve(outcome);
    };
    stream.on("drain", onDrain);
    stream.on("error", onError);
    stream.write(text);
  });
}
