import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { classIn, idOf, parseMessage, serializeMessage } from "./message.ts";
import type { Message, Name, Question } from "./message.ts";
import { TcpFrames, frame } from "./tcp-frames.ts";

export type Transport = "udp" | "tcp";
export type Forwarded = { readonly kind: "answered"; readonly packet: Uint8Array } | { readonly kind: "failed"; readonly why: string };

/**
 * Asks the upstream resolvers, one after the other, over the transport on which the question came: a client that gets a truncated answer
 * comes back over TCP, and so do we. Every question has its own socket, hence its own source port, beside a random id, and only an answer to that very
 * question counts. At most `inFlightMax` questions at once; more are refused at once instead of queueing behind a dead upstream.
 */
export class Forwarder {
  readonly #options: { readonly timeoutMs: number; readonly inFlightMax: number; readonly port?: number };
  #upstreams: readonly string[] = [];
  #inFlight = 0;

  constructor(options: { readonly timeoutMs: number; readonly inFlightMax: number; readonly port?: number }) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get upstreams(): readonly string[] {
    return this.#upstreams;
  }

  use(upstreams: readonly string[]): void {
    this.#upstreams = upstreams;
  }

  /** The answer's packet carries the query's id. Never rejects. */
  async forward(packet: Uint8Array, question: Question, transport: Transport): Promise<Forwarded> {
    if (this.#upstreams.length === 0) return { kind: "failed", why: "there is no upstream resolver" };
    if (this.#inFlight >= this.#options.inFlightMax) return { kind: "failed", why: `${this.#inFlight} questions are waiting for upstream resolvers already` };
    this.#inFlight += 1;
    try {
      return await this.#askAll(packet, question, transport);
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Asks for the addresses of a name outside of the cluster. */
  async lookUp(name: Name, query: Message, transport: Transport): Promise<Message | undefined> {
    const question: Question = { name, type: query.questions[0]?.type ?? 1, class: classIn };
    const message: Message = {
      id: 0, isResponse: false, opcode: 0, authoritative: false, truncated: false, recursionDesired: true, recursionAvailable: false, code: 0,
      questions: [question], answers: [], authorities: [], additionals: [], edns: query.edns,
    };
    const result = await this.forward(serializeMessage(message, 512), question, transport);
    return result.kind === "answered" ? parseMessage(result.packet) : undefined;
  }

  async #askAll(packet: Uint8Array, question: Question, transport: Transport): Promise<Forwarded> {
    const clientId = idOf(packet) ?? 0;
    let why = "";
    for (const upstream of this.#upstreams) {
      const id = randomInt(65_536);
      const asked = withId(packet, id);
      const isAnswer = (answer: Uint8Array): boolean => answers(answer, id, question);
      try {
        const o = { upstream, port: this.#options.port ?? 53, packet: asked, isAnswer, timeoutMs: this.#options.timeoutMs };
        const answer = await (transport === "udp" ? askUdp(o) : askTcp(o));
        return { kind: "answered", packet: withId(answer, clientId) };
      } catch (error) {
        why = `${upstream}: ${error instanceof Error ? error.message : String(error)}`;
      }
    }
    return { kind: "failed", why };
  }
}

type Ask = { readonly upstream: string; readonly port: number; readonly packet: Uint8Array; readonly isAnswer: (packet: Uint8Array) => boolean; readonly timeoutMs: number };

async function askUdp({ upstream, port, packet, isAnswer, timeoutMs }: Ask): Promise<Uint8Array> {
  const socket = createSocket(isIPv6(upstream) ? "udp6" : "udp4");
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      socket.on("error", reject);
      // Connected, so that the kernel drops what others send and reports an upstream that refuses.
      socket.connect(port, upstream, () => {
        socket.on("message", (answer) => {
          if (isAnswer(answer)) resolve(answer);
        });
        socket.send(packet, (error) => {
          if (error !== null) reject(error);
        });
      });
    });
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

async function askTcp({ upstream, port, packet, isAnswer, timeoutMs }: Ask): Promise<Uint8Array> {
  const socket = connect({ host: upstream, port });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      const frames = new TcpFrames(65_535);
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the connection ended without an answer")));
      socket.on("data", (chunk) => {
        for (const answer of frames.push(chunk)) if (isAnswer(answer)) resolve(answer);
      });
      socket.write(frame(packet));
    });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function withId(packet: Uint8Array, id: number): Uint8Array {
  const copy = Uint8Array.from(packet);
  copy[0] = id >> 8;
  copy[1] = id & 0xff;
  return copy;
}

/** Whether it is the answer to this very question; anything else is a stray or a forgery and is ignored. */
function answers(packet: Uint8Array, id: number, question: Question): boolean {
  if (idOf(packet) !== id) return false;
  try {
    const message = parseMessage(packet);
    const asked = message.questions[0];
    return message.isResponse && asked?.type === question.type && asked.class === question.class && asked.name.join(".").toLowerCase() === question.name.join(".").toLowerCase();
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
