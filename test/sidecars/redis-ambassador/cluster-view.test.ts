import assert from "node:assert/strict";
import { test } from "node:test";
import { readClusterInfo, readClusterShards, readClusterSlots, ShardNames, type ClusterShard } from "../../../sidecars/redis-ambassador/servers/cluster-view.ts";

const asked = { host: "seed", tls: false };
const node = (id: string, port: number, role: string, more: readonly (string | number)[] = []): readonly (string | number)[] => ["id", id, "port", port, "ip", "10.0.0.1", "endpoint", "10.0.0.1", "role", role, "replication-offset", 5, "health", "online", ...more];

test("CLUSTER SHARDS is read: slots in several pieces, hosts that are not known, ports of TLS", () => {
  const answer = [
    ["slots", [0, 99, 200, 200], "nodes", [node("a", 1, "master"), ["id", "b", "port", 2, "tls-port", 22, "ip", "", "endpoint", "?", "role", "replica", "health", "online"]]],
    ["slots", [], "nodes", [["id", "c", "port", 3, "ip", "10.0.0.3", "endpoint", "c.example", "hostname", "c.example", "role", "master", "health", "failed"]]],
  ];
  assert.deepEqual(readClusterShards(answer, asked), [
    { slots: [[0, 99], [200, 200]], nodes: [{ id: "a", address: { host: "10.0.0.1", port: 1 }, primary: true, online: true }, { id: "b", address: { host: "seed", port: 2 }, primary: false, online: true }] },
    { slots: [], nodes: [{ id: "c", address: { host: "c.example", port: 3 }, primary: true, online: false }] },
  ]);
  assert.equal(readClusterShards(answer, { host: "seed", tls: true })?.[0]?.nodes[1]?.address.port, 22);
  assert.equal(readClusterShards("no", asked), undefined);
  assert.equal(readClusterShards([], asked), undefined);
  assert.deepEqual(readClusterShards([["slots", [5, 1, "x", 9, 0, 99999], "nodes", []]], asked), [{ slots: [], nodes: [] }]);
});

test("CLUSTER SLOTS is read, one shard for each primary", () => {
  const answer = [[0, 10, ["10.0.0.1", 1, "a"], ["10.0.0.2", 2, "b"]], [20, 30, ["10.0.0.1", 1, "a"], ["10.0.0.2", 2, "b"]], [11, 19, ["", 3, "c"]]];
  assert.deepEqual(readClusterSlots(answer, asked)?.map(({ nodes, slots }) => [nodes.map(({ address }) => `${address.host}:${address.port}`), slots]), [
    [["10.0.0.1:1", "10.0.0.2:2"], [[0, 10], [20, 30]]], [["seed:3"], [[11, 19]]],
  ]);
});

test("CLUSTER INFO tells whether the cluster is whole, and how new the word is", () => {
  assert.deepEqual(readClusterInfo("cluster_state:ok\r\ncluster_slots_ok:16384\r\ncluster_current_epoch:7\r\n"), { ok: true, epoch: 7 });
  assert.equal(readClusterInfo("# Server\r\n"), undefined);
});

const shard = (slots: readonly (readonly [number, number])[], ...nodes: readonly string[]): ClusterShard => ({
  slots, nodes: nodes.map((name, index) => ({ id: name.slice(0, 1), address: { host: name.slice(0, 1), port: 1 }, primary: index === 0, online: !name.endsWith("!") })),
});

test("a shard keeps its name when another of its nodes becomes the primary, and when the former one comes back", () => {
  const names = new ShardNames();
  const check = (shards: readonly ClusterShard[], expected: readonly string[]): void => {
    assert.deepEqual(names.toMembership(shards, {}).map(({ id, addresses }) => `${id}: ${addresses.map(({ host }) => host).join("")}`), expected);
  };
  check([shard([[10, 19]], "c", "d"), shard([[0, 9]], "a", "b")], ["a: ab", "c: cd"]);
  check([shard([[0, 9]], "b"), shard([], "a!"), shard([[10, 19]], "c", "d")], ["a: b", "c: cd"]);
  check([shard([[0, 9]], "b", "a"), shard([[10, 19]], "c", "d")], ["a: ab", "c: cd"]);
  check([shard([], "e"), shard([[0, 9]], "b", "a"), shard([[10, 19]], "c", "d")], ["a: ab", "c: cd", "e: e"]);
});

test("addresses are those by which the nodes are reached from here", () => {
  const [only] = new ShardNames().toMembership([shard([[0, 9]], "a")], { "a:1": { host: "127.0.0.1", port: 7000 } });
  assert.deepEqual(only?.addresses, [{ host: "127.0.0.1", port: 7000 }]);
});

test("the same state looks the same, in whatever order a node tells of it", () => {
  const names = new ShardNames();
  const one = names.toMembership([shard([[0, 3], [7, 9]], "a", "b"), shard([[4, 6]], "c", "d")], {});
  assert.deepEqual(names.toMembership([shard([[4, 6]], "d", "c"), shard([[7, 9], [0, 3]], "b", "a")], {}), one);
});
