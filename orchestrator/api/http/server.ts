import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock, Random } from "../../../kit/clock.ts";
import { systemClock } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import { version } from "../../../kit/version.ts";
import type { ApiClient } from "../client.ts";
import { hasStatusSubresource } from "../core-lifecycle.ts";
import { ApiError, serviceUnavailable } from "../errors.ts";
import type { NodeStreams } from "../node-streams.ts";
import { apiGroup, apiGroups, apiResources, apiVersions, versionDocument } from "./documents.ts";
import { listenOn, type ListenAddress } from "./listen.ts";
import { type Exchange, methodNotAllowed, serveBinding, serveCollection, serveObject, serveStatus } from "./objects.ts";
import { parsePath, type Route } from "./paths.ts";
import { createExecServer, type ExecServer, streamLogs } from "./streams-server.ts";
import { asApiError, sendError, sendJson, sendText } from "./wire.ts";

export type ServerOptions = {
  readonly client: ApiClient;
  /** The node's log and exec; absent while the agent has not started. */
  readonly streams: () => NodeStreams | undefined;
  readonly listen: ListenAddress;
  readonly log: Log;
  /** Stops accepting, ends watches and streams, and closes. */
  readonly signal: AbortSignal;
  /** Why the control plane is not ready, one line a reason. */
  readonly readiness?: () => readonly string[];
  readonly clock?: Clock;
  readonly random?: Random;
};

export type ApiServer = { readonly address: ListenAddress; /** Resolves when the last connection is gone. */ readonly done: Promise<void> };

const connectionsMax = 4_096;
/** How long open answers may take to end after the stop before their connections are cut. */
const closeMs = 2_000;

/**
 * The Kubernetes REST API on node:http: JSON bodies, watch, log and exec. No authentication: whoever may open the socket may do
 * everything, so the socket is its owner's alone, and TCP is for loopback. Resolves when it listens.
 */
export async function serveApi(options: ServerOptions): Promise<ApiServer> {
  const stop = new AbortController();
  const exec = createExecServer(stop.signal);
  const server = createServer({ maxHeaderSize: 64 * 1024, requestTimeout: 60_000, headersTimeout: 30_000, keepAliveTimeout: 60_000 });
  server.maxConnections = connectionsMax;
  server.on("request", (request, response) => { void answer(options, stop.signal, request, response); });
  server.on("upgrade", (request, socket, head) => { void upgrade(options, exec, request, socket, head); });
  server.on("clientError", (_error, socket) => { if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"); else socket.destroy(); });
  await listenOn(server, options.listen);
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const close = (): void => {
    server.close(() => { resolve(); });
    stop.abort();
    exec.close();
    server.closeIdleConnections();
    setTimeout(() => { server.closeAllConnections(); }, closeMs).unref();
  };
  if (options.signal.aborted) close();
  else options.signal.addEventListener("abort", close, { once: true });
  return { address: addressOf(server, options.listen), done };
}

function addressOf(server: Server, listen: ListenAddress): ListenAddress {
  const bound = server.address();
  return typeof bound === "object" && bound !== null && "host" in listen ? { host: listen.host, port: bound.port } : listen;
}

async function answer(options: ServerOptions, stop: AbortSignal, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A peer that goes away is no failure of ours; what matters shows as "close".
  response.on("error", () => undefined);
  try {
    refuseForeignPages(options.listen, request);
    const url = new URL(request.url ?? "/", "http://podkit");
    const exchange: Exchange = { client: options.client, request, response, query: url.searchParams, stop, random: options.random ?? Math.random };
    await dispatch(options, exchange, parsePath(url.pathname));
  } catch (error) {
    const failure = asApiError(error);
    if (failure.code >= 500) options.log.error({ err: error, method: request.method, path: request.url?.split("?")[0] }, "Request failed");
    sendError(request, response, failure);
  }
}

async function dispatch(options: ServerOptions, exchange: Exchange, route: Route): Promise<void> {
  switch (route.kind) {
    case "unknown": throw new ApiError({ code: 404, reason: "NotFound", message: "the server could not find the requested resource" });
    case "document": serveDocument(options, exchange, route); return;
    case "collection": await serveCollection(exchange, route.definition, route.namespace); return;
    case "object": break;
    default: route satisfies never;
  }
  const { definition, key, subresource } = route;
  if (subresource === undefined) await serveObject(exchange, definition, key);
  else if (subresource === "status" && hasStatusSubresource(definition.kind)) await serveStatus(exchange, definition, key);
  else if (subresource === "binding" && definition.kind === "Pod") await serveBinding(exchange, key);
  else if (subresource === "log" && definition.kind === "Pod") {
    if (exchange.request.method !== "GET") throw methodNotAllowed();
    await streamLogs(streamsOf(options), exchange.response, key, exchange.query, (options.clock ?? systemClock).nowMs(), exchange.stop);
  } else if (subresource === "exec" && definition.kind === "Pod") throw new ApiError({ code: 400, reason: "BadRequest", message: "you must upgrade this request to a WebSocket to exec: Upgrade request required" });
  else throw new ApiError({ code: 404, reason: "NotFound", message: "the server could not find the requested resource" });
}

function serveDocument(options: ServerOptions, { request, response }: Exchange, route: Extract<Route, { readonly kind: "document" }>): void {
  if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed();
  switch (route.name) {
    case "version": sendJson(response, 200, versionDocument(version)); return;
    case "livez": case "healthz": sendText(response, 200, "ok"); return;
    case "readyz": {
      const reasons = options.readiness?.() ?? [];
      sendText(response, reasons.length === 0 ? 200 : 503, reasons.length === 0 ? "ok" : reasons.join("\n"));
      return;
    }
    case "api": sendJson(response, 200, apiVersions(request.headers.host ?? "")); return;
    case "apis": sendJson(response, 200, apiGroups()); return;
    case "group": sendJson(response, 200, apiGroup(route.apiVersion)); return;
    case "resources": sendJson(response, 200, apiResources(route.apiVersion)); return;
    default: route.name satisfies never;
  }
}

async function upgrade(options: ServerOptions, exec: ExecServer, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on("error", () => { socket.destroy(); });
  try {
    refuseForeignPages(options.listen, request);
    const url = new URL(request.url ?? "/", "http://podkit");
    const route = parsePath(url.pathname);
    if (route.kind !== "object" || route.definition.kind !== "Pod" || route.subresource !== "exec" || request.headers.upgrade?.toLowerCase() !== "websocket")
      throw new ApiError({ code: 404, reason: "NotFound", message: "the server could not find the requested resource: only WebSocket exec of Pods can be upgraded to" });
    await exec.upgrade(streamsOf(options), request, socket, head, route.key, url.searchParams);
  } catch (error) {
    const failure = asApiError(error);
    if (failure.code >= 500) options.log.error({ err: error, path: request.url?.split("?")[0] }, "Exec failed");
    const body = JSON.stringify(failure.toStatus());
    socket.end(`HTTP/1.1 ${failure.code} ${failure.reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
  }
}

function streamsOf(options: ServerOptions): NodeStreams {
  const streams = options.streams();
  if (streams === undefined) throw serviceUnavailable("the node agent is not running yet; try again in a moment");
  return streams;
}

const loopbackHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;

/** On TCP a web page in a browser on this machine could speak to us; a browser says so by Origin, or by the name it resolved to loopback. */
function refuseForeignPages(listen: ListenAddress, request: IncomingMessage): void {
  if ("socketPath" in listen) return;
  if (request.headers.origin !== undefined || !loopbackHost.test(request.headers.host ?? ""))
    throw new ApiError({ code: 403, reason: "Forbidden", message: "forbidden: requests of web pages and for foreign host names are refused" });
}
