import { lstatSync, unlinkSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname } from "node:path";
import { removeOutput } from "../publish/beside.ts";
import type { Candidate } from "./candidates.ts";
import type { LedgerEntry } from "../state/ledger-log.ts";
import { identityOfOutput } from "../publish/publish.ts";
import { mtimeNsOf, sizeOf, statKey } from "../stat-key.ts";
import type { AdapterOptions } from "../record.ts";
import { segmentPath } from "./growing.ts";
import { selectExcess } from "./retention.ts";

/** A report that is only being replaced must not take its adapted form away. */
const mirrorDelayMs = 1_000;

/** Does what a report's disappearance asks for, and keeps inputs and outputs within their limits. Holds since when a report is missing. */
export class Removals {
  readonly #options: AdapterOptions;
  readonly #missingSince = new Map<string, number>();

  constructor(options: AdapterOptions) {
    this.#options = options;
  }

  /**
   * For reports that are there no more: forgets them, and removes their adapted form where `onDelete: mirror` says so. Only a report that was
   * seen in this very folder counts: one whose folder was replaced or not mounted has not been removed. Tells how many deletions are too young
   * to be followed, and when to look again. `lookedMs`: when the look that found `present` began; what comes after it has not been looked at.
   */
  async followDeletions(present: ReadonlySet<string>, folder: string, lookedMs: number): Promise<{ readonly pending: number; readonly nextMs: number }> {
    const { adapter, ledger, clock, log } = this.#options;
    let nextMs = adapter.watch.reconcileMs;
    let pending = 0;
    const nowMs = clock.monotonicMs();
    for (const path of this.#missingSince.keys()) if (present.has(path)) this.#missingSince.delete(path);
    for (const entry of ledger.entriesOf(adapter.name)) {
      if (present.has(entry.path)) continue;
      if (entry.inputGone === true) {
        if (!isThere(lastOutputOf(entry))) await ledger.forget(adapter.name, entry.path);
        continue;
      }
      if (adapter.onDelete === "mirror" && entry.stream === undefined && entry.output !== undefined && entry.folder === folder) {
        const sinceMs = this.#missingSince.get(entry.path) ?? nowMs;
        this.#missingSince.set(entry.path, sinceMs);
        if (lookedMs - sinceMs < mirrorDelayMs) {
          nextMs = Math.min(nextMs, Math.max(1, sinceMs + mirrorDelayMs - nowMs));
          pending++;
          continue;
        }
        await this.#removeOwn(entry, entry.output);
        log.info({ path: entry.path, output: entry.output, adapter: adapter.name }, "Removed with its report");
        await ledger.forget(adapter.name, entry.path);
      } else await this.#endInput(entry);
      this.#missingSince.delete(entry.path);
    }
    return { pending, nextMs };
  }

  /** Removes what `retention` leaves no room for: inputs only when they are adapted and unchanged, outputs only when they are ours. */
  async keepLimits(done: readonly Candidate[]): Promise<void> {
    const { adapter } = this.#options;
    if (adapter.retention.inputs !== undefined) await this.#limitInputs(done);
    if (adapter.retention.outputs !== undefined) await this.#limitOutputs();
  }

  async #limitInputs(done: readonly Candidate[]): Promise<void> {
    const { adapter, ledger, clock, log } = this.#options;
    const items = done.flatMap(({ path, stat }) => {
      const entry = ledger.get(adapter.name, path);
      // A refused one is left where it is, and takes no adapted one's place.
      return entry?.outcome === "adapted" ? [{ path, mtimeMs: Number(mtimeNsOf(stat) / 1_000_000n), bytes: sizeOf(stat), stat, entry }] : [];
    });
    for (const { path, stat, entry } of selectExcess(items, adapter.retention.inputs ?? none, clock.nowMs())) {
      const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      // Nothing may come between look and removal in this process; another one that renames in this very moment loses its report.
      if (there === undefined || statKey(there) !== stat) continue;
      unlinkSync(path);
      log.info({ path, adapter: adapter.name }, "Removed an adapted report beyond the limits of retention.inputs");
      await this.#endInput(entry);
    }
  }

  async #limitOutputs(): Promise<void> {
    const { adapter, ledger, clock, log } = this.#options;
    const items = [];
    for (const entry of ledger.entriesOf(adapter.name)) {
      if (entry.output === undefined) continue;
      const stat = await lstat(entry.output, { bigint: true }).catch(() => undefined); // a consumer took it away
      if (stat !== undefined && identityOfOutput(stat) === entry.published) items.push({ path: entry.output, mtimeMs: Number(stat.mtimeNs / 1_000_000n), bytes: Number(stat.size), entry });
    }
    for (const { path, entry } of selectExcess(items, adapter.retention.outputs ?? none, clock.nowMs())) {
      await removeOutput(path, adapter.publish);
      log.info({ output: path, adapter: adapter.name }, "Removed an adapted report beyond the limits of retention.outputs");
      const { published: _published, ...rest } = entry;
      await (entry.inputGone === true ? ledger.forget(adapter.name, entry.path) : ledger.put({ ...rest, output: undefined }));
    }
  }

  /** The input is no more; its output stays, and is remembered where it must be removed some day, not be taken for a report, or not be overwritten by the next segments of that name. */
  async #endInput(entry: LedgerEntry): Promise<void> {
    const { adapter, ledger, watchedFolders } = this.#options;
    const mustKnow = entry.output !== undefined && (entry.stream !== undefined || adapter.retention.outputs !== undefined || watchedFolders.has(dirname(entry.output)));
    if (mustKnow) await ledger.put({ ...entry, stat: "", inputGone: true });
    else await ledger.forget(adapter.name, entry.path);
  }

  /** Removes an output unless somebody else has put something there. */
  async #removeOwn(entry: LedgerEntry, output: string): Promise<void> {
    const stat = await lstat(output, { bigint: true }).catch(() => undefined); // gone already
    if (stat === undefined || identityOfOutput(stat) === entry.published) await removeOutput(output, this.#options.adapter.publish);
  }
}

/** Of a report that grew, the segment made last. */
function lastOutputOf({ output, stream }: LedgerEntry): string | undefined {
  return output === undefined || stream === undefined ? output : segmentPath(output, stream.segment);
}

function isThere(path: string | undefined): boolean {
  return path !== undefined && lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

const none = { maxAgeMs: undefined, maxCount: undefined, maxBytes: undefined };
