import { randomBytes } from "node:crypto";
import { chmod, chown, lstat, mkdir, readFile, readdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Payload } from "./payload.ts";

const dataLink = "..data";

/**
 * Makes the files of a projected volume equal to the payload so that a reader sees all of the old or all of the new content: a new
 * timestamped directory, then one rename of the link `..data`, through which every visible name goes. The layout is Kubernetes' own, which
 * programs that watch such volumes know. Returns whether anything was changed; an equal payload touches nothing. `gid` is the fsGroup.
 */
export async function writeAtomically(directory: string, payload: Payload, gid: number | undefined): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const before = await currentTarget(directory);
  if (before !== undefined && (await isEqual(join(directory, before), payload))) {
    await linkNames(directory, payload); // a crash may have come between the rename and the links
    return false;
  }
  const next = `..${new Date().toISOString().replace(/[-:.TZ]/g, "_")}${randomBytes(4).toString("hex")}`;
  await mkdir(join(directory, next), { mode: 0o755 });
  for (const [path, file] of payload) await writePayloadFile(join(directory, next), path, file.data, file.mode, gid);
  await rm(join(directory, `${dataLink}_tmp`), { force: true }); // a crash may have left one behind
  await symlink(next, join(directory, `${dataLink}_tmp`));
  await rename(join(directory, `${dataLink}_tmp`), join(directory, dataLink));
  await linkNames(directory, payload);
  await removeStale(directory, next, payload);
  return true;
}

async function currentTarget(directory: string): Promise<string | undefined> {
  try {
    return await readlink(join(directory, dataLink));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function writePayloadFile(root: string, path: string, data: Uint8Array, mode: number, gid: number | undefined): Promise<void> {
  const target = join(root, path);
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  await writeFile(target, data, { mode: 0o600 });
  if (gid !== undefined) await chown(target, -1, gid);
  await chmod(target, gid === undefined ? mode : mode | 0o440);
}

async function isEqual(directory: string, payload: Payload): Promise<boolean> {
  const found = await listFiles(directory);
  if (found.length !== payload.size) return false;
  for (const [path, file] of payload) {
    const existing = await readFile(join(directory, path)).catch(() => undefined); // absent or unreadable: rewrite
    const info = await lstat(join(directory, path)).catch(() => undefined);
    if (existing === undefined || info === undefined || !existing.equals(file.data) || ((info.mode & 0o777) | 0o440) !== (file.mode | 0o440)) return false;
  }
  return true;
}

async function listFiles(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
}

const visibleNames = (payload: Payload): ReadonlySet<string> => new Set([...payload.keys()].map((path) => path.split("/")[0] ?? path));

async function linkNames(directory: string, payload: Payload): Promise<void> {
  for (const name of visibleNames(payload)) {
    await symlink(join(dataLink, name), join(directory, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function removeStale(directory: string, current: string, payload: Payload): Promise<void> {
  const wanted = visibleNames(payload);
  for (const name of await readdir(directory)) {
    if (name === dataLink || name === current || wanted.has(name)) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
