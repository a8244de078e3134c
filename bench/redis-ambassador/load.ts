// The load generator, a process of its own: it reads one order per line from standard input and writes one answer per line
// (order.ts has the form of both).
// It measures by itself: the processor time of the measured process is read when the window begins and when it ends.
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { batch } from "./cases.ts";
import { formatResult, parseOrder, type Order, type Result } from "./order.ts";

/** One read buffer for all connections: replies are only counted. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Nanoseconds that all threads of a process have run. */
function cpuNanos(pid: number): number {
  let nanos = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  return nanos;
}

class Connection {
  readonly socket: Socket;
  readonly #request: Buffer;
  readonly #replyBytes: number;
  #got = 0;
  #sentMs = 0;
  readonly #onBatch: (tookMs: number, nowMs: number) => boolean;

  constructor(order: Order, index: number, onReady: () => void, onBatch: (tookMs: number, nowMs: number) => boolean, onError: (message: string) => void) {
    const { request, replyBytes } = batch(order.spec, index);
    this.#request = request;
    this.#replyBytes = replyBytes;
    this.#onBatch = onBatch;
    const firstByte = order.spec.kind === "get" ? 36 : 43;
    this.socket = connect({
      host: "127.0.0.1", port: order.port, noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (count: number) => {
          if (this.#got === 0 && readBuffer[0] !== firstByte) onError(`expected a reply that begins with ${String.fromCharCode(firstByte)}, got ${JSON.stringify(readBuffer.toString("latin1", 0, Math.min(count, 200)))}`);
          this.#got += count;
          if (this.#got > this.#replyBytes) onError(`expected ${this.#replyBytes} bytes of replies, got ${this.#got}`);
          if (this.#got === this.#replyBytes) this.#answered();
          return true;
        },
      },
    }, onReady);
    this.socket.on("error", (error) => onError(error.message));
    this.socket.on("close", () => onError("the connection was closed"));
  }

  send(): void {
    this.#got = 0;
    this.#sentMs = performance.now();
    this.socket.write(this.#request);
  }

  #answered(): void {
    const nowMs = performance.now();
    if (this.#onBatch(nowMs - this.#sentMs, nowMs)) this.send();
  }
}

const samples = new Float64Array(4_000_000);

function run(order: Order): Promise<Result> {
  return new Promise((resolve, reject) => {
    const connections: Connection[] = [];
    let ready = 0, count = 0, state: "warm" | "window" | "over" = "warm", beganMs = 0, cpuBefore = 0, warmedAtMs = 0;
    const watchdog = setTimeout(() => fail("nothing has come back in time"), order.warmUpMs + order.windowMs + 10_000);
    const end = (): void => {
      state = "over";
      clearTimeout(watchdog);
      for (const { socket } of connections) socket.destroy();
    };
    const fail = (message: string): void => {
      if (state === "over") return;
      end();
      reject(new Error(message));
    };
    const onBatch = (tookMs: number, nowMs: number): boolean => {
      if (state === "over") return false;
      if (state === "warm") {
        if (nowMs < warmedAtMs) return true;
        state = "window";
        beganMs = nowMs;
        cpuBefore = order.pid === undefined ? 0 : cpuNanos(order.pid);
        return true;
      }
      samples[count] = tookMs;
      count += 1;
      if (nowMs - beganMs < order.windowMs && count < samples.length) return true;
      const cpu = order.pid === undefined ? undefined : cpuNanos(order.pid) - cpuBefore, ops = count * order.spec.pipeline;
      end();
      const sorted = samples.subarray(0, count).toSorted();
      resolve({
        opsPerSecond: ops / ((nowMs - beganMs) / 1000), p50Ms: sorted[Math.floor(count * 0.5)] ?? Number.NaN, p99Ms: sorted[Math.floor(count * 0.99)] ?? Number.NaN,
        cpuMicrosPerOp: cpu === undefined ? undefined : cpu / 1000 / ops,
      });
      return false;
    };
    const onReady = (): void => {
      ready += 1;
      if (ready < order.connections) return;
      warmedAtMs = performance.now() + order.warmUpMs;
      for (const connection of connections) connection.send();
    };
    for (let index = 0; index < order.connections; index += 1) connections.push(new Connection(order, index, onReady, onBatch, fail));
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(await run(parseOrder(line)).then(formatResult, (error: unknown) => `failed: ${String(error)}`));
}
