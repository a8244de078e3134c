import { basename, dirname } from "node:path";
import { adaptFile, outputPath, type AdaptOutcome } from "../adapt-file.ts";
import { adapterHash, detectHash, mappingHash, type AdapterConfig } from "../adapter-config.ts";
import { Announced } from "./announced.ts";
import { listCandidates, type Candidate, type Ignored } from "./candidates.ts";
import { dispatch, type Turn } from "./dispatch.ts";
import { codeOf, commonFaults, FolderFault } from "./faults.ts";
import { GrowingReports } from "./growing.ts";
import type { LedgerEntry } from "../state/ledger-log.ts";
import { tidyQuarantine } from "../state/quarantine.ts";
import { Readiness, type Selection } from "./readiness.ts";
import { Reads } from "./reads.ts";
import { quarantineDirectory, recordAdapted, recordRefused, type AdapterOptions } from "../record.ts";
import { outputIdentityOf } from "../stat-key.ts";
import { Removals } from "./removals.ts";
import { identityOf, sameFolderFault } from "./same-folder.ts";

/** When to look again at a report that changed while it was read. */
const tornRetryMs = 50;

/** `unsettled`: how many reports will be taken up again soon, in `nextMs`: they are not stable yet, changed while they were read, or have just gone. */
export type PassOutcome = { readonly nextMs: number; readonly unsettled: number };

type Fault = { readonly error: unknown };

/** One adapter's looks at its folder, and what it knows between them. */
export class Passes {
  readonly #options: AdapterOptions;
  readonly #readiness: Readiness;
  readonly #removals: Removals;
  readonly #reads: Reads;
  /** For `append`. */
  readonly #growing: GrowingReports | undefined;
  /** Those not whole by their format, with the stat at which that was found. */
  readonly #waiting = new Map<string, string>();
  /** What was said to be ignored, so that it is said once. */
  #ignored: ReadonlySet<string> = new Set();
  #isFirst = true;
  /** Reports refused so far. */
  refused = 0;
  readonly announced = new Announced();

  constructor(options: AdapterOptions) {
    this.#options = options;
    this.#readiness = new Readiness(options.adapter.watch, options.clock);
    this.#removals = new Removals(options);
    this.#reads = new Reads(options);
    this.#growing = options.adapter.watch.ready.append === undefined ? undefined : new GrowingReports(options);
    options.metrics.backlog.set(0, { adapter: options.adapter.name });
  }

  /** One look at the folder. Throws the first transient fault, after trying every report that it need not concern. */
  async look(): Promise<PassOutcome> {
    const { adapter, ledger, metrics, clock } = this.#options;
    // Not kept while reports are adapted: after a burst these are many names.
    let told: ReadonlySet<string> | undefined = this.announced.take();
    const lookedMs = clock.monotonicMs();
    const listing = await listCandidates(adapter);
    const folder = await identityOf(adapter.watch.directory);
    const doubled = await sameFolderFault(adapter, this.#options.watchedFolders);
    if (doubled !== undefined) throw new FolderFault(`${doubled.detail}; ${doubled.remedy}`);
    const candidates = listing.candidates.filter(({ path, stat }) => !ledger.isPublished(path, outputIdentityOf(stat)));
    const present = new Set(candidates.map(({ path }) => path));
    this.#readiness.keep(present);
    for (const path of this.#waiting.keys()) if (!present.has(path)) this.#waiting.delete(path);
    this.#tellIgnored(listing.ignored);
    await ledger.heal();
    await this.#growing?.followRenames(candidates);
    const deletions = await this.#removals.followDeletions(present, folder, lookedMs);
    const [done, fresh] = this.#sort(candidates);
    this.#countMissed(fresh, told);
    told = undefined;
    const { ready, soon, nextMs } = this.#growing === undefined ? await this.#readiness.select(fresh, listing.names) : this.#selectGrown(this.#growing, fresh);
    const { torn, fault } = await this.#adaptAll(ready, folder);
    metrics.waiting.set(this.#waiting.size + fresh.length - ready.length, { adapter: adapter.name });
    await this.#removals.keepLimits(done);
    await this.#reads.look();
    await tidyQuarantine(quarantineDirectory(this.#options), this.#options.quarantine, clock.nowMs()).catch(() => undefined); // told when something must be put there
    if (fault !== undefined) throw fault.error;
    return { nextMs: Math.min(nextMs, deletions.nextMs, torn > 0 ? tornRetryMs : nextMs), unsettled: soon + torn + deletions.pending };
  }

  /** Those that are adapted or refused, and those to look at; neither holds those found unfinished and not changed since. */
  #sort(candidates: readonly Candidate[]): readonly [readonly Candidate[], readonly Candidate[]] {
    const { adapter, ledger } = this.#options;
    const done: Candidate[] = [];
    const fresh: Candidate[] = [];
    for (const candidate of candidates) {
      if (isDone(ledger.get(adapter.name, candidate.path), candidate.stat, adapter)) done.push(candidate);
      else if (this.#waiting.get(candidate.path) !== candidate.stat) fresh.push(candidate);
    }
    return [done, fresh];
  }

  /** A segment was made of all it was asked for: whether there is more is seen at the next look. */
  #selectGrown(growing: GrowingReports, fresh: readonly Candidate[]): Selection {
    const ready = fresh.filter(({ path }) => growing.waitMs(path) <= 0);
    const { reconcileMs, ready: { append } } = this.#options.adapter.watch;
    const waits = fresh.map(({ path }) => growing.waitMs(path)).filter((waitMs) => waitMs > 0);
    return { ready, soon: fresh.length, nextMs: Math.min(reconcileMs, ...waits, fresh.length > 0 ? (append?.everyMs ?? reconcileMs) : reconcileMs) };
  }

  #countMissed(fresh: readonly Candidate[], told: ReadonlySet<string>): void {
    const { metrics, adapter, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (!this.#isFirst) for (const { path } of fresh) this.announced.find(path, told, nowMs);
    this.#isFirst = false;
    const missed = this.announced.countMissed(nowMs);
    if (missed > 0) metrics.missed.inc({ adapter: adapter.name }, missed);
  }

  async #adaptAll(ready: readonly Candidate[], folder: string): Promise<{ readonly torn: number; readonly fault: Fault | undefined }> {
    const { adapter, metrics, signal } = this.#options;
    let torn = 0;
    let fault: Fault | undefined;
    let isCommon = false;
    let left = ready.length;
    metrics.backlog.set(left, { adapter: adapter.name });
    await dispatch(ready, {
      concurrency: adapter.concurrency,
      inOrder: adapter.order !== "none",
      keyOf: ({ path }) => keyOf(adapter, path),
      isOver: () => signal.aborted || isCommon,
      work: async (candidate, turn) => {
        try {
          if (this.#growing !== undefined) await this.#growing.adaptNext(candidate, folder, turn);
          else if ((await this.#adapt(candidate, folder, turn)) === "torn") torn++;
          metrics.backlog.set(--left, { adapter: adapter.name });
        } catch (error) {
          fault ??= { error };
          isCommon ||= commonFaults.has(codeOf(error));
        }
      },
    });
    return { torn, fault };
  }

  async #adapt({ path }: Candidate, folder: string, turn: Turn): Promise<AdaptOutcome["kind"]> {
    const { adapter, metrics, clock, ledger } = this.#options;
    const startedMs = clock.monotonicMs();
    const outcome = await adaptReport(this.#options, { path, turn });
    this.#waiting.delete(path);
    switch (outcome.kind) {
      case "gone":
        break;
      case "torn":
        metrics.torn.inc();
        break;
      case "waiting":
        this.#waiting.set(path, outcome.stat);
        this.#options.log.debug({ path, reason: outcome.reason }, "Not finished yet");
        break;
      case "same": {
        const entry = ledger.get(adapter.name, path);
        if (entry !== undefined) await ledger.put({ ...entry, mapping: outcome.mapping.name, detect: detectHash(adapter), folder });
        break;
      }
      case "adapted":
        metrics.seconds.observe((clock.monotonicMs() - startedMs) / 1000);
        await recordAdapted(this.#options, path, folder, outcome);
        break;
      case "refused":
        this.refused++;
        await recordRefused(this.#options, path, folder, outcome);
    }
    return outcome.kind;
  }

  #tellIgnored(ignored: readonly Ignored[]): void {
    const { adapter, metrics, log } = this.#options;
    for (const reason of ["link", "special", "encoding"] as const) metrics.ignored.set(ignored.filter((entry) => entry.reason === reason).length, { adapter: adapter.name, reason });
    for (const { path, reason } of ignored) if (!this.#ignored.has(path)) log.warn({ path, adapter: adapter.name }, `Not adapted: ${ignoredWords[reason]}`);
    this.#ignored = new Set(ignored.map((entry) => entry.path));
  }
}

/** Adapts one report by what the ledger knows; for passes, and for taking a report up again from where it is kept (`source`). */
export async function adaptReport(options: AdapterOptions, report: { readonly path: string; readonly source?: string; readonly turn: Turn }): Promise<AdaptOutcome> {
  const { adapter, ledger, owner, directories, watchedFolders, signal, clock } = options;
  const { path } = report;
  return await adaptFile({
    ...report, adapter, owner, directories, signal,
    monotonicMs: () => clock.monotonicMs(),
    nowMs: () => clock.nowMs(),
    ownerOf: (output) => ledger.ownerOf(output, adapter.name, path),
    isTaken: (output) => ledger.isTaken(output, adapter.name, path),
    release: (output) => ledger.release(output),
    mayReplace: (output) => (watchedFolders.has(dirname(output)) ? (identity) => ledger.isPublished(output, identity) : undefined),
    async intend(output, published, mapping) {
      if (!watchedFolders.has(dirname(output))) return;
      const before = ledger.get(adapter.name, path);
      const publishedBefore = before?.published === undefined || before.output !== output ? {} : { publishedBefore: before.published };
      // Without a stat: until it is done, nobody takes it for done.
      await ledger.put({ path, adapter: adapter.name, stat: "", content: "", mapping: mapping.name, mappingHash: mappingHash(mapping), outcome: "adapted", output, rows: 0, published, ...publishedBefore });
    },
    isAdapted(found, mapping) {
      const entry = ledger.get(adapter.name, path);
      return entry?.outcome === "adapted" && entry.stat === found && entry.mappingHash === mappingHash(mapping);
    },
  });
}

/** Reports of one key may have one output. */
function keyOf(adapter: AdapterConfig, path: string): string {
  const [first] = adapter.mappings;
  return first === undefined ? basename(path) : outputPath(first, path);
}

const ignoredWords: Readonly<Record<Ignored["reason"], string>> = {
  link: "it is a symbolic link; let the application write the file itself",
  special: "it is a pipe, socket or device",
  encoding: "its name is not UTF-8; rename it",
};

/** Whether nothing would come of looking at a report of this stat again. */
export function isDone(entry: LedgerEntry | undefined, found: string, adapter: AdapterConfig): boolean {
  if (entry?.stat !== found) return false;
  if (adapter.onMappingChange === "ignore") return true;
  const mapping = adapter.mappings.find((candidate) => candidate.name === entry.mapping);
  const hash = mapping === undefined ? adapterHash(adapter) : mappingHash(mapping);
  return entry.mappingHash === hash && (entry.detect === undefined || entry.detect === detectHash(adapter));
}
