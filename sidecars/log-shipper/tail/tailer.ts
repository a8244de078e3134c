import { closeSync } from "node:fs";
import type { Clock } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import type { Pipeline } from "../delivery/pipeline.ts";
import type { Checkpoint } from "../state/checkpoint.ts";
import type { Loss } from "../state/checkpoint-log.ts";
import type { Ledger } from "../state/ledger.ts";
import type { Claims, Follower } from "./claims.ts";
import type { CompressedFiles, Unpacked } from "./compressed-files.ts";
import { contentOfCopy } from "./copies.ts";
import { DeliveredFiles } from "./delivered-files.ts";
import type { Discovery, FoundCompressed, FoundFile, FoundSibling, Look } from "./discover.ts";
import { FileWorker } from "./file-worker.ts";
import { FollowedFiles } from "./followed-files.ts";
import type { OpenFiles } from "./open-files.ts";
import type { Spool, SpooledFile } from "./spool.ts";
import { emptyFingerprint, identityKey, type FileIdentity } from "./tail-state.ts";
import type { RangeOptions, TailReader } from "./tail-reader.ts";
import type { TrackedFile } from "./tracked-file.ts";
import type { WakeUp } from "./wake-up.ts";

/**
 * Follows the files of one tail source through growth, rotation, truncation and removal, and cuts them into chunks while the
 * pipeline has room. It has no loop of its own: `scan` and `advanceAll` are called by the shipper's loop (shipper.ts), one at a
 * time.
 *
 * Rotation. A content is read from its open file to the end, wherever its name goes, and closed `rotateWaitMs` after both its
 * path led elsewhere and it last grew; an unterminated last line is shipped then. Names outside the patterns are adopted when
 * they are rotated forms of a matching name and were born after the last known generation of that name. A file born later than
 * the one that still has the name is a copy, not a rotation: it is left alone until the original shrinks, and then continues it,
 * unless it holds a content of which nothing was read before it was truncated away.
 */
export type TailerOptions = {
  readonly name: string;
  readonly discovery: Discovery;
  readonly range: (path: string) => RangeOptions;
  readonly reader: TailReader;
  readonly pipeline: Pipeline;
  readonly checkpoint: Checkpoint;
  readonly ledger: Ledger;
  readonly wakeUp: WakeUp;
  readonly clock: Clock;
  readonly log: Log;
  /** Pass over what stands in the files of the first look. */
  readonly skipFirst: boolean;
  readonly rotateWaitMs: number;
  readonly openFiles: OpenFiles;
  readonly claims: Claims;
  /** Keeps files that others delete. */
  readonly spool: Spool | undefined;
  /** Undefined when compressed files are left alone. */
  readonly compressed: CompressedFiles | undefined;
  /** Delete a file that is delivered to its end and did not grow for this long. */
  readonly deleteAfterMs: number | undefined;
  readonly nextNumber: () => number;
  readonly events: TailEvents;
};
export type TailEvents = {
  readonly read: (path: string, records: number, bytes: number) => void;
  readonly unparsed: (records: number) => void;
  readonly rotated: () => void;
  readonly truncated: () => void;
  readonly deleted: () => void;
  /** Bytes known to have been written that can no longer be read. */
  readonly lost: (bytes: number) => void;
};

const forgetAfterMs = 86_400_000;
const forgetDetachedAfterMs = 600_000;
const rememberedMax = 10_000;
const birthSlackNs = 20_000_000n;
/** A run looks at least this often. */
const lookSlackNs = 2_000_000_000n;

export class Tailer implements Follower {
  readonly #options: TailerOptions;
  readonly #followed: FollowedFiles;
  readonly #worker: FileWorker;
  readonly #delivered: DeliveredFiles | undefined;
  readonly #startedNs: bigint;
  /** Copies that are older were seen and judged by a former run. */
  readonly #copiesNs: bigint;
  #look: Look | undefined;
  #saidPartial = false;

  constructor(options: TailerOptions, remembered: readonly TrackedFile[]) {
    this.#options = options;
    const { checkpoint, openFiles, log, nextNumber, events, deleteAfterMs } = options;
    this.#followed = new FollowedFiles({ checkpoint, openFiles, log, nextNumber, onLost: events.lost });
    this.#worker = new FileWorker(options, { followed: this.#followed, scan: () => void this.scan(), lookedAt: () => this.#look?.matches ?? [] });
    this.#delivered = deleteAfterMs === undefined ? undefined : new DeliveredFiles({ afterMs: deleteAfterMs, log, onDeleted: events.deleted });
    this.#startedNs = BigInt(options.checkpoint.state.beganMs ?? options.clock.nowMs()) * 1_000_000n - birthSlackNs;
    const copiesNs = BigInt(Math.floor(options.checkpoint.lastWriteMs)) * 1_000_000n - lookSlackNs;
    this.#copiesNs = copiesNs > this.#startedNs ? copiesNs : this.#startedNs;
    for (const file of remembered) this.#followed.add(file);
    options.claims.add(this);
  }

  follows(identity: FileIdentity): boolean {
    return this.#followed.withIdentity(identity) !== undefined;
  }

  /** The end has come: nobody writes any more, and all unterminated last lines are to be shipped. */
  get finishing(): boolean {
    return this.#followed.finishing;
  }

  set finishing(finishing: boolean) {
    this.#followed.finishing = finishing;
  }

  get files(): ReadonlySet<TrackedFile> {
    return this.#followed.files;
  }

  get directories(): readonly string[] {
    return this.#look?.directories ?? [];
  }

  /** Whether nothing readable is left and nothing is in flight. */
  get idle(): boolean {
    return this.caughtUp && [...this.#followed.files].every((file) => file.inFlight === 0);
  }

  /** Whether nothing readable is left. What cannot be opened for want of descriptors is readable in its turn. */
  get caughtUp(): boolean {
    return this.#options.compressed?.busy !== true && !this.#followed.waiting.some((each) => each.why === "limit") && [...this.#followed.files].every((file) => this.#atEnd(file));
  }

  get lastGrowthMs(): number {
    return Math.max(0, ...[...this.#followed.files].map((file) => file.lastGrowthMs));
  }

  /** Looks at the directories once. True when something was found, renamed or replaced, so that another look is due soon. */
  scan(): boolean {
    const first = this.#look === undefined;
    const look = this.#options.discovery.look();
    this.#look = look;
    this.#followed.waiting = [];
    const nowMs = this.#options.clock.monotonicMs();
    const floors = new Map(this.#followed.newestBirthNs);
    const inodeAt = new Map(look.matches.map((found) => [found.path, found.inode]));
    const liveAt = new Map(look.matches.map((found) => [found.path, found]));
    const spooled = this.#options.spool?.look() ?? [];
    let changed = this.#moveToCopies(spooled, look, nowMs);
    for (const found of look.matches) changed = this.#sawMatch(found, nowMs, first) || changed;
    for (const file of this.#followed.files) if (!hidden(look, file.path)) changed = this.#noteRotation(file, inodeAt.get(file.path), nowMs) || changed;
    for (const found of look.siblings) changed = this.#sawSibling(found, { floors, live: liveAt.get(found.formerPath), nowMs }) || changed;
    changed = this.#sawSpooled(spooled, inodeAt, nowMs) || changed;
    this.#keep(look);
    const onRead = (found: FoundCompressed, size: number): void => this.#followAsRead(found, size, nowMs);
    changed = this.#options.compressed?.look(look.compressed, { files: this.#followed.files, startedNs: this.#startedNs, skip: first && this.#options.skipFirst, nowMs, onRead }) === true || changed;
    for (const found of this.#delivered === undefined ? [] : [...look.matches, ...look.siblings, ...look.compressed]) this.#delivered?.delete(found, this.#followed.withIdentity(found.identity), nowMs);
    if (look.truncated || look.unlisted.length > 0) this.#sayPartial(look);
    this.#forget(look, nowMs);
    return changed;
  }

  /** Works on every file that is due, once. True when something was cut. */
  async advanceAll(): Promise<boolean> {
    let progressed = false;
    for (const unpacked of (await this.#options.compressed?.take(this.#followed.files)) ?? []) this.#readUnpacked(unpacked);
    for (const file of this.#followed.files) {
      if (file.dueMs > this.#options.clock.monotonicMs()) continue;
      progressed = (await this.#worker.advance(file)) || progressed;
    }
    return progressed;
  }

  /** When the next file is due; Infinity when only a wake-up or a scan can tell. */
  nextDueMs(): number {
    let next = Infinity;
    for (const file of this.#followed.files) next = Math.min(next, file.dueMs);
    return next;
  }

  /** Makes every open file due: the end has come. */
  allDue(): void {
    for (const file of this.#followed.files) if (file.fd !== undefined) file.dueMs = 0;
  }

  /** There is room again: makes the files due that found none. True if there were any. */
  feed(): boolean {
    let any = false;
    for (const file of this.#followed.files) {
      if (!file.starved) continue;
      file.starved = false;
      file.dueMs = 0;
      any = true;
    }
    return any;
  }

  /** What was written and not delivered, as byte ranges of named files. */
  undelivered(): readonly Loss[] {
    const tracked = [...this.#followed.files].flatMap((file) => {
      const end = file.gone ? 0 : Number(file.stat()?.size ?? file.seenTo);
      return file.undelivered(end).map((range) => ({ path: file.path, ...range }));
    });
    return [...tracked, ...this.#followed.waiting.map(({ path, from, to }) => ({ path, from, to }))];
  }

  /** Notes what is left, so that it is missed if the files have gone by the next start. */
  close(): void {
    for (const file of this.#followed.files) {
      const to = file.gone ? 0 : Number(file.stat()?.size ?? file.seenTo);
      if (to > file.offset) void this.#options.checkpoint.append({ kind: "seen", number: file.number, to });
      file.close();
    }
  }

  #atEnd(file: TrackedFile): boolean {
    if (file.fd === undefined) return true; // gone, or over, or among #waiting
    if (file.replay.length > 0) return false;
    const size = Number(file.stat()?.size ?? 0);
    return file.verified && (size === file.offset || (!this.#followed.finishing && size === file.partialAtSize));
  }

  #sawMatch(found: FoundFile, nowMs: number, first: boolean): boolean {
    const known = this.#followed.known(found);
    if (known === undefined) {
      return !this.#options.claims.isTaken(found, this) && this.#followed.adopt(found, { path: found.path, nowMs, skip: first && this.#options.skipFirst });
    }
    this.#touch(known, found, nowMs);
    return false;
  }

  #sawSibling(found: FoundSibling, context: { readonly floors: ReadonlyMap<string, bigint>; readonly live: FoundFile | undefined; readonly nowMs: number }): boolean {
    const known = this.#followed.known(found);
    if (known !== undefined) {
      this.#touch(known, found, context.nowMs);
      return false;
    }
    const birthNs = BigInt(found.identity.birthNs);
    if (birthNs === 0n || this.#followed.copies.has(found.inode) || this.#options.claims.isTaken(found, this)) return false;
    const { live, nowMs } = context;
    // Births are as coarse as the kernel's ticks; two at the same are told apart by their content.
    if (live !== undefined && birthNs >= BigInt(live.identity.birthNs)) return birthNs >= this.#copiesNs && this.#sawCopy(found, live, nowMs);
    const floorNs = context.floors.get(found.formerPath) ?? this.#startedNs;
    return birthNs >= floorNs && this.#followed.adopt(found, { path: found.formerPath, nowMs, skip: false });
  }

  #sawCopy(found: FoundSibling, live: FoundFile, nowMs: number): boolean {
    const followed = [...this.#followed.files].filter((file) => file.path === found.formerPath);
    const content = contentOfCopy(found, { followed, live });
    if (content === "known") this.#followed.copies.add(found.inode);
    return content === "unknown" && this.#followed.adopt(found, { path: found.formerPath, nowMs, skip: false });
  }

  /** Goes on in its copy with what is nowhere else any more. Before the look is gone through, because its inode may be another file's by now. */
  #moveToCopies(spooled: readonly SpooledFile[], look: Look, nowMs: number): boolean {
    const visible = new Set([...look.matches, ...look.siblings].map((found) => identityKey(found.identity)));
    let moved = false;
    for (const entry of spooled) {
      const file = entry.copyOf && this.#followed.withIdentity(entry.copyOf.identity);
      if (file === undefined || file.fd !== undefined || file.inFlight > 0 || visible.has(identityKey(file.identity)) || hidden(look, file.path)) continue;
      void this.#followed.moveTo(file, entry.identity, nowMs);
      moved = true;
    }
    return moved;
  }

  /** Reads on from the spool what has no other name, and removes from it what is over. */
  #sawSpooled(spooled: readonly SpooledFile[], inodeAt: ReadonlyMap<string, string>, nowMs: number): boolean {
    const { spool, discovery } = this.#options;
    let changed = false;
    for (const entry of spooled) {
      const original = entry.copyOf && this.#followed.withIdentity(entry.copyOf.identity);
      const known = original ?? this.#followed.known(entry);
      if (known === undefined) {
        const { identity, from } = entry.copyOf ?? { identity: entry.identity, from: 0 };
        if (discovery.matches(entry.formerPath)) changed = this.#followed.adopt(entry, { path: entry.formerPath, nowMs, skip: false, content: identity, from }) || changed;
        continue;
      }
      if (original === undefined && known.lastSeenMs < nowMs) this.#touch(known, entry, nowMs);
      if (known.fd === undefined && known.settledUpTo(entry.size) && inodeAt.get(known.path) !== known.inode) spool?.release(entry);
    }
    return changed;
  }

  /** Gives every followed file a second name. */
  #keep(look: Look): void {
    for (const found of [...look.matches, ...look.siblings]) {
      const file = this.#followed.at(found.inode);
      if (file !== undefined && !(file.fd === undefined && file.settledUpTo(found.size))) this.#options.spool?.keep(found.identity, found.path, file.path);
    }
  }

  /** Remembers a compressed file for as long as it is there, so that it is not taken for a new content at a later start. */
  #followAsRead(found: FoundCompressed, size: number, nowMs: number): void {
    const file = this.#followed.createCompressed(found, nowMs);
    file.skipTo(size, emptyFingerprint);
    file.seenTo = size;
    this.#followed.add(file);
    this.#followed.remember(file);
    void this.#options.checkpoint.append({ kind: "seen", number: file.number, to: size });
  }

  /** Begins a content that was found compressed, or goes on with one there. */
  #readUnpacked({ found, fd, size, file: known }: Unpacked): void {
    const { clock, checkpoint, log, openFiles } = this.#options;
    const nowMs = clock.monotonicMs();
    if (known !== undefined && (known.fd !== undefined || known.gone || !this.#followed.files.has(known))) {
      closeSync(fd);
      return;
    }
    const file = known ?? this.#followed.createCompressed(found, nowMs);
    if (known === undefined) {
      this.#followed.add(file);
      this.#followed.remember(file);
    } else if (identityKey(file.identity) !== identityKey(found.identity)) {
      void this.#followed.moveTo(file, found.identity, nowMs);
    }
    file.attach(fd, size);
    file.rotatedAtMs = nowMs;
    file.lastGrowthMs = nowMs;
    file.lastSeenMs = nowMs;
    openFiles.adopt(file);
    void checkpoint.append({ kind: "seen", number: file.number, to: size });
    log.info({ path: file.path, compressed: found.path, offset: file.offset, bytes: size }, "Reading a compressed log file");
  }

  /** Copies into the spool what is left of a file that is about to be let go and has no other name. */
  async retain(): Promise<void> {
    for (const file of this.#followed.files) if (file.fd !== undefined && (file.rotatedAtMs !== undefined || file.stat()?.nlink === 0n)) await this.#options.spool?.copy(file);
  }

  #touch(file: TrackedFile, found: FoundFile, nowMs: number): void {
    file.lastSeenMs = nowMs;
    file.seenTo = found.size;
    const changed = found.size !== file.size || found.mtimeNs !== file.mtimeNs;
    if (file.fd !== undefined) {
      if (changed) file.dueMs = 0;
    } else if (changed || file.replay.length > 0 || (found.size !== file.offset && (this.#followed.finishing || found.size !== file.partialAtSize))) {
      this.#followed.open(file, found, nowMs);
    }
  }

  #sayPartial(look: Look): void {
    if (this.#saidPartial) return;
    this.#saidPartial = true;
    this.#options.log.warn({ source: this.#options.name, unlisted: look.unlisted.slice(0, 10), tooManyNames: look.truncated }, "Not all files could be looked for. Check the permissions of the directories, or narrow the patterns");
  }

  #noteRotation(file: TrackedFile, inodeNow: string | undefined, nowMs: number): boolean {
    if (inodeNow === file.inode) {
      file.rotatedAtMs = undefined;
      return false;
    }
    if (file.rotatedAtMs !== undefined || file.fd === undefined) return false;
    file.rotatedAtMs = nowMs;
    file.dueMs = 0;
    this.#options.events.rotated();
    return true;
  }

  /**
   * Closed contents are remembered while their inode is seen, so that a rotated file is not taken for a new one. A content whose
   * unacknowledged rest cannot be found any more is lost.
   */
  #forget(look: Look, nowMs: number): void {
    const unseen = [...this.#followed.files].filter((file) => !hidden(look, file.path) && file.fd === undefined && file.inFlight === 0 && !file.gone && file.lastSeenMs < nowMs);
    let excess = this.#followed.files.size - rememberedMax;
    for (const file of unseen) {
      const unseenMs = nowMs - file.lastSeenMs;
      if (file.unread.length > 0 && this.#options.compressed?.busy !== true && unseenMs > this.#options.rotateWaitMs) this.#followed.lose(file, file.unread, "A log file vanished before all of it was acknowledged");
      else if (unseenMs > (file.detached ? forgetDetachedAfterMs : forgetAfterMs) || excess-- > 0) this.#followed.drop(file);
    }
  }
}

/** Whether a file at this path may exist although the look did not find it. */
function hidden(look: Look, path: string): boolean {
  return look.truncated || look.unlisted.some((directory) => path.startsWith(`${directory}/`));
}
