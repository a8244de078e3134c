import assert from "node:assert/strict";
import { test } from "node:test";
import { pods } from "../../../orchestrator/api/types/kinds.ts";
import { RuntimeError } from "../../../orchestrator/runtime/runtime.ts";
import { isReady, runningContainers, simulate } from "./support.ts";

const image = "podkit/busybox:test";
const spec = { terminationGracePeriodSeconds: 5, containers: [{ name: "a", image }, { name: "b", image }] };
const verbs = ["list", "createSandbox", "startSandbox", "createContainer", "startContainer", "containerStatus", "sandboxStatus", "imageStatus"] as const;

for (const verb of verbs) {
  for (const when of ["before", "after"] as const) {
    test(`an engine that answers 500 to ${verb} three times, ${when} the effect, delays a Pod but starts no container twice`, async () => {
      const s = await simulate();
      s.runtime.inject({ verb, times: 3, when, error: new RuntimeError("Internal", "the engine answered 500") });
      s.agent();
      await s.create(spec);
      await s.until("the Pod is ready", async () => isReady(await s.get()), 120_000);
      assert.deepEqual(runningContainers(s.runtime).toSorted(), ["a", "b"]);
      assert.deepEqual((await s.get())?.status?.containerStatuses?.map((status) => status.restartCount), [0, 0]);
      await s.end();
    });
  }
}

test("an engine that takes 30 s for every call only makes a Pod slow", async () => {
  const s = await simulate();
  s.runtime.inject({ verb: "any", times: 1000, delayMs: 30_000 });
  s.agent();
  await s.create(spec);
  await s.until("the Pod is ready", async () => isReady(await s.get()), 1_200_000);
  assert.deepEqual(s.runtime.runningNames().length, 3);
  await s.end();
});

test("without engine events the list finds a container that died, and a cut stream is taken up again", async () => {
  const s = await simulate();
  s.runtime.inject({ verb: "events", times: 1000, error: new RuntimeError("Unreachable", "cut") });
  s.agent();
  await s.create(spec);
  await s.until("the Pod is ready", async () => isReady(await s.get()));
  s.runtime.exitByHand(s.runtime.runningNames().find((name) => name.includes("-a-")) ?? "", 1);
  await s.until("a is started again", async () => (await s.get())?.status?.containerStatuses?.[0]?.restartCount === 1);
  await s.end();
});

test("a sandbox killed at any step of a Pod's start is replaced, and the Pod becomes ready", async (t) => {
  for (const verb of ["startSandbox", "createContainer", "startContainer"] as const) {
    for (const nth of [1, 2]) {
      if (verb === "startSandbox" && nth === 2) continue;
      await t.test(`after ${verb} ${nth}`, async () => {
        const s = await simulate();
        s.runtime.inject({ verb, nth, when: "after", act: () => s.runtime.exitByHand(s.runtime.runningNames().find((name) => name.includes("-POD-")) ?? s.runtime.journal.find((entry) => entry.verb === "createSandbox")?.target ?? "") });
        s.agent();
        await s.create(spec);
        await s.until("the Pod is ready in a second sandbox", async () => isReady(await s.get()) && s.runtime.runningNames().length === 3, 120_000);
        assert.deepEqual(runningContainers(s.runtime).toSorted(), ["a", "b"]);
        await s.end();
      });
    }
  }
});

test("everything the machine lost at once comes back as it was", async () => {
  const s = await simulate();
  s.agent();
  await s.create(spec);
  await s.until("the Pod is ready", async () => isReady(await s.get()));
  s.runtime.stopEverything();
  await s.until("both containers are new", async () => isReady(await s.get()) && (await s.get())?.status?.containerStatuses?.every((status) => status.restartCount === 1) === true, 120_000);
  assert.equal(s.runtime.runningNames().length, 3);
  await s.end();
});

test("a Pod deleted by force while no agent runs leaves nothing once one runs again", async () => {
  const s = await simulate();
  const first = s.agent();
  await s.create(spec);
  await s.until("the Pod is ready", async () => isReady(await s.get()));
  await first.stop();
  await s.client.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  s.agent();
  await s.until("nothing is left", async () => (await s.runtime.list({})).length === 0);
  await s.end();
});

test("a Pod deleted while its image is being pulled goes at once", async () => {
  const s = await simulate(undefined, ["podkit/pause:test"]);
  s.runtime.makePullable("slow:1", { delayMs: 3_600_000 });
  s.agent();
  await s.create({ containers: [{ name: "a", image: "slow:1" }] });
  await s.until("the pull has begun", async () => (await s.events()).some((event) => event.reason === "Pulling"));
  await s.client.delete(pods, { namespace: "default", name: "web" });
  await s.until("the Pod is gone", async () => (await s.get()) === undefined, 20_000);
  assert.deepEqual(await s.runtime.list({}), []);
  await s.end();
});

test("a name used again is another Pod with containers of its own", async () => {
  const s = await simulate();
  s.agent();
  const first = await s.create(spec);
  await s.until("the Pod is ready", async () => isReady(await s.get()));
  await s.client.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  const second = await s.create(spec);
  await s.until("the second Pod is ready", async () => isReady(await s.get()) && s.runtime.runningNames().length === 3);
  assert.ok(s.runtime.runningNames().every((name) => name.includes(second.metadata.uid ?? "?") && !name.includes(first.metadata.uid ?? "?")), s.runtime.runningNames().join(" "));
  await s.end();
});
