import type { Duplex, Readable } from "node:stream";
import { Agent, request } from "undici";
import type { Dispatcher } from "undici";
import { RuntimeError } from "../runtime.ts";
import { classifyAnswer, classifyConnection } from "./classify-failure.ts";
import type { CallKind } from "./classify-failure.ts";
import { describeAddress } from "./engine-address.ts";
import type { EngineAddress } from "./engine-address.ts";
import { text } from "./engine-json.ts";
import type { Json } from "./engine-json.ts";

export type EngineCall = {
  readonly method: "GET" | "POST" | "DELETE";
  /** Without the version prefix. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: Json;
  readonly headers?: Readonly<Record<string, string>>;
  /** For error messages; reads like "create container \"web\"". Never holds secrets. */
  readonly doing: string;
  readonly kind?: CallKind;
  /** From the first byte sent to the last received; `defaultTimeoutMs` when absent. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Statuses that are answers, not failures, beside 2xx and 304. */
  readonly accept?: readonly number[];
};
export type EngineAnswer = { readonly status: number; readonly json: Json };

/** A busy engine takes its time, so this is far above what a healthy one needs; what it bounds is a stuck one. */
const defaultTimeoutMs = 120_000;
const answerBytesMax = 64 * 1024 * 1024;

/** HTTP to the engine: paths, timeouts and failures. Bodies are never logged or put into errors: they hold environment values. */
export class EngineHttp {
  readonly #address: EngineAddress;
  readonly #calls: Agent;
  /** Streams stay open for hours; they get connections of their own, so that they cannot starve the calls. */
  readonly #streams: Agent;
  #prefix = "";

  constructor(address: EngineAddress) {
    this.#address = address;
    const connect = { timeout: 10_000, ...(address.kind === "unix" ? { socketPath: address.socketPath } : {}) };
    this.#calls = new Agent({ connect, connections: 32, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
    this.#streams = new Agent({ connect, pipelining: 0, headersTimeout: 0, bodyTimeout: 0 });
  }

  get where(): string {
    return describeAddress(this.#address);
  }

  /** From now on every path gets this version. */
  speak(apiVersion: string): void {
    this.#prefix = `/v${apiVersion}`;
  }

  /** Throws RuntimeError for connection failures, timeouts and every status that is not 2xx, 304 or accepted. */
  async call(o: EngineCall): Promise<EngineAnswer> {
    const timeout = AbortSignal.timeout(o.timeoutMs ?? defaultTimeoutMs);
    const signal = o.signal === undefined ? timeout : AbortSignal.any([o.signal, timeout]);
    try {
      const response = await request(this.#url(o), { dispatcher: this.#calls, ...requestOptions(o), signal });
      const body = await readText(response.body, answerBytesMax);
      return this.#judge(o, response.statusCode, body);
    } catch (error) {
      throw this.#failure(o, error);
    }
  }

  /** A body that is read as it comes, without a time limit; `signal` ends it. Failures before the first byte are as in `call`. */
  async stream(o: EngineCall): Promise<Readable> {
    try {
      const response = await request(this.#url(o), { dispatcher: this.#streams, ...requestOptions(o), ...(o.signal === undefined ? {} : { signal: o.signal }) });
      if (response.statusCode >= 200 && response.statusCode < 300) return response.body;
      this.#judge(o, response.statusCode, await readText(response.body, answerBytesMax));
      throw new RuntimeError("Internal", `Cannot ${o.doing}: the engine answered ${response.statusCode} instead of a stream`);
    } catch (error) {
      throw this.#failure(o, error);
    }
  }

  /** Takes the connection over after "101 Switching Protocols", for raw byte streams in both directions. */
  async hijack(o: EngineCall): Promise<Duplex> {
    try {
      const outcome = await takeOver(this.#streams, { origin: this.#origin, path: this.#path(o), upgrade: "tcp", ...requestOptions(o) }, o.signal);
      if (outcome.kind === "upgraded") return outcome.socket;
      this.#judge(o, outcome.status, outcome.body);
      throw new RuntimeError("Internal", `Cannot ${o.doing}: the engine answered ${outcome.status} instead of handing the connection over`);
    } catch (error) {
      throw this.#failure(o, error);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#calls.destroy(), this.#streams.destroy()]);
  }

  get #origin(): string {
    return this.#address.kind === "unix" ? "http://docker" : this.#address.origin;
  }

  #path(o: EngineCall): string {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(o.query ?? {})) if (value !== undefined) query.set(key, String(value));
    const suffix = query.size === 0 ? "" : `?${query.toString()}`;
    return `${this.#prefix}${o.path}${suffix}`;
  }

  #url(o: EngineCall): string {
    return `${this.#origin}${this.#path(o)}`;
  }

  #judge(o: EngineCall, status: number, body: string): EngineAnswer {
    const json = parseJson(body);
    const fine = (status >= 200 && status < 300) || status === 304 || o.accept?.includes(status) === true;
    if (fine) return { status, json };
    const words = text(json, "message") === "" ? body.slice(0, 500) : text(json, "message");
    const { code, message, remedy } = classifyAnswer({ doing: o.doing, kind: o.kind ?? "other", status, words });
    throw new RuntimeError(code, message, remedy === undefined ? {} : { remedy });
  }

  #failure(o: EngineCall, error: unknown): unknown {
    if (error instanceof RuntimeError) return error;
    if (o.signal?.aborted === true) return o.signal.reason;
    const { code, message, remedy } = classifyConnection({ doing: o.doing, where: this.where, errorCode: errorCodeOf(error), words: error instanceof Error ? error.message : String(error) });
    return new RuntimeError(code, message, { cause: error, ...(remedy === undefined ? {} : { remedy }) });
  }
}

function requestOptions(o: EngineCall): Pick<Dispatcher.RequestOptions, "method" | "headers" | "body"> {
  if (o.body === undefined) return { method: o.method, headers: { ...o.headers } };
  return { method: o.method, headers: { "content-type": "application/json", ...o.headers }, body: JSON.stringify(o.body) };
}

type TakeOver = { readonly kind: "upgraded"; readonly socket: Duplex } | { readonly kind: "answered"; readonly status: number; readonly body: string };

/** undici's own `upgrade` drops the body of a refusal, and with it the engine's words; so this handles the dispatch itself. */
async function takeOver(agent: Agent, options: Dispatcher.DispatchOptions, signal: AbortSignal | undefined): Promise<TakeOver> {
  signal?.throwIfAborted();
  return await new Promise<TakeOver>((resolve, reject) => {
    let status = 0;
    const body: Uint8Array[] = [];
    let abort: (() => void) | undefined;
    const settle = (): void => {
      if (abort !== undefined) signal?.removeEventListener("abort", abort);
    };
    agent.dispatch(options, {
      onRequestStart: (controller) => {
        abort = () => controller.abort(new Error("aborted by the caller"));
        signal?.addEventListener("abort", abort, { once: true });
      },
      onRequestUpgrade: (_controller, _status, _headers, socket) => {
        settle();
        resolve({ kind: "upgraded", socket });
      },
      onResponseStart: (_controller, statusCode) => {
        status = statusCode;
      },
      onResponseData: (_controller, chunk) => {
        body.push(chunk);
      },
      onResponseEnd: () => {
        settle();
        resolve({ kind: "answered", status, body: Buffer.concat(body).toString("utf8") });
      },
      onResponseError: (_controller, error) => {
        settle();
        reject(error);
      },
    });
  });
}

async function readText(body: Readable, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.length;
    if (size > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(body: string): Json {
  if (body.trim() === "") return undefined;
  try {
    const value: Json = JSON.parse(body);
    return value;
  } catch (error) {
    // Some error answers are plain text ("404 page not found"): those who need JSON find nothing and say so.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The code of the error or of what caused it; AggregateError (several addresses tried) counts by its first. */
function errorCodeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if (error.name === "TimeoutError") return "TimeoutError";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError) return errorCodeOf(error.errors[0]);
  return error.cause === undefined ? "" : errorCodeOf(error.cause);
}
