import assert from "node:assert/strict";
import { test } from "node:test";
import { newNode, newShard, type RedisNode, type Shard } from "../../../sidecars/redis-ambassador/servers/node.ts";
import { ReadChooser, type ReadPolicy, type ReadPolicySettings } from "../../../sidecars/redis-ambassador/routing/read-policy.ts";

function shardOf(replicas: number): { shard: Shard; primary: RedisNode; replicas: readonly RedisNode[] } {
  const shard = newShard("all", 0);
  const [primary, ...others] = Array.from({ length: replicas + 1 }, (_, index) => newNode(shard, `redis-${index}`, 6379));
  assert.ok(primary);
  shard.nodes = [primary, ...others];
  shard.primary = primary;
  shard.eligible = others;
  return { shard, primary, replicas: others };
}

const settings = (policy: ReadPolicy, more: Partial<ReadPolicySettings> = {}): ReadPolicySettings => ({ policy, zone: undefined, zones: {}, weights: {}, ...more });

/** Where so many reads go, by address; the primary under its own. */
function spread(chooser: ReadChooser, shard: Shard, reads: number, mayRead: (node: RedisNode) => boolean = () => true): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let read = 0; read < reads; read += 1) {
    const node = chooser.choose(shard, mayRead), address = node?.address ?? shard.primary?.address ?? "none";
    counts[address] = (counts[address] ?? 0) + 1;
    if (node !== undefined) chooser.nextTurn();
  }
  return counts;
}

const [first, second, third] = ["redis-0:6379", "redis-1:6379", "redis-2:6379"] as const;
const cases: readonly (readonly [title: string, ReadPolicySettings, Record<string, number>])[] = [
  ["primary reads the primary alone", settings("primary"), { [first]: 60 }],
  ["prefer-replica lets the replicas take turns", settings("prefer-replica"), { [second]: 30, [third]: 30 }],
  ["replica lets the replicas take turns", settings("replica"), { [second]: 30, [third]: 30 }],
  ["round-robin gives the primary its turn", settings("round-robin"), { [first]: 20, [second]: 20, [third]: 20 }],
  ["weighted follows the weights, the primary's too", settings("weighted", { weights: { [first]: 1, [second]: 3, [third]: 2 } }), { [first]: 10, [second]: 30, [third]: 20 }],
  ["weighted gives unnamed replicas 1 and the primary 0", settings("weighted", { weights: { [second]: 2 } }), { [second]: 40, [third]: 20 }],
  ["weighted leaves out a replica of weight 0", settings("weighted", { weights: { [second]: 0 } }), { [third]: 60 }],
  ["zone keeps to the replicas of one's own", settings("zone", { zone: "a", zones: { [second]: "b", [third]: "a" } }), { [third]: 60 }],
  ["zone takes the other replicas when there is none of one's own", settings("zone", { zone: "c", zones: { [second]: "b", [third]: "a" } }), { [second]: 30, [third]: 30 }],
];
for (const [title, policy, expected] of cases) {
  test(title, () => assert.deepEqual(spread(new ReadChooser(policy, Math.random), shardOf(2).shard, 60), expected));
}

test("random reaches every replica and never the primary", () => {
  let seed = 0;
  const counts = spread(new ReadChooser(settings("random"), () => (seed = (seed + 0.37) % 1)), shardOf(2).shard, 100);
  assert.equal(counts[first], undefined);
  assert.ok((counts[second] ?? 0) > 30 && (counts[third] ?? 0) > 30, JSON.stringify(counts));
});

test("least-latency takes the quickest, and those hardly slower in turn", () => {
  const { shard, primary, replicas: [near, far] } = shardOf(2);
  assert.ok(near && far);
  const chooser = new ReadChooser(settings("least-latency"), Math.random);
  [primary.probeMicros, near.probeMicros, far.probeMicros] = [900, 300, 2000];
  assert.deepEqual(spread(chooser, shard, 10), { [near.address]: 10 });
  far.probeMicros = 320;
  assert.deepEqual(spread(chooser, shard, 10), { [near.address]: 5, [far.address]: 5 });
  primary.probeMicros = 310;
  assert.deepEqual(spread(chooser, shard, 12), { [primary.address]: 4, [near.address]: 4, [far.address]: 4 });
  primary.probeMicros = 100;
  assert.deepEqual(spread(chooser, shard, 10), { [primary.address]: 10 });
});

test("zone goes by what the server tells, when nothing is configured", () => {
  const { shard, replicas: [near] } = shardOf(2);
  assert.ok(near);
  near.facts = { role: "replica", offset: 0, replicationId: "", connectedReplicas: 0, linkUp: true, loading: false, syncing: false, lastIoSeconds: 0, version: "8.1.1", runId: "", zone: "eu-1a" };
  assert.deepEqual(spread(new ReadChooser(settings("zone", { zone: "eu-1a" }), Math.random), shard, 10), { [near.address]: 10 });
});

test("a replica that may not be read is passed over, and the primary answers when none may", () => {
  for (const policy of ["prefer-replica", "replica", "random", "zone", "weighted", "least-latency"] as const) {
    const { shard, replicas: [, other] } = shardOf(2);
    const chooser = new ReadChooser(settings(policy, { zone: "a", weights: { [second]: 1 } }), Math.random);
    for (const node of shard.nodes) node.probeMicros = 100;
    assert.equal(spread(chooser, shard, 12, (node) => node === other)[second], undefined, policy);
    assert.deepEqual(spread(chooser, shard, 12, () => false), { [first]: 12 }, policy);
  }
});

test("without replicas and without a primary nothing is chosen", () => {
  const { shard } = shardOf(0);
  for (const policy of ["prefer-replica", "round-robin", "weighted", "least-latency"] as const) {
    assert.equal(new ReadChooser(settings(policy, { weights: { [second]: 1 } }), Math.random).choose(shard, () => true), undefined);
  }
});
