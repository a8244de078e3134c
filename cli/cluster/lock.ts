import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { replaceFile } from "../../kit/files.ts";
import { messageOf } from "../failure.ts";
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
 * Takes the lock for this process. Who looks and then takes holds a guard meanwhile: an exclusive lock of SQLite on a file of its own,
 * which the kernel gives back when its holder dies. Without it two could find the same stale lock, and the slower one would take
 * away what the faster one had just made. The lock appears whole or not at all (written beside and renamed).
 *
 * With `orGuardAlone`, for one who removes, a full disk is no hindrance: the guard, which needs no room, is then held in the lock's place.
 *
 * Not promised: exclusion between machines that share the folder, since a pid says nothing there.
 */
export async function acquireLock(lockPath: string, options: { readonly startedBy: LockHolder["startedBy"]; readonly version: string; readonly nowMs: number; readonly orGuardAlone?: true }): Promise<AcquireOutcome> {
  const own = await identify(process.pid);
  if (own === undefined) throw new Error(`Cannot identify this process (pid ${process.pid})`);
  await mkdir(dirname(lockPath), { recursive: true, mode: 0o700 });
  const giveBack = await takeGuard(`${lockPath}.guard`);
  let guardAlone = false;
  try {
    const current = await readHolder(lockPath);
    if (current !== undefined) return { kind: "held", holder: current };
    const holder: LockHolder = { ...own, startedBy: options.startedBy, version: options.version, since: new Date(options.nowMs).toISOString() };
    try {
      await replaceFile(lockPath, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
    } catch (error) {
      guardAlone = options.orGuardAlone === true && isErrno(error, "ENOSPC", "EDQUOT");
      if (!guardAlone) throw error;
      return { kind: "acquired", release: async () => giveBack() };
    }
    return { kind: "acquired", release: () => release(lockPath, own) };
  } finally {
    if (!guardAlone) giveBack();
  }
}

/** The guard is held for the time of one small write, which a disk that is busy may draw out; its holder's death gives it back at once. */
const guardTimeoutMs = 60_000;
const guardPollMs = 10;
const sqliteBusy = 5;

/** Waits for the guard, which is held for milliseconds. Returns what gives it back. */
async function takeGuard(path: string): Promise<() => void> {
  const { DatabaseSync } = await import("node:sqlite");
  const deadlineMs = performance.now() + guardTimeoutMs;
  for (;;) {
    const guard = new DatabaseSync(path, { timeout: 0 });
    try {
      // Nothing is ever written, so that it can be taken on a full disk too.
      guard.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return () => guard.close();
    } catch (error) {
      guard.close();
      const busy = error instanceof Error && "errcode" in error && error.errcode === sqliteBusy;
      if (!busy || performance.now() > deadlineMs) throw new Error(`Cannot take the guard ${path} of the lock: ${messageOf(error)}`, { cause: error });
      await sleep(guardPollMs);
    }
  }
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
