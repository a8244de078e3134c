import { mkdir, statfs } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, messageOf } from "../failure.ts";
import { isErrno } from "./process-identity.ts";

/** Where one cluster lives: everything podkit keeps of it on this machine, in one folder. */
export type ClusterFolder = {
  readonly name: string;
  readonly path: string;
  readonly socketPath: string;
  readonly lockPath: string;
  readonly logPath: string;
};

/** sun_path of a Unix socket holds 108 bytes with the closing zero. */
const socketPathBytesMax = 107;

/** Decides the folder; creates nothing. Throws CliFailure for a name or a place that cannot be used. */
export function clusterFolder(env: Readonly<Record<string, string | undefined>>, givenName: string | undefined): ClusterFolder {
  const name = givenName ?? nonEmpty(env["PODKIT_CLUSTER"]) ?? "default";
  if (!/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(name)) {
    throw new CliFailure(cliExit.usage, `Cannot use "${name}" as a cluster name: must be 1 to 40 lower-case letters, digits and dashes, beginning and ending with a letter or digit`);
  }
  const home = resolve(nonEmpty(env["PODKIT_HOME"]) ?? join(homedir(), ".podkit"));
  const path = join(home, "clusters", name);
  const socketPath = join(path, "api.sock");
  if (Buffer.byteLength(socketPath) > socketPathBytesMax) {
    throw new CliFailure(cliExit.config, `Cannot serve on ${socketPath}: the path of a Unix socket has at most ${socketPathBytesMax} bytes, this one has ${Buffer.byteLength(socketPath)}`, { remedy: "set PODKIT_HOME to a shorter path" });
  }
  return { name, path, socketPath, lockPath: join(path, "serve.lock"), logPath: join(path, "serve.log") };
}

const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text);

/** Makes the folder, for its owner alone: manifests in it may hold secrets. Throws CliFailure (69) when that cannot be done. */
export async function makeFolder(folder: ClusterFolder): Promise<void> {
  try {
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CliFailure(cliExit.unavailable, `Cannot make the folder ${folder.path}: ${messageOf(error)}`, { remedy: "free the place, change its owner, or set PODKIT_HOME to a folder of yours", cause: error });
  }
}

/** What a control plane writes before it can say anything of itself: store, write-ahead log, lock, log. */
const roomBytesMin = 16 * 1024 * 1024;

/** Finds out before anything is made whether a control plane has room to start. Throws CliFailure (69) when it has not. */
export async function requireRoom(folder: ClusterFolder): Promise<void> {
  const freeBytes = await freeBytesAt(folder.path);
  if (freeBytes === undefined || freeBytes >= roomBytesMin) return;
  throw new CliFailure(cliExit.unavailable, `The disk is full: ${(freeBytes / 1024 / 1024).toFixed(1)} MiB are free at ${folder.path}, a control plane needs ${roomBytesMin / 1024 / 1024} MiB to start`, {
    remedy: "free some space there, or set PODKIT_HOME to a folder on another disk",
  });
}

/** Of the nearest folder that exists; undefined where it cannot be told. */
async function freeBytesAt(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if (isErrno(error, "ENOENT") && dirname(path) !== path) return await freeBytesAt(dirname(path));
    return undefined; // whoever writes there will hear the reason
  }
}

/** A path for people: with ~ for the home. */
export function shownPath(path: string): string {
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
