// pure
import type { ApiObject } from "./meta.ts";
import type { IntOrString, Protocol } from "./pod.ts";

/**
 * core/v1 Service. podkit gives every Service with a selector DNS names that resolve to the addresses of its Pods. A Service
 * of type ClusterIP without `clusterIP: None` is accepted and resolves in the same way.
 *
 * Not promised: a virtual address. No ClusterIP is allocated, so such a Service is refused when a numeric `targetPort` differs
 * from its `port`; a named one that resolves to another number is not translated. Connections are spread only as far as clients
 * spread over the addresses that DNS returns, and no environment variables for Services (enableServiceLinks) are made.
 */
export type Service = ApiObject & { readonly apiVersion: "v1"; readonly kind: "Service"; readonly spec: ServiceSpec; readonly status?: ServiceStatus };

export type ServiceSpec = {
  readonly type?: "ClusterIP" | "ExternalName";
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly ServicePort[];
  /** "None" or absent. */
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly externalName?: string;
  readonly publishNotReadyAddresses?: boolean;
  readonly sessionAffinity?: "None";
  readonly ipFamilies?: readonly "IPv4"[];
  readonly ipFamilyPolicy?: "SingleStack" | "PreferDualStack";
  readonly internalTrafficPolicy?: "Cluster" | "Local";
};
export type ServicePort = { readonly name?: string; readonly protocol?: Protocol; readonly appProtocol?: string; readonly port: number; readonly targetPort?: IntOrString };
/** `loadBalancer` is empty: there is none. */
export type ServiceStatus = { readonly loadBalancer?: LoadBalancerStatus };
export type LoadBalancerStatus = { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
