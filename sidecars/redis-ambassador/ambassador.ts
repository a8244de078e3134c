import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { readFileSync } from "node:fs";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { Client } from "./client.ts";
import type { Config } from "./config.ts";
import type { Credentials } from "./connection-state.ts";
import { FenceRunner } from "./fence-runner.ts";
import { Hub, type HubSettings } from "./hub.ts";
import { openListeners } from "./listen.ts";
import { listedMembers, type MembershipSource } from "./membership.ts";
import type { RedisNode } from "./node.ts";
import { Pool, type PoolSettings } from "./pool.ts";
import { Topology, type TopologySettings } from "./topology.ts";

/** How often stuck connections, expired holds and slow readers are looked for. */
const tickMs = 25;

export type Ambassador = {
  readonly hub: Hub;
  readonly port: number;
  /** Why commands cannot be served at present, or undefined. */
  readonly notReady: () => string | undefined;
  /** Stops accepting, lets clients finish what is in hand, and resolves when all have gone. */
  readonly drain: () => Promise<void>;
  /** Ends everything at once. */
  readonly stop: () => Promise<void>;
};

function readTls(tls: Config["upstream"]["tls"]): ConnectionOptions | undefined {
  if (!tls.enabled) return undefined;
  return {
    ...(tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile) }),
    ...(tls.certFile === undefined ? {} : { cert: readFileSync(tls.certFile) }),
    ...(tls.keyFile === undefined ? {} : { key: readFileSync(tls.keyFile) }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  };
}

function listedSource(config: Config): MembershipSource {
  return {
    wake: () => undefined,
    run: async (signal, onMembership) => {
      onMembership(listedMembers(config.upstream.nodes));
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
  };
}

/** Starts the ambassador. Listens at once, also while no server answers: clients then wait (failover.holdMs). */
export async function startAmbassador(options: { readonly config: Config; readonly log: Log; readonly clock: Clock; readonly random: Random }): Promise<Ambassador> {
  const { config, log, clock, random } = options;
  const { upstream, reads, failover, limits } = config;
  const credentials: Credentials | undefined = upstream.password === undefined ? undefined : { username: upstream.username, password: upstream.password };
  const tls = readTls(upstream.tls);
  const topologySettings: TopologySettings = { credentials, tls, probeIntervalMs: failover.probeIntervalMs, probeTimeoutMs: failover.probeTimeoutMs, lag: reads };
  const poolSettings: PoolSettings = { credentials, tls, connectTimeoutMs: upstream.connectTimeoutMs, leasesMax: limits.dedicatedConnections };
  const hubSettings: HubSettings = {
    consistency: reads.consistency, policy: reads.policy, zone: reads.zone, zones: reads.zones, weights: reads.weights,
    holdMs: failover.holdMs, heldBytesMax: limits.heldBytes, clientInputBytesMax: limits.clientInputBytes, clientOutputBytesMax: limits.clientOutputBytes,
  };
  const ending = new AbortController();
  const pool: Pool = new Pool({
    settings: poolSettings, clock,
    onSharedLost: (node, reason) => {
      if (ending.signal.aborted || reason.includes(" refused the connection: ")) return;
      if (node === node.shard.primary) topology.doubtOffsets(node.shard);
      topology.suspect(node, reason);
    },
  });
  const topology: Topology = new Topology({
    source: listedSource(config), clustered: upstream.mode === "cluster", settings: topologySettings, clock, random, log,
    onShard: (shard) => {
      shard.fence.onDirty = () => fences.wake();
    },
    onChange: () => {
      hub.resumeParked();
      hub.checkProofs();
    },
    onNewPrimary: (shard, former) => {
      shard.fence.reset();
      if (former !== undefined) pool.closeNode(former, `${former.address} is not the primary any more`);
    },
    onGone: (node) => pool.retireNode(node),
  });
  const hub: Hub = new Hub({ settings: hubSettings, topology, pool, clock, random, log });
  const fences: FenceRunner = new FenceRunner({ topology, pool, clock, intervalMs: reads.fenceIntervalMs, onProof: () => hub.checkProofs() });
  const listeners = await openListeners({
    address: config.listen.address, socketPath: config.listen.socketPath,
    onSocket: (socket) => accept(hub, socket, limits.clients),
  });
  const running = [topology.run(ending.signal), fences.run(ending.signal), tick({ hub, config, clock, signal: ending.signal })];

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= (async () => {
    ending.abort();
    const closed = listeners.close();
    for (const client of hub.clients.values()) client.close();
    pool.closeAll();
    await Promise.all([closed, ...running]);
  })());
  return {
    hub, port: listeners.port, stop,
    notReady: () => notReady(topology, hub),
    drain: async () => {
      const closed = listeners.close();
      for (const client of hub.clients.values()) client.endWhenIdle();
      await closed;
    },
  };
}

function notReady(topology: Topology, hub: Hub): string | undefined {
  if (topology.shards.some((shard) => shard.primary === undefined)) return "no primary is known among upstream.nodes";
  return hub.tableKnown ? undefined : "the command table is not loaded";
}

function accept(hub: Hub, socket: Socket, clientsMax: number): void {
  if (hub.clients.size >= clientsMax) {
    hub.counts.refused += 1;
    socket.on("error", () => socket.destroy());
    socket.end("-ERR max number of clients reached\r\n");
    return;
  }
  hub.counts.accepted += 1;
  const client = new Client(hub, socket);
  hub.clients.set(client.id, client);
}

/** Everything that must happen because time has passed. */
async function tick(o: { readonly hub: Hub; readonly config: Config; readonly clock: Clock; readonly signal: AbortSignal }): Promise<void> {
  const { hub, config, clock, signal } = o;
  // A primary busy with a slow command does not answer probes either: its role is the one it had.
  const stuckAfterMs = (node: RedisNode): number => (node.lastRole === "replica" ? config.reads.stuckAfterMs : config.failover.stuckAfterMs);
  while (!signal.aborted) {
    const nowMs = clock.monotonicMs();
    hub.pool.sweep(nowMs, stuckAfterMs);
    for (const client of hub.clients.values()) {
      const since = client.pausingSharedSinceMs;
      if (since === undefined || nowMs - since <= config.limits.slowReaderMs) continue;
      hub.counts.slowClosed += 1;
      hub.log.warn({ client: client.address, limit: config.limits.clientOutputBytes }, "Closed a client that does not read its replies (limits.clientOutputBytes)");
      client.close();
    }
    if (hub.parked.size > 0) hub.expireHolds(nowMs);
    hub.checkProofs();
    await clock.sleep(tickMs, signal).catch(() => undefined);
  }
}
