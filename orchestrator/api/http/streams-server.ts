import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex, Readable, Writable } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { ObjectKey } from "../client.ts";
import { badRequest, type Status } from "../errors.ts";
import type { NodeStreams, PodExecSession, PodLogOptions } from "../node-streams.ts";
import { channel, execProtocol, exitStatus, frame, parseResize } from "./exec-channels.ts";
import { booleanParameter, numberParameter } from "./parameters.ts";
import { asApiError, writeOut } from "./wire.ts";

const stallMs = 60_000;
/** How long the headers wait for a first line or a refusal, before an empty log that is followed is answered. */
const firstLineMs = 300;
const messageBytesMax = 1024 * 1024;

/** GET …/pods/x/log: the bytes as they come. A failure after the first byte cuts the connection, so that nobody takes a part for the whole. */
export async function streamLogs(streams: NodeStreams, response: ServerResponse, key: ObjectKey, query: URLSearchParams, nowMs: number, stop: AbortSignal): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => { gone.abort(); });
  const options = logOptions(key, query, nowMs, AbortSignal.any([stop, gone.signal]));
  const lines = streams.logs(options)[Symbol.asyncIterator]();
  const first = lines.next();
  first.catch(() => undefined);
  await Promise.race([first, new Promise((resolve) => { setTimeout(resolve, firstLineMs).unref(); })]);
  let left = options.limitBytes ?? Infinity;
  const begin = (): void => {
    if (response.headersSent) return;
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-cache, private" });
    response.flushHeaders();
  };
  // A refusal that came within the wait is thrown here, before the headers.
  const raced = await Promise.race([first, Promise.resolve("waiting" as const)]);
  if (raced === "waiting") begin();
  try {
    for (let result = await first; result.done !== true && left > 0; result = await lines.next()) {
      begin();
      const bytes = result.value.length > left ? result.value.subarray(0, left) : result.value;
      left -= bytes.length;
      await writeOut(response, bytes, { signal: gone.signal, stallMs });
    }
    begin();
    response.end();
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  } finally {
    gone.abort();
    await lines.return?.();
  }
}

function logOptions(key: ObjectKey, query: URLSearchParams, nowMs: number, signal: AbortSignal): PodLogOptions {
  const container = query.get("container");
  const sinceTime = query.get("sinceTime");
  const tailLines = numberParameter(query, "tailLines", { min: 0 });
  const limitBytes = numberParameter(query, "limitBytes", { min: 1 });
  let sinceSeconds = numberParameter(query, "sinceSeconds", { min: 1 });
  if (sinceTime !== null) {
    if (sinceSeconds !== undefined) throw badRequest("at most one of `sinceTime` or `sinceSeconds` may be specified");
    const since = Date.parse(sinceTime);
    if (Number.isNaN(since)) throw badRequest(`cannot use sinceTime "${sinceTime}": it must be a time as of RFC 3339`);
    sinceSeconds = Math.max(1, Math.ceil((nowMs - since) / 1000));
  }
  return {
    namespace: key.namespace ?? "default", pod: key.name, ...(container === null ? {} : { container }), signal,
    follow: booleanParameter(query, "follow"), previous: booleanParameter(query, "previous"), timestamps: booleanParameter(query, "timestamps"),
    ...(tailLines === undefined ? {} : { tailLines }), ...(sinceSeconds === undefined ? {} : { sinceSeconds }), ...(limitBytes === undefined ? {} : { limitBytes }),
  };
}

export type ExecServer = { upgrade(streams: NodeStreams, request: IncomingMessage, socket: Duplex, head: Buffer, key: ObjectKey, query: URLSearchParams): Promise<void>; close(): void };

/** GET …/pods/x/exec with Upgrade: websocket. The command is started first, so that a refusal is an HTTP answer with a Status. */
export function createExecServer(stop: AbortSignal): ExecServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: messageBytesMax, handleProtocols: (offered) => (offered.has(execProtocol) ? execProtocol : false) });
  return {
    async upgrade(streams, request, socket, head, key, query) {
      const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
      if (!offered.includes(execProtocol)) throw badRequest(`exec needs the WebSocket subprotocol ${execProtocol}, offered was: ${offered.join(", ") || "none"}`);
      const command = query.getAll("command");
      if (command.length === 0) throw badRequest("you must specify at least 1 command for the container");
      const container = query.get("container");
      const gone = new AbortController();
      socket.once("close", () => { gone.abort(); });
      const session = await streams.exec({
        namespace: key.namespace ?? "default", pod: key.name, ...(container === null ? {} : { container }), command,
        tty: booleanParameter(query, "tty"), stdin: booleanParameter(query, "stdin"), signal: AbortSignal.any([stop, gone.signal]),
      });
      if (socket.destroyed) return;
      sockets.handleUpgrade(request, socket, head, (webSocket) => { void serveExec(webSocket, session); });
    },
    close() {
      for (const client of sockets.clients) client.close(1001);
      sockets.close();
    },
  };
}

async function serveExec(webSocket: WebSocket, session: PodExecSession): Promise<void> {
  // A broken connection shows as its close; the session ends by the signal.
  webSocket.on("error", () => { webSocket.terminate(); });
  session.stdin?.on("error", () => undefined);
  webSocket.on("message", (data: Buffer | ArrayBuffer | Buffer[]) => { receive(webSocket, session, Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)); });
  let status: Status;
  try {
    const outputs = Promise.all([pump(webSocket, session.stdout, channel.stdout), pump(webSocket, session.stderr, channel.stderr)]);
    outputs.catch(() => undefined);
    const exitCode = await session.exitCode;
    await outputs;
    status = exitStatus(exitCode);
  } catch (error) {
    status = asApiError(error).toStatus();
  }
  if (webSocket.readyState !== webSocket.OPEN) return;
  webSocket.send(frame(channel.error, Buffer.from(JSON.stringify(status))));
  webSocket.close(1000);
}

function receive(webSocket: WebSocket, session: PodExecSession, message: Buffer): void {
  const data = message.subarray(1);
  switch (message[0]) {
    case channel.stdin: {
      const stdin = session.stdin;
      if (stdin === undefined || stdin.writableEnded || data.length === 0) return;
      if (!stdin.write(data)) pauseUntilDrained(webSocket, stdin);
      return;
    }
    case channel.resize: {
      const size = parseResize(data);
      // A terminal that cannot be resized keeps its size; the command goes on.
      if (size !== undefined) session.resize(size).catch(() => undefined);
      return;
    }
    case channel.close:
      if (data[0] === channel.stdin) session.stdin?.end();
      return;
    default: webSocket.close(1003, "unknown channel");
  }
}

function pauseUntilDrained(webSocket: WebSocket, stdin: Writable): void {
  webSocket.pause();
  const resume = (): void => {
    stdin.off("drain", resume).off("close", resume);
    webSocket.resume();
  };
  stdin.on("drain", resume).on("close", resume);
}

/** Waits until each chunk has left, so that a slow client slows the command instead of filling memory. */
async function pump(webSocket: WebSocket, from: Readable, to: number): Promise<void> {
  for await (const chunk of from) {
    if (!(chunk instanceof Uint8Array)) continue;
    await new Promise<void>((resolve, reject) => { webSocket.send(frame(to, chunk), { binary: true }, (error) => { if (error == null) resolve(); else reject(error); }); });
  }
}
