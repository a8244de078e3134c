import { open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory } from "../../../kit/files.ts";
import type { HostPathVolumeSource } from "../../api/types/pod.ts";
import { ConfigError } from "../env/field-ref.ts";

/**
 * Checks a hostPath by its type and creates what the type says (with "", as container engines do, a missing directory). Throws ConfigError
 * that names the path, what is there instead and the remedy.
 */
export async function prepareHostPath(source: HostPathVolumeSource): Promise<void> {
  const { path } = source;
  const type = source.type ?? "";
  const found = await kindOf(path);
  switch (type) {
    case "":
      if (found === "nothing") makeHostDirectory(path);
      return;
    case "DirectoryOrCreate":
      if (found === "nothing") makeHostDirectory(path);
      else expectKind(path, found, "directory");
      return;
    case "FileOrCreate":
      if (found === "nothing") await makeFile(path);
      else expectKind(path, found, "file");
      return;
    case "Directory": return expectKind(path, found, "directory", "use type DirectoryOrCreate to have it made");
    case "File": return expectKind(path, found, "file", "use type FileOrCreate to have it made");
    case "Socket": return expectKind(path, found, "socket");
    case "CharDevice": return expectKind(path, found, "character device");
    case "BlockDevice": return expectKind(path, found, "block device");
    default: return type satisfies never;
  }
}

type Found = "nothing" | "directory" | "file" | "socket" | "character device" | "block device" | "something else";

async function kindOf(path: string): Promise<Found> {
  try {
    const info = await stat(path);
    if (info.isDirectory()) return "directory";
    if (info.isFile()) return "file";
    if (info.isSocket()) return "socket";
    if (info.isCharacterDevice()) return "character device";
    return info.isBlockDevice() ? "block device" : "something else";
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return "nothing";
    if (code === "ENOTDIR") throw new ConfigError(`hostPath type check failed: a part of ${path} is a file, not a directory: move that file away or choose another path`);
    throw new ConfigError(`hostPath type check failed: ${path} cannot be looked at: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function expectKind(path: string, found: Found, wanted: Found, hint?: string): void {
  if (found === wanted) return;
  const state = found === "nothing" ? "it does not exist" : `it is a ${found}`;
  const remedy = found === "nothing" ? (hint ?? `create it on this machine`) : `point the volume at a ${wanted}`;
  throw new ConfigError(`hostPath type check failed: ${path} is not a ${wanted} (${state}): ${remedy}`);
}

function makeHostDirectory(path: string): void {
  try {
    makeDirectory(path, 0o755);
  } catch (error) {
    throw new ConfigError(`hostPath ${path} cannot be created: ${error instanceof Error ? error.message : String(error)}: create it by hand or choose another path`);
  }
}

async function makeFile(path: string): Promise<void> {
  if ((await kindOf(dirname(path))) !== "directory") throw new ConfigError(`hostPath type check failed: ${path} cannot be created, its directory ${dirname(path)} does not exist: create it`);
  await (await open(path, "a", 0o644)).close();
}
