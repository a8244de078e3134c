import type { Socket } from "node:net";
import type { ConnectionOptions, TlsOptions } from "node:tls";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import { Client } from "./connections/client.ts";
import type { Config } from "./config.ts";
import { askRoleOver, FenceRunner } from "./routing/fence-runner.ts";
import { followFiles } from "./listener/follow-files.ts";
import { Hub } from "./hub.ts";
import type { LatencyHistogram } from "./see/latency.ts";
import { Listeners } from "./listener/listen.ts";
import { forgetProof, type RedisNode } from "./servers/node.ts";
import { Pool } from "./connections/pool.ts";
import { whyNotReady } from "./servers/readiness.ts";
import { credentialsOf, hubSettings, poolSettings, topologySettings, type Access } from "./settings.ts";
import { Lateness, sleepAwake } from "./servers/own-time.ts";
import { SlotWatch } from "./servers/slot-watch.ts";
import { createSource } from "./servers/sources.ts";
import { loadListenerTls, loadUpstreamTls, tlsFilesOf, type Loaded } from "./listener/tls-files.ts";
import { Topology } from "./servers/topology.ts";

/** How often stuck connections and expired holds are looked for. */
const tickMs = 25;
/** How long a former primary may take to answer what it has in hand. */
const leaveMs = 250;
/** A state that lasts shorter is not worth a line of the log. */
const statusIntervalMs = 1_000;

export type AmbassadorOptions = { readonly config: Config; readonly log: Log; readonly clock: Clock; readonly random: Random;
  /** podkit's own, told in INFO. */
  readonly version?: string;
};

/** What the files of a configuration contain. */
type Certificates = {
  readonly servers: Loaded<ConnectionOptions> | undefined;
  readonly sentinels: Loaded<ConnectionOptions> | undefined;
  readonly listener: Loaded<TlsOptions> | undefined;
};

function loadCertificates({ upstream, listen }: Config): Certificates {
  return {
    servers: loadUpstreamTls(upstream.tls, "upstream.tls"),
    sentinels: loadUpstreamTls(upstream.sentinel.tls, "upstream.sentinel.tls"),
    listener: loadListenerTls(listen.tls),
  };
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** All parts of a running ambassador, and its settings, which can change. */
export class Ambassador {
  readonly hub: Hub;
  readonly #version: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #topology: Topology;
  readonly #pool: Pool;
  readonly #fences: FenceRunner;
  readonly #ending = new AbortController();
  #config: Config;
  #certificates: Certificates;
  #access: Access;
  #listeners: Listeners | undefined;
  #changing: Promise<void> = Promise.resolve();
  #running: readonly Promise<void>[] = [];
  #stopped: Promise<void> | undefined;

  constructor({ config, log, clock, random, version = "" }: AmbassadorOptions) {
    this.#version = version;
    this.#log = log;
    this.#clock = clock;
    this.#random = random;
    this.#config = config;
    this.#certificates = loadCertificates(config);
    this.#access = { credentials: credentialsOf(config.upstream), tls: this.#certificates.servers?.options };
    this.#pool = new Pool({ settings: poolSettings(config, this.#access), clock, onSharedLost: (node, reason) => this.#sharedLost(node, reason), onSharedClosed: (node) => {
      forgetProof(node);
      this.#fences.wake();
    } });
    this.#topology = new Topology({
      source: this.#createSource(config, this.#certificates), clustered: config.upstream.mode === "cluster", settings: topologySettings(config, this.#access), clock, random, log,
      onShard: (shard) => {
        shard.fence.onDirty = () => this.#fences.wake();
        shard.fence.onWanted = () => this.#fences.wakeEager();
      },
      onChange: () => {
        this.#fences.wake();
        this.hub.resumeParked();
        this.hub.checkProofs();
      },
      onNewPrimary: (shard, former) => {
        shard.fence.reset();
        if (former !== undefined) this.#leave(former);
      },
      onGone: (node) => this.#pool.retireNode(node),
    });
    this.hub = new Hub({ settings: hubSettings(config, version), topology: this.#topology, pool: this.#pool, clock, random, log });
    this.#fences = new FenceRunner({ topology: this.#topology, askRole: askRoleOver(this.#pool), clock, intervalMs: config.reads.fenceIntervalMs, onProof: () => this.hub.checkProofs() });
  }

  /**
   * What a former primary has in hand it refuses within moments, and what is refused can be sent to the new one. Only what
   * it does not answer at all is lost with its connection.
   */
  #leave(former: RedisNode): void {
    this.#pool.retireNode(former);
    const closeLate = async (): Promise<void> => {
      await sleepAwake(this.#clock, leaveMs, this.#ending.signal);
      if (former !== former.shard.primary) this.#pool.closeNode(former, `${former.address} is not the primary any more`);
    };
    closeLate().catch(() => undefined); // the ambassador is ending, which closes everything
  }

  /** Listens at once, also while no server answers: clients then wait (failover.holdMs). Throws a ListenError. */
  async start(): Promise<void> {
    const { signal } = this.#ending;
    this.#listeners = await Listeners.open(this.#listenSettings(this.#config, this.#certificates), (socket) => this.#accept(socket), (error) => {
      this.hub.counts.handshakesFailed += 1;
      this.#log.debug({ error: error.message }, "A client did not get through the TLS handshake");
    });
    this.#running = [
      ...(this.hub.router.cluster === undefined ? [] : [new SlotWatch({ topology: this.#topology, pool: this.#pool, cluster: this.hub.router.cluster, clock: this.#clock }).run(signal)]),
      this.#topology.run(signal), this.#fences.run(signal), this.#tick(signal), this.#tellStatus(signal),
      followFiles({ files: () => tlsFilesOf(this.#config), onChange: async () => await this.#inTurn(async () => await this.#renewCertificates()), clock: this.#clock, log: this.#log, signal }),
    ];
  }

  /** Gets to know the servers without listening. */
  lookAround(): void {
    const { signal } = this.#ending;
    this.#running = [this.#topology.run(signal), this.#fences.run(signal)];
  }

  /** How long proofs took to reach the replicas. */
  get fenceWaits(): LatencyHistogram {
    return this.#fences.waits;
  }

  /** The TCP port in use. */
  get port(): number {
    return this.#listeners?.port ?? 0;
  }

  /** Why commands cannot be served at present, or undefined. */
  readonly notReady = (): string | undefined => whyNotReady({
    shards: this.#topology.owners, tableKnown: this.hub.tableKnown, sourceProblem: this.#topology.sourceProblem, troubleOf: (node) => this.#topology.troubleOf(node),
  });

  /**
   * Takes over a changed configuration. Clients stay, and what they have in hand goes on. Throws, with everything as before,
   * when a part of it cannot be had: a port in use, a certificate that cannot be read, a change of what cannot be changed.
   */
  async reconfigure(next: Config): Promise<void> {
    await this.#inTurn(async () => await this.#apply(next));
  }

  /** One change at a time: settings and certificates can change together. */
  async #inTurn(change: () => Promise<void>): Promise<void> {
    const changing = this.#changing.then(change);
    this.#changing = changing.catch(() => undefined); // told to whoever asked for it
    await changing;
  }

  async #apply(next: Config): Promise<void> {
    const before = this.#config;
    if ((next.upstream.mode === "cluster") !== (before.upstream.mode === "cluster")) throw new Error(`upstream.mode cannot change from ${before.upstream.mode} to ${next.upstream.mode} while running: restart the container`);
    const certificates = loadCertificates(next);
    await this.#listeners?.change(this.#listenSettings(next, certificates));
    // Nothing below fails.
    for (const [setting, one, other] of [["admin", before.admin, next.admin], ["shutdown", before.shutdown, next.shutdown]] as const) {
      if (!same(one, other)) this.#log.warn({ setting }, "This setting takes effect with the next start");
    }
    // Else a level that was set at run time stays.
    if (next.log.level !== before.log.level) this.#log.level = next.log.level;
    this.#config = next;
    this.#useCertificates(certificates, next);
    const sourceOf = ({ upstream, failover }: Config): unknown => [
      upstream.mode, upstream.nodes, upstream.discover, upstream.sentinel, upstream.addressMap, failover.probeTimeoutMs,
      ...(upstream.mode === "cluster" ? [upstream.username, upstream.password, upstream.tls] : []),
    ];
    if (!same(sourceOf(before), sourceOf(next))) this.#topology.useSource(this.#createSource(next, certificates));
    this.#fences.intervalMs = next.reads.fenceIntervalMs;
    this.hub.reconfigure(hubSettings(next, this.#version));
  }

  /** Stops accepting, lets clients finish what is in hand, and resolves when all have gone. */
  async drain(): Promise<void> {
    const closed = this.#listeners?.close();
    for (const client of this.hub.clients.values()) client.endWhenIdle();
    await closed;
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#ending.abort();
      const closed = this.#listeners?.close();
      for (const client of this.hub.clients.values()) client.close();
      this.#pool.closeAll();
      await Promise.all([closed, ...this.#running]);
    })();
    await this.#stopped;
  }

  #listenSettings({ listen }: Config, { listener }: Certificates): Parameters<Listeners["change"]>[0] {
    return { address: listen.address, socketPath: listen.socketPath, tls: listener?.options };
  }

  #createSource({ upstream, failover }: Config, { sentinels, servers }: Certificates): ReturnType<typeof createSource> {
    return createSource(upstream, {
      clock: this.#clock, random: this.#random, log: this.#log, sentinelTls: sentinels?.options, serversTls: servers?.options, timeoutMs: failover.probeTimeoutMs,
      onHint: () => this.#topology.wakeProbes(),
    });
  }

  /** Certificates that are only newer serve new connections; another user or other TLS settings replace those that stand. */
  #useCertificates(certificates: Certificates, config: Config): void {
    const before = this.#access, credentials = credentialsOf(config.upstream);
    const sameTls = certificates.servers?.fingerprint === this.#certificates.servers?.fingerprint;
    this.#certificates = certificates;
    this.#access = {
      credentials: same(credentials, before.credentials) ? before.credentials : credentials,
      tls: sameTls ? before.tls : certificates.servers?.options,
    };
    const renew = this.#access.credentials !== before.credentials || (this.#access.tls === undefined) !== (before.tls === undefined);
    this.#pool.reconfigure(poolSettings(config, this.#access), renew);
    this.#topology.reconfigure(topologySettings(config, this.#access));
  }

  /** The files' content has changed. Throws when it is of no use; then the old certificates stay in use. */
  async #renewCertificates(): Promise<void> {
    const certificates = loadCertificates(this.#config), before = this.#certificates;
    await this.#listeners?.change(this.#listenSettings(this.#config, certificates));
    this.#useCertificates(certificates, this.#config);
    const inCluster = this.#config.upstream.mode === "cluster" && certificates.servers?.fingerprint !== before.servers?.fingerprint;
    if (inCluster || certificates.sentinels?.fingerprint !== before.sentinels?.fingerprint) this.#topology.useSource(this.#createSource(this.#config, certificates));
    this.#log.info({}, "The changed certificates are in use");
  }

  #sharedLost(node: RedisNode, reason: string): void {
    if (this.#ending.signal.aborted || reason.includes(" refused the connection: ")) return;
    this.hub.rewriter.forget(node);
    if (node === node.shard.primary) this.#topology.doubtOffsets(node.shard);
    this.#topology.suspect(node, reason);
  }

  #accept(socket: Socket): void {
    const { hub } = this;
    if (hub.clients.size >= this.#config.limits.clients) {
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
  async #tick(signal: AbortSignal): Promise<void> {
    const { hub } = this, clock = this.#clock;
    // A primary busy with a slow command does not answer probes either: its role is the one it had.
    const stuckAfterMs = (node: RedisNode): number => {
      if (node.lastRole === "replica") return this.#config.reads.stuckAfterMs;
      return clock.monotonicMs() < this.#topology.pausedUntilMs ? Number.POSITIVE_INFINITY : this.#config.failover.stuckAfterMs;
    };
    const lateness = new Lateness(tickMs);
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs(), lateMs = lateness.at(nowMs);
      // What has come meanwhile is not read yet: a server must not be blamed for that.
      if (lateMs > 0) hub.pool.excuse(lateMs, nowMs);
      hub.pool.sweep(nowMs, stuckAfterMs);
      if (hub.parked.size > 0) hub.expireHolds(nowMs);
      hub.checkProofs();
      await clock.sleep(tickMs, signal).catch(() => undefined);
    }
  }

  /** Says in the log what readiness says, once for each reason. */
  async #tellStatus(signal: AbortSignal): Promise<void> {
    let told: string | undefined, seen: string | undefined;
    while (!signal.aborted) {
      await this.#clock.sleep(statusIntervalMs, signal).catch(() => undefined);
      const why = this.notReady();
      // Seen twice: a reason that passes at once is no news.
      if (!signal.aborted && why === seen && why !== told) {
        if (why === undefined) this.#log.info({}, "Commands are served");
        else this.#log.warn({ why }, "Commands cannot be served");
        told = why;
      }
      seen = why;
    }
  }
}

/** Makes an ambassador and starts it. Throws a ListenError or a TlsFileError when it cannot be had as configured. */
export async function startAmbassador(options: AmbassadorOptions): Promise<Ambassador> {
  const ambassador = new Ambassador(options);
  await ambassador.start();
  return ambassador;
}
