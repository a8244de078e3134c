import { once } from "node:events";
import { chmod, lstat, unlink } from "node:fs/promises";
import type { Server } from "node:http";
import { connect } from "node:net";
import { ApiError } from "../errors.ts";

/** A Unix socket, or a TCP port on a loopback address: there is no authentication, so nothing else is offered. Port 0 takes a free one. */
export type ListenAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** The kernel's limit of a Unix socket's path (sun_path), less its closing zero. */
const socketPathBytesMax = 107;
const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);

export async function listenOn(server: Server, address: ListenAddress): Promise<void> {
  if ("socketPath" in address) await listenOnSocket(server, address.socketPath);
  else {
    if (!loopback.has(address.host)) throw unusable(`Cannot listen on ${address.host}:${address.port}: the API has no authentication, so only a loopback address (127.0.0.1) is allowed`);
    await begin(server, () => server.listen({ host: address.host, port: address.port }), `${address.host}:${address.port}`);
  }
}

async function listenOnSocket(server: Server, socketPath: string): Promise<void> {
  if (Buffer.byteLength(socketPath) > socketPathBytesMax)
    throw unusable(`Cannot listen on ${socketPath}: a Unix socket's path has at most ${socketPathBytesMax} bytes; use a shorter state directory`);
  await removeStale(socketPath);
  // Binding happens inside this call, so no other file of the process can be made under this mask.
  const mask = process.umask(0o177);
  try {
    server.listen({ path: socketPath });
  } finally {
    process.umask(mask);
  }
  await begin(server, () => undefined, socketPath);
  await chmod(socketPath, 0o600);
}

async function begin(server: Server, listen: () => unknown, where: string): Promise<void> {
  try {
    const listening = once(server, "listening");
    listen();
    await listening;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw unusable(code === "EADDRINUSE" ? `Cannot listen on ${where}: the address is in use; end whoever holds it or choose another` : `Cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

/** A killed server leaves its socket behind. One that still answers is never taken away. */
async function removeStale(socketPath: string): Promise<void> {
  const found = await lstat(socketPath).catch((error: unknown) => { if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined; throw error; });
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(`Cannot listen on ${socketPath}: a file that is no socket is in its place; move it away`);
  if (await answers(socketPath)) throw unusable(`Cannot listen on ${socketPath}: another control plane answers there; only one may run per state directory`);
  await unlink(socketPath);
}

async function answers(socketPath: string): Promise<boolean> {
  const socket = connect({ path: socketPath });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(2_000) });
    return true;
  } catch (error) {
    // Refused: nobody listens any more. Anything else (a full backlog, no answer) means that somebody is there.
    return !(error instanceof Error && "code" in error && (error.code === "ECONNREFUSED" || error.code === "ENOENT"));
  } finally {
    socket.destroy();
  }
}

const unusable = (message: string, cause?: unknown): ApiError => new ApiError({ code: 503, reason: "ServiceUnavailable", message, cause });
