import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { createLog } from "../../../kit/log.ts";
import { MetricRegistry } from "../../../kit/metrics.ts";
import { startAgent, type Agent } from "../../../orchestrator/agent/agent.ts";
import type { ApiClient } from "../../../orchestrator/api/client.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { events, namespaces, pods } from "../../../orchestrator/api/types/kinds.ts";
import type { Event } from "../../../orchestrator/api/types/event.ts";
import type { Pod, PodSpec } from "../../../orchestrator/api/types/pod.ts";
import { FakeRuntime, type FakeBehaviour } from "../../../orchestrator/runtime/fake.ts";
import { label, type ContainerSpec, type Runtime } from "../../../orchestrator/runtime/runtime.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { createVirtualClock, type VirtualClock } from "../../support/virtual-clock.ts";

export type Simulation = {
  readonly clock: VirtualClock;
  readonly runtime: FakeRuntime;
  readonly client: ApiClient;
  readonly stateDirectory: string;
  /** Starts a node agent; the runtime may be wrapped to fail or to die. */
  agent(runtime?: Runtime): { readonly agent: Agent; readonly stop: () => Promise<void>; readonly drop: () => void };
  create(spec: PodSpec, name?: string): Promise<Pod>;
  get(name?: string): Promise<Pod | undefined>;
  events(): Promise<readonly Event[]>;
  /** Moves time on in small steps until the condition holds; fails when it has not after `withinMs` of virtual time. */
  until(what: string, condition: () => boolean | Promise<boolean>, withinMs?: number): Promise<void>;
  /** Ends the agents and removes the files. */
  end(): Promise<void>;
};

const nodeName = "node-a";
const dyingMs = 50;
const networkName = "podkit-test";

/** A cluster of one node on the fake engine and a virtual clock. Files are real, in a temporary directory. */
export async function simulate(behaviour?: (spec: ContainerSpec) => FakeBehaviour | undefined, images?: readonly string[]): Promise<Simulation> {
  const clock = createVirtualClock();
  const runtime = new FakeRuntime({ clock, ...(behaviour === undefined ? {} : { behaviour }), ...(images === undefined ? {} : { images }) });
  await runtime.ensureNetwork({ name: networkName, labels: {} });
  let seed = 1;
  const random = (): number => ((seed = (seed * 16807) % 2147483647) - 1) / 2147483646;
  const client = createApi({ store: createMemoryStore(), clock, random });
  if ((await client.get(namespaces, { name: "default" })) === undefined) await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const stateDirectory = mkdtempSync(join(tmpdir(), "podkit-agent-"));
  const stops: (() => void)[] = [];
  const agents: Agent[] = [];

  const simulation: Simulation = {
    clock, runtime, client, stateDirectory,
    agent(wrapped = runtime) {
      const end = new AbortController();
      stops.push(() => end.abort());
      const agent = startAgent({
        nodeName, clusterName: "test", client, runtime: wrapped, stateDirectory, pauseImage: "podkit/pause:test", network: { name: networkName, dnsServer: undefined, domain: "cluster.local" },
        clock, random, log: createLog({ role: "agent", level: process.env["PODKIT_TEST_LOG"] ?? "silent" }), metrics: new MetricRegistry(), signal: end.signal,
      });
      agent.done.catch(() => undefined);
      agents.push(agent);
      return { agent, stop: async () => { end.abort(); await agent.done; }, drop: () => end.abort() };
    },
    async create(spec, name = "web") {
      return await client.create(pods, { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec: { nodeName, ...spec } });
    },
    async get(name = "web") {
      return await client.get(pods, { namespace: "default", name });
    },
    async events() {
      return (await client.list(events, { namespace: "default" })).items;
    },
    async until(what, condition, withinMs = 60_000) {
      const endMs = clock.monotonicMs() + withinMs;
      for (;;) {
        for (let turn = 0; turn < 40; turn++) {
          if (await condition()) return;
          await nextTurn();
        }
        await filesAtRest(); // files are real, and the disk may be slow: they are written before time goes on
        if (clock.monotonicMs() > endMs) throw new Error(`Not within ${withinMs} ms of virtual time: ${what}: ${JSON.stringify((await simulation.get())?.status)} ${JSON.stringify(runtime.journal.slice(-12))}`);
        await clock.advance(100);
      }
    },
    async end() {
      for (const stop of stops) stop();
      await Promise.race([Promise.all(agents.map(async (agent) => await agent.done.catch(() => undefined))), delay(dyingMs)]); // an agent that was killed in mid-call never ends
      await filesAtRest();
      rmSync(stateDirectory, { recursive: true, force: true, maxRetries: 10 });
    },
  };
  return simulation;
}

/** Resolves when no file operation of this process is under way. */
export async function filesAtRest(): Promise<void> {
  do await nextTurn();
  while (process.getActiveResourcesInfo().some((resource) => /^(FSReq|CloseReq)/.test(resource)));
}

export const isReady = (pod: Pod | undefined): boolean => pod?.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;

/** Names of the running containers of the spec (not the sandbox), in the order of their labels. */
export function runningContainers(runtime: FakeRuntime): readonly string[] {
  return runtime.runningNames().map((name) => runtime.spec(name).labels[label.container]).filter((name) => name !== undefined);
}

/** How often a start of each container took effect. */
export function startsByContainer(runtime: FakeRuntime): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const entry of runtime.journal) if (entry.verb === "startContainer" && entry.outcome === "ok") counts[entry.target] = (counts[entry.target] ?? 0) + 1;
  return counts;
}
