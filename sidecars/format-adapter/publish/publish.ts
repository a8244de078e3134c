import { createHash, randomBytes, type Hash } from "node:crypto";
import { chmodSync, closeSync, constants, fdatasync, fstatSync, openSync, read, renameSync, statSync, write, writeSync, type BigIntStats } from "node:fs";
import { lstat, readdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { makeDirectory } from "../../../kit/files.ts";
import { Rooms } from "../blocks.ts";
import type { DirectorySync } from "./directory-sync.ts";

const temporaryForm = /^\.podkit-[0-9a-f]{16}\.tmp$/;
const comparedBytes = 262_144;
const rooms = new Rooms(comparedBytes, 2);
/** Up to here a write goes into the page cache at once; larger ones must not hold up the process. */
const writeAtOnceMax = 262_144;
const outputMode = 0o644;
const [writeLater, readLater, syncData] = [promisify(write), promisify(read), promisify(fdatasync)];

/** Tells a published file from any other that stands in its place. */
export function identityOfOutput(stat: Pick<BigIntStats, "dev" | "ino" | "size" | "mtimeNs">): string {
  return [stat.dev, stat.ino, stat.size, stat.mtimeNs].join(".");
}

export type PublicationOptions = {
  readonly output: string;
  /** 8 hex digits: whose temporary files these are. */
  readonly owner: string;
  /** Given where the output's folder is watched too: whether what stands there was published by us and may be replaced. */
  readonly mayReplace?: ((identity: string) => boolean) | undefined;
  /** Wants the SHA-256 of the output. */
  readonly digest: boolean;
};

/** `same`: these bytes stand there already. `foreign`: what stands there is not ours to replace. */
export type Prepared = { readonly kind: "new" | "same"; readonly identity: string } | { readonly kind: "foreign" };

/**
 * An adapted report on its way to its name. Consumers see the old file or the whole new one: it is written under a dot-name in the same
 * directory, synced (`prepare`), renamed, and the directory synced (`commit`). The dot-name is random, so that two writers of one report by
 * mistake cannot mix their bytes, short, so that the longest name has room, and no consumer's *.csv matches it. One left by a crash is removed
 * at the next start.
 */
export class Publication {
  readonly #options: PublicationOptions;
  readonly #temporary: string;
  readonly #hash: Hash | undefined;
  /** Undefined once it is closed. */
  #file: number | undefined;
  #bytes = 0;

  private constructor(options: PublicationOptions, temporary: string, file: number) {
    this.#options = options;
    this.#temporary = temporary;
    this.#file = file;
    this.#hash = options.digest ? createHash("sha256") : undefined;
  }

  static begin(options: PublicationOptions): Publication {
    const directory = dirname(options.output);
    const temporary = join(directory, `.podkit-${options.owner}${randomBytes(4).toString("hex")}.tmp`);
    return new Publication(options, temporary, openNew(temporary, directory));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Of everything written; may be asked once. */
  sha256(): string | undefined {
    return this.#hash?.digest("hex");
  }

  /** Resolves when the bytes are no longer needed. */
  async write(bytes: Uint8Array): Promise<void> {
    const file = this.#opened();
    this.#bytes += bytes.length;
    this.#hash?.update(bytes);
    if (this.#bytes <= writeAtOnceMax) {
      for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
      return;
    }
    for (let offset = 0; offset < bytes.length; ) offset += (await writeLater(file, bytes, offset, bytes.length - offset, null)).bytesWritten;
  }

  /** Makes the bytes durable under the temporary name. Unless it resolves to `new` the temporary file is gone and `commit` must not follow. */
  async prepare(): Promise<Prepared> {
    const file = this.#opened();
    const there = statSync(this.#options.output, { bigint: true, throwIfNoEntry: false });
    if (there !== undefined && (await this.#isSame(file, there))) {
      await this.abandon();
      return { kind: "same", identity: identityOfOutput(there) };
    }
    if (there !== undefined && this.#options.mayReplace?.(identityOfOutput(there)) === false) {
      await this.abandon();
      return { kind: "foreign" };
    }
    const stat = fstatSync(file, { bigint: true });
    if ((Number(stat.mode) & 0o777) !== outputMode) chmodSync(this.#temporary, outputMode); // whatever the umask took off
    await syncData(file);
    this.#file = undefined;
    closeSync(file);
    return { kind: "new", identity: identityOfOutput(stat) };
  }

  /** Gives the report its name. Durable when the promise resolves; visible at once. */
  async commit(directories: DirectorySync): Promise<void> {
    renameSync(this.#temporary, this.#options.output);
    await directories.sync(dirname(this.#options.output));
  }

  /** Leaves nothing behind. May be called after a failed `prepare` or `commit`. */
  async abandon(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      if (file !== undefined) closeSync(file);
    } catch {
      // A full disk may show only now; the file is thrown away.
    }
    await unlink(this.#temporary).catch(() => undefined); // gone already
  }

  #opened(): number {
    if (this.#file === undefined) throw new Error("A publication was used after its end");
    return this.#file;
  }

  async #isSame(file: number, there: BigIntStats): Promise<boolean> {
    if (!there.isFile() || Number(there.size) !== this.#bytes) return false;
    const other = openQuietly(this.#options.output);
    if (other === undefined) return false;
    try {
      return await sameContent(other, file);
    } finally {
      closeSync(other);
    }
  }
}

/** Absent where there is no such thing. */
const noAccessTime = constants.O_NOATIME ?? 0;
/** Also our own reading of it, when it is compared, must not look like a consumer's. */
const newFlags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | noAccessTime;

function openNew(temporary: string, directory: string): number {
  try {
    return openSync(temporary, newFlags, outputMode);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    makeDirectory(directory);
    return openSync(temporary, newFlags, outputMode);
  }
}

/** Opens what stands there without touching its access time, which tells whether consumers still read it. Undefined when we may not read it. */
function openQuietly(path: string): number | undefined {
  for (const extra of [noAccessTime, 0]) {
    try {
      return openSync(path, constants.O_RDONLY | extra);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return undefined; // it is written again
    }
  }
  return undefined;
}

/** Compares two files of one size. */
async function sameContent(left: number, right: number): Promise<boolean> {
  const [one, other] = [rooms.take(), rooms.take()];
  try {
    for (let at = 0; ; ) {
      // One after the other: a room that is given back must not be read into any more.
      const { bytesRead } = await readLater(left, one, 0, comparedBytes, at);
      const second = await readLater(right, other, 0, comparedBytes, at);
      if (bytesRead !== second.bytesRead || !one.subarray(0, bytesRead).equals(other.subarray(0, bytesRead))) return false;
      if (bytesRead === 0) return true;
      at += bytesRead;
    }
  } finally {
    rooms.give(one);
    rooms.give(other);
  }
}

/** One that no adapter has written to for so long is nobody's. */
const strangerAgeMs = 3_600_000;

/** Removes what a killed adapter of this owner left half-written, and what another left so long ago that it cannot be at work on it. */
export async function removeLeftovers(directory: string, owner: string, nowMs: number): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((each) => temporaryForm.test(each))) {
    const path = join(directory, name);
    const stat = name.startsWith(`.podkit-${owner}`) ? undefined : await lstat(path).catch(() => undefined);
    if (stat === undefined || nowMs - stat.mtimeMs > strangerAgeMs) await unlink(path).catch(() => undefined);
  }
}
