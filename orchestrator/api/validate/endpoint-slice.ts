// pure
import type { Endpoint, EndpointConditions, EndpointPort, EndpointSlice } from "../types/endpoint-slice.ts";
import { objectReference } from "./event.ts";
import { invalid, tooMany } from "./fault.ts";
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from "./formats.ts";
import { isIP } from "./ip.ts";
import { metadata } from "./metadata.ts";
import { boolean, choice, integer, list, record, reportDuplicates, required, requiredMayBeEmpty, text, type Check, type Rule, type UnsupportedFields } from "./schema.ts";

const endpointUnsupported: UnsupportedFields = { hints: { hint: "there is one zone" }, deprecatedTopology: { hint: "" } };

const fewAddresses: Rule<Endpoint> = (value, { path, report }) => {
  if ((value.addresses ?? []).length > 100) report(tooMany(`${path}.addresses`, value.addresses?.length ?? 0, 100));
};
const endpoint: Check<Endpoint> = record<Endpoint>(
  {
    addresses: required(list(text({ keepEmpty: true }))),
    conditions: record<EndpointConditions>({ ready: boolean(), serving: boolean(), terminating: boolean() }),
    hostname: text({ format: dns1123Label }),
    targetRef: objectReference,
    nodeName: text({ format: dns1123Subdomain }),
    zone: text(),
  },
  { unsupported: endpointUnsupported, rules: [fewAddresses] },
);

const port: Check<EndpointPort> = record<EndpointPort>({ name: text({ keepEmpty: true }), port: integer({ check: portNumber }), protocol: choice(["TCP", "UDP", "SCTP"]), appProtocol: text({ format: qualifiedName }) });

const addressesFitType: Rule<EndpointSlice> = (value, { report }) => {
  for (const [index, one] of (value.endpoints ?? []).entries())
    for (const [at, address] of (one?.addresses ?? []).entries()) {
      const path = `endpoints[${index}].addresses[${at}]`;
      const kind = isIP(address ?? "");
      if (value.addressType === "IPv4" && kind !== 4) report(invalid(path, address, "must be a valid IPv4 address"));
      if (value.addressType === "IPv6" && kind !== 6) report(invalid(path, address, "must be a valid IPv6 address"));
      if (value.addressType === "FQDN") for (const detail of dns1123Subdomain(address ?? "")) report(invalid(path, address, detail));
    }
};
const portNames: Rule<EndpointSlice> = (value, { report }) => {
  const ports = value.ports ?? [];
  if (ports.length > 100) report(tooMany("ports", ports.length, 100));
  reportDuplicates(ports, (one) => one?.name ?? "", (index) => `ports[${index}].name`, report);
  for (const [index, one] of ports.entries()) if (one?.name !== undefined && one.name !== "") for (const detail of dns1123Label(one.name)) report(invalid(`ports[${index}].name`, one.name, detail));
};

export const endpointSlice: Check<EndpointSlice> = record<EndpointSlice>(
  {
    apiVersion: required(choice(["discovery.k8s.io/v1"])),
    kind: required(choice(["EndpointSlice"])),
    metadata: required(metadata({ namespaced: true, nameFormat: dns1123Subdomain })),
    addressType: required(choice(["IPv4", "IPv6", "FQDN"])),
    endpoints: requiredMayBeEmpty(list(endpoint, { itemsMax: 1000 })),
    ports: list(port),
  },
  { rules: [addressesFitType, portNames] },
);
