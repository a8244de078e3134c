import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import { readHostFacts, reportNode } from "../../../orchestrator/agent/node-object.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { events, namespaces, nodes, pods } from "../../../orchestrator/api/types/kinds.ts";
import { runScheduler } from "../../../orchestrator/scheduler/scheduler.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { eventually } from "../../support/eventually.ts";

test("a Pod that waits already is bound as soon as the node registers, and hears of no node that is not ready", async () => {
  const client = createApi({ store: createMemoryStore(), clock: systemClock, random: Math.random });
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const end = new AbortController();
  const scheduler = runScheduler({ client, clock: systemClock, random: Math.random, log: createLog({ role: "test", level: "silent" }), signal: end.signal });
  await client.create(pods, { apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "default" }, spec: { containers: [{ name: "app", image: "i" }] } });
  const told = async (): Promise<readonly (string | undefined)[]> => (await client.list(events)).items.filter(({ reason }) => reason === "FailedScheduling").map(({ message }) => message);
  await eventually(async () => (await told()).length === 1, { what: "the Pod waits for a node" });
  const before = await told();
  await reportNode({ client, clock: systemClock, name: "node-a", host: readHostFacts(), version: undefined, problem: undefined });
  await eventually(async () => (await client.get(pods, { namespace: "default", name: "web" }))?.spec.nodeName === "node-a");
  end.abort();
  await scheduler;
  assert.deepEqual(await told(), before);
});

test("the first form of the Node that anybody sees carries its status, and its labels and taints are left alone later", async () => {
  const store = createMemoryStore();
  const client = createApi({ store, clock: systemClock, random: Math.random });
  const report = { client, clock: systemClock, name: "node-a", host: readHostFacts(), version: undefined, problem: undefined };
  await reportNode(report);
  assert.equal(store.currentRevision(), 1, "registering is one write");
  const made = await client.get(nodes, { name: "node-a" });
  assert.equal(made?.status?.conditions?.find(({ type }) => type === "Ready")?.status, "True");
  assert.ok(made !== undefined);
  await client.update(nodes, { ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels, zone: "b" } }, spec: { unschedulable: true } });
  await reportNode({ ...report, problem: "the engine is gone" });
  const later = await client.get(nodes, { name: "node-a" });
  assert.equal(later?.metadata.labels?.["zone"], "b");
  assert.equal(later?.spec?.unschedulable, true);
  assert.equal(later?.status?.conditions?.find(({ type }) => type === "Ready")?.message, "the engine is gone");
});
