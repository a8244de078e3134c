import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import { MetricRegistry } from "../../../kit/metrics.ts";
import { type ControlPlane, startControlPlane, tearDownCluster } from "../../../orchestrator/control-plane.ts";
import { connectApi } from "../../../orchestrator/api/http/client.ts";
import { events, namespaces, nodes, pods } from "../../../orchestrator/api/types/kinds.ts";
import { FakeRuntime } from "../../../orchestrator/runtime/fake.ts";
import { label } from "../../../orchestrator/runtime/runtime.ts";
import { StoreError } from "../../../orchestrator/store/store.ts";
import { eventually } from "../../support/eventually.ts";
import { podNamed } from "../../contract/api-client/api-client-contract.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-cp-"));
after(() => { rmSync(directory, { recursive: true, force: true }); });
let clusters = 0;
const log = createLog({ role: "test", level: "silent" });

type World = { readonly runtime: FakeRuntime; readonly stateDirectory: string; readonly socketPath: string; start(): Promise<ControlPlane> };

function newWorld(): World {
  const stateDirectory = join(directory, `c${clusters++}`);
  const socketPath = join(stateDirectory, "api.sock");
  const runtime = new FakeRuntime({ clock: systemClock });
  const start = async (): Promise<ControlPlane> => await startControlPlane({
    clusterName: "test", stateDirectory, storeKind: "sqlite", runtime, images: { pause: "podkit/pause:1", dns: "podkit/dns:1" }, listen: { socketPath },
    log, metrics: new MetricRegistry(), clock: systemClock, random: Math.random, signal: new AbortController().signal,
  });
  return { runtime, stateDirectory, socketPath, start };
}

const key = { namespace: "default", name: "web" };

test("a Pod given over HTTP runs on the node, survives a restart of the control plane untouched, and ends with a delete", { timeout: 180_000 }, async () => {
  const world = newWorld();
  const first = await world.start();
  const api = connectApi({ socketPath: world.socketPath });
  await api.create(pods, podNamed("web", { terminationGracePeriodSeconds: 1 }));
  const running = await eventually(async () => { const pod = await api.get(pods, key); return pod?.status?.phase === "Running" ? pod : undefined; }, { what: "the Pod runs" });
  assert.equal(running.spec.nodeName, "podkit-test");
  assert.equal(running.status?.conditions?.find(({ type }) => type === "PodScheduled")?.status, "True");
  const scheduled = await eventually(async () => (await api.list(events, { fieldSelector: "reason=Scheduled" })).items[0]);
  assert.equal(scheduled.message, "Successfully assigned default/web to podkit-test");
  assert.equal((await api.list(nodes)).items.length, 1);
  await api.close();
  await first.stop();
  const before = await world.runtime.list({ [label.podUid]: running.metadata.uid ?? "" });
  assert.equal(before.length, 2);

  const second = await world.start();
  const pod = await second.client.get(pods, key);
  assert.equal(pod?.metadata.uid, running.metadata.uid);
  const revision = Number(pod?.metadata.resourceVersion);
  // A second Pod shows that the new agent works; by then it has looked at the first.
  await second.client.create(pods, podNamed("other"));
  await eventually(async () => (await second.client.get(pods, { namespace: "default", name: "other" }))?.status?.phase === "Running", { what: "the second Pod runs" });
  assert.deepEqual((await world.runtime.list({ [label.podUid]: running.metadata.uid ?? "" })).map(({ id }) => id).toSorted(), before.map(({ id }) => id).toSorted());
  assert.ok(revision > 0);
  assert.equal((await second.client.delete(pods, key)).kind, "deleting");
  await eventually(async () => (await second.client.get(pods, key)) === undefined, { what: "the Pod is gone" });
  assert.deepEqual(await world.runtime.list({ [label.podUid]: running.metadata.uid ?? "" }), []);
  await second.stop();
});

test("a control plane is ready only when its agent has looked at every Pod: what happened while none ran is in their statuses", { timeout: 180_000 }, async (t) => {
  const world = newWorld();
  const first = await world.start();
  const isReady = async ({ client }: ControlPlane): Promise<boolean> => (await client.get(pods, key))?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  await first.client.create(pods, podNamed("web", { restartPolicy: "Never" }));
  const uid = await eventually(async () => ((await isReady(first)) ? (await first.client.get(pods, key))?.metadata.uid : undefined), { what: "the Pod is ready" });
  await first.stop();
  for (const object of await world.runtime.list({ [label.podUid]: uid, [label.kind]: "app" })) world.runtime.exitByHand(object.id);

  const second = await world.start();
  const api = connectApi({ socketPath: world.socketPath });
  t.after(async () => { await api.close(); await second.stop(); });
  await eventually(async () => (await api.ready()).ready, { intervalMs: 1, what: "the control plane is ready" });
  assert.equal(await isReady(second), false);
});

test("a second control plane on the same state directory is refused, and the first goes on", { timeout: 180_000 }, async () => {
  const world = newWorld();
  const first = await world.start();
  await assert.rejects(world.start(), (error) => error instanceof StoreError && error.code === "Held");
  assert.equal((await first.client.list(namespaces)).items.length, 2);
  const api = connectApi({ socketPath: world.socketPath });
  assert.match((await api.version()).gitVersion, /^v1\.\d+/);
  await api.close();
  await first.stop();
});

test("a control plane whose engine refuses the network starts nothing that lasts", { timeout: 180_000 }, async () => {
  const world = newWorld();
  world.runtime.inject({ verb: "ensureNetwork", error: new Error("no such driver") });
  await assert.rejects(world.start(), /no such driver/);
  const again = await world.start();
  await again.stop();
});

test("deleting a namespace ends the Pods in it and then the namespace", { timeout: 180_000 }, async () => {
  const world = newWorld();
  const controlPlane = await world.start();
  const { client } = controlPlane;
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
  await client.create(pods, podNamed("web", { terminationGracePeriodSeconds: 1 }, { namespace: "team" }));
  await eventually(async () => (await client.get(pods, { namespace: "team", name: "web" }))?.status?.phase === "Running");
  await client.delete(namespaces, { name: "team" });
  await eventually(async () => (await client.get(namespaces, { name: "team" })) === undefined, { what: "the namespace is gone" });
  assert.deepEqual((await client.list(pods)).items, []);
  await controlPlane.stop();
});

test("tearing down a cluster whose control plane was lost leaves no container, network or volume of it", { timeout: 180_000 }, async () => {
  const world = newWorld();
  const controlPlane = await world.start();
  await controlPlane.client.create(pods, podNamed("web"));
  await eventually(async () => (await controlPlane.client.get(pods, key))?.status?.phase === "Running");
  await controlPlane.stop();
  const labels = { [label.cluster]: "test" };
  assert.ok((await world.runtime.list(labels)).length >= 3);
  await tearDownCluster({ clusterName: "test", stateDirectory: world.stateDirectory, runtime: world.runtime, log });
  assert.deepEqual([await world.runtime.list(labels), await world.runtime.listNetworks(labels), await world.runtime.listVolumes(labels)], [[], [], []]);
  await tearDownCluster({ clusterName: "test", stateDirectory: world.stateDirectory, runtime: world.runtime, log });
});
