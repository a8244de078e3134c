import { readFileSync } from "node:fs";
import { availableParallelism, hostname, networkInterfaces, release, totalmem } from "node:os";
import type { Clock } from "../../kit/clock.ts";
import type { ApiClient } from "../api/client.ts";
import { apiTime } from "../api/types/api-time.ts";
import { nodes } from "../api/types/kinds.ts";
import type { NodeCondition, NodeStatus } from "../api/types/node.ts";
import type { RuntimeVersion } from "../runtime/runtime.ts";

export type HostFacts = { readonly cpus: number; readonly memoryBytes: number; readonly hostname: string; readonly ip: string; readonly kernel: string; readonly osImage: string; readonly mayLowerOomScore: boolean };

const capSysResource = 24n;
const podsMax = 110;

/** What this machine is. Remote engines are not looked at: the agent runs where the containers run. */
export function readHostFacts(): HostFacts {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const ip = addresses.find((address) => address.family === "IPv4" && !address.internal)?.address ?? "127.0.0.1";
  return { cpus: availableParallelism(), memoryBytes: totalmem(), hostname: hostname(), ip, kernel: release(), osImage: osName(), mayLowerOomScore: hasCapability(capSysResource) };
}

function osName(): string {
  return /^PRETTY_NAME="?([^"\n]*)"?/m.exec(readText("/etc/os-release"))?.[1] ?? "unknown";
}

function hasCapability(bit: bigint): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readText("/proc/self/status"))?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> bit) & 1n) === 1n;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // not a Linux, or hidden from us: the fact stays unknown
  }
}

/**
 * Registers the node and writes its status. `problem` says why it cannot run Pods now. A Node that somebody deleted is made again; labels,
 * taints and `unschedulable` set by others stay.
 */
export async function reportNode(o: { readonly client: ApiClient; readonly clock: Clock; readonly name: string; readonly host: HostFacts; readonly version: RuntimeVersion | undefined; readonly problem: string | undefined }): Promise<void> {
  const current = await o.client.get(nodes, { name: o.name });
  const status = nodeStatus(o, current?.status);
  if (current !== undefined) {
    await o.client.update(nodes, { ...current, status }, { subresource: "status" }); // a conflict waits for the next heartbeat
    return;
  }
  // In one write: a Node without a status counts as not ready, and Pods that wait would be told so.
  const labels = { "kubernetes.io/hostname": o.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": goArch(o.version?.arch ?? process.arch) };
  await o.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: o.name, labels }, status });
}

/** Kubernetes names architectures as Go does; engines and Node have names of their own. */
function goArch(arch: string): string {
  return { x86_64: "amd64", x64: "amd64", aarch64: "arm64" }[arch] ?? arch;
}

function nodeStatus(o: Parameters<typeof reportNode>[0], before: NodeStatus | undefined): NodeStatus {
  const amount = { cpu: String(o.host.cpus), memory: `${Math.floor(o.host.memoryBytes / 1024)}Ki`, pods: String(podsMax) };
  const engine = o.version === undefined ? "unknown" : `${o.version.engine.toLowerCase()}://${o.version.version}`;
  return {
    capacity: amount,
    allocatable: amount,
    conditions: nodeConditions(o, before),
    addresses: [{ type: "InternalIP", address: o.host.ip }, { type: "Hostname", address: o.host.hostname }],
    nodeInfo: {
      machineID: "", systemUUID: "", bootID: "", kernelVersion: o.host.kernel, osImage: o.host.osImage, containerRuntimeVersion: engine, kubeletVersion: "podkit", kubeProxyVersion: "podkit",
      operatingSystem: "linux", architecture: goArch(o.version?.arch ?? process.arch),
    },
  };
}

function nodeConditions(o: Parameters<typeof reportNode>[0], before: NodeStatus | undefined): readonly NodeCondition[] {
  const now = apiTime(o.clock.nowMs());
  const condition = (type: string, status: "True" | "False", reason: string, message: string): NodeCondition => {
    const known = before?.conditions?.find((candidate) => candidate.type === type);
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime: known?.status === status && known.lastTransitionTime !== undefined ? known.lastTransitionTime : now };
  };
  return [
    condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "the node agent does not measure memory pressure"),
    condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "the node agent does not measure disk pressure"),
    condition("PIDPressure", "False", "KubeletHasSufficientPID", "the node agent does not measure PID pressure"),
    o.problem === undefined ? condition("Ready", "True", "KubeletReady", "the node agent is posting ready status") : condition("Ready", "False", "KubeletNotReady", o.problem),
  ];
}
