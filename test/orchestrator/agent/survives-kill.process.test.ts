import assert from "node:assert/strict";
import { test } from "node:test";
import { pods } from "../../../orchestrator/api/types/kinds.ts";
import type { PodSpec } from "../../../orchestrator/api/types/pod.ts";
import { label, type ContainerSpec } from "../../../orchestrator/runtime/runtime.ts";
import { killable } from "./killable-runtime.ts";
import { filesAtRest, isReady, runningContainers, simulate, startsByContainer, type Simulation } from "./support.ts";

const image = "podkit/busybox:test";
const spec: PodSpec = {
  terminationGracePeriodSeconds: 5,
  volumes: [{ name: "disk", emptyDir: {} }, { name: "memory", emptyDir: { medium: "Memory" } }],
  initContainers: [
    { name: "prepare", image, volumeMounts: [{ name: "disk", mountPath: "/disk" }] },
    { name: "proxy", image, restartPolicy: "Always", startupProbe: { exec: { command: ["up"] }, periodSeconds: 1 } },
    { name: "migrate", image },
  ],
  containers: [
    { name: "a", image, lifecycle: { postStart: { exec: { command: ["hook"] } }, preStop: { exec: { command: ["goodbye"] } } }, volumeMounts: [{ name: "memory", mountPath: "/memory" }] },
    { name: "b", image, readinessProbe: { exec: { command: ["ready"] }, periodSeconds: 1 } },
  ],
};
const inits = new Set(["prepare", "migrate"]);
const behaviour = (container: ContainerSpec) => ({
  ...(inits.has(container.labels[label.container] ?? "") ? { exitAfterMs: 300 } : {}),
  exec: () => ({ exitCode: 0 }),
});

async function untilReady(s: Simulation): Promise<void> {
  await s.until("the Pod is ready", async () => isReady(await s.get()), 120_000);
}

/** After the kill: the dead agent's own file operations end, as none of a dead process would go on; then a new agent takes over. */
async function succeed(s: Simulation): Promise<void> {
  await filesAtRest();
  s.agent();
}

async function countCalls(run: (s: Simulation, killed: () => boolean) => Promise<void>, stage: "start" | "stop"): Promise<number> {
  const s = await simulate(behaviour);
  const counted = killable(s.runtime, { atCall: -1, when: "before", onKill: () => undefined });
  s.agent(counted.runtime);
  await s.create(spec);
  await untilReady(s);
  const started = counted.calls();
  if (stage === "start") return await finish(s, started);
  await run(s, () => false);
  return await finish(s, counted.calls() - started);
}

async function finish(s: Simulation, calls: number): Promise<number> {
  await s.end();
  return calls;
}

test("an agent killed before or after any engine call of a Pod's start is followed by one that starts no container twice", async (t) => {
  const calls = await countCalls(async () => undefined, "start");
  assert.ok(calls >= 15, `Expected a start to take many engine calls, counted ${calls}`);
  for (let atCall = 1; atCall <= calls; atCall++) {
    for (const when of ["before", "after"] as const) {
      await t.test(`killed ${when} call ${atCall}`, async () => {
        const s = await simulate(behaviour);
        let killed = false;
        let drop = (): void => undefined;
        const dying = killable(s.runtime, { atCall, when, onKill: () => { killed = true; drop(); } });
        drop = s.agent(dying.runtime).drop;
        await s.create(spec);
        await s.until("the kill", async () => killed || isReady(await s.get()), 120_000);
        await succeed(s);
        await untilReady(s);
        assert.deepEqual(runningContainers(s.runtime).toSorted(), ["a", "b", "proxy"]);
        assert.equal(s.runtime.runningNames().length, 4, "three containers and one sandbox run");
        for (const [name, count] of Object.entries(startsByContainer(s.runtime))) {
          assert.equal(count, 1, `${name} was started ${count} times`);
          assert.match(name, /-0$/, `${name} is a second attempt`);
        }
        const status = (await s.get())?.status;
        for (const container of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) assert.equal(container.restartCount, 0, container.name);
        await s.end();
      });
    }
  }
});

test("an agent killed before or after any engine call of a Pod's stop is followed by one that removes everything", async (t) => {
  const remove = async (s: Simulation, killed: () => boolean): Promise<void> => {
    await s.client.delete(pods, { namespace: "default", name: "web" });
    await s.until("the Pod is gone", async () => killed() || (await s.get()) === undefined);
  };
  const calls = await countCalls(remove, "stop");
  assert.ok(calls >= 8, `Expected a stop to take many engine calls, counted ${calls}`);
  for (let atCall = 1; atCall <= calls; atCall++) {
    for (const when of ["before", "after"] as const) {
      await t.test(`killed ${when} call ${atCall}`, async () => {
        const s = await simulate(behaviour);
        const first = s.agent();
        await s.create(spec);
        await untilReady(s);
        await first.stop();
        let killed = false;
        let drop = (): void => undefined;
        const dying = killable(s.runtime, { atCall, when, onKill: () => { killed = true; drop(); } });
        drop = s.agent(dying.runtime).drop;
        await remove(s, () => killed);
        await succeed(s);
        await s.until("the Pod is gone", async () => (await s.get()) === undefined && (await s.runtime.list({})).length === 0);
        assert.deepEqual(await s.runtime.listVolumes({}), []);
        await s.end();
      });
    }
  }
});
