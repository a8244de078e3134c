import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../cli/cluster/connect.ts";
import { usersObjects } from "../../cli/cluster/users-objects.ts";
import { CliFailure } from "../../cli/failure.ts";
import { applyAll, type Applied } from "../../cli/up/apply.ts";
import { decisionOf } from "../../cli/up/interruption.ts";
import { usualPatience } from "../../cli/up/progress.ts";
import { deleteAll, waitUntilGone } from "../../cli/up/removal.ts";
import { type PodView, waitForPods, type WaitOutcome } from "../../cli/up/wait.ts";
import { systemClock } from "../../kit/clock.ts";
import { createApi } from "../../orchestrator/api/core.ts";
import { configMaps, nodes, pods } from "../../orchestrator/api/types/kinds.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import type { Pod, PodStatus } from "../../orchestrator/api/types/pod.ts";
import { createMemoryStore } from "../../orchestrator/store/memory.ts";
import { eventually } from "../support/eventually.ts";
import { condition, statusOf, waiting } from "./objects.ts";

/** The real API without a network, and nobody behind it: the tests play the node agent. */
function newApi(): Connection {
  const client = createApi({ store: createMemoryStore(), clock: systemClock, random: Math.random });
  const absent = (): never => assert.fail("no node is behind this API");
  return {
    create: (kind, object, options) => client.create(kind, object, options), get: (kind, key) => client.get(kind, key), list: (kind, options) => client.list(kind, options),
    update: (kind, object, options) => client.update(kind, object, options), delete: (kind, key, options) => client.delete(kind, key, options), bind: (key, node) => client.bind(key, node),
    watch: (kind, options) => client.watch(kind, options), logs: absent, exec: absent, version: absent, ready: absent, close: async () => await Promise.resolve(),
  };
}

/** The in-process API makes its namespaces when the control plane starts; here there is none. */
async function withDefaultNamespace(api: Connection): Promise<Connection> {
  const namespace: ApiObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } };
  const { namespaces } = await import("../../orchestrator/api/types/kinds.ts");
  await api.create<ApiObject>(namespaces, namespace).catch(() => undefined); // the core may make it by itself
  return api;
}

const manifest = (image = "img", labels: Record<string, string> = {}): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "default", labels }, spec: { containers: [{ name: "app", image }] } });
const map = (data: Record<string, string>): ApiObject & { readonly data: Record<string, string> } => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "m", namespace: "default" }, data });

async function apply(api: Connection, objects: readonly ApiObject[]): Promise<{ readonly words: readonly string[]; readonly applied: readonly Applied[] }> {
  const applied: Applied[] = [];
  const words: string[] = [];
  await applyAll(objects, applied, {
    api, clock: systemClock, signal: AbortSignal.timeout(120_000),
    onStep: ({ object, step }) => words.push(`${object.kind} ${step.kind}`), onReplacing: (object, changed) => words.push(`${object.kind} replacing: ${changed}`),
  });
  return { words, applied };
}

async function setStatus(api: Connection, status: PodStatus): Promise<void> {
  const pod = await api.get(pods, { namespace: "default", name: "web" });
  assert.ok(pod !== undefined);
  assert.equal((await api.update(pods, { ...pod, status }, { subresource: "status" })).kind, "updated");
}

test("applying is idempotent, and changes are updates of a config map and a replacement of a Pod", async () => {
  const api = await withDefaultNamespace(newApi());
  assert.deepEqual((await apply(api, [manifest(), map({ a: "1" })])).words, ["ConfigMap create", "Pod create"]);
  await api.bind({ namespace: "default", name: "web" }, "node");
  assert.deepEqual((await apply(api, [manifest(), map({ a: "1" })])).words, ["ConfigMap unchanged", "Pod unchanged"]);
  assert.deepEqual((await apply(api, [manifest("img", { a: "b" }), map({ a: "2" })])).words, ["ConfigMap update", "Pod update"]);
  const before = await api.get(pods, { namespace: "default", name: "web" });
  const agent = eventually(async () => {
    const pod = await api.get(pods, { namespace: "default", name: "web" });
    if (pod?.metadata.deletionTimestamp === undefined) return undefined;
    await api.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
    return true;
  });
  assert.deepEqual((await apply(api, [manifest("other")])).words, ["Pod replacing: spec.containers[0].image", "Pod replace"]);
  await agent;
  const after = await api.get(pods, { namespace: "default", name: "web" });
  assert.notEqual(after?.metadata.uid, before?.metadata.uid);
});

test("a namespace that does not exist is refused before anything is applied", async () => {
  const api = await withDefaultNamespace(newApi());
  const other: Pod = { ...manifest(), metadata: { name: "web", namespace: "lost" } };
  await assert.rejects(apply(api, [map({}), other]), (error) => error instanceof CliFailure && error.exitCode === 78 && /"lost" does not exist/.test(error.message));
  assert.equal(await api.get(configMaps, { namespace: "default", name: "m" }), undefined);
});

const checkWait = (what: string, statuses: readonly PodStatus[], expected: (outcome: WaitOutcome) => void, timeoutMs = 120_000): void => {
  test(`waiting for a Pod ${what}`, async () => {
    const api = await withDefaultNamespace(newApi());
    const { applied } = await apply(api, [manifest()]);
    const seen: string[] = [];
    const wait = waitForPods(applied.map(({ object }) => object).filter((object): object is Pod => object.kind === "Pod"), {
      api, clock: systemClock, timeoutMs, patience: usualPatience, signal: AbortSignal.timeout(120_000),
      onProgress: (views: readonly PodView[]) => seen.push(JSON.stringify(views[0]?.pod.status?.containerStatuses?.[0]?.state ?? {})),
    });
    for (const status of statuses) {
      const before = seen.length;
      await setStatus(api, status);
      await Promise.race([wait, eventually(() => seen.length > before && seen.at(-1) === JSON.stringify(status.containerStatuses?.[0]?.state ?? {}))]);
    }
    expected(await wait);
  });
};
const pulling = (reason: string): PodStatus => ({ phase: "Pending", containerStatuses: [statusOf("app", { state: waiting(reason, "no such image") })] });
checkWait("that becomes ready", [{ phase: "Running" }, { phase: "Running", conditions: [condition("Ready")] }], (outcome) => assert.equal(outcome.kind, "ready"));
checkWait("that succeeds", [{ phase: "Succeeded" }], (outcome) => assert.equal(outcome.kind, "ready"));
checkWait("that fails", [{ phase: "Failed", message: "no" }], (outcome) => assert.equal(outcome.kind, "hopeless"));
checkWait("whose image comes at the second try", [pulling("ErrImagePull"), pulling("ImagePullBackOff"), { phase: "Running", conditions: [condition("Ready")] }], (outcome) => assert.equal(outcome.kind, "ready"));
checkWait("whose image cannot be had twice", [pulling("ErrImagePull"), pulling("ImagePullBackOff"), pulling("ErrImagePull")], (outcome) => assert.equal(outcome.kind, "hopeless"));
checkWait("that takes too long", [], (outcome) => assert.equal(outcome.kind, "timeout"), 100);

test("a Pod that somebody removes while it is waited for is told", async () => {
  const api = await withDefaultNamespace(newApi());
  const { applied } = await apply(api, [manifest()]);
  let shown = 0;
  const wait = waitForPods(applied.map(({ object }) => object).filter((object): object is Pod => object.kind === "Pod"), { api, clock: systemClock, timeoutMs: 120_000, patience: usualPatience, signal: AbortSignal.timeout(120_000), onProgress: () => shown++ });
  await eventually(() => shown > 0);
  await api.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  assert.equal((await wait).kind, "removed");
});

test("a wait that is interrupted rejects with the interruption", async () => {
  const api = await withDefaultNamespace(newApi());
  const { applied } = await apply(api, [manifest()]);
  const interruption = new AbortController();
  const reason = new Error("stop");
  await assert.rejects(
    waitForPods(applied.map(({ object }) => object).filter((object): object is Pod => object.kind === "Pod"), { api, clock: systemClock, timeoutMs: 120_000, patience: usualPatience, signal: interruption.signal, onProgress: () => interruption.abort(reason) }),
    (error) => error === reason,
  );
});

test("removal takes what exists and waits until it is gone, but not for a newer object of the same name", async () => {
  const api = await withDefaultNamespace(newApi());
  const { applied } = await apply(api, [manifest(), map({})]);
  const gone: string[] = [];
  const options = { api, clock: systemClock, signal: AbortSignal.timeout(120_000), onGone: (object: ApiObject) => gone.push(object.kind) };
  const found = await deleteAll([manifest(), map({}), { ...map({}), metadata: { name: "absent", namespace: "default" } }], options);
  assert.deepEqual(found.map((object) => object.kind), ["Pod", "ConfigMap"]);
  await apply(api, [manifest()]);
  await waitUntilGone(found, options);
  assert.deepEqual(gone.toSorted(), ["ConfigMap", "Pod"]);
  assert.deepEqual(await deleteAll(applied.map(({ object }) => object), options), [], "the newer Pod must stay");
});

test("what the control plane made for itself does not count as the user's", async () => {
  const api = await withDefaultNamespace(newApi());
  await api.create<ApiObject>(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: "n" } });
  assert.deepEqual(await usersObjects(api), []);
  await apply(api, [manifest()]);
  assert.deepEqual((await usersObjects(api)).map((object) => object.kind), ["Pod"]);
});

const checkKey = (keys: string, mayContinue: boolean, expected: string | undefined): void => {
  test(`the keys ${JSON.stringify(keys)}${mayContinue ? "" : " without the choice to continue"} mean ${expected ?? "nothing"}`, () => assert.equal(decisionOf(keys, mayContinue), expected));
};
checkKey("l", true, "leave");
checkKey("S", true, "stop");
checkKey("\u0003", true, "stop");
checkKey("xc", true, "continue");
checkKey("c", false, undefined);
checkKey("\r", true, undefined);

