// pure
import type { EndpointSlice } from "../api/types/endpoint-slice.ts";
import type { Service } from "../api/types/service.ts";
import type { DnsEndpoint, DnsRecords, DnsService } from "./dns/records.ts";
import { serviceNameLabel } from "./endpoint-slices.ts";

/** What the DNS server has to know, sorted, so that the same state gives the same file. Ready endpoints alone are named. */
export function dnsRecords(domain: string, services: readonly Service[], slices: readonly EndpointSlice[]): DnsRecords {
  const byService = Map.groupBy(slices, (slice) => `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceNameLabel]}`);
  const named = services.flatMap((service) => recordsOf(service, byService.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? []));
  return { version: 1, domain, services: named.toSorted((a, b) => compare(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`)) };
}

function recordsOf(service: Service, slices: readonly EndpointSlice[]): readonly DnsService[] {
  const { name, namespace = "default" } = service.metadata;
  if (service.spec.type === "ExternalName") return [{ kind: "external", namespace, name, target: service.spec.externalName ?? "" }];
  return [{ kind: "endpoints", namespace, name, endpoints: slices.flatMap(endpointsOf).toSorted((a, b) => compare(a.address, b.address)) }];
}

function endpointsOf(slice: EndpointSlice): readonly DnsEndpoint[] {
  if (slice.addressType !== "IPv4") return [];
  const ports = (slice.ports ?? []).flatMap(({ name, port, protocol }) => (port === undefined ? [] : [{ name: name ?? "", port, protocol: protocol ?? "TCP" }]));
  return slice.endpoints.flatMap(({ addresses, conditions, hostname }) => {
    const address = addresses[0];
    // The API's convention: unknown readiness counts as ready.
    if (address === undefined || conditions?.ready === false) return [];
    return [{ address, ports, ...(hostname === undefined ? {} : { hostname }) }];
  });
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
