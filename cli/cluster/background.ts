import { spawn } from "node:child_process";
import { open, readFile, rename, stat } from "node:fs/promises";
import process from "node:process";
import type { Clock } from "../../kit/clock.ts";
import type { Installation } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure } from "../failure.ts";
import { printable } from "../print/text.ts";
import { type Cluster, findCluster } from "./connect.ts";
import { type ClusterFolder, makeFolder, requireRoom } from "./folder.ts";
import { type LockHolder, readHolder } from "./lock.ts";
import { logFileBytesMax } from "./log-file.ts";
import { isErrno, isRunning } from "./process-identity.ts";

const readyTimeoutMs = 60_000;
/** For a control plane that somebody else started and that does not answer at all; it may be stuck, and then the person should know soon. */
const joinTimeoutMs = 15_000;
const pollMs = 50;

/**
 * Starts a control plane that outlives this command, and waits until it answers. When somebody else starts one at the same time,
 * theirs is taken. Throws CliFailure (69) when there is no room for it, and with the end of its log when it does not come up.
 */
export async function startInBackground(folder: ClusterFolder, options: { readonly installation: Installation; readonly storeKind: string; readonly clock: Clock; readonly signal?: AbortSignal }): Promise<Cluster> {
  await requireRoom(folder);
  await makeFolder(folder);
  await rotateLog(folder.logPath);
  const log = await open(folder.logPath, "a", 0o600);
  const logStart = (await log.stat()).size;
  const child = spawn(process.execPath, [options.installation.entry, "serve", "--cluster", folder.name, "--store", options.storeKind, "--background"], { detached: true, stdio: ["ignore", log.fd, log.fd], cwd: "/" });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code ?? 0}` : `signal ${signal}`));
  });
  let end: string | undefined;
  void ended.then((how) => (end = how));
  child.unref();
  await log.close();
  const deadlineMs = options.clock.monotonicMs() + readyTimeoutMs;
  for (;;) {
    const cluster = await findReady(folder);
    if (typeof cluster === "object") return cluster;
    const someoneElse = end !== undefined && (await readHolder(folder.lockPath)) !== undefined;
    if (end !== undefined && !someoneElse) throw await notUp(folder, logStart, `it ended: ${end}`);
    if (options.clock.monotonicMs() > deadlineMs) throw await notUp(folder, logStart, `it does not answer after ${readyTimeoutMs / 1000} s`);
    await options.clock.sleep(pollMs, options.signal);
  }
}

/** The control plane that runs, waiting for one that is just starting. Undefined when none runs; throws CliFailure (69) when one runs and does not answer. One that answers and does not become ready for long is taken as it is. */
export async function findClusterReady(folder: ClusterFolder, clock: Clock): Promise<Cluster | undefined> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    const cluster = await findReady(folder);
    if (typeof cluster === "object") return cluster;
    if (clock.monotonicMs() - startedMs > (cluster === "starting" ? readyTimeoutMs : joinTimeoutMs)) return await findCluster(folder);
    if ((await readHolder(folder.lockPath)) === undefined) return undefined;
    await clock.sleep(pollMs);
  }
}

/** The control plane once it is ready: it takes objects, and its node agent has looked at every Pod. "starting" while one answers that it is not. */
async function findReady(folder: ClusterFolder): Promise<Cluster | "starting" | undefined> {
  try {
    const cluster = await findCluster(folder);
    if (cluster === undefined || (await cluster.api.ready()).ready) return cluster;
    await cluster.api.close();
    return "starting";
  } catch (error) {
    if (error instanceof CliFailure) return undefined; // holds the lock and does not listen yet
    throw error;
  }
}

async function notUp(folder: ClusterFolder, logStart: number, why: string): Promise<CliFailure> {
  const tail = (await readFile(folder.logPath)).subarray(logStart).toString("utf8").trimEnd().split("\n").slice(-10);
  return new CliFailure(cliExit.unavailable, `The control plane of cluster "${folder.name}" did not start: ${why}`, { details: tail.map(printable), remedy: `the whole log is ${folder.logPath}; \`podkit serve\` runs it in the foreground` });
}

async function rotateLog(path: string): Promise<void> {
  try {
    if ((await stat(path)).size > logFileBytesMax) await rename(path, `${path}.1`);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/** Ends a control plane and waits until its process is gone: SIGTERM first, SIGKILL after the grace. Pods keep running. */
export async function endControlPlane(holder: LockHolder, options: { readonly clock: Clock; readonly graceMs: number }): Promise<void> {
  if (!(await isRunning(holder))) return;
  signal(holder.pid, "SIGTERM");
  const deadlineMs = options.clock.monotonicMs() + options.graceMs;
  let killed = false;
  while (await isRunning(holder)) {
    if (options.clock.monotonicMs() > deadlineMs && !killed) {
      signal(holder.pid, "SIGKILL");
      killed = true;
    }
    await options.clock.sleep(pollMs);
  }
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (isErrno(error, "ESRCH")) return;
    if (isErrno(error, "EPERM")) throw new CliFailure(cliExit.unavailable, `May not end the control plane (process ${pid}): it belongs to another user`, { remedy: "use the same user, or sudo", cause: error });
    throw error;
  }
}
