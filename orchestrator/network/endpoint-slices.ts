// pure
import type { Endpoint, EndpointPort, EndpointSlice } from "../api/types/endpoint-slice.ts";
import type { Container, Pod } from "../api/types/pod.ts";
import type { Service, ServicePort } from "../api/types/service.ts";

export const serviceNameLabel = "kubernetes.io/service-name";
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";
/** Slices with another value (or none) are somebody else's: a Service without selector may have them, and they are left alone. */
export const managedBy = "endpointslice-controller.k8s.io";
const headlessLabel = "service.kubernetes.io/headless";

/** As in Kubernetes' controller: more would make every change of one Pod expensive. */
const endpointsPerSliceMax = 100;

/**
 * The EndpointSlices a Service should have, by the rules of Kubernetes' controller: Pods that match the selector, have an address and
 * have not ended; ready when the Pod is ready (or publishNotReadyAddresses) and not being deleted. Pods whose named targetPort means
 * another number come into a slice of their own. Names are made from the Service and the ports, so a create repeated after a crash meets itself.
 */
export function desiredSlices(service: Service, pods: readonly Pod[]): readonly EndpointSlice[] {
  const { selector, type } = service.spec;
  if (selector === undefined || Object.keys(selector).length === 0 || type === "ExternalName") return [];
  const groups = new Map<string, { readonly ports: readonly EndpointPort[]; readonly endpoints: Endpoint[] }>();
  for (const pod of pods.toSorted((a, b) => compare(a.metadata.name, b.metadata.name))) {
    if (!belongs(pod, service, selector)) continue;
    const ports = (service.spec.ports ?? []).flatMap((port) => endpointPort(port, pod));
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(endpointOf(service, pod));
  }
  return [...groups].flatMap(([key, { ports, endpoints }]) => chunks(endpoints, endpointsPerSliceMax).map((chunk, at) => sliceOf(service, `${hash(key)}${at === 0 ? "" : `-${at}`}`, ports, chunk)));
}

/** Whether a slice already says what is wanted; what the API server added to it does not count. */
export function sameContent(slice: EndpointSlice, wanted: EndpointSlice): boolean {
  const content = ({ addressType, endpoints, ports, metadata }: EndpointSlice): string => JSON.stringify([
    addressType,
    endpoints.map(({ addresses, conditions, hostname, nodeName, targetRef }) => [addresses, conditions?.ready, conditions?.serving, conditions?.terminating, hostname, nodeName, targetRef?.uid, targetRef?.name]),
    (ports ?? []).map(({ name, port, protocol, appProtocol }) => [name, port, protocol, appProtocol]),
    [serviceNameLabel, managedByLabel, headlessLabel].map((key) => metadata.labels?.[key]),
    metadata.ownerReferences?.map(({ uid }) => uid),
  ]);
  return content(slice) === content(wanted);
}

function belongs(pod: Pod, service: Service, selector: Readonly<Record<string, string>>): boolean {
  if (pod.metadata.namespace !== service.metadata.namespace || pod.status?.podIP === undefined || pod.status.podIP === "") return false;
  if (pod.status.phase === "Succeeded" || pod.status.phase === "Failed") return false;
  return Object.entries(selector).every(([key, value]) => pod.metadata.labels?.[key] === value);
}

function endpointOf(service: Service, pod: Pod): Endpoint {
  const serving = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const { hostname, subdomain, nodeName } = pod.spec;
  return {
    addresses: [pod.status?.podIP ?? ""],
    conditions: { ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(hostname !== undefined && hostname !== "" && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: {
      kind: "Pod", name: pod.metadata.name,
      ...(pod.metadata.namespace === undefined ? {} : { namespace: pod.metadata.namespace }),
      ...(pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid }),
    },
  };
}

/** Nothing when the Pod has no port of that name: its endpoint is then without this port. */
function endpointPort(port: ServicePort, pod: Pod): readonly EndpointPort[] {
  const target = port.targetPort ?? port.port;
  const protocol = port.protocol ?? "TCP";
  const number = typeof target === "number" ? target : namedPort(target, protocol, pod);
  if (number === undefined) return [];
  return [{ name: port.name ?? "", port: number, protocol, ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }) }];
}

/** Kubernetes looks at the containers and at native sidecars, not at init containers that end. */
function namedPort(name: string, protocol: string, pod: Pod): number | undefined {
  const containers: readonly Container[] = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always")];
  return containers.flatMap(({ ports }) => ports ?? []).find((port) => port.name === name && (port.protocol ?? "TCP") === protocol)?.containerPort;
}

function sliceOf(service: Service, suffix: string, ports: readonly EndpointPort[], endpoints: readonly Endpoint[]): EndpointSlice {
  const { name, namespace, uid } = service.metadata;
  const headless = service.spec.clusterIP === "None";
  return {
    apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice",
    metadata: {
      name: `${name}-${suffix}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [serviceNameLabel]: name, [managedByLabel]: managedBy, ...(headless ? { [headlessLabel]: "" } : {}) },
      ownerReferences: [{ apiVersion: "v1", kind: "Service", name, uid: uid ?? "", controller: true, blockOwnerDeletion: true }],
    },
    addressType: "IPv4", endpoints, ports,
  };
}

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const made: (readonly T[])[] = [];
  for (let from = 0; from < items.length; from += size) made.push(items.slice(from, from + size));
  return made;
}

/** FNV-1a, 32 bits: a short name for a set of ports; a clash of two sets in one Service is not worth more bits. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value.toString(36);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
