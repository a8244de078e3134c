import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { listenOnOwnPort } from "../../../support/own-port.ts";

export type SyslogMessage = { readonly priority: number; readonly time: string; readonly hostname: string; readonly appName: string; readonly procId: string; readonly msgId: string; readonly data: string; readonly text: string; readonly connection: number };

const name = "[!-~]";
const headerPattern = new RegExp(String.raw`^<(0|[1-9]\d{0,2})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) (${name}{1,255}) (${name}{1,48}) (${name}{1,128}) (${name}{1,32}) `);
const dataPattern = /^(?:-|(?:\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\])+)/;

/**
 * A test double of a syslog server: it takes RFC 5424 by octet counting (RFC 6587, 3.4.1) and nothing else. What is not exactly that is in
 * `violations`, and the connection is ended. It never answers, as real ones do not.
 */
export class SyslogDouble {
  readonly messages: SyslogMessage[] = [];
  readonly violations: string[] = [];
  /** Connections accepted so far. */
  accepted = 0;
  /** Whether it reads what comes. */
  reading = true;
  port = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(tls?: { readonly cert: string; readonly key: string; readonly ca?: string; readonly requestCert?: boolean; readonly rejectUnauthorized?: boolean }) {
    this.#server = tls === undefined ? createTcpServer((socket) => this.#serve(socket)) : createTlsServer(tls, (socket) => this.#serve(socket));
    this.#server.on("tlsClientError", () => undefined); // a client that did not like us says so in its own test
  }

  async listen(port = 0): Promise<this> {
    this.port = await listenOnOwnPort(this.#server, port);
    return this;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #serve(socket: Socket): void {
    const connection = this.accepted++;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let held = Buffer.alloc(0);
    if (!this.reading) return void socket.pause();
    socket.on("data", (segment) => {
      held = Buffer.concat([held, segment]);
      for (;;) {
        const space = held.indexOf(0x20);
        if (space === -1 && held.length < 12) return;
        const digits = held.toString("latin1", 0, Math.max(0, space));
        if (!/^[1-9]\d{0,9}$/.test(digits)) return this.#refuse(socket, `no length: ${held.toString("latin1", 0, 40)}`);
        const end = space + 1 + Number(digits);
        if (held.length < end) return;
        this.#take(socket, held.subarray(space + 1, end), connection);
        held = held.subarray(end);
      }
    });
  }

  #take(socket: Socket, bytes: Buffer, connection: number): void {
    const whole = bytes.toString("utf8");
    const header = headerPattern.exec(whole);
    const data = header === null ? null : dataPattern.exec(whole.slice(header[0].length));
    const rest = header === null || data === null ? undefined : whole.slice(header[0].length + data[0].length);
    if (header === null || data === null || rest === undefined || (rest !== "" && !rest.startsWith(" ")) || Number(header[1]) > 191) return this.#refuse(socket, `not a message: ${whole.slice(0, 200)}`);
    const [, priority = "", time = "", hostname = "", appName = "", procId = "", msgId = ""] = header;
    this.messages.push({ priority: Number(priority), time, hostname, appName, procId, msgId, data: data[0], text: rest.slice(1), connection });
  }

  #refuse(socket: Socket, violation: string): void {
    this.violations.push(violation);
    socket.destroy();
  }
}
