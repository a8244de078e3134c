import { readActivity } from "../activity/read.ts";
import { renderActivity } from "../activity/render.ts";
import { metricsTargets, type MetricsTarget } from "../activity/targets.ts";
import type { CommandContext } from "../command.ts";
import { LiveLines } from "../live-lines.ts";
import type { Pod } from "../../orchestrator/api/types/pod.ts";

const firstWorkMs = 10_000;
const refreshMs = 500;

/**
 * Shows what the sidecars of the Pods did: live on a terminal, until each has done something or ten seconds are over; otherwise once,
 * then. Returns false when none of them tells.
 */
export async function showActivity(context: CommandContext, pods: readonly Pod[], signal: AbortSignal): Promise<boolean> {
  const targets: readonly MetricsTarget[] = metricsTargets(pods);
  if (targets.length === 0) return false;
  const live = new LiveLines(context.stdout);
  const deadlineMs = context.clock.monotonicMs() + firstWorkMs;
  context.print(`\n${context.palette.bold("What the sidecars did")}`);
  try {
    for (;;) {
      const activities = await readActivity(targets, { everything: false, signal });
      const lines = renderActivity(activities, context.palette, context.stdout.columns ?? 120);
      const last = signal.aborted || activities.every((activity) => activity.busy) || context.clock.monotonicMs() >= deadlineMs;
      if (context.stdout.isTTY) live.draw(lines);
      else if (last) for (const line of lines) context.print(line);
      if (last) return true;
      await context.clock.sleep(refreshMs, signal).catch(() => undefined); // interrupted: the next round is the last
    }
  } finally {
    live.finish();
  }
}
