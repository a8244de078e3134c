// pure
import type { ApiObject } from "./meta.ts";
import type { ConditionStatus, ResourceList, TaintEffect, Time } from "./pod.ts";

/** core/v1 Node, written by the node agent. */
export type Node = ApiObject & { readonly apiVersion: "v1"; readonly kind: "Node"; readonly spec?: NodeSpec; readonly status?: NodeStatus };

export type NodeSpec = { readonly podCIDR?: string; readonly podCIDRs?: readonly string[]; readonly providerID?: string; readonly unschedulable?: boolean; readonly taints?: readonly Taint[] };
export type Taint = { readonly key: string; readonly value?: string; readonly effect: TaintEffect; readonly timeAdded?: Time };
export type NodeStatus = {
  readonly capacity?: ResourceList;
  readonly allocatable?: ResourceList;
  readonly conditions?: readonly NodeCondition[];
  readonly addresses?: readonly NodeAddress[];
  readonly daemonEndpoints?: { readonly kubeletEndpoint?: { readonly Port: number } };
  readonly nodeInfo?: NodeSystemInfo;
  readonly images?: readonly NodeImage[];
};
export type NodeConditionType = "Ready" | "MemoryPressure" | "DiskPressure" | "PIDPressure" | "NetworkUnavailable";
export type NodeCondition = {
  /** One of NodeConditionType, or a name of somebody else's. */
  readonly type: string;
  readonly status: ConditionStatus;
  readonly lastHeartbeatTime?: Time;
  readonly lastTransitionTime?: Time;
  readonly reason?: string;
  readonly message?: string;
};
export type NodeAddress = { readonly type: "Hostname" | "InternalIP" | "ExternalIP" | "InternalDNS" | "ExternalDNS"; readonly address: string };
export type NodeImage = { readonly names?: readonly string[]; readonly sizeBytes?: number };
export type NodeSystemInfo = {
  readonly machineID: string;
  readonly systemUUID: string;
  readonly bootID: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly containerRuntimeVersion: string;
  readonly kubeletVersion: string;
  readonly kubeProxyVersion: string;
  readonly operatingSystem: string;
  readonly architecture: string;
};
