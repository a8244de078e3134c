// pure
import type { ContainerStatus, Pod } from "../../orchestrator/api/types/pod.ts";
import { humanDuration } from "./age.ts";

export type PodSummary = {
  readonly ready: number;
  readonly total: number;
  /** The STATUS column: the phase, or the more telling reason of a container, as kubectl words it. */
  readonly status: string;
  readonly restarts: number;
  readonly lastRestartMs: number | undefined;
};

/** Names of init containers with restartPolicy Always (native sidecars): they count among the containers of a Pod. */
export function sidecarNames(pod: Pod): ReadonlySet<string> {
  return new Set((pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always").map((container) => container.name));
}

export function hasCondition(pod: Pod, type: string): boolean {
  return (pod.status?.conditions ?? []).some((condition) => condition.type === type && condition.status === "True");
}

/** One line about a Pod, by the rules of Kubernetes' own table printer (printPod of pkg/printers/internalversion). */
export function summarizePod(pod: Pod): PodSummary {
  const sidecars = sidecarNames(pod);
  const initStatuses = pod.status?.initContainerStatuses ?? [];
  const statuses = pod.status?.containerStatuses ?? [];
  const total = pod.spec.containers.length + sidecars.size;
  const initial = pod.status?.reason ?? pod.status?.phase ?? "Pending";
  const init = summarizeInit(initStatuses, sidecars, (pod.spec.initContainers ?? []).length);
  let status = init.status ?? initial;
  let counted: readonly ContainerStatus[] = initStatuses;
  let ready = init.ready;
  if (init.status === undefined || hasCondition(pod, "Initialized")) {
    const main = summarizeMain(statuses);
    counted = [...initStatuses.filter((container) => sidecars.has(container.name)), ...statuses];
    ready += main.ready;
    status = main.status ?? (init.status === undefined ? initial : status);
    if (status === "Completed" && main.running) status = hasCondition(pod, "Ready") ? "Running" : "NotReady";
  }
  if (pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== "Failed" && pod.status?.phase !== "Succeeded") status = "Terminating";
  const restarts = counted.reduce((sum, container) => sum + container.restartCount, 0);
  return { ready, total, status, restarts, lastRestartMs: restarts === 0 ? undefined : lastRestart(counted) };
}

function summarizeInit(statuses: readonly ContainerStatus[], sidecars: ReadonlySet<string>, specified: number): { readonly status: string | undefined; readonly ready: number } {
  let ready = 0;
  let done = 0;
  for (const container of statuses) {
    if (sidecars.has(container.name) && container.started === true) {
      if (container.ready) ready++;
      done++;
      continue;
    }
    const { terminated, waiting } = container.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0 && !sidecars.has(container.name)) {
      done++;
      continue;
    }
    if (terminated !== undefined) return { status: `Init:${terminationReason(terminated)}`, ready };
    if (waiting?.reason !== undefined && waiting.reason !== "" && waiting.reason !== "PodInitializing") return { status: `Init:${waiting.reason}`, ready };
    return { status: `Init:${done}/${specified}`, ready };
  }
  return { status: undefined, ready };
}

function summarizeMain(statuses: readonly ContainerStatus[]): { readonly status: string | undefined; readonly ready: number; readonly running: boolean } {
  let status: string | undefined;
  let ready = 0;
  let running = false;
  for (const container of statuses.toReversed()) {
    const { terminated, waiting, running: run } = container.state ?? {};
    if (waiting?.reason !== undefined && waiting.reason !== "") status = waiting.reason;
    else if (terminated !== undefined) status = terminationReason(terminated);
    else if (run !== undefined && container.ready) {
      running = true;
      ready++;
    }
  }
  return { status, ready, running };
}

export function terminationReason(terminated: { readonly reason?: string; readonly exitCode: number; readonly signal?: number }): string {
  if (terminated.reason !== undefined && terminated.reason !== "") return terminated.reason;
  return terminated.signal === undefined || terminated.signal === 0 ? `ExitCode:${terminated.exitCode}` : `Signal:${terminated.signal}`;
}

function lastRestart(statuses: readonly ContainerStatus[]): number | undefined {
  const times = statuses.map((container) => Date.parse(container.lastState?.terminated?.finishedAt ?? "")).filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : Math.max(...times);
}

/** The RESTARTS column: "3 (10s ago)". */
export function restartsCell(summary: PodSummary, nowMs: number): string {
  return summary.lastRestartMs === undefined ? String(summary.restarts) : `${summary.restarts} (${humanDuration(nowMs - summary.lastRestartMs)} ago)`;
}
