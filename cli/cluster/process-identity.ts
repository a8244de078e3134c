import { readFile } from "node:fs/promises";
import process from "node:process";

/**
 * A process told apart from any later one that gets the same pid: by the boot it belongs to and its start time, in clock ticks
 * since that boot (field 22 of /proc/PID/stat). On systems without /proc both are empty, and then a pid is all there is.
 */
export type ProcessIdentity = { readonly pid: number; readonly bootId: string; readonly startTicks: string };

export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  if (!signalReaches(pid)) return undefined;
  const bootId = await readText("/proc/sys/kernel/random/boot_id");
  if (bootId === undefined) return { pid, bootId: "", startTicks: "" };
  const stat = await readText(`/proc/${pid}/stat`);
  const fields = stat === undefined ? undefined : statFields(stat);
  // A zombie has ended: only its exit code still waits to be fetched.
  return fields === undefined || fields.state === "Z" || fields.state === "X" ? undefined : { pid, bootId: bootId.trim(), startTicks: fields.startTicks };
}

export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const now = await identify(identity.pid);
  return now !== undefined && now.bootId === identity.bootId && now.startTicks === identity.startTicks;
}

/** The command's name, second of the fields, may hold spaces and parentheses; everything after the last one is plain. */
export function statFields(stat: string): { readonly state: string; readonly startTicks: string } | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const startTicks = fields[19];
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, "EPERM"); // it runs, as somebody else
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

export const isErrno = (error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException =>
  error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
