// pure
import type { LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus } from "../types/service.ts";
import { ip, portOrName } from "./common.ts";
import { duplicate, forbidden, invalid, required as requiredFault } from "./fault.ts";
import { dns1035Label, dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from "./formats.ts";
import { labels, metadata } from "./metadata.ts";
import { choice, flag, integer, list, record, reportDuplicates, required, text, type Check, type Rule } from "./schema.ts";
import { ipFamilyPolicyUnsupported, ipFamilyUnsupported, servicePortUnsupported, serviceSpecUnsupported, serviceTypesUnsupported, sessionAffinityUnsupported } from "./unsupported.ts";

const port: Check<ServicePort> = record<ServicePort>(
  {
    name: text({ format: dns1123Label }),
    protocol: choice(["TCP", "UDP", "SCTP"]),
    appProtocol: text({ format: qualifiedName }),
    port: required(integer({ check: portNumber, zeroIsAbsent: true })),
    targetPort: portOrName,
  },
  { unsupported: servicePortUnsupported },
);

/** Addresses of Services are not allocated, so none can be asked for. */
const noneOnly = (address: string): readonly string[] => (address === "None" ? [] : ["must be None or absent: podkit allocates no virtual addresses"]);

const portsArePresent: Rule<ServiceSpec> = (spec, { path, report, given }) => {
  if (spec.ports === undefined && !given.has("ports") && spec.clusterIP !== "None" && spec.type !== "ExternalName") report(requiredFault(`${path}.ports`));
};

const portsAreDistinct: Rule<ServiceSpec> = (spec, { path, report }) => {
  const ports = spec.ports ?? [];
  if (ports.length > 1) for (const [index, one] of ports.entries()) if (one !== undefined && one.name === undefined) report(requiredFault(`${path}.ports[${index}].name`));
  reportDuplicates(ports, (one) => one?.name, (index) => `${path}.ports[${index}].name`, report);
  const seen = new Set<string>();
  for (const [index, one] of ports.entries()) {
    if (one?.port === undefined) continue;
    const value = { protocol: one.protocol ?? "TCP", port: one.port };
    const key = JSON.stringify(value);
    if (seen.has(key)) report(duplicate(`${path}.ports[${index}]`, value));
    seen.add(key);
  }
};

const externalName: Rule<ServiceSpec> = (spec, { path, report, given }) => {
  if (spec.type !== "ExternalName") return;
  if (given.has("clusterIP") && spec.clusterIP !== undefined) report(forbidden(`${path}.clusterIP`, "may not be set when `type` is 'ExternalName'"));
  if (!given.has("externalName")) report(requiredFault(`${path}.externalName`));
  else for (const detail of dns1123Subdomain((spec.externalName ?? "").replace(/\.$/, ""))) report(invalid(`${path}.externalName`, spec.externalName, detail));
};

const addressesAgree: Rule<ServiceSpec> = (spec, { path, report }) => {
  const addresses = spec.clusterIPs ?? [];
  if (addresses.length > 1) report(invalid(`${path}.clusterIPs`, addresses, "may only hold up to 1 value"));
  if (addresses.length === 1 && spec.clusterIP !== addresses[0]) report(invalid(`${path}.clusterIPs`, addresses, "first value must match `clusterIP`"));
};

/**
 * Without a virtual address nothing translates ports: such a Service would work on a cluster and fail here. With clusterIP None
 * nothing is translated on a cluster either. A named target port can only be compared when there are Pods.
 */
const portsNeedNoTranslation: Rule<ServiceSpec> = (spec, { path, report }) => {
  if (spec.clusterIP !== undefined || spec.type === "ExternalName") return;
  for (const [index, one] of (spec.ports ?? []).entries())
    if (typeof one?.targetPort === "number" && one.port !== undefined && one.targetPort !== one.port)
      report(invalid(`${path}.ports[${index}].targetPort`, one.targetPort, `must equal port (${one.port}): podkit has no virtual addresses that could translate ports yet`));
};

const spec: Check<ServiceSpec> = record<ServiceSpec>(
  {
    type: choice(["ClusterIP", "ExternalName"], { unsupported: serviceTypesUnsupported }),
    selector: labels,
    ports: list(port),
    clusterIP: text({ format: noneOnly }),
    clusterIPs: list(text({ format: noneOnly })),
    externalName: text(),
    publishNotReadyAddresses: flag(),
    sessionAffinity: choice(["None"], { unsupported: sessionAffinityUnsupported }),
    ipFamilies: list(choice(["IPv4"], { unsupported: ipFamilyUnsupported })),
    ipFamilyPolicy: choice(["SingleStack", "PreferDualStack"], { unsupported: ipFamilyPolicyUnsupported }),
    // All end points are on this node, so Local and Cluster mean the same.
    internalTrafficPolicy: choice(["Cluster", "Local"]),
  },
  { unsupported: serviceSpecUnsupported, rules: [portsArePresent, portsAreDistinct, externalName, addressesAgree, portsNeedNoTranslation] },
);

const status: Check<ServiceStatus> = record<ServiceStatus>({
  loadBalancer: record<LoadBalancerStatus>({ ingress: list(record<{ readonly ip?: string; readonly hostname?: string }>({ ip, hostname: text() })) }),
});

export const service: Check<Service> = record<Service>({
  apiVersion: required(choice(["v1"])),
  kind: required(choice(["Service"])),
  metadata: required(metadata({ namespaced: true, nameFormat: dns1035Label })),
  spec: required(spec),
  status,
});
