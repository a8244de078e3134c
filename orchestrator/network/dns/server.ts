import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Log } from "../../../kit/log.ts";
import { failureReply, judge, replyBytesMax, rotate } from "./answer.ts";
import type { Verdict } from "./answer.ts";
import type { Forwarder, Transport } from "./forwarder.ts";
import { responseCode, serializeMessage } from "./message.ts";
import type { Message } from "./message.ts";
import { TcpFrames, frame } from "./tcp-frames.ts";
import type { Zone } from "./zone.ts";

export type DnsServer = { readonly port: number; close(): Promise<void> };
export type DnsServerOptions = {
  readonly host: string;
  readonly port: number;
  readonly domain: string;
  readonly zone: () => Zone | undefined;
  readonly forwarder: Forwarder;
  readonly log: Log;
  /** One call per query: where the answer came from. */
  readonly onQuery?: (query: { readonly transport: Transport; readonly source: "zone" | "upstream" | "dropped"; readonly code: number }) => void;
};

const connectionsMax = 128;
/** A client asks at once after connecting; one that says nothing holds a place of those. */
const idleMs = 10_000;
const queryBytesMax = 4096;
const tcpReplyBytesMax = 65_535;

/** Listens on one port with UDP and TCP. Rejects with the listen error (EADDRINUSE, EACCES). */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const udp = createSocket({ type: "udp4", recvBufferSize: 1_048_576 });
  let turn = 0;
  const reply = async (packet: Uint8Array, transport: Transport): Promise<Uint8Array | undefined> => await answerPacket(packet, transport, options, (turn += 1));
  udp.on("message", (packet, from) => {
    reply(packet, "udp").then(
      (answer) => {
        if (answer === undefined) return;
        udp.send(answer, from.port, from.address, (error) => {
          if (error !== null) options.log.debug({ err: error, client: from.address }, "Could not send an answer");
        });
      },
      (error: unknown) => options.log.error({ err: error }, "Could not answer a query"),
    );
  });
  await new Promise<void>((resolve, reject) => {
    udp.once("error", reject);
    udp.bind(options.port, options.host, () => {
      udp.off("error", reject);
      resolve();
    });
  });
  udp.on("error", (error) => options.log.error({ err: error }, "The UDP socket failed"));
  const { port } = udp.address();
  const sockets = new Set<Socket>();
  const tcp = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serveConnection(socket, reply).catch((error: unknown) => {
      options.log.debug({ err: error, client: socket.remoteAddress }, "A TCP client's connection ended early");
      socket.destroy();
    });
  });
  tcp.maxConnections = connectionsMax;
  try {
    await listen(tcp, port, options.host);
  } catch (error) {
    udp.close();
    throw error;
  }
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([new Promise<void>((resolve) => udp.close(() => resolve())), new Promise<void>((resolve) => tcp.close(() => resolve()))]);
    },
  };
}

/** One question at a time per connection: a client's own impatience is its back-pressure. */
async function serveConnection(socket: Socket, reply: (packet: Uint8Array, transport: Transport) => Promise<Uint8Array | undefined>): Promise<void> {
  socket.setTimeout(idleMs, () => socket.destroy());
  const frames = new TcpFrames(queryBytesMax);
  for await (const chunk of socket) {
    if (!(chunk instanceof Uint8Array)) continue;
    for (const packet of frames.push(chunk)) {
      const answer = await reply(packet, "tcp");
      if (answer === undefined) {
        socket.destroy();
        return;
      }
      if (!socket.write(frame(answer))) await new Promise<void>((resolve) => socket.once("drain", resolve).once("close", resolve));
    }
  }
}

/** Undefined when nothing is to be answered. */
async function answerPacket(packet: Uint8Array, transport: Transport, o: DnsServerOptions, turn: number): Promise<Uint8Array | undefined> {
  const verdict = judge(packet, o.zone(), o.domain);
  if (verdict.kind === "drop") {
    o.onQuery?.({ transport, source: "dropped", code: responseCode.formatError });
    return undefined;
  }
  if (verdict.kind === "forward") return await forward(packet, verdict, transport, o);
  const message = verdict.kind === "chase" ? await chase(verdict, transport, o) : verdict.message;
  o.onQuery?.({ transport, source: verdict.kind === "chase" ? "upstream" : "zone", code: message.code });
  return serializeMessage({ ...message, answers: rotate(message.answers, turn) }, transport === "udp" ? verdict.udpBytesMax : tcpReplyBytesMax);
}

async function forward(packet: Uint8Array, { query, question }: Extract<Verdict, { kind: "forward" }>, transport: Transport, o: DnsServerOptions): Promise<Uint8Array> {
  const result = await o.forwarder.forward(packet, question, transport);
  if (result.kind === "answered") {
    o.onQuery?.({ transport, source: "upstream", code: (result.packet[3] ?? 0) & 0xf });
    return result.packet;
  }
  o.log.debug({ name: question.name.join("."), why: result.why }, "Could not resolve a name outside of the cluster");
  o.onQuery?.({ transport, source: "upstream", code: responseCode.serverFailure });
  return serializeMessage(failureReply(query), replyBytesMax(query.edns));
}

/** Completes an alias that leads out of the cluster: stub resolvers do not follow it by themselves. */
async function chase({ query, target, message }: Extract<Verdict, { kind: "chase" }>, transport: Transport, o: DnsServerOptions): Promise<Message> {
  const found = await o.forwarder.lookUp(target, query, transport);
  if (found === undefined) return failureReply(query);
  return { ...message, authoritative: false, code: found.code, truncated: found.truncated, answers: [...message.answers, ...found.answers] };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
