import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeRuntime } from "../../../orchestrator/runtime/fake.ts";
import type { FakeBehaviour } from "../../../orchestrator/runtime/fake.ts";
import { RuntimeError } from "../../../orchestrator/runtime/runtime.ts";
import type { ContainerSpec, SandboxSpec } from "../../../orchestrator/runtime/runtime.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";
import type { VirtualClock } from "../../support/virtual-clock.ts";

const sandboxSpec: SandboxSpec = { name: "sandbox", labels: {}, image: "pause", hostname: "h", network: { kind: "host" }, ports: [], sysctls: {}, mounts: [] };
const containerSpec = (sandboxId: string): ContainerSpec => ({
  name: "main", labels: {}, sandboxId, image: "app", env: [], supplementalGroups: [], mounts: [], readOnlyRootFilesystem: true, privileged: false, noNewPrivileges: true, capabilitiesAdd: [], capabilitiesDrop: [],
  seccomp: { kind: "runtimeDefault" }, resources: {}, pidNamespace: "container", ipcNamespace: "sandbox", tty: false, stdin: false, stdinOnce: false,
});
const oops = new RuntimeError("Internal", "oops");

async function running(behaviour: FakeBehaviour): Promise<{ clock: VirtualClock; runtime: FakeRuntime; id: string }> {
  const clock = createVirtualClock();
  const runtime = new FakeRuntime({ clock, behaviour: () => behaviour });
  const sandbox = await runtime.createSandbox(sandboxSpec);
  await runtime.startSandbox(sandbox);
  const id = await runtime.createContainer(containerSpec(sandbox));
  await runtime.startContainer(id);
  return { clock, runtime, id };
}

describe("the fake engine's faults", () => {
  test("a fault before the effect leaves nothing behind, one after it does", async () => {
    const runtime = new FakeRuntime({ clock: createVirtualClock() });
    runtime.inject({ verb: "createSandbox", error: oops });
    await assert.rejects(runtime.createSandbox(sandboxSpec), oops);
    assert.equal((await runtime.list({})).length, 0);
    runtime.inject({ verb: "createSandbox", error: oops, when: "after" });
    await assert.rejects(runtime.createSandbox(sandboxSpec), oops);
    assert.equal((await runtime.list({})).length, 1);
  });

  test("a fault hits the nth matching call, as often as it should, and no other", async () => {
    const runtime = new FakeRuntime({ clock: createVirtualClock() });
    runtime.inject({ verb: "imageStatus", target: /^b/, nth: 2, times: 2, error: oops });
    const outcomes: string[] = [];
    for (const image of ["b", "a", "b", "a", "b", "b"]) outcomes.push(await runtime.imageStatus(image).then(() => "ok", () => "failed"));
    assert.deepEqual(outcomes, ["ok", "ok", "failed", "ok", "failed", "ok"]);
  });

  test("a slow call takes the clock's time, and a fault may act at that very step", async () => {
    const clock = createVirtualClock();
    const runtime = new FakeRuntime({ clock });
    const sandbox = await runtime.createSandbox(sandboxSpec);
    await runtime.startSandbox(sandbox);
    const id = await runtime.createContainer(containerSpec(sandbox));
    runtime.inject({ verb: "startContainer", delayMs: 30_000, act: () => runtime.exitByHand("sandbox") });
    let over = "";
    const start = runtime.startContainer(id).catch((error: unknown) => {
      over = error instanceof RuntimeError ? error.code : "other";
    });
    await clock.advance(29_999);
    assert.equal(over, "");
    await clock.advance(1);
    await start;
    assert.equal(over, "InvalidState");
  });

  test("a process ends by itself at its time", async () => {
    const { clock, runtime, id } = await running({ exitAfterMs: 5_000, oomKilled: true });
    await clock.advance(4_999);
    assert.equal((await runtime.containerStatus(id))?.state.kind, "running");
    await clock.advance(1);
    const state = (await runtime.containerStatus(id))?.state;
    assert.ok(state?.kind === "exited");
    assert.deepEqual([state.exitCode, state.oomKilled, state.finishedAtMs - state.startedAtMs], [137, true, 5_000]);
  });

  test("a process that ignores SIGTERM is killed at the end of the grace, a slow one ends within it", async () => {
    for (const [behaviour, atMs, exitCode] of [[{ ignoresSigterm: true }, 30_000, 137], [{ sigtermDelayMs: 2_000, sigtermExitCode: 0 }, 2_000, 0]] as const) {
      const { clock, runtime, id } = await running(behaviour);
      const stopping = runtime.stop(id, { graceSeconds: 30 });
      await clock.advance(atMs - 1);
      assert.equal((await runtime.containerStatus(id))?.state.kind, "running");
      await clock.advance(1);
      await stopping;
      const state = (await runtime.containerStatus(id))?.state;
      assert.equal(state?.kind === "exited" ? state.exitCode : undefined, exitCode);
    }
  });

  test("waiting for a stop can be given up without ending it", async () => {
    const { clock, runtime, id } = await running({ sigtermDelayMs: 2_000 });
    const abort = new AbortController();
    const stopping = runtime.stop(id, { graceSeconds: 30, signal: abort.signal });
    const outcome = assert.rejects(stopping, /enough/);
    await clock.settle();
    abort.abort(new Error("enough"));
    await outcome;
    await clock.advance(2_000);
    assert.equal((await runtime.containerStatus(id))?.state.kind, "exited");
  });

  test("events are lost, repeated and cut on demand, and a replay tells them all", async () => {
    const clock = createVirtualClock();
    const runtime = new FakeRuntime({ clock });
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { action } of runtime.events({ labels: {}, signal: new AbortController().signal })) seen.push(action);
    })();
    const cut = assert.rejects(watching, /closed the event stream/);
    await clock.settle();
    const id = await runtime.createSandbox(sandboxSpec);
    runtime.loseNextEvents(1);
    await runtime.startSandbox(id);
    runtime.repeatNextEvents(1);
    await runtime.kill(id, "SIGKILL");
    await clock.settle();
    runtime.cutEventStreams();
    await cut;
    assert.deepEqual(seen, ["create", "die", "die"]);
    const abort = new AbortController();
    const replayed: string[] = [];
    for await (const { action } of runtime.events({ labels: {}, sinceMs: 0, signal: abort.signal })) if (replayed.push(action) === 3) abort.abort();
    assert.deepEqual(replayed, ["create", "start", "die"]);
  });

  test("an image is missing until it can be pulled", async () => {
    const clock = createVirtualClock();
    const runtime = new FakeRuntime({ clock, images: ["pause"] });
    await assert.rejects(runtime.pullImage("app", {}), (error) => error instanceof RuntimeError && error.code === "ImageNotFound");
    runtime.makePullable("app", { delayMs: 700 });
    const pulling = runtime.pullImage("app", {});
    await clock.advance(700);
    await pulling;
    assert.ok((await runtime.imageStatus("app")) !== undefined);
  });

  test("the journal tells what was over before what began", async () => {
    const { clock, runtime, id } = await running({ sigtermDelayMs: 100 });
    runtime.clearJournal();
    const stopping = runtime.stop(id, { graceSeconds: 5 });
    await clock.settle();
    const removing = runtime.remove("sandbox");
    await clock.advance(100);
    await Promise.all([stopping, removing]);
    const [stop, remove] = runtime.journal;
    assert.deepEqual([stop?.verb, stop?.target, stop?.detail, stop?.outcome, remove?.verb, remove?.target], ["stop", "main", "5", "ok", "remove", "sandbox"]);
    assert.ok((remove?.endOrder ?? 0) < (stop?.endOrder ?? 0));
  });
});
