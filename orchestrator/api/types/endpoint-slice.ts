// pure
import type { ObjectReference } from "./event.ts";
import type { ApiObject } from "./meta.ts";
import type { Protocol } from "./pod.ts";

/** discovery.k8s.io/v1 EndpointSlice; the label `kubernetes.io/service-name` names its Service. */
export type EndpointSlice = ApiObject & {
  readonly apiVersion: "discovery.k8s.io/v1";
  readonly kind: "EndpointSlice";
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints: readonly Endpoint[];
  readonly ports?: readonly EndpointPort[];
};
export type Endpoint = {
  readonly addresses: readonly string[];
  readonly conditions?: EndpointConditions;
  readonly hostname?: string;
  readonly targetRef?: ObjectReference;
  readonly nodeName?: string;
  readonly zone?: string;
};
export type EndpointConditions = { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
export type EndpointPort = { readonly name?: string; readonly port?: number; readonly protocol?: Protocol; readonly appProtocol?: string };
