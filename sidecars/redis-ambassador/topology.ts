import { Redis } from "ioredis";
import type { ConnectionOptions } from "node:tls";
import type { Clock, Random } from "../../kit/clock.ts";
import { backoffDelayMs } from "../../kit/backoff.ts";
import type { Log } from "../../kit/log.ts";
import { buildPlans } from "./classifier.ts";
import { readCommandFacts, type Answer } from "./command-facts.ts";
import type { PlanTable } from "./command-plan.ts";
import type { Credentials } from "./connection-state.ts";
import { choosePrimary, readNodeFacts, whyNotEligible, type LagLimits } from "./eligibility.ts";
import { newNode, type RedisNode } from "./node.ts";

export type TopologyOptions = {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly credentials: Credentials | undefined;
  readonly tls: ConnectionOptions | undefined;
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly lag: LagLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Something that routing depends on has changed: who is primary, who is eligible, or the command table. */
  readonly onChange: () => void;
  /** Another node, or the same one with another history, is the primary now: offsets mean something else. */
  readonly onNewPrimary: (former: RedisNode | undefined) => void;
};

const reconnect = { initialMs: 50, maxMs: 500, factor: 2, jitter: 0.3 };
const bulkBytesMaxDefault = 512 * 1024 * 1024;
/** So many probes in a row without an answer end the probe's connection, which also resolves the name anew. */
const silentProbesMax = 3;

/**
 * Knows the nodes: asks each one INFO on a connection of its own and decides from the nodes' own words who is written to
 * and who may be read. Loads the routing table from the server that is written to.
 */
export class Topology {
  readonly nodes: readonly RedisNode[];
  primary: RedisNode | undefined;
  /** Replicas that may be read at present. */
  eligible: readonly RedisNode[] = [];
  plans: PlanTable | undefined;
  /** True when the server denies COMMAND: then nothing is known about any command. */
  plansDenied = false;
  bulkBytesMax = bulkBytesMaxDefault;
  /** Monotonic time since when no primary is known. */
  primaryLostAtMs: number;
  readonly #options: TopologyOptions;
  readonly #probes = new Map<RedisNode, Redis>();
  readonly #wakes = new Map<RedisNode, AbortController>();
  #plansOf = "";
  #history = "";
  #lastPrimary: RedisNode | undefined;

  constructor(options: TopologyOptions) {
    this.#options = options;
    this.nodes = options.nodes.map(({ host, port }) => newNode(host, port));
    this.primaryLostAtMs = options.clock.monotonicMs();
  }

  /** Probes every node until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.#follow(node, signal)));
  }

  /** The data path had trouble with the node: it is not used until a probe begun from now on finds it well. */
  suspect(node: RedisNode, why: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    const first = node.suspectSinceMs === undefined;
    node.suspectSinceMs = nowMs;
    if (first) this.#options.log.warn({ node: node.address, why }, "Node is not used until it has been asked again");
    this.#decide();
    this.#wakes.get(node)?.abort();
    if (node === this.primary || node.facts?.role === "primary") for (const wake of this.#wakes.values()) wake.abort();
  }

  /** Offsets prove nothing until every node has been asked again. */
  doubtOffsets(): void {
    for (const node of this.nodes) node.confirmed = false;
  }

  /** Reads the table and the limits again, e.g. after MODULE LOAD or CONFIG SET. */
  reloadServerFacts(): void {
    this.#plansOf = "";
    if (this.primary !== undefined) this.#wakes.get(this.primary)?.abort();
  }

  async #follow(node: RedisNode, signal: AbortSignal): Promise<void> {
    const probe = this.#connectProbe(node);
    this.#probes.set(node, probe);
    probe.on("error", (error: Error) => this.#options.log.debug({ node: node.address, error: error.message }, "Probe connection failed"));
    let silent = 0;
    while (!signal.aborted) {
      const begunMs = this.#options.clock.monotonicMs();
      const info = await this.#ask(node, probe);
      if (info === undefined) silent += 1;
      else silent = 0;
      if (silent >= silentProbesMax && probe.status === "ready") {
        probe.disconnect(true);
        silent = 0;
      }
      this.#learned(node, info, begunMs);
      if (node === this.primary) await this.#loadServerFacts(node, probe);
      const wake = new AbortController();
      this.#wakes.set(node, wake);
      // A suspected node is asked again soon, so that a short trouble costs little.
      const pauseMs = (node.suspectSinceMs === undefined && info !== undefined ? 1 : 0.2) * this.#options.probeIntervalMs * (0.9 + 0.2 * this.#options.random());
      await this.#options.clock.sleep(pauseMs, AbortSignal.any([signal, wake.signal])).catch(() => undefined);
    }
    probe.disconnect();
  }

  #connectProbe(node: RedisNode): Redis {
    const { credentials, tls, probeTimeoutMs, random } = this.#options;
    return new Redis({
      host: node.host, port: node.port, protocol: 2, connectionName: "podkit-ambassador-probe", enableReadyCheck: false,
      enableOfflineQueue: false, maxRetriesPerRequest: 0, connectTimeout: probeTimeoutMs, disableClientInfo: true,
      retryStrategy: (attempt) => backoffDelayMs(reconnect, attempt - 1, random),
      ...(credentials === undefined ? {} : { password: credentials.password, ...(credentials.username === undefined ? {} : { username: credentials.username }) }),
      ...(tls === undefined ? {} : { tls: { ...tls } }),
    });
  }

  async #ask(node: RedisNode, probe: Redis): Promise<string | undefined> {
    if (probe.status !== "ready") return undefined;
    const timeout = new AbortController();
    const late = this.#options.clock.sleep(this.#options.probeTimeoutMs, timeout.signal).then(() => undefined, () => undefined);
    const asked = probe.info("server", "replication", "persistence").catch((error: unknown) => {
      this.#options.log.debug({ node: node.address, error: error instanceof Error ? error.message : String(error) }, "Probe failed");
      return undefined;
    });
    const answer = await Promise.race([asked, late]);
    timeout.abort();
    return answer;
  }

  #learned(node: RedisNode, info: string | undefined, begunMs: number): void {
    node.facts = info === undefined ? undefined : readNodeFacts(info);
    if (node.facts !== undefined) {
      node.lastRole = node.facts.role;
      if (node.suspectSinceMs !== undefined && begunMs > node.suspectSinceMs) node.suspectSinceMs = undefined;
      node.confirmed = true;
    }
    this.#decide();
  }

  #decide(): void {
    const trusted = this.nodes.map((node) => ({ address: node.address, facts: node.suspectSinceMs === undefined ? node.facts : undefined }));
    const address = choosePrimary(trusted, this.#lastPrimary?.address);
    const primary = this.nodes.find((node) => node.address === address);
    const before = this.primary, eligibleBefore = this.eligible;
    this.primary = primary;
    if (primary === undefined && before !== undefined) this.primaryLostAtMs = this.#options.clock.monotonicMs();
    if (primary !== undefined) this.#noteHistory(primary);
    this.#judgeReplicas();
    if (primary !== before || this.eligible.length !== eligibleBefore.length || this.eligible.some((node, index) => node !== eligibleBefore[index])) {
      this.#options.log.info({ primary: primary?.address ?? "unknown", eligible: this.eligible.map((node) => node.address) }, "Nodes changed");
      this.#options.onChange();
    }
  }

  #noteHistory(primary: RedisNode): void {
    const history = `${primary.address} ${primary.facts?.runId ?? ""} ${primary.facts?.replicationId ?? ""}`;
    if (history === this.#history) return;
    const former = this.#lastPrimary;
    this.#history = history;
    this.#lastPrimary = primary;
    this.doubtOffsets();
    primary.confirmed = true;
    for (const node of this.nodes) node.proof.offset = -1;
    this.#options.onNewPrimary(former === primary ? undefined : former);
  }

  #judgeReplicas(): void {
    const primaryFacts = this.#lastPrimary?.facts;
    const eligible: RedisNode[] = [];
    for (const node of this.nodes) {
      const before = node.notEligible;
      node.notEligible = node.suspectSinceMs === undefined ? whyNotEligible(node.facts, primaryFacts, this.#options.lag) : "not asked again since it failed";
      if (node.notEligible === undefined) eligible.push(node);
      else if (before === undefined && node !== this.primary) this.#options.log.warn({ node: node.address, why: node.notEligible }, "Replica is not read any more");
    }
    this.eligible = eligible;
  }

  async #loadServerFacts(node: RedisNode, probe: Redis): Promise<void> {
    const key = `${node.address} ${node.facts?.version ?? ""} ${node.facts?.runId ?? ""}`;
    if (key === this.#plansOf) return;
    try {
      const facts = readCommandFacts(toAnswer(await probe.call("COMMAND")));
      this.plans = buildPlans(facts);
      this.plansDenied = false;
      this.#options.log.info({ node: node.address, version: node.facts?.version, commands: facts.length }, "Loaded the command table");
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!message.startsWith("NOPERM")) {
        this.#options.log.warn({ node: node.address, error: message }, "Cannot load the command table; will try again");
        return;
      }
      this.plans = undefined;
      this.plansDenied = true;
      this.#options.log.warn({ node: node.address }, "The server denies COMMAND to this user: every client gets a primary connection of its own, and no read goes to a replica");
    }
    this.#plansOf = key;
    await this.#loadLimits(probe);
    this.#options.onChange();
  }

  async #loadLimits(probe: Redis): Promise<void> {
    const answer = await probe.call("CONFIG", "GET", "proto-max-bulk-len").then(toAnswer, () => null);
    const value = Array.isArray(answer) ? Number(answer[1]) : Number.NaN;
    this.bulkBytesMax = value > 0 ? value : bulkBytesMaxDefault;
  }
}

/** Narrows what ioredis calls unknown to the shapes of RESP2. */
function toAnswer(value: unknown): Answer {
  if (value === null || typeof value === "string" || typeof value === "number" || value instanceof Uint8Array) return value;
  return Array.isArray(value) ? value.map(toAnswer) : null;
}
