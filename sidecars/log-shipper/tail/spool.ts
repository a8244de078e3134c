import { linkSync, readdirSync, unlinkSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { fsyncDirectory, makeDirectory } from "../../../kit/files.ts";
import type { Log } from "../../../kit/log.ts";
import { identityOf, statOf, type FoundSibling } from "./discover.ts";
import { headBytesMax, identityKey, inodeKey, tailBytesMax, type FileIdentity } from "./tail-state.ts";
import { readAt, type TrackedFile } from "./tracked-file.ts";

/**
 * A second name for every followed file, so that rotating, compressing and deleting it takes nothing from us: a hard link in a
 * directory of our own, made when the file is first seen and removed once the file has lost its own name and is delivered to its
 * end. It costs no space while the file has a name of its own. It survives our death; what is in it is found again by inode, and if
 * the saved positions are lost, by the name of the entry.
 *
 * Where a link cannot be made (another file system or another mount of the same, or a file that is not ours to link), a rotated file
 * that was quiet for `rotateWaitMs` is copied from where the delivery stands; killed before that, we have no copy.
 *
 * Bounded: when the entries that nobody else has a name for exceed `maxBytes`, the oldest go.
 */
/** A name has at most 255 bytes, and three numbers come before. */
const encodedPathMax = 150;
const suffix = ".spooled";

export type SpooledFile = FoundSibling & {
  /** Bytes that only this entry keeps. */
  readonly heldBytes: number;
  /** Of a copy: which file it was made of, and from which position; what lies before is a hole, but for the bytes that identify the content. */
  readonly copyOf: { readonly identity: FileIdentity; readonly from: number } | undefined;
};

export class Spool {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #log: Log;
  /** How much is kept of each file: all of a link, so much of a copy. */
  readonly #kept = new Map<string, number>();
  /** Files that could not be linked. */
  readonly #unlinkable = new Set<string>();
  /** Files that are not kept again. */
  readonly #givenUp = new Set<string>();
  #saidProblem = false;

  constructor(options: { readonly directory: string; readonly maxBytes: number; readonly log: Log }) {
    this.#directory = options.directory;
    this.#maxBytes = options.maxBytes;
    this.#log = options.log;
  }

  /** What is in it, after the oldest have gone that are too much. */
  look(): readonly SpooledFile[] {
    const entries = spooledIn(this.#directory).toSorted((left, right) => Number(left.mtimeNs - right.mtimeNs));
    let heldBytes = entries.reduce((sum, entry) => sum + entry.heldBytes, 0);
    const left: SpooledFile[] = [];
    for (const entry of entries) {
      if (heldBytes > this.#maxBytes && entry.heldBytes > 0) {
        heldBytes -= entry.heldBytes;
        this.#log.error({ path: entry.formerPath, bytes: entry.heldBytes, maxBytes: this.#maxBytes }, "The spool is full; its oldest file is given up. Raise spool.maxBytes, or see why the receiver does not take the logs");
        this.#givenUp.add(identityKey(entry.identity));
        this.release(entry);
      } else {
        left.push(entry);
      }
    }
    this.#kept.clear();
    for (const entry of left) this.#note(entry.identity, entry.copyOf === undefined ? Infinity : entry.size, entry.copyOf?.identity);
    return left;
  }

  /** Gives the file a second name, if it has none. */
  keep(identity: FileIdentity, at: string, formerPath: string): void {
    const key = identityKey(identity);
    if (this.#kept.has(key) || this.#unlinkable.has(key) || this.#givenUp.has(key)) return;
    const entry = join(this.#directory, `${entryStart(identity)}link.${encodedPath(formerPath)}${suffix}`);
    try {
      makeDirectory(this.#directory);
      linkSync(at, entry);
      const linked = statOf(entry);
      // The name may have gone to another file in between.
      if (linked === undefined || identityKey(identityOf(linked)) !== key) unlinkSync(entry);
      else this.#kept.set(key, Infinity);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOENT") return; // renamed since the look
      if (code !== "EEXIST") {
        this.#unlinkable.add(key);
        this.#complain(error, at);
      }
    }
  }

  has(identity: FileIdentity): boolean {
    return this.#kept.has(identityKey(identity));
  }

  release(entry: SpooledFile): void {
    this.#kept.delete(identityKey(entry.identity));
    if (entry.copyOf !== undefined) this.#kept.delete(identityKey(entry.copyOf.identity));
    try {
      unlinkSync(entry.path);
    } catch (error) {
      this.#complain(error, entry.path);
    }
  }

  /** Copies what is not delivered of an open file, at its own positions, with what is needed to know it again. */
  async copy(file: TrackedFile): Promise<void> {
    const { fd, identity, deliveredTo: from } = file;
    const key = identityKey(identity);
    const size = Number(file.stat()?.size ?? 0);
    if (fd === undefined || (this.#kept.get(key) ?? 0) >= size || this.#givenUp.has(key) || size <= from) return;
    if (size - from > this.#maxBytes) {
      this.#givenUp.add(key);
      this.#log.error({ path: file.path, bytes: size - from, maxBytes: this.#maxBytes }, "A rotated log file is larger than the spool may be, and is not copied. Raise spool.maxBytes, or put the spool into the volume of the logs");
      return;
    }
    const path = join(this.#directory, `${entryStart(identity)}copy${from}.${encodedPath(file.path)}${suffix}`);
    const temporary = join(this.#directory, `.${entryStart(identity)}tmp`);
    try {
      makeDirectory(this.#directory);
      await copyRanges(fd, temporary, [[0, Math.min(headBytesMax, size)], [Math.max(0, from - tailBytesMax), size]]);
      for (const old of spooledIn(this.#directory)) if (old.copyOf !== undefined && identityKey(old.copyOf.identity) === key) this.release(old);
      await rename(temporary, path);
      await fsyncDirectory(this.#directory);
      const stats = statOf(path);
      if (stats !== undefined) this.#note(identityOf(stats), size, identity);
    } catch (error) {
      this.#complain(error, file.path);
    }
  }

  #note(identity: FileIdentity, size: number, original: FileIdentity | undefined): void {
    this.#kept.set(identityKey(identity), size);
    if (original !== undefined) this.#kept.set(identityKey(original), size);
  }

  #complain(error: unknown, path: string): void {
    if (this.#saidProblem) return;
    this.#saidProblem = true;
    this.#log.warn({ err: error, path, directory: this.#directory }, "Cannot keep a log file in the spool as a hard link; it is copied when it is rotated. The spool must lie in the same mounted volume as the logs, and the shipper's user must own the files or be allowed to write them");
  }
}

/** What a spool directory holds. Empty if there is none. */
export function spooledIn(directory: string): readonly SpooledFile[] {
  const found: SpooledFile[] = [];
  for (const name of namesIn(directory)) {
    const match = /^(\d+)-(\d+)-(\d+)\.(?:link|copy(\d+))\.(.*)\.spooled$/.exec(name);
    const path = join(directory, name);
    const stats = match === null ? undefined : statOf(path);
    const [, dev = "", ino = "", birthNs = "", from, encoded = ""] = match ?? [];
    if (stats === undefined) continue;
    const identity = identityOf(stats);
    found.push({
      path, identity, inode: inodeKey(identity), size: Number(stats.size), mtimeNs: stats.mtimeNs, formerPath: decode(encoded),
      heldBytes: stats.nlink === 1n ? Number(stats.blocks) * 512 : 0,
      copyOf: from === undefined ? undefined : { identity: { dev, ino, birthNs }, from: Number(from) },
    });
  }
  return found;
}

async function copyRanges(fd: number, path: string, ranges: readonly (readonly [from: number, to: number])[]): Promise<void> {
  const target = await open(path, "w");
  try {
    const buffer = Buffer.allocUnsafe(1_048_576);
    for (const [from, to] of ranges) {
      for (let at = from; at < to; ) {
        const got = await readAt(fd, buffer, 0, Math.min(buffer.length, to - at), at);
        if (got === 0) break;
        await target.write(buffer, 0, got, at);
        at += got;
      }
    }
    await target.sync();
  } finally {
    await target.close();
  }
}

function entryStart({ dev, ino, birthNs }: FileIdentity): string {
  return `${dev}-${ino}-${birthNs}.`;
}

/** Cut when too long for a name; the path is needed only when the saved positions are lost. */
function encodedPath(path: string): string {
  return encodeURIComponent(path).slice(0, encodedPathMax);
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // cut in the middle of a character
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
