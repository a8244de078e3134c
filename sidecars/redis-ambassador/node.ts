// pure
import type { NodeFacts } from "./eligibility.ts";
import type { ReplicaProof } from "./fence.ts";

/** What happened on one server, for metrics. */
export type NodeCounts = { read: number; write: number; other: number; pinned: number; bytesIn: number; bytesOut: number };

/** One server as the ambassador sees it. Written by the topology (facts) and by the data path (suspicion, counts). */
export type RedisNode = {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  facts: NodeFacts | undefined;
  /** What it was when it last answered, also while it does not. */
  lastRole: NodeFacts["role"] | undefined;
  /** Monotonic time of the last doubt raised by the data path; only a probe begun later clears it. */
  suspectSinceMs: number | undefined;
  /** Why reads do not go here, or undefined when they may. */
  notEligible: string | undefined;
  readonly proof: ReplicaProof;
  /** False until a probe begun after the last loss of the primary has confirmed the node: its offsets prove nothing before. */
  confirmed: boolean;
  readonly counts: NodeCounts;
};

export function newNode(host: string, port: number): RedisNode {
  return {
    address: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`, host, port, facts: undefined, lastRole: undefined, suspectSinceMs: undefined,
    notEligible: "not asked yet", proof: { offset: -1 }, confirmed: false,
    counts: { read: 0, write: 0, other: 0, pinned: 0, bytesIn: 0, bytesOut: 0 },
  };
}
