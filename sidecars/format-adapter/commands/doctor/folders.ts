import { randomBytes } from "node:crypto";
import { constants, watch } from "node:fs";
import { access, mkdir, open, readFile, rename, rmdir, stat, statfs, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fsyncDirectory } from "../../../../kit/files.ts";
import { isRemote, lifeOf, mountOf, spaceFinding, watchLimitFinding, type Finding, type Mount } from "./finding.ts";

/** Who we are, for what to do about missing rights. */
const self = (): string => `uid ${process.getuid?.() ?? "?"}, gid ${process.getgid?.() ?? "?"}`;

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** A folder that is only read: there, readable, and what events can tell of it. */
export async function checkInputFolder(directory: string, mounts: readonly Mount[], { writes }: { /** Whether the adapter removes reports there. */ readonly writes: boolean }): Promise<readonly Finding[]> {
  const subject = directory;
  const there = await stat(directory).catch((error: unknown) => codeOf(error));
  if (typeof there === "string") {
    if (there === "ENOENT") return [{ level: "fail", subject, detail: "the watched folder does not exist", remedy: "mount the application's volume there, or correct watch.dir; the adapter waits until it comes" }];
    return [{ level: "fail", subject, detail: `the watched folder cannot be reached: ${there}`, remedy: `give ${self()} the right to enter the folders above it (x)` }];
  }
  if (!there.isDirectory()) return [{ level: "fail", subject, detail: "watch.dir is no folder", remedy: "name the folder of the reports" }];
  const refused = await access(directory, constants.R_OK | constants.X_OK).then(() => undefined, codeOf);
  if (refused !== undefined) return [{ level: "fail", subject, detail: `the watched folder cannot be listed: ${refused}`, remedy: `give ${self()} the rights r and x, by fsGroup or supplementalGroups of the Pod, or by the folder's mode` }];
  const findings: Finding[] = [{ level: "ok", subject, detail: "the watched folder can be listed" }];
  if (writes && (await access(directory, constants.W_OK).then(() => false, () => true))) findings.push({ level: "fail", subject, detail: "retention.inputs removes reports, and the folder cannot be written", remedy: "mount it writable, or leave retention.inputs out" });
  const mount = mountOf(directory, mounts);
  if (mount !== undefined && isRemote(mount)) findings.push({ level: "warn", subject, detail: `on ${mount.type} no event tells of what other machines write; only the scan finds it`, remedy: "set watch.reconcile as short as reports may be late" });
  return [...findings, watchFinding(directory)];
}

function watchFinding(directory: string): Finding {
  const subject = directory;
  try {
    watch(directory).close();
    return { level: "ok", subject, detail: "the kernel tells of changes" };
  } catch (error) {
    return { level: "warn", subject, detail: `the kernel refuses a watch (${codeOf(error)}); the folder is polled`, remedy: "raise fs.inotify.max_user_watches and max_user_instances on the machine" };
  }
}

/** A folder that files are made in: writes one as the adapter does, gives it its name, and takes it away again. */
export async function checkOutputFolder(directory: string, { what, readers }: { readonly what: string; /** Whether others are to read there. */ readonly readers: boolean }): Promise<readonly Finding[]> {
  const subject = directory;
  const there = await stat(directory).catch((error: unknown) => codeOf(error));
  if (there === "ENOENT") {
    const above = await nearestAbove(directory);
    const refused = await tryToMake(above);
    return [refused === undefined ? { level: "warn", subject, detail: `${what} does not exist; it will be made, on what ${above} is on`, remedy: "mount the volume there" } : { level: "fail", subject, detail: `${what} does not exist, and ${self()} cannot make it in ${above}: ${refused}`, remedy: "mount a writable volume there" }];
  }
  if (typeof there === "string") return [{ level: "fail", subject, detail: `${what} cannot be reached: ${there}`, remedy: `give ${self()} the right to enter the folders above it (x)` }];
  if (!there.isDirectory()) return [{ level: "fail", subject, detail: `${what} is no folder`, remedy: "name a folder" }];
  const tried = await tryToPublish(directory);
  if ("step" in tried) return [{ level: "fail", subject, detail: `${what}: cannot ${tried.step}: ${tried.code}`, remedy: tried.code === "EROFS" ? "mount the volume writable" : tried.code === "ENOSPC" || tried.code === "EDQUOT" ? "free or enlarge the volume" : `give ${self()} the rights w and x, by fsGroup of the Pod` }];
  const findings: Finding[] = [{ level: "ok", subject, detail: `${what} takes files: written, synced and renamed within it` }];
  if (readers && tried.gid !== there.gid) findings.push({ level: "warn", subject, detail: `files there get group ${tried.gid}, the folder has ${there.gid}`, remedy: "set fsGroup, or the folder's setgid bit (chmod g+s), when consumers read by their group" });
  if (readers && (there.mode & 0o005) !== 0o005) findings.push({ level: "warn", subject, detail: `its mode is ${(there.mode & 0o7777).toString(8)}: consumers that are neither user ${there.uid} nor in group ${there.gid} cannot list it`, remedy: "have them run in that group (fsGroup), or open the folder (chmod o+rx)" });
  const space = await statfs(directory);
  return [...findings, spaceFinding(subject, { bytes: space.blocks * space.bsize, freeBytes: space.bavail * space.bsize, files: space.files, freeFiles: space.ffree })];
}

/** Whether a folder can be made there: rights alone do not tell (/proc). Undefined when it was, and is gone again. */
async function tryToMake(above: string): Promise<string | undefined> {
  const path = join(above, `.podkit-${randomBytes(8).toString("hex")}.tmp`);
  try {
    await mkdir(path);
    await rmdir(path);
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}

async function nearestAbove(directory: string): Promise<string> {
  const above = dirname(directory);
  return above === directory || (await stat(above).catch(() => undefined)) !== undefined ? above : await nearestAbove(above);
}

type Tried = { readonly gid: number } | { readonly step: string; readonly code: string };

/** The steps of a publication, on two dot-names that a killed adapter's clean-up knows too. */
async function tryToPublish(directory: string): Promise<Tried> {
  const nameOf = (): string => join(directory, `.podkit-${randomBytes(8).toString("hex")}.tmp`);
  const [first, second] = [nameOf(), nameOf()];
  let step = "make a file";
  let gid = 0;
  try {
    const file = await open(first, "wx", 0o644);
    try {
      step = "write";
      await file.write("podkit\n");
      step = "sync a file";
      await file.sync();
      ({ gid } = await file.stat());
    } finally {
      await file.close();
    }
    step = "rename";
    await rename(first, second);
    step = "sync the folder";
    await fsyncDirectory(directory);
    return { gid };
  } catch (error) {
    return { step, code: codeOf(error) };
  } finally {
    for (const path of [first, second]) await unlink(path).catch(() => undefined); // one of them is not there
  }
}

/** Whether the memory of the adapter lives as long as the reports it remembers. */
export async function checkStateFolder(directory: string, inputs: readonly string[], mounts: readonly Mount[]): Promise<readonly Finding[]> {
  const findings = await checkOutputFolder(directory, { what: "the state directory", readers: false });
  const mount = mountOf(directory, mounts);
  if (mount === undefined || findings.some(({ level }) => level === "fail")) return findings;
  const lives = lifeOf(mount);
  const others = inputs.map((input) => mountOf(input, mounts)).filter((each) => each !== undefined).map((each) => lifeOf(each));
  const remedy = "losing it is safe, and costs reading every report once more; put it on a volume of the same kind as the reports";
  if (lives === "container") return [...findings, { level: "warn", subject: directory, detail: "the state directory is on no volume and is gone when the container starts anew", remedy }];
  if (lives === "memory" && !others.every((each) => each === "memory")) return [...findings, { level: "warn", subject: directory, detail: "the state directory is in memory and lives shorter than the reports", remedy }];
  if (lives === "pod" && others.includes("volume")) return [...findings, { level: "warn", subject: directory, detail: "the state directory is an emptyDir and lives shorter than the reports", remedy }];
  return [...findings, { level: "ok", subject: directory, detail: "the state directory lives as long as the reports" }];
}

/** An output that is a mount of its own cannot be renamed over. */
export function singleFileMounts(outputs: readonly string[], mounts: readonly Mount[]): readonly Finding[] {
  return outputs.filter((output) => mounts.some(({ point }) => point === output)).map((output) => ({ level: "fail", subject: output, detail: "a single file is mounted there, which cannot be replaced", remedy: "mount its folder instead of the file (no subPath)" }));
}

export async function readWatchLimits(): Promise<Finding> {
  const limit = async (name: string): Promise<number | undefined> => await readFile(`/proc/sys/fs/inotify/${name}`, "utf8").then(Number, () => undefined);
  return watchLimitFinding({ instances: await limit("max_user_instances"), watches: await limit("max_user_watches"), queued: await limit("max_queued_events") });
}
