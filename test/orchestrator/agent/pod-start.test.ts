import assert from "node:assert/strict";
import { test } from "node:test";
import { isReady, runningContainers, simulate } from "./support.ts";

const image = "podkit/busybox:test";

test("a Pod of two containers becomes ready, is deleted with grace, and nothing is left", async () => {
  const s = await simulate();
  const { stop } = s.agent();
  await s.create({ containers: [{ name: "a", image }, { name: "b", image }] });
  await s.until("the Pod is ready", async () => isReady(await s.get()));
  assert.deepEqual(runningContainers(s.runtime).toSorted(), ["a", "b"]);
  const status = (await s.get())?.status;
  assert.equal(status?.phase, "Running");
  assert.match(status?.containerStatuses?.[0]?.containerID ?? "", /^docker:\/\//);
  const { pods } = await import("../../../orchestrator/api/types/kinds.ts");
  await s.client.delete(pods, { namespace: "default", name: "web" });
  await s.until("the Pod is gone", async () => (await s.get()) === undefined);
  assert.deepEqual(s.runtime.runningNames(), []);
  assert.deepEqual(await s.runtime.list({}), []);
  await stop();
  await s.end();
});
