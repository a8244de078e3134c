// pure
import { addQuantities, canonicalQuantity, compareQuantities } from "./quantity.ts";
import type { Container, Pod, PodSpec, ResourceList } from "./pod.ts";

/**
 * What a Pod needs of its node: per resource the greater of (a) all app containers plus all native sidecars and (b) for each ordinary
 * init container its own request plus that of the sidecars started before it. As component-helpers/resource PodRequests of Kubernetes.
 */
export function podRequests(spec: PodSpec): ResourceList {
  let total: ResourceList = {};
  for (const container of spec.containers) total = addResources(total, requestsOf(container));
  let sidecars: ResourceList = {}, initPeak: ResourceList = {};
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      sidecars = addResources(sidecars, requestsOf(container));
      initPeak = maxResources(initPeak, sidecars);
    } else initPeak = maxResources(initPeak, addResources(sidecars, requestsOf(container)));
  }
  return maxResources(addResources(total, sidecars), initPeak);
}

export function addResources(left: ResourceList, right: ResourceList): ResourceList {
  return merge(left, right, addQuantities);
}

function maxResources(left: ResourceList, right: ResourceList): ResourceList {
  return merge(left, right, (a, b) => (compareQuantities(a, b) >= 0 ? a : b));
}

function merge(left: ResourceList, right: ResourceList, combine: (a: string, b: string) => string): ResourceList {
  const merged: Record<string, string> = { ...left };
  for (const [name, amount] of Object.entries(right)) {
    const other = merged[name];
    merged[name] = other === undefined ? canonicalQuantity(amount) : combine(other, amount);
  }
  return merged;
}

/** Guaranteed: every container limits cpu and memory and requests as much; BestEffort: nobody asks for anything; else Burstable. */
export function qosClass(pod: Pod): "Guaranteed" | "Burstable" | "BestEffort" {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const named = (["cpu", "memory"] as const);
  const amounts = containers.map(({ resources }) => named.map((name) => ({ request: nonZero(resources?.requests?.[name]) ?? nonZero(resources?.limits?.[name]), limit: nonZero(resources?.limits?.[name]) })));
  const all = amounts.flat();
  if (all.every(({ request, limit }) => request === undefined && limit === undefined)) return "BestEffort";
  return all.every(({ request, limit }) => request !== undefined && limit !== undefined && compareQuantities(request, limit) === 0) ? "Guaranteed" : "Burstable";
}

const nonZero = (quantity: string | undefined): string | undefined => (quantity === undefined || compareQuantities(quantity, "0") === 0 ? undefined : quantity);

/** A request that is not set equals the limit. */
function requestsOf(container: Container): ResourceList {
  return { ...container.resources?.limits, ...container.resources?.requests };
}
