// pure
import type { PodFacts } from "./facts.ts";
import type { PodStatus } from "../../api/types/pod.ts";

/** One step for the worker to take. Steps of one decision are independent of each other and may run at the same time. */
export type Action =
  | { readonly kind: "mountVolumes" }
  | { readonly kind: "createSandbox"; readonly attempt: number }
  | { readonly kind: "startSandbox"; readonly id: string }
  | { readonly kind: "stopSandbox"; readonly id: string }
  | { readonly kind: "removeSandbox"; readonly id: string }
  | { readonly kind: "createContainer"; readonly container: string; readonly attempt: number; readonly sandboxId: string; readonly sandboxAttempt: number }
  | { readonly kind: "startContainer"; readonly container: string; readonly id: string }
  | { readonly kind: "postStart"; readonly container: string; readonly id: string }
  | { readonly kind: "stopContainer"; readonly container: string; readonly id: string; readonly graceSeconds: number; readonly preStop: boolean; readonly message: string }
  | { readonly kind: "removeContainer"; readonly id: string }
  /** Removes every trace of the Pod and then the Pod from the API. */
  | { readonly kind: "tearDown" };

/** Two actions with one key never run at the same time. Starting and stopping have different keys: a stop does not wait for a hanging hook. */
export function operationKey(action: Action): string {
  switch (action.kind) {
    case "mountVolumes": return "volumes";
    case "createSandbox":
    case "startSandbox": return "sandbox";
    case "stopSandbox": return `stop-sandbox/${action.id}`;
    case "removeSandbox":
    case "removeContainer": return `remove/${action.id}`;
    case "createContainer":
    case "startContainer":
    case "postStart": return runKey(action.container);
    case "stopContainer": return stopKey(action.container);
    case "tearDown": return "tear-down";
    default: return action satisfies never;
  }
}

export const runKey = (container: string): string => `run/${container}`;
export const stopKey = (container: string): string => `stop/${container}`;

/** An event about the Pod; reported once per `onceKey`, however often it is decided. */
export type PodEvent = { readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string; readonly onceKey: string };

export type Decision = {
  readonly actions: readonly Action[];
  /** To be written to disk before any action is taken. */
  readonly facts: PodFacts;
  readonly status: PodStatus;
  readonly events: readonly PodEvent[];
  /** Nothing in flight may start anything any more: cancel pulls, creates and hooks. */
  readonly stopping: boolean;
  /** Decide again at this time, even when nothing happens before. */
  readonly wakeAtMs: number | undefined;
};
