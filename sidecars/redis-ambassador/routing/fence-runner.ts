import type { Clock } from "../../../kit/clock.ts";
import { freshState } from "../connections/connection-state.ts";
import type { Generation } from "./fence.ts";
import { encodeRequest } from "../protocol/inline.ts";
import { LatencyHistogram } from "../see/latency.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import type { Pool } from "../connections/pool.ts";
import type { Topology } from "../servers/topology.ts";
import { collector } from "../connections/upstream.ts";

const roleRequest = encodeRequest(["ROLE"]);

/** What ROLE says, as far as a fence needs it. The offset is -1 while a replica is not connected. */
export function readRole(reply: Uint8Array): { readonly role: "primary" | "replica"; readonly offset: number } | undefined {
  const lines = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength).toString("latin1").split("\r\n");
  const role = lines[2] === "master" ? "primary" : lines[2] === "slave" ? "replica" : undefined;
  if (role === undefined) return undefined;
  // *3 $6 master :offset … or *5 $5 slave $n host :port $n state :offset
  const line = role === "primary" ? lines[3] : lines[7] === "connected" ? lines[8] : ":-1";
  return /^:-?\d{1,15}$/.test(line ?? "") ? { role, offset: Number(line?.slice(1)) } : undefined;
}

/** What it needs of the topology. */
export type FencedTopology = Pick<Topology, "shards" | "suspect">;
/** Sends ROLE to a node, behind everything that is on its way there over the same connection; calls one of the two, once. */
export type AskRole = (node: RedisNode, onReply: (reply: Buffer) => void, onLost: () => void) => void;

export function askRoleOver(pool: Pool): AskRole {
  return (node, onReply, onLost) => {
    const owner = collector(1, (replies) => onReply(replies[0] ?? Buffer.alloc(0)), onLost);
    pool.shared(node, freshState).send(owner, roleRequest, 0, roleRequest.length, 1, undefined).onlyReads = true;
  };
}

/**
 * Drives the fences: while a written key is in doubt, asks the shard's primary and then its replicas for their offsets, at
 * most once per interval. Rests when nothing is in doubt.
 */
export class FenceRunner {
  intervalMs: number;
  readonly #topology: FencedTopology;
  readonly #askRole: AskRole;
  readonly #clock: Clock;
  /** Called when a replica is known to have reached a further offset. */
  readonly #onProof: () => void;
  /** How long a fence took, from the primary's answer to a replica's that is past it. */
  readonly waits = new LatencyHistogram();
  readonly #fencedAt = new WeakMap<Shard, { readonly offset: number; readonly atMs: number }>();
  readonly #asking = new Set<RedisNode>();
  #wake: (() => void) | undefined;

  constructor(options: { topology: FencedTopology; askRole: AskRole; clock: Clock; intervalMs: number; onProof: () => void }) {
    this.#topology = options.topology;
    this.#askRole = options.askRole;
    this.#clock = options.clock;
    this.intervalMs = options.intervalMs;
    this.#onProof = options.onProof;
  }

  /** Something is in doubt in one of the shards. */
  wake(): void {
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.wake(), { once: true });
    while (!signal.aborted) {
      if (this.#clear) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (!this.#clear || signal.aborted) resolve();
        });
        this.#wake = undefined;
      }
      for (const shard of this.#topology.shards) this.step(shard);
      await this.#clock.sleep(this.intervalMs, signal).catch(() => undefined);
    }
  }

  get #clear(): boolean {
    return this.#topology.shards.every(({ fence, eligible }) => fence.clear && eligible.every(({ proof }) => proof.offset >= (fence.wantedOffset ?? -1)));
  }

  /** One round; nothing in it waits. Answers come in between rounds. */
  step(shard: Shard): void {
    const { fence, primary } = shard;
    fence.seal();
    const sealing = fence.sealing;
    if (primary !== undefined && primary.confirmed && sealing !== undefined && fence.mayAskPrimary) {
      this.#ask(primary, (answer) => {
        if (answer.role === "primary" && primary === shard.primary) this.#fenced(shard, sealing, answer.offset);
        else if (answer.role === "replica") this.#topology.suspect(primary, "its role changed");
        this.#askReplicas(shard);
      });
    }
    this.#askReplicas(shard);
    fence.settle(shard.eligible.map((node) => node.proof));
  }

  #fenced(shard: Shard, sealing: Generation, offset: number): void {
    shard.fence.primaryAt(sealing, offset);
    this.#fencedAt.set(shard, { offset, atMs: this.#clock.monotonicMs() });
  }

  #askReplicas(shard: Shard): void {
    const wanted = shard.fence.wantedOffset;
    if (wanted === undefined || shard.primary?.confirmed !== true) return;
    for (const node of shard.eligible) {
      if (!node.confirmed || node.proof.offset >= wanted) continue;
      this.#ask(node, (answer) => {
        if (answer.role !== "replica" || !node.confirmed || node.notEligible !== undefined) return;
        const before = node.proof.offset, fenced = this.#fencedAt.get(shard);
        node.proof.offset = Math.max(before, answer.offset);
        if (fenced !== undefined && before < fenced.offset && node.proof.offset >= fenced.offset) this.waits.record((this.#clock.monotonicMs() - fenced.atMs) * 1000);
        this.#onProof();
      });
    }
  }

  #ask(node: RedisNode, onAnswer: (answer: { role: "primary" | "replica"; offset: number }) => void): void {
    if (this.#asking.has(node)) return;
    this.#asking.add(node);
    const { era, shard: { history } } = node;
    this.#askRole(node, (reply) => {
      this.#asking.delete(node);
      const answer = readRole(reply);
      // Offsets of another history are other numbers, and those of a copy that is gone prove nothing.
      if (answer !== undefined && node.shard.history === history && node.era === era) onAnswer(answer);
    }, () => this.#asking.delete(node));
  }
}
