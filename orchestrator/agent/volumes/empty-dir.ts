import { chmod, chown, lstat, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "../env/field-ref.ts";

/**
 * The folder of an emptyDir: writable for everybody, and with an fsGroup (`gid`) the group's own and setgid. One that is there already is
 * left as it is, since its modes belong to the containers. It is made under a name that no volume can have and gets its own name when its
 * modes are right, so that an agent killed in between, or not allowed to change the group, leaves nothing that would be taken for complete.
 */
export async function makeEmptyDirectory(path: string, gid: number | undefined): Promise<void> {
  const unfinished = unfinishedPath(path);
  await rm(unfinished, { recursive: true, force: true });
  if (await exists(path)) return;
  await mkdir(unfinished, { recursive: true });
  if (gid !== undefined) {
    await chown(unfinished, -1, gid).catch((error: unknown) => {
      throw new ConfigError(`cannot give ${path} to fsGroup ${gid}: ${error instanceof Error ? error.message : String(error)}: run podkit as root`);
    });
  }
  await chmod(unfinished, gid === undefined ? 0o777 : 0o2777);
  await rename(unfinished, path);
}

/** Names of volumes begin with a letter or digit. */
const unfinishedPath = (path: string): string => join(dirname(path), `.${basename(path)}.unfinished`);

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
