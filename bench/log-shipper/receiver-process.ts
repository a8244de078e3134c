import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Answer, Order } from "./order.ts";

type Done = Extract<Answer, { kind: "done" }>;

/** The receiver's process (receiver.ts). */
export class Receiver {
  readonly #child: ChildProcess;
  readonly forwardPort: number;
  readonly linesPort: number;

  private constructor(child: ChildProcess, ports: Extract<Answer, { kind: "listening" }>) {
    this.#child = child;
    this.forwardPort = ports.forwardPort;
    this.linesPort = ports.linesPort;
  }

  static async start(): Promise<Receiver> {
    const child = fork(join(import.meta.dirname, "receiver.ts"), { stdio: "inherit" });
    const ports = await answer(child, "listening", 20_000);
    return new Receiver(child, ports);
  }

  /** Begins at once; resolves when all lines have come. Throws when they have not within the time, or were not the right ones. */
  async expect(order: Extract<Order, { lines: number }>, timeoutMs: number): Promise<Done> {
    this.tell(order);
    const done = await answer(this.#child, "done", timeoutMs).catch(async (error: unknown) => {
      if (!this.#child.connected) throw error;
      throw new Error(`${(await this.total()).lines} lines have come since the start, ${order.lines} of them should have come now`, { cause: error });
    });
    if (done.faults.length > 0) throw new Error(`The receiver did not get what was sent: ${done.faults.join("; ")}`);
    return done;
  }

  async total(): Promise<Extract<Answer, { kind: "total" }>> {
    this.tell({ do: "total" });
    return await answer(this.#child, "total", 20_000);
  }

  tell(order: Order): void {
    this.#child.send(order);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

function answer<K extends Answer["kind"]>(child: ChildProcess, kind: K, timeoutMs: number): Promise<Extract<Answer, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const settle = (how: () => void): void => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      how();
    };
    const onMessage = (message: Answer): void => {
      if (isOf(message, kind)) settle(() => resolve(message));
    };
    const onExit = (): void => settle(() => reject(new Error("The receiver has ended")));
    const timer = setTimeout(() => settle(() => reject(new Error(`No answer "${kind}" of the receiver within ${timeoutMs} ms`))), timeoutMs);
    child.on("message", onMessage);
    child.on("exit", onExit);
  });
}

function isOf<K extends Answer["kind"]>(answer: Answer, kind: K): answer is Extract<Answer, { kind: K }> {
  return answer.kind === kind;
}
