// pure
import type { Service, ServicePort, ServiceSpec } from "../types/service.ts";

export function serviceWithDefaults(service: Service): Service {
  const { spec } = service;
  const common: ServiceSpec = {
    ...spec,
    type: spec.type ?? "ClusterIP",
    sessionAffinity: spec.sessionAffinity ?? "None",
    ...(spec.ports === undefined ? {} : { ports: spec.ports.map(portWithDefaults) }),
  };
  return { ...service, spec: common.type === "ExternalName" ? common : withAddressDefaults(common) };
}

function portWithDefaults(port: ServicePort): ServicePort {
  return { ...port, protocol: port.protocol ?? "TCP", targetPort: port.targetPort ?? port.port };
}

function withAddressDefaults(spec: ServiceSpec): ServiceSpec {
  return {
    ...spec,
    ...(spec.clusterIP === undefined ? {} : { clusterIPs: spec.clusterIPs ?? [spec.clusterIP] }),
    internalTrafficPolicy: spec.internalTrafficPolicy ?? "Cluster",
    ipFamilies: spec.ipFamilies ?? ["IPv4"],
    ipFamilyPolicy: spec.ipFamilyPolicy ?? "SingleStack",
  };
}
