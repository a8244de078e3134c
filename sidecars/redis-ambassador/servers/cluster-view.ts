// pure
import { formatAddress, type Address, type Membership, type ShardMembers } from "./membership.ts";
import { mapAddress, type AddressMap } from "./peers.ts";

/** One server as another one of its cluster tells of it. */
export type ClusterNode = { readonly id: string; readonly address: Address; readonly primary: boolean; readonly online: boolean };
/** A primary with its replicas and the hash slots that it owns. */
export type ClusterShard = { readonly nodes: readonly ClusterNode[]; readonly slots: readonly (readonly [from: number, to: number])[] };

/** Who was asked: a node that does not know its own host leaves it out, and with TLS the ports are others. */
export type Asked = { readonly host: string; readonly tls: boolean };

const slotMax = 16_383;
/** Bounds against answers that make no sense. */
const shardsMax = 1_000, nodesMax = 5_000;

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const list = (value: unknown): readonly unknown[] => (isList(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");

function fields(value: unknown): Map<string, unknown> {
  const found = new Map<string, unknown>(), flat = list(value);
  for (let at = 0; at + 1 < flat.length; at += 2) found.set(text(flat[at]), flat[at + 1]);
  return found;
}

/** The first of these that names a host. A node without `cluster-announce-hostname` calls its host name "?" or nothing. */
const hostIn = (asked: Asked, ...names: readonly unknown[]): string => names.map(text).find((name) => name !== "" && name !== "?") ?? asked.host;

function slotRange(from: unknown, to: unknown): (readonly [number, number])[] {
  const first = Number(from), last = Number(to);
  return Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first <= last && last <= slotMax ? [[first, last]] : [];
}

/** Reads CLUSTER SHARDS (Redis 7.0 on) as RESP2 gives it; undefined when the answer is none. */
export function readClusterShards(answer: unknown, asked: Asked): ClusterShard[] | undefined {
  if (!isList(answer) || answer.length === 0) return undefined;
  return answer.slice(0, shardsMax).map((each) => {
    const shard = fields(each), bounds = list(shard.get("slots"));
    const nodes = list(shard.get("nodes")).slice(0, nodesMax).flatMap((told): ClusterNode[] => {
      const node = fields(told), tlsPort = Number(node.get("tls-port")), plainPort = Number(node.get("port"));
      const port = asked.tls && tlsPort > 0 ? tlsPort : plainPort;
      if (text(node.get("id")) === "" || !(port > 0)) return [];
      const host = hostIn(asked, node.get("endpoint"), node.get("ip"));
      return [{ id: text(node.get("id")), address: { host, port }, primary: text(node.get("role")) === "master", online: text(node.get("health")) !== "fail" && text(node.get("health")) !== "failed" }];
    });
    return { nodes, slots: bounds.flatMap((from, at) => (at % 2 === 0 ? slotRange(from, bounds[at + 1]) : [])) };
  });
}

/** Reads CLUSTER SLOTS (all versions), which tells only of nodes that serve slots; undefined when the answer is none. */
export function readClusterSlots(answer: unknown, asked: Asked): ClusterShard[] | undefined {
  if (!isList(answer) || answer.length === 0) return undefined;
  const byPrimary = new Map<string, { nodes: ClusterNode[]; slots: (readonly [number, number])[] }>();
  for (const each of answer.slice(0, slotMax + 1)) {
    const [from, to, ...told] = list(each);
    const nodes = told.slice(0, nodesMax).flatMap((value, index): ClusterNode[] => {
      const [host, port, id] = list(value);
      if (!(Number(port) > 0)) return [];
      const address = { host: hostIn(asked, host), port: Number(port) };
      return [{ id: text(id) === "" ? formatAddress(address) : text(id), address, primary: index === 0, online: true }];
    });
    const primary = nodes[0];
    if (primary === undefined) continue;
    const known = byPrimary.get(primary.id) ?? { nodes, slots: [] };
    known.slots.push(...slotRange(from, to));
    byPrimary.set(primary.id, known);
  }
  return [...byPrimary.values()];
}

/** What CLUSTER INFO says that matters for whom to believe. */
export function readClusterInfo(answer: unknown): { readonly ok: boolean; readonly epoch: number } | undefined {
  const field = (name: string): string | undefined => new RegExp(`(?:^|\\n)${name}:([^\\r\\n]*)`).exec(text(answer))?.[1];
  const state = field("cluster_state");
  return state === undefined ? undefined : { ok: state === "ok", epoch: Number(field("cluster_current_epoch") ?? 0) };
}

/**
 * Gives shards names that last. A cluster names its nodes, and its shards only in newer versions; so a shard keeps its name
 * as long as one of its nodes stays, whoever of them is primary. Where a shard falls apart, the part with slots keeps it.
 */
export class ShardNames {
  #nameOfNode = new Map<string, string>();

  toMembership(shards: readonly ClusterShard[], addressMap: AddressMap): Membership {
    // A failed node without slots is nobody's: it comes back by a later answer. A new one may soon be given slots.
    const kept = shards.filter(({ nodes, slots }) => nodes.length > 0 && (slots.length > 0 || nodes.some(({ online }) => online)));
    const ordered = kept.toSorted((one, other) => firstSlot(one) - firstSlot(other));
    const taken = new Set<string>(), next = new Map<string, string>();
    const membership = ordered.map(({ nodes, slots }): ShardMembers => {
      const inherited = nodes.map(({ id }) => this.#nameOfNode.get(id)).find((name) => name !== undefined && !taken.has(name));
      let id = inherited ?? nodes.find(({ primary }) => primary)?.id ?? nodes[0]?.id ?? "";
      while (taken.has(id)) id += "+";
      taken.add(id);
      for (const node of nodes) next.set(node.id, id);
      return { id, addresses: nodes.toSorted(byName).map(({ address }) => mapAddress(addressMap, address)), slots: slots.toSorted(([one], [other]) => one - other) };
    });
    this.#nameOfNode = next;
    return membership;
  }
}

/** Every node tells of the others in an order of its own; the same state must look the same. */
const byName = (one: ClusterNode, other: ClusterNode): number => (one.id < other.id ? -1 : 1);
const firstSlot = ({ slots }: ClusterShard): number => Math.min(slotMax + 1, ...slots.map(([from]) => from));
