import { linkSync, mkdirSync, readdirSync, unlinkSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { fsyncDirectory } from "../../kit/files.ts";
import type { Log } from "../../kit/log.ts";
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
const nameMax = 240;
const suffix = ".spooled";

export type SpooledFile = FoundSibling & {
  /** Bytes that only this entry keeps. */
  readonly heldBytes: number;
};

export class Spool {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #log: Log;
  readonly #kept = new Set<string>();
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
    for (const entry of left) this.#kept.add(identityKey(entry.identity));
    return left;
  }

  /** Gives the file a second name, if it has none. */
  keep(identity: FileIdentity, at: string, formerPath: string): void {
    const key = identityKey(identity);
    if (this.#kept.has(key) || this.#unlinkable.has(key) || this.#givenUp.has(key)) return;
    const entry = join(this.#directory, entryName(identity, "link", formerPath));
    try {
      mkdirSync(this.#directory, { recursive: true });
      linkSync(at, entry);
      const linked = statOf(entry);
      // The name may have gone to another file in between.
      if (linked === undefined || identityKey(identityOf(linked)) !== key) unlinkSync(entry);
      else this.#kept.add(key);
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
    try {
      unlinkSync(entry.path);
    } catch (error) {
      this.#complain(error, entry.path);
    }
  }

  /** Copies what is not delivered of an open file, at its own positions, with what is needed to know it again. */
  async copy(file: TrackedFile): Promise<void> {
    const { fd } = file;
    const size = Number(file.stat()?.size ?? 0);
    if (fd === undefined || this.has(file.identity) || this.#givenUp.has(identityKey(file.identity)) || size <= file.deliveredTo) return;
    const path = join(this.#directory, entryName(file.identity, "copy", file.path));
    const temporary = join(this.#directory, `.${basename(path).slice(0, 100)}.tmp`);
    try {
      mkdirSync(this.#directory, { recursive: true });
      const target = await open(temporary, "w");
      try {
        const buffer = Buffer.allocUnsafe(1_048_576);
        for (const [from, to] of [[0, Math.min(headBytesMax, size)], [Math.max(0, file.deliveredTo - tailBytesMax), size]] as const) {
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
      await rename(temporary, path);
      await fsyncDirectory(this.#directory);
      this.#kept.add(identityKey(file.identity));
    } catch (error) {
      this.#complain(error, file.path);
    }
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
    const match = /^(\d+)-(\d+)-(\d+)\.(link|copy)\.(.*)\.spooled$/.exec(name);
    const path = join(directory, name);
    const stats = match === null ? undefined : statOf(path);
    const [, dev = "", ino = "", birthNs = "", kind, encoded = ""] = match ?? [];
    if (stats === undefined) continue;
    const actual = identityOf(stats);
    const identity = kind === "copy" ? { dev, ino, birthNs } : actual;
    found.push({
      path, identity, inode: inodeKey(identity), size: Number(stats.size), mtimeNs: stats.mtimeNs, formerPath: decode(encoded),
      actual: kind === "copy" ? actual : undefined,
      heldBytes: stats.nlink === 1n ? Number(stats.blocks) * 512 : 0,
    });
  }
  return found;
}

/** A path too long for a name is cut; it is needed only when the saved positions are lost. */
function entryName({ dev, ino, birthNs }: FileIdentity, kind: "link" | "copy", path: string): string {
  const start = `${dev}-${ino}-${birthNs}.${kind}.`;
  return `${start}${encodeURIComponent(path).slice(0, nameMax - start.length - suffix.length)}${suffix}`;
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
