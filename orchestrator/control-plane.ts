import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Backoff } from "../kit/backoff.ts";
import type { Clock, Random } from "../kit/clock.ts";
import type { Log } from "../kit/log.ts";
import type { MetricRegistry } from "../kit/metrics.ts";
import { supervise } from "../kit/supervise.ts";
import { type Agent, startAgent } from "./agent/agent.ts";
import { removePodCgroups } from "./agent/pod-worker/tear-down.ts";
import type { ApiClient } from "./api/client.ts";
import { createApi, permanentNamespaces } from "./api/core.ts";
import { ApiError, isAlreadyExists } from "./api/errors.ts";
import { runHousekeeping } from "./api/housekeeping.ts";
import { type ApiServer, serveApi } from "./api/http/server.ts";
import type { NodeStreams } from "./api/node-streams.ts";
import { namespaces } from "./api/types/kinds.ts";
import { type ClusterNetwork, ensureClusterNetwork, removeClusterNetwork } from "./network/cluster-network.ts";
import { runServiceNetwork } from "./network/service-network.ts";
import { label, type Runtime } from "./runtime/runtime.ts";
import { runScheduler } from "./scheduler/scheduler.ts";
import { createMemoryStore } from "./store/memory.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { Store } from "./store/store.ts";

export type ControlPlaneOptions = {
  readonly clusterName: string;
  /** Made when absent. Holds store.sqlite and what the agent and the network keep. */
  readonly stateDirectory: string;
  readonly storeKind: "memory" | "sqlite";
  readonly runtime: Runtime;
  readonly images: { readonly pause: string; readonly dns: string };
  readonly listen: { readonly socketPath?: string; readonly tcp?: { readonly host: string; readonly port: number } };
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** The name of the one node; `podkit-` and the cluster's name by default. It must not change while Pods are bound to it. */
  readonly nodeName?: string;
};

export type ControlPlane = {
  readonly client: ApiClient;
  readonly streams: NodeStreams;
  /** Where the API is served, with the port that was taken. */
  readonly servers: readonly ApiServer[];
  /** Ends the control plane; Pods stay as they are. Resolves when everything of it has ended. */
  stop(): Promise<void>;
  /** Resolves when it has ended by the signal or by stop; rejects when the agent cannot go on. */
  readonly done: Promise<void>;
};

/** A Pod that cannot be looked at must not keep everybody from the others for longer. */
const firstSyncMsMax = 30_000;
const restart: Backoff = { initialMs: 500, maxMs: 30_000, factor: 2, jitter: 0.5 };

/**
 * Store, API, scheduler, network and node agent of a cluster of one node, in one process. They meet only in the API. Resolves when the
 * API is served and the agent has been started; Pods of an earlier run are adopted. Throws ApiError, StoreError or RuntimeError, and
 * then has started nothing that lasts but the cluster's network.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o700 });
  const store = openStore(options);
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  try {
    return await startParts(options, { store, stop, signal });
  } catch (error) {
    stop.abort();
    await store.close();
    throw error;
  }
}

function openStore({ storeKind, stateDirectory, log }: ControlPlaneOptions): Store {
  if (storeKind === "memory") return createMemoryStore();
  return openSqliteStore({ path: join(stateDirectory, "store.sqlite"), onCompactionFailure: (error) => { log.warn({ err: error }, "Old history could not be deleted"); } });
}

type Lifetime = { readonly store: Store; readonly stop: AbortController; readonly signal: AbortSignal };

async function startParts(options: ControlPlaneOptions, { store, stop, signal }: Lifetime): Promise<ControlPlane> {
  const { clusterName, stateDirectory, runtime, images, log, metrics, clock, random } = options;
  const client = createApi({ store, clock, random });
  for (const name of permanentNamespaces) await ensureNamespace(client, name);
  metrics.gauge({ name: "podkit_store_revision", help: "Newest revision of the store." }).collect(() => [{ value: store.currentRevision() }]);

  let agent: Agent | undefined;
  let synced = false;
  const notReady = (): readonly string[] => (agent === undefined ? ["the node agent has not started"] : synced ? [] : ["the node agent has not looked at every Pod yet"]);
  // The servers outlive the parts, so that the last status of everything can be written and read; they end with the store.
  const serving = new AbortController();
  const servers = await listen(options, client, { streams: () => agent?.streams, readiness: notReady, signal: serving.signal });
  try {
    const network = await ensureClusterNetwork({ clusterName, runtime, stateDirectory, dnsImage: images.dns, log, signal, clock, random });
    agent = startAgent({ nodeName: options.nodeName ?? `podkit-${clusterName}`, clusterName, client, runtime, stateDirectory, pauseImage: images.pause, network, clock, random, log, metrics, signal });
    void firstSync(agent, { clock, log, signal }).then(() => (synced = true));
    const parts = runParts(options, { client, network, agent, signal });
    const done = ended({ parts, stop, serving, servers, store });
    // Who only calls stop() sees its failure there.
    done.catch(() => undefined);
    const { streams } = agent;
    return { client, streams, servers, done, async stop() { stop.abort(); await done; } };
  } catch (error) {
    serving.abort();
    await Promise.all(servers.map(async (server) => await server.done));
    throw error;
  }
}

/** Until it resolves, what the API tells of Pods may be older than this control plane. Never rejects. */
async function firstSync(agent: Agent, { clock, log, signal }: Pick<ControlPlaneOptions, "clock" | "log" | "signal">): Promise<void> {
  const synced = new AbortController();
  const late = clock.sleep(firstSyncMsMax, AbortSignal.any([signal, synced.signal])).then(
    () => log.warn({ afterMs: firstSyncMsMax }, "Ready, although the node agent could not look at every Pod yet: statuses may be old"),
    () => undefined, // synced, or the control plane ends
  );
  await Promise.race([agent.firstSync, late]);
  synced.abort();
}

/** A part that fails is started again after a back-off; the others go on. Only the agent's own end, before the signal, ends everything. */
function runParts(options: ControlPlaneOptions, { client, network, agent, signal }: { readonly client: ApiClient; readonly network: ClusterNetwork; readonly agent: Agent; readonly signal: AbortSignal }): readonly Promise<void>[] {
  const { clock, random, log, stateDirectory } = options;
  const part = async (name: string, run: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    await supervise({ name, run, backoff: restart, clock, random, signal, onFailure: (error, _attempt, delayMs) => { log.error({ err: error, part: name, delayMs }, "A part of the control plane failed; starting it again"); } });
  };
  return [
    agent.done,
    network.done,
    part("scheduler", async (partSignal) => { await runScheduler({ client, clock, random, log, signal: partSignal }); }),
    part("service-network", async (partSignal) => { await runServiceNetwork({ client, stateDirectory, clock, random, log, signal: partSignal }); }),
    part("housekeeping", async (partSignal) => { await runHousekeeping({ client, clock, random, log, signal: partSignal }); }),
  ];
}

async function ended(o: { readonly parts: readonly Promise<void>[]; readonly stop: AbortController; readonly serving: AbortController; readonly servers: readonly ApiServer[]; readonly store: Store }): Promise<void> {
  try {
    await Promise.all(o.parts);
  } finally {
    o.stop.abort();
    // Each still writes its last words.
    await Promise.allSettled(o.parts);
    o.serving.abort();
    await Promise.all(o.servers.map(async (server) => await server.done));
    await o.store.close();
  }
}

async function listen(options: ControlPlaneOptions, client: ApiClient, { streams, readiness, signal }: { readonly streams: () => NodeStreams | undefined; readonly readiness: () => readonly string[]; readonly signal: AbortSignal }): Promise<readonly ApiServer[]> {
  const { socketPath, tcp } = options.listen;
  const addresses = [...(socketPath === undefined ? [] : [{ socketPath }]), ...(tcp === undefined ? [] : [tcp])];
  const servers: ApiServer[] = [];
  const until = new AbortController();
  try {
    for (const address of addresses) servers.push(await serveApi({ client, streams, listen: address, log: options.log, signal: AbortSignal.any([signal, until.signal]), readiness, clock: options.clock, random: options.random }));
    return servers;
  } catch (error) {
    until.abort();
    await Promise.all(servers.map(async (server) => await server.done));
    throw error;
  }
}

async function ensureNamespace(client: ApiClient, name: string): Promise<void> {
  try {
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/**
 * Removes every container, network and volume that carries the cluster's label. Needs no control plane, and none may be running. Goes
 * on after a failure and throws what could not be removed at the end. The state directory is the caller's to remove.
 */
export async function tearDownCluster(options: { readonly clusterName: string; readonly stateDirectory: string; readonly runtime: Runtime; readonly log: Log }): Promise<void> {
  const { clusterName, runtime, log } = options;
  const labels = { [label.cluster]: clusterName };
  const failures: unknown[] = [];
  const attempt = async (what: string, remove: () => Promise<void>): Promise<void> => {
    try {
      await remove();
      log.debug({ what }, "Removed");
    } catch (error) {
      failures.push(error);
      log.warn({ err: error, what }, "Could not remove");
    }
  };
  const objects = await runtime.list(labels);
  const isSandbox = (object: (typeof objects)[number]): boolean => object.labels[label.kind] === "sandbox" || object.labels[label.kind] === "dns";
  // Containers before the sandboxes whose network they share; the networks and volumes when nobody uses them any more.
  for (const object of objects) if (!isSandbox(object)) await attempt(object.name, async () => { await runtime.remove(object.id); });
  for (const object of objects) if (isSandbox(object)) await attempt(object.name, async () => { await runtime.remove(object.id); });
  // The engine leaves the Pods' parent groups behind.
  for (const uid of new Set(objects.flatMap((object) => object.labels[label.podUid] ?? []))) await removePodCgroups(uid);
  await attempt("network", async () => { await removeClusterNetwork({ clusterName, runtime }); });
  for (const { name } of await runtime.listNetworks(labels)) await attempt(name, async () => { await runtime.removeNetwork(name); });
  for (const { name } of await runtime.listVolumes(labels)) await attempt(name, async () => { await runtime.removeVolume(name); });
  if (failures.length > 0) throw new ApiError({ code: 500, reason: "InternalError", message: `Cannot remove all of the cluster "${clusterName}": ${failures.map((error) => (error instanceof Error ? error.message : String(error))).join("; ")}`, cause: new AggregateError(failures) });
}
