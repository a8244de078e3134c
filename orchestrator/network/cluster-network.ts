import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { backoffDelayMs } from "../../kit/backoff.ts";
import type { Backoff } from "../../kit/backoff.ts";
import { systemClock } from "../../kit/clock.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import { replaceFile } from "../../kit/files.ts";
import type { Log } from "../../kit/log.ts";
import { label, RuntimeError } from "../runtime/runtime.ts";
import type { Labels, Runtime, RuntimeObject, SandboxSpec } from "../runtime/runtime.ts";
import { nthAddress } from "../runtime/subnet.ts";
import { upstreamsFileName } from "./dns/records.ts";
import { hostUpstreams } from "./host-resolvers.ts";
import { clusterDomain, dnsDirectory } from "./service-network.ts";

export type ClusterNetworkOptions = {
  readonly clusterName: string;
  readonly runtime: Runtime;
  readonly stateDirectory: string;
  readonly dnsImage: string;
  readonly log: Log;
  /** Ends the watch over the DNS container; the container itself stays. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
};

export type ClusterNetwork = {
  readonly name: string;
  readonly dnsServer: string;
  readonly domain: "cluster.local";
  /** Resolves when the watch over the DNS container has ended. Never rejects. */
  readonly done: Promise<void>;
};

/** Clear of the gateway and of the addresses that the engine gives out by itself (the upper half of the subnet). */
const dnsAddressInSubnet = 10;
/** About twice what it uses with some hundred Services. */
const dnsMemoryBytes = 128 * 1024 * 1024;
/** Without an event (they may be lost) a dead DNS container is found after this long. */
const lookEveryMs = 5_000;
const restartBackoff: Backoff = { initialMs: 250, maxMs: 30_000, factor: 2, jitter: 0.2 };
/** A container that ran this long has recovered from what killed the one before. */
const healthyAfterMs = 60_000;

/**
 * The cluster's bridge network with its DNS server, both adopted when they are there, and kept alive until the signal is aborted. The DNS
 * container is independent of this process: names resolve on when the control plane ends. Throws RuntimeError when either cannot be had.
 */
export async function ensureClusterNetwork(options: ClusterNetworkOptions): Promise<ClusterNetwork> {
  const name = networkName(options.clusterName);
  const { subnet } = await options.runtime.ensureNetwork({ name, labels: { [label.cluster]: options.clusterName } });
  const dnsServer = nthAddress(subnet, dnsAddressInSubnet);
  await mkdir(dnsDirectory(options.stateDirectory), { recursive: true, mode: 0o755 });
  await writeUpstreams(options, dnsServer);
  await healDns(options, dnsServer);
  return { name, dnsServer, domain: clusterDomain, done: keepDnsAlive(options, dnsServer) };
}

/** Removes the DNS container and the network. Fails with "InvalidState" while Pods are still connected. */
export async function removeClusterNetwork(o: { readonly clusterName: string; readonly runtime: Runtime }): Promise<void> {
  for (const { id } of await o.runtime.list(dnsLabels(o.clusterName))) await o.runtime.remove(id);
  for (const { name } of await o.runtime.listNetworks({ [label.cluster]: o.clusterName })) await o.runtime.removeNetwork(name);
}

export function networkName(clusterName: string): string {
  return `podkit-${clusterName}`;
}

function dnsLabels(clusterName: string): Labels {
  return { [label.cluster]: clusterName, [label.kind]: "dns" };
}

async function keepDnsAlive(options: ClusterNetworkOptions, dnsServer: string): Promise<void> {
  const { signal, log } = options;
  const clock = options.clock ?? systemClock, random = options.random ?? Math.random;
  let attempt = 0;
  let startedMs = clock.monotonicMs();
  let failed = false;
  let lookedAtMs = clock.nowMs();
  while (!signal.aborted) {
    // After a failure the back-off below is the pause.
    if (!failed) await untilEvent(options, clock, lookedAtMs);
    if (signal.aborted) return;
    lookedAtMs = clock.nowMs();
    try {
      failed = false;
      await writeUpstreams(options, dnsServer);
      if (await isServing(options, dnsServer)) continue;
      if (clock.monotonicMs() - startedMs >= healthyAfterMs) attempt = 0;
      await clock.sleep(attempt === 0 ? 0 : backoffDelayMs(restartBackoff, attempt - 1, random), signal);
      attempt += 1;
      await healDns(options, dnsServer);
      startedMs = clock.monotonicMs();
      log.info({ address: dnsServer }, "Started the DNS container anew");
    } catch (error) {
      failed = true;
      if (!signal.aborted) log.warn({ err: error }, "The DNS container does not run; trying again");
    }
  }
}

/** Resolves at the DNS container's first end since then, or after a while. */
async function untilEvent(options: ClusterNetworkOptions, clock: Clock, sinceMs: number): Promise<void> {
  const either = new AbortController();
  const signal = AbortSignal.any([options.signal, either.signal]);
  const event = (async () => {
    for await (const { action } of options.runtime.events({ labels: dnsLabels(options.clusterName), sinceMs, signal })) if (action === "die" || action === "destroy") return;
  })();
  const pause = clock.sleep(lookEveryMs, signal);
  // A broken event stream is no news: the pause bounds how long anything goes unseen.
  await Promise.race([event.catch(async () => await pause), pause]).catch(() => undefined);
  either.abort();
  await Promise.allSettled([event, pause]);
}

async function isServing(options: ClusterNetworkOptions, dnsServer: string): Promise<boolean> {
  const found = await options.runtime.list(dnsLabels(options.clusterName));
  const spec = await dnsSpec(options, dnsServer);
  return found.length === 1 && (await findCurrent(options.runtime, found, spec)) !== undefined;
}

/** Leaves exactly one DNS container, running and as wanted; everything else of that kind is removed. */
async function healDns(options: ClusterNetworkOptions, dnsServer: string): Promise<void> {
  const { runtime, log } = options;
  const spec = await dnsSpec(options, dnsServer);
  const found = await runtime.list(dnsLabels(options.clusterName));
  const current = await findCurrent(runtime, found, spec);
  for (const object of found) {
    if (object.id === current) continue;
    log.warn({ container: object.name, lastWords: await lastWords(runtime, object) }, "Removing a DNS container that has ended or is out of date");
    await runtime.remove(object.id);
  }
  if (current === undefined) await runtime.startSandbox(await runtime.createSandbox(spec));
}

/** The id of the container that runs and is as wanted. The list alone lags behind the event of a container's end. */
async function findCurrent(runtime: Runtime, found: readonly RuntimeObject[], spec: SandboxSpec): Promise<string | undefined> {
  const wanted = found.find((object) => object.name === spec.name && object.labels[label.specHash] === spec.labels[label.specHash]);
  const status = wanted === undefined ? undefined : await runtime.sandboxStatus(wanted.id);
  return status?.state.kind === "running" ? status.id : undefined;
}

/**
 * The server is the sandbox's own process: one container, without a capability. Its port needs none either, because the sysctl opens low
 * ports to everybody in its network namespace alone.
 */
async function dnsSpec(options: ClusterNetworkOptions, dnsServer: string): Promise<SandboxSpec> {
  const image = await options.runtime.imageStatus(options.dnsImage);
  if (image === undefined) {
    throw new RuntimeError("ImageNotFound", `Cannot start the cluster's DNS server: there is no image "${options.dnsImage}"`, { remedy: "Build podkit's images with `npm run images`." });
  }
  const spec: SandboxSpec = {
    name: `podkit-${options.clusterName}-dns`,
    labels: {},
    image: options.dnsImage,
    hostname: "dns",
    network: { kind: "bridge", name: networkName(options.clusterName), ipv4Address: dnsServer },
    ports: [],
    sysctls: { "net.ipv4.ip_unprivileged_port_start": "0" },
    mounts: [{ kind: "bind", source: dnsDirectory(options.stateDirectory), target: "/etc/podkit-dns", readOnly: true }],
    resources: { memoryBytes: dnsMemoryBytes, pidsMax: 64 },
  };
  const specHash = createHash("sha256").update(JSON.stringify([spec, image.id])).digest("hex").slice(0, 16);
  return { ...spec, labels: { ...dnsLabels(options.clusterName), [label.specHash]: specHash } };
}

async function writeUpstreams(options: ClusterNetworkOptions, dnsServer: string): Promise<void> {
  const upstreams = await hostUpstreams([dnsServer]);
  await replaceFile(join(dnsDirectory(options.stateDirectory), upstreamsFileName), `${JSON.stringify({ upstreams })}\n`, { mode: 0o644, fsync: false });
}

async function lastWords(runtime: Runtime, object: RuntimeObject): Promise<string> {
  let words = "";
  try {
    for await (const { bytes } of runtime.logs(object.id, { follow: false, tailLines: 5, timestamps: false })) words += Buffer.from(bytes).toString("utf8");
  } catch (error) {
    return `its log cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  return words.slice(-2_000);
}
