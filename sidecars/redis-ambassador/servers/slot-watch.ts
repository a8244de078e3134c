import type { Clock } from "../../../kit/clock.ts";
import type { ClusterRouting } from "../cluster/cluster-routing.ts";
import { freshState } from "../connections/connection-state.ts";
import { encodeRequest } from "../protocol/inline.ts";
import type { RedisNode } from "./node.ts";
import type { Pool } from "../connections/pool.ts";
import type { Topology } from "./topology.ts";
import { collector } from "../connections/collector.ts";

const nodesRequest = encodeRequest(["CLUSTER", "NODES"]);
/** Each answer is as long as the cluster is big, so that a big one is asked less often. */
const intervalMinMs = 100, intervalPerNodeMs = 5;

/** Whether a node's own line in the answer of CLUSTER NODES tells of a slot on its way: `[93->-…]` or `[77-<-…]`. */
export function hasMovingSlots(reply: Uint8Array): boolean {
  const line = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength).toString("latin1").split("\n").find((each) => / (?:\S+,)?myself[, ]/.test(each));
  return line !== undefined && /\[\d+-[<>]-/.test(line);
}

/**
 * Watches for slots that begin to move. Of such a slot a primary sends requests elsewhere for the keys that have left, but its
 * replicas do not know and answer as if these keys did not exist. So no replica of a shard is read from which slots move.
 *
 * Not promised: what a replica answers in the interval in which the move was not noticed yet.
 */
export class SlotWatch {
  readonly #topology: Topology;
  readonly #pool: Pool;
  readonly #cluster: ClusterRouting;
  readonly #clock: Clock;
  readonly #asking = new Set<RedisNode>();

  constructor(options: { readonly topology: Topology; readonly pool: Pool; readonly cluster: ClusterRouting; readonly clock: Clock }) {
    this.#topology = options.topology;
    this.#pool = options.pool;
    this.#cluster = options.cluster;
    this.#clock = options.clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Where nothing is read but the primary, nothing needs watching.
      for (const { primary, eligible } of this.#topology.owners) if (primary !== undefined && eligible.length > 0) this.#ask(primary);
      await this.#clock.sleep(Math.max(intervalMinMs, this.#topology.nodes.length * intervalPerNodeMs), signal).catch(() => undefined);
    }
  }

  #ask(node: RedisNode): void {
    if (this.#asking.has(node)) return;
    this.#asking.add(node);
    const owner = collector(1, ([reply]) => {
      this.#asking.delete(node);
      if (reply !== undefined && hasMovingSlots(reply)) this.#cluster.slotsMove(node.shard);
    }, () => this.#asking.delete(node));
    this.#pool.shared(node, freshState).send(owner, nodesRequest, 0, nodesRequest.length, 1, undefined);
  }
}
