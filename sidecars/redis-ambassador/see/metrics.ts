import type { MetricRegistry } from "../../../kit/metrics.ts";
import type { Hub } from "../hub.ts";
import { latencyBoundsSeconds, type LatencyHistogram } from "./latency.ts";
import type { RedisNode, Shard } from "../servers/node.ts";

type Reading = { readonly value: number; readonly labels?: Readonly<Record<string, string>> };

const prefix = "podkit_redis_ambassador_";

/** Registers the role's metrics. The data path counts in plain numbers, which are read when somebody scrapes. */
export function registerMetrics(registry: MetricRegistry, hub: Hub, fenceWaits: LatencyHistogram): void {
  const { topology, counts, router } = hub;
  const gauge = (name: string, help: string, labels: readonly string[], readings: () => Reading[]): void => registry.gauge({ name: prefix + name, help, labels }).collect(readings);
  const counter = (name: string, help: string, labels: readonly string[], readings: () => Reading[]): void => registry.counter({ name: prefix + name, help, labels }).collect(readings);
  const total = (name: string, help: string, read: () => number): void => counter(name, help, [], () => [{ value: read() }]);
  const overShards = (read: (shard: Shard) => number): number => topology.shards.reduce((sum, shard) => sum + read(shard), 0);
  const perNode = (read: (node: RedisNode) => number | undefined) => (): Reading[] => topology.nodes.flatMap((node) => {
    const value = read(node);
    return value === undefined ? [] : [{ value, labels: { node: node.address } }];
  });

  gauge("clients", "Connections of applications at present.", [], () => [{ value: hub.clients.size }]);
  total("clients_accepted_total", "Connections accepted from applications.", () => counts.accepted);
  total("clients_refused_total", "Connections refused because of limits.clients.", () => counts.refused);
  total("slow_clients_closed_total", "Clients closed because they did not read their replies.", () => counts.slowClosed);
  total("tls_handshakes_failed_total", "Clients that did not get through the TLS handshake.", () => counts.handshakesFailed);

  counter("commands_total", "Commands by the server that got them and by what they are; pinned: over a connection of the client's own; local: answered by the ambassador.", ["node", "class"], () => [
    ...topology.nodes.flatMap((node) => (["read", "write", "other", "pinned"] as const).map((kind) => ({ value: node.counts[kind], labels: { node: node.address, class: kind } }))),
    { value: counts.local, labels: { node: "", class: "local" } },
  ]);
  counter("upstream_bytes_total", "Bytes to and from each server over the data path.", ["node", "direction"], () => topology.nodes.flatMap((node) => [
    { value: node.counts.bytesIn, labels: { node: node.address, direction: "in" } }, { value: node.counts.bytesOut, labels: { node: node.address, direction: "out" } },
  ]));
  registry.histogram({ name: `${prefix}latency_seconds`, help: "Time that a server took for a run of commands of one client, from sending to the last reply.", labels: ["node"], buckets: latencyBoundsSeconds })
    .collect(() => topology.nodes.map((node) => ({ counts: node.latency.counts, sum: node.latency.sumSeconds, labels: { node: node.address } })));
  total("slow_commands_total", "Runs of commands that took longer than see.slowLogMs.", () => hub.slowLog.total);

  counter("diverted_reads_total", "Reads that the primary got though the policy prefers replicas; unproven: no replica is proven to have the latest write; no_replica: none may be read.", ["cause"], () => [
    { value: router.diverted.unproven, labels: { cause: "unproven" } }, { value: router.diverted.noReplica, labels: { cause: "no_replica" } },
  ]);
  total("offloaded_reads_total", "Reads answered by replicas though the server flags their command as a write.", () => counts.offloaded);
  counter("dry_run_reads_total", "With reads.dryRun: where reads would have gone.", ["node"], () => [...router.dryRun.byNode()].map(([node, value]) => ({ value, labels: { node } })));
  total("scripts_given_again_total", "Scripts given to a server that did not know them, e.g. after a failover.", () => hub.rewriter.scripts.counts.revived);

  total("reissued_commands_total", "Commands sent again elsewhere because they were provably not executed or only read.", () => counts.reissued);
  total("uncertain_commands_total", "Commands answered with an error because their connection was lost before the reply.", () => counts.uncertain);
  total("held_total", "Times that a client had to wait for a primary.", () => counts.held);
  total("held_seconds_total", "Time that clients have waited for a primary, all together.", () => counts.heldMs / 1000);
  total("hold_expired_commands_total", "Commands that failed because no primary was known for too long or too much was held.", () => counts.holdExpired);
  gauge("held_bytes", "Bytes of commands waiting for a primary.", [], () => [{ value: hub.heldBytes }]);
  gauge("dedicated_connections", "Server connections that belong to one client each.", [], () => [{ value: hub.pool.leases }]);

  gauge("primary", "1 for the server that is written to.", ["node"], perNode((node) => (node === node.shard.primary ? 1 : 0)));
  gauge("replica_eligible", "1 for a replica that may be read.", ["node"], perNode((node) => (node.shard.eligible.includes(node) ? 1 : 0)));
  counter("replica_ejections_total", "Times that a replica was read no more, by the reason.", ["cause"], () => [...topology.ejections].map(([cause, value]) => ({ value, labels: { cause } })));
  gauge("replica_lag_bytes", "How far a replica was behind the primary at the last probe.", ["node"], perNode((node) => node.lagBytes));
  gauge("replica_lag_seconds", "How long ago a replica had heard from its primary, at the last probe.", ["node"], perNode((node) => (node.facts?.role === "replica" ? Math.max(0, node.facts.lastIoSeconds) : undefined)));

  total("fences_total", "Proofs made that the primary has executed all marked writes.", () => overShards(({ fence }) => fence.counts.fences));
  total("fence_resets_total", "Times that all proofs were forgotten because the primary changed.", () => overShards(({ fence }) => fence.counts.resets));
  registry.histogram({ name: `${prefix}fence_wait_seconds`, help: "Time from the primary's proof to a replica's that is past it.", buckets: latencyBoundsSeconds }).collect(() => [{ counts: fenceWaits.counts, sum: fenceWaits.sumSeconds }]);
  gauge("fence_behind_bytes", "How far a replica is from proving the latest fence.", ["node"], perNode((node) => {
    const wanted = node.shard.fence.wantedOffset;
    return node.facts?.role !== "replica" ? undefined : wanted === undefined ? 0 : Math.max(0, wanted - node.proof.offset);
  }));
  if (router.cluster !== undefined) registerClusterMetrics(registry, router.cluster);
}

/** What is counted with a Redis Cluster alone. */
function registerClusterMetrics(registry: MetricRegistry, cluster: NonNullable<Hub["router"]["cluster"]>): void {
  const { counts } = cluster;
  registry.gauge({ name: `${prefix}cluster_held_bytes`, help: "Bytes of scattered commands waiting for a primary." }).collect(() => [{ value: cluster.heldBytes }]);
  registry.counter({ name: `${prefix}cluster_scattered_commands_total`, help: "Commands that were spread over several shards, or looked into with care." }).collect(() => [{ value: counts.scattered }]);
  registry.counter({ name: `${prefix}cluster_refusals_total`, help: "Requests that a node of the cluster sent elsewhere or would not execute at the moment.", labels: ["kind"] })
    .collect(() => (["moved", "ask", "tryAgain", "clusterDown"] as const).map((kind) => ({ value: counts[kind], labels: { kind: kind.toLowerCase() } })));
}
