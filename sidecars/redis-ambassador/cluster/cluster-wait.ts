import { freshState } from "../connections/connection-state.ts";
import { readRole } from "../routing/fence-runner.ts";
import type { Hub } from "../hub.ts";
import { encodeRequest } from "../protocol/inline.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import { collector } from "../connections/collector.ts";

const roleRequest = encodeRequest(["ROLE"]);
const pollFirstMs = 2, pollMaxMs = 50;

/**
 * WAIT over a cluster: the least number of replicas, over all shards, that have every write answered before now. A server's
 * own WAIT counts for one shard, and from the last write of its own connection, while a client's writes go over many; so the
 * offsets themselves are compared, which every replica tells of itself. Gives up after `timeoutMs`, or never when it is 0.
 */
export async function waitForReplicas(hub: Hub, replicas: number, timeoutMs: number, stillWanted: () => boolean): Promise<number> {
  const begunMs = hub.clock.monotonicMs(), { owners } = hub.topology;
  const wanted = await Promise.all(owners.map(async (shard) => (shard.primary === undefined ? undefined : await offsetOf(hub, shard.primary, "primary"))));
  for (let pauseMs = pollFirstMs; ; pauseMs = Math.min(pauseMs * 2, pollMaxMs)) {
    const counts = await Promise.all(owners.map(async (shard, index) => await countReached(hub, shard, wanted[index])));
    const least = Math.min(...counts), waitedMs = hub.clock.monotonicMs() - begunMs;
    if (least >= replicas || !stillWanted() || (timeoutMs > 0 && waitedMs >= timeoutMs)) return least;
    await hub.clock.sleep(timeoutMs > 0 ? Math.min(pauseMs, timeoutMs - waitedMs) : pauseMs);
  }
}

async function countReached(hub: Hub, shard: Shard, wanted: number | undefined): Promise<number> {
  if (wanted === undefined) return 0;
  const reached = await Promise.all(shard.eligible.map(async (node) => ((await offsetOf(hub, node, "replica")) ?? -1) >= wanted));
  return reached.filter(Boolean).length;
}

async function offsetOf(hub: Hub, node: RedisNode, role: "primary" | "replica"): Promise<number | undefined> {
  return await new Promise((resolve) => {
    const owner = collector(1, ([reply]) => {
      const answer = readRole(reply ?? Buffer.alloc(0));
      resolve(answer?.role === role ? answer.offset : undefined);
    }, () => resolve(undefined));
    hub.pool.shared(node, freshState).send(owner, roleRequest, 0, roleRequest.length, 1, undefined);
  });
}
