import { join } from "node:path";
import { backoffDelayMs, type Backoff } from "../../kit/backoff.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { watchDirectories } from "../../kit/watch-directories.ts";
import { adaptFile, type AdaptOutcome } from "./adapt-file.ts";
import { adapterHash, mappingHash, type AdapterConfig } from "./adapter-config.ts";
import type { AdapterMetrics } from "./adapter-metrics.ts";
import { listCandidates, type Candidate } from "./candidates.ts";
import type { Ledger } from "./ledger.ts";
import type { LedgerEntry } from "./ledger-log.ts";
import { quarantine } from "./quarantine.ts";

export type AdapterOptions = {
  readonly adapter: AdapterConfig;
  readonly ledger: Ledger;
  readonly stateDirectory: string;
  readonly metrics: AdapterMetrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
};

export type AdapterLoop = {
  /** Why this adapter is not ready, or undefined. */
  problem(): string | undefined;
  /** Resolves when the signal was aborted and the file in hand is finished. */
  readonly done: Promise<void>;
};

const retry: Backoff = { initialMs: 100, maxMs: 30_000, factor: 2, jitter: 0.5 };
const quarantineBytesMax = 16_777_216;
const driftCodes: ReadonlySet<string> = new Set(["VERSION", "COLUMN", "ENUM"]);

/**
 * Watches one folder and adapts what is finished, one file after the other, in order. Events only wake it; each pass lists the folder, so a missed
 * event costs at most `reconcileMs`. Transient faults (space, rights) stop the pass, show in readiness and are retried for ever.
 */
export function runAdapter(options: AdapterOptions): AdapterLoop {
  const { adapter, clock, signal, log } = options;
  const waker = createWaker();
  const state = createState(options);
  const watch = watchDirectories({ onWake: () => waker.wake(), signal, log });
  watch.add(adapter.watch.directory);
  let problem: string | undefined = "the first scan is not over";

  const loop = async (): Promise<void> => {
    let failures = 0;
    let scans = 0;
    while (!signal.aborted) {
      const woken = waker.take();
      try {
        const nextMs = await pass(options, state, { byScanAlone: !woken && scans++ > 0 });
        problem = undefined;
        failures = 0;
        await waker.wait(nextMs, clock, signal);
      } catch (error) {
        if (signal.aborted) return;
        problem = describeFault(adapter, error);
        options.metrics.faults.inc({ adapter: adapter.name });
        const delayMs = backoffDelayMs(retry, failures++, options.random);
        log.warn({ err: error, adapter: adapter.name, retryMs: Math.round(delayMs) }, problem);
        await clock.sleep(delayMs, signal).catch(() => undefined);
      }
    }
  };
  const done = loop().finally(async () => await watch.close());
  return { problem: () => problem, done };
}

/** Adapts everything that is finished now and returns; for `run --once`. Throws on a transient fault. Resolves to the number of refused reports. */
export async function adaptOnce(options: AdapterOptions): Promise<number> {
  const state = createState(options);
  await pass(options, state, { byScanAlone: false });
  return state.refused;
}

/** What is known of files between passes: those not finished, with the stat at which that was found and since when it has not changed. */
type LoopState = { readonly waiting: Map<string, { readonly stat: string }>; readonly stableSince: Map<string, { readonly stat: string; readonly sinceMs: number }>; refused: number };

function createState(options: AdapterOptions): LoopState {
  options.metrics.backlog.set(0, { adapter: options.adapter.name });
  return { waiting: new Map(), stableSince: new Map(), refused: 0 };
}

/** One look at the folder. Resolves to the milliseconds until the next is due. */
async function pass(options: AdapterOptions, state: LoopState, how: { readonly byScanAlone: boolean }): Promise<number> {
  const { adapter, ledger, metrics, signal } = options;
  const candidates = await listCandidates(adapter);
  const present = new Set(candidates.map((candidate) => candidate.path));
  for (const map of [state.waiting, state.stableSince]) for (const path of map.keys()) if (!present.has(path)) map.delete(path);
  await ledger.retain(adapter.name, present);
  const fresh = candidates.filter((candidate) => !isDone(ledger.get(candidate.path), candidate.stat, adapter) && state.waiting.get(candidate.path)?.stat !== candidate.stat);
  const { ready, nextMs } = selectStable(options, state, fresh);
  if (how.byScanAlone && ready.length > 0 && adapter.watch.ready.stableQuietMs === undefined) metrics.missed.inc({ adapter: adapter.name }, ready.length);
  for (const [index, candidate] of ready.entries()) {
    if (signal.aborted) break;
    metrics.backlog.set(ready.length - index, { adapter: adapter.name });
    await adaptCandidate(options, state, candidate);
  }
  metrics.backlog.set(0, { adapter: adapter.name });
  metrics.waiting.set(state.waiting.size, { adapter: adapter.name });
  return nextMs;
}

function isDone(entry: LedgerEntry | undefined, stat: string, adapter: AdapterConfig): boolean {
  return entry !== undefined && entry.stat === stat && entry.mappingHash === currentHash(adapter, entry.mapping);
}

function currentHash(adapter: AdapterConfig, mappingName: string): string {
  const mapping = adapter.mappings.find((candidate) => candidate.name === mappingName);
  return mapping === undefined ? adapterHash(adapter) : mappingHash(mapping);
}

function selectStable(options: AdapterOptions, state: LoopState, candidates: readonly Candidate[]): { readonly ready: readonly Candidate[]; readonly nextMs: number } {
  const { reconcileMs, ready: { stableQuietMs } } = options.adapter.watch;
  if (stableQuietMs === undefined) return { ready: candidates, nextMs: reconcileMs };
  const nowMs = options.clock.monotonicMs();
  const ready: Candidate[] = [];
  let nextMs = reconcileMs;
  for (const candidate of candidates) {
    const known = state.stableSince.get(candidate.path);
    const sinceMs = known?.stat === candidate.stat ? known.sinceMs : nowMs;
    state.stableSince.set(candidate.path, { stat: candidate.stat, sinceMs });
    if (nowMs - sinceMs >= stableQuietMs) ready.push(candidate);
    else nextMs = Math.min(nextMs, sinceMs + stableQuietMs - nowMs);
  }
  return { ready, nextMs };
}

async function adaptCandidate(options: AdapterOptions, state: LoopState, candidate: Candidate): Promise<void> {
  const { adapter, metrics, clock } = options;
  const startedMs = clock.monotonicMs();
  const outcome = await adaptFile(candidate.path, adapter, options.signal);
  state.waiting.delete(candidate.path);
  switch (outcome.kind) {
    case "gone":
      return;
    case "torn":
      metrics.torn.inc();
      return;
    case "waiting":
      state.waiting.set(candidate.path, { stat: outcome.stat });
      options.log.debug({ path: candidate.path, reason: outcome.reason }, "Not finished yet");
      return;
    case "adapted":
      metrics.seconds.observe((clock.monotonicMs() - startedMs) / 1000);
      return await recordAdapted(options, candidate.path, outcome);
    case "refused":
      state.refused++;
      return await recordRefused(options, candidate.path, outcome);
  }
}

async function recordAdapted(options: AdapterOptions, path: string, outcome: AdaptOutcome & { readonly kind: "adapted" }): Promise<void> {
  const { metrics, adapter, log, ledger } = options;
  const labels = { mapping: outcome.mapping.name };
  await ledger.put({ path, adapter: adapter.name, stat: outcome.stat, content: outcome.content, mapping: outcome.mapping.name, mappingHash: mappingHash(outcome.mapping), outcome: "adapted", output: outcome.output, rows: outcome.rows });
  if (!outcome.wrote) {
    metrics.unchanged.inc(labels);
    return;
  }
  metrics.files.inc(labels);
  metrics.rows.inc(labels, outcome.rows);
  metrics.bytes.inc(labels, outcome.bytes);
  log.info({ path, output: outcome.output, rows: outcome.rows, mapping: outcome.mapping.name }, "Adapted");
}

async function recordRefused(options: AdapterOptions, path: string, outcome: AdaptOutcome & { readonly kind: "refused" }): Promise<void> {
  const { metrics, adapter, log, ledger } = options;
  const { error, mapping } = outcome;
  const hash = mapping === undefined ? adapterHash(adapter) : mappingHash(mapping);
  metrics.quarantined.inc({ reason: error.code });
  if (driftCodes.has(error.code)) metrics.drift.inc({ adapter: adapter.name });
  log.error({ path, code: error.code, line: error.line, column: error.column, sample: error.sample, mapping: mapping?.name }, `Refused: ${error.message}`);
  await quarantine({ directory: join(options.stateDirectory, "quarantine"), path, content: outcome.content, error, mapping: mapping?.name, mappingHash: hash, keepBytesMax: quarantineBytesMax, atMs: options.clock.nowMs() }).catch((failure: unknown) => {
    log.warn({ err: failure, path }, "Cannot keep the refused report in quarantine; the ledger remembers it all the same");
  });
  await ledger.put({ path, adapter: adapter.name, stat: outcome.stat, content: outcome.content, mapping: mapping?.name ?? "", mappingHash: hash, outcome: "quarantined", output: undefined, rows: 0 });
}

function describeFault(adapter: AdapterConfig, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words = error instanceof Error ? error.message : String(error);
  const remedy = { ENOENT: `mount the volume that holds ${adapter.watch.directory}`, ENOTDIR: `${adapter.watch.directory} must be a folder`, EACCES: "give the Pod a securityContext.fsGroup that owns the volume", EPERM: "give the Pod a securityContext.fsGroup that owns the volume", EROFS: "mount the output volume writable", ENOSPC: "free space on the output volume" }[code];
  return `cannot adapt in ${adapter.watch.directory}: ${words}${remedy === undefined ? "" : `; ${remedy}`}`;
}

/** A wake that is remembered until it is taken. */
function createWaker(): { wake(): void; take(): boolean; wait(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> } {
  let woken = false;
  let cancel: AbortController | undefined;
  return {
    wake() {
      woken = true;
      cancel?.abort();
    },
    take() {
      const was = woken;
      woken = false;
      return was;
    },
    async wait(delayMs, clock, signal) {
      if (woken) return;
      cancel = new AbortController();
      await clock.sleep(delayMs, AbortSignal.any([signal, cancel.signal])).catch(() => undefined);
      cancel = undefined;
    },
  };
}
