import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createLog } from "../../../kit/log.ts";
import { buildPlans } from "../../../sidecars/redis-ambassador/commands/classifier.ts";
import { readCommandFacts, type Answer } from "../../../sidecars/redis-ambassador/commands/command-facts.ts";
import { freshState } from "../../../sidecars/redis-ambassador/connections/connection-state.ts";
import type { NodeFacts } from "../../../sidecars/redis-ambassador/servers/eligibility.ts";
import type { Generation } from "../../../sidecars/redis-ambassador/routing/fence.ts";
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import { listedMembers } from "../../../sidecars/redis-ambassador/servers/membership.ts";
import type { RedisNode, Shard } from "../../../sidecars/redis-ambassador/servers/node.ts";
import { Pool } from "../../../sidecars/redis-ambassador/connections/pool.ts";
import type { ReadPolicy } from "../../../sidecars/redis-ambassador/routing/read-policy.ts";
import { RequestScanner } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import { joined, Router, type Consistency, type Joined, type ReadPlace, type RoutedClient } from "../../../sidecars/redis-ambassador/routing/router.ts";
import { Topology } from "../../../sidecars/redis-ambassador/servers/topology.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

const plans = buildPlans(readCommandFacts(JSON.parse(readFileSync(new URL("command-info-8.0.2.json", import.meta.url), "utf8")) as Answer));
const facts: NodeFacts = { role: "primary", offset: 0, replicationId: "id", connectedReplicas: 2, linkUp: true, loading: false, syncing: false, lastIoSeconds: 0, version: "8.0.2", runId: "r", zone: undefined };

class Someone implements RoutedClient {
  readonly state = freshState;
  primaryOnly = false;
  unansweredAt: RedisNode | undefined;
  readonly lastWrites = new Map<Shard, Generation>();
  readonly readsAt = new Map<Shard, ReadPlace>();
  noteWrite(shard: Shard, generation: Generation): void {
    this.lastWrites.set(shard, generation);
  }
  noteRead(shard: Shard, place: ReadPlace): void {
    this.readsAt.set(shard, place);
  }
}

/** Three servers whose words are hand-made, before which requests are routed and never sent. */
function scene(consistency: Consistency, policy: ReadPolicy = "prefer-replica") {
  const clock = createVirtualClock(), scanner = new RequestScanner(() => 1e9);
  const log = createLog({ role: "test", level: "silent" });
  const settings = { credentials: undefined, tls: undefined };
  const pool = new Pool({ settings: { ...settings, connectTimeoutMs: 1000, leasesMax: 1, slowMs: Number.POSITIVE_INFINITY }, clock, onSharedLost: () => undefined, onSharedClosed: () => undefined });
  const topology = new Topology({
    source: { run: async () => undefined, wake: () => undefined }, clustered: false, clock, random: () => 0.5, log, onShard: () => undefined, onChange: () => undefined, onNewPrimary: () => undefined, onGone: () => undefined,
    settings: { ...settings, probeIntervalMs: 1000, probeTimeoutMs: 1000, lag: { lagBytesMax: 1e9, lagSecondsMax: 10 }, readsWithoutPrimary: true },
  });
  topology.apply(listedMembers([0, 1, 2].map((index) => ({ host: `redis-${index}`, port: 6379 }))));
  const [shard] = topology.shards, [primary, first, second] = shard.nodes;
  assert.ok(primary && first && second);
  for (const node of shard.nodes) {
    node.facts = { ...facts, role: node === primary ? "primary" : "replica" };
    node.confirmed = true;
    node.notEligible = node === primary ? "not a replica" : undefined;
  }
  shard.primary = primary;
  shard.eligible = [first, second];
  const router = new Router({ settings: { consistency, dryRun: false, policy, zone: undefined, zones: {}, weights: {} }, scanner, topology, pool, random: () => 0.5, monotonicMs: () => clock.monotonicMs() });

  /** Routes one pipeline; gives the node's address, or why it could not be routed. */
  const route = (client: Someone, ...requests: readonly string[]): string => {
    router.segment.count = 0;
    for (const request of requests) {
      const words = request.split(" "), bytes = encodeRequest(words), name = Buffer.from(words[0] ?? "");
      scanner.scan(bytes, 0, bytes.length);
      const plan = plans.find(name, 0, name.length);
      assert.ok(plan, `${request} is in the recorded table`);
      const outcome: Joined = router.join(client, shard, plan, bytes, 0);
      if (outcome !== joined.yes) return Object.entries(joined).find(([, value]) => value === outcome)?.[0] ?? "";
    }
    router.chooser.nextTurn();
    return (router.segment.node ?? primary).address;
  };
  /** The primary says that it has executed everything marked so far; its offset is then `offset`. */
  const prove = (offset: number): void => {
    const { fence } = shard;
    fence.seal();
    if (fence.sealing !== undefined) fence.primaryAt(fence.sealing, offset);
  };
  return { clock, shard, primary, first, second, router, route, prove, reached: (node: RedisNode, offset: number) => (node.proof.offset = offset) };
}

test("eventual: a read goes to a replica at once after a write", () => {
  const { route, primary, first } = scene("eventual"), client = new Someone();
  assert.equal(route(client, "SET k v"), primary.address);
  assert.notEqual(route(client, "GET k"), primary.address);
  assert.deepEqual([route(client, "GET k", "SET k v"), route(client, "SET k v", "GET k")], [primary.address, primary.address]);
  client.unansweredAt = first;
  assert.equal(route(client, "SET k v"), "elsewhere");
  assert.equal(route(client, "GET k"), first.address);
});

test("pod: a written key is read at the primary by everybody until a replica has reached the write", () => {
  const { route, prove, reached, primary, first, second } = scene("pod"), writer = new Someone(), other = new Someone();
  [first, second].forEach((node) => reached(node, 0));
  route(writer, "SET k v");
  assert.deepEqual([route(writer, "GET k"), route(other, "GET k")], [primary.address, primary.address]);
  assert.notEqual(route(other, "GET quiet"), primary.address);
  prove(100);
  assert.equal(route(other, "GET k"), primary.address);
  reached(second, 100);
  assert.deepEqual([route(other, "GET k"), route(other, "MGET quiet k"), route(writer, "GET k")], [second.address, second.address, second.address]);
});

test("session: only the writer waits for its write", () => {
  const { route, prove, reached, primary, first, second } = scene("session"), writer = new Someone(), other = new Someone();
  [first, second].forEach((node) => reached(node, 0));
  route(writer, "SET k v");
  assert.equal(route(writer, "GET anything"), primary.address);
  assert.notEqual(route(other, "GET k"), primary.address);
  prove(100);
  reached(first, 100);
  assert.deepEqual([route(writer, "GET k"), route(writer, "GET k")], [first.address, first.address]);
});

test("policy replica: what no replica may answer waits instead of going to the primary", () => {
  const { route, prove, reached, shard, primary, first, second } = scene("pod", "replica"), client = new Someone();
  [first, second].forEach((node) => reached(node, 0));
  assert.equal(route(client, "SET k v"), primary.address);
  assert.equal(route(client, "GET k"), "noReplica");
  prove(100);
  reached(first, 100);
  assert.equal(route(client, "GET k"), first.address);
  shard.eligible = [];
  for (const node of [first, second]) node.notEligible = "not answering";
  assert.equal(route(client, "GET other"), "noReplica");
});

test("monotonic: a client stays at its replica, and moves only to one that has what it may have seen", () => {
  const { route, prove, reached, shard, first, second, clock } = scene("monotonic"), client = new Someone();
  const home = route(client, "GET a"), [mine, next] = home === first.address ? [first, second] : [second, first];
  for (let read = 0; read < 5; read += 1) assert.equal(route(client, "GET a"), home);
  mine.notEligible = "not answering";
  shard.eligible = [next];
  reached(next, 0);
  assert.equal(route(client, "GET a"), "unproven");
  prove(500);
  assert.equal(route(client, "GET a"), "unproven");
  reached(next, 500);
  assert.equal(route(client, "GET a"), next.address);
  assert.equal(route(client, "GET a"), next.address);
  assert.equal(clock.monotonicMs(), 0);
});

test("monotonic: the primary answers when the proof takes too long, and the way back to a replica is proven too", async () => {
  const { route, prove, reached, shard, primary, first, second, clock } = scene("monotonic"), client = new Someone();
  const [mine, next] = route(client, "GET a") === first.address ? [first, second] : [second, first];
  mine.notEligible = "not answering";
  shard.eligible = [next];
  reached(next, 0);
  assert.equal(route(client, "GET a"), "unproven");
  await clock.advance(101);
  assert.equal(route(client, "GET a"), primary.address);
  assert.equal(route(client, "GET a"), primary.address);
  await clock.advance(101);
  assert.equal(route(client, "GET a"), "unproven");
  prove(900);
  reached(next, 900);
  assert.equal(route(client, "GET a"), next.address);
});

test("monotonic: a read that a write takes along to the primary binds the client as well", () => {
  const { route, primary } = scene("monotonic"), client = new Someone();
  assert.notEqual(route(client, "GET a"), primary.address);
  assert.equal(route(client, "SET a 1"), primary.address);
  assert.notEqual(route(client, "GET a"), primary.address);
  assert.equal(route(client, "SET a 1", "GET a"), primary.address);
  assert.equal(route(client, "GET a"), primary.address);
});

test("READWRITE binds to the primary", () => {
  const { route, primary } = scene("eventual"), client = new Someone();
  client.primaryOnly = true;
  assert.equal(route(client, "GET a"), primary.address);
});
