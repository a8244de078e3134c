import { lstat, mkdir, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { ConfigError } from "../env/field-ref.ts";

/**
 * The host path behind a volume's subPath, made as a directory when absent. Every symbolic link is resolved, and a result outside the
 * volume is refused. Not promised: a container that swaps a directory for a link between this check and the engine's bind wins that race.
 */
export async function resolveSubPath(volumeRoot: string, subPath: string): Promise<string> {
  if (isAbsolute(subPath) || subPath.split("/").includes("..")) throw new ConfigError(`subPath "${subPath}" must be relative and without ".."`);
  const root = await realpath(volumeRoot);
  let current = root;
  for (const part of subPath.split("/").filter((part) => part !== "" && part !== ".")) {
    const next = join(current, part);
    if (!(await exists(next))) await mkdir(next, { mode: 0o777 }).catch(ignoreExisting);
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

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
