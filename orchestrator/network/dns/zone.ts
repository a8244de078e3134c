// pure
import { recordType, typeOf } from "./message.ts";
import type { Name, Question, RecordData, ResourceRecord } from "./message.ts";
import type { DnsEndpoint, DnsRecords } from "./records.ts";

/**
 * The names of a cluster, after the Kubernetes DNS specification 1.1. Every Service is answered as a headless one: with the addresses of
 * its back ends. Keys are lower-case names without the final dot; a key with no records is a name that exists only because others lie below it.
 */
export type Zone = { readonly domain: string; readonly names: ReadonlyMap<string, readonly RecordData[]>; readonly serial: number };

/** Short, because Pods come and go: a client asks again soon. */
export const ttlSeconds = 5;

export type Resolution =
  /** `chase`: the answer ends in a CNAME out of the zone; what it points to has to be asked for elsewhere and appended. */
  | { readonly kind: "answer"; readonly answers: readonly ResourceRecord[]; readonly additionals: readonly ResourceRecord[]; readonly chase?: Name }
  | { readonly kind: "noData" | "noSuchName"; readonly authority: ResourceRecord }
  | { readonly kind: "notOurs" };

export function buildZone(records: DnsRecords, serial: number): Zone {
  const domain = records.domain.toLowerCase();
  const names = new Map<string, RecordData[]>();
  const add = (name: string, ...data: readonly RecordData[]): void => {
    const known = names.get(name);
    if (known === undefined) names.set(name, [...data]);
    else known.push(...data);
  };
  for (const name of [domain, `svc.${domain}`, `pod.${domain}`]) add(name);
  for (const service of records.services) {
    const name = `${service.name}.${service.namespace}.svc.${domain}`.toLowerCase();
    if (service.kind === "external") add(name, { kind: "cname", target: labelsOf(service.target) });
    else addEndpoints(add, name, service.endpoints);
  }
  addParents(names, domain);
  return { domain, names, serial };
}

type Add = (name: string, ...data: readonly RecordData[]) => void;

function addEndpoints(add: Add, service: string, endpoints: readonly DnsEndpoint[]): void {
  add(service);
  for (const endpoint of endpoints) {
    const own = `${(endpoint.hostname ?? endpoint.address.replaceAll(".", "-")).toLowerCase()}.${service}`;
    const address: RecordData = { kind: "a", address: endpoint.address };
    add(service, address);
    add(own, address);
    add(`${endpoint.address.split(".").toReversed().join(".")}.in-addr.arpa`, { kind: "ptr", target: labelsOf(own) });
    for (const port of endpoint.ports) {
      const srv: RecordData = { kind: "srv", priority: 0, weight: 100, port: port.port, target: labelsOf(own) };
      add(service, srv);
      if (port.name !== "") add(`_${port.name}._${port.protocol}.${service}`.toLowerCase(), srv);
    }
  }
}

/** A name below which others lie exists: asked for, it has no data; it is not unknown. */
function addParents(names: Map<string, RecordData[]>, domain: string): void {
  // The parents added on the way are visited too, and have theirs by then.
  for (const name of names.keys()) {
    if (!isBelow(name, domain)) continue;
    for (let parent = parentOf(name); parent.length > domain.length && !names.has(parent); parent = parentOf(parent)) names.set(parent, []);
  }
}

export function resolve(zone: Zone, question: Question): Resolution {
  const name = keyOf(question.name);
  if (name === undefined) return { kind: "notOurs" };
  const podAddress = addressOfPodName(name, zone.domain);
  const found: readonly RecordData[] | undefined = podAddress === undefined ? zone.names.get(name) : [{ kind: "a", address: podAddress }];
  if (!isBelow(name, zone.domain) && name !== zone.domain && found === undefined) return { kind: "notOurs" };
  if (found === undefined) return { kind: "noSuchName", authority: startOfAuthority(zone) };
  const record = (data: RecordData): ResourceRecord => ({ name: question.name, ttlSeconds, data });
  const alias = found[0];
  if (alias?.kind === "cname") return resolveAlias(zone, question, record(alias), alias.target);
  const answers = found.filter((data) => typeOf(data) === question.type || question.type === recordType.any).map(record);
  if (answers.length === 0) return { kind: "noData", authority: startOfAuthority(zone) };
  return { kind: "answer", answers, additionals: question.type === recordType.srv ? addressesOfTargets(zone, answers) : [] };
}

function resolveAlias(zone: Zone, question: Question, alias: ResourceRecord, target: Name): Resolution {
  if (question.type === recordType.cname || question.type === recordType.any) return { kind: "answer", answers: [alias], additionals: [] };
  const key = keyOf(target) ?? "";
  if (!isBelow(key, zone.domain)) return { kind: "answer", answers: [alias], additionals: [], chase: target };
  // One step only: an alias of an alias could be a circle. Its second step is answered when the client asks for it.
  const addresses = (zone.names.get(key) ?? []).filter((data) => typeOf(data) === question.type).map((data) => ({ name: target, ttlSeconds, data }));
  return { kind: "answer", answers: [alias, ...addresses], additionals: [] };
}

function addressesOfTargets(zone: Zone, answers: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const seen = new Set<string>();
  return answers.flatMap(({ data }) => {
    if (data.kind !== "srv") return [];
    const key = keyOf(data.target) ?? "";
    if (seen.has(key)) return [];
    seen.add(key);
    return (zone.names.get(key) ?? []).filter(({ kind }) => kind === "a").map((address) => ({ name: data.target, ttlSeconds, data: address }));
  });
}

/** 10-1-2-3.default.pod.<domain> stands for that address, whether or not such a Pod exists. */
function addressOfPodName(name: string, domain: string): string | undefined {
  if (!name.endsWith(`.pod.${domain}`)) return undefined;
  const match = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.[^.]+$/.exec(name.slice(0, -`.pod.${domain}`.length));
  const octets = match?.slice(1) ?? [];
  return octets.length === 4 && octets.every((octet) => Number(octet) <= 255) ? octets.map(Number).join(".") : undefined;
}

/** What clients may remember of a name's absence is bounded by `minimum`. */
function startOfAuthority(zone: Zone): ResourceRecord {
  const name = labelsOf(zone.domain);
  return { name, ttlSeconds, data: { kind: "soa", server: ["ns", "dns", ...name], mailbox: ["hostmaster", ...name], serial: zone.serial, refresh: 7200, retry: 1800, expire: 86_400, minimum: ttlSeconds } };
}

export function labelsOf(name: string): Name {
  return name.replace(/\.$/, "").split(".");
}

/** Undefined for names with a dot inside a label: they would be mistaken for others, and no record of ours has such a name. */
export function keyOf(name: Name): string | undefined {
  return name.some((label) => label.includes(".")) ? undefined : name.join(".").toLowerCase();
}

function isBelow(name: string, domain: string): boolean {
  return name.endsWith(`.${domain}`);
}

function parentOf(name: string): string {
  return name.slice(name.indexOf(".") + 1);
}
