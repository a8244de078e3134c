import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock } from "../../../../kit/clock.ts";
import type { FromWorker, ToWorker, WorkerSettings } from "./worker-messages.ts";

/** The worker's program: beside this file or, in an image, beside the bundle. */
function workerFile(): string {
  const here = import.meta.filename;
  return join(dirname(here), here.endsWith(".cjs") ? "fluent-logger-worker.cjs" : "worker.ts");
}

/** A chunk of the largest size takes a multiple of it as objects. */
const heapMegabytesMax = 256;
/** What the start of a thread may take on a busy machine. */
const beginMsMax = 10_000;

export type SenderThreadOptions = { readonly settings: Omit<WorkerSettings, "beatMs">; readonly heartbeatMs: number; readonly clock: Clock };

/** A thread with a sender of fluent-logger. Any doubt ends it: an error, an exception, no sign of life for `heartbeatMs`. */
export class SenderThread {
  readonly #worker: Worker;
  readonly #options: SenderThreadOptions;
  readonly #over = new AbortController();
  /** Resolves with the reason once the thread is gone. Never rejects. */
  readonly ended: Promise<string>;
  #end: (reason: string) => void = () => undefined;
  #lastSignMs: number;
  #waiting: { readonly id: number; readonly sent: () => void } | undefined;
  #nextId = 0;
  /** Resolved by its first sign of life. */
  readonly #begun = Promise.withResolvers<void>();
  #hasBegun = false;

  constructor(options: SenderThreadOptions) {
    this.#options = options;
    this.#lastSignMs = options.clock.monotonicMs();
    const workerData: WorkerSettings = { ...options.settings, beatMs: Math.max(20, options.heartbeatMs / 5) };
    const worker = new Worker(workerFile(), { workerData, resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax }, stdout: true, stderr: true });
    this.#worker = worker;
    this.ended = new Promise((resolve) => {
      this.#end = (reason) => {
        this.#end = () => undefined;
        this.#over.abort(new Error(reason));
        void worker.terminate().then(() => resolve(reason), () => resolve(reason));
      };
    });
    worker.on("message", (message: FromWorker) => this.#heard(message));
    worker.on("error", (error) => this.#end(`fluent-logger has thrown: ${error instanceof Error ? error.message : String(error)}`));
    worker.on("exit", () => this.#end("the thread of fluent-logger has ended"));
    void this.#watch();
  }

  /**
   * Sends one chunk; one at a time. Resolves once fluent-logger says that it is sent, or with what went wrong: then the thread ends.
   * The time counts from when the thread has begun.
   */
  async send(tag: string, entries: Uint8Array, timeoutMs: number): Promise<"sent" | { readonly failed: string }> {
    await Promise.race([this.#begun.promise, this.ended]);
    const id = this.#nextId++;
    const sent = new Promise<"sent">((resolve) => (this.#waiting = { id, sent: () => resolve("sent") }));
    const copy = Uint8Array.from(entries);
    const message: ToWorker = { id, tag, entries: copy };
    this.#worker.postMessage(message, [copy.buffer]);
    const timer = new AbortController();
    const late = this.#options.clock.sleep(timeoutMs, timer.signal).then(() => this.#end(`fluent-logger has not delivered a chunk within ${timeoutMs} ms`), () => undefined);
    const outcome = await Promise.race([sent, this.ended]);
    timer.abort();
    await late;
    return outcome === "sent" ? "sent" : { failed: outcome };
  }

  async terminate(): Promise<void> {
    this.#end("stopped");
    await this.ended;
  }

  #heard(message: FromWorker): void {
    this.#lastSignMs = this.#options.clock.monotonicMs();
    this.#hasBegun = true;
    this.#begun.resolve();
    if (message.kind === "failed") this.#end(`fluent-logger: ${message.reason}`);
    if (message.kind === "sent" && message.id === this.#waiting?.id) this.#waiting.sent();
  }

  async #watch(): Promise<void> {
    const { clock, heartbeatMs } = this.#options;
    while (!this.#over.signal.aborted) {
      await clock.sleep(heartbeatMs / 5, this.#over.signal).catch(() => undefined);
      const longestMs = this.#hasBegun ? heartbeatMs : heartbeatMs + beginMsMax;
      if (clock.monotonicMs() - this.#lastSignMs <= longestMs) continue;
      // Perhaps it was we who stood still: what it has said meanwhile comes first.
      await new Promise((resolve) => void setImmediate(resolve));
      if (clock.monotonicMs() - this.#lastSignMs > longestMs) this.#end(`the thread of fluent-logger gave no sign of life for ${longestMs} ms`);
    }
  }
}
