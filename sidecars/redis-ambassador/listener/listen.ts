import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TlsOptions } from "node:tls";
import { unlink } from "node:fs/promises";

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "");
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const remoteOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress ?? ""} ${remotePort ?? 0}`;

/** A client that connects and does not finish the TLS handshake is dropped after this. */
const handshakeTimeoutMs = 10_000;
const backlog = 1024;

type Where = { readonly host: string; readonly port: number };
export type ListenSettings = {
  readonly address: Where;
  readonly socketPath: string | undefined;
  /** Given, the TCP listener speaks TLS alone. */
  readonly tls: TlsOptions | undefined;
};

/** A reason, fit for the operator, why the ambassador cannot listen. */
export class ListenError extends Error {}

function listen(server: Server, where: Where | { readonly path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...where, backlog }, () => {
      server.removeListener("error", reject);
      // Accepting can fail later too, e.g. when the process has no file descriptor left: the next client may succeed.
      server.on("error", () => undefined);
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

/** Listens at a TCP address and, if wanted, at a Unix socket; both can be changed while clients are connected. */
export class Listeners {
  readonly #onSocket: (socket: Socket) => void;
  readonly #onHandshakeFailed: (error: Error) => void;
  #settings: ListenSettings;
  #tcp: Server | TlsServer | undefined;
  #unix: Server | undefined;
  /** Ends of servers that accept nothing any more; each lasts until its last client has left. */
  readonly #closing = new Set<Promise<void>>();
  /** Connections whose TLS handshake is not over, by the client's address: a TLSSocket does not tell what it stands on. */
  readonly #handshaking = new Map<string, Socket>();
  #closed = false;

  private constructor(settings: ListenSettings, onSocket: (socket: Socket) => void, onHandshakeFailed: (error: Error) => void) {
    this.#settings = settings;
    this.#onSocket = onSocket;
    this.#onHandshakeFailed = onHandshakeFailed;
  }

  /** `onSocket` gets every connection, those with TLS when the handshake is over. Throws a ListenError. */
  static async open(settings: ListenSettings, onSocket: (socket: Socket) => void, onHandshakeFailed: (error: Error) => void = () => undefined): Promise<Listeners> {
    const listeners = new Listeners(settings, onSocket, onHandshakeFailed);
    try {
      listeners.#tcp = await listeners.#openTcp(settings);
      if (settings.socketPath !== undefined) listeners.#unix = await listeners.#openUnix(settings.socketPath);
      return listeners;
    } catch (error) {
      await listeners.close();
      throw error;
    }
  }

  /** The TCP port in use, also when any was asked for. */
  get port(): number {
    const bound = this.#tcp?.address();
    return typeof bound === "object" && bound !== null ? bound.port : this.#settings.address.port;
  }

  /**
   * Listens elsewhere or otherwise. New listeners are opened before old ones are closed; connections stay. When it throws (a
   * ListenError), everything is as before.
   */
  async change(next: ListenSettings): Promise<void> {
    const before = this.#settings;
    const moved = next.address.host !== before.address.host || next.address.port !== before.address.port;
    const otherKind = (next.tls === undefined) !== (before.tls === undefined) || next.tls?.requestCert !== before.tls?.requestCert;
    const otherUnix = next.socketPath !== before.socketPath;
    const unix = otherUnix && next.socketPath !== undefined ? await this.#openUnix(next.socketPath) : undefined;
    try {
      if (moved) this.#replaceTcp(await this.#openTcp(next));
      else if (otherKind) await this.#reopenTcp(before, next);
    } catch (error) {
      if (unix !== undefined) this.#retire(unix);
      throw error;
    }
    if (!moved && !otherKind && next.tls !== undefined && this.#tcp !== undefined && "setSecureContext" in this.#tcp) this.#tcp.setSecureContext(next.tls);
    if (otherUnix) {
      if (this.#unix !== undefined) this.#retire(this.#unix);
      this.#unix = unix;
    }
    this.#settings = next;
  }

  /** Accepts nothing more. Resolves when every client of it has left. Who is not yet a client is turned away. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const socket of this.#handshaking.values()) socket.destroy();
    if (this.#tcp !== undefined) this.#retire(this.#tcp);
    if (this.#unix !== undefined) this.#retire(this.#unix);
    this.#tcp = undefined;
    this.#unix = undefined;
    await Promise.all(this.#closing);
  }

  #replaceTcp(server: Server): void {
    if (this.#tcp !== undefined) this.#retire(this.#tcp);
    this.#tcp = server;
  }

  /** The same port cannot be bound twice, so here the old listener goes first. */
  async #reopenTcp(before: ListenSettings, next: ListenSettings): Promise<void> {
    const port = this.port;
    const at = (settings: ListenSettings): ListenSettings => ({ ...settings, address: { host: settings.address.host, port } });
    if (this.#tcp !== undefined) this.#retire(this.#tcp);
    try {
      this.#tcp = await this.#openTcp(at(next));
    } catch (error) {
      this.#tcp = await this.#openTcp(at(before));
      throw error;
    }
  }

  #retire(server: Server): void {
    const closing = new Promise<void>((resolve) => server.close(() => resolve())).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #openTcp({ address, tls }: ListenSettings): Promise<Server | TlsServer> {
    const { host, port } = address;
    const server = tls === undefined ? createServer({ noDelay: true, allowHalfOpen: false }, this.#onSocket) : this.#createTls(tls);
    await listen(server, { host, port }).catch((error: unknown) => {
      throw new ListenError(codeOf(error) === "EADDRINUSE"
        ? `Cannot listen on ${host}:${port}: another process of this Pod listens there already (a Redis server, or a second ambassador); stop it, or choose another port by listen.address (PODKIT_LISTEN)`
        : `Cannot listen on ${host}:${port}: ${messageOf(error)}; choose another address by listen.address (PODKIT_LISTEN)`, { cause: error });
    });
    return server;
  }

  #createTls(tls: TlsOptions): TlsServer {
    const server = createTlsServer({ ...tls, noDelay: true, handshakeTimeout: handshakeTimeoutMs }, (socket) => {
      this.#handshaking.delete(remoteOf(socket));
      if (this.#closed) socket.destroy();
      else this.#onSocket(socket);
    });
    server.on("connection", (socket: Socket) => {
      const remote = remoteOf(socket);
      this.#handshaking.set(remote, socket);
      socket.once("close", () => {
        if (this.#handshaking.get(remote) === socket) this.#handshaking.delete(remote);
      });
    });
    server.on("tlsClientError", (error, socket) => {
      socket.destroy();
      this.#onHandshakeFailed(error);
    });
    return server;
  }

  async #openUnix(path: string): Promise<Server> {
    const refuse = (error: unknown): never => {
      throw new ListenError(`Cannot listen on the Unix socket ${path}: ${messageOf(error)}; its folder must exist and be writable (listen.socketPath)`, { cause: error });
    };
    const open = async (): Promise<Server> => {
      const server = createServer({ allowHalfOpen: false }, this.#onSocket);
      await listen(server, { path });
      return server;
    };
    try {
      return await open();
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE") return refuse(error);
      if (await answers(path)) throw new ListenError(`Cannot listen on the Unix socket ${path}: another process answers there; choose another path by listen.socketPath`, { cause: error });
      // Left behind by a process that is gone.
      await unlink(path).catch(refuse);
      return await open().catch(refuse);
    }
  }
}
