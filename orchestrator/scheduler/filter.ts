// pure
import type { Node, Taint } from "../api/types/node.ts";
import type { Container, Pod, Toleration } from "../api/types/pod.ts";
import { addResources, podRequests } from "../api/types/pod-resources.ts";
import { parseQuantity } from "../api/types/quantity.ts";

/** A node and the Pods that are bound to it and not over. */
export type NodeView = { readonly node: Node; readonly pods: readonly Pod[] };
export type Fit = { readonly kind: "fits" } | { readonly kind: "refused"; readonly reasons: readonly string[] };

/**
 * Whether the Pod may run on the node, and if not why, in the words of the Kubernetes scheduler's plugins: NodeUnschedulable, TaintToleration,
 * NodeAffinity (nodeSelector), NodePorts, NodeResourcesFit, in that order. Like there, the first plugin that refuses ends the question.
 */
export function filterNode(pod: Pod, view: NodeView): Fit {
  for (const plugin of [unschedulable, taints, nodeSelector, hostPorts, resources]) {
    const reasons = plugin(pod, view);
    if (reasons.length > 0) return { kind: "refused", reasons };
  }
  return { kind: "fits" };
}

function unschedulable(pod: Pod, { node }: NodeView): readonly string[] {
  const taint: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
  return node.spec?.unschedulable === true && !tolerates(pod.spec.tolerations, taint) ? ["node(s) were unschedulable"] : [];
}

/** A node that is not ready counts as tainted so: there is no node controller that would write the taint. */
function taints(pod: Pod, { node }: NodeView): readonly string[] {
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready")?.status;
  const implied: readonly Taint[] = ready === "True" ? [] : [{ key: `node.kubernetes.io/${ready === "Unknown" ? "unreachable" : "not-ready"}`, effect: "NoSchedule" }];
  const untolerated = [...implied, ...(node.spec?.taints ?? [])].find((taint) => taint.effect !== "PreferNoSchedule" && !tolerates(pod.spec.tolerations, taint));
  return untolerated === undefined ? [] : [`node(s) had untolerated taint {${untolerated.key}: ${untolerated.value ?? ""}}`];
}

export function tolerates(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return (tolerations ?? []).some((toleration) => {
    if ((toleration.effect ?? "") !== "" && toleration.effect !== taint.effect) return false;
    if ((toleration.key ?? "") === "") return toleration.operator === "Exists";
    if (toleration.key !== taint.key) return false;
    return toleration.operator === "Exists" || (toleration.value ?? "") === (taint.value ?? "");
  });
}

function nodeSelector(pod: Pod, { node }: NodeView): readonly string[] {
  const matches = Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => node.metadata.labels?.[key] === value);
  return matches ? [] : ["node(s) didn't match Pod's node affinity/selector"];
}

type HostPort = { readonly ip: string; readonly port: number; readonly protocol: string };

function hostPortsOf(pod: Pod): readonly HostPort[] {
  const longLived = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  const ports = (container: Container): readonly HostPort[] => (container.ports ?? []).flatMap(({ containerPort, hostPort, hostIP, protocol }) => {
    const port = hostPort ?? (pod.spec.hostNetwork === true ? containerPort : 0);
    return port > 0 ? [{ ip: (hostIP ?? "") === "" ? "0.0.0.0" : (hostIP ?? ""), port, protocol: protocol ?? "TCP" }] : [];
  });
  return [...pod.spec.containers, ...longLived].flatMap(ports);
}

function hostPorts(pod: Pod, view: NodeView): readonly string[] {
  const wanted = hostPortsOf(pod);
  const taken = wanted.length === 0 ? [] : view.pods.flatMap(hostPortsOf);
  const clash = wanted.some((mine) => taken.some((other) => mine.port === other.port && mine.protocol === other.protocol && (mine.ip === other.ip || mine.ip === "0.0.0.0" || other.ip === "0.0.0.0")));
  return clash ? ["node(s) didn't have free ports for the requested pod ports"] : [];
}

function resources(pod: Pod, { node, pods }: NodeView): readonly string[] {
  const allocatable = node.status?.allocatable ?? {};
  const reasons: string[] = [];
  if (allocatable["pods"] !== undefined && BigInt(pods.length + 1) * 1_000_000_000n > parseQuantity(allocatable["pods"]).nano) reasons.push("Too many pods");
  const used = usedResources(pods);
  for (const [name, request] of Object.entries(podRequests(pod.spec))) {
    const wanted = parseQuantity(request).nano;
    const free = parseQuantity(allocatable[name] ?? "0").nano - parseQuantity(used[name] ?? "0").nano;
    if (wanted > 0n && wanted > free) reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}

export function usedResources(pods: readonly Pod[]): Readonly<Record<string, string>> {
  let used: Readonly<Record<string, string>> = {};
  for (const pod of pods) used = addResources(used, podRequests(pod.spec));
  return used;
}

/** `0/2 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable.` There is no preemption to tell of. */
export function explainRefusal(refusals: readonly (readonly string[])[]): string {
  if (refusals.length === 0) return "no nodes available to schedule pods";
  const counts = new Map<string, number>();
  for (const reason of refusals.flat()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).toSorted();
  return `0/${refusals.length} nodes are available: ${parts.join(", ")}.`;
}
