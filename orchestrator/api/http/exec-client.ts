import { PassThrough, Writable } from "node:stream";
import { WebSocket } from "ws";
import { ApiError, errorFromStatus, serviceUnavailable } from "../errors.ts";
import type { PodExecOptions, PodExecSession } from "../node-streams.ts";
import { pods } from "../types/kinds.ts";
import { channel, closeChannel, execProtocol, frame, parseEnd, resizeMessage } from "./exec-channels.ts";
import { objectPath } from "./paths.ts";
import type { Endpoint } from "./transport.ts";

const refusalBytesMax = 64 * 1024;
const connectMs = 30_000;

/** Exec over a WebSocket. Throws ApiError with the server's Status when the command is refused; a command that fails later rejects `exitCode`. */
export async function openExec(endpoint: Endpoint, options: PodExecOptions): Promise<PodExecSession> {
  const query = new URLSearchParams(options.command.map((word): [string, string] => ["command", word]));
  if (options.container !== undefined) query.set("container", options.container);
  for (const [name, on] of [["stdin", options.stdin], ["stdout", true], ["stderr", !options.tty], ["tty", options.tty]] as const) if (on) query.set(name, "true");
  const path = `${objectPath(pods, { namespace: options.namespace, name: options.pod }, "exec")}?${query.toString()}`;
  const url = "socketPath" in endpoint ? `ws+unix://${endpoint.socketPath}:${path}` : `${endpoint.url.replace(/^http/, "ws").replace(/\/$/, "")}${path}`;
  const webSocket = new WebSocket(url, [execProtocol], { perMessageDeflate: false, handshakeTimeout: connectMs, maxPayload: 16 * 1024 * 1024 });
  webSocket.binaryType = "nodebuffer";
  const session = attach(webSocket, options);
  await opened(webSocket, options.signal);
  return session;
}

async function opened(webSocket: WebSocket, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    webSocket.once("open", resolve);
    webSocket.once("error", (error) => { reject(signal?.aborted === true ? (signal.reason instanceof Error ? signal.reason : error) : serviceUnavailable(`Cannot exec: ${error.message}`, error)); });
    webSocket.once("unexpected-response", (_request, response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => { if (text.length < refusalBytesMax) text += chunk; }).on("close", () => {
        reject(errorFromStatus(parseLoosely(text), response.statusCode ?? 500));
        webSocket.terminate();
      });
    });
  });
}

/** The listeners stand before the socket opens, so that no first message is missed. */
function attach(webSocket: WebSocket, options: PodExecOptions): PodExecSession {
  const stdout = new PassThrough(), stderr = new PassThrough();
  const { promise: ended, resolve, reject } = Promise.withResolvers<number>();
  ended.catch(() => undefined);
  const abort = (): void => { webSocket.terminate(); };
  options.signal?.addEventListener("abort", abort, { once: true });
  if (options.signal?.aborted === true) abort();
  webSocket.on("message", (data) => {
    const message = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
    const body = message.subarray(1);
    if (message[0] === channel.stdout) writeOrPause(webSocket, stdout, body);
    else if (message[0] === channel.stderr) writeOrPause(webSocket, stderr, body);
    else if (message[0] === channel.error) {
      const end = parseEnd(body);
      if (end.kind === "exited") resolve(end.exitCode);
      else reject(errorFromStatus(end.status, 500));
    }
  });
  webSocket.on("error", () => undefined);
  webSocket.on("close", () => {
    options.signal?.removeEventListener("abort", abort);
    stdout.end();
    stderr.end();
    // After an exit code this changes nothing.
    reject(options.signal?.aborted === true ? options.signal.reason : new ApiError({ code: 503, reason: "ServiceUnavailable", message: "the connection was lost before the command ended" }));
  });
  const exitCode = Promise.all([ended, finished(stdout), finished(stderr)]).then(([code]) => code);
  exitCode.catch(() => undefined);
  return {
    stdin: options.stdin ? stdinOf(webSocket) : undefined, stdout, stderr, exitCode,
    async resize(size) { if (webSocket.readyState === WebSocket.OPEN) webSocket.send(resizeMessage(size)); },
  };
}

/** Everything that came was handed to the stream; the reader may still be reading it. */
async function finished(stream: PassThrough): Promise<void> {
  if (stream.writableFinished || stream.destroyed) return;
  await new Promise<void>((resolve) => { stream.once("finish", resolve).once("close", resolve); });
}

function writeOrPause(webSocket: WebSocket, stream: PassThrough, data: Buffer): void {
  if (stream.destroyed || stream.writableEnded || stream.write(data)) return;
  webSocket.pause();
  const resume = (): void => {
    stream.off("drain", resume).off("close", resume);
    webSocket.resume();
  };
  stream.on("drain", resume).on("close", resume);
}

function stdinOf(webSocket: WebSocket): Writable {
  const send = (data: Uint8Array, callback: (error?: Error | null) => void): void => {
    if (webSocket.readyState === WebSocket.OPEN) webSocket.send(data, { binary: true }, (error) => { callback(error ?? null); });
    // The command is over; what is typed after it goes nowhere, as with a closed terminal.
    else callback();
  };
  return new Writable({
    highWaterMark: 256 * 1024,
    write(chunk: Buffer, _encoding, callback) { send(frame(channel.stdin, chunk), callback); },
    final(callback) { send(closeChannel(channel.stdin), callback); },
  });
}

function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
