// pure
import type { PodStop, StopCause } from "./facts.ts";
import type { Instance } from "./observed.ts";
import type { Plan } from "./plan.ts";
import { isDone, isFailedInit, roleOf, type PodView } from "./view.ts";

/** What a sidecar still gets when the Pod's grace period is used up (KEP-753, the kubelet's minimumGracePeriodInSeconds). */
const graceSecondsMin = 2;
/** The kubelet's words, for the status and for the event. */
const deadlineMessage = "Pod was active on the node longer than the specified deadline";

/** Whether and why the whole Pod has to stop; remembered in the facts, since such a decision is never taken back. */
export function podStop(plan: Plan, view: PodView): PodStop | undefined {
  const known = plan.facts.stop;
  const { metadata, status } = plan.pod;
  if (metadata.deletionTimestamp !== undefined) return deletionStop(plan, metadata.deletionGracePeriodSeconds ?? plan.gracePeriodSeconds);
  if (known !== undefined) return known;
  const grace = plan.gracePeriodSeconds;
  if (plan.observed.eviction !== undefined) return begin(plan, "evicted", plan.observed.eviction, grace);
  if (status?.phase === "Failed" || status?.phase === "Succeeded") return begin(plan, "completed", status.message ?? "", grace);
  if (deadlinePassed(plan)) {
    plan.event({ type: "Normal", reason: "DeadlineExceeded", message: deadlineMessage, onceKey: "deadline" });
    return begin(plan, "deadline", deadlineMessage, grace);
  }
  if (view.apps.every((app) => isDone(app, plan.pod)) || view.inits.some((init) => isFailedInit(init, plan.pod))) return begin(plan, "completed", "", grace);
  return undefined;
}

function begin(plan: Plan, cause: StopCause, message: string, graceSeconds: number): PodStop {
  const stop: PodStop = { cause, message, graceSeconds, deadlineMs: plan.nowMs + graceSeconds * 1000 };
  plan.setFacts({ ...plan.facts, stop });
  return stop;
}

/** A second delete may shorten the grace period, never lengthen it. */
function deletionStop(plan: Plan, graceSeconds: number): PodStop {
  const known = plan.facts.stop;
  if (known?.cause === "deleted" && known.graceSeconds <= graceSeconds) return known;
  const deadlineMs = Math.min(known?.cause === "deleted" ? known.deadlineMs : Number.POSITIVE_INFINITY, plan.nowMs + graceSeconds * 1000);
  const stop: PodStop = { cause: "deleted", message: known?.message ?? "", graceSeconds, deadlineMs };
  plan.setFacts({ ...plan.facts, stop });
  return stop;
}

function deadlinePassed(plan: Plan): boolean {
  const seconds = plan.pod.spec.activeDeadlineSeconds;
  const startedAt = plan.pod.status?.startTime;
  if (seconds === undefined || startedAt === undefined) return false;
  const endsAtMs = Date.parse(startedAt) + seconds * 1000;
  if (plan.nowMs >= endsAtMs) return true;
  plan.wakeAt(endsAtMs);
  return false;
}

/**
 * Stops what runs: app and init containers all together, then, when none of them runs any more, the sidecars one by one, the last one
 * of the spec first. They share one grace period. When nothing runs, the sandbox; for a deleted Pod everything.
 */
export function planStop(plan: Plan, stop: PodStop, view: PodView): void {
  const running = plan.observed.instances.filter((instance) => instance.state.kind === "running");
  const first = running.filter((instance) => roleOf(plan.pod, instance.container) !== "sidecar");
  const wave = first.length > 0 ? first : lastSidecar(plan, running);
  for (const instance of wave) stopInstance(plan, instance, remainingSeconds(plan, stop), `Stopping container ${instance.container}`);
  if (running.length > 0 || plan.observed.busy.size > 0) return;
  if (stop.cause === "deleted") plan.act({ kind: "tearDown" });
  else if (view.sandbox !== undefined && view.sandbox.state !== "exited") plan.act({ kind: "stopSandbox", id: view.sandbox.id });
}

function remainingSeconds(plan: Plan, stop: PodStop): number {
  if (stop.graceSeconds === 0) return 0;
  const remaining = Math.ceil((stop.deadlineMs - plan.nowMs) / 1000);
  return remaining >= 1 ? remaining : graceSecondsMin;
}

function lastSidecar(plan: Plan, running: readonly Instance[]): readonly Instance[] {
  const order = (plan.pod.spec.initContainers ?? []).map((container) => container.name);
  const last = Math.max(...running.map((instance) => order.indexOf(instance.container)));
  return running.filter((instance) => order.indexOf(instance.container) === last);
}

export function stopInstance(plan: Plan, instance: Instance, graceSeconds: number, message: string): void {
  const spec = [...(plan.pod.spec.initContainers ?? []), ...plan.pod.spec.containers].find((container) => container.name === instance.container);
  const facts = plan.facts.containers[instance.container];
  const hookDone = facts?.attempt === instance.attempt && facts.preStop === "done";
  plan.act({ kind: "stopContainer", container: instance.container, id: instance.id, graceSeconds, preStop: spec?.lifecycle?.preStop !== undefined && !hookDone && graceSeconds > 0, message });
}
