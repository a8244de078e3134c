// pure
import type { ConnectionOptions } from "node:tls";
import type { Config } from "./config.ts";
import type { Credentials } from "./connections/connection-state.ts";
import type { HubSettings } from "./hub.ts";
import { listenerAuth } from "./listener/listener-auth.ts";
import type { PoolSettings } from "./connections/pool.ts";
import type { TopologySettings } from "./servers/topology.ts";

// What each part needs of the configuration. Called again for a changed one; credentials and TLS that have not changed are
// handed over as the same objects, because another object means other connections.

export function credentialsOf({ username, password }: { readonly username: string | undefined; readonly password: string | undefined }): Credentials | undefined {
  return password === undefined ? undefined : { username, password };
}

export type Access = { readonly credentials: Credentials | undefined; readonly tls: ConnectionOptions | undefined };

export function topologySettings({ failover, reads }: Config, { credentials, tls }: Access): TopologySettings {
  return { credentials, tls, probeIntervalMs: failover.probeIntervalMs, probeTimeoutMs: failover.probeTimeoutMs, lag: { lagBytesMax: reads.lagBytesMax, lagSecondsMax: reads.lagSecondsMax }, readsWithoutPrimary: reads.withoutPrimary };
}

export function poolSettings({ upstream, limits, see }: Config, { credentials, tls }: Access): PoolSettings {
  return { credentials, tls, connectTimeoutMs: upstream.connectTimeoutMs, leasesMax: limits.dedicatedConnections, slowMs: see.slowLogMs === 0 ? Number.POSITIVE_INFINITY : see.slowLogMs, clustered: upstream.mode === "cluster" };
}

export function hubSettings({ listen, upstream, reads, failover, limits, see }: Config, version: string): HubSettings {
  return {
    auth: listenerAuth(listen),
    consistency: reads.consistency, dryRun: reads.dryRun, policy: reads.policy, zone: reads.zone, zones: reads.zones, weights: reads.weights,
    mode: upstream.mode, version, slowLogEntries: see.slowLogEntries, hotKeysKept: see.hotKeys, offload: reads.offload,
    holdMs: failover.holdMs, heldBytesMax: limits.heldBytes, clientInputBytesMax: limits.clientInputBytes, clientOutputBytesMax: limits.clientOutputBytes, allClientsOutputBytesMax: limits.allClientsOutputBytes,
  };
}
