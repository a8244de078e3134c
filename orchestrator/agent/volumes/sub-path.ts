import type { Stats } from "node:fs";
import { constants, lstat, mkdir, open, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { ConfigError } from "../env/field-ref.ts";

/**
 * The host path behind a volume's subPath, made as a directory when absent. A directory that is made here has the mode and, where this
 * process may give it, the owner and group of the volume's root, so that whoever may write to the volume may write there. Every symbolic
 * link is resolved, and a result outside the volume is refused. Not promised: a container that swaps a directory for a link between this
 * check and the engine's bind wins that race; a crash between the making of a directory and the change of its mode is not repaired.
 */
export async function resolveSubPath(volumeRoot: string, subPath: string): Promise<string> {
  if (isAbsolute(subPath) || subPath.split("/").includes("..")) throw new ConfigError(`subPath "${subPath}" must be relative and without ".."`);
  const root = await realpath(volumeRoot);
  const like = await stat(root);
  let current = root;
  for (const part of subPath.split("/").filter((part) => part !== "" && part !== ".")) {
    const next = join(current, part);
    if (!(await exists(next))) await makeDirectory(next, like);
    current = await realpath(next);
    if (!isInside(root, current)) throw new ConfigError(`subPath "${subPath}" leads out of the volume: ${part} is a symbolic link to a place outside`);
  }
  return current;
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

async function makeDirectory(path: string, like: Stats): Promise<void> {
  try {
    await mkdir(path, { mode: like.mode & 0o777 }); // the umask may take bits away
  } catch (error) {
    if (hasCode(error, "EEXIST")) return; // another mount of the same subPath was faster, and sets the mode
    throw error;
  }
  // By handle and without following links: a container that swaps the new directory for a link must not have the mode of a file of the host changed.
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await directory.chown(like.uid, like.gid).catch((error: unknown) => {
      if (!hasCode(error, "EPERM")) throw error;
    });
    await directory.chmod(like.mode & 0o7777); // after chown, which may take the setgid bit away
  } finally {
    await directory.close();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
