import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createLog } from "../../../kit/log.ts";
import type { ApiClient } from "../../../orchestrator/api/client.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { eventsMax, eventTtlMs, finishedPodsMax, runHousekeeping } from "../../../orchestrator/api/housekeeping.ts";
import { apiTime } from "../../../orchestrator/api/types/api-time.ts";
import type { Event } from "../../../orchestrator/api/types/event.ts";
import { configMaps, events, namespaces, pods } from "../../../orchestrator/api/types/kinds.ts";
import type { ApiObject, KindDefinition } from "../../../orchestrator/api/types/meta.ts";
import type { PodPhase } from "../../../orchestrator/api/types/pod.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { createVirtualClock, type VirtualClock } from "../../support/virtual-clock.ts";
import { podNamed } from "../../contract/api-client/api-client-contract.ts";

const sweepMs = 60_000;
const minute = 60_000;

type Cluster = { readonly client: ApiClient; readonly clock: VirtualClock; readonly warnings: string[]; readonly start: (client?: ApiClient) => void };

async function cluster(context: TestContext): Promise<Cluster> {
  const clock = createVirtualClock();
  const store = createMemoryStore();
  const client = createApi({ store, clock, random: Math.random });
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const stop = new AbortController();
  const running: Promise<void>[] = [];
  const warnings: string[] = [];
  context.after(async () => {
    stop.abort();
    await Promise.all(running);
    await store.close();
  });
  const log = createLog({ role: "test", level: "warn", stream: { write: (line) => { warnings.push(line); } } });
  return { client, clock, warnings, start: (used = client) => { running.push(runHousekeeping({ client: used, clock, random: Math.random, log, signal: stop.signal })); } };
}

const addEvent = async ({ client, clock }: Cluster, name: string): Promise<Event> =>
  await client.create(events, { apiVersion: "v1", kind: "Event", metadata: { name, namespace: "default" }, involvedObject: { kind: "Pod", namespace: "default", name: "web" }, reason: "Started", lastTimestamp: apiTime(clock.nowMs()), count: 1 });

const names = async (client: ApiClient, kind: KindDefinition<ApiObject>): Promise<readonly string[]> => (await client.list(kind)).items.map(({ metadata }) => metadata.name);

const setPhase = async ({ client }: Cluster, name: string, phase: PodPhase): Promise<void> => {
  const pod = await client.get(pods, { namespace: "default", name });
  assert.ok(pod !== undefined);
  await client.update(pods, { ...pod, status: { ...pod.status, phase } }, { subresource: "status" });
};

test("an Event goes an hour after it was last seen, one that is repeated stays", async (context) => {
  const at = await cluster(context);
  await addEvent(at, "once");
  const repeated = await addEvent(at, "repeated");
  at.start();
  await at.clock.advance(eventTtlMs);
  assert.deepEqual(await names(at.client, events), ["once", "repeated"], "an hour is not more than an hour");
  await at.client.update(events, { ...repeated, lastTimestamp: apiTime(at.clock.nowMs()), count: 2 });
  await at.clock.advance(sweepMs);
  assert.deepEqual(await names(at.client, events), ["repeated"]);
  await at.clock.advance(eventTtlMs + sweepMs);
  assert.deepEqual(await names(at.client, events), []);
});

/** A client behind which somebody else does something between the first list of a kind and its use. */
function meanwhile(client: ApiClient, kindName: string, act: () => Promise<unknown>): ApiClient {
  let done = false;
  return {
    create: client.create.bind(client), get: client.get.bind(client), update: client.update.bind(client), delete: client.delete.bind(client), bind: client.bind.bind(client), watch: client.watch.bind(client),
    async list(kind, options) {
      const listed = await client.list(kind, options);
      if (kind.kind === kindName && !done) {
        done = true;
        await act();
      }
      return listed;
    },
  };
}

test("an Event that is repeated between the look and the deletion stays", async (context) => {
  const at = await cluster(context);
  const seen = await addEvent(at, "seen");
  await at.clock.advance(eventTtlMs + minute);
  at.start(meanwhile(at.client, "Event", async () => await at.client.update(events, { ...seen, lastTimestamp: apiTime(at.clock.nowMs()), count: 2 })));
  await at.clock.settle();
  assert.deepEqual(await names(at.client, events), ["seen"]);
});

test("a Pod that has taken a finished one's name between the look and the deletion stays", async (context) => {
  const at = await cluster(context);
  for (let index = 0; index <= finishedPodsMax; index++) {
    await at.client.create(pods, podNamed(`p${index}`));
    await setPhase(at, `p${index}`, "Succeeded");
    await at.clock.advance(1_000);
  }
  let replacement: string | undefined;
  at.start(meanwhile(at.client, "Pod", async () => {
    await at.client.delete(pods, { namespace: "default", name: "p0" });
    replacement = (await at.client.create(pods, podNamed("p0"))).metadata.uid;
  }));
  await at.clock.settle();
  assert.ok(replacement !== undefined);
  assert.equal((await at.client.get(pods, { namespace: "default", name: "p0" }))?.metadata.uid, replacement);
});

test("of too many Events the oldest go before their time", { timeout: 180_000 }, async (context) => {
  const at = await cluster(context);
  for (let index = 0; index < eventsMax; index++) await addEvent(at, `e${index}`);
  await at.clock.advance(1_000);
  for (const name of ["newer-a", "newer-b"]) await addEvent(at, name);
  at.start();
  await at.clock.settle();
  await at.clock.advance(sweepMs);
  const left = await names(at.client, events);
  assert.equal(left.length, eventsMax);
  assert.ok(left.includes("newer-a") && left.includes("newer-b"));
});

test("of too many finished Pods the oldest go; what runs or waits stays however old it is", { timeout: 180_000 }, async (context) => {
  const at = await cluster(context);
  await at.client.create(pods, podNamed("runs"));
  await setPhase(at, "runs", "Running");
  await at.client.create(pods, podNamed("waits"));
  const phases: readonly PodPhase[] = ["Succeeded", "Failed"];
  for (let index = 0; index < finishedPodsMax + 2; index++) {
    await at.client.create(pods, podNamed(`p${index}`));
    await setPhase(at, `p${index}`, phases[index % 2] ?? "Failed");
    await at.clock.advance(1_000);
  }
  at.start();
  await at.clock.advance(sweepMs);
  const left = await names(at.client, pods);
  assert.deepEqual(["runs", "waits", "p0", "p1", "p2"].map((name) => left.includes(name)), [true, true, false, false, true]);
  assert.equal(left.length, finishedPodsMax + 2);
});

test("a sweep that fails is told and made good by the next one", async (context) => {
  const at = await cluster(context);
  await addEvent(at, "old");
  await at.clock.advance(eventTtlMs + minute);
  let fails = true;
  const failing: ApiClient = {
    create: at.client.create.bind(at.client), get: at.client.get.bind(at.client), update: at.client.update.bind(at.client), list: at.client.list.bind(at.client), bind: at.client.bind.bind(at.client), watch: at.client.watch.bind(at.client),
    async delete(kind, key, options) {
      if (fails) throw new Error("the disk is full");
      return await at.client.delete(kind, key, options);
    },
  };
  at.start(failing);
  await at.clock.settle();
  assert.match(at.warnings.join(""), /the disk is full.*Sweeping old objects failed; trying again/);
  assert.deepEqual(await names(at.client, events), ["old"]);
  fails = false;
  await at.clock.advance(sweepMs);
  assert.deepEqual(await names(at.client, events), []);
});

test("a namespace that is deleted is emptied and goes; a Pod in it gets its grace", async (context) => {
  const at = await cluster(context);
  await at.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  await at.client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace: "shop" } });
  const waiting = podNamed("web");
  await at.client.create(pods, { ...waiting, metadata: { ...waiting.metadata, namespace: "shop" }, spec: { ...waiting.spec, nodeName: "node-a" } });
  at.start();
  await at.client.delete(namespaces, { name: "shop" });
  await at.clock.settle();
  await at.clock.advance(10_000);
  assert.equal(await at.client.get(configMaps, { namespace: "shop", name: "settings" }), undefined);
  const pod = await at.client.get(pods, { namespace: "shop", name: "web" });
  assert.ok(pod?.metadata.deletionTimestamp !== undefined, "it was asked to end");
  assert.ok((await at.client.get(namespaces, { name: "shop" })) !== undefined, "the namespace waits for its Pod");
  await at.client.delete(pods, { namespace: "shop", name: "web" }, { gracePeriodSeconds: 0 });
  await at.clock.advance(10_000);
  assert.equal(await at.client.get(namespaces, { name: "shop" }), undefined);
});
