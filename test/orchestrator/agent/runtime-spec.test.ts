import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { PodSpec } from "../../../orchestrator/api/types/pod.ts";
import { label, type ContainerSpec, type SandboxSpec } from "../../../orchestrator/runtime/runtime.ts";
import { isReady, runningContainers, simulate, type Simulation } from "./support.ts";

const image = "podkit/busybox:test";
const profileFile = (s: Simulation, name: string): string => join(s.stateDirectory, "seccomp", name);

/** What the agent asks of the engine for the container "app", and for its sandbox. */
function asked(s: Simulation): { readonly app: ContainerSpec; readonly sandbox: SandboxSpec } {
  const specs = s.runtime.runningNames().map((name) => s.runtime.spec(name));
  const app = specs.find((spec): spec is ContainerSpec => spec.labels[label.container] === "app");
  const sandbox = specs.find((spec): spec is SandboxSpec => spec.labels[label.kind] === "sandbox");
  assert.ok(app !== undefined && sandbox !== undefined);
  return { app, sandbox };
}

const check = (name: string, spec: Partial<PodSpec>, look: (specs: ReturnType<typeof asked>, s: Simulation) => void, prepare: (s: Simulation) => void = () => undefined): void => {
  test(name, async () => {
    const s = await simulate();
    prepare(s);
    s.agent();
    await s.create({ containers: [{ name: "app", image }], ...spec });
    await s.until("the Pod is ready", async () => isReady(await s.get()));
    look(asked(s), s);
    await s.end();
  });
};
const withProfile = (seccompProfile: { readonly type: "Unconfined" | "Localhost" | "RuntimeDefault"; readonly localhostProfile?: string }, own = true): Partial<PodSpec> =>
  own ? { containers: [{ name: "app", image, securityContext: { seccompProfile } }] } : { securityContext: { seccompProfile } };

check("shareProcessNamespace puts the containers into the sandbox's process namespace", { shareProcessNamespace: true }, ({ app }) => assert.equal(app.pidNamespace, "sandbox"));
check("without shareProcessNamespace each container has a process namespace of its own", {}, ({ app }) => assert.equal(app.pidNamespace, "container"));
check("hostPID gives the node's process namespace", { hostPID: true }, ({ app, sandbox }) => assert.deepEqual([app.pidNamespace, sandbox.hostPid], ["host", true]));

check("a hostIP binds the port on that address alone, and no hostIP on all",
  { containers: [{ name: "app", image, ports: [{ containerPort: 80, hostPort: 8080, hostIP: "127.0.0.1" }, { containerPort: 53, hostPort: 5353, protocol: "UDP" }, { containerPort: 9 }] }] },
  ({ sandbox }) => assert.deepEqual(sandbox.ports, [{ containerPort: 80, hostPort: 8080, hostIp: "127.0.0.1", protocol: "TCP" }, { containerPort: 53, hostPort: 5353, hostIp: "", protocol: "UDP" }]));

check("seccomp Unconfined of the container", withProfile({ type: "Unconfined" }), ({ app }) => assert.deepEqual(app.seccomp, { kind: "unconfined" }));
check("seccomp Unconfined of the Pod", withProfile({ type: "Unconfined" }, false), ({ app }) => assert.deepEqual(app.seccomp, { kind: "unconfined" }));
check("a container's seccomp profile goes before the Pod's", { ...withProfile({ type: "Unconfined" }, false), ...withProfile({ type: "RuntimeDefault" }) }, ({ app }) => assert.deepEqual(app.seccomp, { kind: "runtimeDefault" }));
check("seccomp Localhost is the file of the cluster's folder", withProfile({ type: "Localhost", localhostProfile: "web/a.json" }), ({ app }) => assert.deepEqual(app.seccomp, { kind: "profile", json: '{"defaultAction":"SCMP_ACT_ALLOW"}' }), (s) => {
  mkdirSync(join(s.stateDirectory, "seccomp/web"), { recursive: true });
  writeFileSync(profileFile(s, "web/a.json"), '{"defaultAction":"SCMP_ACT_ALLOW"}');
});

test("a seccomp profile that is not there is told with its path and the remedy, and the container starts when it is", async () => {
  const s = await simulate();
  s.agent();
  await s.create({ containers: [{ name: "app", image }], ...withProfile({ type: "Localhost", localhostProfile: "a.json" }) });
  const waiting = async () => (await s.get())?.status?.containerStatuses?.[0]?.state?.waiting;
  await s.until("it is told", async () => (await waiting())?.reason === "CreateContainerConfigError");
  const message = (await waiting())?.message ?? "";
  assert.ok(message.startsWith(`cannot read seccomp profile ${profileFile(s, "a.json")}: ENOENT`), message);
  assert.ok(message.endsWith("put the profile there, or name another in seccompProfile.localhostProfile"), message);
  mkdirSync(join(s.stateDirectory, "seccomp"));
  writeFileSync(profileFile(s, "a.json"), "{}");
  await s.until("the Pod is ready", async () => isReady(await s.get()));
  await s.end();
});

check("subPathExpr is expanded with the container's variables", {
  volumes: [{ name: "disk", emptyDir: {} }],
  containers: [{ name: "app", image, env: [{ name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }], volumeMounts: [{ name: "disk", mountPath: "/log", subPathExpr: "logs/$(NAME)" }] }],
}, ({ app }) => {
  const mount = app.mounts.find(({ target }) => target === "/log");
  assert.ok(mount?.kind === "bind" && mount.source.endsWith("/volumes/disk/logs/web"), JSON.stringify(mount));
  assert.equal(statSync(mount.source).mode & 0o777, 0o777);
});

test("a subPathExpr with a variable that the container does not have is told", async () => {
  const s = await simulate();
  s.agent();
  await s.create({ volumes: [{ name: "disk", emptyDir: {} }], containers: [{ name: "app", image, volumeMounts: [{ name: "disk", mountPath: "/log", subPathExpr: "$(NAME)" }] }] });
  await s.until("it is told", async () => (await s.get())?.status?.containerStatuses?.[0]?.state?.waiting?.message === 'cannot expand subPathExpr "$(NAME)": there is no variable NAME');
  await s.end();
});

const host = mkdtempSync(join(tmpdir(), "podkit-propagation-"));
test.after(() => rmSync(host, { recursive: true }));
check("mountPropagation reaches the mounts in the kernel's words", {
  volumes: [{ name: "host", hostPath: { path: host } }],
  containers: [{
    name: "app", image, securityContext: { privileged: true },
    volumeMounts: [{ name: "host", mountPath: "/both", mountPropagation: "Bidirectional" }, { name: "host", mountPath: "/in", mountPropagation: "HostToContainer" }, { name: "host", mountPath: "/none", mountPropagation: "None" }, { name: "host", mountPath: "/default" }],
  }],
}, ({ app }) => {
  const found = app.mounts.flatMap((mount) => (mount.kind === "bind" && mount.source === host ? [[mount.target, mount.propagation]] : []));
  assert.deepEqual(found, [["/both", "rshared"], ["/in", "rslave"], ["/none", "rprivate"], ["/default", "rprivate"]]);
});

check("the termination log lies where terminationMessagePath says", { containers: [{ name: "app", image, terminationMessagePath: "/run/last-words" }] }, ({ app }) => {
  assert.deepEqual(app.mounts.flatMap((mount) => (mount.kind === "bind" && mount.source.endsWith(".termination") ? [mount.target] : [])), ["/run/last-words"]);
});

test("a postStart sleep keeps the container waiting for its seconds, and a preStop sleep delays its stop", async () => {
  const s = await simulate();
  s.agent();
  await s.create({ containers: [{ name: "app", image, lifecycle: { postStart: { sleep: { seconds: 5 } }, preStop: { sleep: { seconds: 7 } } } }] });
  await s.until("the process runs", () => runningContainers(s.runtime).includes("app"));
  const startedMs = s.clock.nowMs();
  await s.until("the Pod is ready", async () => isReady(await s.get()));
  const startSeconds = (s.clock.nowMs() - startedMs) / 1000;
  assert.ok(startSeconds >= 4.5 && startSeconds < 30, `ready after ${startSeconds} s`);
  const { pods } = await import("../../../orchestrator/api/types/kinds.ts");
  await s.client.delete(pods, { namespace: "default", name: "web" });
  const deletedMs = s.clock.nowMs();
  await s.until("the Pod is gone", async () => (await s.get()) === undefined);
  const stopSeconds = (s.clock.nowMs() - deletedMs) / 1000;
  assert.ok(stopSeconds >= 6.5 && stopSeconds < 30, `gone after ${stopSeconds} s`);
  await s.end();
});
