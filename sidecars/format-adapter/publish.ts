import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fsyncDirectory } from "../../kit/files.ts";

const temporaryForm = /^\.podkit-[0-9a-f]{16}\.tmp$/;

/**
 * An adapted report on its way to its name. Consumers see the old file or the whole new one: it is written under a dot-name in the same
 * directory, synced, renamed, and the directory synced. The dot-name is made from the output's path, so that one left by a crash is
 * overwritten by the next try, and no consumer's *.csv matches it.
 */
export class Publication {
  readonly #output: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  private constructor(output: string, temporary: string, file: FileHandle) {
    this.#output = output;
    this.#temporary = temporary;
    this.#file = file;
  }

  static async begin(output: string): Promise<Publication> {
    const directory = dirname(output);
    await mkdir(directory, { recursive: true });
    const temporary = join(directory, `.podkit-${createHash("sha256").update(basename(output)).digest("hex").slice(0, 16)}.tmp`);
    return new Publication(output, temporary, await open(temporary, "w", 0o644));
  }

  async write(text: string): Promise<void> {
    if (text === "") return;
    const bytes = Buffer.from(text, "utf8");
    this.#hash.update(bytes);
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
    await this.#file.chmod(0o644);
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#temporary, this.#output);
    await fsyncDirectory(dirname(this.#output));
    return true;
  }

  async abandon(): Promise<void> {
    await this.#file.close();
    await unlink(this.#temporary).catch(() => undefined); // gone already
  }

  async #isThere(): Promise<boolean> {
    const there = await stat(this.#output).catch(() => undefined);
    if (there?.isFile() !== true || there.size !== this.#bytes) return false;
    return createHash("sha256").update(await readFile(this.#output)).digest("hex") === this.#hash.copy().digest("hex");
  }
}

/** Removes what a killed adapter left half-written. Two adapters must not write into one directory. */
export async function removeLeftovers(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((each) => temporaryForm.test(each))) await unlink(join(directory, name)).catch(() => undefined);
}
