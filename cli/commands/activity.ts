import { pods as podKind } from "../../orchestrator/api/types/kinds.ts";
import type { Pod } from "../../orchestrator/api/types/pod.ts";
import { readActivity } from "../activity/read.ts";
import { renderActivity } from "../activity/render.ts";
import { metricsTargets } from "../activity/targets.ts";
import { type Connection, withApi } from "../cluster/connect.ts";
import type { Command, CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { interruptSignal } from "../interrupt.ts";
import { requirePod } from "../pods.ts";
import { LiveLines } from "../live-lines.ts";

const refreshMs = 1000;

export const activity: Command = async (context) =>
  await withApi(context, async (api) => {
    const find = async (): Promise<readonly Pod[]> => await findPods(context, api);
    const targets = metricsTargets(await find());
    if (targets.length === 0) {
      context.remark("No container here declares a port whose name begins with metrics");
      return cliExit.ok;
    }
    if (context.arguments.on("follow")) await followActivity(context, find, interruptSignal());
    else for (const line of renderActivity(await readActivity(targets, { everything: true }), context.palette, context.stdout.columns ?? 120)) context.print(line);
    return cliExit.ok;
  });

async function findPods(context: CommandContext, api: Connection): Promise<readonly Pod[]> {
  const words = context.arguments.positionals;
  if (words.length > 0) return await Promise.all(words.map((word) => requirePod(context, api, word)));
  const scope = context.arguments.on("all-namespaces") ? {} : { namespace: context.arguments.text("namespace") ?? "default" };
  return (await api.list(podKind, scope)).items;
}

/** Only the known counters, so that all fits a screen. Redraws in place on a terminal; otherwise prints a snapshot whenever something has changed. Ends when the signal is aborted. */
export async function followActivity(context: CommandContext, find: () => Promise<readonly Pod[]>, signal: AbortSignal): Promise<void> {
  const live = new LiveLines(context.stdout);
  let before = "";
  try {
    while (!signal.aborted) {
      const lines = renderActivity(await readActivity(metricsTargets(await find()), { everything: false, signal }), context.palette, context.stdout.columns ?? 120);
      const text = lines.join("\n");
      if (context.stdout.isTTY) live.draw([...lines, context.palette.dim("Ctrl-C ends this view")]);
      else if (text !== before && !signal.aborted) context.print(text);
      before = text;
      await context.clock.sleep(refreshMs, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    live.finish();
  }
}
