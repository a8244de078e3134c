import type { Clock } from "../../../../kit/clock.ts";
import type { Log } from "../../../../kit/log.ts";
import type { Chunk } from "../../delivery/chunk.ts";
import type { DeadLetters } from "../../delivery/dead-letter.ts";
import { delivered, stopped, type Delivery, type Sink } from "../sink.ts";
import type { Refusal, Verdict } from "./answer.ts";
import { compress, type Compression } from "./compress.ts";
import { allRecords, type HttpEncoder } from "./encoder.ts";
import type { Endpoints } from "./endpoints.ts";
import { Slots } from "./slots.ts";
import type { Transport } from "./transport.ts";

/**
 * Delivery by HTTP, at least once: records are delivered when the destination has said so. Never gives up on an outage, nor on a
 * fault that a person can mend (credentials, paths): those stand in `problem()` with the remedy. Too much at once is halved. A
 * request that is refused for what is in it is divided until the refused record stands alone; that one goes to the dead letters
 * and the others are delivered. While a request is tried again its bytes stay the same.
 *
 * Not promised: the order of chunks, since several requests are under way at once; and that a destination without ids for records
 * (Splunk) stores each once when an answer was lost.
 */
export type HttpSinkOptions = {
  readonly name: string;
  readonly encoder: HttpEncoder;
  readonly endpoints: Endpoints;
  /** Called once, at the first request: only a sink that has something to send loads an HTTP client. */
  readonly openTransport: () => Promise<Transport>;
  readonly compression: Compression;
  /** Requests under way at once. */
  readonly requestsMax: number;
  /** Largest body before compression; a chunk that makes more is divided. A single record may be larger. */
  readonly bodyBytesMax: number;
  /** Waits until the destination confirms what it has taken; "lost" when it does not in time. For destinations whose verdict can be "unconfirmed". */
  readonly confirm?: (request: { readonly transport: Transport; readonly endpoint: number; readonly ackId: number; readonly signal: AbortSignal }) => Promise<"confirmed" | "lost">;
  readonly deadLetters: DeadLetters;
  /** What stands in the way beside the destination's answers. */
  readonly otherProblem: () => string | undefined;
  /** Takes secrets out of what a server said. */
  readonly redact: (text: string) => string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onEvent: (event: "acked" | "resent") => void;
};

/** Every so many refused records in a row, with nothing delivered between them, the settings are suspect. */
const suspectRefusals = 100;

type Settled = { readonly verdict: Exclude<Verdict, { kind: "retry" }>; readonly endpoint: number };
type Task = { readonly chunk: Chunk; readonly work: (readonly number[])[]; readonly deadLettered: number[] };

export class HttpSink implements Sink {
  readonly name: string;
  readonly #options: HttpSinkOptions;
  readonly #stop = new AbortController();
  readonly #slots: Slots;
  readonly #underWay = new Set<Promise<unknown>>();
  #transport: Promise<Transport> | undefined;
  #problem: string | undefined;
  #failures = 0;
  #refusedInARow = 0;
  /** What a chunk may have in MessagePack before its body is known to be too much; learned from answers 413. */
  #entryBytesMax = Infinity;

  constructor(options: HttpSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.#slots = new Slots(options.requestsMax);
  }

  async deliver(chunk: Chunk): Promise<Delivery> {
    const delivery = this.#deliver(chunk);
    this.#underWay.add(delivery);
    try {
      return await delivery;
    } finally {
      this.#underWay.delete(delivery);
    }
  }

  problem(): string | undefined {
    return this.#problem ?? this.#options.otherProblem();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await Promise.allSettled(this.#underWay);
    await (await this.#transport?.catch(() => undefined))?.close();
  }

  async #deliver(chunk: Chunk): Promise<Delivery> {
    await this.#slots.take();
    const task: Task = { chunk, work: this.#pieces(chunk), deadLettered: [] };
    try {
      for (let chosen = task.work.pop(); chosen !== undefined; chosen = task.work.pop()) {
        const settled = await this.#request(chunk, chosen);
        if (settled === undefined) return stopped;
        if (!(await this.#settle(task, chosen, settled))) return stopped;
      }
    } finally {
      this.#slots.release();
    }
    this.#options.onEvent("acked");
    return task.deadLettered.length === 0 ? delivered : { kind: "delivered", deadLettered: task.deadLettered.toSorted((left, right) => left - right) };
  }

  /** The chunk's records, divided if so many bytes at once are known to be too much; the first piece is last. */
  #pieces(chunk: Chunk): (readonly number[])[] {
    const all = allRecords(chunk);
    const count = Math.min(all.length, Math.max(1, Math.ceil(chunk.entries.length / this.#entryBytesMax)));
    const size = Math.ceil(all.length / count);
    return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size)).toReversed();
  }

  /** Does what a verdict asks for. False when the sink was told to stop. */
  async #settle(task: Task, chosen: readonly number[], { verdict, endpoint }: Settled): Promise<boolean> {
    switch (verdict.kind) {
      case "delivered":
        this.#refusedInARow = 0;
        return true;
      case "unconfirmed":
        return await this.#confirm(task, chosen, endpoint, verdict.ackId);
      case "tooLarge":
        if (chosen.length > 1) this.#learnSize(task.chunk, chosen.length);
        return await this.#divide(task, chosen, { position: 0, status: 413, reason: verdict.reason }, undefined);
      case "refused":
        if (verdict.all === true) return await this.#bury(task, chosen, chosen.map((_, position) => ({ position, status: verdict.status, reason: verdict.reason })));
        return await this.#divide(task, chosen, { position: 0, status: verdict.status, reason: verdict.reason }, verdict.at);
      case "items":
        if (verdict.again.length + verdict.refused.length < chosen.length) this.#refusedInARow = 0;
        if (verdict.again.length > 0) task.work.push(verdict.again.flatMap((position) => chosen[position] ?? []));
        return await this.#bury(task, chosen, verdict.refused);
    }
  }

  /** Halves, or takes a single record out. With `at`, that record is asked for alone. */
  async #divide(task: Task, chosen: readonly number[], refusal: Refusal, at: number | undefined): Promise<boolean> {
    if (chosen.length === 1) return await this.#bury(task, chosen, [refusal]);
    const middle = chosen.length >> 1;
    const cuts = at === undefined || at >= chosen.length ? [0, middle, chosen.length] : [0, at, at + 1, chosen.length];
    for (let index = cuts.length - 1; index > 0; index--) {
      const piece = chosen.slice(cuts[index - 1], cuts[index]);
      if (piece.length > 0) task.work.push(piece);
    }
    return true;
  }

  #learnSize(chunk: Chunk, records: number): void {
    const bytes = (chunk.entries.length * records) / Math.max(1, chunk.records);
    this.#entryBytesMax = Math.min(this.#entryBytesMax, Math.max(1_024, bytes / 2));
  }

  async #bury(task: Task, chosen: readonly number[], refusals: readonly Refusal[]): Promise<boolean> {
    const { deadLetters, redact, name } = this.#options;
    if (refusals.length === 0) return true;
    const letters = refusals.flatMap(({ position, status, reason }) => {
      const index = chosen[position];
      return index === undefined ? [] : [{ index, status, reason: redact(reason) }];
    });
    const outcome = await deadLetters.write({ sink: name, chunk: task.chunk, letters }, this.#stop.signal);
    if (outcome === "stopped") return false;
    for (const { index } of letters) task.deadLettered.push(index);
    this.#refusedInARow += letters.length;
    const [first] = letters;
    if (this.#refusedInARow >= suspectRefusals && first !== undefined) this.#problem = `the destination has refused ${this.#refusedInARow} records in a row, which went to the dead letters (${first.reason}); check the sink's endpoints, path and settings`;
    return true;
  }

  async #confirm(task: Task, chosen: readonly number[], endpoint: number, ackId: number): Promise<boolean> {
    const { confirm } = this.#options;
    const transport = await this.#transport;
    if (confirm === undefined || transport === undefined) return true;
    // Confirmations take seconds; others may send meanwhile.
    this.#slots.release();
    const outcome = await confirm({ transport, endpoint, ackId, signal: this.#stop.signal });
    await this.#slots.take();
    if (this.#stop.signal.aborted) return false;
    if (outcome === "confirmed") {
      this.#refusedInARow = 0;
      return true;
    }
    this.#problem = "the destination took records and did not confirm that they are stored; sending them again";
    this.#options.onEvent("resent");
    task.work.push(chosen);
    return true;
  }

  /** One request, until there is an answer that settles something. Undefined when the sink was told to stop. */
  async #request(chunk: Chunk, chosen: readonly number[]): Promise<Settled | undefined> {
    const { encoder, compression, endpoints, clock, bodyBytesMax } = this.#options;
    const plain = encoder.encode(chunk, chosen);
    if (plain.length > bodyBytesMax && chosen.length > 1) return { verdict: { kind: "tooLarge", reason: "above requestMaxBytes" }, endpoint: 0 };
    const body = await compress(plain, compression);
    const headers = { ...encoder.headers, "content-type": encoder.contentType, ...(compression === "none" ? {} : { "content-encoding": compression }) };
    const request = { path: encoder.path, headers, body, answerBytesMax: encoder.answerBytesMax };
    for (let sends = 0; !this.#stop.signal.aborted; ) {
      const { index, waitMs } = endpoints.pick(clock.monotonicMs());
      if (waitMs > 0) {
        await clock.sleep(waitMs, this.#stop.signal).catch(() => undefined);
        continue;
      }
      if (sends++ > 0) this.#options.onEvent("resent");
      const startedMs = clock.monotonicMs();
      const verdict = await this.#ask(index, request, chosen.length);
      if (this.#stop.signal.aborted && verdict.kind === "retry") return undefined;
      if (verdict.kind === "retry") {
        this.#failed(index, startedMs, verdict);
        continue;
      }
      // The server works, and is not to be asked again at once for what it had no room for.
      if (verdict.kind === "items" && verdict.again.length > 0) this.#failed(index, startedMs, { kind: "retry", fault: verdict.fault, reason: verdict.reason });
      else this.#succeeded(index);
      return { verdict, endpoint: index };
    }
    return undefined;
  }

  async #ask(endpoint: number, request: Parameters<Transport["send"]>[1], count: number): Promise<Verdict> {
    const { encoder, clock } = this.#options;
    try {
      this.#transport ??= this.#options.openTransport();
      const answer = await (await this.#transport).send(endpoint, request, this.#stop.signal);
      return encoder.judge(answer, count, clock.nowMs());
    } catch (error) {
      return { kind: "retry", fault: "outage", reason: connectionFault(error) };
    }
  }

  #succeeded(endpoint: number): void {
    this.#options.endpoints.succeeded(endpoint);
    if (this.#failures > 0) this.#options.log.info({ sink: this.name, failures: this.#failures }, "The log destination takes records again");
    this.#failures = 0;
    if (this.#refusedInARow < suspectRefusals) this.#problem = undefined;
  }

  #failed(endpoint: number, startedMs: number, verdict: Extract<Verdict, { kind: "retry" }>): void {
    const { clock, endpoints, log, redact, name } = this.#options;
    const restMs = endpoints.failed(endpoint, startedMs, clock.monotonicMs(), verdict.afterMs);
    const reason = redact(verdict.reason);
    this.#problem = reason;
    this.#failures++;
    // The first failure and every hundredth: an outage of hours must not fill the log.
    if (this.#failures % 100 === 1) log.warn({ sink: name, endpoint, fault: verdict.fault, reason, restMs: Math.round(restMs), failures: this.#failures }, "The log destination did not take records; keeping everything and trying again");
  }
}

/** The reason as the system gives it; several addresses of one name that all failed come as one error with many. */
function connectionFault(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(connectionFault).join("; ");
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" && !error.message.includes(error.code) ? ` (${error.code})` : "";
  return `${error.message === "" ? error.name : error.message}${code}`;
}
