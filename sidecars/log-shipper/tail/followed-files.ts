import type { Log } from "../../../kit/log.ts";
import type { Checkpoint } from "../state/checkpoint.ts";
import type { ByteRange } from "../state/checkpoint-log.ts";
import type { FoundCompressed, FoundFile } from "./discover.ts";
import type { OpenFiles } from "./open-files.ts";
import { emptyFingerprint, identityKey, inodeKey, type FileIdentity } from "./tail-state.ts";
import { fingerprintAtEnd, fingerprintBefore, TrackedFile } from "./tracked-file.ts";

/** A found file with unread content that could not be opened. */
export type Waiting = { readonly path: string; readonly from: number; readonly to: number; readonly why: "limit" | "refused" };

type FollowedOptions = {
  readonly checkpoint: Checkpoint;
  readonly openFiles: OpenFiles;
  readonly log: Log;
  readonly nextNumber: () => number;
  /** Bytes known to have been written that can no longer be read. */
  readonly onLost: (bytes: number) => void;
};

/** The contents that one tail source follows, by inode, and what the positions file is told of their coming and going. */
export class FollowedFiles {
  readonly #options: FollowedOptions;
  readonly files = new Set<TrackedFile>();
  readonly #byInode = new Map<string, TrackedFile>();
  /** Inodes of copies made beside a file that still has its name. */
  readonly copies = new Set<string>();
  /** By path: when the youngest known generation of the name was born. */
  readonly newestBirthNs = new Map<string, bigint>();
  /** As of the last scan. */
  waiting: Waiting[] = [];
  /** Nobody writes any more: all unterminated last lines are to be shipped. */
  finishing = false;

  constructor(options: FollowedOptions) {
    this.#options = options;
  }

  at(inode: string): TrackedFile | undefined {
    return this.#byInode.get(inode);
  }

  /** The tracked content behind a found inode; a reused inode is not the old content. */
  known(found: FoundFile): TrackedFile | undefined {
    const known = this.#byInode.get(found.inode);
    if (known === undefined || known.fd !== undefined) return known;
    if (known.identity.birthNs === found.identity.birthNs) return known;
    // It may go on in a compressed form; otherwise it counts as vanished.
    this.detach(known, known.lastSeenMs);
    return undefined;
  }

  withIdentity(identity: FileIdentity): TrackedFile | undefined {
    const file = this.#byInode.get(inodeKey(identity));
    return file?.identity.birthNs === identity.birthNs ? file : undefined;
  }

  /** `content` names it, where it is not the file that was found; `from` is where it begins. */
  adopt(found: FoundFile, how: { readonly path: string; readonly nowMs: number; readonly skip: boolean; readonly content?: FileIdentity; readonly from?: number }): boolean {
    const content = `${identityKey(how.content ?? found.identity)}:0`;
    const file = this.create({ identity: found.identity, path: how.path, generation: 0, content, nowMs: how.nowMs });
    if (!this.open(file, found, how.nowMs)) return false;
    if (how.skip && file.fd !== undefined) {
      const { offset, print } = fingerprintAtEnd(file.fd);
      file.skipTo(offset, print);
    } else if (how.from !== undefined && how.from > 0 && file.fd !== undefined) {
      file.skipTo(how.from, fingerprintBefore(file.fd, how.from));
    }
    this.add(file);
    this.remember(file);
    this.#options.log.debug({ path: found.path, offset: file.offset, inode: file.inode }, "Following a file");
    return true;
  }

  create(from: { readonly identity: FileIdentity; readonly path: string; readonly generation: number; readonly content: string; readonly nowMs: number }): TrackedFile {
    const { identity, path, generation, content, nowMs } = from;
    return new TrackedFile({ ...identity, number: this.#options.nextNumber(), path, generation, content, offset: 0, discarding: false, print: emptyFingerprint }, { replay: [], nowMs });
  }

  createCompressed(found: FoundCompressed, nowMs: number): TrackedFile {
    return this.create({ identity: found.identity, path: found.formerPaths.at(-1) ?? found.path, generation: 0, content: `${identityKey(found.identity)}:0`, nowMs });
  }

  add(file: TrackedFile): void {
    this.files.add(file);
    const birthNs = BigInt(file.identity.birthNs);
    const holder = this.#byInode.get(file.inode);
    if (holder === undefined || BigInt(holder.identity.birthNs) <= birthNs) this.#byInode.set(file.inode, file);
    if (birthNs > (this.newestBirthNs.get(file.path) ?? 0n)) this.newestBirthNs.set(file.path, birthNs);
  }

  remember(file: TrackedFile): void {
    const { number, path, generation, content, offset, print, discarding, identity, columns } = file;
    void this.#options.checkpoint.append({ kind: "file", number, path, generation, content, offset, print, discarding, columns, ...identity });
  }

  open(file: TrackedFile, found: FoundFile, nowMs: number): boolean {
    const outcome = this.#options.openFiles.open(file, found.path, nowMs);
    if (outcome === "limit" || outcome === "refused") {
      const from = file.deliveredTo;
      if (found.size > from) this.waiting.push({ path: found.path, from, to: found.size, why: outcome });
    }
    return outcome === "open";
  }

  /** The content goes on in another file. Resolves when that is remembered. */
  moveTo(file: TrackedFile, identity: FileIdentity, nowMs: number): Promise<void> {
    if (this.#byInode.get(file.inode) === file) this.#byInode.delete(file.inode);
    file.moveTo(identity);
    file.rotatedAtMs = nowMs;
    this.#byInode.set(file.inode, file);
    this.copies.delete(file.inode);
    return this.#options.checkpoint.append({ kind: "move", number: file.number, ...identity });
  }

  /** The content is in no plain file any more. It is remembered for a while: it may be found compressed. */
  detach(file: TrackedFile, nowMs: number): void {
    if (this.#byInode.get(file.inode) === file) this.#byInode.delete(file.inode);
    file.behindSinceMs = undefined;
    file.lastSeenMs = nowMs;
    file.detached = true;
  }

  /** The content is no longer to be had. What is in flight of it is still delivered. */
  lose(file: TrackedFile, lost: readonly ByteRange[], words: string): void {
    this.noteLoss(file, lost, words);
    file.gone = true;
    file.replay = [];
    file.behindSinceMs = undefined;
    if (file.inFlight === 0) this.drop(file);
  }

  noteLoss(file: TrackedFile, lost: readonly ByteRange[], words: string): void {
    const lostBytes = lost.reduce((sum, range) => sum + range.to - range.from, 0);
    if (lostBytes > 0) {
      this.#options.onLost(lostBytes);
      void this.#options.checkpoint.append({ kind: "lost", number: file.number, ranges: lost });
    }
    this.#options.log.warn({ path: file.path, offset: file.offset, lostBytes }, words);
  }

  drop(file: TrackedFile): void {
    file.close();
    this.files.delete(file);
    if (this.#byInode.get(file.inode) === file) this.#byInode.delete(file.inode);
    void this.#options.checkpoint.append({ kind: "drop", number: file.number });
  }
}
