import type { Clock, Random } from "../../../kit/clock.ts";
import type { Container, Probe } from "../../api/types/pod.ts";
import type { ProbeResults } from "../pod-lifecycle/observed.ts";
import { freshProbe, recordOutcome, unhealthyMessage, type ProbeKind, type ProbeOutcome } from "./probe-state.ts";

export type ProbeSubject = { readonly containerId: string; readonly container: Container; readonly startedAtMs: number; readonly startupPassed: boolean };
export type ProberOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly run: (probe: Probe, subject: ProbeSubject) => Promise<ProbeOutcome>;
  readonly onResult: () => void;
  readonly onUnhealthy: (subject: ProbeSubject, message: string) => void;
};

/**
 * The probes of one Pod: per container and kind one loop that ends with the container. Startup comes first; readiness and liveness begin when
 * it has passed. The first try of a fresh container comes right after initialDelaySeconds; a container found running by a new agent
 * is probed after a random part of the period, so that a restart does not probe everything at once.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #results = new Map<string, ProbeResults>();
  readonly #loops = new Map<string, AbortController>();
  readonly #startedMs: number;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
  }

  get results(): ReadonlyMap<string, ProbeResults> {
    return this.#results;
  }

  /** Probes exactly these containers from now on. */
  follow(subjects: readonly ProbeSubject[]): void {
    const wanted = new Set(subjects.map((subject) => subject.containerId));
    for (const [id, loop] of this.#loops) {
      if (wanted.has(id)) continue;
      loop.abort();
      this.#loops.delete(id);
      this.#results.delete(id);
    }
    for (const subject of subjects) {
      if (this.#loops.has(subject.containerId)) continue;
      const loop = new AbortController();
      this.#loops.set(subject.containerId, loop);
      void this.#probeAll(subject, loop.signal).catch(() => undefined); // ends only by the abort
    }
  }

  stop(): void {
    this.follow([]);
  }

  async #probeAll(subject: ProbeSubject, signal: AbortSignal): Promise<void> {
    const { startupProbe, readinessProbe, livenessProbe } = subject.container;
    if (startupProbe !== undefined && !subject.startupPassed) await this.#loop("startup", startupProbe, subject, signal);
    await Promise.all([
      readinessProbe === undefined ? undefined : this.#loop("readiness", readinessProbe, subject, signal),
      livenessProbe === undefined ? undefined : this.#loop("liveness", livenessProbe, subject, signal),
    ]);
  }

  /** Returns when a startup probe has passed; a failed startup or liveness probe waits for the container's end, others go on for ever. */
  async #loop(kind: ProbeKind, probe: Probe, subject: ProbeSubject, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    await clock.sleep(this.#firstDelayMs(probe, subject, periodMs), signal);
    let state = freshProbe;
    for (;;) {
      const outcome = await this.#options.run(probe, subject);
      if (signal.aborted) return;
      const next = recordOutcome(state, outcome, { success: probe.successThreshold ?? 1, failure: probe.failureThreshold ?? 3 });
      const message = unhealthyMessage(kind, outcome);
      if (message !== undefined) this.#options.onUnhealthy(subject, message);
      if (next.result !== undefined && next.result !== state.result) {
        this.#results.set(subject.containerId, { ...this.#results.get(subject.containerId), [kind]: next.result });
        this.#options.onResult();
      }
      state = next;
      if (kind === "startup" && state.result === "success") return;
      if (kind !== "readiness" && state.result === "failure") await waitForAbort(signal);
      await clock.sleep(periodMs, signal);
    }
  }

  #firstDelayMs(probe: Probe, subject: ProbeSubject, periodMs: number): number {
    const { clock, random } = this.#options;
    const dueMs = subject.startedAtMs + (probe.initialDelaySeconds ?? 0) * 1000 - clock.nowMs();
    const wasRunning = subject.startedAtMs < this.#startedMs;
    return Math.max(dueMs, wasRunning ? random() * periodMs : 0, 0);
  }
}

async function waitForAbort(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  signal.throwIfAborted();
}
