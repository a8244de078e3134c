import { Wait, type StartedNetwork, type StartedTestContainer } from "testcontainers";
import { container, startNetwork } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import { redisCli, startReplication, type RedisNode, type RedisReplication } from "../../support/redis-topology.ts";
import type { Place } from "./wire.ts";

const redisPort = 6379, adminPort = 9901;
/** An ambassador that is not impatient with any server: for tests in which none fails, however slow all of them are. */
export const patient = { PODKIT_READS_STUCK_AFTER_MS: "60s", PODKIT_FAILOVER_STUCK_AFTER_MS: "60s", PODKIT_FAILOVER_PROBE_TIMEOUT_MS: "30s", PODKIT_FAILOVER_HOLD_MS: "60s" } as const;

/** An ambassador's container, reached from the host. */
export type StartedAmbassador = Place & { readonly started: StartedTestContainer; readonly metrics: () => Promise<string> };

/** Starts the ambassador's image for these servers. It is patient; every other setting has its default but those given (PODKIT_… variables). */
export async function startAmbassador(network: StartedNetwork, nodes: readonly RedisNode[], settings: Readonly<Record<string, string>> = {}): Promise<StartedAmbassador> {
  const started = await container("redis-ambassador").withNetwork(network).withExposedPorts(redisPort, adminPort).withEnvironment({
    PODKIT_LISTEN: `0.0.0.0:${redisPort}`, PODKIT_ADMIN_ADDR: `0.0.0.0:${adminPort}`,
    PODKIT_UPSTREAM_NODES: nodes.map((node) => `${node.name}:${node.port}`).join(","), ...patient, ...settings,
  }).withWaitStrategy(Wait.forHttp("/readyz", adminPort)).start();
  const host = started.getHost(), admin = `http://${host}:${started.getMappedPort(adminPort)}`;
  return { host, port: started.getMappedPort(redisPort), started, metrics: async () => await (await fetch(`${admin}/metrics`)).text() };
}

/** A plain server that is compared with. */
export async function startPlain(network: StartedNetwork): Promise<Place & { readonly started: StartedTestContainer }> {
  const started = await container("redis").withNetwork(network).withExposedPorts(redisPort)
    .withCommand(["redis-server", "--save", ""]).withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/)).start();
  return { host: started.getHost(), port: started.getMappedPort(redisPort), started };
}

/** A primary with two replicas and an ambassador before them. */
export class Scene implements AsyncDisposable {
  readonly network: StartedNetwork;
  readonly redis: RedisReplication;
  readonly #others: StartedTestContainer[] = [];

  constructor(network: StartedNetwork, redis: RedisReplication) {
    this.network = network;
    this.redis = redis;
  }

  get nodes(): readonly RedisNode[] {
    return [this.redis.primary, ...this.redis.replicas];
  }

  /** An ambassador that sees both replicas as eligible. */
  async ambassador(settings: Readonly<Record<string, string>> = {}): Promise<StartedAmbassador> {
    const ambassador = await startAmbassador(this.network, this.nodes, settings);
    this.#others.push(ambassador.started);
    await eventually(async () => [...(await ambassador.metrics()).matchAll(/replica_eligible\{[^}]*\} 1/g)].length === 2, { what: "two eligible replicas" });
    return ambassador;
  }

  async plain(): Promise<Place> {
    const plain = await startPlain(this.network);
    this.#others.push(plain.started);
    return plain;
  }

  async resetStats(): Promise<void> {
    for (const node of this.nodes) await redisCli(node, "config", "resetstat");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const other of this.#others) await other.stop({ timeout: 0 });
    await this.redis[Symbol.asyncDispose]();
    await this.network.stop();
  }
}

export async function startScene(): Promise<Scene> {
  const network = await startNetwork();
  return new Scene(network, await startReplication({ network }));
}
