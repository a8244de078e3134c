// pure
import { qosClass } from "../api/types/pod-resources.ts";
import type { Container, Pod, ResourceList } from "../api/types/pod.ts";
import { toBytes, toMilliCpu } from "../api/types/quantity.ts";
import type { Resources } from "../runtime/runtime.ts";

const cpuPeriodMicroseconds = 100_000;
/** The kernel's least quota and shares. */
const cpuQuotaMicrosecondsMin = 1000;
const cpuSharesMin = 2;

export type NodeShape = {
  readonly memoryBytes: number;
  /** Without CAP_SYS_RESOURCE the kernel refuses a negative oom_score_adj, and the container with it. */
  readonly mayLowerOomScore: boolean;
};

/** A container's cgroup limits, with the kubelet's formulas. */
export function containerResources(pod: Pod, container: Container, node: NodeShape): Resources {
  const { limits, requests } = container.resources ?? {};
  const score = oomScoreAdj(pod, container, node);
  return { ...cgroupLimits(limits, { ...limits, ...requests }), oomScoreAdj: node.mayLowerOomScore ? score : Math.max(0, score) };
}

export function cgroupLimits(limits: ResourceList | undefined, requests: ResourceList | undefined): Resources {
  const memory = limits?.["memory"];
  const cpu = limits?.["cpu"];
  const shares = requests?.["cpu"];
  return {
    ...(memory === undefined || toBytes(memory) === 0 ? {} : { memoryBytes: toBytes(memory) }),
    ...(cpu === undefined || toMilliCpu(cpu) === 0 ? {} : { cpuPeriodMicroseconds, cpuQuotaMicroseconds: Math.max(cpuQuotaMicrosecondsMin, (toMilliCpu(cpu) * cpuPeriodMicroseconds) / 1000) }),
    cpuShares: shares === undefined ? cpuSharesMin : Math.max(cpuSharesMin, Math.floor((toMilliCpu(shares) * 1024) / 1000)),
  };
}

/** Guaranteed is killed last, BestEffort first, Burstable by its share of the node's memory that it asked for. */
export function oomScoreAdj(pod: Pod, container: Container, node: NodeShape): number {
  const qos = qosClass(pod);
  if (qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  const asked = container.resources?.requests?.["memory"] ?? container.resources?.limits?.["memory"];
  const score = 1000 - Math.floor((1000 * (asked === undefined ? 0 : toBytes(asked))) / node.memoryBytes);
  return Math.min(999, Math.max(3, score));
}
