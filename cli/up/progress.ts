// pure
import type { Container, ContainerStateTerminated, ContainerStatus, Pod } from "../../orchestrator/api/types/pod.ts";
import { hasCondition, sidecarNames, terminationReason } from "../print/pod-status.ts";

/** How one container stands, in words for people. */
export type ContainerProgress = { readonly name: string; readonly role: "init" | "sidecar" | "app"; readonly mark: "waiting" | "working" | "done" | "trouble"; readonly words: string };
/** Why a Pod cannot become ready by waiting, and whose log tells more. */
export type Hopeless = { readonly reason: string; readonly container: string | undefined; /** Nothing is wrong with the Pod itself: an image cannot be had. */ readonly lacksImage?: true };
export type PodProgress = {
  readonly state: "waiting" | "ready" | "finished" | "hopeless";
  readonly words: string;
  readonly containers: readonly ContainerProgress[];
  readonly hopeless: Hopeless | undefined;
};

/** When to stop waiting for something that fails again and again. */
export type Patience = {
  /** After so many restarts a container in CrashLoopBackOff is given up. */
  readonly restartsMax: number;
  /** After so many failed tries of one kind (pulling, creating, mounting, making the sandbox) a Pod is given up. */
  readonly triesMax: number;
  /** A Pod that no node takes is given up after this long; a node that just starts needs a moment. */
  readonly unscheduledMsMax: number;
};
export const usualPatience: Patience = { restartsMax: 3, triesMax: 2, unscheduledMsMax: 30_000 };

/** What a Pod's status does not tell, gathered by the one who watches it. */
export type PodObservations = {
  /** How often a container was seen to fail before it ran, by container name. */
  readonly failedTries: ReadonlyMap<string, number>;
  /** The Pod's warning events. */
  readonly warnings: readonly Warning[];
  readonly nowMs: number;
};
export type Warning = { readonly reason: string; readonly message: string; readonly count: number };
export const nothingObserved: PodObservations = { failedTries: new Map(), warnings: [], nowMs: 0 };

/** Waiting reasons that only a change of the manifest or of the machine can end. */
const incurable: ReadonlySet<string> = new Set(["ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"]);
/** Waiting reasons that may pass, so that a few tries are allowed. */
const doubtful: ReadonlySet<string> = new Set(["ErrImagePull", "ImagePullBackOff", "ErrImageInspect", "RegistryUnavailable", "CreateContainerError", "RunContainerError"]);
/** Those of both that tell of an image which cannot be had here. A name that is no image's at all is a fault of the manifest instead. */
const imageTroubles: ReadonlySet<string> = new Set(["ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "ErrImageInspect", "RegistryUnavailable"]);
/** Events of faults that leave no mark in the container statuses. */
const doubtfulEvents: ReadonlySet<string> = new Set(["FailedMount", "FailedCreatePodSandBox", "FailedCreatePodSandbox"]);
/** True when a container stands in a state that counts as one more failed try. */
export const isFailedTry = (reason: string | undefined): boolean => reason !== undefined && doubtful.has(reason);

/** Where a Pod stands on its way to ready, from its status and what was observed beside it. */
export function podProgress(pod: Pod, observed: PodObservations, patience: Patience): PodProgress {
  const sidecars = sidecarNames(pod);
  const statuses = new Map([...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].map((status) => [status.name, status]));
  const described = (container: Container, role: ContainerProgress["role"]): ContainerProgress => containerProgress(container, role, statuses.get(container.name));
  const containers = [
    ...(pod.spec.initContainers ?? []).map((container) => described(container, sidecars.has(container.name) ? "sidecar" : "init")),
    ...pod.spec.containers.map((container) => described(container, "app")),
  ];
  const hopeless = findHopeless(pod, statuses, observed, patience);
  if (hopeless !== undefined) return { state: "hopeless", words: hopeless.reason, containers, hopeless };
  if (pod.status?.phase === "Succeeded") return { state: "finished", words: "completed", containers, hopeless };
  if ((hasCondition(pod, "Ready") || doneOrReady(pod, statuses)) && pod.metadata.deletionTimestamp === undefined) {
    if (justStarted(pod, statuses, observed.nowMs)) return { state: "waiting", words: "just started", containers, hopeless };
    return { state: "ready", words: "ready", containers, hopeless };
  }
  return { state: "waiting", words: waitingWords(pod, observed), containers, hopeless };
}

/** A Pod whose containers run once is never Ready in Kubernetes' sense when one has done its work and others run on; nothing is missing then. */
function doneOrReady(pod: Pod, statuses: ReadonlyMap<string, ContainerStatus>): boolean {
  if ((pod.spec.restartPolicy ?? "Always") === "Always") return false;
  return pod.spec.containers.every(({ name }) => statuses.get(name)?.ready === true || statuses.get(name)?.state?.terminated?.exitCode === 0);
}

/**
 * A container without a readiness probe is ready the moment it runs, also when it ends the moment after. Times in a status are cut to
 * whole seconds, so this means one second and a half to two and a half. Not promised: that a container which ends later, or whose end
 * a busy machine reports later, is noticed; only a readiness probe tells that something works.
 */
const settleMs = 2500;

function justStarted(pod: Pod, statuses: ReadonlyMap<string, ContainerStatus>, nowMs: number): boolean {
  return pod.spec.containers.some((container) => container.readinessProbe === undefined && nowMs - Date.parse(statuses.get(container.name)?.state?.running?.startedAt ?? "") < settleMs);
}

/** What the scheduler says while the node has not told of itself yet, as it does for a moment after every start of a control plane. */
const noNodeYet = "no nodes available to schedule pods";

function waitingWords(pod: Pod, observed: PodObservations): string {
  if (pod.metadata.deletionTimestamp !== undefined) return "ending";
  const scheduled = (pod.status?.conditions ?? []).find((condition) => condition.type === "PodScheduled");
  if (scheduled?.status === "False" && scheduled.message === noNodeYet) return "waiting for the node";
  if (scheduled?.status === "False") return scheduled.message ?? scheduled.reason ?? "not scheduled";
  if (pod.spec.nodeName === undefined) return "waiting for a node";
  const warning = observed.warnings.findLast((candidate) => doubtfulEvents.has(candidate.reason));
  const started = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].some((status) => status.state?.running !== undefined || status.state?.terminated !== undefined);
  if (warning !== undefined && !started) return `${warning.reason}: ${warning.message}`;
  if (pod.status?.podIP === undefined) return "making its sandbox";
  return "starting";
}

function findHopeless(pod: Pod, statuses: ReadonlyMap<string, ContainerStatus>, observed: PodObservations, patience: Patience): Hopeless | undefined {
  for (const status of statuses.values()) {
    const { reason = "", message } = status.state?.waiting ?? {};
    const why = message === undefined || message === "" ? reason : `${reason}: ${message}`;
    if (incurable.has(reason) || (doubtful.has(reason) && (observed.failedTries.get(status.name) ?? 0) >= patience.triesMax)) {
      return { reason: `container ${status.name}: ${why}`, container: undefined, ...(imageTroubles.has(reason) ? { lacksImage: true } : {}) };
    }
    if (reason === "CrashLoopBackOff" && status.restartCount >= patience.restartsMax) {
      return { reason: `container ${status.name} keeps crashing: ${status.restartCount} restarts${lastEnd(status.lastState?.terminated)}`, container: status.name };
    }
  }
  const endedForGood = pod.spec.restartPolicy === "Never" && [...statuses.values()].some((status) => (status.state?.terminated?.exitCode ?? 0) !== 0);
  if (pod.status?.phase === "Failed" || endedForGood) return failedPod(pod, statuses);
  const unscheduled = (pod.status?.conditions ?? []).find((condition) => condition.type === "PodScheduled" && condition.status === "False");
  if (unscheduled !== undefined && observed.nowMs - Date.parse(unscheduled.lastTransitionTime ?? "") > patience.unscheduledMsMax) return { reason: `no node takes it: ${unscheduled.message ?? unscheduled.reason ?? ""}`, container: undefined };
  const started = [...statuses.values()].some((status) => status.state?.running !== undefined || status.state?.terminated !== undefined);
  const warning = started ? undefined : observed.warnings.find((candidate) => doubtfulEvents.has(candidate.reason) && candidate.count >= patience.triesMax);
  return warning === undefined ? undefined : { reason: `${warning.reason}: ${warning.message}`, container: undefined };
}

const lastEnd = (ended: ContainerStateTerminated | undefined): string => (ended === undefined ? "" : ` (last end: ${terminationReason(ended)}, exit code ${ended.exitCode})`);

function failedPod(pod: Pod, statuses: ReadonlyMap<string, ContainerStatus>): Hopeless {
  const failed = [...statuses.values()].find((status) => (status.state?.terminated?.exitCode ?? 0) !== 0);
  const ended = failed?.state?.terminated;
  const why = ended === undefined ? (pod.status?.message ?? pod.status?.reason ?? "the Pod failed") : `container ${failed?.name ?? ""} ended: ${terminationReason(ended)}, exit code ${ended.exitCode}`;
  return { reason: why, container: failed?.name };
}

function containerProgress(container: Container, role: ContainerProgress["role"], status: ContainerStatus | undefined): ContainerProgress {
  const say = (mark: ContainerProgress["mark"], words: string): ContainerProgress => ({ name: container.name, role, mark, words });
  const restarts = (status?.restartCount ?? 0) === 0 ? "" : `, ${status?.restartCount ?? 0} restarts`;
  const { running, terminated, waiting } = status?.state ?? {};
  if (terminated !== undefined) return terminated.exitCode === 0 ? say("done", "completed") : say("trouble", `${terminationReason(terminated)}, exit code ${terminated.exitCode}${restarts}`);
  if (running !== undefined) {
    if (role === "init") return say("working", `running${restarts}`);
    if (status?.ready === true) return say("done", `ready${restarts}`);
    if (container.startupProbe !== undefined && status?.started !== true) return say("working", `running, startup probe not passed yet${restarts}`);
    return say("working", container.readinessProbe === undefined ? `running${restarts}` : `running, readiness probe not passed yet${restarts}`);
  }
  const reason = waiting?.reason;
  if (reason === undefined || reason === "" || reason === "PodInitializing" || reason === "ContainerCreating") return say("waiting", reason === "ContainerCreating" ? "being created" : "waiting");
  return say("trouble", `${reason}${waiting?.message === undefined ? "" : `: ${waiting.message}`}${restarts}`);
}
