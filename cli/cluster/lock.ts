import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { identify, isErrno, isRunning, type ProcessIdentity } from "./process-identity.ts";

/** Who holds a cluster: at most one control plane per folder. */
export type LockHolder = ProcessIdentity & {
  /** "up" ends it again when nothing is left; "serve" belongs to whoever started it. */
  readonly startedBy: "serve" | "up";
  readonly version: string;
  readonly since: string;
};

export type AcquireOutcome = { readonly kind: "acquired"; readonly release: () => Promise<void> } | { readonly kind: "held"; readonly holder: LockHolder };

/** The holder that is running now; undefined without a lock, with one that cannot be read, and with a stale one (its process is gone, or its pid is another's). */
export async function readHolder(lockPath: string): Promise<LockHolder | undefined> {
  const holder = await readLock(lockPath);
  return holder !== undefined && (await isRunning(holder)) ? holder : undefined;
}

export async function readStaleLock(lockPath: string): Promise<boolean> {
  try {
    await readFile(lockPath);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
  return (await readHolder(lockPath)) === undefined;
}

/**
 * Takes the lock for this process. The file appears whole or not at all: it is written beside and linked to its name, which fails
 * when the name exists. A stale one is first moved away to a name of our own; when two do that at once, only one move takes the
 * stale file, and whoever finds that it moved a live one puts it back.
 *
 * Not promised: exclusion between machines that share the folder, since a pid says nothing there.
 */
export async function acquireLock(lockPath: string, options: { readonly startedBy: LockHolder["startedBy"]; readonly version: string; readonly nowMs: number }): Promise<AcquireOutcome> {
  const own = await identify(process.pid);
  if (own === undefined) throw new Error(`Cannot identify this process (pid ${process.pid})`);
  const holder: LockHolder = { ...own, startedBy: options.startedBy, version: options.version, since: new Date(options.nowMs).toISOString() };
  await mkdir(dirname(lockPath), { recursive: true, mode: 0o700 });
  const draft = `${lockPath}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify(holder)}\n`, { mode: 0o600, flag: "wx" });
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      if (await tryLink(draft, lockPath)) return { kind: "acquired", release: () => release(lockPath, own) };
      const current = await readHolder(lockPath);
      if (current !== undefined) return { kind: "held", holder: current };
      await moveStaleAway(lockPath);
    }
    throw new Error(`Cannot take the lock ${lockPath}: it changes hands all the time`);
  } finally {
    await rm(draft, { force: true });
  }
}

async function tryLink(draft: string, lockPath: string): Promise<boolean> {
  try {
    await link(draft, lockPath);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}

async function moveStaleAway(lockPath: string): Promise<void> {
  const aside = `${lockPath}.stale-${randomUUID()}`;
  try {
    await rename(lockPath, aside);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return; // somebody else moved it
    throw error;
  }
  if ((await readHolder(aside)) !== undefined) await tryLink(aside, lockPath);
  await rm(aside, { force: true });
}

async function release(lockPath: string, own: ProcessIdentity): Promise<void> {
  const current = await readLock(lockPath);
  if (current?.pid === own.pid && current.startTicks === own.startTicks) await rm(lockPath, { force: true });
}

async function readLock(lockPath: string): Promise<LockHolder | undefined> {
  try {
    return parseHolder(JSON.parse(await readFile(lockPath, "utf8")));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR") || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseHolder(value: unknown): LockHolder | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const pid = fields.get("pid");
  const text = (name: string): string => (typeof fields.get(name) === "string" ? String(fields.get(name)) : "");
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, bootId: text("bootId"), startTicks: text("startTicks"), startedBy: text("startedBy") === "up" ? "up" : "serve", version: text("version"), since: text("since") };
}
