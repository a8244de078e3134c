import { connect, createServer, type Server, type Socket } from "node:net";
import { unlink } from "node:fs/promises";

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "");

function listen(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...where, backlog: 1024 }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

/** True when a process answers at the Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(1_000, () => settle(true));
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}

/** A reason, fit for the operator, why the ambassador cannot listen. */
export class ListenError extends Error {}

/** Listens at the address and, if given, at the Unix socket. `onSocket` gets every connection. */
export async function openListeners(options: {
  readonly address: { readonly host: string; readonly port: number };
  readonly socketPath: string | undefined;
  readonly onSocket: (socket: Socket) => void;
}): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const servers: Server[] = [];
  const open = async (where: { host: string; port: number } | { path: string }): Promise<Server> => {
    const server = createServer({ noDelay: true, allowHalfOpen: false }, options.onSocket);
    await listen(server, where);
    servers.push(server);
    return server;
  };
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  };
  try {
    const { host, port } = options.address;
    const tcp = await open({ host, port }).catch((error: unknown) => {
      throw new ListenError(codeOf(error) === "EADDRINUSE"
        ? `Cannot listen on ${host}:${port}: another process of this Pod listens there already (a Redis server, or a second ambassador); stop it, or choose another port by listen.address (PODKIT_LISTEN)`
        : `Cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}; choose another address by listen.address (PODKIT_LISTEN)`, { cause: error });
    });
    if (options.socketPath !== undefined) await openUnix(options.socketPath, open);
    const bound = tcp.address();
    return { port: typeof bound === "object" && bound !== null ? bound.port : port, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openUnix(path: string, open: (where: { path: string }) => Promise<Server>): Promise<void> {
  const refuse = (error: unknown): never => {
    throw new ListenError(`Cannot listen on the Unix socket ${path}: ${error instanceof Error ? error.message : String(error)}; its folder must exist and be writable (listen.socketPath)`, { cause: error });
  };
  try {
    await open({ path });
  } catch (error) {
    if (codeOf(error) !== "EADDRINUSE") refuse(error);
    if (await answers(path)) throw new ListenError(`Cannot listen on the Unix socket ${path}: another process answers there; choose another path by listen.socketPath`, { cause: error });
    // Left behind by a process that is gone.
    await unlink(path).catch(refuse);
    await open({ path }).catch(refuse);
  }
}
