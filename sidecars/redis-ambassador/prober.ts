import { Redis } from "ioredis";
import type { ConnectionOptions } from "node:tls";
import { backoffDelayMs } from "../../kit/backoff.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import type { Credentials } from "./connection-state.ts";
import type { RedisNode } from "./node.ts";

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
/** Weight of the newest round trip in the smoothed one. */
const newestShare = 0.3;

/** Asks one node for its INFO, again and again, over a connection of its own. */
export class Prober {
  readonly node: RedisNode;
  /** The last reason why the node could not be asked, without secrets. */
  lastError: string | undefined;
  readonly #context: ProbeContext;
  readonly #settings: () => ProbeSettings;
  #redis: Redis;
  #wake = new AbortController();
  #ended = false;

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
      if (silent >= silentProbesMax && this.#redis.status === "ready") {
        this.#redis.disconnect(true);
        silent = 0;
      }
      if (info !== undefined) {
        const micros = (clock.monotonicMs() - begunMs) * 1000, before = this.node.probeMicros;
        this.node.probeMicros = before === undefined ? micros : before + newestShare * (micros - before);
        this.lastError = undefined;
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
    const timeout = new AbortController();
    const late = this.#context.clock.sleep(this.#settings().probeTimeoutMs, timeout.signal).then(() => undefined, () => undefined);
    const asked = redis.info("server", "replication", "persistence").catch((error: unknown) => {
      this.#noteError(error instanceof Error ? error.message : String(error));
      return undefined;
    });
    const answer = await Promise.race([asked, late]);
    timeout.abort();
    return answer;
  }

  #noteError(message: string): void {
    if (this.lastError === message) return;
    this.lastError = message;
    this.#context.log.debug({ node: this.node.address, error: message }, "Probe failed");
  }

  #connect(): Redis {
    const { credentials, tls, probeTimeoutMs } = this.#settings();
    const redis = new Redis({
      host: this.node.host, port: this.node.port, protocol: 2, connectionName: "podkit-ambassador-probe", enableReadyCheck: false,
      enableOfflineQueue: false, maxRetriesPerRequest: 0, connectTimeout: probeTimeoutMs, disableClientInfo: true,
      retryStrategy: (attempt) => backoffDelayMs(reconnect, attempt - 1, this.#context.random),
      ...(credentials === undefined ? {} : { password: credentials.password, ...(credentials.username === undefined ? {} : { username: credentials.username }) }),
      ...(tls === undefined ? {} : { tls: { ...tls } }),
    });
    redis.on("error", (error: Error) => this.#noteError(error.message));
    return redis;
  }
}
