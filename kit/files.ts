import { randomBytes } from "node:crypto";
import { mkdirSync, statSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * Replaces a file so that a reader sees either the old content or the new, never a part, even across a crash (with fsync, also across a
 * power loss): a dot-named temporary file in the same directory, write, fsync, rename, fsync of the directory. Leaves no temporary file
 * behind when it throws. Not promised: the old file's owner and extended attributes.
 */
export async function replaceFile(path: string, data: Uint8Array | string, options: { readonly mode?: number; readonly fsync?: boolean } = {}): Promise<void> {
  const temporary = join(dirname(path), `.podkit-${randomBytes(6).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "wx", options.mode ?? 0o644);
    try {
      if (options.mode !== undefined) await file.chmod(options.mode); // the umask has taken bits off
      await file.writeFile(data);
      if (options.fsync !== false) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // it may never have come to be
    throw error;
  }
  if (options.fsync !== false) await fsyncDirectory(dirname(path));
}

/** Makes renames and creations in a directory durable. */
export async function fsyncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Makes a directory and those above it; one that is there is left as it is. Throws what the system refuses. Node's `recursive` does not always: it
 * tries for ever where a directory is there and the answer to making one in it is ENOENT, as in /proc. `mode` is that of the directories made, less the process's umask.
 */
export function makeDirectory(path: string, mode = 0o777): void {
  const parent = dirname(path);
  if (makeOne(path, mode) || parent === path) return;
  makeDirectory(parent, mode);
  // Somebody else may have made it meanwhile.
  if (!makeOne(path, mode)) mkdirSync(path, mode);
}

/** False when the directory above is not there. */
function makeOne(path: string, mode: number): boolean {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return false;
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
  return true;
}
