import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../kit/clock.ts";
import { idOf, mtimeNsOf } from "../stat-key.ts";
import type { Candidate } from "./candidates.ts";
import { filesOpenForWriting } from "./open-writers.ts";
import { nameBeside, type WatchConfig } from "./watch-config.ts";

/** `soon`: how many may be ready by the mere passing of time. `nextMs`: when it is worth looking again without an event. */
export type Selection = { readonly ready: readonly Candidate[]; readonly soon: number; readonly nextMs: number };

/** Closing a file is no event. */
const closedLookMs = 200;

type Seen = { readonly stat: string; readonly sinceMs: number; readonly lastMs: number; readonly looks: number };

/** Remembers what files looked like from one look to the next, and tells which may count as finished by all rules but their format's. */
export class Readiness {
  readonly #watch: WatchConfig;
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();
  #hasSeenWriters = false;

  constructor(watch: WatchConfig, clock: Clock) {
    this.#watch = watch;
    this.#clock = clock;
  }

  /** Throws when "closed" is asked for and cannot be known. `names` are those of all entries of the folder. */
  async select(candidates: readonly Candidate[], names: ReadonlySet<string>): Promise<Selection> {
    const { stable, doneFile, closed } = this.#watch.ready;
    let nextMs = this.#watch.reconcileMs;
    let ready = candidates;
    let soon = 0;
    if (stable !== undefined) {
      const still = this.#selectStable(ready, stable);
      nextMs = Math.min(nextMs, still.nextMs);
      soon += still.soon;
      ready = still.ready;
    }
    if (doneFile !== undefined) ready = await this.#selectDone(ready, doneFile, names);
    if (closed !== undefined) {
      const all = ready;
      ready = await this.#selectClosed(all, closed.except);
      if (ready.length < all.length) nextMs = Math.min(nextMs, closedLookMs);
      soon += all.length - ready.length;
    }
    return { ready, soon, nextMs };
  }

  /** Forgets all but these. */
  keep(present: ReadonlySet<string>): void {
    for (const path of this.#seen.keys()) if (!present.has(path)) this.#seen.delete(path);
  }

  #selectStable(candidates: readonly Candidate[], { quietMs, checks }: { readonly quietMs: number; readonly checks: number }): Selection {
    const nowMs = this.#clock.monotonicMs();
    const betweenMs = quietMs / (checks - 1);
    const ready: Candidate[] = [];
    let nextMs = this.#watch.reconcileMs;
    for (const candidate of candidates) {
      const seen = this.#look(candidate, { nowMs, betweenMs });
      if (seen.looks >= checks && nowMs - seen.sinceMs >= quietMs) ready.push(candidate);
      else nextMs = Math.min(nextMs, Math.max(1, seen.lastMs + betweenMs - nowMs));
    }
    return { ready, soon: candidates.length - ready.length, nextMs };
  }

  /** Looks count when they are far enough apart: events must not make three of them in a millisecond. */
  #look({ path, stat }: Candidate, { nowMs, betweenMs }: { readonly nowMs: number; readonly betweenMs: number }): Seen {
    const known = this.#seen.get(path);
    const isSame = known?.stat === stat;
    if (isSame && nowMs - known.lastMs < betweenMs) return known;
    const seen = isSame ? { ...known, lastMs: nowMs, looks: known.looks + 1 } : { stat, sinceMs: nowMs, lastMs: nowMs, looks: 1 };
    this.#seen.set(path, seen);
    return seen;
  }

  /** The done-file of a report must not be older: a report that is written anew waits for a new one. */
  async #selectDone(candidates: readonly Candidate[], pattern: string, names: ReadonlySet<string>): Promise<readonly Candidate[]> {
    const ready: Candidate[] = [];
    for (const candidate of candidates) {
      const name = nameBeside(pattern, candidate.name);
      const done = names.has(name) ? await lstat(join(this.#watch.directory, name), { bigint: true }).catch(() => undefined) : undefined;
      if (done !== undefined && done.mtimeNs >= mtimeNsOf(candidate.stat)) ready.push(candidate);
    }
    return ready;
  }

  async #selectClosed(candidates: readonly Candidate[], except: readonly string[]): Promise<readonly Candidate[]> {
    if (candidates.length === 0 && this.#hasSeenWriters) return candidates;
    const open = await filesOpenForWriting(new Set(candidates.map(({ stat }) => idOf(stat))), { proc: "/proc", ownPid: process.pid, except });
    this.#hasSeenWriters = true;
    return candidates.filter(({ stat }) => !open.has(idOf(stat)));
  }
}
