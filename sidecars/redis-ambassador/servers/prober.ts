import { Redis } from "ioredis";
import type { ConnectionOptions } from "node:tls";
import { backoffDelayMs } from "../../../kit/backoff.ts";
import { explainFailure } from "./connection-trouble.ts";
import type { Clock, Random } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import type { Credentials } from "../connections/connection-state.ts";
import type { RedisNode } from "./node.ts";
import { sleepAwake } from "./own-time.ts";

export type ProbeSettings = {
  readonly credentials: Credentials | undefined;
  readonly tls: ConnectionOptions | undefined;
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
};

/** The surroundings of every probe. */
export type ProbeContext = { readonly clock: Clock; readonly random: Random; readonly log: Log };

const reconnect = { initialMs: 50, maxMs: 500, factor: 2, jitter: 0.3 };
/** So many probes in a row without an answer end the probe's connection, which also resolves the name anew. */
const silentProbesMax = 3;
/** Refused credentials are not tried again sooner, because the server notes each refusal. */
const authAgainMs = 2_000;
const connectionName = "podkit-ambassador-probe";
/** Weight of the newest round trip in the smoothed one. */
const newestShare = 0.3;

/** Asks one node for its INFO, again and again, over a connection of its own. */
export class Prober {
  readonly node: RedisNode;
  /** Why the node could not be asked the last time, in a sentence for the operator; undefined when it could. */
  trouble: string | undefined;
  readonly #context: ProbeContext;
  readonly #settings: () => ProbeSettings;
  #redis: Redis;
  #wake = new AbortController();
  #ended = false;
  #authenticated = false;
  /** The last question was not answered at all, which is not the same as refused. */
  #hangs = false;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  #told: string | undefined;

  constructor(node: RedisNode, context: ProbeContext, settings: () => ProbeSettings) {
    this.node = node;
    this.#context = context;
    this.#settings = settings;
    this.#redis = this.#connect();
  }

  /** The next question is asked at once. */
  wake(): void {
    this.#wake.abort();
  }

  /** Connects anew, e.g. because credentials have changed. */
  reconnect(): void {
    this.#redis.disconnect();
    this.#refusedAtMs = Number.NEGATIVE_INFINITY;
    if (!this.#ended) this.#redis = this.#connect();
    this.wake();
  }

  end(): void {
    this.#ended = true;
    this.#redis.disconnect();
    this.wake();
  }

  /**
   * Calls `onAnswer` with the INFO text, or undefined when there was no answer in time, and the monotonic time at which
   * it was asked. Awaits what `onAnswer` gives before the next question.
   */
  async run(signal: AbortSignal, onAnswer: (info: string | undefined, begunMs: number) => Promise<void>): Promise<void> {
    const { clock, random } = this.#context;
    let silent = 0;
    while (!signal.aborted && !this.#ended) {
      // Whoever wakes the probe from now on knows something newer than this question.
      this.#wake = new AbortController();
      const begunMs = clock.monotonicMs();
      const info = await this.#ask();
      silent = info === undefined ? silent + 1 : 0;
      if (info === undefined && silent % silentProbesMax === 0 && this.#redis.status === "ready" && this.#hangs) this.#redis.disconnect(true);
      if (info !== undefined) {
        const micros = (clock.monotonicMs() - begunMs) * 1000, before = this.node.probeMicros;
        this.node.probeMicros = before === undefined ? micros : before + newestShare * (micros - before);
        this.trouble = undefined;
        this.#told = undefined;
      } else if (silent >= silentProbesMax && this.trouble !== undefined && this.trouble !== this.#told) {
        this.#told = this.trouble;
        this.#context.log.warn({ node: this.node.address, why: this.trouble }, "Server does not answer");
      }
      await onAnswer(info, begunMs);
      // A suspected node is asked again soon, so that a short trouble costs little.
      const share = this.node.suspectSinceMs === undefined && info !== undefined ? 1 : 0.2;
      await clock.sleep(share * this.#settings().probeIntervalMs * (0.9 + 0.2 * random()), AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
    }
    this.#redis.disconnect();
  }

  /** Asks something else over the same connection; rejects when there is none. */
  async call(command: string, ...words: readonly string[]): Promise<unknown> {
    return await this.#redis.call(command, ...words);
  }

  async #ask(): Promise<string | undefined> {
    const redis = this.#redis;
    if (redis.status !== "ready") return undefined;
    const timeout = new AbortController(), { probeTimeoutMs } = this.#settings();
    this.#hangs = false;
    const late = sleepAwake(this.#context.clock, probeTimeoutMs, timeout.signal).then(() => {
      this.#hangs = true;
      this.#noteTrouble(`no answer within ${probeTimeoutMs} ms`);
    }, () => undefined);
    const answer = await Promise.race([this.#question(redis), late]);
    timeout.abort();
    return answer ?? undefined;
  }

  async #question(redis: Redis): Promise<string | undefined> {
    try {
      const { credentials } = this.#settings();
      if (credentials !== undefined && !this.#authenticated) {
        const nowMs = this.#context.clock.monotonicMs();
        if (nowMs - this.#refusedAtMs < authAgainMs) return undefined;
        this.#refusedAtMs = nowMs;
        await redis.call("AUTH", ...(credentials.username === undefined ? [] : [credentials.username]), credentials.password);
        this.#refusedAtMs = Number.NEGATIVE_INFINITY;
        this.#authenticated = true;
        await redis.call("CLIENT", "SETNAME", connectionName).catch(() => undefined); // refused before AUTH; a name is a help, no need
      }
      return await redis.info("server", "replication", "persistence");
    } catch (error) {
      this.#noteTrouble(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #noteTrouble(message: string): void {
    // Says less than the reason that came before it.
    if (message === "Connection is closed." && this.trouble !== undefined) return;
    this.trouble = explainFailure({ address: this.node.address, what: "server", message, nodesSetting: "upstream.nodes", credentialsSetting: "upstream.username, upstream.password", tlsSetting: "upstream.tls", tls: this.#settings().tls !== undefined, known: this.node.lastRole !== undefined });
    this.#context.log.debug({ node: this.node.address, error: message }, "Probe failed");
  }

  #connect(): Redis {
    const { tls, probeTimeoutMs } = this.#settings();
    const redis = new Redis({
      host: this.node.host, port: this.node.port, protocol: 2, connectionName, enableReadyCheck: false,
      enableOfflineQueue: false, maxRetriesPerRequest: 0, connectTimeout: probeTimeoutMs, disableClientInfo: true,
      retryStrategy: (attempt) => backoffDelayMs(reconnect, attempt - 1, this.#context.random),
      ...(tls === undefined ? {} : { tls: { ...tls } }),
    });
    redis.on("error", (error: Error) => this.#noteTrouble(error.message));
    redis.on("close", () => (this.#authenticated = false));
    return redis;
  }
}
