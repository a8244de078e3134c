// pure
import type { PodFacts } from "./facts.ts";

/**
 * What the lifecycle function is told about one Pod: everything the runtime reports, the facts it cannot report (read from disk), and the
 * little that lives in the worker's memory and may be lost at any moment without harm (problems, operations in flight, probe results).
 */
export type Observed = {
  readonly sandboxes: readonly SandboxInstance[];
  /** Every container object of the Pod, all attempts, running or not. */
  readonly instances: readonly Instance[];
  readonly facts: PodFacts;
  /** By container id. */
  readonly probes: ReadonlyMap<string, ProbeResults>;
  /** Why the next start of a container has to wait, by container name. */
  readonly problems: ReadonlyMap<string, Problem>;
  /** Operations in flight, by operationKey; no second one with the same key is started. */
  readonly busy: ReadonlySet<string>;
  readonly volumes: VolumesState;
  /** What a volume's size limit says: the Pod has to be evicted. */
  readonly eviction: string | undefined;
};

export type VolumesState = { readonly kind: "unmounted" } | { readonly kind: "mounted" } | { readonly kind: "failed"; readonly message: string; readonly retryAtMs: number };

export type SandboxInstance = { readonly id: string; readonly attempt: number; readonly state: "created" | "running" | "exited"; readonly ip: string | undefined };

export type Instance = {
  readonly id: string;
  readonly container: string;
  readonly attempt: number;
  readonly sandboxAttempt: number;
  readonly specHash: string;
  readonly image: string;
  readonly imageId: string;
  readonly state: InstanceState;
};

export type InstanceState =
  | { readonly kind: "created" }
  | { readonly kind: "running"; readonly startedAtMs: number }
  | Exited;

export type Exited = {
  readonly kind: "exited";
  readonly exitCode: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  /** Completed, Error, OOMKilled, StartError, ContainerStatusUnknown. */
  readonly reason: string;
  /** The termination message. */
  readonly message: string;
};

export type ProbeResult = "success" | "failure";
export type ProbeResults = { readonly startup?: ProbeResult; readonly readiness?: ProbeResult; readonly liveness?: ProbeResult };

/** A waiting reason with the earliest time of another try. */
export type Problem = { readonly reason: string; readonly message: string; readonly retryAtMs: number };
