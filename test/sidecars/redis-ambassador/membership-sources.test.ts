import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "../../../kit/log.ts";
import { choosePrimary, type NodeFacts } from "../../../sidecars/redis-ambassador/servers/eligibility.ts";
import { formatAddress, type Membership } from "../../../sidecars/redis-ambassador/servers/membership.ts";
import { mapAddress, readPeers, readServerMode } from "../../../sidecars/redis-ambassador/servers/peers.ts";
import { mergeViews, readEntryAddresses, readPair, readSentinels, type SentinelView } from "../../../sidecars/redis-ambassador/servers/sentinel-view.ts";
import { DiscoveredSource } from "../../../sidecars/redis-ambassador/servers/source-discovered.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

const silent: Log = { level: "silent", trace: () => undefined, debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, fatal: () => undefined, child: () => silent };
const at = (host: string, port = 6379): { host: string; port: number } => ({ host, port });

const primaryInfo = (runId: string, ...replicas: string[]): string =>
  `# Server\r\nredis_mode:standalone\r\nrun_id:${runId}\r\n# Replication\r\nrole:master\r\nconnected_slaves:${replicas.length}\r\n${replicas.map((host, index) => `slave${index}:ip=${host},port=6379,state=online,offset=1,lag=0\r\n`).join("")}`;
const replicaInfo = (runId: string, primary: string): string => `# Server\r\nrun_id:${runId}\r\n# Replication\r\nrole:slave\r\nmaster_host:${primary}\r\nmaster_port:6379\r\n`;

test("INFO tells of a primary's replicas, of a replica's primary, and how the server was started", () => {
  assert.deepEqual(readPeers(primaryInfo("r1", "b", "c")), { runId: "r1", role: "primary", others: [at("b"), at("c")] });
  assert.deepEqual(readPeers(replicaInfo("r2", "a")), { runId: "r2", role: "replica", others: [at("a")] });
  assert.equal(readPeers("# Server\r\nredis_mode:sentinel\r\n"), undefined);
  assert.deepEqual(["redis_mode:cluster", "server_mode:standalone", "redis_mode:sentinel", "x:y"].map((line) => readServerMode(`# Server\r\n${line}\r\n`)), ["cluster", "standalone", "sentinel", undefined]);
});

test("a told address is replaced by the one to use, all others stay", () => {
  assert.deepEqual(mapAddress({ "10.0.0.1:6379": at("localhost", 7001) }, at("10.0.0.1")), at("localhost", 7001));
  assert.deepEqual(mapAddress({}, at("toString")), at("toString"));
});

/** A discovered source, and what it has told. */
function discovery(seeds: readonly string[], addressMap = {}) {
  const clock = createVirtualClock(), ending = new AbortController();
  const source = new DiscoveredSource({ seeds: seeds.map((host) => at(host)), addressMap, clock, log: silent });
  const told: string[] = [];
  const running = source.run(ending.signal, (membership: Membership) => told.push(membership.flatMap(({ addresses }) => addresses.map(formatAddress)).join(" ")));
  return { clock, source, told, end: async () => {
    ending.abort();
    await running;
  } };
}

test("replicas are found from the primary, the primary from a replica, through mapped addresses", async () => {
  const { clock, source, told, end } = discovery(["a"], { "10.0.0.3:6379": at("c", 7003) });
  source.observe("a:6379", replicaInfo("ra", "b"));
  await clock.settle();
  source.observe("b:6379", primaryInfo("rb", "a", "10.0.0.3"));
  await clock.settle();
  assert.deepEqual(told, ["a:6379", "a:6379 b:6379", "a:6379 b:6379 c:7003"]);
  await end();
});

test("a server that is told of under a second address is one server", async () => {
  const { clock, source, told, end } = discovery(["redis-0"]);
  source.observe("redis-0:6379", primaryInfo("r0", "10.0.0.2"));
  await clock.settle();
  source.observe("10.0.0.2:6379", replicaInfo("r2", "10.0.0.1"));
  await clock.settle();
  source.observe("10.0.0.1:6379", primaryInfo("r0", "10.0.0.2"));
  await clock.settle();
  assert.deepEqual(told.at(-1), "redis-0:6379 10.0.0.2:6379");
  assert.ok(told.includes("redis-0:6379 10.0.0.2:6379 10.0.0.1:6379"), "it has to be asked once to be known");
  source.observe("redis-0:6379", primaryInfo("another", "10.0.0.2"));
  await clock.settle();
  assert.equal(told.at(-1), "redis-0:6379 10.0.0.2:6379 10.0.0.1:6379", "the name means another server now");
  await end();
});

test("a replica that nobody tells of any more leaves after a while, not when its link is down for a moment", async () => {
  const { clock, source, told, end } = discovery(["a"]);
  source.observe("a:6379", primaryInfo("ra", "b"));
  await clock.settle();
  source.observe("a:6379", primaryInfo("ra"));
  await clock.advance(20_000);
  assert.equal(told.at(-1), "a:6379 b:6379");
  await clock.advance(20_000);
  assert.equal(told.at(-1), "a:6379");
  await end();
});

const view = (epoch: number, primary: string, replicas: readonly string[], sentinels: Readonly<Record<string, string>> = {}): SentinelView =>
  ({ epoch, primary: at(primary), replicas: replicas.map((host) => at(host)), sentinels: new Map(Object.entries(sentinels).map(([id, host]) => [id, at(host, 26379)] as const)) });

test("of several sentinels the one with the highest configuration epoch is believed", () => {
  const merged = mergeViews([view(1, "old", ["new", "x"], { s1: "s1" }), view(2, "new", ["old"], { s2: "s2" }), view(2, "new", ["x", "new"])]);
  assert.equal(merged?.primary.host, "new");
  assert.deepEqual(merged?.replicas.map(({ host }) => host), ["old", "x"]);
  assert.deepEqual([...(merged?.sentinels.keys() ?? [])], ["s1", "s2"]);
  assert.equal(mergeViews([]), undefined);
});

test("answers of sentinels are read, odd ones give nothing", () => {
  assert.deepEqual(readPair(["10.0.0.1", "6379"]), at("10.0.0.1"));
  assert.equal(readPair(null), undefined);
  assert.deepEqual(readEntryAddresses([["name", "x", "ip", "a", "port", "6379", "flags", "slave"], ["ip", "b", "port", "0"], "odd"]), [at("a")]);
  assert.deepEqual([...readSentinels([["ip", "s", "port", "26379", "runid", "id1"]])], [["id1", at("s", 26379)]]);
  assert.deepEqual(readEntryAddresses(null), []);
});

test("a server that sentinels have replaced is not written to, and among several the named one is", () => {
  const facts: NodeFacts = { role: "primary", offset: 1, replicationId: "h", connectedReplicas: 0, linkUp: true, loading: false, syncing: false, lastIoSeconds: 0, version: "8.0.2", runId: "r", zone: undefined };
  const old = { address: "old", facts: { ...facts, connectedReplicas: 2 } }, promoted = { address: "new", facts };
  assert.equal(choosePrimary([old, promoted], "old"), "old");
  assert.equal(choosePrimary([old, promoted], "old", { named: "new", deposed: [] }), "new");
  assert.equal(choosePrimary([old], "old", { named: "new", deposed: ["old"] }), undefined, "cut off together with the replaced primary, better no primary than two");
  assert.equal(choosePrimary([promoted], "old", { named: "old", deposed: [] }), "new", "promoted a moment before the sentinels say so");
});
