import { Wait, type StartedNetwork, type StartedTestContainer } from "testcontainers";
import { container, startPod, type StartedPod } from "./containers.ts";
import { eventually } from "./eventually.ts";

/** Nothing is saved, a replica's first copy does not wait for others, and a lost peer is noticed within seconds. */
const fast = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--repl-timeout", "5"];
const readyTimeoutMs = 90_000;

/** Images that hold `redis-server`, `redis-cli` and `redis-sentinel`: Redis 8, Redis 7.0, Valkey 8. */
export type ServerImage = "redis" | "redis7" | "valkey";

/** A server by the name that its network knows it by. */
export type RedisNode = { readonly name: string; readonly port: number; readonly started: StartedTestContainer };

/** Runs redis-cli in a node's container; the answer's lines, trimmed. Throws on an error answer. */
export async function redisCli(node: RedisNode, ...words: readonly string[]): Promise<string> {
  const result = await node.started.exec(["redis-cli", "-e", "-p", String(node.port), ...words]);
  if (result.exitCode !== 0) throw new Error(`Cannot run redis-cli ${words.join(" ")} on ${node.name}: ${result.output.trim()}`);
  return result.output.trim();
}

/** Calls per command as the server itself counts them: `{ get: 3, set: 1 }`. */
export async function commandCalls(node: RedisNode): Promise<Readonly<Record<string, number>>> {
  const text = await redisCli(node, "info", "commandstats");
  return Object.fromEntries([...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map((match) => [match[1] ?? "", Number(match[2])]));
}

export class RedisReplication implements AsyncDisposable {
  readonly primary: RedisNode;
  readonly replicas: readonly RedisNode[];
  readonly sentinels: readonly RedisNode[];

  constructor(primary: RedisNode, replicas: readonly RedisNode[], sentinels: readonly RedisNode[]) {
    this.primary = primary;
    this.replicas = replicas;
    this.sentinels = sentinels;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sentinels, ...this.replicas, this.primary].map(async (node) => await node.started.stop({ timeout: 0 })));
  }
}

export type ReplicationOptions = {
  readonly network: StartedNetwork;
  readonly server?: ServerImage;
  readonly replicas?: number;
  readonly sentinels?: number;
  /** Names on the network are `<prefix>-0` (the primary), `-1`, …; sentinels `<prefix>-sentinel-0`, …; the set's name is the prefix. */
  readonly prefix?: string;
  /** Further words for every redis-server. */
  readonly flags?: readonly string[];
};

/** A primary with its replicas in sync, and, when asked for, sentinels that all see one another and every replica. They take nobody for dead within 30 s. */
export async function startReplication(options: ReplicationOptions): Promise<RedisReplication> {
  const { network, prefix = "redis", flags = [], server: image = "redis" } = options;
  const server = async (index: number, ...words: readonly string[]): Promise<RedisNode> => {
    const name = `${prefix}-${index}`;
    const started = await container(image).withNetwork(network).withNetworkAliases(name)
      .withCommand(["redis-server", ...fast, "--replica-announce-ip", name, ...flags, ...words])
      .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/)).start();
    return { name, port: 6379, started };
  };
  const primary = await server(0);
  const count = options.replicas ?? 2;
  const replicas = await Promise.all(Array.from({ length: count }, async (_, index) => await server(index + 1, "--replicaof", primary.name, "6379")));
  await eventually(async () => {
    const info = await redisCli(primary, "info", "replication");
    return [...info.matchAll(/^slave\d+:.*state=online/gm)].length === count;
  }, { timeoutMs: readyTimeoutMs, what: `${count} replicas in sync with ${primary.name}` });
  await eventually(async () => (await Promise.all(replicas.map(async (replica) => await redisCli(replica, "info", "replication")))).every((info) => info.includes("master_link_status:up")), { timeoutMs: readyTimeoutMs, what: "every replica's link up" });
  const sentinels = await startSentinels(options, prefix, primary.name, count);
  return new RedisReplication(primary, replicas, sentinels);
}

async function startSentinels(options: ReplicationOptions, prefix: string, primaryName: string, replicaCount: number): Promise<readonly RedisNode[]> {
  const count = options.sentinels ?? 0;
  const quorum = Math.floor(count / 2) + 1;
  const nodes = await Promise.all(Array.from({ length: count }, async (_, index): Promise<RedisNode> => {
    const name = `${prefix}-sentinel-${index}`;
    const lines = ["port 26379", "sentinel resolve-hostnames yes", "sentinel announce-hostnames yes", `sentinel announce-ip ${name}`,
      `sentinel monitor ${prefix} ${primaryName} 6379 ${quorum}`, `sentinel down-after-milliseconds ${prefix} 30000`, `sentinel failover-timeout ${prefix} 60000`];
    const started = await container(options.server ?? "redis").withNetwork(options.network).withNetworkAliases(name)
      .withCopyContentToContainer([{ content: `${lines.join("\n")}\n`, target: "/data/sentinel.conf" }])
      .withCommand(["redis-sentinel", "/data/sentinel.conf"]).withWaitStrategy(Wait.forLogMessage(/\+monitor master/)).start();
    return { name, port: 26379, started };
  }));
  await eventually(async () => {
    const views = await Promise.all(nodes.map(async (node) => await redisCli(node, "info", "sentinel")));
    return views.every((view) => view.includes(`status=ok,`) && view.includes(`slaves=${replicaCount},`) && view.includes(`sentinels=${count}`));
  }, { timeoutMs: readyTimeoutMs, what: `${count} sentinels agreeing on ${replicaCount} replicas` });
  return nodes;
}

export class RedisCluster implements AsyncDisposable {
  readonly pod: StartedPod;
  readonly nodes: readonly RedisNode[];

  constructor(pod: StartedPod, nodes: readonly RedisNode[]) {
    this.pod = pod;
    this.nodes = nodes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pod[Symbol.asyncDispose]();
  }
}

/**
 * Three primaries with a replica each, ports 7000 to 7005 of one Pod: what joins the Pod reaches them on localhost. Ready
 * when CLUSTER SLOTS names all six; a replica is missing there until something was written through its primary.
 */
export async function startCluster(options: { readonly network?: StartedNetwork } = {}): Promise<RedisCluster> {
  const pod = await startPod(options);
  const ports = [7000, 7001, 7002, 7003, 7004, 7005];
  const nodes = await Promise.all(ports.map(async (port): Promise<RedisNode> => ({
    name: `127.0.0.1:${port}`, port,
    started: await pod.add(container("redis").withCommand(["redis-server", ...fast, "--port", String(port), "--cluster-enabled", "yes", "--cluster-node-timeout", "15000", "--cluster-config-file", `nodes-${port}.conf`]).withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))),
  })));
  const [first] = nodes;
  if (first === undefined) throw new Error("Cannot start a cluster of no nodes");
  await redisCli(first, "--cluster", "create", ...nodes.map((node) => node.name), "--cluster-replicas", "1", "--cluster-yes");
  await eventually(async () => {
    for (const key of ["a", "b", "c", "d", "e", "f", "g", "h"]) await redisCli(first, "-c", "set", key, "1");
    const slots = await redisCli(first, "cluster", "slots");
    return ports.every((port) => slots.includes(String(port)));
  }, { timeoutMs: readyTimeoutMs, intervalMs: 200, what: "all six nodes in CLUSTER SLOTS" });
  return new RedisCluster(pod, nodes);
}
