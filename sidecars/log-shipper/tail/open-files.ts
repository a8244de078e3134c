import type { Log } from "../../../kit/log.ts";
import type { TrackedFile } from "./tracked-file.ts";

/**
 * The budget of open log files, shared by all sources. When it is used up, the file that has been read to its end and was quiet
 * for longest is closed in favour of the next; the scan opens it again when it has grown. When the system itself refuses (EMFILE),
 * the budget shrinks below what is open, so that connections and the checkpoint get descriptors too.
 *
 * Not promised: bytes written to a closed file that is deleted before the next scan.
 */
export type OpenOutcome =
  | "open"
  /** The path leads to something else now, or to nothing. */
  | "elsewhere"
  /** No descriptor is free; worth trying again at every scan. */
  | "limit"
  /** The system does not let us read the file. */
  | "refused";

const keepOpenMs = 200;
/** Descriptors left to sockets, the checkpoint and directory listings. */
const spareDescriptors = 16;

export class OpenFiles {
  readonly #log: Log;
  readonly #open = new Set<TrackedFile>();
  #max: number;
  #saidLimit = false;
  #saidRefusal = false;

  constructor(options: { readonly max: number; readonly log: Log }) {
    this.#max = options.max;
    this.#log = options.log;
  }

  open(file: TrackedFile, path: string, nowMs: number): OpenOutcome {
    if (this.#count() >= this.#max && !this.#closeIdle(nowMs)) {
      if (!this.#saidLimit) this.#log.warn({ path, openMax: this.#max }, "As many log files are open as may be; the others wait for their turn. Raise files.openMax and the limit of open files, or follow fewer");
      this.#saidLimit = true;
      return "limit";
    }
    try {
      if (!file.open(path)) return "elsewhere";
      file.openedAtMs = nowMs;
      this.#open.add(file);
      return "open";
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOENT" || code === "ENOTDIR") return "elsewhere";
      if (code === "EMFILE" || code === "ENFILE") {
        this.#shrink(error);
        return "limit";
      }
      if (!this.#saidRefusal) this.#log.error({ err: error, path }, "Cannot open a log file; it is tried again with every scan. Check its permissions: the shipper's uid needs to read it");
      this.#saidRefusal = true;
      return "refused";
    }
  }

  /** A file that got its descriptor in another way than `open`. */
  adopt(file: TrackedFile): void {
    this.#open.add(file);
  }

  #count(): number {
    for (const file of this.#open) if (file.fd === undefined) this.#open.delete(file);
    return this.#open.size;
  }

  /** Unread files that still have their name may go too: the scan finds them again. */
  #shrink(error: unknown): void {
    this.#max = Math.max(1, this.#count() - spareDescriptors);
    for (const file of [...this.#open].toReversed()) {
      if (this.#open.size <= this.#max) break;
      if (file.rotatedAtMs !== undefined) continue;
      file.close();
      this.#open.delete(file);
    }
    this.#log.error({ err: error, openMax: this.#max }, "The system refuses more open files; fewer log files are kept open at once. Raise the limit of open files (ulimit -n)");
  }

  #closeIdle(nowMs: number): boolean {
    let idlest: TrackedFile | undefined;
    for (const file of this.#open) {
      if (nowMs - file.openedAtMs < keepOpenMs || !file.readToEnd) continue;
      if (idlest === undefined || file.lastGrowthMs < idlest.lastGrowthMs) idlest = file;
    }
    if (idlest === undefined || Number(idlest.stat()?.size) !== idlest.size) return false;
    idlest.close();
    return true;
  }
}
