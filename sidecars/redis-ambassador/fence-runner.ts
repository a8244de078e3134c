import type { Clock } from "../../kit/clock.ts";
import { freshState } from "./connection-state.ts";
import { encodeRequest } from "./inline.ts";
import type { Fence } from "./fence.ts";
import type { RedisNode } from "./node.ts";
import type { Pool } from "./pool.ts";
import type { Topology } from "./topology.ts";
import { collector } from "./upstream.ts";

const roleRequest = encodeRequest(["ROLE"]);

/** What ROLE says, as far as a fence needs it. The offset is -1 while a replica is not connected. */
export function readRole(reply: Uint8Array): { readonly role: "primary" | "replica"; readonly offset: number } | undefined {
  const lines = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength).toString("latin1").split("\r\n");
  if (lines[2] === "master") return { role: "primary", offset: Number(lines[3]?.slice(1)) };
  if (lines[2] !== "slave") return undefined;
  // *5 $5 slave $n host :port $n state :offset
  return { role: "replica", offset: lines[7] === "connected" ? Number(lines[8]?.slice(1)) : -1 };
}

/**
 * Drives the fence: while a written key is in doubt, asks the primary and then the replicas for their offsets, at most
 * once per `intervalMs`. Rests when nothing is in doubt.
 */
export class FenceRunner {
  readonly #fence: Fence;
  readonly #topology: Topology;
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #asking = new Set<RedisNode>();
  #wake: (() => void) | undefined;

  constructor(options: { fence: Fence; topology: Topology; pool: Pool; clock: Clock; intervalMs: number }) {
    this.#fence = options.fence;
    this.#topology = options.topology;
    this.#pool = options.pool;
    this.#clock = options.clock;
    this.#intervalMs = options.intervalMs;
    this.#fence.onDirty = () => this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      if (this.#fence.clear) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (!this.#fence.clear || signal.aborted) resolve();
        });
        this.#wake = undefined;
      }
      this.step();
      await this.#clock.sleep(this.#intervalMs, signal).catch(() => undefined);
    }
  }

  /** One round; nothing in it waits. Answers come in between rounds. */
  step(): void {
    const fence = this.#fence, primary = this.#topology.primary;
    fence.seal();
    const sealing = fence.sealing;
    if (primary !== undefined && primary.confirmed && sealing !== undefined && fence.mayAskPrimary) {
      this.#ask(primary, (answer) => {
        if (answer.role === "primary" && primary === this.#topology.primary) fence.primaryAt(sealing, answer.offset);
        else if (answer.role === "replica") this.#topology.suspect(primary, "its role changed");
        this.#askReplicas();
      });
    }
    this.#askReplicas();
    fence.settle(this.#topology.eligible.map((node) => node.proof));
  }

  #askReplicas(): void {
    const wanted = this.#fence.wantedOffset;
    if (wanted === undefined || this.#topology.primary?.confirmed !== true) return;
    for (const node of this.#topology.eligible) {
      if (!node.confirmed || node.proof.offset >= wanted) continue;
      this.#ask(node, (answer) => {
        if (answer.role === "replica" && node.confirmed && node.notEligible === undefined) node.proof.offset = Math.max(node.proof.offset, answer.offset);
      });
    }
  }

  #ask(node: RedisNode, onAnswer: (answer: { role: "primary" | "replica"; offset: number }) => void): void {
    if (this.#asking.has(node)) return;
    this.#asking.add(node);
    const owner = collector(1, (replies) => {
      this.#asking.delete(node);
      const answer = readRole(replies[0] ?? Buffer.alloc(0));
      if (answer !== undefined) onAnswer(answer);
    }, () => this.#asking.delete(node));
    this.#pool.shared(node, freshState).send(owner, roleRequest, 0, roleRequest.length, 1, undefined);
  }
}
