// pure
import { formatAddress, type Address } from "./membership.ts";

/** Addresses as servers and sentinels tell them -> addresses that are reached from here. */
export type AddressMap = Readonly<Record<string, Address>>;

export function mapAddress(map: AddressMap, told: Address): Address {
  const key = formatAddress(told);
  return Object.hasOwn(map, key) ? (map[key] ?? told) : told;
}

/** What a server's INFO (sections server and replication) tells of itself and of others. */
export type Peers = {
  readonly runId: string;
  readonly role: "primary" | "replica";
  /** A primary's replicas, or a replica's primary, as the server itself calls them. */
  readonly others: readonly Address[];
};

/** Undefined when the text is no such answer, as a sentinel's. */
export function readPeers(info: string): Peers | undefined {
  const field = (name: string): string | undefined => new RegExp(`(?:^|\\n)${name}:([^\\r\\n]*)`).exec(info)?.[1];
  const role = field("role"), runId = field("run_id") ?? "";
  if (role === "slave") {
    const host = field("master_host"), port = Number(field("master_port"));
    return { runId, role: "replica", others: host === undefined || host === "" || !(port > 0) ? [] : [{ host, port }] };
  }
  if (role !== "master") return undefined;
  const others: Address[] = [];
  for (const [, host = "", port = ""] of info.matchAll(/^slave\d+:ip=([^,\r\n]*),port=(\d+)/gm)) if (host !== "" && Number(port) > 0) others.push({ host, port: Number(port) });
  return { runId, role: "primary", others };
}

/** How the server was started; undefined when it does not tell. */
export function readServerMode(info: string): "standalone" | "sentinel" | "cluster" | undefined {
  const mode = /(?:^|\n)(?:redis|server|valkey)_mode:([^\r\n]*)/.exec(info)?.[1];
  return mode === "standalone" || mode === "sentinel" || mode === "cluster" ? mode : undefined;
}

export function sameAddresses(one: readonly Address[], other: readonly Address[]): boolean {
  return one.length === other.length && one.every((address, index) => formatAddress(address) === formatAddress(other[index] ?? { host: "", port: 0 }));
}
