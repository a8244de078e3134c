import { Redis } from "ioredis";
import type { ConnectionOptions } from "node:tls";
import { backoffDelayMs } from "../../../kit/backoff.ts";
import { readClusterInfo, readClusterShards, readClusterSlots, ShardNames, type Asked, type ClusterShard } from "./cluster-view.ts";
import { explainFailure } from "./connection-trouble.ts";
import type { Credentials } from "../connections/connection-state.ts";
import { formatAddress, type Address, type Membership, type MembershipSource } from "./membership.ts";
import { mapAddress, type AddressMap } from "./peers.ts";
import type { ProbeContext } from "./prober.ts";

export type ClusterSourceOptions = ProbeContext & {
  readonly seeds: readonly Address[];
  readonly addressMap: AddressMap;
  readonly credentials: Credentials | undefined;
  readonly tls: ConnectionOptions | undefined;
  readonly timeoutMs: number;
};

const lookIntervalMs = 5_000;
/** After a redirection, a lost primary or a failure the cluster is asked so often for a while. */
const uneasyIntervalMs = 250, uneasyForMs = 10_000;
/** Shortest time between two questions, however many redirections come. */
const restMs = 50;
/** So many nodes are asked at a time: a node that is cut off tells of an older state, and another one outvotes it. */
const askedAtOnce = 3;
/** After so many answers of an older epoch in a row the cluster has been made anew. */
const outdatedMax = 10;
const reconnect = { initialMs: 100, maxMs: 2_000, factor: 2, jitter: 0.5 };

type View = { readonly shards: readonly ClusterShard[]; readonly ok: boolean; readonly epoch: number };

/**
 * Asks a cluster's nodes which shards there are and which slots they own. The seeds only begin it: from then on every node
 * that is known may be asked, so that all seeds may go. Of several answers the one of the highest epoch holds, and of a node
 * that calls the cluster whole rather than of one that does not.
 */
export class ClusterSource implements MembershipSource {
  readonly #options: ClusterSourceOptions;
  readonly #names = new ShardNames();
  readonly #links = new Map<string, Redis>();
  readonly #connectionErrors = new Map<string, string>();
  #known: readonly Address[] = [];
  #turn = 0;
  #epoch = -1;
  #outdated = 0;
  #published = "";
  #uneasyUntilMs = 0;
  #problem: string | undefined = "no node of the cluster has been asked yet";
  #wake = new AbortController();

  constructor(options: ClusterSourceOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal, onMembership: (membership: Membership) => void): Promise<void> {
    const { clock, random, addressMap, log } = this.#options;
    this.wake();
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const view = await this.#look();
      if (signal.aborted) break;
      if (view !== undefined) {
        const membership = this.#names.toMembership(view.shards, addressMap);
        this.#known = membership.flatMap(({ addresses }) => addresses);
        const published = JSON.stringify(membership);
        // A slot that was learnt to have moved in between must not be forgotten again: the same answer says nothing new.
        if (published !== this.#published) {
          this.#published = published;
          log.info({ shards: membership.length, nodes: this.#known.length }, "The cluster's slots are known");
          onMembership(membership);
        }
      }
      const uneasy = this.#problem !== undefined || clock.monotonicMs() < this.#uneasyUntilMs;
      await clock.sleep((uneasy ? uneasyIntervalMs : lookIntervalMs) * (0.9 + 0.2 * random()), AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
      await clock.sleep(restMs, signal).catch(() => undefined);
    }
    for (const link of this.#links.values()) link.disconnect();
    this.#links.clear();
  }

  wake(): void {
    this.#uneasyUntilMs = this.#options.clock.monotonicMs() + uneasyForMs;
    this.#wake.abort();
  }

  mapped(told: Address): Address {
    return mapAddress(this.#options.addressMap, told);
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async #look(): Promise<View | undefined> {
    const candidates = [...new Map([...this.#known, ...this.#options.seeds].map((address) => [formatAddress(address), address] as const))];
    const from = this.#turn % candidates.length;
    const chosen = [...candidates.slice(from), ...candidates.slice(0, from)].slice(0, askedAtOnce);
    this.#turn += 1;
    for (const [name, link] of this.#links) {
      if (candidates.some(([candidate]) => candidate === name)) continue;
      link.disconnect();
      this.#links.delete(name);
      this.#connectionErrors.delete(name);
    }
    const views = (await Promise.all(chosen.map(async ([name, address]) => await this.#ask(name, address)))).filter((view) => view !== undefined);
    const best = views.toSorted((one, other) => Number(other.ok) - Number(one.ok) || other.epoch - one.epoch)[0];
    if (best === undefined) return undefined;
    this.#outdated = best.epoch < this.#epoch ? this.#outdated + 1 : 0;
    if (this.#outdated > 0 && this.#outdated < outdatedMax) return undefined;
    this.#epoch = best.epoch;
    this.#problem = undefined;
    return best;
  }

  async #ask(name: string, address: Address): Promise<View | undefined> {
    const { clock, timeoutMs, tls, log } = this.#options, link = this.#link(name, address), asked = { host: address.host, tls: tls !== undefined };
    const over = new AbortController();
    const late = clock.sleep(timeoutMs, over.signal).then(() => new Error(`no answer within ${timeoutMs} ms`), () => undefined);
    const answer = await Promise.race([readView(link, asked).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))), late]);
    over.abort();
    if (answer === undefined || !(answer instanceof Error)) return answer;
    const message = link.status === "ready" ? answer.message : (this.#connectionErrors.get(name) ?? answer.message);
    this.#problem = /cluster support disabled/i.test(message) ? `server ${name} does not run in cluster mode; correct upstream.nodes or upstream.mode`
      : explainFailure({ address: name, what: "server", message, nodesSetting: "upstream.nodes", credentialsSetting: "upstream.username, upstream.password", tlsSetting: "upstream.tls" });
    log.debug({ node: name, error: message }, "A node of the cluster does not tell of the others");
    return undefined;
  }

  #link(name: string, { host, port }: Address): Redis {
    const known = this.#links.get(name);
    if (known !== undefined) return known;
    const { credentials, tls, timeoutMs, random } = this.#options;
    const link = new Redis({
      host, port, protocol: 2, connectionName: "podkit-ambassador-cluster", enableReadyCheck: false, enableOfflineQueue: true, maxRetriesPerRequest: 0,
      connectTimeout: timeoutMs, disableClientInfo: true, retryStrategy: (attempt) => backoffDelayMs(reconnect, attempt - 1, random),
      ...(credentials === undefined ? {} : { password: credentials.password, ...(credentials.username === undefined ? {} : { username: credentials.username }) }),
      ...(tls === undefined ? {} : { tls: { ...tls } }),
    });
    link.on("error", (error: Error) => this.#connectionErrors.set(name, error.message));
    link.on("ready", () => this.#connectionErrors.delete(name));
    this.#links.set(name, link);
    return link;
  }
}

async function readView(link: Redis, asked: Asked): Promise<View> {
  const info = readClusterInfo(await link.call("CLUSTER", "INFO"));
  if (info === undefined) throw new Error("CLUSTER INFO has an answer that is not understood");
  const shards = await link.call("CLUSTER", "SHARDS").then((answer) => readClusterShards(answer, asked), async (error: unknown) => {
    // Servers before 7.0 do not know SHARDS.
    if (!(error instanceof Error) || !/unknown (sub)?command|wrong number/i.test(error.message)) throw error;
    return readClusterSlots(await link.call("CLUSTER", "SLOTS"), asked);
  });
  if (shards === undefined || shards.every(({ slots }) => slots.length === 0)) throw new Error("it knows of no slots: the cluster has not been created yet");
  return { ...info, shards };
}
