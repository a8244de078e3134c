import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import type { PodStatus } from "../../../orchestrator/api/types/pod.ts";
import { label, type Runtime } from "../../../orchestrator/runtime/runtime.ts";
import { eventually } from "../../support/eventually.ts";
import { prepareCluster, removeCluster } from "./support.ts";

type Outcome = { readonly kind: "ready"; readonly status: PodStatus } | { readonly kind: "gone" } | { readonly kind: "killed" };
type Life = { readonly mode: "up" | "down"; readonly dieAfterCall?: number };

/** One life of the control plane: until it says that the Pod is where it should be, or until it dies. */
class NodeProcess {
  readonly outcome: Promise<Outcome>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(o: { readonly clusterName: string; readonly stateDirectory: string; readonly journal: string }, life: Life) {
    const child = spawn(process.execPath, [join(import.meta.dirname, "node-process.ts"), o.clusterName, o.stateDirectory, o.journal, life.mode, String(life.dieAfterCall ?? -1)], { stdio: ["ignore", "pipe", "inherit"] });
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("ready ")) resolve({ kind: "ready", status: JSON.parse(line.slice(6)) as PodStatus });
      if (line === "gone") resolve({ kind: "gone" });
    });
    this.#ended = once(child, "exit");
    child.on("exit", (code, signal) => (signal === "SIGKILL" ? resolve({ kind: "killed" }) : reject(new Error(`The node process ended with code ${code ?? "none"}`))));
    this.outcome = promise;
    this.#child = child;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

const running = async (runtime: Runtime, clusterName: string): Promise<Readonly<Record<string, string>>> => {
  const objects = (await runtime.list({ [label.cluster]: clusterName })).filter((object) => object.state === "running");
  const byName = objects.map((object) => [object.labels[label.container] ?? "sandbox", object.id] as const);
  assert.equal(new Set(byName.map(([name]) => name)).size, byName.length, `twice running: ${byName.map(([name]) => name).join(" ")}`);
  return Object.fromEntries(byName);
};

test("a control plane killed after every engine call of a Pod's start and stop restarts no container and leaves nothing", { timeout: 900_000 }, async () => {
  const cluster = await prepareCluster();
  const { clusterName, runtime, stateDirectory } = cluster;
  const journal = mkdtempSync(join(tmpdir(), "podkit-journal-"));
  const lines = (): readonly string[] => readFileSync(join(journal, "log"), "utf8").trim().split("\n");
  writeFileSync(join(journal, "log"), "");
  const live = (life: Life): NodeProcess => new NodeProcess({ ...cluster, journal }, life);
  try {
    let kills = 0;
    let node = live({ mode: "up", dieAfterCall: 1 });
    while ((await node.outcome).kind === "killed") {
      kills += 1;
      assert.ok(kills < 60, `Expected every life to bring the Pod a step on, journal: ${lines().join(" ")}`);
      node = live({ mode: "up", dieAfterCall: 1 });
    }
    await node.kill();
    assert.ok(kills >= 6, `Expected a kill at every step (calls made at the same time end together), had ${kills}`);
    node = live({ mode: "up" });
    const first = await node.outcome;
    assert.ok(first.kind === "ready");
    for (const container of [...(first.status.initContainerStatuses ?? []), ...(first.status.containerStatuses ?? [])]) assert.equal(container.restartCount, 0, container.name);
    // A container runs before its program has written anything.
    await eventually(() => ["prepare", "proxy", "a", "b"].every((name) => lines().includes(name)), { what: "every container's line in the journal" });
    for (const name of ["prepare", "proxy", "a", "b"]) assert.equal(lines().filter((line) => line === name).length, 1, `${name} was started once: ${lines().join(" ")}`);
    const before = await running(runtime, clusterName);
    assert.deepEqual(Object.keys(before).toSorted(), ["a", "b", "proxy", "sandbox"]);
    const hooks = lines().filter((line) => line === "hook").length;

    await node.kill();
    node = live({ mode: "up" });
    const second = await node.outcome;
    assert.ok(second.kind === "ready");
    assert.deepEqual(await running(runtime, clusterName), before, "the same containers run");
    assert.deepEqual(second.status.containerStatuses?.map((container) => container.containerID), first.status.containerStatuses?.map((container) => container.containerID));
    assert.equal(lines().filter((line) => line === "hook").length, hooks, "the postStart hook of a running container is not run again");
    await node.kill();

    kills = 0;
    node = live({ mode: "down", dieAfterCall: 1 });
    while ((await node.outcome).kind === "killed") {
      kills += 1;
      assert.ok(kills < 60, "Expected every life to bring the Pod's end a step on");
      node = live({ mode: "down", dieAfterCall: 1 });
    }
    await node.kill();
    assert.ok(kills >= 4, `Expected a kill at every step (calls made at the same time end together), had ${kills}`);
    assert.deepEqual(await runtime.list({ [label.cluster]: clusterName }), []);
    assert.deepEqual(await runtime.listVolumes({ [label.cluster]: clusterName }), []);
    assert.deepEqual(readdirSync(join(stateDirectory, "pods")), []);
  } finally {
    await removeCluster(clusterName, runtime, stateDirectory);
    rmSync(journal, { recursive: true, force: true });
  }
});
