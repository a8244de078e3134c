import { createServer, connect, type Server, type Socket } from "node:net";
import { systemClock, type Clock, type Random } from "../../kit/clock.ts";
import { unusedPort } from "./own-port.ts";

/** "up" is what the client sends to the upstream, "down" what comes back. */
export type Direction = "up" | "down";

/**
 * What happens at a byte of a connection. The rule takes effect when `at` bytes of its direction have been passed on, before the
 * next one is; 0 is the start of the connection. Rules of one direction apply in order of `at`, and in order of the list where
 * that is equal; what a rule sets holds until another rule of its kind.
 */
export type FaultRule = {
  /** The connections it concerns, counted from 0 as they are accepted; every one when absent. */
  readonly connection?: number;
  readonly direction?: Direction;
  readonly at?: number;
  readonly action: FaultAction;
};

export type FaultAction =
  /** The client's connection is reset as soon as it stands; the upstream hears nothing. */
  | { readonly kind: "refuse" }
  /** The connection is accepted and nothing is ever read, answered or connected. */
  | { readonly kind: "silence" }
  /** Both sides are reset. */
  | { readonly kind: "reset" }
  /** Both sides are ended in order. */
  | { readonly kind: "close" }
  /** The receiving side is told that no more comes; what the sender still sends is read and dropped. The other direction goes on. */
  | { readonly kind: "halfClose" }
  /** Nothing more is read from the sender until release(): its own buffers fill up and it has to wait. */
  | { readonly kind: "stallReading" }
  /** The sender is read to the end and its bytes are dropped: it believes that all was delivered. */
  | { readonly kind: "swallow" }
  /** Every following piece waits this long, plus up to `jitterMs` more by the seed. */
  | { readonly kind: "delay"; readonly delayMs: number; readonly jitterMs?: number }
  /** Following bytes are written in pieces of this size, or of random sizes up to it when `random`. */
  | { readonly kind: "split"; readonly bytes: number; readonly random?: boolean }
  /** Following bytes pass at most at this rate. */
  | { readonly kind: "rate"; readonly bytesPerSecond: number };

/**
 * What all connections do on top of their rules, those that stand and those to come, from the next byte on. For faults that
 * come and go at moments of the test's choice.
 */
export type Weather = {
  /** Nothing passes in this direction and nobody is told; what was sent meanwhile passes when it is over. New connections are accepted and wait. */
  readonly silent?: Direction | "both";
  /** Every piece waits this long before it passes. */
  readonly delayMs?: number;
};

export type TraceEntry = { readonly connection: number; readonly direction: Direction | "both"; readonly offset: number; readonly what: string };

export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  /** What happened, in order: a failure can be replayed with the same rules and seed. At most 10 000 entries are kept, the oldest go. */
  readonly trace: readonly TraceEntry[];
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Rules for the connections that are accepted from now on; numbers go on counting. */
  setRules(rules: readonly FaultRule[]): void;
  /** Ends every stall of the connections that stand. */
  release(): void;
  /** Replaces the weather of all connections; `{}` is fair. */
  setWeather(weather: Weather): void;
  /** Resets every connection that stands. */
  resetAll(): void;
  /** Stops listening (connections are then refused by the system) until listenAgain(). Connections that stand go on. */
  stopListening(): Promise<void>;
  listenAgain(): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}

export type FaultProxyOptions = {
  readonly upstream: { readonly host: string; readonly port: number };
  readonly listen?: { readonly host?: string; readonly port?: number };
  readonly rules?: readonly FaultRule[];
  /** For jitter and random splits. Given or not, it is in the proxy's `seed`. */
  readonly seed?: number;
  readonly clock?: Clock;
  readonly onTrace?: (entry: TraceEntry) => void;
};

const traceMax = 10_000;

/**
 * A TCP proxy whose faults happen at byte offsets and connection numbers, never at times, so that a test meets the same fault on
 * every run. Delays take a clock; with a virtual one they are exact.
 * Not promised: how the system cuts a stream into reads on the far side (write sizes are kept, TCP_NODELAY is on).
 */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const clock = options.clock ?? systemClock;
  const trace: TraceEntry[] = [];
  const connections = new Set<Connection>();
  const sky = new Sky();
  let rules = options.rules ?? [];
  let accepted = 0;
  const record = (entry: TraceEntry): void => {
    trace.push(entry);
    if (trace.length > traceMax) trace.shift();
    options.onTrace?.(entry);
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const number = accepted++;
    const own = rules.filter((rule) => rule.connection === undefined || rule.connection === number);
    const connection = new Connection({ number, client, upstream: options.upstream, rules: own, sky, clock, random: randomOf(seed + number), record });
    connections.add(connection);
    connection.run().finally(() => connections.delete(connection)).catch(() => undefined); // its end is in the trace
  });
  const host = options.listen?.host ?? "127.0.0.1";
  const port = await listen(server, host, options.listen?.port ?? await unusedPort(host));
  return {
    host, port, seed, trace,
    get accepted() { return accepted; },
    setRules(next) { rules = next; },
    release() { for (const connection of connections) connection.release(); },
    setWeather(weather) { sky.set(weather); },
    resetAll() { for (const connection of connections) connection.reset("both", 0, "reset by the test"); },
    async stopListening() { await stopListening(server); },
    async listenAgain() { await listen(server, host, port); },
    async close() {
      for (const connection of connections) connection.reset("both", 0, "proxy closed");
      await stopListening(server);
    },
  };
}

/** The weather, and who waits for it to change. */
class Sky {
  #weather: Weather = {};
  #changed = Promise.withResolvers<void>();

  get delayMs(): number {
    return this.#weather.delayMs ?? 0;
  }

  set(weather: Weather): void {
    this.#weather = weather;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  isSilent(direction: Direction): boolean {
    return this.#weather.silent === direction || this.#weather.silent === "both";
  }

  /** Resolves when bytes of this direction may pass, or when `signal` aborts. */
  async passable(direction: Direction, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.isSilent(direction)) {
      const over = Promise.withResolvers<void>(), stop = (): void => over.resolve();
      signal.addEventListener("abort", stop, { once: true });
      await Promise.race([this.#changed.promise, over.promise]);
      signal.removeEventListener("abort", stop);
    }
  }
}

type ConnectionOptions = { readonly number: number; readonly client: Socket; readonly upstream: { readonly host: string; readonly port: number }; readonly rules: readonly FaultRule[]; readonly sky: Sky; readonly clock: Clock; readonly random: Random; readonly record: (entry: TraceEntry) => void };

/** One accepted connection and its partner upstream. */
class Connection {
  readonly #o: ConnectionOptions;
  readonly #over = new AbortController();
  #upstream: Socket | undefined;
  #stall = Promise.withResolvers<void>();

  constructor(o: ConnectionOptions) {
    this.#o = o;
    o.client.on("error", () => {
      this.#over.abort();
      // A reset is passed on like everything else, and not at all while nothing passes.
      if (!o.sky.isSilent("up") && this.#upstream !== undefined) resetSocket(this.#upstream);
    });
    o.client.on("close", () => this.#over.abort());
  }

  async run(): Promise<void> {
    const { client, rules } = this.#o;
    this.#note("both", 0, "accepted");
    const first = rules.find((rule) => (rule.at ?? 0) === 0 && (rule.action.kind === "refuse" || rule.action.kind === "silence"));
    if (first?.action.kind === "refuse") return this.reset("both", 0, "refuse");
    if (first?.action.kind === "silence") {
      this.#note("both", 0, "silence");
      client.pause();
      await new Promise((resolve) => client.once("close", resolve));
      return;
    }
    await this.#o.sky.passable("up", this.#over.signal);
    if (this.#over.signal.aborted) return;
    const upstream = connect({ ...this.#o.upstream, allowHalfOpen: true, noDelay: true });
    this.#upstream = upstream;
    upstream.on("error", (error) => this.reset("both", 0, `upstream: ${error.message}`));
    await Promise.all([this.#pump("up", client, upstream), this.#pump("down", upstream, client)]);
  }

  release(): void {
    this.#stall.resolve();
    this.#stall = Promise.withResolvers<void>();
  }

  reset(direction: Direction | "both", offset: number, what: string): void {
    this.#note(direction, offset, what);
    this.#over.abort();
    resetSocket(this.#o.client);
    if (this.#upstream !== undefined) resetSocket(this.#upstream);
  }

  async #pump(direction: Direction, from: Socket, to: Socket): Promise<void> {
    const rules = this.#o.rules.filter((rule) => (rule.direction ?? "up") === direction).toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0));
    const state: Passing = { offset: 0, splitBytes: Number.POSITIVE_INFINITY, splitRandomly: false, delayMs: 0, jitterMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, dropping: false };
    try {
      await this.#apply(direction, rules, state, to);
      for await (const chunk of from) {
        if (!(chunk instanceof Uint8Array)) throw new TypeError("Cannot pass on text: the socket has an encoding");
        await this.#passOn(direction, chunk, rules, state, to);
      }
      await this.#o.sky.passable(direction, this.#over.signal);
      if (!this.#over.signal.aborted) this.#note(direction, state.offset, "ended");
      if (!state.dropping) to.end();
    } catch (error) {
      if (!this.#over.signal.aborted) this.reset(direction, state.offset, `broken: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #passOn(direction: Direction, chunk: Uint8Array, rules: FaultRule[], state: Passing, to: Socket): Promise<void> {
    let rest = chunk;
    while (rest.length > 0 && !this.#over.signal.aborted) {
      if (state.dropping) return;
      const nextAt = rules[0]?.at ?? Number.POSITIVE_INFINITY;
      const splitBytes = state.splitRandomly ? 1 + Math.floor(this.#o.random() * state.splitBytes) : state.splitBytes;
      const take = Math.min(rest.length, nextAt - state.offset, splitBytes);
      const pauseMs = this.#o.sky.delayMs + state.delayMs + state.jitterMs * this.#o.random() + (1000 * take) / state.bytesPerSecond;
      if (pauseMs > 0) await this.#o.clock.sleep(pauseMs, this.#over.signal);
      await this.#o.sky.passable(direction, this.#over.signal);
      if (this.#over.signal.aborted) return;
      await write(to, rest.subarray(0, take), this.#over.signal);
      rest = rest.subarray(take);
      state.offset += take;
      await this.#apply(direction, rules, state, to);
    }
  }

  /** Takes the rules whose byte has come from the front of the list. */
  async #apply(direction: Direction, rules: FaultRule[], state: Passing, to: Socket): Promise<void> {
    while (rules[0] !== undefined && (rules[0].at ?? 0) <= state.offset && !this.#over.signal.aborted) {
      const { action } = rules.shift() ?? rules[0];
      switch (action.kind) {
        case "reset": return this.reset(direction, state.offset, "reset");
        case "close": {
          this.#note(direction, state.offset, "close");
          this.#over.abort();
          this.#o.client.destroySoon();
          this.#upstream?.destroySoon();
          return;
        }
        case "halfClose": to.end(); state.dropping = true; break;
        case "swallow": state.dropping = true; break;
        case "stallReading": {
          this.#note(direction, state.offset, "stallReading");
          await Promise.race([this.#stall.promise, new Promise<void>((resolve) => { if (this.#over.signal.aborted) resolve(); this.#over.signal.addEventListener("abort", () => resolve(), { once: true }); })]);
          this.#note(direction, state.offset, "released");
          continue;
        }
        case "delay": state.delayMs = action.delayMs; state.jitterMs = action.jitterMs ?? 0; break;
        case "split": state.splitBytes = action.bytes; state.splitRandomly = action.random ?? false; break;
        case "rate": state.bytesPerSecond = action.bytesPerSecond; break;
        case "refuse": case "silence": throw new Error(`Cannot apply "${action.kind}" at byte ${state.offset}: it belongs to the start of a connection`);
        default: return action satisfies never;
      }
      this.#note(direction, state.offset, action.kind);
    }
  }

  #note(direction: Direction | "both", offset: number, what: string): void {
    this.#o.record({ connection: this.#o.number, direction, offset, what });
  }
}

/**
 * Resets a socket; one that is just being ended a moment later. Reset amid its end, a socket's handle is never closed: libuv
 * refuses (uv_tcp_close_reset gives EINVAL while a shutdown is under way), Node 24 takes it for closed all the same, and a
 * process that has nothing else to do then waits for it in a busy loop instead of ending.
 */
function resetSocket(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (isEnding && !socket.destroyed) socket.once("finish", () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}

type Passing = { offset: number; splitBytes: number; splitRandomly: boolean; delayMs: number; jitterMs: number; bytesPerSecond: number; dropping: boolean };

/** Resolves when the bytes are with the system, so that a reset after them cannot overtake them on this side. */
async function write(to: Socket, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => reject(new Error("the connection is over"));
    signal.addEventListener("abort", stop, { once: true });
    to.write(bytes, (error) => {
      signal.removeEventListener("abort", stop);
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => { server.off("error", reject); resolve(); });
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot listen: the server has no TCP address");
  return address.port;
}

async function stopListening(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await new Promise((resolve) => setImmediate(resolve));
}

/** mulberry32: small, and the same on every machine. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
