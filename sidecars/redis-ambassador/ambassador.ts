import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { Client } from "./client.ts";
import type { Config } from "./config.ts";
import type { Credentials } from "./connection-state.ts";
import { Fence } from "./fence.ts";
import { FenceRunner } from "./fence-runner.ts";
import { Hub } from "./hub.ts";
import type { RedisNode } from "./node.ts";
import { openListeners } from "./listen.ts";
import { Pool } from "./pool.ts";
import { Topology } from "./topology.ts";

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

/** Starts the ambassador. Listens at once, also while no server answers: clients then wait (failover.holdMs). */
export async function startAmbassador(options: { readonly config: Config; readonly log: Log; readonly clock: Clock; readonly random: Random }): Promise<Ambassador> {
  const { config, log, clock, random } = options;
  const { upstream, reads, failover, limits } = config;
  const credentials: Credentials | undefined = upstream.password === undefined ? undefined : { username: upstream.username, password: upstream.password };
  const tls = readTls(upstream.tls);
  const ending = new AbortController();
  const fence = new Fence();
  const pool: Pool = new Pool({
    credentials, tls, connectTimeoutMs: upstream.connectTimeoutMs, leasesMax: limits.dedicatedConnections, clock,
    onSharedLost: (node, reason) => {
      if (ending.signal.aborted || reason.includes(" refused the connection: ")) return;
      if (node === topology.primary) topology.doubtOffsets();
      topology.suspect(node, reason);
    },
  });
  const topology: Topology = new Topology({
    nodes: upstream.nodes, credentials, tls, probeIntervalMs: failover.probeIntervalMs, probeTimeoutMs: failover.probeTimeoutMs,
    lag: reads, clock, random, log,
    onChange: () => hub.resumeParked(),
    onNewPrimary: (former) => {
      fence.reset();
      if (former !== undefined) pool.closeNode(former, `${former.address} is not the primary any more`);
    },
  });
  const hub: Hub = new Hub({
    topology, pool, fence, clock, log, consistency: reads.consistency, readPolicy: reads.policy, holdMs: failover.holdMs,
    heldBytesMax: limits.heldBytes, clientInputBytesMax: limits.clientInputBytes, clientOutputBytesMax: limits.clientOutputBytes,
  });
  const listeners = await openListeners({
    address: config.listen.address, socketPath: config.listen.socketPath,
    onSocket: (socket) => accept(hub, socket, limits.clients),
  });
  const probing = topology.run(ending.signal);
  const proving = hub.proves ? new FenceRunner({ fence, topology, pool, clock, intervalMs: reads.fenceIntervalMs }).run(ending.signal) : Promise.resolve();
  const ticking = tick({ hub, config, clock, signal: ending.signal });

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= (async () => {
    ending.abort();
    const closed = listeners.close();
    for (const client of hub.clients.values()) client.close();
    pool.closeAll();
    await Promise.all([closed, probing, proving, ticking]);
  })());
  return {
    hub, port: listeners.port, stop,
    notReady: () => (topology.primary === undefined ? "no primary is known among upstream.nodes" : hub.tableKnown ? undefined : "the command table is not loaded"),
    drain: async () => {
      const closed = listeners.close();
      for (const client of hub.clients.values()) client.endWhenIdle();
      await closed;
    },
  };
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
      const since = client.output.pausingSharedSinceMs;
      if (since === undefined || nowMs - since <= config.limits.slowReaderMs) continue;
      hub.counts.slowClosed += 1;
      hub.log.warn({ client: client.address, limit: config.limits.clientOutputBytes }, "Closed a client that does not read its replies (limits.clientOutputBytes)");
      client.close();
    }
    if (hub.parked.size > 0 && nowMs - hub.topology.primaryLostAtMs > hub.options.holdMs) hub.resumeParked();
    await clock.sleep(tickMs, signal).catch(() => undefined);
  }
}
