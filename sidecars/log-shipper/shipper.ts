import { existsSync } from "node:fs";
import type { Clock } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import type { DirectoryWatch } from "../../kit/watch-directories.ts";
import type { Pipeline } from "./delivery/pipeline.ts";
import type { Tailer } from "./tail/tailer.ts";
import type { WakeUp } from "./tail/wake-up.ts";
import { findWriters, provenWritersGone } from "./tail/writers.ts";

/**
 * The loop that drives the tailers: scan, read what is due, wait for the next wake-up.
 *
 * After `stopAccepting` it drains: it keeps reading and scanning until the writers are gone and the files are quiet, ships
 * unterminated last lines, and waits for the acknowledgements, all until `giveUp`. The writers count as gone when the marker file
 * exists (if one is configured), or at once when no process is left that has the volume mounted (seen only in a Pod that shares its
 * process namespace), or else after `quietMs` without growth, counted from the request to stop at the earliest; while a process with
 * a file open for writing can be seen, it waits on.
 */
export type DrainPolicy = { readonly quietMs: number; readonly marker: string | undefined; readonly watchWriters: boolean };

const scanEveryMs = 1_000;
const drainScanEveryMs = 250;
const churnScanEveryMs = 20;
const churnMs = 1_000;
const writersEveryMs = 100;

export class Shipper {
  readonly #tailers: readonly Tailer[];
  readonly #options: { readonly pipeline: Pipeline; readonly wakeUp: WakeUp; readonly watch: DirectoryWatch; readonly clock: Clock; readonly log: Log; readonly drain: DrainPolicy; readonly otherSourcesIdle: () => boolean };
  readonly #watched = new Set<string>();
  #nextScanMs = 0;
  #churnUntilMs = 0;
  #scanCostMs = 0;
  #stopAtMs: number | undefined;
  #writersCheckedMs = -Infinity;
  #writersSeen = false;
  #goneCheckedMs = -Infinity;
  /** Whether tailers are at work now: a chunk may then be cut and not yet handed on. */
  advancing = false;

  constructor(options: { readonly tailers: readonly Tailer[]; readonly pipeline: Pipeline; readonly wakeUp: WakeUp; readonly watch: DirectoryWatch; readonly clock: Clock; readonly log: Log; readonly drain: DrainPolicy; readonly otherSourcesIdle: () => boolean }) {
    this.#tailers = options.tailers;
    this.#options = options;
  }

  /** A directory may have changed: look soon, but leave most of the time to reading. */
  wake(): void {
    this.#nextScanMs = Math.min(this.#nextScanMs, this.#options.clock.monotonicMs() + Math.max(1, this.#scanCostMs * 4));
    this.#options.wakeUp.ring();
  }

  /** Resolves when drained, or when given up. */
  async run(stopAccepting: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { pipeline, wakeUp, clock } = this.#options;
    pipeline.onRoom(() => this.#onRoom(), giveUp);
    const onStop = (): void => wakeUp.ring();
    stopAccepting.addEventListener("abort", onStop);
    giveUp.addEventListener("abort", onStop);
    while (!giveUp.aborted) {
      if (stopAccepting.aborted) this.#stopAtMs ??= clock.monotonicMs();
      this.#scanWhenDue();
      let progressed = false;
      this.advancing = true;
      for (const tailer of this.#tailers) progressed = (await tailer.advanceAll()) || progressed;
      this.advancing = false;
      if (this.#drained()) break;
      if (!progressed) await wakeUp.wait(this.#pauseMs());
    }
    stopAccepting.removeEventListener("abort", onStop);
    giveUp.removeEventListener("abort", onStop);
  }

  #onRoom(): void {
    if (!this.#options.pipeline.hasRoom()) return;
    let any = false;
    for (const tailer of this.#tailers) any = tailer.feed() || any;
    if (any) this.#options.wakeUp.ring();
  }

  #scanWhenDue(): void {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    if (startMs < this.#nextScanMs) return;
    let changed = false;
    for (const tailer of this.#tailers) changed = tailer.scan() || changed;
    const endMs = clock.monotonicMs();
    this.#scanCostMs = endMs - startMs;
    if (changed) this.#churnUntilMs = endMs + churnMs;
    const everyMs = endMs < this.#churnUntilMs ? churnScanEveryMs : this.#stopAtMs === undefined ? scanEveryMs : drainScanEveryMs;
    this.#nextScanMs = endMs + Math.max(everyMs, this.#scanCostMs * 4);
    this.#watchDirectories();
  }

  #watchDirectories(): void {
    const wanted = new Set(this.#tailers.flatMap((tailer) => tailer.directories));
    for (const directory of this.#watched) {
      if (wanted.has(directory)) continue;
      this.#options.watch.remove(directory);
      this.#watched.delete(directory);
    }
    for (const directory of wanted) {
      if (this.#watched.has(directory)) continue;
      this.#options.watch.add(directory);
      this.#watched.add(directory);
    }
  }

  #pauseMs(): number {
    const nowMs = this.#options.clock.monotonicMs();
    let untilMs = this.#nextScanMs;
    for (const tailer of this.#tailers) untilMs = Math.min(untilMs, tailer.nextDueMs());
    return Math.max(0, untilMs - nowMs);
  }

  /** Moves the drain on; true at its end. */
  #drained(): boolean {
    if (this.#stopAtMs === undefined) return false;
    const finishing = this.#tailers.every((tailer) => tailer.finishing);
    if (finishing) return this.#tailers.every((tailer) => tailer.idle) && this.#options.otherSourcesIdle();
    if (!this.#options.pipeline.hasRoom() || !this.#tailers.every((tailer) => tailer.caughtUp) || !this.#quiet()) return false;
    for (const tailer of this.#tailers) {
      tailer.finishing = true;
      tailer.scan(); // with it, so that closed files with an unterminated last line are opened once more
      tailer.allDue();
    }
    return false;
  }

  #quiet(): boolean {
    const { drain, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (drain.marker !== undefined) return existsSync(drain.marker);
    if (drain.watchWriters && nowMs - this.#goneCheckedMs >= writersEveryMs) {
      this.#goneCheckedMs = nowMs;
      const directories = this.#tailers.flatMap((tailer) => tailer.directories);
      if (directories.length > 0 && provenWritersGone(directories) && findWriters(this.#inodes()) !== "some") return true;
      this.#nextScanMs = Math.min(this.#nextScanMs, nowMs + writersEveryMs);
    }
    const sinceMs = Math.max(this.#stopAtMs ?? nowMs, ...this.#tailers.map((tailer) => tailer.lastGrowthMs));
    if (nowMs - sinceMs < drain.quietMs) {
      this.#nextScanMs = Math.min(this.#nextScanMs, sinceMs + drain.quietMs);
      return false;
    }
    if (!drain.watchWriters) return true;
    if (nowMs - this.#writersCheckedMs >= writersEveryMs) {
      this.#writersCheckedMs = nowMs;
      this.#writersSeen = findWriters(this.#inodes()) === "some";
    }
    return !this.#writersSeen;
  }

  #inodes(): ReadonlySet<string> {
    return new Set(this.#tailers.flatMap((tailer) => [...tailer.files].map((file) => file.inode)));
  }
}
