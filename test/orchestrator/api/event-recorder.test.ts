import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { EventCorrelation } from "../../../orchestrator/api/event-correlation.ts";
import { createRecorder } from "../../../orchestrator/api/event-recorder.ts";
import { events, namespaces, pods } from "../../../orchestrator/api/types/kinds.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { podNamed } from "../../contract/api-client/api-client-contract.ts";

async function world() {
  const client = createApi({ store: createMemoryStore(), clock: systemClock, random: Math.random });
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const pod = await client.create(pods, podNamed("web"));
  return { client, pod, recorder: createRecorder({ client, component: "kubelet", host: "n1", clock: systemClock }) };
}

test("an event says who speaks of what, and a repetition counts up", async () => {
  const { client, pod, recorder } = await world();
  for (let round = 0; round < 3; round++) recorder.event(pod, "Warning", "BackOff", "Back-off restarting failed container", { fieldPath: "spec.containers{main}" });
  recorder.event(pod, "Normal", "Pulled", "Container image present");
  await recorder.flush();
  const { items } = await client.list(events);
  assert.deepEqual(items.map(({ reason, count, type }) => ({ reason, count, type })).toSorted((a, b) => (a.count ?? 0) - (b.count ?? 0)), [{ reason: "Pulled", count: 1, type: "Normal" }, { reason: "BackOff", count: 3, type: "Warning" }]);
  const backOff = items.find(({ reason }) => reason === "BackOff");
  assert.deepEqual(backOff?.involvedObject, { apiVersion: "v1", kind: "Pod", name: "web", namespace: "default", uid: pod.metadata.uid, resourceVersion: pod.metadata.resourceVersion, fieldPath: "spec.containers{main}" });
  assert.deepEqual(backOff.source, { component: "kubelet", host: "n1" });
  assert.match(backOff.metadata.name, /^web\.[0-9a-f]+$/);
});

test("an event that was swept away begins anew, and one about a lost namespace is given up without a word to the caller", async () => {
  const { client, pod, recorder } = await world();
  recorder.event(pod, "Normal", "Started", "Started container main");
  await recorder.flush();
  for (const { metadata } of (await client.list(events)).items) await client.delete(events, metadata);
  recorder.event(pod, "Normal", "Started", "Started container main");
  recorder.event({ ...pod, metadata: { ...pod.metadata, namespace: "lost" } }, "Normal", "Started", "Started container main");
  await recorder.flush();
  assert.deepEqual((await client.list(events)).items.map(({ count }) => count), [1]);
});

test("one object cannot flood: 25 at once, then one in five minutes; the eleventh similar message is combined", () => {
  const correlation = new EventCorrelation();
  const tell = (message: string, atMs: number) => correlation.correlate({ about: "Pod/default/web", source: "kubelet", type: "Warning", reason: "Unhealthy", message, atMs });
  const first = Array.from({ length: 30 }, (_, index) => tell(`probe failed: ${index}`, 1000));
  assert.equal(first.filter(({ kind }) => kind === "drop").length, 5);
  assert.equal(first.filter((one) => one.kind === "record" && one.message.startsWith("(combined from similar events): ")).length, 15);
  assert.equal(new Set(first.flatMap((one) => (one.kind === "record" ? [one.key] : []))).size, 11);
  assert.equal(tell("again", 1000).kind, "drop");
  assert.equal(tell("again", 301_000).kind, "record");
  assert.equal(tell("again", 301_000).kind, "drop");
});
