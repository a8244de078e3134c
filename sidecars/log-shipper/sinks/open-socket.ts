import { connect as connectTcp, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TlsFiles } from "../tls/tls.ts";

export type ServerAddress = { readonly host: string; readonly port: number };

export type SocketOptions = {
  readonly server: ServerAddress;
  /** TLS with what its files hold now; plain without it. */
  readonly tls: TlsFiles | undefined;
  /** Asked for the host's addresses at each connect; the system's resolver without it. */
  readonly lookup?: LookupFunction | undefined;
};

/**
 * Begins to connect; `onReady` is called once the connection stands, with TLS once the server has proven its name. The host's name
 * is resolved anew each time. Throws when the certificates cannot be used.
 */
export function openSocket({ server, tls, lookup }: SocketOptions, onReady: () => void): Socket {
  const address = { host: server.host, port: server.port, ...(lookup === undefined ? {} : { lookup }) };
  if (tls === undefined) return connectTcp({ ...address, noDelay: true, keepAlive: true }, onReady);
  const given = Object.fromEntries(Object.entries(tls.current().options).filter(([, value]) => value !== undefined));
  const socket = connectTls({ ...address, ...given }, onReady);
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  return socket;
}

/** The reason as the system gives it; several addresses of one name that all failed come as one error with many. */
export function socketFault(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(socketFault).join("; ");
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" && !error.message.includes(error.code) ? ` (${error.code})` : "";
  return `${error.message === "" ? error.name : error.message}${code}`;
}
