import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Random } from "../../kit/clock.ts";
import { replaceFile } from "../../kit/files.ts";
import { KeyedQueue } from "../../kit/keyed-queue.ts";
import type { Log } from "../../kit/log.ts";
import type { ApiClient } from "../api/client.ts";
import { isNotFound } from "../api/errors.ts";
import { objectKeyOf, startInformer } from "../api/informer.ts";
import type { Informer } from "../api/informer.ts";
import type { EndpointSlice } from "../api/types/endpoint-slice.ts";
import { endpointSlices, pods, services } from "../api/types/kinds.ts";
import type { Pod } from "../api/types/pod.ts";
import type { Service } from "../api/types/service.ts";
import { dnsRecords } from "./dns-records.ts";
import { recordsFileName } from "./dns/records.ts";
import { desiredSlices, managedBy, managedByLabel, sameContent, serviceNameLabel } from "./endpoint-slices.ts";

export const clusterDomain = "cluster.local";

/** The folder that the DNS container mounts. */
export function dnsDirectory(stateDirectory: string): string {
  return join(stateDirectory, "dns");
}

export type ServiceNetworkOptions = {
  readonly client: ApiClient;
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly random?: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
};

type Caches = { readonly services: Informer<Service>; readonly pods: Informer<Pod>; readonly slices: Informer<EndpointSlice> };

const dnsKey = "dns";
/** Changes come in bursts (a Pod's readiness, its slice); the file is written once for each. */
const gatherMs = 25;

/**
 * Keeps the EndpointSlices of every Service and the DNS server's records until the signal is aborted. EndpointSlices are the only source of
 * the records, those of others included. It is idempotent: killed at any step and started again, it finds what it made.
 */
export async function runServiceNetwork(options: ServiceNetworkOptions): Promise<void> {
  const { client, clock, log } = options;
  // Ends the informers when the work fails, so that the next run does not find the old ones running.
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const queue = new KeyedQueue({ clock, backoff: { initialMs: 50, maxMs: 30_000, factor: 2, jitter: 0.5 }, random: options.random ?? Math.random });
  const onError = (error: unknown): void => log.warn({ err: error }, "Cannot watch the API; trying again");
  const watching = { client, clock, signal, onError, ...(options.random === undefined ? {} : { random: options.random }) };
  const touch = (namespace: string | undefined, name: string | undefined): void => {
    if (namespace !== undefined && name !== undefined) queue.add(`${namespace}/${name}`);
    queue.addAfter(dnsKey, gatherMs);
  };
  const caches: Caches = {
    services: startInformer({ ...watching, kind: services, onChange: (key) => touch(...split(key)) }),
    pods: startInformer({ ...watching, kind: pods, onChange: (key) => touchServices(split(key)[0]) }),
    slices: startInformer({
      ...watching, kind: endpointSlices,
      onChange: (key, slice) => {
        touch(split(key)[0], slice?.metadata.labels?.[serviceNameLabel]);
        if (slice === undefined) touchServices(split(key)[0]);
      },
    }),
  };
  /** A Pod's old labels and a deleted slice's are not known here, so every Service of the namespace is looked at; those without a change cost no call. */
  function touchServices(namespace: string | undefined): void {
    for (const service of caches.services.list()) if (service.metadata.namespace === namespace) queue.add(objectKeyOf(service));
  }
  try {
    await Promise.all([caches.services.synced, caches.pods.synced, caches.slices.synced]);
    const known = new Set([...caches.services.list().map(objectKeyOf), ...caches.slices.list().map((slice) => `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceNameLabel]}`)]);
    for (const key of known) queue.add(key);
    queue.add(dnsKey);
    await work(queue, caches, { ...options, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    queue.close();
    over.abort();
    await Promise.all([caches.services.done, caches.pods.done, caches.slices.done]);
  }
}

async function work(queue: KeyedQueue, caches: Caches, options: ServiceNetworkOptions): Promise<void> {
  const writeRecords = recordsWriter(options.stateDirectory, caches);
  for (let key = await queue.take(options.signal); key !== undefined; key = await queue.take(options.signal)) {
    try {
      if (key === dnsKey) await writeRecords();
      else await reconcileService(options.client, caches, key);
      queue.forget(key);
    } catch (error) {
      options.log.warn({ err: error, key }, "Cannot bring a Service's endpoints up to date; trying again");
      queue.addRateLimited(key);
    } finally {
      queue.done(key);
    }
  }
}

async function reconcileService(client: ApiClient, caches: Caches, key: string): Promise<void> {
  const [namespace, name] = split(key);
  const service = caches.services.get(key);
  const ours = caches.slices.list().filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.[serviceNameLabel] === name && metadata.labels?.[managedByLabel] === managedBy);
  const wanted = service === undefined ? [] : desiredSlices(service, caches.pods.list());
  const kept = new Set(wanted.map((slice) => slice.metadata.name));
  // New ones first: a Pod that moves from one slice to another is never without.
  for (const slice of wanted) await put(client, ours.find(({ metadata }) => metadata.name === slice.metadata.name), slice);
  for (const slice of ours) if (!kept.has(slice.metadata.name)) await client.delete(endpointSlices, { namespace: slice.metadata.namespace ?? "default", name: slice.metadata.name });
}

async function put(client: ApiClient, existing: EndpointSlice | undefined, wanted: EndpointSlice): Promise<void> {
  if (existing === undefined) {
    try {
      await client.create(endpointSlices, wanted);
    } catch (error) {
      // The namespace is gone, and the Service with it: its deletion is on its way to us.
      if (!isNotFound(error)) throw error;
    }
    return;
  }
  if (sameContent(existing, wanted)) return;
  const { resourceVersion } = existing.metadata;
  const outcome = await client.update(endpointSlices, { ...wanted, metadata: { ...wanted.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) } });
  // "notFound": deleted by somebody; the informer's event brings us back.
  if (outcome.kind === "conflict") throw new Error(`EndpointSlice "${wanted.metadata.name}" was changed by somebody else meanwhile`);
}

/** Writes the file when its content differs from what was written last. */
function recordsWriter(stateDirectory: string, caches: Caches): () => Promise<void> {
  const directory = dnsDirectory(stateDirectory);
  let written: string | undefined;
  return async () => {
    const text = `${JSON.stringify(dnsRecords(clusterDomain, caches.services.list(), caches.slices.list()), undefined, 1)}\n`;
    if (text === written) return;
    await mkdir(directory, { recursive: true });
    // Readable for the DNS container's user. No fsync: after a power loss it is written anew.
    await replaceFile(join(directory, recordsFileName), text, { mode: 0o644, fsync: false });
    written = text;
  };
}

function split(key: string): [string | undefined, string | undefined] {
  const slash = key.indexOf("/");
  return slash === -1 ? [undefined, undefined] : [key.slice(0, slash), key.slice(slash + 1)];
}
