// pure
import { carriedOver } from "./absorb.ts";
import { runKey } from "./actions.ts";
import { nextBackoff, restartAtMs } from "./crash-backoff.ts";
import type { ContainerFacts } from "./facts.ts";
import type { Exited, Instance, SandboxInstance } from "./observed.ts";
import type { Plan } from "./plan.ts";
import { stopInstance } from "./stopping.ts";
import { goDuration } from "./time-format.ts";
import { containerHash, isDone, unknownEnd, type ContainerView, type PodView } from "./view.ts";

/** pending: something is still to happen. started: runs, its postStart hook is done and its startup probe has passed. done: never runs again. */
type Progress = "pending" | "started" | "done";

/** Brings the containers of a living sandbox to where the spec wants them, in the order that Kubernetes promises. */
export function planContainers(plan: Plan, view: PodView, sandbox: SandboxInstance): void {
  const inSandbox = (container: ContainerView): boolean => container.newest?.sandboxAttempt === sandbox.attempt;
  const initialized = view.apps.some(inSandbox);
  let blocked = false;
  view.inits.forEach((init, index) => {
    const passed = initialized || view.inits.slice(index + 1).some(inSandbox);
    if (init.role === "init" && passed) return; // completed, even if its container is gone by now
    if (blocked && !inSandbox(init)) return;
    const progress = advance(plan, init, sandbox);
    if (progress !== (init.role === "init" ? "done" : "started")) blocked = true;
  });
  if (blocked && !initialized) return;
  for (const app of view.apps) advance(plan, app, sandbox);
}

function advance(plan: Plan, view: ContainerView, sandbox: SandboxInstance): Progress {
  const { newest } = view;
  if (newest === undefined) return start(plan, view, sandbox);
  switch (newest.state.kind) {
    case "running": return newest.sandboxAttempt === sandbox.attempt ? tend(plan, view, newest) : "pending";
    case "created":
      if (newest.sandboxAttempt !== sandbox.attempt) return start(plan, view, sandbox);
      if (sandbox.state === "running" && !isWaiting(plan, view)) plan.act({ kind: "startContainer", container: view.spec.name, id: newest.id });
      return "pending";
    case "exited": return afterExit(plan, view, newest.state, sandbox);
    default: return newest.state satisfies never;
  }
}

/** Looks after a running container: stop it when it has to be replaced, run its hook, tell whether it has started. */
function tend(plan: Plan, view: ContainerView, instance: Instance): Progress {
  const facts = view.facts ?? { attempt: instance.attempt, seen: true };
  const killing = facts.killing ?? killReason(plan, view, instance);
  if (killing !== undefined) {
    if (facts.killing === undefined) plan.setContainerFacts(view.spec.name, { ...facts, killing });
    stopInstance(plan, instance, killing.graceSeconds, killing.message);
    return "pending";
  }
  if (view.spec.lifecycle?.postStart !== undefined && facts.postStart !== "done") {
    plan.act({ kind: "postStart", container: view.spec.name, id: instance.id });
    return "pending";
  }
  return view.spec.startupProbe !== undefined && facts.startupPassed !== true ? "pending" : "started";
}

function killReason(plan: Plan, view: ContainerView, instance: Instance): ContainerFacts["killing"] {
  const { spec } = view;
  const grace = plan.gracePeriodSeconds;
  const restarts = view.role === "sidecar" || (plan.pod.spec.restartPolicy ?? "Always") !== "Never" ? ", will be restarted" : "";
  if (instance.specHash !== containerHash(spec)) return { message: `Container ${spec.name} definition changed, will be restarted`, graceSeconds: grace };
  if (view.facts?.postStart === "failed") return { message: "FailedPostStartHook", graceSeconds: grace };
  const probes = plan.observed.probes.get(instance.id);
  if (probes?.startup === "failure") return { message: `Container ${spec.name} failed startup probe${restarts}`, graceSeconds: spec.startupProbe?.terminationGracePeriodSeconds ?? grace };
  if (probes?.liveness === "failure") return { message: `Container ${spec.name} failed liveness probe${restarts}`, graceSeconds: spec.livenessProbe?.terminationGracePeriodSeconds ?? grace };
  return undefined;
}

function afterExit(plan: Plan, view: ContainerView, exited: Exited, sandbox: SandboxInstance): Progress {
  const here = view.newest?.sandboxAttempt === sandbox.attempt;
  if (view.role === "app" && isDone(view, plan.pod)) return "done";
  if (view.role === "init" && exited.exitCode === 0) return here ? "done" : start(plan, view, sandbox);
  if (exited.reason === unknownEnd) return start(plan, view, sandbox);
  const atMs = restartAtMs(view.facts?.backoff, exited.finishedAtMs);
  if (isPlannedRetry(view)) return start(plan, view, sandbox);
  if (atMs <= plan.nowMs) return start(plan, view, sandbox, exited);
  plan.wakeAt(atMs);
  plan.event({ type: "Warning", reason: "BackOff", message: `Back-off restarting failed container ${view.spec.name} in pod ${podFullName(plan)}`, onceKey: `backoff/${view.spec.name}/${view.newest?.attempt ?? 0}` });
  return "pending";
}

/** The next attempt is decided, but its container was never seen: repeat the create, without another step of back-off. */
function isPlannedRetry(view: ContainerView): boolean {
  return view.facts?.seen === false && view.facts.attempt > (view.newest?.attempt ?? -1);
}

function start(plan: Plan, view: ContainerView, sandbox: SandboxInstance, crashed?: Exited): Progress {
  const { name } = view.spec;
  if (plan.isBusy(runKey(name)) || isWaiting(plan, view)) return "pending";
  if (sandbox.state !== "running" && needsPodIp(view)) return "pending";
  const facts = view.facts;
  const again = facts !== undefined && !facts.seen;
  const attempt = facts === undefined ? 0 : again ? facts.attempt : facts.attempt + 1;
  if (!again) {
    const backoff = crashed === undefined ? {} : { backoff: nextBackoff(facts?.backoff, crashed.finishedAtMs, plan.nowMs) };
    plan.setContainerFacts(name, { ...carriedOver(facts), ...backoff, attempt, seen: false });
  }
  plan.act({ kind: "createContainer", container: name, attempt, sandboxId: sandbox.id, sandboxAttempt: sandbox.attempt });
  return "pending";
}

function isWaiting(plan: Plan, view: ContainerView): boolean {
  const problem = plan.observed.problems.get(view.spec.name);
  if (problem === undefined || plan.nowMs >= problem.retryAtMs) return false;
  plan.wakeAt(problem.retryAtMs);
  return true;
}

/** Its environment holds the Pod's address, so it can only be created when the sandbox has one. */
function needsPodIp(view: ContainerView): boolean {
  return (view.spec.env ?? []).some((variable) => /^status\.podIPs?$/.test(variable.valueFrom?.fieldRef?.fieldPath ?? ""));
}

export function podFullName(plan: Plan): string {
  const { name, namespace, uid } = plan.pod.metadata;
  return `${name}_${namespace ?? "default"}(${uid ?? ""})`;
}

/** The kubelet's words of a container that waits in back-off; undefined when it does not. */
export function backoffMessage(plan: Plan, view: ContainerView): string | undefined {
  if (view.newest?.state.kind !== "exited" || view.facts?.backoff === undefined || isPlannedRetry(view)) return undefined;
  if (restartAtMs(view.facts.backoff, view.newest.state.finishedAtMs) <= plan.nowMs) return undefined;
  return `back-off ${goDuration(view.facts.backoff.delayMs)} restarting failed container=${view.spec.name} pod=${podFullName(plan)}`;
}
