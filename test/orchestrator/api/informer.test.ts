import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import type { ApiClient } from "../../../orchestrator/api/client.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { expired, serviceUnavailable } from "../../../orchestrator/api/errors.ts";
import { startInformer } from "../../../orchestrator/api/informer.ts";
import { configMaps, namespaces } from "../../../orchestrator/api/types/kinds.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { eventually } from "../../support/eventually.ts";
import { configMapNamed } from "../../contract/api-client/api-client-contract.ts";

async function newApi(): Promise<ApiClient> {
  const client = createApi({ store: createMemoryStore(), clock: systemClock, random: Math.random });
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  return client;
}

/** The same API, but the watch and the list can be made to fail as they do when a server restarts or compacts. */
function breakable(client: ApiClient): { readonly client: ApiClient; cut(error: Error | undefined): void; failLists(count: number): void; readonly lists: () => number } {
  let watching = new AbortController(), failure: Error | undefined, failing = 0, lists = 0;
  return {
    lists: () => lists,
    cut(error) { failure = error; watching.abort(); },
    failLists(count) { failing = count; },
    client: {
      create: async (...args) => await client.create(...args), get: async (...args) => await client.get(...args), update: async (...args) => await client.update(...args),
      delete: async (...args) => await client.delete(...args), bind: async (...args) => await client.bind(...args),
      async list(...args) { lists++; if (failing-- > 0) throw serviceUnavailable("down"); return await client.list(...args); },
      async *watch(kind, options) {
        watching = new AbortController();
        yield* client.watch(kind, { ...options, signal: AbortSignal.any([options.signal, watching.signal]) });
        if (!options.signal.aborted && failure !== undefined) throw failure;
      },
    },
  };
}

test("the cache follows every change, and each is reported by key", { timeout: 180_000 }, async () => {
  const client = await newApi();
  await client.create(configMaps, configMapNamed("before", {}));
  const stop = new AbortController();
  const seen: string[] = [];
  const informer = startInformer({ client, kind: configMaps, signal: stop.signal, clock: systemClock, onChange: (key, object) => { seen.push(`${key} ${object?.data?.["k"] ?? (object === undefined ? "gone" : "")}`); } });
  await informer.synced;
  const a = await client.create(configMaps, configMapNamed("a", { k: "1" }));
  await client.update(configMaps, { ...a, data: { k: "2" } });
  await client.delete(configMaps, a.metadata);
  await eventually(() => seen.length === 4);
  assert.deepEqual(seen, ["default/before ", "default/a 1", "default/a 2", "default/a gone"]);
  assert.deepEqual(informer.list().map(({ metadata }) => metadata.name), ["before"]);
  assert.equal(informer.get("default/a"), undefined);
  stop.abort();
  await informer.done;
});

for (const [what, failure] of [["410", expired("too old")], ["an error", new Error("connection reset")]] as const) {
  test(`after ${what} it lists again and reports only what differs`, { timeout: 180_000 }, async () => {
    const broken = breakable(await newApi());
    const [keep, gone] = await Promise.all(["keep", "gone"].map(async (name) => await broken.client.create(configMaps, configMapNamed(name, {}))));
    const stop = new AbortController();
    const seen: string[] = [];
    const informer = startInformer({ client: broken.client, kind: configMaps, signal: stop.signal, clock: systemClock, random: () => 0, onChange: (key, object) => { seen.push(`${key} ${object === undefined ? "gone" : "here"}`); } });
    await informer.synced;
    seen.length = 0;
    broken.failLists(2);
    broken.cut(failure);
    await broken.client.delete(configMaps, gone?.metadata ?? { name: "" });
    await broken.client.create(configMaps, configMapNamed("new", {}));
    await eventually(() => seen.length === 2);
    assert.deepEqual(seen, ["default/gone gone", "default/new here"]);
    assert.ok(broken.lists() >= 4);
    assert.equal(informer.get("default/keep")?.metadata.uid, keep?.metadata.uid);
    stop.abort();
    await informer.done;
  });
}

test("a watch that the server ends is resumed without a new list", { timeout: 180_000 }, async () => {
  const broken = breakable(await newApi());
  const stop = new AbortController();
  const informer = startInformer({ client: broken.client, kind: configMaps, signal: stop.signal, clock: systemClock, random: () => 0 });
  await informer.synced;
  broken.cut(undefined);
  await broken.client.create(configMaps, configMapNamed("a", {}));
  await eventually(() => informer.get("default/a"));
  assert.equal(broken.lists(), 1);
  stop.abort();
  await informer.done;
});

test("an informer stopped before its first list rejects synced and ends", { timeout: 180_000 }, async () => {
  const broken = breakable(await newApi());
  broken.failLists(1_000);
  const stop = new AbortController();
  const informer = startInformer({ client: broken.client, kind: configMaps, signal: stop.signal, clock: systemClock });
  stop.abort(new Error("enough"));
  await assert.rejects(informer.synced, /enough/);
  await informer.done;
});
