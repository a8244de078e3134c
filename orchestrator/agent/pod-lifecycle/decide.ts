// pure
import type { Pod } from "../../api/types/pod.ts";
import { absorb } from "./absorb.ts";
import type { Decision } from "./actions.ts";
import type { Observed, SandboxInstance } from "./observed.ts";
import { Plan } from "./plan.ts";
import { planContainers } from "./running.ts";
import { podStatus } from "./status.ts";
import { planStop, podStop, stopInstance } from "./stopping.ts";
import { newestFirst, sandboxProblemKey, viewPod, type PodView } from "./view.ts";

/**
 * The Pod lifecycle: from the spec and what is observed to the next steps and the status to report. No I/O, no clock, no memory: called
 * again after every change, with the facts that it gave the last time (read from disk, should the agent have been killed in between).
 *
 * Promised: a step is never asked for twice while it is in flight; a running container of the current sandbox is stopped only for a reason
 * that its Killing event names; an attempt number is used for one container only. Not promised: that a hook runs at most once. A hook
 * interrupted by the agent's death is run again, as Kubernetes says ("at least once").
 */
export function decide(pod: Pod, observed: Observed, nowMs: number): Decision {
  const plan = new Plan(pod, observed, absorb(pod, observed, nowMs), nowMs);
  const view = viewPod(pod, observed, plan.facts);
  const stop = podStop(plan, view);
  if (stop === undefined) planRun(plan, view);
  else planStop(plan, stop, view);
  if (!plan.actions.some((action) => action.kind === "tearDown")) planGarbage(plan);
  const status = podStatus(plan, viewPod(pod, observed, plan.facts)); // may ask to be woken, too
  return { actions: plan.actions, facts: plan.facts, events: plan.events, wakeAtMs: plan.wakeAtMs, stopping: stop !== undefined, status };
}

function planRun(plan: Plan, view: PodView): void {
  const { volumes } = plan.observed;
  if (volumes.kind === "unmounted" || (volumes.kind === "failed" && plan.nowMs >= volumes.retryAtMs)) plan.act({ kind: "mountVolumes" });
  if (volumes.kind === "failed" && plan.nowMs < volumes.retryAtMs) plan.wakeAt(volumes.retryAtMs);
  if (volumes.kind !== "mounted") return;
  const sandbox = livingSandbox(plan, view);
  if (sandbox === undefined) return;
  if (sandbox.state === "created" && !isSandboxWaiting(plan)) plan.act({ kind: "startSandbox", id: sandbox.id });
  planContainers(plan, view, sandbox);
}

/**
 * The current sandbox, or undefined when one has to be made first. Containers of a lost sandbox live on in a network namespace without an
 * interface and cannot be moved: they are stopped, and all start again in the new one, init containers included.
 */
function livingSandbox(plan: Plan, view: PodView): SandboxInstance | undefined {
  const known = plan.facts.sandbox;
  const current = view.sandbox !== undefined && view.sandbox.state !== "exited" && view.sandbox.attempt === known?.attempt ? view.sandbox : undefined;
  const strays = plan.observed.instances.filter((instance) => instance.state.kind === "running" && instance.sandboxAttempt !== current?.attempt);
  if (strays.length > 0) plan.event({ type: "Normal", reason: "SandboxChanged", message: "Pod sandbox changed, it will be killed and re-created.", onceKey: `sandbox-changed/${known?.attempt ?? 0}` });
  for (const stray of strays) stopInstance(plan, stray, plan.gracePeriodSeconds, `Stopping container ${stray.container}`);
  if (strays.length > 0) return undefined;
  if (current !== undefined) return current;
  if (plan.isBusy("sandbox") || isSandboxWaiting(plan)) return undefined;
  const attempt = known === undefined ? 0 : known.seen ? known.attempt + 1 : known.attempt;
  if (known?.attempt !== attempt) plan.setFacts({ ...plan.facts, sandbox: { attempt, seen: false } });
  plan.act({ kind: "createSandbox", attempt });
  return undefined;
}

function isSandboxWaiting(plan: Plan): boolean {
  const problem = plan.observed.problems.get(sandboxProblemKey);
  if (problem === undefined || plan.nowMs >= problem.retryAtMs) return false;
  plan.wakeAt(problem.retryAtMs);
  return true;
}

/** Keeps per container the newest attempt and the one before it (logs --previous); removes older ones, and sandboxes that were replaced. */
function planGarbage(plan: Plan): void {
  const byContainer = Map.groupBy(plan.observed.instances, (instance) => instance.container);
  for (const instances of byContainer.values()) {
    newestFirst(instances).forEach((instance, index) => {
      if (instance.state.kind !== "running" && (index > 1 || (index === 1 && instance.state.kind === "created"))) plan.act({ kind: "removeContainer", id: instance.id });
    });
  }
  const inUse = new Set(plan.observed.instances.filter((instance) => instance.state.kind === "running").map((instance) => instance.sandboxAttempt));
  for (const sandbox of newestFirst(plan.observed.sandboxes).slice(1)) {
    if (!inUse.has(sandbox.attempt)) plan.act({ kind: "removeSandbox", id: sandbox.id });
  }
}
