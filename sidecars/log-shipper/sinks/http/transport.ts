import type { Dispatcher, Pool as PoolType } from "undici";
import { systemClock } from "../../../../kit/clock.ts";
import type { TlsMaterial } from "../../tls/tls.ts";
import type { Answer } from "./answer.ts";
import { AwakeTime } from "../awake-time.ts";

/** Where requests go: an origin such as `https://loki:3100`, and what stands before every path. */
export type EndpointAddress = { readonly origin: string; readonly basePath: string };

export type HttpRequest = { readonly path: string; readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array; readonly answerBytesMax: number };

export interface Transport {
  /** The answer, read to its end. Rejects when the connection failed or the time is over; then nobody knows whether the server has it. */
  send(endpoint: number, request: HttpRequest, signal: AbortSignal): Promise<Answer>;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

export type TransportOptions = {
  readonly endpoints: readonly EndpointAddress[];
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** From the first byte sent to the last received. */
  readonly timeoutMs: number;
  /** Asked before each request to an https address; may throw with a reason. */
  readonly tls: () => TlsMaterial;
};

/** What is read of an answer that is no success: enough for its reason. */
const refusalBytesMax = 65_536;
/** What is read and forgotten beyond that, so that the connection can be used again. */
const drainBytesMax = 262_144;

/**
 * HTTP/1.1 over undici. Only these two of its files: they load in a third of the time of its index, and only a configured sink pays
 * for them. Redirects are not followed, nothing is retried and nothing pipelined here.
 */
export async function openTransport(options: TransportOptions): Promise<Transport> {
  const [{ default: Pool }, { default: request }] = await Promise.all([import("undici/lib/dispatcher/pool.js"), import("undici/lib/api/api-request.js")]);
  return new UndiciTransport(options, Pool, request);
}

type OpenPool = { readonly pool: PoolType; readonly tlsVersion: number };

class UndiciTransport implements Transport {
  readonly #options: TransportOptions;
  readonly #Pool: typeof PoolType;
  readonly #request: (this: Dispatcher, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>;
  readonly #pools: (OpenPool | undefined)[] = [];

  constructor(options: TransportOptions, Pool: typeof PoolType, request: (this: Dispatcher, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>) {
    this.#options = options;
    this.#Pool = Pool;
    this.#request = request;
  }

  async send(endpoint: number, { path, headers, body, answerBytesMax }: HttpRequest, signal: AbortSignal): Promise<Answer> {
    const { timeoutMs, endpoints } = this.#options;
    const limit = new AbortController();
    const onStop = (): void => limit.abort(signal.reason);
    const over = new AbortController();
    new AwakeTime(systemClock).pass(timeoutMs, over.signal).then(() => limit.abort(new Error(`no whole answer within ${timeoutMs} ms`)), () => undefined); // over
    signal.addEventListener("abort", onStop, { once: true });
    try {
      signal.throwIfAborted();
      const response = await this.#request.call(this.#pool(endpoint), {
        method: "POST", path: `${endpoints[endpoint]?.basePath ?? ""}${path}`, headers, body, signal: limit.signal, headersTimeout: 0, bodyTimeout: 0,
      });
      const keep = response.statusCode < 300 ? answerBytesMax : refusalBytesMax;
      return { status: response.statusCode, retryAfter: header(response, "retry-after"), date: header(response, "date"), ...(await readBody(response.body, keep)) };
    } catch (error) {
      limit.signal.throwIfAborted();
      throw error;
    } finally {
      over.abort();
      signal.removeEventListener("abort", onStop);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.flatMap((each) => (each === undefined ? [] : each.pool.destroy())));
  }

  /** The endpoint's connections; new ones with new TLS material once that has changed, while requests under way end on the old. */
  #pool(endpoint: number): PoolType {
    const { endpoints, connections, connectTimeoutMs } = this.#options;
    const address = endpoints[endpoint];
    if (address === undefined) throw new Error(`There is no endpoint ${endpoint}`);
    const tls = address.origin.startsWith("https:") ? this.#options.tls() : undefined;
    const open = this.#pools[endpoint];
    if (open !== undefined && open.tlsVersion === (tls?.version ?? 0)) return open.pool;
    void open?.pool.close();
    const secured = Object.fromEntries(Object.entries(tls?.options ?? {}).filter(([, value]) => value !== undefined));
    const pool = new this.#Pool(address.origin, { connections, pipelining: 1, keepAliveTimeout: 10_000, connect: { timeout: connectTimeoutMs, ...secured } });
    this.#pools[endpoint] = { pool, tlsVersion: tls?.version ?? 0 };
    return pool;
  }
}

function header(response: Dispatcher.ResponseData, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Reads on to the end beyond what is kept, so that the connection stays of use, unless there is far too much. */
async function readBody(body: AsyncIterable<unknown> & { destroy(): unknown }, keep: number): Promise<{ readonly body: Buffer; readonly whole: boolean }> {
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  let bytes = 0;
  for await (const part of body) {
    if (!(part instanceof Uint8Array)) continue;
    bytes += part.length;
    if (keptBytes < keep) {
      const wanted = part.subarray(0, keep - keptBytes);
      kept.push(wanted);
      keptBytes += wanted.length;
    }
    if (bytes > keep + drainBytesMax) break;
  }
  return { body: Buffer.concat(kept), whole: bytes <= keep };
}
