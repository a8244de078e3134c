// pure

/** An event may be this late and still count as having told. */
const graceMs = 2_000;
/** Names beyond this are forgotten: they only feed a metric and save a listing. */
const namesMax = 100_000;

/** Compares what events told with what scans found, so that files that events missed can be counted. */
export class Announced {
  /** Told by an event, not looked at yet. */
  #told = new Set<string>();
  /** Found by a scan without an event so far, since when. */
  readonly #untold = new Map<string, number>();

  /** An event told of this path. */
  tell(path: string): void {
    if (this.#untold.delete(path)) return;
    if (this.#told.size < namesMax) this.#told.add(path);
  }

  /** What events told of since the last call. */
  take(): ReadonlySet<string> {
    const told = this.#told;
    this.#told = new Set();
    return told;
  }

  /** A scan found a new or changed file; `told` is what the last `take` gave. */
  find(path: string, told: ReadonlySet<string>, nowMs: number): void {
    if (told.has(path) || this.#told.has(path) || this.#untold.has(path) || this.#untold.size >= namesMax) return;
    this.#untold.set(path, nowMs);
  }

  /** How many files found so long ago were never told of; each is counted once. */
  countMissed(nowMs: number): number {
    let count = 0;
    for (const [path, sinceMs] of this.#untold) {
      if (nowMs - sinceMs <= graceMs) break; // in the order in which they were found
      this.#untold.delete(path);
      count++;
    }
    return count;
  }
}
