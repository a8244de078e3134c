import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiClient, WatchEvent } from "../../../orchestrator/api/client.ts";
import { ApiError } from "../../../orchestrator/api/errors.ts";
import type { ConfigMap } from "../../../orchestrator/api/types/config-map.ts";
import { configMaps, namespaces, nodes, pods } from "../../../orchestrator/api/types/kinds.ts";
import type { ApiObject } from "../../../orchestrator/api/types/meta.ts";
import type { Pod } from "../../../orchestrator/api/types/pod.ts";

export type ClientFixture = { readonly client: ApiClient; readonly compact: () => Promise<void>; readonly close: () => Promise<void> };

export const podNamed = (name: string, spec: Partial<Pod["spec"]> = {}, metadata: Partial<Pod["metadata"]> = {}): Pod =>
  ({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default", ...metadata }, spec: { containers: [{ name: "main", image: "podkit/busybox:0.1.0" }], ...spec } });
export const configMapNamed = (name: string, data: Readonly<Record<string, string>>, metadata: Partial<Pod["metadata"]> = {}): ConfigMap => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default", ...metadata }, data });

/** What the in-process core and the HTTP client both promise. `open` gives an API with the namespace `default`. */
export function apiClientContract(name: string, open: () => Promise<ClientFixture>): void {
  const check = (sentence: string, body: (client: ApiClient, fixture: ClientFixture) => Promise<void>): void => {
    test(`${name}: ${sentence}`, { timeout: 180_000 }, async () => {
      const fixture = await open();
      try {
        await body(fixture.client, fixture);
      } finally {
        await fixture.close();
      }
    });
  };

  check("a created Pod has identity, defaults and the status Pending", async (client) => {
    const pod = await client.create(pods, podNamed("web"));
    assert.match(pod.metadata.uid ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.match(pod.metadata.creationTimestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(pod.metadata.resourceVersion ?? "", /^\d+$/);
    assert.equal(pod.metadata.generation, 1);
    assert.equal(pod.spec.restartPolicy, "Always");
    assert.equal(pod.spec.terminationGracePeriodSeconds, 30);
    assert.equal(pod.status?.phase, "Pending");
    assert.equal(pod.status?.qosClass, "BestEffort");
    assert.deepEqual(await client.get(pods, { namespace: "default", name: "web" }), pod);
  });

  check("creating what exists, what is invalid and what has no namespace is refused in Kubernetes' words", async (client) => {
    await client.create(pods, podNamed("web"));
    await rejects(client.create(pods, podNamed("web")), { code: 409, reason: "AlreadyExists", message: 'pods "web" already exists' });
    await rejects(client.create(pods, podNamed("web", {}, { namespace: "nowhere" })), { code: 404, reason: "NotFound", message: 'namespaces "nowhere" not found' });
    await rejects(client.create(pods, podNamed("web", {}, { resourceVersion: "1" })), { code: 400, reason: "BadRequest" });
    const error = await rejects(client.create(pods, podNamed("bad", { containers: [] })), { code: 422, reason: "Invalid", message: 'Pod "bad" is invalid: spec.containers: Required value' });
    assert.deepEqual(error.causes, [{ path: "spec.containers", reason: "FieldValueRequired", message: "Required value" }]);
    assert.equal(await client.get(pods, { namespace: "default", name: "bad" }), undefined);
  });

  check("generateName makes a new name each time", async (client) => {
    const make = async (): Promise<string> => (await client.create(configMaps, configMapNamed("", {}, { generateName: "job-" }))).metadata.name;
    const names = await Promise.all(Array.from({ length: 5 }, make));
    assert.equal(new Set(names).size, 5);
    for (const made of names) assert.match(made, /^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  check("a dry run validates, fills in and stores nothing", async (client) => {
    const pod = await client.create(pods, podNamed("web"), { dryRun: true });
    assert.equal(pod.spec.restartPolicy, "Always");
    assert.equal(await client.get(pods, { namespace: "default", name: "web" }), undefined);
    await rejects(client.create(pods, podNamed("bad", { containers: [] }), { dryRun: true }), { code: 422 });
    const stored = await client.create(configMaps, configMapNamed("a", { k: "1" }));
    const tried = await client.update(configMaps, { ...stored, data: { k: "2" } }, { dryRun: true });
    assert.equal(tried.kind === "updated" && tried.object.data?.["k"], "2");
    assert.deepEqual(await client.delete(configMaps, stored.metadata, { dryRun: true }), { kind: "deleted" });
    assert.deepEqual(await client.get(configMaps, stored.metadata), stored);
  });

  check("an update with a stale resourceVersion conflicts and shows what is there; without one it wins", async (client) => {
    const first = await client.create(configMaps, configMapNamed("a", { k: "1" }));
    const second = await client.update(configMaps, { ...first, data: { k: "2" } });
    assert.equal(second.kind, "updated");
    const stale = await client.update(configMaps, { ...first, data: { k: "3" } });
    assert.deepEqual(stale, { kind: "conflict", current: second.kind === "updated" ? second.object : undefined });
    const { resourceVersion: _r, ...metadata } = first.metadata;
    const forced = await client.update(configMaps, { ...first, metadata, data: { k: "4" } });
    assert.equal(forced.kind === "updated" && forced.object.data?.["k"], "4");
    assert.deepEqual(await client.update(configMaps, configMapNamed("absent", {})), { kind: "notFound" });
    const replaced = await client.update(configMaps, { ...first, metadata: { ...metadata, uid: "00000000-0000-4000-8000-000000000000" } });
    assert.equal(replaced.kind, "conflict");
  });

  check("an update that changes nothing writes nothing", async (client) => {
    const first = await client.create(configMaps, configMapNamed("a", { k: "1" }));
    const again = await client.update(configMaps, first);
    assert.deepEqual(again, { kind: "updated", object: first });
  });

  check("of ten writers that read the same version one wins, and ten without a version all do", async (client) => {
    const first = await client.create(configMaps, configMapNamed("a", { k: "0" }));
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, index) => client.update(configMaps, { ...first, data: { k: `w${index}` } })));
    assert.equal(outcomes.filter(({ kind }) => kind === "updated").length, 1);
    const { resourceVersion: _r, ...metadata } = first.metadata;
    const forced = await Promise.all(Array.from({ length: 10 }, (_, index) => client.update(configMaps, { ...first, metadata, data: { k: `f${index}` } })));
    assert.equal(forced.filter(({ kind }) => kind === "updated").length, 10);
  });

  check("status and spec are written by their own verbs only, and only a changed spec raises the generation", async (client) => {
    const node = await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, spec: {} });
    const status = await client.update(nodes, { ...node, spec: { unschedulable: true }, status: { capacity: { cpu: "4" } } }, { subresource: "status" });
    assert.ok(status.kind === "updated");
    assert.equal(status.object.spec?.unschedulable, undefined);
    assert.deepEqual(status.object.status?.capacity, { cpu: "4" });
    const spec = await client.update(nodes, { ...status.object, spec: { unschedulable: true }, status: { capacity: { cpu: "8" } } });
    assert.ok(spec.kind === "updated");
    assert.equal(spec.object.spec?.unschedulable, true);
    assert.deepEqual(spec.object.status?.capacity, { cpu: "4" });
    const pod = await client.create(pods, podNamed("web"));
    const relabelled = await client.update(pods, { ...pod, metadata: { ...pod.metadata, labels: { a: "b" } } });
    assert.equal(relabelled.kind === "updated" && relabelled.object.metadata.generation, 1);
    const reimaged = await client.update(pods, { ...(relabelled.kind === "updated" ? relabelled.object : pod), spec: { ...pod.spec, containers: pod.spec.containers.map((container) => ({ ...container, image: "podkit/other:1" })) } });
    assert.equal(reimaged.kind === "updated" && reimaged.object.metadata.generation, 2);
  });

  check("what Kubernetes does not let an update of a Pod change is refused", async (client) => {
    const pod = await client.create(pods, podNamed("web"));
    await rejects(client.update(pods, { ...pod, spec: { ...pod.spec, hostNetwork: true } }), { code: 422, reason: "Invalid" });
  });

  check("a Pod is bound once; the second scheduler is told", async (client) => {
    await client.create(pods, podNamed("web"));
    const outcomes = await Promise.all(["n1", "n2"].map((node) => client.bind({ namespace: "default", name: "web" }, node)));
    assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), ["conflict", "updated"]);
    const pod = await client.get(pods, { namespace: "default", name: "web" });
    assert.ok(["n1", "n2"].includes(pod?.spec.nodeName ?? ""));
    assert.deepEqual(pod?.status?.conditions?.map(({ type, status }) => ({ type, status })), [{ type: "PodScheduled", status: "True" }]);
    assert.deepEqual(await client.bind({ namespace: "default", name: "absent" }, "n1"), { kind: "notFound" });
  });

  check("an unbound Pod is deleted at once; a bound one keeps its grace until it is deleted with 0 and its uid", async (client) => {
    await client.create(pods, podNamed("free"));
    assert.deepEqual(await client.delete(pods, { namespace: "default", name: "free" }), { kind: "deleted" });
    assert.deepEqual(await client.delete(pods, { namespace: "default", name: "free" }), { kind: "notFound" });
    const created = await client.create(pods, podNamed("bound", { terminationGracePeriodSeconds: 20 }));
    const key = { namespace: "default", name: "bound" };
    await client.bind(key, "n1");
    const deleting = await client.delete(pods, key);
    assert.ok(deleting.kind === "deleting");
    assert.equal(deleting.object.metadata.deletionGracePeriodSeconds, 20);
    assert.ok(deleting.object.metadata.deletionTimestamp);
    const again = await client.delete(pods, key, { gracePeriodSeconds: 25 });
    assert.deepEqual(again, { kind: "deleting", object: deleting.object });
    const sooner = await client.delete(pods, key, { gracePeriodSeconds: 5 });
    assert.ok(sooner.kind === "deleting");
    assert.equal(sooner.object.metadata.deletionGracePeriodSeconds, 5);
    assert.equal(Date.parse(deleting.object.metadata.deletionTimestamp ?? "") - Date.parse(sooner.object.metadata.deletionTimestamp ?? ""), 15_000);
    const { deletionTimestamp: _d, ...alive } = sooner.object.metadata;
    const status = await client.update(pods, { ...sooner.object, metadata: alive, status: { phase: "Running" } }, { subresource: "status" });
    assert.equal(status.kind === "updated" && status.object.metadata.deletionTimestamp, sooner.object.metadata.deletionTimestamp);
    const wrong = await client.delete(pods, key, { gracePeriodSeconds: 0, preconditions: { uid: "another" } });
    assert.equal(wrong.kind, "conflict");
    assert.deepEqual(await client.delete(pods, key, { gracePeriodSeconds: 0, preconditions: { uid: created.metadata.uid ?? "" } }), { kind: "deleted" });
    assert.equal(await client.get(pods, key), undefined);
  });

  check("a finished Pod needs no grace", async (client) => {
    const key = { namespace: "default", name: "done" };
    await client.create(pods, podNamed("done"));
    const bound = await client.bind(key, "n1");
    assert.ok(bound.kind === "updated");
    const pod = await client.get(pods, key);
    assert.ok(pod !== undefined);
    await client.update(pods, { ...pod, status: { ...pod.status, phase: "Succeeded" } }, { subresource: "status" });
    assert.deepEqual(await client.delete(pods, key), { kind: "deleted" });
  });

  check("finalizers hold an object until the last is taken away", async (client) => {
    await client.create(configMaps, configMapNamed("a", {}, { finalizers: ["example.com/hold"] }));
    const held = await client.delete(configMaps, { namespace: "default", name: "a" });
    assert.ok(held.kind === "deleting");
    assert.equal((await client.delete(configMaps, { namespace: "default", name: "a" })).kind, "deleting");
    const { finalizers: _f, ...released } = held.object.metadata;
    assert.equal((await client.update(configMaps, { ...held.object, metadata: released })).kind, "updated");
    assert.equal(await client.get(configMaps, { namespace: "default", name: "a" }), undefined);
  });

  check("a namespace goes when its content has gone, and takes nothing new meanwhile", async (client) => {
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    await client.create(configMaps, configMapNamed("a", {}, { namespace: "team" }));
    const going = await client.delete(namespaces, { name: "team" });
    assert.equal(going.kind === "deleting" && going.object.status?.phase, "Terminating");
    await rejects(client.create(configMaps, configMapNamed("b", {}, { namespace: "team" })), { code: 403, reason: "Forbidden", message: 'configmaps "b" is forbidden: unable to create new content in namespace team because it is being terminated' });
    await client.delete(configMaps, { namespace: "team", name: "a" });
    assert.deepEqual(await client.delete(namespaces, { name: "team" }), { kind: "deleted" });
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "empty" } });
    assert.deepEqual(await client.delete(namespaces, { name: "empty" }), { kind: "deleted" });
    await rejects(client.delete(namespaces, { name: "default" }), { code: 403, message: 'namespaces "default" is forbidden: this namespace may not be deleted' });
  });

  check("a list takes a namespace, labels and fields", async (client) => {
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    await client.create(pods, podNamed("a", {}, { labels: { app: "web", tier: "front" } }));
    await client.create(pods, podNamed("b", { nodeName: "n1" }, { labels: { app: "db" } }));
    await client.create(pods, podNamed("c", {}, { namespace: "team", labels: { app: "web" } }));
    const names = async (options: Parameters<ApiClient["list"]>[1]): Promise<string> => (await client.list(pods, options)).items.map((pod) => pod.metadata.name).join(",");
    const cases: readonly (readonly [Parameters<ApiClient["list"]>[1], string])[] = [
      [{}, "a,b,c"], [{ namespace: "default" }, "a,b"], [{ labelSelector: "app=web" }, "a,c"], [{ labelSelector: "app in (web, db),tier" }, "a"], [{ labelSelector: "!tier" }, "b,c"],
      [{ labelSelector: "app!=web" }, "b"], [{ fieldSelector: "spec.nodeName=n1" }, "b"], [{ fieldSelector: "spec.nodeName!=n1,metadata.namespace=team" }, "c"], [{ fieldSelector: "metadata.name=a", namespace: "default" }, "a"],
    ];
    for (const [options, want] of cases) assert.equal(await names(options), want, JSON.stringify(options));
    await rejects(client.list(pods, { fieldSelector: "spec.colour=red" }), { code: 400 });
    await rejects(client.list(pods, { labelSelector: "a=b=c" }), { code: 400 });
  });

  check("a watch follows a list without gap or repetition, and resumes from any event", async (client) => {
    await client.create(configMaps, configMapNamed("before", {}));
    const { resourceVersion } = await client.list(configMaps);
    const seen = collect(client, { resourceVersion });
    const a = await client.create(configMaps, configMapNamed("a", { k: "1" }));
    await client.update(configMaps, { ...a, data: { k: "2" } });
    await client.delete(configMaps, a.metadata);
    const events = await seen.take(3);
    assert.deepEqual(events.map((event) => (event.type === "BOOKMARK" ? "" : `${event.type} ${event.object.metadata.name}`)), ["ADDED a", "MODIFIED a", "DELETED a"]);
    const versions = events.map((event) => (event.type === "BOOKMARK" ? 0 : Number(event.object.metadata.resourceVersion)));
    assert.deepEqual(versions, versions.toSorted((x, y) => x - y));
    await seen.stop();
    const resumed = collect(client, { resourceVersion: String(versions[0]) });
    assert.deepEqual((await resumed.take(2)).map(({ type }) => type), ["MODIFIED", "DELETED"]);
    await resumed.stop();
  });

  check("a watch from 0 begins with everything there is", async (client) => {
    await client.create(configMaps, configMapNamed("a", {}));
    await client.create(configMaps, configMapNamed("b", {}));
    const seen = collect(client, { resourceVersion: "0" });
    assert.deepEqual((await seen.take(2)).map((event) => (event.type === "BOOKMARK" ? "" : `${event.type} ${event.object.metadata.name}`)), ["ADDED a", "ADDED b"]);
    await seen.stop();
  });

  check("a watch with a selector sees objects come into it and leave it", async (client) => {
    const { resourceVersion } = await client.list(configMaps);
    const seen = collect(client, { resourceVersion, labelSelector: "on=yes" });
    const off = await client.create(configMaps, configMapNamed("a", {}));
    const on = await client.update(configMaps, { ...off, metadata: { ...off.metadata, labels: { on: "yes" } } });
    assert.ok(on.kind === "updated");
    const changed = await client.update(configMaps, { ...on.object, data: { k: "1" } });
    assert.ok(changed.kind === "updated");
    await client.update(configMaps, { ...changed.object, metadata: { ...changed.object.metadata, labels: {} } });
    assert.deepEqual((await seen.take(3)).map(({ type }) => type), ["ADDED", "MODIFIED", "DELETED"]);
    await seen.stop();
  });

  check("a watch from a revision that was compacted is Gone", async (client, fixture) => {
    for (const step of ["1", "2", "3"]) await client.create(configMaps, configMapNamed(`a${step}`, {}));
    await fixture.compact();
    const seen = collect(client, { resourceVersion: "1" });
    await rejects(seen.take(1), { code: 410 });
    const { resourceVersion } = await client.list(configMaps);
    const future = collect(client, { resourceVersion: String(Number(resourceVersion) + 1000) });
    await rejects(future.take(1), { code: 410 });
    const nonsense = collect(client, { resourceVersion: "abc" });
    await rejects(nonsense.take(1), { code: 400 });
  });
}

async function rejects(promise: Promise<unknown>, want: { readonly code: number; readonly reason?: string; readonly message?: string }): Promise<ApiError> {
  const error: unknown = await promise.then(() => { throw new assert.AssertionError({ message: `expected a failure with code ${want.code}` }); }, (failure: unknown) => failure);
  if (!(error instanceof ApiError)) throw error;
  assert.deepEqual({ code: error.code, ...(want.reason === undefined ? {} : { reason: error.reason }), ...(want.message === undefined ? {} : { message: error.message }) }, want, error.message);
  return error;
}

function collect(client: ApiClient, options: { readonly resourceVersion: string; readonly labelSelector?: string }): { take(count: number): Promise<readonly WatchEvent<ApiObject>[]>; stop(): Promise<void> } {
  const abort = new AbortController();
  const iterator = client.watch(configMaps, { ...options, signal: abort.signal })[Symbol.asyncIterator]();
  return {
    async take(count) {
      const events: WatchEvent<ApiObject>[] = [];
      while (events.length < count) {
        const result = await iterator.next();
        if (result.done === true) throw new Error("the watch ended");
        if (result.value.type !== "BOOKMARK") events.push(result.value);
      }
      return events;
    },
    async stop() {
      abort.abort();
      assert.equal((await iterator.next()).done, true);
    },
  };
}
