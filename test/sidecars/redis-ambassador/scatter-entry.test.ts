import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { buildPlans } from "../../../sidecars/redis-ambassador/commands/classifier.ts";
import { readCommandFacts, type Answer } from "../../../sidecars/redis-ambassador/commands/command-facts.ts";
import { hashSlot } from "../../../sidecars/redis-ambassador/cluster/hash-slot.ts";
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import { newNode, newShard } from "../../../sidecars/redis-ambassador/servers/node.ts";
import { RequestScanner } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import { newEntry, type Entry, type Part } from "../../../sidecars/redis-ambassador/cluster/scatter-entry.ts";
import { hasMovingSlots } from "../../../sidecars/redis-ambassador/servers/slot-watch.ts";

// What this table leaves out: tips. They are as the servers give them.
const tips: Readonly<Record<string, readonly string[]>> = {
  mget: ["request_policy:multi_shard"], mset: ["request_policy:multi_shard", "response_policy:all_succeeded"], dbsize: ["request_policy:all_shards", "response_policy:agg_sum"],
  scan: ["request_policy:special", "response_policy:special"], randomkey: ["request_policy:all_shards", "response_policy:special"],
};
const facts = readCommandFacts(JSON.parse(readFileSync(new URL("command-info-8.0.2.json", import.meta.url), "utf8")) as Answer);
const plans = buildPlans(facts.map((each) => ({ ...each, tips: new Set(tips[each.name] ?? []) })));
const shards = ["a", "b", "c"].map((id) => newShard(id, 0));
const [first] = shards;
assert.ok(first);
const numbered = shards.map((shard, index) => [index + 1, shard] as const);

function entryOf(...words: readonly string[]): Entry {
  const bytes = encodeRequest(words), scanner = new RequestScanner(() => 1e9);
  scanner.scan(bytes, 0, bytes.length);
  const container = plans.find(bytes, scanner.argStart[0] ?? 0, scanner.argEnd[0] ?? 0);
  const plan = container?.subcommands?.find(bytes, scanner.argStart[1] ?? 0, scanner.argEnd[1] ?? 0) ?? container;
  assert.ok(plan);
  return newEntry(plan, bytes, { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd }, { numbered, random: () => 0.5 });
}

const shown = (parts: readonly Part[]): string[] => parts.map(({ request, target }) => {
  const words = [...request.toString().matchAll(/\$\d+\r\n(.*)\r\n/g)].map(([, word]) => word).join(" ");
  return `${words} -> ${target.kind === "shard" ? target.shard.id : target.kind === "slot" ? target.slot : target.kind === "node" ? target.node.address : "home"}`;
});
const slot = (key: string): number => hashSlot(Buffer.from(key), 0, Buffer.byteLength(key));
const array = (...elements: readonly string[]): string => `*${elements.length}\r\n${elements.join("")}`;
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

/** Answers every round of parts; gives what was asked, and the reply at last. */
function play(entry: Entry, ...rounds: readonly (readonly string[])[]): readonly [asked: string[][], reply: string] {
  const asked = [shown(entry.parts)];
  for (const replies of rounds) {
    const result = entry.finish(replies.map((reply) => Buffer.from(reply)));
    if (Buffer.isBuffer(result)) return [asked, result.toString()];
    asked.push(shown(result));
  }
  throw new Error(`No reply after ${JSON.stringify(asked)}`);
}

test("a request for one slot goes there as it is, one for several goes in parts", () => {
  assert.deepEqual(play(entryOf("GET", "a"), [bulk("1")]), [[[`GET a -> ${slot("a")}`]], bulk("1")]);
  assert.deepEqual(play(entryOf("MGET", "a", "b", "{a}c"), [array(bulk("1"), bulk("3")), array(bulk("2"))]), [[[`MGET a {a}c -> ${slot("a")}`, `MGET b -> ${slot("b")}`]], array(bulk("1"), bulk("2"), bulk("3"))]);
  assert.deepEqual(shown(entryOf("RENAME", "a", "b").parts), [`RENAME a b -> ${slot("a")}`]);
  assert.deepEqual(shown(entryOf("MSET", "a", "1", "b").parts), [`MSET a -> ${slot("a")}`]);
});

test("what concerns all shards asks them all", () => {
  assert.deepEqual(play(entryOf("DBSIZE"), [":1\r\n", ":2\r\n", ":3\r\n"]), [[["DBSIZE -> a", "DBSIZE -> b", "DBSIZE -> c"]], ":6\r\n"]);
  assert.deepEqual(play(entryOf("RANDOMKEY"), ["$-1\r\n", bulk("x"), "_\r\n"])[1], bulk("x"));
  assert.deepEqual(play(entryOf("RANDOMKEY"), ["$-1\r\n", "$-1\r\n", "$-1\r\n"])[1], "$-1\r\n");
});

test("nodes that cannot be written to are asked too where the server says so, as long as they can be read", () => {
  const replica = newNode(first, "replica", 1);
  first.eligible = [replica];
  const plan = { ...(plans.find(Buffer.from("info"), 0, 4) ?? assert.fail()), name: "script|load", requestPolicy: "all_nodes", responsePolicy: "all_succeeded" };
  const bytes = encodeRequest(["SCRIPT", "LOAD", "return 1"]);
  const entry = newEntry(plan, bytes, { bytes, argc: 0, argStart: [], argEnd: [] }, { numbered, random: () => 0 });
  assert.deepEqual(shown(entry.parts).map((each) => each.split(" -> ")[1]), ["a", "b", "c", "replica:1"]);
  first.eligible = [];
});

test("a server is asked where the keys stand that the table does not tell, once", () => {
  const request = encodeRequest(["ODD", "x", "k"]), get = plans.find(Buffer.from("get"), 0, 3);
  assert.ok(get);
  const odd = { ...get, name: "odd", keys: [], allKeys: [{ readOnly: true, notKey: false, begin: { kind: "unknown" }, find: { kind: "unknown" } }] } as const;
  const scanner = new RequestScanner(() => 1e9);
  scanner.scan(request, 0, request.length);
  const entry = (): Entry => newEntry(odd, request, { bytes: request, argc: 3, argStart: scanner.argStart, argEnd: scanner.argEnd }, { numbered, random: () => 0 });
  assert.deepEqual(play(entry(), [array(bulk("k"))], ["+OK\r\n"]), [[["COMMAND GETKEYS ODD x k -> home"], [`ODD x k -> ${slot("k")}`]], "+OK\r\n"]);
  assert.deepEqual(play(entry(), ["-ERR The command has no key arguments\r\n"], ["+OK\r\n"]), [[["COMMAND GETKEYS ODD x k -> home"], ["ODD x k -> home"]], "+OK\r\n"]);
});

test("SCAN goes from shard to shard, and its cursor says where it is", () => {
  const scan = (cursor: string, ...keys: readonly string[]): string => array(bulk(cursor), array(...keys.map(bulk)));
  assert.deepEqual(play(entryOf("SCAN", "0", "COUNT", "2"), [scan("5", "k", "l")]), [[["SCAN 0 COUNT 2 -> a"]], scan(String(5 * 1024 + 1), "k", "l")]);
  assert.deepEqual(play(entryOf("SCAN", String(5 * 1024 + 1), "COUNT", "2"), [scan("0", "m", "n")]), [[["SCAN 5 COUNT 2 -> a"]], scan("2", "m", "n")]);
  assert.deepEqual(play(entryOf("SCAN", "2"), [scan("0")], [scan("7", "o")]), [[["SCAN 0 -> b"], ["SCAN 0 -> c"]], scan(String(7 * 1024 + 3), "o")]);
  assert.deepEqual(play(entryOf("SCAN", "3"), [scan("0", "p")]), [[["SCAN 0 -> c"]], scan("0", "p")]);
  assert.deepEqual(play(entryOf("SCAN", "0"), [scan("0")], [scan("0")], [scan("0")])[1], scan("0"));
  assert.deepEqual(play(entryOf("SCAN", "x"), ["-ERR invalid cursor\r\n"]), [[["SCAN x -> a"]], "-ERR invalid cursor\r\n"]);
  assert.deepEqual(play(entryOf("SCAN", "0", "COUNT", "x"), ["-ERR value is not an integer or out of range\r\n"])[1], "-ERR value is not an integer or out of range\r\n");
});

test("a client is not told of the cluster that it is not to see", () => {
  assert.deepEqual(play(entryOf("CLUSTER", "SLOTS"), []), [[[]], "-ERR This instance has cluster support disabled\r\n"]);
});

test("a node's own line tells whether slots are on their way", () => {
  const line = (flags: string, slots: string): string => `0411db 127.0.0.1:7506@17506 ${flags} - 0 1795238092169 2 connected ${slots}\n`;
  const check = (expected: boolean, ...lines: readonly string[]): void => assert.equal(hasMovingSlots(Buffer.from(`txt:99\r\n${lines.join("")}\r\n`)), expected);
  check(false, line("myself,master", "0-5460"));
  check(true, line("master", "7-9"), line("myself,master", "0-5460 [93->-292f8b]"));
  check(true, line("myself,master", "[77-<-e7d1ee]"));
  check(false, line("master", "0-5460 [93->-292f8b]"), line("myself,master", "7"));
});
