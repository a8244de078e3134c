import type { Clock, Random } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import type { ConnectionOptions } from "node:tls";
import type { Config } from "../config.ts";
import type { MembershipSource } from "./membership.ts";
import { ClusterSource } from "./source-cluster.ts";
import { DiscoveredSource } from "./source-discovered.ts";
import { ListedSource } from "./source-listed.ts";
import { SentinelSource } from "./source-sentinel.ts";
import { credentialsOf } from "../settings.ts";

/** Who tells which servers there are, by upstream.mode. */
export function createSource(upstream: Config["upstream"], context: {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly sentinelTls: ConnectionOptions | undefined;
  readonly serversTls: ConnectionOptions | undefined;
  readonly timeoutMs: number;
  /** Something has changed among the servers: they should be asked now. */
  readonly onHint: () => void;
}): MembershipSource {
  const { clock, random, log, onHint, timeoutMs, sentinelTls, serversTls } = context;
  const { nodes, sentinel, addressMap } = upstream;
  if (upstream.mode === "sentinel") {
    const settings = { masterName: sentinel.masterName ?? "", credentials: credentialsOf(sentinel), tls: sentinelTls, timeoutMs };
    return new SentinelSource({ settings, seeds: sentinel.nodes.length > 0 ? sentinel.nodes : nodes, addressMap, onHint, clock, random, log });
  }
  if (upstream.mode === "cluster") return new ClusterSource({ seeds: nodes, addressMap, credentials: credentialsOf(upstream), tls: serversTls, timeoutMs, clock, random, log });
  return upstream.discover ? new DiscoveredSource({ seeds: nodes, addressMap, clock, log }) : new ListedSource(nodes);
}
