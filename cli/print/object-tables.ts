// pure
import type { EndpointSlice } from "../../orchestrator/api/types/endpoint-slice.ts";
import type { Event } from "../../orchestrator/api/types/event.ts";
import type { ApiObject, KindDefinition } from "../../orchestrator/api/types/meta.ts";
import type { Node } from "../../orchestrator/api/types/node.ts";
import type { Pod } from "../../orchestrator/api/types/pod.ts";
import type { Service } from "../../orchestrator/api/types/service.ts";
import { age } from "./age.ts";
import { isConfigMap, isEndpointSlice, isEvent, isNamespace, isNode, isPod, isSecret, isService } from "./kinds.ts";
import { restartsCell, summarizePod } from "./pod-status.ts";
import { renderTable } from "./table.ts";
import { printable } from "./text.ts";

type Row = { readonly cells: readonly string[]; readonly wide?: readonly string[] };
/** How a kind is listed: kubectl's columns; `wide` are those that -o wide adds. */
type Listing = { readonly headers: readonly string[]; readonly wide: readonly string[]; readonly row: (object: ApiObject, nowMs: number) => Row };

function listing<T extends ApiObject>(is: (object: ApiObject) => object is T, headers: string, wide: string, row: (object: T, nowMs: number) => Row): Listing {
  const words = (text: string): readonly string[] => (text === "" ? [] : text.split("|"));
  return { headers: words(headers), wide: words(wide), row: (object, nowMs) => (is(object) ? row(object, nowMs) : plainRow(object, nowMs)) };
}

const created = (object: ApiObject, nowMs: number): string => age(object.metadata.creationTimestamp, nowMs);
const plainRow = (object: ApiObject, nowMs: number): Row => ({ cells: [object.metadata.name, created(object, nowMs)] });
const count = (map: Readonly<Record<string, unknown>> | undefined): number => Object.keys(map ?? {}).length;

function podRow(pod: Pod, nowMs: number): Row {
  const summary = summarizePod(pod);
  return {
    cells: [pod.metadata.name, `${summary.ready}/${summary.total}`, summary.status, restartsCell(summary, nowMs), created(pod, nowMs)],
    wide: [pod.status?.podIP ?? "", pod.spec.nodeName ?? "", pod.spec.containers.map((container) => container.image).join(",")],
  };
}

export const servicePorts = (service: Service): string => (service.spec.ports ?? []).map((port) => `${port.port}/${port.protocol ?? "TCP"}`).join(",");
export const selectorText = (selector: Readonly<Record<string, string>> | undefined): string => Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`).join(",");

function serviceRow(service: Service, nowMs: number): Row {
  const { type = "ClusterIP", clusterIP, externalName } = service.spec;
  return { cells: [service.metadata.name, type, clusterIP ?? "", externalName ?? "", servicePorts(service), created(service, nowMs)], wide: [selectorText(service.spec.selector)] };
}

function nodeRow(node: Node, nowMs: number): Row {
  const ready = (node.status?.conditions ?? []).find((condition) => condition.type === "Ready");
  const status = [ready?.status === "True" ? "Ready" : ready === undefined ? "Unknown" : "NotReady", ...(node.spec?.unschedulable === true ? ["SchedulingDisabled"] : [])].join(",");
  const roles = Object.keys(node.metadata.labels ?? {}).filter((key) => key.startsWith("node-role.kubernetes.io/")).map((key) => key.slice(24)).join(",");
  const info = node.status?.nodeInfo;
  return {
    cells: [node.metadata.name, status, roles, created(node, nowMs), info?.kubeletVersion ?? ""],
    wide: [(node.status?.addresses ?? []).find((address) => address.type === "InternalIP")?.address ?? "", info?.osImage ?? "", info?.kernelVersion ?? "", info?.containerRuntimeVersion ?? ""],
  };
}

function endpointSliceRow(slice: EndpointSlice, nowMs: number): Row {
  const ports = (slice.ports ?? []).map((port) => String(port.port ?? "*")).join(",");
  const addresses = slice.endpoints.flatMap((endpoint) => endpoint.addresses);
  const shown = addresses.length > 3 ? `${addresses.slice(0, 3).join(",")} + ${addresses.length - 3} more...` : addresses.join(",");
  return { cells: [slice.metadata.name, slice.addressType, ports, shown, created(slice, nowMs)] };
}

export const eventTime = (event: Event): string | undefined => event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp ?? event.metadata.creationTimestamp;
const firstTime = (event: Event): string | undefined => event.firstTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp;

/** "5s", or for repeats "5s (x3 over 2m)". */
export function eventAge(event: Event, nowMs: number): string {
  const times = event.series?.count ?? event.count ?? 1;
  const last = age(eventTime(event), nowMs);
  return times > 1 ? `${last} (x${times} over ${age(firstTime(event), nowMs)})` : last;
}

function eventRow(event: Event, nowMs: number): Row {
  const about = `${(event.involvedObject.kind ?? "").toLowerCase()}/${event.involvedObject.name ?? ""}`;
  return {
    cells: [eventAge(event, nowMs), event.type ?? "", event.reason ?? "", about, printable((event.message ?? "").trim())],
    wide: [event.involvedObject.fieldPath ?? "", event.source?.component ?? event.reportingComponent ?? ""],
  };
}

const plain: Listing = { headers: ["NAME", "AGE"], wide: [], row: plainRow };
const listings: Readonly<Record<string, Listing>> = {
  Pod: listing(isPod, "NAME|READY|STATUS|RESTARTS|AGE", "IP|NODE|IMAGES", podRow),
  Service: listing(isService, "NAME|TYPE|CLUSTER-IP|EXTERNAL-NAME|PORT(S)|AGE", "SELECTOR", serviceRow),
  ConfigMap: listing(isConfigMap, "NAME|DATA|AGE", "", (map, nowMs) => ({ cells: [map.metadata.name, String(count(map.data) + count(map.binaryData)), created(map, nowMs)] })),
  Secret: listing(isSecret, "NAME|TYPE|DATA|AGE", "", (secret, nowMs) => ({ cells: [secret.metadata.name, secret.type ?? "Opaque", String(count(secret.data)), created(secret, nowMs)] })),
  Node: listing(isNode, "NAME|STATUS|ROLES|AGE|VERSION", "INTERNAL-IP|OS-IMAGE|KERNEL-VERSION|CONTAINER-RUNTIME", nodeRow),
  Namespace: listing(isNamespace, "NAME|STATUS|AGE", "", (space, nowMs) => ({ cells: [space.metadata.name, space.status?.phase ?? "Active", created(space, nowMs)] })),
  EndpointSlice: listing(isEndpointSlice, "NAME|ADDRESSTYPE|PORTS|ENDPOINTS|AGE", "", endpointSliceRow),
  Event: listing(isEvent, "LAST SEEN|TYPE|REASON|OBJECT|MESSAGE", "SUBOBJECT|SOURCE", eventRow),
};

export type TableOptions = { readonly wide: boolean; readonly showNamespace: boolean; readonly headers: boolean; readonly nowMs: number; /** Names as kind/name, for lists of several kinds. */ readonly withKind?: boolean };

/** Lists objects of one kind. Events come oldest first, everything else by namespace and name. */
export function renderObjects(kind: KindDefinition<ApiObject>, objects: readonly ApiObject[], options: TableOptions): string[] {
  const { headers, wide, row } = listings[kind.kind] ?? plain;
  const namespaced = options.showNamespace && kind.namespaced;
  const withExtras = (namespace: string, cells: readonly string[], more: readonly string[]): string[] => [...(namespaced ? [namespace] : []), ...cells, ...(options.wide ? more : [])];
  const rows = sortObjects(objects).map((object) => {
    const { cells: [first = "", ...cells], wide: more = [] } = row(object, options.nowMs);
    return withExtras(object.metadata.namespace ?? "", [options.withKind === true && !isEvent(object) ? `${object.kind.toLowerCase()}/${first}` : first, ...cells], more);
  });
  return renderTable(options.headers ? withExtras("NAMESPACE", headers, wide) : undefined, rows);
}

export function sortObjects<T extends ApiObject>(objects: readonly T[]): readonly T[] {
  const sortKey = (object: T): string => (isEvent(object) ? (eventTime(object) ?? "") : `${object.metadata.namespace ?? ""}/${object.metadata.name}`);
  return objects.toSorted((left, right) => (sortKey(left) < sortKey(right) ? -1 : sortKey(left) > sortKey(right) ? 1 : 0));
}

