// pure
import type { NodeFacts } from "./eligibility.ts";
import { Fence, type ReplicaProof } from "../routing/fence.ts";
import { LatencyHistogram } from "../see/latency.ts";
import { formatAddress } from "./membership.ts";

/** What happened on one server, for metrics. */
export type NodeCounts = { read: number; write: number; other: number; pinned: number; bytesIn: number; bytesOut: number };

/** One server as the ambassador sees it. Written by the topology (facts) and by the data path (suspicion, counts). */
export type RedisNode = {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  shard: Shard;
  facts: NodeFacts | undefined;
  /** What it was when it last answered, also while it does not. */
  lastRole: NodeFacts["role"] | undefined;
  /** Monotonic time of the last doubt raised by the data path; only a probe begun later clears it. */
  suspectSinceMs: number | undefined;
  /** Why reads do not go here, or undefined when they may. */
  notEligible: string | undefined;
  readonly proof: ReplicaProof;
  /** Counts the times that the proof was forgotten: an offset that was asked for before counts no more. */
  era: number;
  /** False until a probe begun after the last loss of the primary has confirmed the node: its offsets prove nothing before. */
  confirmed: boolean;
  /** True once it is no member any more: nothing new goes there. */
  gone: boolean;
  /**
   * How far a replica was behind the primary when it was asked: behind what the primary had said before. What the primary
   * says later is not compared, since between two questions a busy primary writes more than any limit.
   */
  lagBytes: number | undefined;
  /** Smoothed time of a probe's answer, in microseconds; for the policy that prefers the quickest. */
  probeMicros: number | undefined;
  readonly latency: LatencyHistogram;
  readonly counts: NodeCounts;
};

/** Servers that hold the same data: the whole of them without Cluster, the owners of some hash slots with it. */
export type Shard = {
  readonly id: string;
  nodes: readonly RedisNode[];
  /** See ShardMembers. */
  named: string | undefined;
  deposed: readonly string[];
  primary: RedisNode | undefined;
  /** Replicas that may be read at present. */
  eligible: readonly RedisNode[];
  /** Monotonic time since when no primary is known. */
  primaryLostAtMs: number;
  /** The last primary and its history; offsets of another history are other numbers. */
  lastPrimary: RedisNode | undefined;
  history: string;
  readonly fence: Fence;
};

export function newShard(id: string, nowMs: number): Shard {
  return { id, nodes: [], named: undefined, deposed: [], primary: undefined, eligible: [], primaryLostAtMs: nowMs, lastPrimary: undefined, history: "", fence: new Fence() };
}

export function newNode(shard: Shard, host: string, port: number): RedisNode {
  return {
    address: formatAddress({ host, port }), host, port, shard, facts: undefined, lastRole: undefined, suspectSinceMs: undefined,
    notEligible: "not asked yet", proof: { offset: -1 }, era: 0, confirmed: false, gone: false, lagBytes: undefined, probeMicros: undefined, latency: new LatencyHistogram(),
    counts: { read: 0, write: 0, other: 0, pinned: 0, bytesIn: 0, bytesOut: 0 },
  };
}

/** What the node has reported may be another process's or another copy's: nothing is proven before it reports again. */
export function forgetProof(node: RedisNode): void {
  node.proof.offset = -1;
  node.era += 1;
}
