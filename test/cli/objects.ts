import type { ContainerStatus, Pod, PodSpec, PodStatus } from "../../orchestrator/api/types/pod.ts";

/** Pods for tables of cases; only what a case is about is spelled out there. */
export function podOf(parts: { readonly name?: string; readonly spec?: Partial<PodSpec>; readonly status?: PodStatus; readonly metadata?: Partial<Pod["metadata"]> } = {}): Pod {
  return {
    apiVersion: "v1", kind: "Pod",
    metadata: { name: parts.name ?? "web", namespace: "default", uid: "u1", creationTimestamp: "2026-01-01T00:00:00Z", ...parts.metadata },
    spec: { containers: [{ name: "app", image: "img" }], ...parts.spec },
    ...(parts.status === undefined ? {} : { status: parts.status }),
  };
}

export function statusOf(name: string, parts: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name, ready: false, restartCount: 0, image: "img", imageID: "", ...parts };
}

export const running = { running: { startedAt: "2026-01-01T00:00:10Z" } } as const;
export const waiting = (reason: string, message?: string): { readonly waiting: { readonly reason: string; readonly message?: string } } => ({ waiting: { reason, ...(message === undefined ? {} : { message }) } });
export const ended = (exitCode: number, reason = exitCode === 0 ? "Completed" : "Error"): { readonly terminated: { readonly exitCode: number; readonly reason: string; readonly finishedAt: string } } => ({ terminated: { exitCode, reason, finishedAt: "2026-01-01T00:01:50Z" } });
export const condition = (type: string, status: "True" | "False" = "True"): { readonly type: string; readonly status: "True" | "False" } => ({ type, status });
/** Two minutes after the creation of podOf. */
export const nowMs = Date.parse("2026-01-01T00:02:00Z");
