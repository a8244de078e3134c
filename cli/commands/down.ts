import { isInsufficientStorage } from "../../orchestrator/api/errors.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import { parseDurationMs } from "../arguments.ts";
import { findClusterReady, startInBackground } from "../cluster/background.ts";
import { apiFailure, type Cluster, folderOf } from "../cluster/connect.ts";
import type { ClusterFolder } from "../cluster/folder.ts";
import { connectEngine } from "../cluster/engine.ts";
import { hasState, tearDown } from "../cluster/tear-down.ts";
import { usersObjects } from "../cluster/users-objects.ts";
import type { Command, CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, usageFailure } from "../failure.ts";
import { interruptSignal } from "../interrupt.ts";
import { LiveLines } from "../live-lines.ts";
import { readManifestFiles } from "../manifest-files.ts";
import { placedName } from "../print/kinds.ts";
import { plural } from "../print/text.ts";
import { removalWaves } from "../up/plan.ts";
import { deleteAll, longestGraceSeconds, waitUntilGone } from "../up/removal.ts";
import { removalSlackMs } from "../up/undo.ts";

export const down: Command = async (context) => {
  const all = context.arguments.on("all");
  if (all === context.arguments.texts("filename").length > 0) throw usageFailure('"podkit down" needs either -f FILE or --all');
  const timeoutText = context.arguments.text("timeout");
  const timeoutMs = timeoutText === undefined ? undefined : parseDurationMs(timeoutText);
  if (timeoutText !== undefined && timeoutMs === undefined) throw usageFailure(`Cannot use "${timeoutText}" for --timeout: must be a duration, such as 90s or 5m`);
  const folder = folderOf(context);
  const objects = all ? undefined : await readManifestFiles(context);
  const running = await reach(context, folder, all);
  if (running === undefined) {
    if (!all) {
      context.print(`Nothing of cluster "${folder.name}" is here`);
      return cliExit.ok;
    }
    await tearDown(context, folder);
    context.print(`Everything of cluster "${folder.name}" is removed`);
    return cliExit.ok;
  }
  try {
    await removeObjectsIfRoom(context, running, { objects, timeoutMs, all });
    await finish(context, running, all);
    return cliExit.ok;
  } catch (error) {
    throw apiFailure(error);
  } finally {
    await running.api.close();
  }
};

/**
 * The control plane to remove objects with: the one that runs, or one started for it, when there is a store from before. Undefined
 * when there is neither, and with --all also when it does not answer or start: then the labels lead to what is left.
 */
async function reach(context: CommandContext, folder: ClusterFolder, all: boolean): Promise<Cluster | undefined> {
  try {
    const running = await findClusterReady(folder, context.clock);
    if (running !== undefined) return running;
    if (!(await hasState(folder))) return undefined;
    await (await connectEngine(context)).close(); // without an engine nothing can be removed: say that, not that the control plane failed
    context.remark(`No control plane runs for cluster "${folder.name}": starting one to end its Pods properly`);
    return await startInBackground(folder, { installation: context.installation, storeKind: "sqlite", clock: context.clock });
  } catch (error) {
    if (!all || !(error instanceof CliFailure)) throw error;
    await (await connectEngine(context)).close();
    context.remark(`${context.stderrPalette.yellow("warning:")} ${error.message}; removing by labels instead`);
    return undefined;
  }
}

/** With --all, a store that can take no deletion, its disk being full, is no hindrance: the labels lead to everything. */
async function removeObjectsIfRoom(context: CommandContext, cluster: Cluster, o: { readonly objects: readonly ApiObject[] | undefined; readonly timeoutMs: number | undefined; readonly all: boolean }): Promise<void> {
  try {
    await removeObjects(context, cluster, o.objects, o.timeoutMs);
  } catch (error) {
    if (!o.all || !isInsufficientStorage(error)) throw error;
    context.remark(`${context.stderrPalette.yellow("warning:")} ${error.message}; removing by labels instead`);
  }
}

async function removeObjects(context: CommandContext, cluster: Cluster, objects: readonly ApiObject[] | undefined, timeoutMs: number | undefined): Promise<void> {
  const { api } = cluster;
  const interrupted = interruptSignal();
  let found: readonly ApiObject[] = [];
  for (const wave of removalWaves(objects ?? (await usersObjects(api)))) {
    const asked = AbortSignal.any([interrupted, AbortSignal.timeout(removalSlackMs)]);
    const wanted = await deleteAll(wave, { api, clock: context.clock, signal: asked });
    await waitWithProgress(context, cluster, wanted, { timeoutMs, interrupted });
    found = [...found, ...wanted];
  }
  if (found.length === 0) context.remark("None of these objects exists");
}

async function waitWithProgress(context: CommandContext, { api }: Cluster, found: readonly ApiObject[], { timeoutMs, interrupted }: { readonly timeoutMs: number | undefined; readonly interrupted: AbortSignal }): Promise<void> {
  const limitMs = timeoutMs ?? longestGraceSeconds(found) * 1000 + removalSlackMs;
  const limit = AbortSignal.timeout(limitMs);
  const left = new Set(found);
  const live = new LiveLines(context.stderr);
  const startedMs = context.clock.monotonicMs();
  const drawing = setInterval(() => {
    if (context.stderr.isTTY) live.draw([context.stderrPalette.dim(`waiting for ${[...left].map(placedName).join(", ")} to end, ${Math.floor((context.clock.monotonicMs() - startedMs) / 1000)} s`)]);
  }, 500);
  try {
    await waitUntilGone(found, {
      api, clock: context.clock, signal: AbortSignal.any([interrupted, limit]),
      onGone: (object) => {
        left.delete(object);
        live.clear();
        context.print(`${placedName(object)} deleted`);
      },
    });
  } catch (error) {
    if (interrupted.aborted) throw new CliFailure(cliExit.retry, `Interrupted while ${plural(left.size, "object")} still ended: ${[...left].map(placedName).join(", ")}`, { remedy: "run the same command again", cause: error });
    if (!limit.aborted) throw error;
    throw new CliFailure(cliExit.failed, `Still there after ${Math.round(limitMs / 1000)} s: ${[...left].map(placedName).join(", ")}`, { remedy: "see `podkit describe`, or remove everything by force with `podkit down --all`", cause: error });
  } finally {
    clearInterval(drawing);
    live.clear();
  }
}

/** Ends the control plane too when nothing is left for it to do and nobody started it by hand. */
async function finish(context: CommandContext, cluster: Cluster, all: boolean): Promise<void> {
  const left = await usersObjects(cluster.api);
  if (!all && left.length > 0) {
    context.remark(`The control plane keeps running: ${plural(left.length, "other object")} (${left.slice(0, 5).map(placedName).join(", ")}${left.length > 5 ? ", …" : ""})`);
    return;
  }
  if (!all && cluster.holder.startedBy !== "up") {
    context.remark("The control plane keeps running, since `podkit serve` started it");
    return;
  }
  await cluster.api.close();
  await tearDown(context, cluster.folder);
  context.print(`Everything of cluster "${cluster.folder.name}" is removed`);
}
