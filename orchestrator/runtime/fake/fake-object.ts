import type { Clock } from "../../../kit/clock.ts";
import type { ContainerSpec, Labels, LogChunk, LogOptions, RuntimeState, SandboxSpec } from "../runtime.ts";
import type { FakeBehaviour } from "./script.ts";

type LogLine = LogChunk & { readonly atMs: number };

/** A sandbox or container with its one simulated process. It knows nothing of the engine: `onExit` tells the engine. */
export class FakeObject {
  readonly id: string;
  readonly createdAtMs: number;
  readonly spec: { readonly kind: "sandbox"; readonly spec: SandboxSpec } | { readonly kind: "container"; readonly spec: ContainerSpec };
  readonly behaviour: FakeBehaviour;
  state: RuntimeState = { kind: "created" };
  ip: string | undefined;
  readonly #clock: Clock;
  readonly #onExit: (object: FakeObject) => void;
  readonly #log: LogLine[] = [];
  #changed = Promise.withResolvers<void>();
  #run = new AbortController();

  constructor(o: { id: string; clock: Clock; spec: FakeObject["spec"]; behaviour: FakeBehaviour; onExit: (object: FakeObject) => void }) {
    this.id = o.id;
    this.spec = o.spec;
    this.behaviour = o.behaviour;
    this.#clock = o.clock;
    this.#onExit = o.onExit;
    this.createdAtMs = o.clock.nowMs();
  }

  get name(): string {
    return this.spec.spec.name;
  }

  get labels(): Labels {
    return this.spec.spec.labels;
  }

  get running(): boolean {
    return this.state.kind === "running";
  }

  start(pid: number): void {
    this.#run = new AbortController();
    this.state = { kind: "running", startedAtMs: this.#clock.nowMs(), pid };
    for (const { stream, text, afterMs } of this.behaviour.output ?? []) this.#later(afterMs ?? 0, () => this.#write(stream, text));
    const { exitAfterMs, oomKilled, exitCode } = this.behaviour;
    if (exitAfterMs !== undefined) this.#later(exitAfterMs, () => this.exit(oomKilled === true ? 137 : (exitCode ?? 0), { oomKilled: oomKilled === true }));
  }

  terminate(): void {
    const { ignoresSigterm, sigtermDelayMs, sigtermExitCode } = this.behaviour;
    if (ignoresSigterm !== true) this.#later(sigtermDelayMs ?? 0, () => this.exit(sigtermExitCode ?? 143));
  }

  /** No effect on a process that does not run. */
  exit(exitCode: number, o: { oomKilled?: boolean } = {}): void {
    if (this.state.kind !== "running") return;
    this.state = { kind: "exited", exitCode, startedAtMs: this.state.startedAtMs, finishedAtMs: this.#clock.nowMs(), oomKilled: o.oomKilled === true, error: "" };
    this.ip = undefined;
    this.#run.abort();
    this.#announceChange();
    this.#onExit(this);
  }

  /** Resolves true when it no longer runs, false when the time is over first. Rejects with the signal's reason. */
  async ended(withinMs: number | "ever", signal?: AbortSignal): Promise<boolean> {
    if (!this.running) return true;
    const timer = new AbortController();
    const either = signal === undefined ? timer.signal : AbortSignal.any([signal, timer.signal]);
    const deadline = withinMs === "ever" ? new Promise<"late">(() => {}) : this.#clock.sleep(withinMs, either).then(() => "late" as const, () => "late" as const);
    const aborted = signal === undefined ? new Promise<never>(() => {}) : rejectOnAbort(signal);
    try {
      while (this.running) {
        if ((await Promise.race([this.#changed.promise, deadline, aborted])) === "late") return !this.running;
      }
      return true;
    } finally {
      timer.abort();
    }
  }

  async *logs(options: LogOptions): AsyncGenerator<LogChunk> {
    const { sinceMs, tailLines } = options;
    const past = this.#log.filter((line) => sinceMs === undefined || line.atMs >= sinceMs);
    for (const line of tailLines === undefined ? past : past.slice(Math.max(0, past.length - tailLines))) yield stamped(line, options.timestamps);
    const aborted = options.signal === undefined ? new Promise<never>(() => {}) : rejectOnAbort(options.signal).catch(() => "aborted" as const);
    let next = this.#log.length;
    while (options.follow && options.signal?.aborted !== true) {
      for (; next < this.#log.length; next += 1) {
        const line = this.#log[next];
        if (line !== undefined) yield stamped(line, options.timestamps);
      }
      if (!this.running) return;
      if ((await Promise.race([this.#changed.promise, aborted])) === "aborted") return;
    }
  }

  #write(stream: "stdout" | "stderr", text: string): void {
    this.#log.push({ stream, bytes: Buffer.from(text), atMs: this.#clock.nowMs() });
    this.#announceChange();
  }

  #announceChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Work of the running process; dropped when it ends. */
  #later(afterMs: number, work: () => void): void {
    const { signal } = this.#run;
    if (afterMs === 0) {
      work();
      return;
    }
    this.#clock.sleep(afterMs, signal).then(work, (error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

function stamped(line: LogLine, timestamps: boolean): LogChunk {
  const bytes = timestamps ? Buffer.concat([Buffer.from(`${new Date(line.atMs).toISOString()} `), line.bytes]) : line.bytes;
  return { stream: line.stream, bytes };
}

async function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
