import type { Clock } from "../../kit/clock.ts";
import { startInformer } from "../../orchestrator/api/informer.ts";
import { events as eventKind, pods as podKind } from "../../orchestrator/api/types/kinds.ts";
import type { Event } from "../../orchestrator/api/types/event.ts";
import type { Pod } from "../../orchestrator/api/types/pod.ts";
import type { Connection } from "../cluster/connect.ts";
import { isFailedTry, type Patience, podProgress, type PodProgress, type Warning } from "./progress.ts";

export type PodView = { readonly pod: Pod; readonly progress: PodProgress };
export type WaitOutcome =
  | { readonly kind: "ready" }
  | { readonly kind: "hopeless"; readonly views: readonly PodView[] }
  | { readonly kind: "timeout"; readonly views: readonly PodView[] }
  | { readonly kind: "removed"; readonly pod: Pod };

type WaitOptions = {
  readonly api: Connection;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly patience: Patience;
  readonly signal: AbortSignal;
  /** Called at every change, and a few times a second. */
  readonly onProgress: (views: readonly PodView[]) => void;
};

const tickMs = 250;

/** Watches the Pods until all are ready or have succeeded, or one cannot get there. Rejects with the signal's reason when it is aborted. */
export async function waitForPods(pods: readonly Pod[], options: WaitOptions): Promise<WaitOutcome> {
  const { api, clock } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  let wake = (): void => undefined;
  const tries = new FailedTries();
  const podInformer = startInformer({ client: api, kind: podKind, clock, signal, onChange: (_key, pod) => { if (pod !== undefined) tries.observe(pod); wake(); } });
  const eventInformer = startInformer({ client: api, kind: eventKind, clock, signal, onChange: () => wake() });
  const deadlineMs = clock.monotonicMs() + options.timeoutMs;
  try {
    await Promise.all([podInformer.synced, eventInformer.synced]);
    for (;;) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      const found = pods.map((pod) => ({ before: pod, now: podInformer.list().find((candidate) => candidate.metadata.uid === pod.metadata.uid) }));
      const lost = found.find(({ now }) => now === undefined);
      if (lost !== undefined) return { kind: "removed", pod: lost.before };
      const views = found.flatMap(({ now }) => (now === undefined ? [] : [{ pod: now, progress: podProgress(now, { failedTries: tries.of(now), warnings: warningsAbout(now, eventInformer.list()), nowMs: clock.nowMs() }, options.patience) }]));
      options.onProgress(views);
      const outcome = judge(views, clock.monotonicMs() >= deadlineMs);
      if (outcome !== undefined) return outcome;
      const rest = new AbortController();
      const tick = clock.sleep(tickMs, AbortSignal.any([signal, rest.signal]));
      await Promise.race([woken, tick]).finally(() => rest.abort());
      await tick.catch(() => undefined); // the nap was cut short, or the wait is over, which the next line tells
      options.signal.throwIfAborted();
    }
  } finally {
    over.abort();
    await Promise.all([podInformer.done, eventInformer.done]);
  }
}

function judge(views: readonly PodView[], late: boolean): WaitOutcome | undefined {
  const hopeless = views.filter(({ progress }) => progress.state === "hopeless");
  if (hopeless.length > 0) return { kind: "hopeless", views: hopeless };
  const waiting = views.filter(({ progress }) => progress.state === "waiting");
  if (waiting.length === 0) return { kind: "ready" };
  return late ? { kind: "timeout", views: waiting } : undefined;
}

function warningsAbout(pod: Pod, events: readonly Event[]): readonly Warning[] {
  return events
    .filter((event) => event.type === "Warning" && event.involvedObject.uid === pod.metadata.uid)
    .map((event) => ({ reason: event.reason ?? "", message: event.message ?? "", count: event.count ?? 1 }));
}

/** Counts how often each container came to stand in a state that is a failed try; the status shows the newest only. */
class FailedTries {
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #reasons = new Map<string, string | undefined>();

  observe(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
      const reason = status.state?.waiting?.reason;
      const id = `${uid}/${status.name}`;
      const before = this.#reasons.get(id);
      // "ErrImagePull" and the "ImagePullBackOff" after it are one try.
      const sameTry = reason === before || (reason?.endsWith("BackOff") === true && isFailedTry(before));
      if (isFailedTry(reason) && !sameTry) {
        const counts = this.#counts.get(uid) ?? new Map<string, number>();
        counts.set(status.name, (counts.get(status.name) ?? 0) + 1);
        this.#counts.set(uid, counts);
      }
      this.#reasons.set(id, reason);
    }
  }

  of(pod: Pod): ReadonlyMap<string, number> {
    return this.#counts.get(pod.metadata.uid ?? "") ?? new Map<string, number>();
  }
}
