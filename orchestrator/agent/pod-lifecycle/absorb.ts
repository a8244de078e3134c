// pure
import type { Container, Pod } from "../../api/types/pod.ts";
import type { Attempted, ContainerFacts, PodFacts } from "./facts.ts";
import type { Exited, Instance, Observed } from "./observed.ts";
import { newestFirst, startError, unknownEnd } from "./view.ts";

/** The facts after looking at the runtime: newer attempts, ends, passed startup probes, and containers that have vanished. */
export function absorb(pod: Pod, observed: Observed, nowMs: number): PodFacts {
  const containers: Record<string, ContainerFacts> = {};
  for (const spec of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const next = absorbContainer(spec, observed, nowMs);
    if (next !== undefined) containers[spec.name] = next;
  }
  const sandbox = absorbSandbox(observed);
  const { facts } = observed;
  return { version: 1, containers, ...(sandbox === undefined ? {} : { sandbox }), ...(facts.stop === undefined ? {} : { stop: facts.stop }) };
}

function absorbSandbox(observed: Observed): Attempted | undefined {
  const newest = newestFirst(observed.sandboxes)[0];
  const known = observed.facts.sandbox;
  if (newest === undefined) return known;
  return known === undefined || newest.attempt >= known.attempt ? { attempt: newest.attempt, seen: true } : known;
}

function absorbContainer(spec: Container, observed: Observed, nowMs: number): ContainerFacts | undefined {
  const known = observed.facts.containers[spec.name];
  const newest = newestFirst(observed.instances.filter((instance) => instance.container === spec.name))[0];
  if (newest === undefined || (known !== undefined && newest.attempt < known.attempt)) return known?.seen === true ? vanished(known, nowMs) : known;
  const current = known !== undefined && known.attempt === newest.attempt ? { ...known, seen: true } : { ...carriedOver(known), attempt: newest.attempt, seen: true };
  return withObservation(current, newest, observed);
}

function withObservation(facts: ContainerFacts, instance: Instance, observed: Observed): ContainerFacts {
  const state = facts.startFailure === undefined || instance.state.kind === "running" ? instance.state : failedStart(facts.startFailure);
  const startup = observed.probes.get(instance.id)?.startup;
  const passed = startup === "success" && facts.startupPassed !== true ? { ...facts, startupPassed: true } : facts;
  if (state.kind !== "exited" || passed.ended?.attempt === instance.attempt) return passed;
  return { ...passed, ended: { ...state, attempt: instance.attempt, sandboxAttempt: instance.sandboxAttempt, containerId: instance.id, imageId: instance.imageId } };
}

/** The engine never ran it: the kubelet's code and reason. */
function failedStart(failure: { readonly message: string; readonly atMs: number }): Exited {
  return { kind: "exited", exitCode: 128, startedAtMs: 0, finishedAtMs: failure.atMs, reason: startError, message: failure.message };
}

/** The attempt was seen and is no longer there. Unless its end was seen too, nobody knows how it ended: the kubelet's words and code. */
function vanished(facts: ContainerFacts, nowMs: number): ContainerFacts {
  if (facts.ended !== undefined && facts.ended.attempt >= facts.attempt) return facts;
  return {
    ...facts,
    ended: {
      kind: "exited", attempt: facts.attempt, sandboxAttempt: -1, containerId: "", imageId: "", exitCode: 137, startedAtMs: 0, finishedAtMs: nowMs,
      reason: unknownEnd, message: "The container could not be located when the pod was running",
    },
  };
}

/** What outlives an attempt. */
export function carriedOver(facts: ContainerFacts | undefined): Pick<ContainerFacts, "backoff" | "ended"> {
  return { ...(facts?.backoff === undefined ? {} : { backoff: facts.backoff }), ...(facts?.ended === undefined ? {} : { ended: facts.ended }) };
}
