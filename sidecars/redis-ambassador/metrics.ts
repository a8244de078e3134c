import type { MetricRegistry } from "../../kit/metrics.ts";
import type { Hub } from "./hub.ts";
import type { Shard } from "./node.ts";

type Reading = { readonly value: number; readonly labels?: Readonly<Record<string, string>> };

/**
 * Registers the role's metrics. The data path counts in plain numbers; they are read here when somebody scrapes, and
 * counters are advanced by what has come since.
 */
export function registerMetrics(registry: MetricRegistry, hub: Hub): void {
  const prefix = "podkit_redis_ambassador_";
  const gauge = (name: string, help: string, labels: readonly string[], readings: () => Reading[]): void =>
    registry.gauge({ name: prefix + name, help, labels }).collect(readings);
  const { topology, counts } = hub;
  const overShards = (read: (shard: Shard) => number): number => topology.shards.reduce((sum, shard) => sum + read(shard), 0);
  // Registered first, because metrics are rendered in this order: the counters below are brought up to date by it.
  gauge("clients", "Connections of applications at present.", [], () => {
    refresh();
    return [{ value: hub.clients.size }];
  });

  const commands = registry.counter({ name: `${prefix}commands_total`, help: "Commands by the server that got them and by what they are; pinned: over a connection of the client's own; local: answered by the ambassador.", labels: ["node", "class"] });
  const bytes = registry.counter({ name: `${prefix}upstream_bytes_total`, help: "Bytes to and from each server over the data path.", labels: ["node", "direction"] });
  const totals: readonly (readonly [string, string, () => number])[] = [
    ["reissued_commands_total", "Commands sent again elsewhere because they were provably not executed or only read.", () => counts.reissued],
    ["uncertain_commands_total", "Commands answered with an error because their connection was lost before the reply.", () => counts.uncertain],
    ["held_total", "Times that a client had to wait for a primary.", () => counts.held],
    ["hold_expired_commands_total", "Commands that failed because no primary was known for too long or too much was held.", () => counts.holdExpired],
    ["diverted_reads_total", "Reads sent to the primary because a replica was not proven to have the key's last write.", () => hub.router.diverted],
    ["slow_clients_closed_total", "Clients closed because they did not read their replies.", () => counts.slowClosed],
    ["clients_accepted_total", "Connections accepted from applications.", () => counts.accepted],
    ["clients_refused_total", "Connections refused because of limits.clients.", () => counts.refused],
    ["fences_total", "Proofs made that the primary has executed all marked writes.", () => overShards(({ fence }) => fence.counts.fences)],
    ["fence_resets_total", "Times that all proofs were forgotten because the primary changed.", () => overShards(({ fence }) => fence.counts.resets)],
  ];
  const counters = totals.map(([name, help, read]) => ({ counter: registry.counter({ name: prefix + name, help }), read, seen: 0 }));
  const seen = new Map<string, number>();
  const advance = (key: string, value: number, inc: (amount: number) => void): void => {
    // A shard that is no more takes its counts with it.
    inc(Math.max(0, value - (seen.get(key) ?? 0)));
    seen.set(key, value);
  };
  const refresh = (): void => {
    for (const each of counters) {
      const value = each.read();
      each.counter.inc({}, Math.max(0, value - each.seen));
      each.seen = value;
    }
    for (const node of topology.nodes) {
      for (const kind of ["read", "write", "other", "pinned"] as const) {
        advance(`${node.address} ${kind}`, node.counts[kind], (amount) => commands.inc({ node: node.address, class: kind }, amount));
      }
      advance(`${node.address} in`, node.counts.bytesIn, (amount) => bytes.inc({ node: node.address, direction: "in" }, amount));
      advance(`${node.address} out`, node.counts.bytesOut, (amount) => bytes.inc({ node: node.address, direction: "out" }, amount));
    }
    advance("local", counts.local, (amount) => commands.inc({ node: "", class: "local" }, amount));
  };

  gauge("dedicated_connections", "Server connections that belong to one client each.", [], () => [{ value: hub.pool.leases }]);
  gauge("held_bytes", "Bytes of commands waiting for a primary.", [], () => [{ value: hub.heldBytes }]);
  gauge("primary", "1 for the server that is written to.", ["node"], () => topology.nodes.map((node) => ({ value: node === node.shard.primary ? 1 : 0, labels: { node: node.address } })));
  gauge("replica_eligible", "1 for a replica that may be read.", ["node"], () => topology.nodes.map((node) => ({ value: node.shard.eligible.includes(node) ? 1 : 0, labels: { node: node.address } })));
  gauge("replica_lag_bytes", "How far a replica was behind the primary at the last probe.", ["node"], () => {
    return topology.nodes.flatMap((node) => {
      const offset = node.shard.primary?.facts?.offset;
      return node.facts?.role === "replica" && offset !== undefined ? [{ value: Math.max(0, offset - node.facts.offset), labels: { node: node.address } }] : [];
    });
  });
}
