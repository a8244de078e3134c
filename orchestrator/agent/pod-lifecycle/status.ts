// pure
import { apiTime } from "../../api/types/api-time.ts";
import { qosClass } from "../../api/types/pod-resources.ts";
import type { ContainerStatus, Pod, PodCondition, PodPhase, PodStatus } from "../../api/types/pod.ts";
import { containerStatus } from "./container-status.ts";
import type { Plan } from "./plan.ts";
import type { PodView } from "./view.ts";

/** The status to report, as the kubelet generates it. hostIP is added by the worker, which knows the node. */
export function podStatus(plan: Plan, view: PodView): PodStatus {
  const { pod } = plan;
  const hasInit = view.inits.length > 0;
  const initialized = view.apps.some((app) => app.newest !== undefined && app.newest.sandboxAttempt === view.sandbox?.attempt);
  const inits = view.inits.map((init) => containerStatus(plan, init, true));
  const apps = view.apps.map((app) => containerStatus(plan, app, hasInit && !initialized));
  const phase = settledPhase(plan) ?? podPhase(plan, inits, apps);
  const ip = view.sandbox?.state === "running" ? view.sandbox.ip : plan.facts.stop === undefined ? undefined : pod.status?.podIP;
  const reason = failureReason(plan);
  return {
    phase,
    ...reason,
    conditions: conditions(plan, phase, view, inits, apps),
    ...(ip === undefined || ip === "" ? {} : { podIP: ip, podIPs: [{ ip }] }),
    startTime: pod.status?.startTime ?? apiTime(plan.nowMs),
    ...(hasInit ? { initContainerStatuses: inits } : {}),
    containerStatuses: apps,
    qosClass: pod.status?.qosClass ?? qosClass(pod),
  };
}

/** Failed and Succeeded are for ever; a deadline or an eviction fails the Pod at once. */
function settledPhase(plan: Plan): PodPhase | undefined {
  const known = plan.pod.status?.phase;
  if (known === "Failed" || known === "Succeeded") return known;
  const cause = plan.facts.stop?.cause;
  return cause === "deadline" || cause === "evicted" ? "Failed" : undefined;
}

function failureReason(plan: Plan): Pick<PodStatus, "reason" | "message"> {
  const { stop } = plan.facts;
  if (stop?.cause === "deadline") return { reason: "DeadlineExceeded", message: stop.message };
  if (stop?.cause === "evicted") return { reason: "Evicted", message: stop.message };
  const { reason, message } = plan.pod.status ?? {};
  return { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
}

function podPhase(plan: Plan, inits: readonly ContainerStatus[], apps: readonly ContainerStatus[]): PodPhase {
  const { spec } = plan.pod;
  const policy = spec.restartPolicy ?? "Always";
  const specs = spec.initContainers ?? [];
  const plain = inits.filter((_, index) => specs[index]?.restartPolicy !== "Always");
  const sidecars = inits.filter((_, index) => specs[index]?.restartPolicy === "Always");
  const stopping = plan.facts.stop !== undefined;
  if (policy === "Never" && plain.some((status) => (status.state?.terminated?.exitCode ?? 0) !== 0)) return anyRunning([...inits, ...apps]) ? "Pending" : "Failed";
  const neverRan = (status: ContainerStatus): boolean => status.state?.running === undefined && status.state?.terminated === undefined && status.lastState?.terminated === undefined;
  if (apps.some(neverRan)) return stopping && !anyRunning([...inits, ...apps]) && plan.pod.metadata.deletionTimestamp !== undefined && plan.observed.instances.length > 0 ? "Failed" : "Pending";
  if (anyRunning(apps)) return "Running";
  const ends = apps.map((status) => status.state?.terminated);
  if (anyRunning(sidecars) || ends.some((end) => end === undefined) || (policy === "Always" && !stopping)) return "Running";
  const succeeded = ends.every((end) => end?.exitCode === 0);
  if (succeeded) return "Succeeded";
  return policy === "Never" || stopping ? "Failed" : "Running";
}

function anyRunning(statuses: readonly ContainerStatus[]): boolean {
  return statuses.some((status) => status.state?.running !== undefined);
}

type Verdict = { readonly type: string; readonly status: "True" | "False"; readonly reason?: string; readonly message?: string };

function conditions(plan: Plan, phase: PodPhase, view: PodView, inits: readonly ContainerStatus[], apps: readonly ContainerStatus[]): readonly PodCondition[] {
  const { pod } = plan;
  const before = pod.status?.conditions ?? [];
  const hasSandbox = view.sandbox?.state === "running";
  const ours: readonly Verdict[] = [
    { type: "PodReadyToStartContainers", status: hasSandbox ? "True" : "False" },
    initializedCondition(pod, phase, inits, apps),
    ...readyConditions(pod, phase, inits, apps),
  ];
  const scheduled = before.find((condition) => condition.type === "PodScheduled") ?? { type: "PodScheduled", status: "True" as const, lastProbeTime: null, lastTransitionTime: apiTime(plan.nowMs) };
  const foreign = before.filter((condition) => condition.type !== "PodScheduled" && !ours.some((verdict) => verdict.type === condition.type));
  return [...ours.map((verdict) => withTransition(verdict, before, plan.nowMs)), scheduled, ...foreign];
}

function withTransition(verdict: Verdict, before: readonly PodCondition[], nowMs: number): PodCondition {
  const known = before.find((condition) => condition.type === verdict.type);
  const since = known?.status === verdict.status && known.lastTransitionTime !== undefined ? known.lastTransitionTime : apiTime(nowMs);
  return { ...verdict, lastProbeTime: null, lastTransitionTime: since };
}

function initializedCondition(pod: Pod, phase: PodPhase, inits: readonly ContainerStatus[], apps: readonly ContainerStatus[]): Verdict {
  if (phase === "Succeeded") return { type: "Initialized", status: "True", reason: "PodCompleted" };
  const begun = apps.some((app) => app.state?.running !== undefined || app.state?.terminated !== undefined || app.lastState?.terminated !== undefined);
  const incomplete = inits.filter((init, index) => !(pod.spec.initContainers?.[index]?.restartPolicy === "Always" ? init.started === true : init.ready)).map((init) => init.name);
  if (begun || incomplete.length === 0) return { type: "Initialized", status: "True" };
  return { type: "Initialized", status: "False", reason: "ContainersNotInitialized", message: `containers with incomplete status: [${incomplete.join(" ")}]` };
}

/** ContainersReady and Ready; sidecars count, plain init containers do not. */
function readyConditions(pod: Pod, phase: PodPhase, inits: readonly ContainerStatus[], apps: readonly ContainerStatus[]): readonly Verdict[] {
  if (phase === "Succeeded") return both({ status: "False", reason: "PodCompleted" });
  if (phase === "Failed") return both({ status: "False", reason: "PodFailed" });
  const counted = [...inits.filter((_, index) => pod.spec.initContainers?.[index]?.restartPolicy === "Always"), ...apps];
  const unready = counted.filter((status) => !status.ready).map((status) => status.name);
  if (unready.length === 0) return both({ status: "True" });
  return both({ status: "False", reason: "ContainersNotReady", message: `containers with unready status: [${unready.join(" ")}]` });
}

function both(verdict: Omit<Verdict, "type">): readonly Verdict[] {
  return [{ type: "Ready", ...verdict }, { type: "ContainersReady", ...verdict }];
}
