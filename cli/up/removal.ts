import type { Clock } from "../../kit/clock.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import type { Connection } from "../cluster/connect.ts";
import { isPod, keyOf } from "../print/kinds.ts";
import { applyOrder, kindOfObject } from "./plan.ts";

type WaitOptions = { readonly api: Connection; readonly clock: Clock; readonly signal: AbortSignal; readonly onGone?: (object: ApiObject) => void };

const pollMs = 150;

/** Waits until objects with these uids are gone. Rejects with the signal's reason when it is aborted first. */
export async function waitUntilGone(objects: readonly ApiObject[], options: WaitOptions): Promise<void> {
  let left = [...objects];
  while (left.length > 0) {
    const still = await Promise.all(left.map(async (object) => (await stillThere(options.api, object)) ? [object] : []));
    const remaining = new Set(still.flat());
    for (const object of left) if (!remaining.has(object)) options.onGone?.(object);
    left = [...remaining];
    if (left.length > 0) await options.clock.sleep(pollMs, options.signal);
  }
}

async function stillThere(api: Connection, object: ApiObject): Promise<boolean> {
  const live = await api.get(kindOfObject(object), keyOf(object));
  return live !== undefined && (object.metadata.uid === undefined || live.metadata.uid === object.metadata.uid);
}

/** Asks for the removal of the objects, Pods first and namespaces last; returns those that were there, as they were. */
export async function deleteAll(objects: readonly ApiObject[], options: WaitOptions): Promise<readonly ApiObject[]> {
  const found: ApiObject[] = [];
  for (const object of applyOrder(objects).toReversed()) {
    const kind = kindOfObject(object);
    const live = await options.api.get(kind, keyOf(object));
    if (live === undefined || (object.metadata.uid !== undefined && live.metadata.uid !== object.metadata.uid)) continue;
    const outcome = await options.api.delete(kind, keyOf(object));
    if (outcome.kind !== "notFound") found.push(live);
  }
  return found;
}

/** The longest that a Pod among them may take to end by itself. */
export function longestGraceSeconds(objects: readonly ApiObject[]): number {
  return Math.max(0, ...objects.filter(isPod).map((pod) => pod.spec.terminationGracePeriodSeconds ?? 30));
}

