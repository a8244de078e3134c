import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, Pod, PodSpec } from "../../../orchestrator/api/types/pod.ts";
import type { Action, Decision } from "../../../orchestrator/agent/pod-lifecycle/actions.ts";
import { decide } from "../../../orchestrator/agent/pod-lifecycle/decide.ts";
import { noFacts, type ContainerFacts, type PodFacts } from "../../../orchestrator/agent/pod-lifecycle/facts.ts";
import type { Instance, InstanceState, Observed } from "../../../orchestrator/agent/pod-lifecycle/observed.ts";
import { containerHash } from "../../../orchestrator/agent/pod-lifecycle/view.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);
const c = (name: string, more: Partial<Container> = {}): Container => ({ name, image: "i", ...more });
const sidecar = (name: string, more: Partial<Container> = {}): Container => c(name, { restartPolicy: "Always", ...more });
const pod = (spec: Partial<PodSpec>, more: Partial<Pod> = {}): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "default", uid: "u1" }, spec: { containers: [c("a")], terminationGracePeriodSeconds: 30, ...spec }, ...more });

const running: InstanceState = { kind: "running", startedAtMs: nowMs - 60_000 };
const created: InstanceState = { kind: "created" };
const exited = (exitCode: number, agoMs = 1000, reason = exitCode === 0 ? "Completed" : "Error"): InstanceState => ({ kind: "exited", exitCode, startedAtMs: nowMs - agoMs - 1000, finishedAtMs: nowMs - agoMs, reason, message: "" });
const at = (container: string, state: InstanceState, attempt = 0, sandboxAttempt = 0): Instance =>
  ({ id: `${container}-${attempt}`, container, attempt, sandboxAttempt, specHash: containerHash(c(container)), image: "i", imageId: "sha256:1", state });
const sandbox = (state: "created" | "running" | "exited" = "running", attempt = 0) => ({ id: `sb-${attempt}`, attempt, state, ip: state === "running" ? "10.0.0.2" : undefined });
const facts = (containers: Record<string, ContainerFacts>, more: Partial<PodFacts> = {}): PodFacts => ({ ...noFacts, sandbox: { attempt: 0, seen: true }, containers, ...more });
const observed = (o: Partial<Observed>): Observed => ({ sandboxes: [], instances: [], facts: noFacts, probes: new Map(), problems: new Map(), busy: new Set(), volumes: { kind: "mounted" }, eviction: undefined, ...o });

const words = (action: Action): string => {
  switch (action.kind) {
    case "createContainer": return `create ${action.container}-${action.attempt}`;
    case "startContainer": return `start ${action.id}`;
    case "stopContainer": return `stop ${action.id} ${action.graceSeconds}s${action.preStop ? " preStop" : ""}`;
    case "postStart": return `postStart ${action.id}`;
    case "createSandbox": return `sandbox ${action.attempt}`;
    case "startSandbox": return `start ${action.id}`;
    case "stopSandbox": return `stop ${action.id}`;
    case "removeSandbox":
    case "removeContainer": return `remove ${action.id}`;
    default: return action.kind;
  }
};

const step = (name: string, spec: Partial<PodSpec>, seen: Partial<Observed>, expected: readonly string[], more: Partial<Pod> = {}): void => {
  test(name, () => assert.deepEqual(decide(pod(spec, more), observed(seen), nowMs).actions.map(words), expected));
};
const living = (instances: readonly Instance[], more: Partial<Observed> = {}): Partial<Observed> => ({ sandboxes: [sandbox()], facts: facts({}), instances, ...more });

// ── Start ──
step("volumes come first", {}, { volumes: { kind: "unmounted" } }, ["mountVolumes"]);
step("volumes that failed are tried again when their time has come", {}, { volumes: { kind: "failed", message: "no", retryAtMs: nowMs } }, ["mountVolumes"]);
step("volumes that failed wait", {}, { volumes: { kind: "failed", message: "no", retryAtMs: nowMs + 1 } }, []);
step("then the sandbox", {}, {}, ["sandbox 0"]);
step("a sandbox whose create may have been lost is created under the same number", {}, { facts: { ...noFacts, sandbox: { attempt: 2, seen: false } } }, ["sandbox 2"]);
step("containers are created while the sandbox starts", { containers: [c("a"), c("b")] }, { sandboxes: [sandbox("created")] }, ["start sb-0", "create a-0", "create b-0"]);
step("a container that wants the Pod's address waits for it", { containers: [c("a", { env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }] })] }, { sandboxes: [sandbox("created")] }, ["start sb-0"]);
step("no container starts before the sandbox runs", {}, { sandboxes: [sandbox("created")], instances: [at("a", created)] }, ["start sb-0"]);
step("all containers start together", { containers: [c("a"), c("b")] }, living([at("a", created), at("b", created)]), ["start a-0", "start b-0"]);
step("nothing is asked for twice", { containers: [c("a"), c("b")] }, living([at("a", created), at("b", created)], { busy: new Set(["run/a"]) }), ["start b-0"]);
step("a create that may have been lost keeps its number", {}, living([], { facts: facts({ a: { attempt: 3, seen: false } }) }), ["create a-3"]);
step("a container with a problem waits", {}, living([], { problems: new Map([["a", { reason: "ErrImagePull", message: "", retryAtMs: nowMs + 1000 }]]) }), []);
step("a running Pod needs nothing", {}, living([at("a", running)]), []);
step("postStart runs once the container does", { containers: [c("a", { lifecycle: { postStart: { exec: { command: ["x"] } } } })] }, living([at("a", running)]), ["postStart a-0"]);
step("postStart is not run again", { containers: [c("a", { lifecycle: { postStart: { exec: { command: ["x"] } } } })] }, living([at("a", running)], { facts: facts({ a: { attempt: 0, seen: true, postStart: "done" } }) }), []);
step("a failed postStart kills", { containers: [c("a", { lifecycle: { postStart: { exec: { command: ["x"] } } } })] }, living([at("a", running)], { facts: facts({ a: { attempt: 0, seen: true, postStart: "failed" } }) }), ["stop a-0 30s"]);

// ── Init containers and sidecars ──
const inits: Partial<PodSpec> = { initContainers: [c("i1"), c("i2")] };
step("the first init container alone", inits, living([]), ["create i1-0"]);
step("the next waits for the end of the one before", inits, living([at("i1", running)]), []);
step("the next follows a success", inits, living([at("i1", exited(0))]), ["create i2-0"]);
step("a failed init container is started again", inits, living([at("i1", exited(1))]), ["create i1-1"]);
step("a failed init container of a Pod that never restarts ends the Pod", { ...inits, restartPolicy: "Never" }, living([at("i1", exited(1))]), ["stop sb-0"]);
step("containers follow the last init container", inits, living([at("i1", exited(0)), at("i2", exited(0))]), ["create a-0"]);
step("init containers that are gone are not run again when a later one has been", inits, living([at("i2", exited(0))]), ["create a-0"]);
step("an init container whose end is remembered is not run again", { initContainers: [c("i1")] }, living([], { facts: facts({ i1: { attempt: 0, seen: true, ended: { kind: "exited", attempt: 0, sandboxAttempt: 0, containerId: "x", imageId: "", exitCode: 0, startedAtMs: 1, finishedAtMs: 2, reason: "Completed", message: "" } } }) }), ["create a-0"]);
const startupProbe = { exec: { command: ["x"] } };
step("what follows a sidecar waits for its startup probe", { initContainers: [sidecar("s", { startupProbe })] }, living([at("s", running)]), []);
step("what follows a sidecar starts when its startup probe has passed", { initContainers: [sidecar("s", { startupProbe })] }, living([at("s", running)], { probes: new Map([["s-0", { startup: "success" }]]) }), ["create a-0"]);
step("a passed startup probe is remembered", { initContainers: [sidecar("s", { startupProbe })] }, living([at("s", running)], { facts: facts({ s: { attempt: 0, seen: true, startupPassed: true } }) }), ["create a-0"]);
step("a sidecar without startup probe has started when it runs", { initContainers: [sidecar("s"), c("i")] }, living([at("s", running)]), ["create i-0"]);
step("a sidecar that ends well is started again, in any Pod", { initContainers: [sidecar("s")], restartPolicy: "Never" }, living([at("s", exited(0)), at("a", running)]), ["create s-1"]);
step("a sidecar that ends while a later init container runs is started again", { initContainers: [sidecar("s"), c("i")] }, living([at("s", exited(1)), at("i", running)]), ["create s-1"]);
step("sidecars stop when the containers of the Pod are done", { initContainers: [sidecar("s")], restartPolicy: "Never" }, living([at("s", running), at("a", exited(0))]), ["stop s-0 30s"]);
step("the sandbox stops last", { initContainers: [sidecar("s")], restartPolicy: "Never" }, living([at("s", exited(143)), at("a", exited(0))]), ["stop sb-0"]);

// ── Restarts ──
step("a container that ended is started again", {}, living([at("a", exited(0))]), ["create a-1"]);
step("OnFailure does not restart a success", { restartPolicy: "OnFailure", containers: [c("a"), c("b")] }, living([at("a", exited(0)), at("b", running)]), []);
step("OnFailure restarts a failure", { restartPolicy: "OnFailure", containers: [c("a"), c("b")] }, living([at("a", exited(2)), at("b", running)]), ["create a-1"]);
step("Never restarts nothing", { restartPolicy: "Never", containers: [c("a"), c("b")] }, living([at("a", exited(2)), at("b", running)]), []);
step("a container in back-off waits", {}, living([at("a", exited(1, 5000), 1)], { facts: facts({ a: { attempt: 1, seen: true, backoff: { delayMs: 10_000, lastUpdateMs: nowMs - 6000 } } }) }), []);
step("a container whose back-off is over starts", {}, living([at("a", exited(1, 10_000), 1)], { facts: facts({ a: { attempt: 1, seen: true, backoff: { delayMs: 10_000, lastUpdateMs: nowMs - 12_000 } } }) }), ["create a-2"]);
step("only the newest two attempts are kept", {}, living([at("a", exited(1), 0), at("a", exited(1), 1), at("a", running, 2)]), ["remove a-0"]);
step("a container that vanished is started as the next attempt", {}, living([], { facts: facts({ a: { attempt: 4, seen: true } }) }), ["create a-5"]);
step("a container that vanished is started again even in a Pod that never restarts", { restartPolicy: "Never" }, living([], { facts: facts({ a: { attempt: 0, seen: true } }) }), ["create a-1"]);
step("a failed liveness probe stops with the probe's own grace", { containers: [c("a", { livenessProbe: { exec: {}, terminationGracePeriodSeconds: 3 } })] }, living([at("a", running)], { probes: new Map([["a-0", { liveness: "failure" }]]) }), ["stop a-0 3s"]);
step("a kill that was decided goes on after the agent's death", {}, living([at("a", running)], { facts: facts({ a: { attempt: 0, seen: true, killing: { message: "m", graceSeconds: 7 } } }) }), ["stop a-0 7s"]);
step("another image replaces the container", { containers: [c("a", { image: "other" })] }, living([at("a", running)]), ["stop a-0 30s"]);

// ── Sandbox loss ──
const lost: Partial<Observed> = { sandboxes: [sandbox("exited")], facts: facts({}) };
step("containers of a dead sandbox are stopped first", { containers: [c("a"), c("b")] }, { ...lost, instances: [at("a", running), at("b", exited(137))] }, ["stop a-0 30s"]);
step("then a new sandbox is made", {}, { ...lost, instances: [at("a", exited(137))] }, ["sandbox 1"]);
step("a sandbox removed by hand is replaced", {}, { facts: facts({}), instances: [at("a", exited(137))] }, ["sandbox 1"]);
step("in the new sandbox init containers run again", { initContainers: [c("i")] }, { sandboxes: [sandbox("exited"), sandbox("running", 1)], facts: facts({}, { sandbox: { attempt: 1, seen: true } }), instances: [at("i", exited(0)), at("a", exited(137))] }, ["create i-1", "remove sb-0"]);
step("in the new sandbox all containers start again", {}, { sandboxes: [sandbox("exited"), sandbox("running", 1)], facts: facts({}, { sandbox: { attempt: 1, seen: true } }), instances: [at("a", exited(137))] }, ["create a-1", "remove sb-0"]);

// ── The end ──
const deleted = (seconds: number): Partial<Pod> => ({ metadata: { name: "web", namespace: "default", uid: "u1", deletionTimestamp: "2026-01-01T12:00:30Z", deletionGracePeriodSeconds: seconds } });
const whole = [at("s1", running), at("s2", running), at("a", running), at("b", running)];
const wholeSpec: Partial<PodSpec> = { initContainers: [sidecar("s1"), sidecar("s2")], containers: [c("a", { lifecycle: { preStop: { exec: {} } } }), c("b")] };
step("a deleted Pod's containers stop together, before the sidecars", wholeSpec, living(whole), ["stop a-0 30s preStop", "stop b-0 30s"], deleted(30));
step("a hook that ran before the agent's death is not run again", wholeSpec, living(whole, { facts: facts({ a: { attempt: 0, seen: true, preStop: "done" } }) }), ["stop a-0 30s", "stop b-0 30s"], deleted(30));
step("the last sidecar stops first", wholeSpec, living([...whole.slice(0, 2), at("a", exited(0)), at("b", exited(0))]), ["stop s2-0 30s"], deleted(30));
step("then the one before it", wholeSpec, living([at("s1", running), at("s2", exited(0)), at("a", exited(0)), at("b", exited(0))]), ["stop s1-0 30s"], deleted(30));
const ending = (deadlineMs: number, graceSeconds = 30): Partial<PodFacts> => ({ stop: { cause: "deleted", message: "", graceSeconds, deadlineMs } });
step("they share one grace period", wholeSpec, living([at("s1", running)], { facts: facts({}, ending(nowMs + 4000)) }), ["stop s1-0 4s"], deleted(30));
step("a sidecar gets two seconds when it is used up", wholeSpec, living([at("s1", running)], { facts: facts({}, ending(nowMs - 4000)) }), ["stop s1-0 2s"], deleted(30));
step("a shorter delete shortens it", wholeSpec, living([at("s1", running)], { facts: facts({}, ending(nowMs + 20_000)) }), ["stop s1-0 5s"], deleted(5));
step("in the end everything is removed", wholeSpec, living([at("s1", exited(0)), at("a", exited(0))]), ["tearDown"], deleted(30));
step("but not while a step is in flight", wholeSpec, living([at("a", exited(0))], { busy: new Set(["run/b"]) }), [], deleted(30));
step("a Pod past its deadline stops", { activeDeadlineSeconds: 10 }, living([at("a", running)]), ["stop a-0 30s"], { status: { startTime: "2026-01-01T11:59:50Z" } });
step("an evicted Pod stops", {}, living([at("a", running)], { eviction: "too big" }), ["stop a-0 30s"]);
step("a Pod that has failed stays so", {}, living([at("a", exited(1))]), ["stop sb-0"], { status: { phase: "Failed" } });

// ── Status ──
const decided = (spec: Partial<PodSpec>, seen: Partial<Observed>, more: Partial<Pod> = {}): Decision => decide(pod(spec, more), observed(seen), nowMs);
const phase = (name: string, spec: Partial<PodSpec>, seen: Partial<Observed>, expected: string, more: Partial<Pod> = {}): void => {
  test(`phase: ${name}`, () => assert.equal(decided(spec, seen, more).status.phase, expected));
};
phase("nothing yet", {}, {}, "Pending");
phase("init containers run", inits, living([at("i1", running)]), "Pending");
phase("one of two runs", { containers: [c("a"), c("b")] }, living([at("a", running)]), "Pending");
phase("all run", {}, living([at("a", running)]), "Running");
phase("a restart is waited for", {}, living([at("a", exited(1))]), "Running");
phase("all succeeded", { restartPolicy: "Never" }, living([at("a", exited(0))]), "Succeeded");
phase("one failed", { restartPolicy: "Never", containers: [c("a"), c("b")] }, living([at("a", exited(0)), at("b", exited(1))]), "Failed");
phase("one failed, one runs", { restartPolicy: "Never", containers: [c("a"), c("b")] }, living([at("a", exited(1)), at("b", running)]), "Running");
phase("done, but a sidecar runs", { restartPolicy: "Never", initContainers: [sidecar("s")] }, living([at("s", running), at("a", exited(0))]), "Running");
phase("an init container failed for good", { ...inits, restartPolicy: "Never" }, living([at("i1", exited(1))]), "Failed");
phase("evicted", {}, living([at("a", running)], { eviction: "too big" }), "Failed");
phase("a crashing sidecar does not hide that the rest runs", { initContainers: [sidecar("s")] }, living([at("s", exited(1)), at("a", running)]), "Running");

const waiting = (name: string, spec: Partial<PodSpec>, seen: Partial<Observed>, container: string, expected: object): void => {
  test(`state: ${name}`, () => {
    const { status } = decided(spec, seen);
    const found = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].find((candidate) => candidate.name === container);
    assert.deepEqual(found?.state, expected);
  });
};
waiting("no sandbox", {}, {}, "a", { waiting: { reason: "ContainerCreating" } });
waiting("init containers first", inits, living([]), "a", { waiting: { reason: "PodInitializing" } });
waiting("a problem", {}, living([], { problems: new Map([["a", { reason: "ErrImagePull", message: "no such host", retryAtMs: nowMs + 1 }]]) }), "a", { waiting: { reason: "ErrImagePull", message: "no such host" } });
waiting("back-off", {}, living([at("a", exited(1, 5000), 3)], { facts: facts({ a: { attempt: 3, seen: true, backoff: { delayMs: 80_000, lastUpdateMs: nowMs - 6000 } } }) }), "a", { waiting: { reason: "CrashLoopBackOff", message: "back-off 1m20s restarting failed container=a pod=web_default(u1)" } });
waiting("a hook runs", { containers: [c("a", { lifecycle: { postStart: { exec: {} } } })] }, living([at("a", running)]), "a", { waiting: { reason: "ContainerCreating" } });
waiting("runs", {}, living([at("a", running)]), "a", { running: { startedAt: "2026-01-01T11:59:00Z" } });
waiting("a start that has just failed", {}, living([at("a", created)], { facts: facts({ a: { attempt: 0, seen: true, startFailure: { message: "exec: no", atMs: nowMs - 10 } } }), problems: new Map() }), "a", { waiting: { reason: "RunContainerError", message: "exec: no" } });

const condition = (name: string, type: string, spec: Partial<PodSpec>, seen: Partial<Observed>, expected: readonly [string, string?, string?]): void => {
  test(`condition ${type}: ${name}`, () => {
    const found = decided(spec, seen).status.conditions?.find((candidate) => candidate.type === type);
    assert.deepEqual([found?.status, found?.reason, found?.message], [expected[0], expected[1], expected[2]]);
  });
};
condition("no sandbox", "PodReadyToStartContainers", {}, {}, ["False"]);
condition("a sandbox", "PodReadyToStartContainers", {}, living([]), ["True"]);
condition("init containers to go", "Initialized", inits, living([at("i1", exited(0))]), ["False", "ContainersNotInitialized", "containers with incomplete status: [i2]"]);
condition("a sidecar that has not started", "Initialized", { initContainers: [sidecar("s", { startupProbe })] }, living([at("s", running)]), ["False", "ContainersNotInitialized", "containers with incomplete status: [s]"]);
condition("done", "Initialized", inits, living([at("i1", exited(0)), at("i2", exited(0)), at("a", running)]), ["True"]);
condition("all run", "Ready", {}, living([at("a", running)]), ["True"]);
condition("one is not ready", "Ready", { containers: [c("a"), c("b", { readinessProbe: { exec: {} } })] }, living([at("a", running), at("b", running)]), ["False", "ContainersNotReady", "containers with unready status: [b]"]);
condition("a sidecar counts", "ContainersReady", { initContainers: [sidecar("s", { readinessProbe: { exec: {} } })] }, living([at("s", running), at("a", running)]), ["False", "ContainersNotReady", "containers with unready status: [s]"]);
condition("completed", "Ready", { restartPolicy: "Never" }, living([at("a", exited(0))]), ["False", "PodCompleted"]);

test("a readiness that the API knows of the same container holds until the first probe of a new agent", () => {
  const spec: Partial<PodSpec> = { containers: [c("a", { readinessProbe: { exec: {} } })] };
  const status = { containerStatuses: [{ name: "a", ready: true, restartCount: 0, image: "i", imageID: "", containerID: "docker://a-0" }] };
  assert.equal(decided(spec, living([at("a", running)]), { status }).status.containerStatuses?.[0]?.ready, true);
  assert.equal(decided(spec, living([at("a", running, 1)]), { status }).status.containerStatuses?.[0]?.ready, false, "another container");
  assert.equal(decided(spec, living([at("a", running)], { probes: new Map([["a-0", { readiness: "failure" }]]) }), { status }).status.containerStatuses?.[0]?.ready, false, "a probe of our own");
});

test("the back-off doubles to five minutes, and is forgotten after ten minutes of good running", () => {
  let known = facts({});
  const delays: number[] = [];
  for (let attempt = 0; attempt < 8; attempt++) {
    const seen = living([at("a", exited(1, 400_000), attempt)], { facts: known });
    known = decide(pod({}), observed(seen), nowMs + 1).facts;
    delays.push((known.containers["a"]?.backoff?.delayMs ?? 0) / 1000);
  }
  assert.deepEqual(delays, [10, 20, 40, 80, 160, 300, 300, 300]);
  const late = { ...known, containers: { a: { attempt: 8, seen: true, backoff: { delayMs: 300_000, lastUpdateMs: nowMs - 1_300_000 } } } };
  assert.equal(decide(pod({}), observed(living([at("a", exited(1, 1000), 8)], { facts: late })), nowMs).facts.containers["a"]?.backoff?.delayMs, 10_000);
});

test("a sandbox loss is told once per sandbox, and a wait in back-off once per attempt", () => {
  const { events } = decided({}, { ...lost, instances: [at("a", running)] });
  assert.deepEqual(events, [{ type: "Normal", reason: "SandboxChanged", message: "Pod sandbox changed, it will be killed and re-created.", onceKey: "sandbox-changed/0" }]);
});

test("a waiting Pod asks to be looked at again exactly when its back-off is over", () => {
  const seen = living([at("a", exited(1, 4000), 1)], { facts: facts({ a: { attempt: 1, seen: true, backoff: { delayMs: 10_000, lastUpdateMs: nowMs - 5000 } } }) });
  assert.equal(decided({}, seen).wakeAtMs, nowMs + 6000);
});

test("a Pod past its deadline is told once, in the kubelet's words", () => {
  const status = { startTime: new Date(nowMs - 60_000).toISOString() };
  const seen = living([at("a", running)]);
  const { events, facts: next } = decide(pod({ activeDeadlineSeconds: 60 }, { status }), observed(seen), nowMs);
  assert.deepEqual(events, [{ type: "Normal", reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline", onceKey: "deadline" }]);
  assert.deepEqual(decide(pod({ activeDeadlineSeconds: 60 }, { status }), observed({ ...seen, facts: next }), nowMs + 1).events, []);
  assert.deepEqual(decide(pod({ activeDeadlineSeconds: 61 }, { status }), observed(seen), nowMs).events, []);
});
