import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { ApiError, errorFromStatus } from "../../../orchestrator/api/errors.ts";
import { configMaps, namespaces } from "../../../orchestrator/api/types/kinds.ts";
import { openSqliteStore } from "../../../orchestrator/store/sqlite.ts";
import { createTinyDisk, noTinyDisk } from "../../support/tiny-disk.ts";
import { configMapNamed } from "../../contract/api-client/api-client-contract.ts";

test("on a full disk a write is refused with the place and the remedy, reads go on, and writes too once there is room", { skip: noTinyDisk ?? false, timeout: 180_000 }, async (context) => {
  await using disk = await createTinyDisk(2 * 1024 * 1024);
  const path = join(disk.path, "store.sqlite");
  const store = openSqliteStore({ path });
  const client = createApi({ store, clock: systemClock, random: Math.random });
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const seen: string[] = [];
  const stop = new AbortController();
  context.after(() => { stop.abort(); });
  const watching = (async () => {
    for await (const event of client.watch(configMaps, { resourceVersion: "0", signal: stop.signal })) if (event.type !== "BOOKMARK") seen.push(event.object.metadata.name);
  })();
  await client.create(configMaps, configMapNamed("before", { text: "x" }));
  await disk.fill();

  const kept = ["before"];
  /** Undefined when there was room. */
  const refused = async (name: string): Promise<unknown> => {
    try {
      await client.create(configMaps, configMapNamed(name, { text: "x".repeat(5_000) }));
      kept.push(name);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  // The database's log still has room in its last page for a few.
  let refusal = await refused("full-0");
  for (let index = 1; index < 100 && refusal === undefined; index++) refusal = await refused(`full-${index}`);
  assert.ok(refusal instanceof ApiError, "the disk never was full");
  assert.equal(refusal.code, 507);
  assert.equal(refusal.reason, "InsufficientStorage");
  assert.equal(refusal.message, `Cannot write to the store ${path}: the disk is full; free some room and try again`);
  assert.equal(errorFromStatus(refusal.toStatus(), 507).reason, "InsufficientStorage", "the reason is the same behind HTTP");

  const names = async (): Promise<readonly string[]> => (await client.list(configMaps)).items.map(({ metadata }) => metadata.name).toSorted();
  assert.deepEqual(await names(), kept.toSorted());
  await assert.rejects(client.delete(configMaps, { namespace: "default", name: "before" }), { code: 507 });
  assert.deepEqual(await names(), kept.toSorted(), "a refused deletion deletes nothing");

  await disk.free();
  await client.create(configMaps, configMapNamed("after", { text: "x" }));
  kept.push("after");
  assert.deepEqual(await names(), kept.toSorted());
  stop.abort();
  await watching;
  assert.deepEqual(seen, kept, "a watch sees what was written, once and in order");
  await store.close();

  const again = openSqliteStore({ path });
  assert.equal((await again.list("/registry/configmaps/")).entries.length, kept.length);
  await again.close();
});
