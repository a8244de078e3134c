import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { logLevelNames } from "./log-levels.ts";
import type { Log } from "./log.ts";
import type { MetricRegistry } from "./metrics.ts";

export type AdminRoute = {
  readonly method: "GET" | "PUT" | "POST";
  readonly path: string;
  /** Answered only to peers on the loopback interface, whatever the server listens on. */
  readonly loopbackOnly: boolean;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;
};

export interface Admin {
  /** A named readiness check: returns why the role is not ready, or undefined. */
  addReadinessCheck(name: string, check: () => string | undefined): void;
  addRoute(route: AdminRoute): void;
  /** Where it listens; the port is the real one when 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number };
}

export type AdminServer = Admin & {
  /** From now on /readyz answers 503 with this reason. */
  drain(reason: string): void;
  close(): Promise<void>;
};

const bodyBytesMax = 1024;

/**
 * Starts the admin server of a role: /livez (/healthz), /readyz, /startupz, /metrics for anyone it listens to; /config, /loglevel and
 * /quitquitquit for loopback peers alone. Start-up never waits for an application or an upstream: a native sidecar's start-up probe that did would
 * deadlock the Pod. Rejects with the listen error (EADDRINUSE …).
 */
export async function startAdminServer(options: {
  readonly host: string;
  readonly port: number;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  /** The effective configuration with secrets already redacted. */
  readonly redactedConfig: () => unknown;
  /** Called by POST /quitquitquit; absent = that path does not exist (native sidecars need it not). */
  readonly onQuit?: () => void;
}): Promise<AdminServer> {
  const checks = new Map<string, () => string | undefined>();
  const routes = new Map<string, AdminRoute>();
  let draining: string | undefined;
  const addRoute = (route: AdminRoute): void => void routes.set(`${route.method} ${route.path}`, route);
  const readiness = (): { readonly name: string; readonly reason: string | undefined }[] => [
    ...(draining === undefined ? [] : [{ name: "draining", reason: draining }]),
    ...[...checks].map(([name, check]) => ({ name, reason: check() })),
  ];

  for (const path of ["/livez", "/healthz", "/startupz"]) addRoute({ method: "GET", path, loopbackOnly: false, handle: (_, response) => sendText(response, 200, "ok\n") });
  addRoute({ method: "GET", path: "/readyz", loopbackOnly: false, handle: (request, response) => sendReadiness(request, response, readiness()) });
  addRoute({ method: "GET", path: "/metrics", loopbackOnly: false, handle: (request, response) => sendMetrics(request, response, options.metrics) });
  addRoute({ method: "GET", path: "/config", loopbackOnly: true, handle: (_, response) => sendJson(response, 200, options.redactedConfig()) });
  addRoute({ method: "PUT", path: "/loglevel", loopbackOnly: true, handle: (request, response) => setLogLevel(request, response, options.log) });
  const onQuit = options.onQuit;
  if (onQuit !== undefined) addRoute({ method: "POST", path: "/quitquitquit", loopbackOnly: true, handle: (request, response) => quit(request, response, onQuit) });

  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 8_192 }, (request, response) => {
    dispatch(routes, request, response).catch((error: unknown) => {
      options.log.error({ err: error, path: request.url }, "The admin server failed to answer");
      if (!response.headersSent) sendText(response, 500, "internal error; see the log\n");
    });
  });
  server.maxConnections = 64;
  await listen(server, options.port, options.host);
  const bound = server.address() as AddressInfo;
  return {
    address: { host: bound.address, port: bound.port },
    addReadinessCheck: (name, check) => void checks.set(name, check),
    addRoute,
    drain(reason) {
      draining = reason;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function dispatch(routes: ReadonlyMap<string, AdminRoute>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = pathOf(request);
  const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
  const route = routes.get(`${method} ${path}`);
  if (route === undefined) {
    const other = [...routes.values()].filter((candidate) => candidate.path === path);
    if (other.length === 0) return sendText(response, 404, `no such path; there are ${[...new Set([...routes.values()].map((known) => known.path))].join(" ")}\n`);
    response.setHeader("Allow", other.map((candidate) => candidate.method).join(", "));
    return sendText(response, 405, "method not allowed\n");
  }
  if (route.loopbackOnly && !isLoopback(request)) return sendText(response, 403, "answered on the loopback interface only\n");
  await route.handle(request, response);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}

function isLoopback(request: IncomingMessage): boolean {
  const address = request.socket.remoteAddress ?? "";
  return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
}

function sendReadiness(request: IncomingMessage, response: ServerResponse, results: readonly { readonly name: string; readonly reason: string | undefined }[]): void {
  const failed = results.filter((result) => result.reason !== undefined);
  const status = failed.length === 0 ? 200 : 503;
  const query = new URL(request.url ?? "/", "http://admin").searchParams;
  if (query.get("format") === "json") return sendJson(response, status, { ready: status === 200, checks: results });
  const lines = (query.has("verbose") ? results : failed).map(({ name, reason }) => (reason === undefined ? `[+]${name} ok` : `[-]${name} failed: ${reason}`));
  sendText(response, status, [...lines, status === 200 ? "ok" : "not ready", ""].join("\n"));
}

function sendMetrics(request: IncomingMessage, response: ServerResponse, metrics: MetricRegistry): void {
  const open = (request.headers.accept ?? "").includes("application/openmetrics-text");
  response.setHeader("Content-Type", open ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8");
  response.end(open ? metrics.renderOpenMetrics() : metrics.render());
}

async function setLogLevel(request: IncomingMessage, response: ServerResponse, log: Log): Promise<void> {
  const level = (await readBody(request)).trim().replace(/^"|"$/g, "");
  if (!(logLevelNames as readonly string[]).includes(level)) return sendText(response, 400, `expected one of ${logLevelNames.join(", ")}, got "${level.slice(0, 40)}"\n`);
  log.level = level;
  sendText(response, 200, `${level}\n`);
}

/** Quitting is for the Pod's own containers: a browser page (Origin) or a rebinding name (Host) must not be able to end a sidecar. */
function quit(request: IncomingMessage, response: ServerResponse, onQuit: () => void): void {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  const local = host === "localhost" || host === "127.0.0.1" || host === "[::1]";
  if (request.headers["x-podkit"] !== "quit" || request.headers.origin !== undefined || !local) return sendText(response, 403, "send it to localhost with the header X-Podkit: quit\n");
  sendText(response, 200, "quitting\n");
  onQuit();
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bodyBytesMax) break; // what follows is not needed to refuse it
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(text);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(`${JSON.stringify(value, undefined, 2)}\n`);
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
