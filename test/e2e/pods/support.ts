import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import { MetricRegistry } from "../../../kit/metrics.ts";
import { startAgent, type Agent } from "../../../orchestrator/agent/agent.ts";
import { removePodCgroups } from "../../../orchestrator/agent/pod-worker/tear-down.ts";
import type { ApiClient } from "../../../orchestrator/api/client.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import type { Event } from "../../../orchestrator/api/types/event.ts";
import { configMaps, events, namespaces, pods, secrets } from "../../../orchestrator/api/types/kinds.ts";
import type { Container, ContainerStatus, Pod, PodSpec } from "../../../orchestrator/api/types/pod.ts";
import { connectDocker } from "../../../orchestrator/runtime/docker/docker-runtime.ts";
import { label, type Runtime } from "../../../orchestrator/runtime/runtime.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import type { Store } from "../../../orchestrator/store/store.ts";
import { eventually } from "../../support/eventually.ts";
import { image } from "../../support/images.ts";

export const busybox = (): string => image("busybox");
const nodeName = "node-a";
const startTimeoutMs = 60_000;

export type NodeSetup = { readonly clusterName: string; readonly runtime: Runtime; readonly store: Store; readonly stateDirectory: string; readonly signal: AbortSignal };

/** One node agent and an API in process, on the real engine: no HTTP, no scheduler; Pods name their node. */
export function startNode(o: NodeSetup): { readonly client: ApiClient; readonly agent: Agent } {
  const client = createApi({ store: o.store, clock: systemClock, random: Math.random });
  const agent = startAgent({
    nodeName, clusterName: o.clusterName, client, runtime: o.runtime, stateDirectory: o.stateDirectory, pauseImage: image("pause"),
    network: { name: networkOf(o.clusterName), dnsServer: undefined, domain: "cluster.local" }, clock: systemClock, random: Math.random,
    log: createLog({ role: "agent", level: process.env["PODKIT_TEST_LOG"] ?? "silent" }), metrics: new MetricRegistry(), signal: o.signal,
  });
  return { client, agent };
}

export async function ensureDefaultNamespace(client: ApiClient): Promise<void> {
  if ((await client.get(namespaces, { name: "default" })) === undefined) await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
}

export const networkOf = (clusterName: string): string => `podkit-${clusterName}`;
export const onNode = (spec: PodSpec): PodSpec => ({ nodeName, terminationGracePeriodSeconds: 2, ...spec });
export const podOf = (name: string, spec: PodSpec, metadata: Partial<Pod["metadata"]> = {}): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default", ...metadata }, spec: onNode(spec) });
/** A busybox container that runs a shell script; it ends at once on SIGTERM. */
export const shell = (name: string, script: string, more: Partial<Container> = {}): Container => ({ name, image: busybox(), command: ["sh", "-c", script], ...more });
/** Waits until it is told to end, as a shell that answers SIGTERM. */
export const idle = "trap 'exit 0' TERM; sleep 100000 & wait";
/** For every probe of a test: a machine that stands still for a while must not fail one by its time. */
export const patient = { periodSeconds: 1, timeoutSeconds: 60, failureThreshold: 300 };

export async function openDocker(): Promise<Runtime> {
  return await connectDocker({ dockerHost: process.env["DOCKER_HOST"], configDirectory: join(process.env["HOME"] ?? "/root", ".docker") });
}

export class TestCluster implements AsyncDisposable {
  readonly clusterName: string;
  readonly runtime: Runtime;
  readonly stateDirectory: string;
  readonly client: ApiClient;
  readonly agent: Agent;
  readonly #end: AbortController;

  private constructor(clusterName: string, runtime: Runtime, stateDirectory: string) {
    this.clusterName = clusterName;
    this.runtime = runtime;
    this.stateDirectory = stateDirectory;
    this.#end = new AbortController();
    ({ client: this.client, agent: this.agent } = startNode({ clusterName, runtime, store: createMemoryStore(), stateDirectory, signal: this.#end.signal }));
  }

  static async start(): Promise<TestCluster> {
    const { clusterName, runtime, stateDirectory } = await prepareCluster();
    const cluster = new TestCluster(clusterName, runtime, stateDirectory);
    await ensureDefaultNamespace(cluster.client);
    return cluster;
  }

  async create(name: string, spec: PodSpec, metadata: Partial<Pod["metadata"]> = {}): Promise<Pod> {
    return await this.client.create(pods, podOf(name, spec, metadata));
  }

  async get(name: string): Promise<Pod | undefined> {
    return await this.client.get(pods, { namespace: "default", name });
  }

  async status(name: string, container: string): Promise<ContainerStatus> {
    const status = (await this.get(name))?.status;
    const found = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find((candidate) => candidate.name === container);
    if (found === undefined) throw new Error(`Pod ${name} has no status of container ${container} yet`);
    return found;
  }

  async untilReady(name: string): Promise<Pod> {
    return await this.untilPod(name, "ready", (pod) => pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false);
  }

  async untilPhase(name: string, phase: string): Promise<Pod> {
    return await this.untilPod(name, phase, (pod) => pod.status?.phase === phase);
  }

  async untilPod(name: string, what: string, holds: (pod: Pod) => boolean): Promise<Pod> {
    return await eventually(async () => {
      const pod = await this.get(name);
      if (pod !== undefined && holds(pod)) return pod;
      throw new Error(`Pod ${name} is not ${what}: ${JSON.stringify(pod?.status)} events: ${(await this.eventMessages(name)).join(" | ")}`);
    }, { timeoutMs: startTimeoutMs, intervalMs: 50, what });
  }

  async delete(name: string): Promise<void> {
    await this.client.delete(pods, { namespace: "default", name });
    await eventually(async () => (await this.get(name)) === undefined, { timeoutMs: startTimeoutMs, what: `Pod ${name} is gone` });
  }

  async putConfigMap(name: string, data: Record<string, string>): Promise<void> {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data } as const;
    if ((await this.client.get(configMaps, { namespace: "default", name })) === undefined) await this.client.create(configMaps, object);
    else await this.client.update(configMaps, object);
  }

  async putSecret(name: string, data: Record<string, string>): Promise<void> {
    await this.client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "default" }, stringData: data });
  }

  async events(name: string): Promise<readonly Event[]> {
    return (await this.client.list(events, { namespace: "default" })).items.filter((event) => event.involvedObject.name === name);
  }

  /** `Reason: message` of the Pod's events. */
  async eventMessages(name: string): Promise<readonly string[]> {
    return (await this.events(name)).map((event) => `${event.reason ?? ""}: ${event.message ?? ""}`);
  }

  /** An event is written apart from the status that it goes with, before or after it. Returns all messages with the awaited one. */
  async untilEvent(name: string, what: string, holds: (message: string) => boolean = (message) => message === what): Promise<readonly string[]> {
    return await eventually(async () => {
      const messages = await this.eventMessages(name);
      if (messages.some((message) => holds(message))) return messages;
      throw new Error(`the events are ${messages.join(" | ")}`);
    }, { what: `event "${what}"` });
  }

  /** Standard output of a command in a running container; fails when the command does. */
  async exec(pod: string, container: string, ...command: readonly string[]): Promise<string> {
    const result = await this.runtime.execSync(await this.containerId(pod, container), { command, timeoutMs: 20_000, outputBytesMax: 65_536 });
    if (result.kind === "timeout" || result.exitCode !== 0) throw new Error(`Command ${command.join(" ")} in ${pod}/${container}: ${JSON.stringify(result)}`);
    return result.stdout;
  }

  async containerId(pod: string, container: string): Promise<string> {
    return ((await this.status(pod, container)).containerID ?? "").replace("docker://", "");
  }

  async sandboxId(pod: string): Promise<string> {
    const uid = (await this.get(pod))?.metadata.uid ?? "";
    const found = (await this.runtime.list({ [label.podUid]: uid, [label.kind]: "sandbox" })).find((sandbox) => sandbox.state === "running");
    if (found === undefined) throw new Error(`Pod ${pod} has no running sandbox`);
    return found.id;
  }

  async logs(pod: string, container: string, options: { readonly previous?: boolean } = {}): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.agent.streams.logs({ namespace: "default", pod, container, follow: false, previous: options.previous ?? false, timestamps: false })) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.agent.done;
    await removeCluster(this.clusterName, this.runtime, this.stateDirectory);
  }
}

export async function prepareCluster(): Promise<{ readonly clusterName: string; readonly runtime: Runtime; readonly stateDirectory: string }> {
  const clusterName = `agent-test-${randomBytes(4).toString("hex")}`;
  const runtime = await openDocker();
  await runtime.ensureNetwork({ name: networkOf(clusterName), labels: { [label.cluster]: clusterName } });
  return { clusterName, runtime, stateDirectory: mkdtempSync(join(tmpdir(), "podkit-e2e-")) };
}

export async function removeCluster(clusterName: string, runtime: Runtime, stateDirectory: string): Promise<void> {
  const labels = { [label.cluster]: clusterName };
  const objects = await runtime.list(labels);
  await Promise.all(objects.map(async (object) => await runtime.remove(object.id)));
  for (const uid of new Set(objects.map((object) => object.labels[label.podUid]))) if (uid !== undefined) await removePodCgroups(uid);
  await Promise.all((await runtime.listVolumes(labels)).map(async (volume) => await runtime.removeVolume(volume.name)));
  await runtime.removeNetwork(networkOf(clusterName));
  await runtime.close();
  rmSync(stateDirectory, { recursive: true, force: true });
}
