import { closeSync, unlinkSync } from "node:fs";
import type { Clock } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import type { Checkpoint } from "../state/checkpoint.ts";
import type { ByteRange, Loss } from "../state/checkpoint-log.ts";
import type { Claims, Follower } from "./claims.ts";
import type { CompressedFiles, Unpacked } from "./compressed-files.ts";
import { contentOfCopy, findCopy, isPartialCopy } from "./copies.ts";
import { identityOf, statOf, type Discovery, type FoundCompressed, type FoundFile, type FoundSibling, type Look } from "./discover.ts";
import type { Ledger } from "../state/ledger.ts";
import type { OpenFiles } from "./open-files.ts";
import type { Pipeline } from "../delivery/pipeline.ts";
import { emptyFingerprint, identityKey, inodeKey, type FileIdentity } from "./tail-state.ts";
import type { RangeOptions, ReadOutcome, TailReader } from "./tail-reader.ts";
import { fingerprintAtEnd, fingerprintBefore, holdsContent, TrackedFile } from "./tracked-file.ts";
import type { Spool, SpooledFile } from "./spool.ts";
import type { WakeUp } from "./wake-up.ts";
import { findWriters } from "./writers.ts";

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

/** A file that grew within this time is looked at often, because wake-ups are throttled. */
const hotMs = 1_000;
const hotEveryMs = 15;
const forgetAfterMs = 86_400_000;
const forgetDetachedAfterMs = 600_000;
const rememberedMax = 10_000;
const birthSlackNs = 20_000_000n;
/** A run looks at least this often. */
const lookSlackNs = 2_000_000_000n;
/** After a read error, such as an input/output error of the disk, a file is left alone for this long. */
const faultyEveryMs = 1_000;

const truncatedWords = "A log file was truncated; reading it from its start. Bytes that were not read before are lost";

type Waiting = { readonly path: string; readonly from: number; readonly to: number; readonly why: "limit" | "refused" };

export class Tailer implements Follower {
  readonly #options: TailerOptions;
  readonly #files = new Set<TrackedFile>();
  readonly #byInode = new Map<string, TrackedFile>();
  /** Inodes of copies made beside a file that still has its name. */
  readonly #copies = new Set<string>();
  readonly #newestBirthNs = new Map<string, bigint>();
  readonly #startedNs: bigint;
  /** Copies that are older were seen and judged by a former run. */
  readonly #copiesNs: bigint;
  /** Found files with unread content that could not be opened, as of the last scan. */
  #waiting: Waiting[] = [];
  #look: Look | undefined;
  #saidFaulty = false;
  #saidPartial = false;
  #saidUndeletable = false;
  /** Set when all unterminated last lines are to be shipped: nobody writes any more. */
  finishing = false;

  constructor(options: TailerOptions, remembered: readonly TrackedFile[]) {
    this.#options = options;
    this.#startedNs = BigInt(options.checkpoint.state.beganMs ?? options.clock.nowMs()) * 1_000_000n - birthSlackNs;
    const copiesNs = BigInt(Math.floor(options.checkpoint.lastWriteMs)) * 1_000_000n - lookSlackNs;
    this.#copiesNs = copiesNs > this.#startedNs ? copiesNs : this.#startedNs;
    for (const file of remembered) this.#add(file);
    options.claims.add(this);
  }

  follows(identity: FileIdentity): boolean {
    return this.#withIdentity(identity) !== undefined;
  }

  get files(): ReadonlySet<TrackedFile> {
    return this.#files;
  }

  get directories(): readonly string[] {
    return this.#look?.directories ?? [];
  }

  /** Whether nothing readable is left and nothing is in flight. */
  get idle(): boolean {
    return this.caughtUp && [...this.#files].every((file) => file.inFlight === 0);
  }

  /** Whether nothing readable is left. What cannot be opened for want of descriptors is readable in its turn. */
  get caughtUp(): boolean {
    return this.#options.compressed?.busy !== true && !this.#waiting.some((each) => each.why === "limit") && [...this.#files].every((file) => this.#atEnd(file));
  }

  get lastGrowthMs(): number {
    return Math.max(0, ...[...this.#files].map((file) => file.lastGrowthMs));
  }

  /** Looks at the directories once. True when something was found, renamed or replaced, so that another look is due soon. */
  scan(): boolean {
    const first = this.#look === undefined;
    const look = this.#options.discovery.look();
    this.#look = look;
    this.#waiting = [];
    const nowMs = this.#options.clock.monotonicMs();
    const floors = new Map(this.#newestBirthNs);
    const inodeAt = new Map(look.matches.map((found) => [found.path, found.inode]));
    const liveAt = new Map(look.matches.map((found) => [found.path, found]));
    const spooled = this.#options.spool?.look() ?? [];
    let changed = this.#moveToCopies(spooled, look, nowMs);
    for (const found of look.matches) changed = this.#sawMatch(found, nowMs, first) || changed;
    for (const file of this.#files) if (!hidden(look, file.path)) changed = this.#noteRotation(file, inodeAt.get(file.path), nowMs) || changed;
    for (const found of look.siblings) changed = this.#sawSibling(found, { floors, live: liveAt.get(found.formerPath), nowMs }) || changed;
    changed = this.#sawSpooled(spooled, inodeAt, nowMs) || changed;
    this.#keep(look);
    const onRead = (found: FoundCompressed, size: number): void => this.#followAsRead(found, size, nowMs);
    changed = this.#options.compressed?.look(look.compressed, { files: this.#files, startedNs: this.#startedNs, skip: first && this.#options.skipFirst, nowMs, onRead }) === true || changed;
    if (this.#options.deleteAfterMs !== undefined) this.#deleteOver([...look.matches, ...look.siblings, ...look.compressed], this.#options.deleteAfterMs, nowMs);
    if (look.truncated || look.unlisted.length > 0) this.#sayPartial(look);
    this.#forget(look, nowMs);
    return changed;
  }

  /** Works on every file that is due, once. True when something was cut. */
  async advanceAll(): Promise<boolean> {
    let progressed = false;
    for (const unpacked of this.#options.compressed?.take() ?? []) this.#readUnpacked(unpacked);
    for (const file of this.#files) {
      if (file.dueMs > this.#options.clock.monotonicMs()) continue;
      progressed = (await this.#advance(file)) || progressed;
    }
    return progressed;
  }

  /** When the next file is due; Infinity when only a wake-up or a scan can tell. */
  nextDueMs(): number {
    let next = Infinity;
    for (const file of this.#files) next = Math.min(next, file.dueMs);
    return next;
  }

  /** Makes every open file due: the end has come. */
  allDue(): void {
    for (const file of this.#files) if (file.fd !== undefined) file.dueMs = 0;
  }

  /** There is room again: makes the files due that found none. True if there were any. */
  feed(): boolean {
    let any = false;
    for (const file of this.#files) {
      if (!file.starved) continue;
      file.starved = false;
      file.dueMs = 0;
      any = true;
    }
    return any;
  }

  /** What was written and not delivered, as byte ranges of named files. */
  undelivered(): readonly Loss[] {
    const tracked = [...this.#files].flatMap((file) => {
      const end = file.gone ? 0 : Number(file.stat()?.size ?? file.seenTo);
      return file.undelivered(end).map((range) => ({ path: file.path, ...range }));
    });
    return [...tracked, ...this.#waiting.map(({ path, from, to }) => ({ path, from, to }))];
  }

  /** Notes what is left, so that it is missed if the files have gone by the next start. */
  close(): void {
    for (const file of this.#files) {
      const to = file.gone ? 0 : Number(file.stat()?.size ?? file.seenTo);
      if (to > file.offset) void this.#options.checkpoint.append({ kind: "seen", number: file.number, to });
      file.close();
    }
  }

  #atEnd(file: TrackedFile): boolean {
    if (file.fd === undefined) return true; // gone, or over, or among #waiting
    if (file.replay.length > 0) return false;
    const size = Number(file.stat()?.size ?? 0);
    return file.verified && (size === file.offset || (!this.finishing && size === file.partialAtSize));
  }

  #sawMatch(found: FoundFile, nowMs: number, first: boolean): boolean {
    const known = this.#known(found);
    if (known === undefined) {
      return !this.#options.claims.isTaken(found, this) && this.#adopt(found, { path: found.path, nowMs, skip: first && this.#options.skipFirst });
    }
    this.#touch(known, found, nowMs);
    return false;
  }

  #sawSibling(found: FoundSibling, context: { readonly floors: ReadonlyMap<string, bigint>; readonly live: FoundFile | undefined; readonly nowMs: number }): boolean {
    const known = this.#known(found);
    if (known !== undefined) {
      this.#touch(known, found, context.nowMs);
      return false;
    }
    const birthNs = BigInt(found.identity.birthNs);
    if (birthNs === 0n || this.#copies.has(found.inode) || this.#options.claims.isTaken(found, this)) return false;
    const { live, nowMs } = context;
    // Births are as coarse as the kernel's ticks; two at the same are told apart by their content.
    if (live !== undefined && birthNs >= BigInt(live.identity.birthNs)) return birthNs >= this.#copiesNs && this.#sawCopy(found, live, nowMs);
    const floorNs = context.floors.get(found.formerPath) ?? this.#startedNs;
    return birthNs >= floorNs && this.#adopt(found, { path: found.formerPath, nowMs, skip: false });
  }

  #sawCopy(found: FoundSibling, live: FoundFile, nowMs: number): boolean {
    const followed = [...this.#files].filter((file) => file.path === found.formerPath);
    const content = contentOfCopy(found, { followed, live });
    if (content === "known") this.#copies.add(found.inode);
    return content === "unknown" && this.#adopt(found, { path: found.formerPath, nowMs, skip: false });
  }

  /** Goes on in its copy with what is nowhere else any more. Before the look is gone through, because its inode may be another file's by now. */
  #moveToCopies(spooled: readonly SpooledFile[], look: Look, nowMs: number): boolean {
    const visible = new Set([...look.matches, ...look.siblings].map((found) => identityKey(found.identity)));
    let moved = false;
    for (const entry of spooled) {
      const file = entry.copyOf && this.#withIdentity(entry.copyOf.identity);
      if (file === undefined || file.fd !== undefined || file.inFlight > 0 || visible.has(identityKey(file.identity)) || hidden(look, file.path)) continue;
      void this.#moveTo(file, entry.identity, nowMs);
      moved = true;
    }
    return moved;
  }

  /** Reads on from the spool what has no other name, and removes from it what is over. */
  #sawSpooled(spooled: readonly SpooledFile[], inodeAt: ReadonlyMap<string, string>, nowMs: number): boolean {
    const { spool, discovery } = this.#options;
    let changed = false;
    for (const entry of spooled) {
      const original = entry.copyOf && this.#withIdentity(entry.copyOf.identity);
      const known = original ?? this.#known(entry);
      if (known === undefined) {
        const { identity, from } = entry.copyOf ?? { identity: entry.identity, from: 0 };
        if (discovery.matches(entry.formerPath)) changed = this.#adopt(entry, { path: entry.formerPath, nowMs, skip: false, content: identity, from }) || changed;
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
      const file = this.#byInode.get(found.inode);
      if (file !== undefined && !(file.fd === undefined && file.settledUpTo(found.size))) this.#options.spool?.keep(found.identity, found.path, file.path);
    }
  }

  /** Remembers a compressed file for as long as it is there, so that it is not taken for a new content at a later start. */
  #followAsRead(found: FoundCompressed, size: number, nowMs: number): void {
    const file = this.#createCompressed(found, nowMs);
    file.skipTo(size, emptyFingerprint);
    file.seenTo = size;
    this.#add(file);
    this.#remember(file);
    void this.#options.checkpoint.append({ kind: "seen", number: file.number, to: size });
  }

  #createCompressed(found: FoundCompressed, nowMs: number): TrackedFile {
    return this.#create({ identity: found.identity, path: found.formerPaths.at(-1) ?? found.path, generation: 0, content: `${identityKey(found.identity)}:0`, nowMs });
  }

  /** Begins a content that was found compressed, or goes on with one there. */
  #readUnpacked({ found, fd, size, file: known }: Unpacked): void {
    const { clock, checkpoint, log, openFiles } = this.#options;
    const nowMs = clock.monotonicMs();
    if (known !== undefined && (known.fd !== undefined || known.gone || !this.#files.has(known))) {
      closeSync(fd);
      return;
    }
    const file = known ?? this.#createCompressed(found, nowMs);
    if (known === undefined) {
      this.#add(file);
      this.#remember(file);
    } else if (identityKey(file.identity) !== identityKey(found.identity)) {
      void this.#moveTo(file, found.identity, nowMs);
    }
    file.attach(fd, size);
    file.rotatedAtMs = nowMs;
    file.lastGrowthMs = nowMs;
    file.lastSeenMs = nowMs;
    openFiles.adopt(file);
    void checkpoint.append({ kind: "seen", number: file.number, to: size });
    log.info({ path: file.path, compressed: found.path, offset: file.offset, bytes: size }, "Reading a compressed log file");
  }

  /** Deletes files of which nothing is left to deliver, unless a process that we can see may write more. */
  #deleteOver(all: readonly FoundFile[], afterMs: number, nowMs: number): void {
    for (const found of all) {
      const file = this.#withIdentity(found.identity);
      const end = file === undefined ? 0 : file.fd === undefined ? Math.max(file.seenTo, file.size) : Number(file.stat()?.size ?? 0);
      if (file === undefined || end === 0 || !file.settledUpTo(end) || nowMs - file.lastGrowthMs < afterMs) continue;
      const now = statOf(found.path);
      if (now === undefined || identityKey(identityOf(now)) !== identityKey(found.identity) || Number(now.size) !== found.size || now.mtimeNs !== found.mtimeNs) continue;
      if (findWriters(new Set([found.inode])) === "some") continue;
      try {
        unlinkSync(found.path);
        this.#options.events.deleted();
        this.#options.log.info({ path: found.path, bytes: end }, "Deleted a log file that is delivered to its end");
      } catch (error) {
        if (!this.#saidUndeletable) this.#options.log.warn({ err: error, path: found.path }, "Cannot delete a delivered log file. Mount the volume writable, and see that the shipper's user may write into the directory");
        this.#saidUndeletable = true;
      }
    }
  }

  /** Copies into the spool what is left of a file that is about to be let go and has no other name. */
  async retain(): Promise<void> {
    for (const file of this.#files) if (file.fd !== undefined && (file.rotatedAtMs !== undefined || file.stat()?.nlink === 0n)) await this.#options.spool?.copy(file);
  }

  /** The tracked content behind a found inode; a reused inode is not the old content. */
  #known(found: FoundFile): TrackedFile | undefined {
    const known = this.#byInode.get(found.inode);
    if (known === undefined || known.fd !== undefined) return known;
    if (known.identity.birthNs === found.identity.birthNs) return known;
    // It may go on in a compressed form; otherwise it counts as vanished.
    this.#detach(known, known.lastSeenMs);
    return undefined;
  }

  #touch(file: TrackedFile, found: FoundFile, nowMs: number): void {
    file.lastSeenMs = nowMs;
    file.seenTo = found.size;
    const changed = found.size !== file.size || found.mtimeNs !== file.mtimeNs;
    if (file.fd !== undefined) {
      if (changed) file.dueMs = 0;
    } else if (changed || file.replay.length > 0 || (found.size !== file.offset && (this.finishing || found.size !== file.partialAtSize))) {
      this.#open(file, found, nowMs);
    }
  }

  /** `content` names it, where it is not the file that was found; `from` is where it begins. */
  #adopt(found: FoundFile, how: { readonly path: string; readonly nowMs: number; readonly skip: boolean; readonly content?: FileIdentity; readonly from?: number }): boolean {
    const content = `${identityKey(how.content ?? found.identity)}:0`;
    const file = this.#create({ identity: found.identity, path: how.path, generation: 0, content, nowMs: how.nowMs });
    if (!this.#open(file, found, how.nowMs)) return false;
    if (how.skip && file.fd !== undefined) {
      const { offset, print } = fingerprintAtEnd(file.fd);
      file.skipTo(offset, print);
    } else if (how.from !== undefined && how.from > 0 && file.fd !== undefined) {
      file.skipTo(how.from, fingerprintBefore(file.fd, how.from));
    }
    this.#add(file);
    this.#remember(file);
    this.#options.log.debug({ path: found.path, offset: file.offset, inode: file.inode }, "Following a file");
    return true;
  }

  #create(from: { readonly identity: FileIdentity; readonly path: string; readonly generation: number; readonly content: string; readonly nowMs: number }): TrackedFile {
    const { identity, path, generation, content, nowMs } = from;
    return new TrackedFile({ ...identity, number: this.#options.nextNumber(), path, generation, content, offset: 0, discarding: false, print: emptyFingerprint }, { replay: [], nowMs });
  }

  #add(file: TrackedFile): void {
    this.#files.add(file);
    const birthNs = BigInt(file.identity.birthNs);
    const holder = this.#byInode.get(file.inode);
    if (holder === undefined || BigInt(holder.identity.birthNs) <= birthNs) this.#byInode.set(file.inode, file);
    if (birthNs > (this.#newestBirthNs.get(file.path) ?? 0n)) this.#newestBirthNs.set(file.path, birthNs);
  }

  #remember(file: TrackedFile): void {
    const { number, path, generation, content, offset, print, discarding, identity, columns } = file;
    void this.#options.checkpoint.append({ kind: "file", number, path, generation, content, offset, print, discarding, columns, ...identity });
  }

  #open(file: TrackedFile, found: FoundFile, nowMs: number): boolean {
    const outcome = this.#options.openFiles.open(file, found.path, nowMs);
    if (outcome === "limit" || outcome === "refused") {
      const from = file.deliveredTo;
      if (found.size > from) this.#waiting.push({ path: found.path, from, to: found.size, why: outcome });
    }
    return outcome === "open";
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

  async #advance(file: TrackedFile): Promise<boolean> {
    const { clock, pipeline, reader, range } = this.#options;
    file.dueMs = Infinity;
    if (file.fd === undefined) return false;
    const nowMs = clock.monotonicMs();
    const { spool, rotateWaitMs } = this.#options;
    const copyDueMs = file.rotatedAtMs === undefined || spool === undefined || spool.has(file.identity) ? Infinity : Math.max(file.rotatedAtMs, file.lastGrowthMs) + rotateWaitMs;
    if (nowMs >= copyDueMs && file.deliveredTo < file.size) await spool?.copy(file);
    if (!pipeline.hasRoom()) {
      file.starved = true;
      if (nowMs < copyDueMs) file.dueMs = copyDueMs;
      return await this.#lookAtStarved(file, file.fd, nowMs);
    }
    const sinceMs = file.behindSinceMs ?? nowMs;
    const knownSize = file.size;
    const outcome = await reader.next(file, range(file.path), { final: this.#isFinal(file, nowMs), nowMs }).catch((error: unknown) => this.#faulty(file, error));
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

  /** Whether an unterminated last line is to be taken as a line. */
  #isFinal(file: TrackedFile, nowMs: number): boolean {
    const { deleteAfterMs } = this.#options;
    return this.#isOver(file, nowMs) || (deleteAfterMs !== undefined && nowMs - file.lastGrowthMs >= deleteAfterMs);
  }

  #isOver(file: TrackedFile, nowMs: number): boolean {
    if (this.finishing) return true;
    return file.rotatedAtMs !== undefined && nowMs - Math.max(file.rotatedAtMs, file.lastGrowthMs) >= this.#options.rotateWaitMs;
  }

  /** Nothing to read now: decides when to look again, and closes what is over. */
  #rest(file: TrackedFile, nowMs: number): void {
    if (file.rotatedAtMs !== undefined && this.#isOver(file, nowMs) && file.offset === file.size) {
      file.close();
      return;
    }
    if (file.flushAtMs !== undefined) file.dueMs = file.flushAtMs;
    if (nowMs - file.lastGrowthMs < hotMs) {
      file.dueMs = Math.min(file.dueMs, nowMs + hotEveryMs);
      if (file.rotatedAtMs === undefined) {
        const now = statOf(file.path);
        if (now === undefined || inodeKey(identityOf(now)) !== file.inode) this.scan();
      }
    }
    const { rotateWaitMs, deleteAfterMs } = this.#options;
    if (file.rotatedAtMs !== undefined) file.dueMs = Math.min(file.dueMs, Math.max(file.rotatedAtMs, file.lastGrowthMs) + rotateWaitMs);
    if (deleteAfterMs !== undefined && file.offset < file.size) file.dueMs = Math.min(file.dueMs, file.lastGrowthMs + deleteAfterMs);
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
        if (file.gone && file.inFlight === 0) this.#drop(file);
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
    const copy = await findCopy(file, { candidates: [...siblings, ...(this.#look?.matches ?? [])], isTracked: (inode) => this.#byInode.has(inode), log });
    const partial = copy === undefined ? siblings.find((found) => !this.#byInode.has(found.inode) && isPartialCopy(found, file)) : undefined;
    const next = this.#create({ identity, path: file.path, generation: file.generation + 1, content: `${identityKey(identity)}:${file.generation + 1}`, nowMs });
    next.fd = fd;
    next.rotatedAtMs = file.rotatedAtMs;
    this.#options.openFiles.adopt(next);
    let remembered = Promise.resolve();
    if (copy === undefined) {
      file.fd = undefined;
      file.seenTo = Math.max(file.size, file.offset); // a look may have seen the new content's size
      const lost = file.unreadUpTo(file.size);
      const mayGoOn = this.#options.compressed !== undefined && (lost.length === 0 || compressed.some((found) => found.formerPaths.includes(file.path)));
      if (mayGoOn) this.#detach(file, nowMs);
      else this.#lose(file, lost, truncatedWords);
      if (mayGoOn) log.info({ path: file.path, offset: file.offset }, truncatedWords);
      // Known from now on, also after a restart.
      if (partial !== undefined) this.#adopt(partial, { path: file.path, nowMs, skip: true });
    } else {
      if (file.size > copy.size) this.#noteLoss(file, [{ from: copy.size, to: file.size }], "A log file was written to between its copying and its truncation; those bytes are lost");
      remembered = this.#moveTo(file, copy.identity, nowMs);
      if (this.#open(file, copy, nowMs)) log.info({ path: file.path, copy: copy.path, offset: file.offset }, "A log file was copied and truncated; finishing it from the copy");
    }
    this.#add(next);
    // In one write with the move: after a death in between, the file would be taken for one never seen, and get the moved content's name.
    this.#remember(next);
    await remembered;
  }

  /** The content goes on in another file. Resolves when that is remembered. */
  #moveTo(file: TrackedFile, identity: FileIdentity, nowMs: number): Promise<void> {
    if (this.#byInode.get(file.inode) === file) this.#byInode.delete(file.inode);
    file.moveTo(identity);
    file.rotatedAtMs = nowMs;
    this.#byInode.set(file.inode, file);
    this.#copies.delete(file.inode);
    return this.#options.checkpoint.append({ kind: "move", number: file.number, ...identity });
  }

  /** The content is in no plain file any more. It is remembered for a while: it may be found compressed. */
  #detach(file: TrackedFile, nowMs: number): void {
    if (this.#byInode.get(file.inode) === file) this.#byInode.delete(file.inode);
    file.behindSinceMs = undefined;
    file.lastSeenMs = nowMs;
    file.detached = true;
  }

  #withIdentity(identity: FileIdentity): TrackedFile | undefined {
    const file = this.#byInode.get(inodeKey(identity));
    return file?.identity.birthNs === identity.birthNs ? file : undefined;
  }

  /** The content is no longer to be had. What is in flight of it is still delivered. */
  #lose(file: TrackedFile, lost: readonly ByteRange[], words: string): void {
    this.#noteLoss(file, lost, words);
    file.gone = true;
    file.replay = [];
    file.behindSinceMs = undefined;
    if (file.inFlight === 0) this.#drop(file);
  }

  #noteLoss(file: TrackedFile, lost: readonly ByteRange[], words: string): void {
    const lostBytes = lost.reduce((sum, range) => sum + range.to - range.from, 0);
    if (lostBytes > 0) {
      this.#options.events.lost(lostBytes);
      void this.#options.checkpoint.append({ kind: "lost", number: file.number, ranges: lost });
    }
    this.#options.log.warn({ path: file.path, offset: file.offset, lostBytes }, words);
  }

  #drop(file: TrackedFile): void {
    file.close();
    this.#files.delete(file);
    if (this.#byInode.get(file.inode) === file) this.#byInode.delete(file.inode);
    void this.#options.checkpoint.append({ kind: "drop", number: file.number });
  }

  /**
   * Closed contents are remembered while their inode is seen, so that a rotated file is not taken for a new one. A content whose
   * unacknowledged rest cannot be found any more is lost.
   */
  #forget(look: Look, nowMs: number): void {
    const unseen = [...this.#files].filter((file) => !hidden(look, file.path) && file.fd === undefined && file.inFlight === 0 && !file.gone && file.lastSeenMs < nowMs);
    let excess = this.#files.size - rememberedMax;
    for (const file of unseen) {
      const unseenMs = nowMs - file.lastSeenMs;
      if (file.unread.length > 0 && this.#options.compressed?.busy !== true && unseenMs > this.#options.rotateWaitMs) this.#lose(file, file.unread, "A log file vanished before all of it was acknowledged");
      else if (unseenMs > (file.detached ? forgetDetachedAfterMs : forgetAfterMs) || excess-- > 0) this.#drop(file);
    }
  }
}

/** Whether a file at this path may exist although the look did not find it. */
function hidden(look: Look, path: string): boolean {
  return look.truncated || look.unlisted.some((directory) => path.startsWith(`${directory}/`));
}
