// pure
import type { Node, NodeAddress, NodeCondition, NodeImage, NodeSpec, NodeStatus, NodeSystemInfo, Taint } from "../types/node.ts";
import { nonNegativeQuantity, time } from "./common.ts";
import { dns1123Subdomain, labelValue, qualifiedName } from "./formats.ts";
import { metadata } from "./metadata.ts";
import { conditionStatus } from "./pod-status.ts";
import { choice, flag, integer, list, map, record, reportDuplicates, required, requiredMayBeEmpty, text, type Check, type Rule, type UnsupportedFields } from "./schema.ts";

const specUnsupported: UnsupportedFields = { configSource: { hint: "" }, externalID: { hint: "" } };
/** What other kubelets report and nothing here reads. */
const statusUnsupported: UnsupportedFields = { phase: { hint: "" }, volumesInUse: { hint: "" }, volumesAttached: { hint: "" }, config: { hint: "" }, runtimeHandlers: { hint: "" }, features: { hint: "" }, declaredFeatures: { hint: "" } };

const taint: Check<Taint> = record<Taint>({
  key: required(text({ format: qualifiedName })),
  value: text({ format: labelValue }),
  effect: required(choice(["NoSchedule", "PreferNoSchedule", "NoExecute"])),
  timeAdded: time,
});

const distinctTaints: Rule<NodeSpec> = (spec, { path, report }) => {
  reportDuplicates(spec.taints ?? [], (one) => (one === undefined ? undefined : `${one.key}:${one.effect}`), (index) => `${path}.taints[${index}]`, report);
};
const spec: Check<NodeSpec> = record<NodeSpec>(
  { podCIDR: text(), podCIDRs: list(text()), providerID: text(), unschedulable: flag(), taints: list(taint) },
  { unsupported: specUnsupported, rules: [distinctTaints] },
);

const condition = record<NodeCondition>({ type: required(text()), status: required(conditionStatus), lastHeartbeatTime: time, lastTransitionTime: time, reason: text(), message: text() });
const addressTypes = ["Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS"] as const;
const word = requiredMayBeEmpty(text());
const nodeInfo = record<NodeSystemInfo>({
  machineID: word,
  systemUUID: word,
  bootID: word,
  kernelVersion: word,
  osImage: word,
  containerRuntimeVersion: word,
  kubeletVersion: word,
  kubeProxyVersion: word,
  operatingSystem: word,
  architecture: word,
});
const amounts = map(nonNegativeQuantity, { checkKey: qualifiedName });

const status: Check<NodeStatus> = record<NodeStatus>(
  {
    capacity: amounts,
    allocatable: amounts,
    conditions: list(condition),
    addresses: list(record<NodeAddress>({ type: required(choice(addressTypes)), address: required(text()) })),
    daemonEndpoints: record<NonNullable<NodeStatus["daemonEndpoints"]>>({ kubeletEndpoint: record<{ readonly Port: number }>({ Port: required(integer()) }) }),
    nodeInfo,
    images: list(record<NodeImage>({ names: list(text()), sizeBytes: integer() })),
  },
  { unsupported: statusUnsupported },
);

export const node: Check<Node> = record<Node>({
  apiVersion: required(choice(["v1"])),
  kind: required(choice(["Node"])),
  metadata: required(metadata({ namespaced: false, nameFormat: dns1123Subdomain })),
  spec,
  status,
});
