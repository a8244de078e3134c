import type { Connection } from "../cluster/connect.ts";
import type { CommandContext } from "../command.ts";
import { placedName } from "../print/kinds.ts";
import type { Applied } from "./apply.ts";
import { kindOfObject } from "./plan.ts";
import { deleteAll, longestGraceSeconds, waitUntilGone } from "./removal.ts";

/** How much longer than the Pods' grace a removal may take before it counts as stuck. */
export const removalSlackMs = 60_000;

/**
 * Takes back what one `up` did: what it created is removed, what it updated gets its old content again. What it replaced stays,
 * since what was there before cannot be brought back. Rejects when something cannot be removed in time.
 */
export async function undo(context: CommandContext, options: { readonly api: Connection; readonly applied: readonly Applied[] }): Promise<void> {
  const { api, applied } = options;
  const created = applied.filter(({ step }) => step.kind === "create").map(({ object }) => object);
  for (const { object, step } of applied) {
    if (step.kind === "replace") context.remark(`${placedName(object)} stays: what it replaced is gone`);
    if (step.kind !== "update") continue;
    const { resourceVersion: _newer, ...metadata } = step.before.metadata;
    const outcome = await api.update(kindOfObject(object), { ...step.before, metadata });
    context.remark(`${placedName(object)} ${outcome.kind === "updated" ? "has its old content again" : "was changed by somebody else and stays as it is"}`);
  }
  if (created.length === 0) return;
  context.remark(`Removing what was created: ${created.map(placedName).join(", ")}`);
  const found = await deleteAll(created, { api, clock: context.clock, signal: AbortSignal.timeout(removalSlackMs) });
  await waitUntilGone(found, { api, clock: context.clock, signal: AbortSignal.timeout(longestGraceSeconds(found) * 1000 + removalSlackMs) });
}
