// pure
import { podRequests } from "../api/types/pod-resources.ts";
import { parseQuantity } from "../api/types/quantity.ts";
import type { Pod } from "../api/types/pod.ts";
import { type NodeView, tolerates, usedResources } from "./filter.ts";

/** 0 to 200: Kubernetes' NodeResourcesLeastAllocated (cpu and memory alike) plus TaintToleration for PreferNoSchedule. */
export function scoreNode(pod: Pod, view: NodeView): number {
  const requests = podRequests(pod.spec), used = usedResources(view.pods), allocatable = view.node.status?.allocatable ?? {};
  const free = ["cpu", "memory"].map((name) => {
    const capacity = Number(parseQuantity(allocatable[name] ?? "0").nano);
    const taken = Number(parseQuantity(used[name] ?? "0").nano + parseQuantity(requests[name] ?? "0").nano);
    return capacity === 0 ? 0 : Math.max(0, 100 * (1 - taken / capacity));
  });
  const disliked = (view.node.spec?.taints ?? []).some((taint) => taint.effect === "PreferNoSchedule" && !tolerates(pod.spec.tolerations, taint));
  return free.reduce((sum, share) => sum + share, 0) / free.length + (disliked ? 0 : 100);
}

/** The best of nodes that fit; by name when several are equal, so that the choice can be foretold. */
export function bestNode(pod: Pod, views: readonly NodeView[]): NodeView | undefined {
  const scored = views.map((view) => ({ view, score: scoreNode(pod, view) }));
  return scored.toSorted((a, b) => b.score - a.score || (a.view.node.metadata.name < b.view.node.metadata.name ? -1 : 1))[0]?.view;
}
