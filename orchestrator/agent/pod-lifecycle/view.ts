// pure
import { createHash } from "node:crypto";
import type { Container, Pod } from "../../api/types/pod.ts";
import type { ContainerFacts, PodFacts } from "./facts.ts";
import type { Exited, Instance, Observed, SandboxInstance } from "./observed.ts";

/** init: runs to completion before the next. sidecar: an init container with restartPolicy Always. app: one of spec.containers. */
export type Role = "init" | "sidecar" | "app";

/** One container of the spec with what is known of it. */
export type ContainerView = {
  readonly spec: Container;
  readonly role: Role;
  /** The newest attempt that exists or whose end is remembered. */
  readonly newest: Instance | undefined;
  /** The end of the attempt before `newest` (logs --previous, lastState). */
  readonly previous: { readonly exited: Exited; readonly id: string } | undefined;
  readonly facts: ContainerFacts | undefined;
};

export type PodView = {
  readonly pod: Pod;
  /** In the order of the spec: init containers and sidecars first. */
  readonly inits: readonly ContainerView[];
  readonly apps: readonly ContainerView[];
  /** The newest sandbox, dead or alive. */
  readonly sandbox: SandboxInstance | undefined;
};

export const sandboxProblemKey = "/sandbox";
/** The reason of an attempt that the engine could not start. */
export const startError = "StartError";
/** The reason of an end that nobody saw; such a container is always started again, as the kubelet does. */
export const unknownEnd = "ContainerStatusUnknown";

export function roleOf(pod: Pod, name: string): Role {
  const init = (pod.spec.initContainers ?? []).find((container) => container.name === name);
  if (init === undefined) return "app";
  return init.restartPolicy === "Always" ? "sidecar" : "init";
}

/** Changes when a running container no longer is what the spec asks for; of a Pod's containers only the image can change. */
export function containerHash(container: Container): string {
  return createHash("sha256").update(`${container.name}\0${container.image}`).digest("hex").slice(0, 16);
}

export function newestFirst<T extends { readonly attempt: number }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => b.attempt - a.attempt);
}

/** Instances of one container, newest first, one whose start failed shown with the end that was remembered of it. */
function instancesOf(name: string, observed: Observed, facts: ContainerFacts | undefined): readonly Instance[] {
  const memory = facts === undefined ? undefined : remembered(name, facts);
  return newestFirst(observed.instances.filter((instance) => instance.container === name)).map((instance) =>
    instance.state.kind === "created" && memory?.attempt === instance.attempt ? { ...instance, state: memory.state } : instance);
}

function remembered(name: string, facts: ContainerFacts): Instance | undefined {
  const { ended } = facts;
  if (ended === undefined) return undefined;
  const { attempt, sandboxAttempt, containerId, imageId, ...state } = ended;
  return { id: containerId, container: name, attempt, sandboxAttempt, specHash: "", image: "", imageId, state };
}

export function viewContainer(pod: Pod, spec: Container, observed: Observed, podFacts: PodFacts): ContainerView {
  const facts = podFacts.containers[spec.name];
  const known = instancesOf(spec.name, observed, facts);
  const memory = facts === undefined ? undefined : remembered(spec.name, facts);
  const all = memory === undefined || known.some((instance) => instance.attempt === memory.attempt) ? known : newestFirst([...known, memory]);
  const [newest, ...older] = all;
  const before = older.flatMap((instance) => (instance.state.kind === "exited" ? [{ exited: instance.state, id: instance.id }] : []))[0];
  return { spec, role: roleOf(pod, spec.name), newest, previous: before, facts };
}

export function viewPod(pod: Pod, observed: Observed, facts: PodFacts): PodView {
  const view = (spec: Container): ContainerView => viewContainer(pod, spec, observed, facts);
  return { pod, inits: (pod.spec.initContainers ?? []).map(view), apps: pod.spec.containers.map(view), sandbox: newestFirst(observed.sandboxes)[0] };
}

export function exitedState(view: ContainerView): Exited | undefined {
  return view.newest?.state.kind === "exited" ? view.newest.state : undefined;
}

/** An app container that will never run again under the Pod's restartPolicy. */
export function isDone(view: ContainerView, pod: Pod): boolean {
  const exited = exitedState(view);
  if (exited === undefined || exited.reason === unknownEnd) return false;
  const policy = pod.spec.restartPolicy ?? "Always";
  return policy === "Never" || (policy === "OnFailure" && exited.exitCode === 0);
}

/** A plain init container that failed for good. */
export function isFailedInit(view: ContainerView, pod: Pod): boolean {
  const exited = exitedState(view);
  return view.role === "init" && pod.spec.restartPolicy === "Never" && exited !== undefined && exited.reason !== unknownEnd && exited.exitCode !== 0;
}
