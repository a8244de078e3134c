import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backoffDelayMs, type Backoff } from "../../kit/backoff.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { watchDirectories } from "../../kit/watch-directories.ts";
import { adaptFile, type AdaptOutcome } from "./adapt-file.ts";
import { adapterHash, mappingHash, type AdapterConfig } from "./adapter-config.ts";
import type { AdapterMetrics } from "./adapter-metrics.ts";
import { listCandidates, type Candidate, type Ignored } from "./candidates.ts";
import type { Ledger } from "./ledger.ts";
import type { LedgerEntry } from "./ledger-log.ts";
import { quarantine, type QuarantineLimits } from "./quarantine.ts";

export type AdapterOptions = {
  readonly adapter: AdapterConfig;
  readonly ledger: Ledger;
  readonly stateDirectory: string;
  readonly quarantine: QuarantineLimits;
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
/** When to look again at a report that changed while it was read. */
const tornRetryMs = 50;
const driftCodes: ReadonlySet<string> = new Set(["VERSION", "COLUMN", "ENUM"]);

/**
 * Watches one folder and adapts what is finished, one file after the other, in order. Events only wake it; each pass lists the folder, so a missed
 * event costs at most `reconcileMs`. Transient faults (space, rights) show in readiness and are retried for ever; one that concerns a single
 * report does not hold up the others.
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
    let identity: string | undefined;
    let told: string | undefined;
    while (!signal.aborted) {
      const woken = waker.take();
      try {
        const found = await identityOf(adapter.watch.directory);
        if (identity !== undefined && found !== identity) {
          // Another folder has its name now; the watch is on the old one.
          watch.remove(adapter.watch.directory);
          watch.add(adapter.watch.directory);
        }
        identity = found;
        const { nextMs } = await pass(options, state, { byScanAlone: !woken && scans++ > 0 });
        problem = undefined;
        told = undefined;
        failures = 0;
        await waker.wait(nextMs, clock, signal);
      } catch (error) {
        if (signal.aborted) return;
        problem = describeFault(adapter, error);
        options.metrics.faults.inc({ adapter: adapter.name });
        const delayMs = backoffDelayMs(retry, failures++, options.random);
        log[told === codeOf(error) ? "debug" : "warn"]({ err: error, adapter: adapter.name, retryMs: Math.round(delayMs) }, problem);
        told = codeOf(error);
        // A fault of one report must not delay the next: an event ends the wait. A common fault would only come again.
        if (commonFaults.has(told)) await clock.sleep(delayMs, signal).catch(() => undefined);
        else await waker.wait(Math.min(delayMs, adapter.watch.reconcileMs), clock, signal);
      }
    }
  };
  const run = async (): Promise<void> => {
    try {
      await loop();
    } finally {
      await watch.close();
    }
  };
  return { problem: () => problem, done: run() };
}

const settleRoundsMax = 10;

/**
 * Adapts everything that is finished now and returns; for `run --once`. Waits for what the `stable` rule wants to see for a while. Throws on a
 * transient fault. Resolves to the number of reports that were refused or would not hold still.
 */
export async function adaptOnce(options: AdapterOptions): Promise<number> {
  const state = createState(options);
  for (let round = 1; ; round++) {
    const { nextMs, unsettled } = await pass(options, state, { byScanAlone: false });
    if (unsettled === 0 || round === settleRoundsMax) return state.refused + unsettled;
    await options.clock.sleep(nextMs, options.signal);
  }
}

/** What is known of files between passes: those not finished, with the stat at which that was found and since when it has not changed. */
type LoopState = {
  readonly waiting: Map<string, { readonly stat: string }>;
  readonly stableSince: Map<string, { readonly stat: string; readonly sinceMs: number }>;
  /** What was said to be ignored, so that it is said once. */
  ignored: ReadonlySet<string>;
  refused: number;
};

function createState(options: AdapterOptions): LoopState {
  options.metrics.backlog.set(0, { adapter: options.adapter.name });
  return { waiting: new Map(), stableSince: new Map(), ignored: new Set(), refused: 0 };
}

/** `unsettled`: how many reports will be taken up again soon, in `nextMs`: they are not stable yet, or changed while they were read. */
type PassOutcome = { readonly nextMs: number; readonly unsettled: number };

/** One look at the folder. Throws the first transient fault, after trying every report that it need not concern. */
async function pass(options: AdapterOptions, state: LoopState, how: { readonly byScanAlone: boolean }): Promise<PassOutcome> {
  const { adapter, ledger, metrics } = options;
  const { candidates, ignored } = await listCandidates(adapter);
  await refuseOwnOutput(adapter);
  const present = new Set(candidates.map((candidate) => candidate.path));
  for (const map of [state.waiting, state.stableSince]) for (const path of map.keys()) if (!present.has(path)) map.delete(path);
  tellIgnored(options, state, ignored);
  await ledger.heal();
  await ledger.retain(adapter.name, present);
  const fresh = candidates.filter((candidate) => !isDone(ledger.get(adapter.name, candidate.path), candidate.stat, adapter) && state.waiting.get(candidate.path)?.stat !== candidate.stat);
  const { ready, nextMs } = selectStable(options, state, fresh);
  if (how.byScanAlone && ready.length > 0 && adapter.watch.ready.stableQuietMs === undefined) metrics.missed.inc({ adapter: adapter.name }, ready.length);
  const { torn, fault } = await adaptAll(options, state, ready);
  metrics.waiting.set(state.waiting.size, { adapter: adapter.name });
  if (fault !== undefined) throw fault.error;
  return { nextMs: torn > 0 ? Math.min(nextMs, tornRetryMs) : nextMs, unsettled: fresh.length - ready.length + torn };
}

/** Faults that the next report would meet too. */
const commonFaults: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE", "ENOMEM", "EIO"]);

async function adaptAll(options: AdapterOptions, state: LoopState, ready: readonly Candidate[]): Promise<{ readonly torn: number; readonly fault: { readonly error: unknown } | undefined }> {
  const { adapter, metrics, signal } = options;
  let torn = 0;
  let fault: { readonly error: unknown } | undefined;
  let left = ready.length;
  for (const candidate of ready) {
    if (signal.aborted) break;
    metrics.backlog.set(left, { adapter: adapter.name });
    try {
      if ((await adaptCandidate(options, state, candidate)) === "torn") torn++;
      left--;
    } catch (error) {
      fault ??= { error };
      if (signal.aborted || commonFaults.has(codeOf(error))) break;
    }
  }
  metrics.backlog.set(left, { adapter: adapter.name });
  return { torn, fault };
}

/** Device and inode, following links. */
async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}.${ino}`;
}

/** The configuration compares names; one folder may have two, by a link or a second mount. Throws when an output folder is the watched one. */
async function refuseOwnOutput(adapter: AdapterConfig): Promise<void> {
  const watched = await identityOf(adapter.watch.directory);
  for (const directory of new Set(adapter.mappings.map((mapping) => dirname(mapping.output.file)))) {
    const found = await identityOf(directory).catch(() => undefined); // it is made when it is needed
    if (found === watched) throw new Error(`${directory} is the watched folder ${adapter.watch.directory} by another name, where an adapted report would be taken for input; mount another folder there`);
  }
}

const ignoredWords: Readonly<Record<Ignored["reason"], string>> = {
  link: "it is a symbolic link; let the application write the file itself",
  special: "it is a pipe, socket or device",
  encoding: "its name is not UTF-8; rename it",
};

function tellIgnored({ adapter, metrics, log }: AdapterOptions, state: LoopState, ignored: readonly Ignored[]): void {
  for (const reason of ["link", "special", "encoding"] as const) metrics.ignored.set(ignored.filter((entry) => entry.reason === reason).length, { adapter: adapter.name, reason });
  for (const { path, reason } of ignored) if (!state.ignored.has(path)) log.warn({ path, adapter: adapter.name }, `Not adapted: ${ignoredWords[reason]}`);
  state.ignored = new Set(ignored.map((entry) => entry.path));
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

async function adaptCandidate(options: AdapterOptions, state: LoopState, { path }: Candidate): Promise<AdaptOutcome["kind"]> {
  const { adapter, metrics, clock, ledger } = options;
  const startedMs = clock.monotonicMs();
  const outcome = await adaptFile(path, adapter, (output) => ledger.ownerOf(output, adapter.name, path), options.signal);
  state.waiting.delete(path);
  switch (outcome.kind) {
    case "gone":
      break;
    case "torn":
      metrics.torn.inc();
      break;
    case "waiting":
      state.waiting.set(path, { stat: outcome.stat });
      options.log.debug({ path, reason: outcome.reason }, "Not finished yet");
      break;
    case "adapted":
      metrics.seconds.observe((clock.monotonicMs() - startedMs) / 1000);
      await recordAdapted(options, path, outcome);
      break;
    case "refused":
      state.refused++;
      await recordRefused(options, path, outcome);
  }
  return outcome.kind;
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
  log.error({ path, code: error.code, line: error.line, column: error.column, sample: error.sample, mapping: mapping?.name }, `Refused: ${error.message}`);
  await quarantine({ directory: join(options.stateDirectory, "quarantine"), path, refused: outcome, mappingHash: hash, limits: options.quarantine, atMs: options.clock.nowMs() }).catch((failure: unknown) => {
    log.warn({ err: failure, path }, "Cannot keep the refused report in quarantine; the ledger remembers it all the same");
  });
  await ledger.put({ path, adapter: adapter.name, stat: outcome.stat, content: outcome.content, mapping: mapping?.name ?? "", mappingHash: hash, outcome: "quarantined", output: undefined, rows: 0 });
  metrics.quarantined.inc({ reason: error.code });
  if (driftCodes.has(error.code)) metrics.drift.inc({ adapter: adapter.name });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** What cannot be done, why, and the remedy. The remedy depends on whether the fault concerns the input's side or the output's. */
function describeFault(adapter: AdapterConfig, error: unknown): string {
  const { directory } = adapter.watch;
  const place = error instanceof Error && "path" in error ? String(error.path) : "";
  const ofInput = place === directory || dirname(place) === directory;
  const rights = ofInput ? `let the application write files that the Pod's securityContext.fsGroup may read` : "give the Pod a securityContext.fsGroup that owns the output volume";
  const remedies: Readonly<Record<string, string>> = {
    ENOENT: `mount the volume that holds ${ofInput ? directory : "the output folder"}`,
    ENOTDIR: `${ofInput ? directory : dirname(place)} must be a folder`,
    EEXIST: `${place} must be a folder`,
    EISDIR: "a folder has the name of an adapted report; remove it",
    EACCES: rights,
    EPERM: rights,
    EROFS: "mount the output volume writable",
    ENOSPC: "free space on the output volume",
    EDQUOT: "free space on the output volume",
  };
  const remedy = remedies[codeOf(error)];
  return `cannot adapt in ${directory}: ${error instanceof Error ? error.message : String(error)}${remedy === undefined ? "" : `; ${remedy}`}`;
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
