import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fsyncDirectory } from "../../kit/files.ts";

const temporaryForm = /^\.podkit-[0-9a-f]{16}\.tmp$/;
const blockBytes = 262_144;

/**
 * An adapted report on its way to its name. Consumers see the old file or the whole new one: it is written under a dot-name in the same
 * directory, synced, renamed, and the directory synced. The dot-name is random, so that two writers of one report by mistake cannot mix their
 * bytes, short, so that the longest name has room, and no consumer's *.csv matches it. One left by a crash is removed at the next start.
 */
export class Publication {
  readonly #output: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  #bytes = 0;

  private constructor(output: string, temporary: string, file: FileHandle) {
    this.#output = output;
    this.#temporary = temporary;
    this.#file = file;
  }

  static async begin(output: string): Promise<Publication> {
    const directory = dirname(output);
    await mkdir(directory, { recursive: true });
    const temporary = join(directory, `.podkit-${randomBytes(8).toString("hex")}.tmp`);
    return new Publication(output, temporary, await open(temporary, "wx+", 0o644));
  }

  /** Resolves when the bytes are no longer needed. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    let offset = 0;
    while (offset < bytes.length) offset += (await this.#file.write(bytes, offset)).bytesWritten;
  }

  /** Gives the report its name. Resolves to false when the same bytes stand there already; then nothing is touched. */
  async commit(): Promise<boolean> {
    if (await this.#isThere()) {
      await this.abandon();
      return false;
    }
    await this.#file.chmod(0o644); // whatever the umask took off
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#temporary, this.#output);
    await fsyncDirectory(dirname(this.#output));
    return true;
  }

  /** Leaves nothing behind. May be called after a failed `commit`. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined); // a full disk may show only now; the file is thrown away
    await unlink(this.#temporary).catch(() => undefined); // gone already
  }

  async #isThere(): Promise<boolean> {
    const there = await open(this.#output, "r").catch(() => undefined); // not there, or not for us to read: it is written again
    if (there === undefined) return false;
    try {
      const stat = await there.stat();
      if (!stat.isFile() || stat.size !== this.#bytes) return false;
      return await sameContent(there, this.#file);
    } finally {
      await there.close();
    }
  }
}

/** Compares two files of one size. */
async function sameContent(left: FileHandle, right: FileHandle): Promise<boolean> {
  const [one, other] = [Buffer.allocUnsafe(blockBytes), Buffer.allocUnsafe(blockBytes)];
  for (let at = 0; ; ) {
    const [{ bytesRead }, read] = await Promise.all([left.read(one, 0, blockBytes, at), right.read(other, 0, blockBytes, at)]);
    if (bytesRead !== read.bytesRead || !one.subarray(0, bytesRead).equals(other.subarray(0, bytesRead))) return false;
    if (bytesRead === 0) return true;
    at += bytesRead;
  }
}

/**
 * Removes what a killed adapter left half-written. One that a live adapter is just writing would go too; that adapter then fails to rename it
 * and begins again, so nothing wrong is published.
 */
export async function removeLeftovers(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((each) => temporaryForm.test(each))) await unlink(join(directory, name)).catch(() => undefined);
}
