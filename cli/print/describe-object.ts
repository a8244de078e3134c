// pure
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import type { Node } from "../../orchestrator/api/types/node.ts";
import type { Service } from "../../orchestrator/api/types/service.ts";
import { annotationLines, type Entry, mapLines } from "./describe-lines.ts";
import { describePod } from "./describe-pod.ts";
import { isConfigMap, isNode, isPod, isSecret, isService } from "./kinds.ts";
import { selectorText } from "./object-tables.ts";
import { renderTable } from "./table.ts";
import { printable } from "./text.ts";

/** The page of `podkit describe` for any kind, without its events. A Secret's values are never part of it, only their sizes. */
export function describeObject(object: ApiObject, nowMs: number): readonly Entry[] {
  if (isPod(object)) return describePod(object, nowMs);
  return [...head(object), ...body(object)];
}

const head = (object: ApiObject): readonly Entry[] => [
  ["Name", object.metadata.name],
  ...(object.metadata.namespace === undefined ? [] : [["Namespace", object.metadata.namespace] as const]),
  ["Labels", mapLines(object.metadata.labels)],
  ["Annotations", annotationLines(object)],
  ["Created", object.metadata.creationTimestamp ?? ""],
];

function body(object: ApiObject): readonly Entry[] {
  if (isService(object)) return serviceEntries(object);
  if (isNode(object)) return nodeEntries(object);
  if (isConfigMap(object)) return [["Data", Object.entries(object.data ?? {}).map(([key, value]) => [key, { block: value.trimEnd().split("\n").map(printable) }] as const)]];
  if (isSecret(object)) return [["Type", object.type ?? "Opaque"], ["Data", Object.entries(object.data ?? {}).map(([key, value]) => [key, `${base64Bytes(value)} bytes`] as const)]];
  return Object.entries(object).flatMap(([key, value]) => (["apiVersion", "kind", "metadata"].includes(key) ? [] : [[key, treeOf(value)] as const]));
}

const base64Bytes = (text: string): number => Math.floor((text.replaceAll("=", "").length * 3) / 4);

function serviceEntries(service: Service): readonly Entry[] {
  return [
    ["Selector", selectorText(service.spec.selector)],
    ["Type", service.spec.type ?? "ClusterIP"],
    ["IP", service.spec.clusterIP ?? ""],
    ...(service.spec.externalName === undefined ? [] : [["External Name", service.spec.externalName] as const]),
    ["Ports", (service.spec.ports ?? []).map((port) => `${port.name ?? "<unset>"} ${port.port}/${port.protocol ?? "TCP"} to ${port.targetPort ?? port.port}`)],
  ];
}

function nodeEntries(node: Node): readonly Entry[] {
  const info = node.status?.nodeInfo;
  const conditions = node.status?.conditions ?? [];
  return [
    ["Taints", (node.spec?.taints ?? []).map((taint) => `${taint.key}=${taint.value ?? ""}:${taint.effect}`)],
    ["Unschedulable", String(node.spec?.unschedulable ?? false)],
    ["Conditions", { block: conditions.length === 0 ? [] : renderTable(["Type", "Status", "Reason", "Message"], conditions.map((condition) => [condition.type, condition.status, condition.reason ?? "", condition.message ?? ""])) }],
    ["Addresses", (node.status?.addresses ?? []).map((address) => `${address.type}: ${address.address}`)],
    ["Capacity", mapLines(node.status?.capacity, ": ")],
    ["Allocatable", mapLines(node.status?.allocatable, ": ")],
    ["System Info", info === undefined ? [] : Object.entries(info).map(([key, value]) => [key, value] as const)],
  ];
}

/** Any value as a tree of entries, for kinds without a page of their own. */
function treeOf(value: unknown): string | readonly Entry[] | readonly string[] {
  if (Array.isArray(value)) return value.map((item) => (typeof item === "object" ? JSON.stringify(item) : String(item)));
  if (typeof value === "object" && value !== null) return Object.entries(value).map(([key, child]) => [key, treeOf(child)] as const);
  return String(value);
}
