import type { Clock } from "../../../kit/clock.ts";
import { freshState } from "../connections/connection-state.ts";
import type { Generation } from "./fence.ts";
import { encodeRequest } from "../protocol/inline.ts";
import { LatencyHistogram } from "../see/latency.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import type { Pool } from "../connections/pool.ts";
import type { Topology } from "../servers/topology.ts";
import { collector } from "../connections/collector.ts";

const roleRequest = encodeRequest(["ROLE"]);

const lineFeed = 10;

/** Where the line after so many others begins; -1 when there is none that is whole. */
function lineAt(reply: Uint8Array, index: number): number {
  let at = 0;
  for (let line = 0; line < index; line += 1) {
    const end = reply.indexOf(lineFeed, at);
    if (end < 0) return -1;
    at = end + 1;
  }
  return reply.indexOf(lineFeed, at) < 0 ? -1 : at;
}

function lineIs(reply: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (reply[at + index] !== text.charCodeAt(index)) return false;
  return at >= 0 && reply[at + text.length] === 13;
}

/** The integer reply that begins there; undefined for what is none, or of more than 15 digits. */
function integerAt(reply: Uint8Array, start: number): number | undefined {
  if (start < 0 || reply[start] !== 58) return undefined;
  const negative = reply[start + 1] === 45, first = negative ? start + 2 : start + 1;
  let at = first, value = 0;
  for (; at - first < 15; at += 1) {
    const digit = (reply[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (at === first || reply[at] !== 13) return undefined;
  return negative ? -value : value;
}

/** What ROLE says, as far as a fence needs it. The offset is -1 while a replica is not connected. */
export function readRole(reply: Uint8Array): { readonly role: "primary" | "replica"; readonly offset: number } | undefined {
  // *3 $6 master :offset … or *5 $5 slave $n host :port $n state :offset
  const name = lineAt(reply, 2);
  if (lineIs(reply, name, "master")) {
    const offset = integerAt(reply, lineAt(reply, 3));
    return offset === undefined ? undefined : { role: "primary", offset };
  }
  if (!lineIs(reply, name, "slave")) return undefined;
  if (!lineIs(reply, lineAt(reply, 7), "connected")) return { role: "replica", offset: -1 };
  const offset = integerAt(reply, lineAt(reply, 8));
  return offset === undefined ? undefined : { role: "replica", offset };
}

/**
 * While no read is refused a replica, proofs are made so many times more seldom: nobody would have any use of them. A read
 * that is refused one is what ends that, for so many intervals.
 */
const seldomFactor = 8, eagerIntervals = 8;

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
 * most once per interval, and more seldom while nobody reads what is in doubt. Rests when nothing is in doubt.
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
  #wakeEager: (() => void) | undefined;
  /** So many intervals are left before proofs become seldom. */
  #eagerLeft = 0;

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

  /** A read was refused a replica. */
  wakeEager(): void {
    this.#wakeEager?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => {
      this.wake();
      this.wakeEager();
    }, { once: true });
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
      if (!this.#isWanted()) await this.#untilWanted(this.intervalMs * (seldomFactor - 1), signal);
    }
  }

  #isWanted(): boolean {
    let wanted = false;
    for (const { fence } of this.#topology.shards) if (fence.takeWanted()) wanted = true;
    this.#eagerLeft = wanted ? eagerIntervals : Math.max(0, this.#eagerLeft - 1);
    return this.#eagerLeft > 0;
  }

  /** Waits until a read is refused a replica, but not for longer. */
  async #untilWanted(longestMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    this.#wakeEager = () => over.abort();
    if (signal.aborted) return;
    await this.#clock.sleep(longestMs, over.signal).catch(() => undefined);
    this.#wakeEager = undefined;
    if (over.signal.aborted) this.#eagerLeft = eagerIntervals;
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
