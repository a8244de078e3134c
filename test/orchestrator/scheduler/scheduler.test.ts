import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import type { ApiClient } from "../../../orchestrator/api/client.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { events, namespaces, nodes, pods } from "../../../orchestrator/api/types/kinds.ts";
import type { Pod } from "../../../orchestrator/api/types/pod.ts";
import { runScheduler } from "../../../orchestrator/scheduler/scheduler.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { eventually } from "../../support/eventually.ts";
import { podNamed } from "../../contract/api-client/api-client-contract.ts";

async function cluster(context: TestContext, schedulers = 1): Promise<ApiClient> {
  const store = createMemoryStore();
  const client = createApi({ store, clock: systemClock, random: Math.random });
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const stop = new AbortController();
  const running = Array.from({ length: schedulers }, async () => { await runScheduler({ client, clock: systemClock, random: Math.random, log: createLog({ role: "test", level: "silent" }), signal: stop.signal }); });
  context.after(async () => {
    stop.abort();
    await Promise.all(running);
    await store.close();
  });
  return client;
}

async function addNode(client: ApiClient, name: string, memory = "1Gi"): Promise<void> {
  const made = await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
  await client.update(nodes, { ...made, status: { allocatable: { cpu: "2", memory, pods: "110" }, conditions: [{ type: "Ready", status: "True" }] } }, { subresource: "status" });
}

const get = async (client: ApiClient, name: string): Promise<Pod | undefined> => await client.get(pods, { namespace: "default", name });
const asking = (name: string, memory: string): Pod => podNamed(name, { containers: [{ name: "main", image: "i", resources: { requests: { memory } } }] });

test("a Pod that fits nowhere says why once, and is bound when room appears", { timeout: 180_000 }, async (context) => {
  const client = await cluster(context);
  await client.create(pods, asking("big", "2Gi"));
  const condition = async (): Promise<string | undefined> => (await get(client, "big"))?.status?.conditions?.find(({ type, status, reason }) => type === "PodScheduled" && status === "False" && reason === "Unschedulable")?.message;
  await eventually(async () => (await condition()) === "no nodes available to schedule pods");
  await addNode(client, "small");
  await eventually(async () => (await condition()) === "0/1 nodes are available: 1 Insufficient memory.");
  const failed = await eventually(async () => (await client.list(events, { fieldSelector: "reason=FailedScheduling" })).items.find(({ message }) => message === "0/1 nodes are available: 1 Insufficient memory."));
  assert.deepEqual([failed.type, failed.source?.component, failed.involvedObject.name], ["Warning", "default-scheduler", "big"]);
  await addNode(client, "large", "8Gi");
  const bound = await eventually(async () => { const pod = await get(client, "big"); return pod?.spec.nodeName === "large" ? pod : undefined; });
  assert.deepEqual(bound.status?.conditions?.filter(({ type }) => type === "PodScheduled").map(({ status }) => status), ["True"]);
  // Its own status writes and the node's heartbeats gave it no reason to look again.
  assert.equal((await client.list(events, { fieldSelector: "reason=FailedScheduling" })).items.find(({ message }) => message?.includes("1 Insufficient memory.") && message.startsWith("0/1"))?.count, 1);
});

test("Pods created at once do not get more than there is, and the next comes in when one ends", { timeout: 180_000 }, async (context) => {
  const client = await cluster(context);
  await addNode(client, "n1");
  await Promise.all(Array.from({ length: 6 }, (_, index) => client.create(pods, asking(`p${index}`, "300Mi"))));
  const bound = async (): Promise<readonly Pod[]> => (await client.list(pods, { fieldSelector: "spec.nodeName=n1" })).items;
  await eventually(async () => (await client.list(pods)).items.every((pod) => pod.spec.nodeName !== undefined || pod.status?.conditions !== undefined));
  const first = await bound();
  assert.equal(first.length, 3);
  const one = first[0];
  assert.ok(one !== undefined);
  await client.update(pods, { ...one, status: { ...one.status, phase: "Succeeded" } }, { subresource: "status" });
  await eventually(async () => (await bound()).length === 4);
});

test("two schedulers bind every Pod once and fall over nothing", { timeout: 180_000 }, async (context) => {
  const client = await cluster(context, 2);
  await addNode(client, "n1");
  await addNode(client, "n2");
  await Promise.all(Array.from({ length: 40 }, (_, index) => client.create(pods, podNamed(`p${index}`))));
  await eventually(async () => (await client.list(pods)).items.every((pod) => pod.spec.nodeName !== undefined));
  await eventually(async () => (await client.list(events, { fieldSelector: "reason=Scheduled" })).items.length === 40);
});
