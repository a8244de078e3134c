import { readdir, rm } from "node:fs/promises";
import { createLog } from "../../kit/log.ts";
import type { CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, messageOf } from "../failure.ts";
import { endControlPlane } from "./background.ts";
import { apiFailure } from "./connect.ts";
import { connectEngine, engineFailure } from "./engine.ts";
import type { ClusterFolder } from "./folder.ts";
import { acquireLock, readHolder } from "./lock.ts";
import { isErrno } from "./process-identity.ts";

export const controlPlaneGraceMs = 20_000;

/** Whether a cluster lived in the folder before: a store, or, where that was in memory, what the agent and the network keep. */
export async function hasState(folder: ClusterFolder): Promise<boolean> {
  try {
    return (await readdir(folder.path)).some((name) => /^(?:store|pods|dns)/.test(name));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}

/**
 * Ends the control plane, removes every container, network and volume that carries the cluster's label, and then its folder. Holds
 * the lock meanwhile, so that nothing starts in between. Needs no control plane that answers.
 */
export async function tearDown(context: CommandContext, folder: ClusterFolder): Promise<void> {
  const holder = await readHolder(folder.lockPath);
  if (holder !== undefined) await endControlPlane(holder, { clock: context.clock, graceMs: controlPlaneGraceMs });
  const runtime = await connectEngine(context);
  try {
    const lock = await acquireLock(folder.lockPath, { startedBy: "up", version: context.installation.version, nowMs: context.clock.nowMs(), orGuardAlone: true });
    if (lock.kind === "held") throw new CliFailure(cliExit.retry, `Another podkit (process ${lock.holder.pid}) has taken the cluster "${folder.name}" meanwhile; nothing more was removed`);
    try {
      const { tearDownCluster } = await import("../../orchestrator/control-plane.ts");
      await tearDownCluster({ clusterName: folder.name, stateDirectory: folder.path, runtime, log: createLog({ role: "down", level: "warn" }) });
    } catch (error) {
      await lock.release();
      throw error;
    }
    await removeFolder(folder);
  } catch (error) {
    throw apiFailure(engineFailure(error));
  } finally {
    await runtime.close();
  }
}

async function removeFolder(folder: ClusterFolder): Promise<void> {
  try {
    await rm(folder.path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    throw new CliFailure(cliExit.unavailable, `Cannot remove the folder ${folder.path}: ${messageOf(error)}`, { remedy: `containers may have written files there as another user: sudo rm -r ${folder.path}`, cause: error });
  }
}
