import type { Dispatcher, Pool as PoolType } from "undici";
// Only these two files of undici: together they load in 60 ms, undici's index in 200 ms and node:http in 80 ms (medians, 2 busy
// cores), and every start of the command line pays for it. The index would only add `request` as a method of the pool.
import requestOf from "undici/lib/api/api-request.js";
import Pool from "undici/lib/dispatcher/pool.js";
import { ApiError, errorFromStatus, serviceUnavailable } from "../errors.ts";

export type Endpoint = { readonly socketPath: string } | { readonly url: string };
export type Request = {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** An answer without an end or with silences, such as a watch: no time limits but the signal. */
  readonly endless?: boolean;
};

const answerMs = 30_000;
/** Watches and followed logs each hold a connection. */
const connectionsMax = 256;
/** Larger than any list a single node makes; the answer of a peer is not trusted without end. */
const answerBytesMax = 256 * 1024 * 1024;

/** HTTP to one API server: keeps connections, turns failures into ApiError. */
export class Transport {
  readonly #pool: PoolType;
  readonly #where: string;

  constructor(endpoint: Endpoint) {
    this.#where = "socketPath" in endpoint ? endpoint.socketPath : endpoint.url;
    const origin = "socketPath" in endpoint ? "http://podkit" : endpoint.url;
    this.#pool = new Pool(origin, { connections: connectionsMax, keepAliveTimeout: 30_000, connect: "socketPath" in endpoint ? { socketPath: endpoint.socketPath, timeout: 5_000 } : { timeout: 5_000 } });
  }

  /** The body of a successful answer. Throws ApiError: the server's Status, or ServiceUnavailable when it cannot be reached. */
  async json(request: Request): Promise<unknown> {
    const { body } = await this.open(request);
    return parse(await this.#text(body), this.#where);
  }

  /** The answer once its headers have come. The caller reads or destroys the body. */
  async open(request: Request): Promise<Dispatcher.ResponseData> {
    const timeout = request.endless === true ? 0 : answerMs;
    let response: Dispatcher.ResponseData;
    try {
      response = await requestOf.call(this.#pool, {
        method: request.method, path: request.path, headersTimeout: timeout, bodyTimeout: timeout, headers: { accept: "application/json", ...(request.body === undefined ? {} : { "content-type": "application/json" }) },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }), ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
    } catch (error) {
      throw this.#unreachable(error, request.signal);
    }
    if (response.statusCode < 300) return response;
    const text = await this.#text(response.body);
    throw errorFromStatus(parseLoosely(text), response.statusCode);
  }

  async #text(body: AsyncIterable<unknown>): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of body) {
        if (!(chunk instanceof Uint8Array)) continue;
        bytes += chunk.length;
        if (bytes > answerBytesMax) throw new ApiError({ code: 500, reason: "InternalError", message: `the answer of the API server at ${this.#where} has more than ${answerBytesMax} bytes` });
        chunks.push(chunk);
      }
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw this.#unreachable(error, undefined);
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  /** An aborted call fails with the caller's own reason. */
  #unreachable(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted === true) return signal.reason;
    const why = error instanceof Error ? error.message || error.name : String(error);
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const remedy = code === "ENOENT" || code === "ECONNREFUSED" ? "; no control plane runs there" : code === "EACCES" ? "; it belongs to another user" : "";
    return serviceUnavailable(`Cannot reach the API server at ${this.#where}: ${why}${remedy}`, error);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError({ code: 500, reason: "InternalError", message: `the API server at ${where} answered with something that is not JSON: ${text.slice(0, 200)}`, cause: error });
  }
}

function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
