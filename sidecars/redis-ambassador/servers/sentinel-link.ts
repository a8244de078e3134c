import { Redis } from "ioredis";
import type { ConnectionOptions } from "node:tls";
import { backoffDelayMs } from "../../../kit/backoff.ts";
import { explainFailure } from "./connection-trouble.ts";
import type { Credentials } from "../connections/connection-state.ts";
import { formatAddress, type Address } from "./membership.ts";
import { sleepAwake } from "./own-time.ts";
import type { ProbeContext } from "./prober.ts";
import { readEntry, readEntryAddresses, readPair, readSentinels, type SentinelView } from "./sentinel-view.ts";

export type SentinelSettings = {
  readonly masterName: string;
  readonly credentials: Credentials | undefined;
  readonly tls: ConnectionOptions | undefined;
  readonly timeoutMs: number;
};

const reconnect = { initialMs: 100, maxMs: 2_000, factor: 2, jitter: 0.5 };
/** What a sentinel publishes when something about the set has changed; each is only a hint to look again. */
const hintChannels = ["+switch-master", "+promoted-slave", "+slave", "+convert-to-slave", "+sentinel", "+reset-master", "+odown"];

/** One sentinel: a connection for questions, and one on which it tells of changes. */
export class SentinelLink {
  readonly name: string;
  /** Why the last question had no answer, without secrets; undefined when it had one. */
  trouble: string | undefined = "has not been asked yet";
  view: SentinelView | undefined;
  /** What it calls itself; undefined before it was asked, and from sentinels older than 6.2. */
  id: string | undefined;
  readonly #settings: SentinelSettings;
  readonly #context: ProbeContext;
  readonly #questions: Redis;
  readonly #hints: Redis;
  #connectionError: Error | undefined;
  #authenticated = false;

  constructor(address: Address, settings: SentinelSettings, context: ProbeContext, onHint: (channel: string, message: string) => void) {
    this.name = formatAddress(address);
    this.#settings = settings;
    this.#context = context;
    this.#questions = this.#connect(address, "podkit-ambassador-sentinel");
    this.#hints = this.#connect(address, "podkit-ambassador-hints");
    this.#hints.on("ready", () => void this.#subscribe().catch((error: unknown) => context.log.debug({ sentinel: this.name, error: String(error) }, "Cannot subscribe at a sentinel")));
    this.#questions.on("close", () => (this.#authenticated = false));
    this.#hints.on("message", (channel: string, message: string) => {
      if (message.split(" ").includes(settings.masterName)) onHint(channel, message);
    });
  }

  async #subscribe(): Promise<void> {
    await this.#authenticate(this.#hints);
    await this.#hints.subscribe(...hintChannels);
  }

  /** By ourselves, so that a refusal is told as what it is; ioredis would go on without. */
  async #authenticate(redis: Redis): Promise<void> {
    const { credentials } = this.#settings;
    if (credentials !== undefined) await redis.call("AUTH", ...(credentials.username === undefined ? [] : [credentials.username]), credentials.password);
  }

  end(): void {
    this.#questions.disconnect();
    this.#hints.disconnect();
  }

  /** Never rejects; `view` and `trouble` tell. */
  async ask(): Promise<void> {
    const over = new AbortController();
    const late = sleepAwake(this.#context.clock, this.#settings.timeoutMs, over.signal).then(() => new Error(`no answer within ${this.#settings.timeoutMs} ms`), () => undefined);
    const trouble = await Promise.race([this.#readView().then(() => undefined, (error: unknown) => (error instanceof Error ? error : new Error(String(error)))), late]);
    over.abort();
    const before = this.trouble;
    this.trouble = trouble === undefined ? undefined : this.#explain(trouble);
    if (this.trouble !== undefined && this.trouble !== before) this.#context.log.warn({ sentinel: this.name, why: this.trouble }, "Sentinel does not answer the question");
  }

  #explain(error: Error): string {
    const cause = this.#questions.status === "ready" ? error : (this.#connectionError ?? error);
    return explainFailure({ address: this.name, what: "sentinel", message: cause.message, nodesSetting: "upstream.nodes", credentialsSetting: "upstream.sentinel.username, upstream.sentinel.password", tlsSetting: "upstream.sentinel.tls", tls: this.#settings.tls !== undefined });
  }

  async #readView(): Promise<void> {
    const { masterName } = this.#settings, ask = async (...words: string[]): Promise<unknown> => await this.#questions.call("SENTINEL", ...words);
    await this.#whenConnected();
    if (!this.#authenticated) await this.#authenticate(this.#questions);
    this.#authenticated = true;
    const primary = readPair(await ask("GET-MASTER-ADDR-BY-NAME", masterName));
    if (primary === undefined) {
      this.view = undefined;
      const known = await ask("MASTERS");
      const names = Array.isArray(known) ? known.map((each) => readEntry(each)?.get("name") ?? "?") : [];
      throw new Error(`watches no primary by the name "${masterName}" (upstream.sentinel.masterName); it knows ${names.length === 0 ? "none" : names.map((name) => `"${name}"`).join(", ")}`);
    }
    const [master, replicas, sentinels] = await Promise.all([ask("MASTER", masterName), ask("REPLICAS", masterName), ask("SENTINELS", masterName)]);
    this.view = { epoch: Number(readEntry(master)?.get("config-epoch") ?? 0), primary, replicas: readEntryAddresses(replicas), sentinels: readSentinels(sentinels) };
    this.id ??= await ask("MYID").then((id) => (typeof id === "string" ? id : undefined), () => undefined);
  }

  /** A first question waits for the connection; later ones fail at once while there is none. */
  async #whenConnected(): Promise<void> {
    if (this.#questions.status === "ready" || this.#connectionError !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#questions.once("ready", resolve);
      this.#questions.once("error", () => resolve());
      this.#questions.once("end", () => resolve());
    });
  }

  #connect({ host, port }: Address, connectionName: string): Redis {
    const { tls, timeoutMs } = this.#settings;
    const redis = new Redis({
      host, port, protocol: 2, connectionName, enableReadyCheck: false, enableOfflineQueue: false, maxRetriesPerRequest: 0, autoResubscribe: false,
      connectTimeout: timeoutMs, disableClientInfo: true, retryStrategy: (attempt) => backoffDelayMs(reconnect, attempt - 1, this.#context.random),
      ...(tls === undefined ? {} : { tls: { ...tls } }),
    });
    redis.on("error", (error: Error) => (this.#connectionError = error));
    redis.on("ready", () => (this.#connectionError = undefined));
    return redis;
  }
}
