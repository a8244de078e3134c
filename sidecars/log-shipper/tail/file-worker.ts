import { findCopy, isPartialCopy } from "./copies.ts";
import { identityOf, statOf, type FoundFile } from "./discover.ts";
import { isFinal, isHot, isOver, overAtMs, restUntilMs } from "./due.ts";
import type { FollowedFiles } from "./followed-files.ts";
import { identityKey, inodeKey } from "./tail-state.ts";
import type { ReadOutcome } from "./tail-reader.ts";
import type { TailerOptions } from "./tailer.ts";
import { holdsContent, type TrackedFile } from "./tracked-file.ts";

/** After a read error, such as an input/output error of the disk, a file is left alone for this long. */
const faultyEveryMs = 1_000;

const truncatedWords = "A log file was truncated; reading it from its start. Bytes that were not read before are lost";

/** Works on one followed file at a time: reads, ships, and finds out what became of its content. */
export class FileWorker {
  readonly #options: TailerOptions;
  readonly #followed: FollowedFiles;
  readonly #scan: () => void;
  readonly #lookedAt: () => readonly FoundFile[];
  #saidFaulty = false;

  /** `scan` looks at the directories anew; `lookedAt` gives the matching files of the last look. */
  constructor(options: TailerOptions, context: { readonly followed: FollowedFiles; readonly scan: () => void; readonly lookedAt: () => readonly FoundFile[] }) {
    this.#options = options;
    this.#followed = context.followed;
    this.#scan = context.scan;
    this.#lookedAt = context.lookedAt;
  }

  /** Reads on in a file that is due. True when something was cut. */
  async advance(file: TrackedFile): Promise<boolean> {
    const { clock, pipeline, reader, range } = this.#options;
    file.dueMs = Infinity;
    if (file.fd === undefined) return false;
    const nowMs = clock.monotonicMs();
    const { spool } = this.#options;
    const copyDueMs = spool === undefined || spool.has(file.identity) ? Infinity : overAtMs(file, this.#options);
    if (nowMs >= copyDueMs && file.deliveredTo < file.size) await spool?.copy(file);
    if (!pipeline.hasRoom()) {
      file.starved = true;
      if (nowMs < copyDueMs) file.dueMs = copyDueMs;
      return await this.#lookAtStarved(file, file.fd, nowMs);
    }
    const sinceMs = file.behindSinceMs ?? nowMs;
    const knownSize = file.size;
    const outcome = await reader.next(file, range(file.path), { final: isFinal(file, nowMs, this.#policy()), nowMs }).catch((error: unknown) => this.#faulty(file, error));
    if (outcome === undefined) {
      file.dueMs = nowMs + faultyEveryMs;
      return false;
    }
    switch (outcome.kind) {
      case "range":
        await this.#ship(file, outcome, sinceMs);
        file.dueMs = 0;
        return true;
      case "gathering":
        file.dueMs = outcome.untilMs;
        return false;
      case "replaced":
        file.size = outcome.reached ?? knownSize; // what was seen now is of the new content
        await this.#replaced(file, nowMs);
        return true;
      default:
        this.#rest(file, nowMs);
        return false;
    }
  }

  /** Without room nothing is read, but what happens to the file is noticed: a copy that a truncation leaves behind may not last. */
  async #lookAtStarved(file: TrackedFile, fd: number, nowMs: number): Promise<boolean> {
    const size = Number(file.stat()?.size ?? 0);
    const holds = size >= file.offset && (await holdsContent(fd, file.offset, file.print).catch((error: unknown) => this.#faulty(file, error) ?? true));
    if (!holds) {
      await this.#replaced(file, nowMs);
      return true;
    }
    if (size > file.size) {
      file.size = size;
      file.lastGrowthMs = nowMs;
    }
    if (size > file.offset) file.behindSinceMs ??= nowMs;
    return false;
  }

  /** One unreadable file must not hold up the others. */
  #faulty(file: TrackedFile, error: unknown): undefined {
    if (!this.#saidFaulty) this.#options.log.error({ err: error, path: file.path, offset: file.offset }, "Cannot read a log file; it is tried again every second. Check the volume");
    this.#saidFaulty = true;
  }

  /** Nothing to read now: decides when to look again, and closes what is over. */
  #rest(file: TrackedFile, nowMs: number): void {
    if (file.rotatedAtMs !== undefined && isOver(file, nowMs, this.#policy()) && file.offset === file.size) {
      file.close();
      return;
    }
    file.dueMs = Math.min(file.dueMs, restUntilMs(file, nowMs, this.#policy()));
    if (!isHot(file, nowMs) || file.rotatedAtMs !== undefined) return;
    const now = statOf(file.path);
    if (now === undefined || inodeKey(identityOf(now)) !== file.inode) this.#scan();
  }

  async #ship(file: TrackedFile, outcome: Extract<ReadOutcome, { kind: "range" }>, sinceMs: number): Promise<void> {
    const { checkpoint, ledger, events, pipeline } = this.#options;
    const { chunks, cut, records, filteredBytes, replayed } = outcome;
    const bytes = cut.to - cut.from;
    ledger.read(bytes);
    events.read(file.path, records, bytes);
    events.unparsed(outcome.unparsed);
    file.sent(cut, sinceMs);
    if (!replayed) await checkpoint.append({ kind: "cut", number: file.number, ...cut });
    void pipeline.deliver(chunks).then((delivery) => {
      file.inFlight--;
      if (delivery.kind === "delivered") {
        const { deadLetteredBytes } = delivery;
        const columns = { filtered: filteredBytes, deadLettered: deadLetteredBytes, skipped: 0 };
        file.settled(cut, columns);
        ledger.settled(bytes, { filteredBytes, deadLetteredBytes });
        void checkpoint.append({ kind: "ack", number: file.number, from: cut.from, ...(filteredBytes + deadLetteredBytes === 0 ? {} : { columns }) });
        if (file.gone && file.inFlight === 0) this.#followed.drop(file);
      }
      if (file.behindSinceMs !== undefined) file.dueMs = 0;
      this.#options.wakeUp.ring();
    });
  }

  /** The file no longer holds the content: it goes on in a copy, if there is one, and the file is a new content. */
  async #replaced(file: TrackedFile, nowMs: number): Promise<void> {
    const { events, log } = this.#options;
    events.truncated();
    const { identity, fd } = file;
    const { siblings, compressed } = this.#options.discovery.look();
    const copy = await findCopy(file, { candidates: [...siblings, ...this.#lookedAt()], isTracked: (inode) => this.#followed.at(inode) !== undefined, log });
    const partial = copy === undefined ? siblings.find((found) => this.#followed.at(found.inode) === undefined && isPartialCopy(found, file)) : undefined;
    const next = this.#followed.create({ identity, path: file.path, generation: file.generation + 1, content: `${identityKey(identity)}:${file.generation + 1}`, nowMs });
    next.fd = fd;
    next.rotatedAtMs = file.rotatedAtMs;
    this.#options.openFiles.adopt(next);
    let remembered = Promise.resolve();
    if (copy === undefined) {
      file.fd = undefined;
      file.seenTo = Math.max(file.size, file.offset); // a look may have seen the new content's size
      const lost = file.unreadUpTo(file.size);
      const mayGoOn = this.#options.compressed !== undefined && (lost.length === 0 || compressed.some((found) => found.formerPaths.includes(file.path)));
      if (mayGoOn) this.#followed.detach(file, nowMs);
      else this.#followed.lose(file, lost, truncatedWords);
      if (mayGoOn) log.info({ path: file.path, offset: file.offset }, truncatedWords);
      // Known from now on, also after a restart.
      if (partial !== undefined) this.#followed.adopt(partial, { path: file.path, nowMs, skip: true });
    } else {
      if (file.size > copy.size) this.#followed.noteLoss(file, [{ from: copy.size, to: file.size }], "A log file was written to between its copying and its truncation; those bytes are lost");
      remembered = this.#followed.moveTo(file, copy.identity, nowMs);
      if (this.#followed.open(file, copy, nowMs)) log.info({ path: file.path, copy: copy.path, offset: file.offset }, "A log file was copied and truncated; finishing it from the copy");
    }
    this.#followed.add(next);
    // In one write with the move: after a death in between, the file would be taken for one never seen, and get the moved content's name.
    this.#followed.remember(next);
    await remembered;
  }

  #policy(): Parameters<typeof isOver>[2] {
    const { rotateWaitMs, deleteAfterMs } = this.#options;
    return { finishing: this.#followed.finishing, rotateWaitMs, deleteAfterMs };
  }
}
