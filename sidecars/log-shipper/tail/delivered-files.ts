import { unlinkSync } from "node:fs";
import type { Log } from "../../../kit/log.ts";
import { identityOf, statOf, type FoundFile } from "./discover.ts";
import { identityKey } from "./tail-state.ts";
import type { TrackedFile } from "./tracked-file.ts";
import { findWriters } from "./writers.ts";

/** Deletes files of which nothing is left to deliver, unless a process that we can see may write more. */
export class DeliveredFiles {
  readonly #options: { readonly afterMs: number; readonly log: Log; readonly onDeleted: () => void };
  #saidUndeletable = false;

  constructor(options: { readonly afterMs: number; readonly log: Log; readonly onDeleted: () => void }) {
    this.#options = options;
  }

  delete(found: FoundFile, file: TrackedFile | undefined, nowMs: number): void {
    const { afterMs, log, onDeleted } = this.#options;
    const end = file === undefined ? 0 : file.fd === undefined ? Math.max(file.seenTo, file.size) : Number(file.stat()?.size ?? 0);
    if (file === undefined || end === 0 || !file.settledUpTo(end) || nowMs - file.lastGrowthMs < afterMs) return;
    const now = statOf(found.path);
    if (now === undefined || identityKey(identityOf(now)) !== identityKey(found.identity) || Number(now.size) !== found.size || now.mtimeNs !== found.mtimeNs) return;
    if (findWriters(new Set([found.inode])) === "some") return;
    try {
      unlinkSync(found.path);
      onDeleted();
      log.info({ path: found.path, bytes: end }, "Deleted a log file that is delivered to its end");
    } catch (error) {
      if (!this.#saidUndeletable) log.warn({ err: error, path: found.path }, "Cannot delete a delivered log file. Mount the volume writable, and see that the shipper's user may write into the directory");
      this.#saidUndeletable = true;
    }
  }
}
