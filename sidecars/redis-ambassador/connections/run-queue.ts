// pure
import { nobody, type Run, type RunOwner } from "./run.ts";

/** The unanswered runs of one server connection, in the order in which their replies come. */
export class RunQueue {
  #runs: Run[] = [];
  #head = 0;

  get first(): Run | undefined {
    return this.#runs[this.#head];
  }
  get length(): number {
    return this.#runs.length - this.#head;
  }

  push(run: Run): void {
    this.#runs.push(run);
  }

  /** The first run is answered. */
  shift(): void {
    this.#head += 1;
    if (this.#head === this.#runs.length) {
      this.#runs.length = 0;
      this.#head = 0;
    } else if (this.#head > 4096) {
      this.#runs.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Gives all runs away. */
  takeAll(): Run[] {
    const runs = this.#head === 0 ? this.#runs : this.#runs.slice(this.#head);
    this.#runs = [];
    this.#head = 0;
    return runs;
  }

  /** All that was queued is with the socket now. */
  handOver(): void {
    for (let at = this.#runs.length - 1; at >= this.#head; at -= 1) {
      const run = this.#runs[at];
      if (run === undefined || run.handed) return;
      run.handed = true;
    }
  }

  /** Leaves the replies of an owner that has gone to nobody. */
  disown(owner: RunOwner): void {
    for (let at = this.#head; at < this.#runs.length; at += 1) {
      const run = this.#runs[at];
      if (run?.owner === owner) run.owner = nobody;
    }
  }

  /** Whether nobody else waits for anything. */
  servesOnly(owner: RunOwner): boolean {
    for (let at = this.#head; at < this.#runs.length; at += 1) {
      const other = this.#runs[at]?.owner;
      if (other !== owner && other !== nobody) return false;
    }
    return true;
  }

  /**
   * Takes away the runs of all owners but `keeper` who have asked for reads alone and have got nothing of the replies yet. The
   * replies will go to nobody.
   */
  shedReads(keeper: RunOwner): Map<RunOwner, Run[]> {
    const shed = byOwner(this.#runs.slice(this.#head).filter(({ owner }) => owner !== keeper && owner !== nobody));
    for (const [owner, runs] of shed) if (!runs.every((run) => run.onlyReads && run.replied === 0 && !run.partial)) shed.delete(owner);
    for (let at = this.#head; at < this.#runs.length; at += 1) {
      const run = this.#runs[at];
      if (run !== undefined && shed.has(run.owner)) this.#runs[at] = { ...run, owner: nobody };
    }
    return shed;
  }
}

/** The runs of each owner, in order. */
export function byOwner(runs: readonly Run[]): Map<RunOwner, Run[]> {
  return Map.groupBy(runs, ({ owner }) => owner);
}
