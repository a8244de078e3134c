import { isInsufficientStorage } from "../../orchestrator/api/errors.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import type { Pod } from "../../orchestrator/api/types/pod.ts";
import { pods as podKind } from "../../orchestrator/api/types/kinds.ts";
import { parseDurationMs } from "../arguments.ts";
import { findClusterReady, startInBackground } from "../cluster/background.ts";
import { apiFailure, type Cluster, folderOf } from "../cluster/connect.ts";
import { connectEngine, engineFailure } from "../cluster/engine.ts";
import { type ClusterFolder, shownPath } from "../cluster/folder.ts";
import { controlPlaneImages } from "../cluster/images.ts";
import { hostPorts, missingImages, missingLocalImages, refuseLacks, takenHostPorts } from "../cluster/preflight.ts";
import { hasState, tearDown } from "../cluster/tear-down.ts";
import { usersObjects } from "../cluster/users-objects.ts";
import type { Command, CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, messageOf, usageFailure } from "../failure.ts";
import { readManifestFiles } from "../manifest-files.ts";
import { isPod, placedName } from "../print/kinds.ts";
import { plural, printable } from "../print/text.ts";
import { applyAll, type Applied } from "../up/apply.ts";
import { Interrupted, Interruption } from "../up/interruption.ts";
import { usualPatience } from "../up/progress.ts";
import { showActivity } from "../up/show-activity.ts";
import { ProgressDisplay } from "../up/show-progress.ts";
import { undo } from "../up/undo.ts";
import { waitForPods, type PodView, type WaitOutcome } from "../up/wait.ts";
import { followActivity } from "./activity.ts";

const timeoutMsDefault = 300_000;
const logLinesShown = 10;

/** What this run of the command has done so far, and so would have to undo. */
type Run = { readonly cluster: Cluster; readonly startedHere: boolean; /** Nothing of the cluster was here before. */ readonly fresh: boolean; readonly applied: Applied[]; readonly timeoutMs: number; readonly interruption: Interruption };

export const up: Command = async (context) => {
  const timeoutText = context.arguments.text("timeout");
  const timeoutMs = timeoutText === undefined ? timeoutMsDefault : parseDurationMs(timeoutText);
  if (timeoutMs === undefined) throw usageFailure(`Cannot use "${timeoutText ?? ""}" for --timeout: must be a duration, such as 90s or 5m`);
  const folder = folderOf(context);
  const objects = await readManifestFiles(context);
  const interruption = new Interruption(context);
  const startedMs = context.clock.monotonicMs();
  const { cluster, startedHere, fresh } = await prepare(context, folder, objects, interruption);
  const run: Run = { cluster, startedHere, fresh, applied: [], timeoutMs, interruption };
  try {
    const ended = await applyAndWait(context, run, objects);
    if (ended.interrupted !== undefined) return ended.interrupted;
    const pods = await currentPods(run);
    if (!context.arguments.on("no-wait")) await tellSuccess(context, run, pods, { waited: ended.waited, tookMs: context.clock.monotonicMs() - startedMs });
    return cliExit.ok;
  } finally {
    await cluster.api.close();
  }
};

/** Everything that can be known to be missing is found before anything is started; then a control plane is found or started. */
async function prepare(context: CommandContext, folder: ClusterFolder, objects: readonly ApiObject[], interruption: Interruption): Promise<{ readonly cluster: Cluster; readonly startedHere: boolean; readonly fresh: boolean }> {
  const running = await findClusterReady(folder, context.clock);
  const wanted = hostPorts(objects);
  const fresh = running === undefined && !(await hasState(folder));
  try {
    await preflight(context, objects, fresh ? wanted : []);
    const cluster = running ?? (await startControlPlane(context, folder, interruption, fresh));
    try {
      // Ports that our own Pods hold are known only to the control plane.
      if (!fresh) refuseLacks(await takenHostPorts(wanted, hostPorts((await cluster.api.list(podKind)).items)));
    } catch (error) {
      await cluster.api.close();
      throw error;
    }
    return { cluster, startedHere: running === undefined, fresh };
  } catch (error) {
    await running?.api.close();
    throw apiFailure(error);
  }
}

async function preflight(context: CommandContext, objects: readonly ApiObject[], wanted: ReturnType<typeof hostPorts>): Promise<void> {
  const runtime = await connectEngine(context);
  try {
    refuseLacks([...(await missingImages(runtime, await controlPlaneImages(context.installation))), ...(await missingLocalImages(runtime, objects)), ...(await takenHostPorts(wanted, []))]);
  } catch (error) {
    throw engineFailure(error);
  } finally {
    await runtime.close();
  }
}

async function startControlPlane(context: CommandContext, folder: ClusterFolder, interruption: Interruption, fresh: boolean): Promise<Cluster> {
  context.remark(`Starting a control plane for cluster "${folder.name}" in the background (log: ${shownPath(folder.logPath)})`);
  try {
    return await startInBackground(folder, { installation: context.installation, storeKind: context.arguments.text("store") ?? "sqlite", clock: context.clock, signal: interruption.signal });
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    if (fresh) await tearDown(context, folder);
    throw new CliFailure(cliExit.retry, "Interrupted while the control plane was starting; nothing was applied", { cause: error });
  }
}

/** `interrupted` is the exit code when it was; otherwise all is ready, after a wait or at the first look. Throws CliFailure when it failed, after undoing. */
async function applyAndWait(context: CommandContext, run: Run, objects: readonly ApiObject[]): Promise<{ readonly interrupted?: number; readonly waited: boolean }> {
  const { api } = run.cluster;
  let applied = false;
  for (;;) {
    try {
      if (!applied) {
        const said = applyReporter(context);
        await applyAll(objects, run.applied, { api, clock: context.clock, signal: run.interruption.signal, ...said });
        said.finish();
      }
      applied = true;
      return { waited: !context.arguments.on("no-wait") && (await waitUntilReady(context, run)) };
    } catch (error) {
      if (!(error instanceof Interrupted)) throw await failWith(context, run, apiFailure(error));
      const decision = await run.interruption.decide(error, { mayContinue: applied });
      run.interruption.rearm();
      if (decision === "continue") continue;
      return { interrupted: decision === "leave" ? leave(context, run) : await stopAll(context, run), waited: true };
    }
  }
}

/** One line per change; objects that are as they should be are only counted. */
function applyReporter(context: CommandContext): { readonly onStep: (applied: Applied) => void; readonly onReplacing: (object: ApiObject, changed: string) => void; readonly finish: () => void } {
  const words = { create: "created", update: "updated", replace: "replaced", unchanged: "unchanged" } as const;
  let unchanged = 0;
  return {
    onStep: ({ object, step }) => (step.kind === "unchanged" ? void unchanged++ : context.remark(`${placedName(object)} ${words[step.kind]}`)),
    onReplacing: (object, changed) => context.remark(`${placedName(object)} is replaced, since its specification changed: ${changed}`),
    finish: () => (unchanged === 0 ? undefined : context.remark(`${plural(unchanged, "object")} unchanged`)),
  };
}

/** False when all was ready at the first look. */
async function waitUntilReady(context: CommandContext, run: Run): Promise<boolean> {
  const pods = run.applied.map((applied) => applied.object).filter(isPod);
  const display = new ProgressDisplay(context);
  let outcome: WaitOutcome;
  let looks = 0;
  try {
    outcome = await waitForPods(pods, { api: run.cluster.api, clock: context.clock, timeoutMs: run.timeoutMs, patience: usualPatience, signal: run.interruption.signal, onProgress: (views) => { looks++; display.show(views); } });
  } finally {
    display.finish();
  }
  switch (outcome.kind) {
    case "ready":
      return looks > 1;
    case "removed":
      throw new CliFailure(cliExit.failed, `${placedName(outcome.pod)} was removed by somebody while waiting for it`);
    case "timeout":
      throw new CliFailure(cliExit.failed, `${plural(outcome.views.length, "Pod")} not ready after ${run.timeoutMs / 1000} s`, { details: outcome.views.flatMap(describeView), remedy: "see `podkit describe`, or give more time with --timeout" });
    case "hopeless": {
      const details: string[] = [];
      for (const view of outcome.views) details.push(...(await describeHopeless(run, view)));
      throw new CliFailure(hopelessExit(outcome.views), `${outcome.views.map(({ pod }) => placedName(pod)).join(", ")} cannot become ready`, { details });
    }
  }
}

/** Something needed is missing when nothing but images is; a Pod that fails by itself as well is the worse news. */
export const hopelessExit = (views: readonly PodView[]): number => (views.every(({ progress }) => progress.hopeless?.lacksImage === true) ? cliExit.unavailable : cliExit.failed);

function describeView({ pod, progress }: PodView): readonly string[] {
  return [`${placedName(pod)}: ${printable(progress.words)}`, ...progress.containers.filter((container) => container.mark !== "done").map((container) => `  ${container.name}: ${printable(container.words)}`)];
}

async function describeHopeless(run: Run, { pod, progress }: PodView): Promise<readonly string[]> {
  const lines = [`${placedName(pod)}: ${printable(progress.words)}`];
  const container = progress.hopeless?.container;
  if (container === undefined) return lines;
  const text = await lastLines(run, pod, container);
  return [...lines, ...(text.length === 0 ? [`  ${container} wrote nothing`] : ["  its last lines:", ...text.map((line) => `  | ${printable(line)}`)])];
}

async function lastLines(run: Run, pod: Pod, container: string): Promise<readonly string[]> {
  try {
    const chunks: Uint8Array[] = [];
    const signal = AbortSignal.timeout(5000);
    for await (const chunk of run.cluster.api.logs({ namespace: pod.metadata.namespace ?? "default", pod: pod.metadata.name, container, follow: false, previous: false, timestamps: false, tailLines: logLinesShown, signal })) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8").split("\n").filter((line) => line !== "");
  } catch (error) {
    return [`its log cannot be read: ${messageOf(error)}`];
  }
}

/** Undoes, unless asked to keep, and says which; returns the failure to report. */
async function failWith(context: CommandContext, run: Run, failure: unknown): Promise<unknown> {
  if (context.arguments.on("keep")) {
    context.remark("Keeping what was created, as --keep asks; `podkit down` removes it");
    return failure;
  }
  if (failure instanceof CliFailure) context.remark(`${context.stderrPalette.red("failed:")} ${failure.message}`);
  await takeBack(context, run);
  return failure;
}

async function takeBack(context: CommandContext, run: Run): Promise<void> {
  run.interruption.divert(() => {
    context.remark("Interrupted again: what is left stays; `podkit down --all` removes it");
    context.exit(cliExit.retry);
  });
  try {
    if (await undoAll(context, run)) {
      await run.cluster.api.close();
      await tearDown(context, run.cluster.folder);
      context.remark("The control plane was ended; nothing is left");
    }
  } catch (error) {
    context.remark(`${context.stderrPalette.yellow("warning:")} could not remove everything: ${messageOf(error)}; \`podkit down --all\` does`);
  }
}

/** Whether the cluster may go as well, since nobody has anything in it any more. A full disk takes no deletions: then our objects may go with the cluster. */
async function undoAll(context: CommandContext, run: Run): Promise<boolean> {
  const { api } = run.cluster;
  try {
    await undo(context, { api, applied: run.applied });
  } catch (error) {
    if (!run.startedHere || !run.fresh || !isInsufficientStorage(error)) throw error;
    const ours = new Set(run.applied.map(({ object }) => object.metadata.uid));
    if ((await usersObjects(api)).every(({ metadata }) => ours.has(metadata.uid))) return true;
    throw error;
  }
  return run.startedHere && (await usersObjects(api)).length === 0;
}

function leave(context: CommandContext, run: Run): number {
  context.remark(`Left running: ${run.applied.map(({ object }) => object).filter(isPod).map(placedName).join(", ")}`);
  context.remark(`See it with \`podkit get pods\`; remove it with \`podkit down ${fileArguments(context)}\``);
  return cliExit.retry;
}

async function stopAll(context: CommandContext, run: Run): Promise<number> {
  await takeBack(context, run);
  return cliExit.retry;
}

async function currentPods(run: Run): Promise<readonly Pod[]> {
  const uids = new Set(run.applied.map(({ object }) => object.metadata.uid));
  return (await run.cluster.api.list(podKind)).items.filter((pod) => uids.has(pod.metadata.uid));
}

async function tellSuccess(context: CommandContext, run: Run, pods: readonly Pod[], { waited, tookMs }: { readonly waited: boolean; readonly tookMs: number }): Promise<void> {
  const { palette } = context;
  const changed = waited || run.applied.some(({ step }) => step.kind !== "unchanged");
  if (pods.length > 0) context.print(palette.green(`${pods.length === 1 ? "The Pod is" : `All ${pods.length} Pods are`} ready${changed ? ` after ${(tookMs / 1000).toFixed(1)} s` : "; nothing had to be done"}`));
  const told = await showActivity(context, pods, run.interruption.signal);
  context.print("");
  const cluster = run.cluster.folder.name === "default" ? "" : ` --cluster ${run.cluster.folder.name}`;
  const hints: readonly (readonly [string, string])[] = [
    [`podkit get pods${cluster}`, "how they are"],
    ...(told ? [[`podkit activity${cluster} --follow`, "what the sidecars do, live"] as const] : []),
    [`podkit down${cluster} ${fileArguments(context)}`, "removes everything again"],
  ];
  const width = Math.max(...hints.map(([command]) => command.length)) + 3;
  for (const [command, what] of hints) context.print(`  ${command.padEnd(width)}${palette.dim(what)}`);
  if (told && context.arguments.on("follow")) await followActivity(context, async () => await currentPods(run), run.interruption.signal);
}

const fileArguments = (context: CommandContext): string => context.arguments.texts("filename").map((name) => `-f ${/^[\w./@:-]+$/.test(name) ? name : JSON.stringify(name)}`).join(" ");
