// pure
import type { Container, Pod, ResourceFieldSelector } from "../../api/types/pod.ts";
import { divideQuantity } from "../../api/types/quantity.ts";

/** What the node and the sandbox know of a Pod. */
export type FieldContext = { readonly podIp: string | undefined; readonly hostIp: string; readonly nodeName: string; readonly allocatable: { readonly cpu: string; readonly memory: string } };

/** A reference that cannot be resolved; the message is the kubelet's. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConfigError";
  }
}

/** The value of a downward API field, in env and in volumes. Throws ConfigError for a path that podkit does not know. */
export function fieldValue(pod: Pod, fieldPath: string, context: FieldContext): string {
  const { metadata } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscript !== null) return (subscript[1] === "labels" ? metadata.labels : metadata.annotations)?.[subscript[2] ?? ""] ?? "";
  switch (fieldPath) {
    case "metadata.name": return metadata.name;
    case "metadata.namespace": return metadata.namespace ?? "default";
    case "metadata.uid": return metadata.uid ?? "";
    case "metadata.labels": return formatMap(metadata.labels);
    case "metadata.annotations": return formatMap(metadata.annotations);
    case "spec.nodeName": return pod.spec.nodeName ?? context.nodeName;
    case "spec.serviceAccountName": return pod.spec.serviceAccountName ?? "default";
    case "status.hostIP":
    case "status.hostIPs": return context.hostIp;
    case "status.podIP":
    case "status.podIPs": return context.podIp ?? "";
    default: throw new ConfigError(`unsupported fieldPath: ${fieldPath}`);
  }
}

/** One key="value" a line, sorted by key. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join("\n");
}

/** A limit that is not set is what the node can give; the quotient is rounded up, as in Kubernetes. */
export function resourceValue(pod: Pod, own: Container | undefined, ref: ResourceFieldSelector, context: FieldContext): string {
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const container = ref.containerName === undefined ? own : all.find((candidate) => candidate.name === ref.containerName);
  if (container === undefined) throw new ConfigError(`container ${ref.containerName ?? ""} not found`);
  const [kind, name] = ref.resource.split(".");
  if ((kind !== "limits" && kind !== "requests") || (name !== "cpu" && name !== "memory")) throw new ConfigError(`unsupported container resource : ${ref.resource}`);
  const { limits, requests } = container.resources ?? {};
  const quantity = kind === "limits" ? (limits?.[name] ?? context.allocatable[name]) : (requests?.[name] ?? limits?.[name] ?? "0");
  const divisor = ref.divisor === undefined || ref.divisor === "0" ? "1" : ref.divisor;
  return String(divideQuantity(quantity, divisor));
}
