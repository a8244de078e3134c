import assert from "node:assert/strict";
import { test } from "node:test";
import { Wait } from "testcontainers";
import { container, idleContainer, sh, startNetwork, startPod } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import { commandCalls, redisCli, startCluster, startReplication } from "../../support/redis-topology.ts";

test("two containers of a Pod share localhost, and another Pod reaches them by the Pod's name", async () => {
  await using network = await startNetwork();
  await using pod = await startPod({ network, aliases: ["shop"], ports: [8080] });
  await pod.add(container("busybox").withCommand(["sh", "-c", "echo hello > /tmp/index.html && exec httpd -f -p 8080 -h /tmp"]).withWaitStrategy(Wait.forAll([])));
  const peer = await pod.add(idleContainer());
  assert.equal(await eventually(async () => await sh(peer, "wget -qO- http://127.0.0.1:8080/")), "hello");
  await using outside = await idleContainer().withNetwork(network).start();
  assert.equal(await sh(outside, "wget -qO- http://shop:8080/"), "hello");
  assert.equal(await (await fetch(`http://${pod.host}:${pod.port(8080)}/`)).text(), "hello\n");
});

test("a primary with two replicas and three sentinels is ready when it is handed over, and tells where a command went", async () => {
  await using network = await startNetwork();
  await using redis = await startReplication({ network, sentinels: 3 });
  await redisCli(redis.primary, "set", "greeting", "hello");
  // WAIT over a connection of its own would prove nothing.
  await eventually(async () => (await Promise.all(redis.replicas.map(async (replica) => await redisCli(replica, "exists", "greeting")))).every((count) => count === "1"), { what: "the greeting at both replicas" });
  for (const replica of redis.replicas) assert.equal(await redisCli(replica, "get", "greeting"), "hello");
  await assert.rejects(redisCli(redis.replicas[0] ?? redis.primary, "set", "greeting", "no"), /READONLY/);
  assert.equal((await commandCalls(redis.primary))["get"], undefined);
  assert.equal((await commandCalls(redis.replicas[0] ?? redis.primary))["get"], 1);
  const [sentinel] = redis.sentinels;
  assert.ok(sentinel !== undefined);
  assert.match(await redisCli(sentinel, "sentinel", "get-master-addr-by-name", "redis"), /^redis-0\n6379$/);
});

for (const [server, version] of [["redis7", /redis_version:7\.0\./], ["valkey", /valkey_version:8\./]] as const) {
  test(`${server} replicates under the names that its image shares with the others`, async () => {
    await using network = await startNetwork();
    await using redis = await startReplication({ network, server, replicas: 1 });
    assert.match(await redisCli(redis.primary, "info", "server"), version);
    await redisCli(redis.primary, "set", "greeting", "hello");
    await eventually(async () => await redisCli(redis.replicas[0] ?? redis.primary, "get", "greeting") === "hello", { what: "the greeting at the replica" });
  });
}

test("a cluster of six covers every slot and is reached on the Pod's localhost", async () => {
  await using cluster = await startCluster();
  const [first] = cluster.nodes;
  assert.ok(first !== undefined && cluster.nodes.length === 6);
  await eventually(async () => /cluster_state:ok\r?\ncluster_slots_assigned:16384/.test(await redisCli(first, "cluster", "info")), { what: "the cluster covers every slot" });
});
