import type { Backoff } from "../../kit/backoff.ts";
import { backoffDelayMs } from "../../kit/backoff.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import type { ApiClient, DeleteOptions } from "./client.ts";
import { startInformer } from "./informer.ts";
import type { Event } from "./types/event.ts";
import { allKinds, events, namespaces, pods } from "./types/kinds.ts";
import type { ApiObject } from "./types/meta.ts";
import type { Namespace } from "./types/namespace.ts";

export type HousekeepingOptions = { readonly client: ApiClient; readonly clock: Clock; readonly random: Random; readonly log: Log; readonly signal: AbortSignal };

const sweepMs = 60_000;
/** As the --event-ttl of the Kubernetes API server. */
export const eventTtlMs = 3_600_000;
/** A cluster that goes wrong fast must not fill the disk within the hour. */
export const eventsMax = 20_000;
/** As the --terminated-pod-gc-threshold of the Kubernetes controller manager, made for one node. */
export const finishedPodsMax = 1_000;
const namespaceRetry: Backoff = { initialMs: 200, maxMs: 5_000, factor: 2, jitter: 0.3 };

/** What nobody asks for but must happen: old Events and the oldest finished Pods go, and namespaces that are being deleted are emptied. */
export async function runHousekeeping(options: HousekeepingOptions): Promise<void> {
  await Promise.all([sweepForEver(options), emptyNamespaces(options)]);
}

async function sweepForEver(options: HousekeepingOptions): Promise<void> {
  const { clock, signal, log } = options;
  while (!signal.aborted) {
    try {
      await sweepEvents(options);
      await sweepPods(options);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, "Sweeping old objects failed; trying again");
    }
    await clock.sleep(sweepMs, signal).catch(() => undefined);
  }
}

async function sweepEvents({ client, clock, signal }: HousekeepingOptions): Promise<void> {
  const all = (await client.list(events)).items.toSorted((a, b) => lastSeenMs(a) - lastSeenMs(b));
  const surplus = all.length - eventsMax;
  for (const [index, event] of all.entries()) {
    if (signal.aborted || (index >= surplus && clock.nowMs() - lastSeenMs(event) <= eventTtlMs)) return;
    await client.delete(events, event.metadata, onlyAsSeen(event));
  }
}

const lastSeenMs = (event: Event): number => Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? "") || 0;

async function sweepPods({ client, signal }: HousekeepingOptions): Promise<void> {
  const finished = (await client.list(pods)).items.filter(({ status }) => status?.phase === "Succeeded" || status?.phase === "Failed");
  const surplus = finished.toSorted((a, b) => Date.parse(a.metadata.creationTimestamp ?? "") - Date.parse(b.metadata.creationTimestamp ?? "")).slice(0, Math.max(0, finished.length - finishedPodsMax));
  for (const pod of surplus) if (!signal.aborted) await client.delete(pods, pod.metadata, onlyAsSeen(pod));
}

/** What somebody repeated or replaced since it was listed stays; the next sweep looks at it anew. */
function onlyAsSeen({ metadata: { uid, resourceVersion } }: ApiObject): DeleteOptions {
  return { preconditions: { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
}

async function emptyNamespaces(options: HousekeepingOptions): Promise<void> {
  const { client, clock, random, log, signal } = options;
  const emptying = new Map<string, Promise<void>>();
  const informer = startInformer({
    client, kind: namespaces, clock, random, signal, onError: (error) => { log.warn({ err: error }, "Watching namespaces failed; listing again"); },
    onChange: (name, namespace) => {
      if (!isTerminating(namespace) || emptying.has(name)) return;
      emptying.set(name, emptyNamespace(name, options).finally(() => { emptying.delete(name); }));
    },
  });
  await informer.done;
  await Promise.all(emptying.values());
}

const isTerminating = (namespace: Namespace | undefined): namespace is Namespace => namespace?.metadata.deletionTimestamp !== undefined;

/** Deletes what is in it, with everybody's grace, until the namespace itself can go. A finalizer that nobody removes keeps it, as in Kubernetes. */
async function emptyNamespace(name: string, { client, clock, random, log, signal }: HousekeepingOptions): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      for (const kind of allKinds) {
        if (!kind.namespaced) continue;
        for (const item of (await client.list(kind, { namespace: name })).items) if (item.metadata.deletionTimestamp === undefined) await client.delete(kind, item.metadata);
      }
      const outcome = await client.delete(namespaces, { name });
      if (outcome.kind !== "deleting") return;
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, namespace: name }, "Emptying a namespace failed; trying again");
    }
    await clock.sleep(backoffDelayMs(namespaceRetry, attempt, random), signal).catch(() => undefined);
  }
}
