import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { TlsFiles } from "../tls/tls.ts";

export type ListenerOptions = {
  readonly listen: { readonly host: string; readonly port: number };
  /** Also listened on, without TLS. */
  readonly socketPath: string | undefined;
  readonly tls: TlsFiles | undefined;
  readonly handshakeTimeoutMs: number;
  /** Of each of the two. */
  readonly connectionsMax: number;
  /** A client, and how to end its connection so that it notices at once: by a reset where there is such a thing. */
  readonly onConnection: (socket: Socket, reset: () => void) => void;
};

/** Listens on TCP, with TLS if asked for, and on a Unix socket. */
export class ForwardListener {
  readonly #options: ListenerOptions;
  readonly #tcp: Server;
  readonly #unix: Server | undefined;
  /** Accepted connections before and under TLS, by the client's address: only they can be reset. */
  readonly #raw = new Map<string, Socket>();
  #tlsVersion = 0;

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#tcp = options.tls === undefined ? createServer({ noDelay: true, allowHalfOpen: true }, (socket) => options.onConnection(socket, () => void socket.resetAndDestroy())) : this.#tlsServer(options.tls);
    this.#unix = options.socketPath === undefined ? undefined : createServer({ allowHalfOpen: true }, (socket) => options.onConnection(socket, () => void socket.destroy()));
    for (const server of [this.#tcp, this.#unix]) if (server !== undefined) server.maxConnections = options.connectionsMax;
  }

  /** Throws when it cannot listen, or has no usable certificate. */
  static async listen(options: ListenerOptions): Promise<ForwardListener> {
    const listener = new ForwardListener(options);
    const { listen, socketPath } = options;
    await listening(listener.#tcp, { host: listen.host, port: listen.port });
    if (listener.#unix !== undefined && socketPath !== undefined) {
      await removeDeadSocket(socketPath);
      await listening(listener.#unix, { path: socketPath }).catch((error: unknown) => {
        listener.#tcp.close();
        throw error;
      });
      // The containers of a Pod may have different users; the directory says who gets here.
      chmodSync(socketPath, 0o666);
    }
    return listener;
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#tcp.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  /** Takes no new connections. */
  close(): void {
    this.#tcp.close();
    this.#unix?.close();
  }

  #tlsServer(tls: TlsFiles): Server {
    const { onConnection, handshakeTimeoutMs } = this.#options;
    const options = () => {
      const { version, options: material } = tls.current();
      this.#tlsVersion = version;
      return Object.fromEntries(Object.entries(material).filter(([, value]) => value !== undefined));
    };
    const first = options();
    const server = createTlsServer({ ...first, requestCert: "ca" in first, rejectUnauthorized: "ca" in first, handshakeTimeout: handshakeTimeoutMs, noDelay: true, allowHalfOpen: true }, (socket) => {
      const raw = this.#raw.get(nameOf(socket));
      onConnection(socket, () => void (raw ?? socket).resetAndDestroy());
    });
    // Before the server's own listener, so that a renewed certificate serves this connection already.
    server.prependListener("connection", (socket: Socket) => {
      const name = nameOf(socket);
      this.#raw.set(name, socket);
      socket.once("close", () => this.#raw.delete(name));
      if (tls.current().version !== this.#tlsVersion) server.setSecureContext(options());
    });
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    return server;
  }
}

function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

async function listening(server: Server, where: { readonly host: string; readonly port: number } | { readonly path: string }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Removes a socket on which nobody listens any more, left by a process that was killed. Throws when somebody does. */
async function removeDeadSocket(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
  if (!alive) unlinkSync(path);
}
