import { lstatSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { identityOfOutput } from "../publish/publish.ts";
import type { AdapterOptions } from "../record.ts";
import { keepsAccessTimes, readSinceWritten } from "./access-times.ts";

const everyMs = 10_000;
/** Of each adapter the outputs made last. */
const outputsMax = 10_000;
const lookAtOnce = 500;

/**
 * Tells when somebody last read an adapted report, so that it shows when the adapter can go; for `publish.reads`. By access times, which is all
 * that there is: a look that costs no read. Our own reading leaves them alone (publish/). What was seen is kept while the process lives.
 */
export class Reads {
  readonly #options: AdapterOptions;
  #nextMs = 0;
  #latestNs = 0n;
  /** Folders whose mount was looked at, and whether it keeps access times. */
  readonly #keeps = new Map<string, boolean>();

  constructor(options: AdapterOptions) {
    this.#options = options;
  }

  async look(): Promise<void> {
    const { adapter, clock, ledger, metrics } = this.#options;
    if (!adapter.publish.reads || clock.monotonicMs() < this.#nextMs) return;
    this.#nextMs = clock.monotonicMs() + everyMs;
    for (const [index, { output, published }] of ledger.entriesOf(adapter.name).slice(-outputsMax).entries()) {
      if (index % lookAtOnce === lookAtOnce - 1) await new Promise(setImmediate);
      if (output === undefined || !(await this.#isKept(dirname(output)))) continue;
      const stat = lstatSync(output, { bigint: true, throwIfNoEntry: false });
      const read = stat === undefined || identityOfOutput(stat) !== published ? undefined : readSinceWritten(stat);
      if (read !== undefined && read > this.#latestNs) this.#latestNs = read;
    }
    if (this.#latestNs > 0n) metrics.outputRead.set(Number(this.#latestNs / 1_000_000n) / 1000, { adapter: adapter.name });
  }

  async #isKept(folder: string): Promise<boolean> {
    const known = this.#keeps.get(folder);
    if (known !== undefined) return known;
    const keeps = keepsAccessTimes(await readFile("/proc/self/mountinfo", "utf8").catch(() => ""), folder); // elsewhere than on Linux nobody can say
    if (!keeps) this.#options.log.warn({ folder, adapter: this.#options.adapter.name }, "Nobody can tell who reads adapted reports here: the volume is mounted with noatime");
    this.#keeps.set(folder, keeps);
    return keeps;
  }
}
