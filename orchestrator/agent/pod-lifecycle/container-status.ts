// pure
import { apiTime } from "../../api/types/api-time.ts";
import type { ContainerState, ContainerStateTerminated, ContainerStatus } from "../../api/types/pod.ts";
import type { Exited, Instance } from "./observed.ts";
import type { Plan } from "./plan.ts";
import { backoffMessage } from "./running.ts";
import { startError, type ContainerView } from "./view.ts";

/** How long a failed start is shown as RunContainerError before the back-off's own reason takes over. */
const startErrorShownMs = 2000;

export function containerStatus(plan: Plan, view: ContainerView, podHasInit: boolean): ContainerStatus {
  const { newest } = view;
  const state = shownState(plan, view, podHasInit);
  const last = lastExited(view, state);
  const started = isStarted(view, state);
  const known = newest !== undefined && newest.id !== "" && newest.image !== "";
  return {
    name: view.spec.name,
    state,
    ...(last === undefined ? {} : { lastState: { terminated: terminated(last.exited, last.id) } }),
    ready: isReady(plan, view, state, started),
    restartCount: newest?.attempt ?? 0,
    image: view.spec.image,
    imageID: newest?.imageId ?? "",
    ...(known ? { containerID: `docker://${newest.id}` } : {}),
    started,
  };
}

export function terminated(exited: Exited, id: string): ContainerStateTerminated {
  return {
    exitCode: exited.exitCode,
    reason: exited.reason,
    ...(exited.message === "" ? {} : { message: exited.message }),
    startedAt: apiTime(exited.startedAtMs),
    finishedAt: apiTime(exited.finishedAtMs),
    ...(id === "" ? {} : { containerID: `docker://${id}` }),
  };
}

function shownState(plan: Plan, view: ContainerView, podHasInit: boolean): ContainerState {
  const { newest } = view;
  const problem = plan.observed.problems.get(view.spec.name);
  const idle = { waiting: { reason: podHasInit ? "PodInitializing" : "ContainerCreating" } };
  if (newest?.state.kind === "running") return hookPending(view) ? idle : { running: { startedAt: apiTime(newest.state.startedAtMs) } };
  if (plan.facts.stop !== undefined) return newest?.state.kind === "exited" ? { terminated: terminated(newest.state, newest.id) } : idle;
  if (problem !== undefined) return { waiting: { reason: problem.reason, message: problem.message } };
  if (newest?.state.kind !== "exited") return idle;
  if (newest.state.reason === startError && plan.nowMs - newest.state.finishedAtMs < startErrorShownMs) {
    plan.wakeAt(newest.state.finishedAtMs + startErrorShownMs);
    return { waiting: { reason: "RunContainerError", message: newest.state.message } };
  }
  const message = backoffMessage(plan, view);
  if (message !== undefined) return { waiting: { reason: "CrashLoopBackOff", message } };
  return { terminated: terminated(newest.state, newest.id) };
}

function hookPending(view: ContainerView): boolean {
  return view.spec.lifecycle?.postStart !== undefined && view.facts?.postStart === undefined;
}

/** While the newest end is not shown as the state itself, it is the last state; else the end before it. */
function lastExited(view: ContainerView, state: ContainerState): { readonly exited: Exited; readonly id: string } | undefined {
  if (state.terminated === undefined && view.newest?.state.kind === "exited") return { exited: view.newest.state, id: view.newest.id };
  return view.previous;
}

function isStarted(view: ContainerView, state: ContainerState): boolean {
  return state.running !== undefined && (view.spec.startupProbe === undefined || view.facts?.startupPassed === true);
}

function isReady(plan: Plan, view: ContainerView, state: ContainerState, started: boolean): boolean {
  if (view.role === "init") return state.terminated?.exitCode === 0;
  if (!started || view.newest === undefined) return false;
  return view.spec.readinessProbe === undefined || readiness(plan, view.newest) === "success";
}

/** A result of this agent, or, just after a restart, what the API still says of the same container. */
function readiness(plan: Plan, instance: Instance): "success" | "failure" {
  const result = plan.observed.probes.get(instance.id)?.readiness;
  if (result !== undefined) return result;
  const { status } = plan.pod;
  const before = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find((known) => known.containerID === `docker://${instance.id}`);
  return before?.ready === true ? "success" : "failure";
}
