import assert from "node:assert/strict";
import { test } from "node:test";
import { planOf } from "../../../sidecars/redis-ambassador/commands/classifier.ts";
import { readCommandFacts, type Answer } from "../../../sidecars/redis-ambassador/commands/command-facts.ts";
import type { CommandPlan } from "../../../sidecars/redis-ambassador/commands/command-plan.ts";
import { hashSlot } from "../../../sidecars/redis-ambassador/cluster/hash-slot.ts";
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import type { Arguments } from "../../../sidecars/redis-ambassador/commands/key-positions.ts";
import { readRedirection } from "../../../sidecars/redis-ambassador/cluster/redirection.ts";
import { RequestScanner } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import { noSlot, slotOf, splitBySlot, spreadOf } from "../../../sidecars/redis-ambassador/cluster/spread.ts";

const keySlot = (key: string): number => hashSlot(Buffer.from(key), 0, Buffer.byteLength(key));
const range = (index: number, last: number, step: number): Answer => ["flags", ["RW"], "begin_search", ["type", "index", "spec", ["index", index]], "find_keys", ["type", "range", "spec", ["lastkey", last, "keystep", step, "limit", 0]]];
const keynum = (index: number): Answer => ["flags", ["RW"], "begin_search", ["type", "index", "spec", ["index", index]], "find_keys", ["type", "keynum", "spec", ["keynumidx", 0, "firstkey", 1, "keystep", 1]]];
const unknown: Answer = ["flags", ["RW", "incomplete"], "begin_search", ["type", "unknown", "spec", []], "find_keys", ["type", "unknown", "spec", []]];

function plan(name: string, tips: readonly string[], ...specs: readonly Answer[]): CommandPlan {
  const [facts] = readCommandFacts([[name, -2, ["write"], 1, 1, 1, [], tips, specs, []]]);
  assert.ok(facts);
  return planOf(facts);
}

function args(...words: readonly string[]): { readonly bytes: Buffer; readonly args: Arguments } {
  const bytes = encodeRequest(words), scanner = new RequestScanner(() => 1e9);
  scanner.scan(bytes, 0, bytes.length);
  return { bytes, args: { bytes, argc: scanner.argc, argStart: [...scanner.argStart], argEnd: [...scanner.argEnd] } };
}

const set = plan("set", [], range(1, 0, 1));
const mset = plan("mset", ["request_policy:multi_shard", "response_policy:all_succeeded"], range(1, -1, 2));
const mget = plan("mget", ["request_policy:multi_shard"], range(1, -1, 1));
const jsonMget = plan("json.mget", ["request_policy:multi_shard"], range(1, -2, 1));

test("how far a command goes follows from the server's tips", () => {
  assert.deepEqual(spreadOf(set), { over: "keys", how: "any" });
  assert.deepEqual(spreadOf(mset), { over: "split", how: "all_succeeded" });
  assert.deepEqual(spreadOf(mget), { over: "split", how: "by-key" });
  assert.deepEqual(spreadOf(plan("dbsize", ["request_policy:all_shards", "response_policy:agg_sum"])), { over: "shards", how: "agg_sum" });
  assert.deepEqual(spreadOf(plan("keys", ["request_policy:all_shards"])), { over: "shards", how: "concat" });
  assert.deepEqual(spreadOf(plan("config|set", ["request_policy:all_nodes", "response_policy:all_succeeded"])), { over: "nodes", how: "all_succeeded" });
  assert.equal(spreadOf(plan("slowlog|get", ["request_policy:all_nodes"])).over, "home");
  assert.equal(spreadOf(plan("info", ["request_policy:all_shards", "response_policy:special"])).over, "home");
  assert.equal(spreadOf(plan("ping", ["request_policy:all_shards", "response_policy:all_succeeded"])).over, "home");
  assert.equal(spreadOf(plan("scan", ["request_policy:special"])).over, "scan");
  assert.equal(spreadOf(plan("msetnx", ["request_policy:multi_shard", "response_policy:agg_min"], range(1, -1, 2))).over, "keys");
});

test("a request's slot is that of its first key, unless it can be split", () => {
  const slot = (of: CommandPlan, ...words: readonly string[]): number => slotOf(of, spreadOf(of), args(...words).args);
  assert.equal(slot(set, "SET", "foo", "1"), keySlot("foo"));
  assert.equal(slot(set, "SET"), noSlot.none);
  assert.equal(slot(mget, "MGET", "a{t}", "b{t}"), keySlot("t"));
  assert.equal(slot(mget, "MGET", "a", "b"), noSlot.several);
  assert.equal(slot(plan("sinter", [], range(1, -1, 1)), "SINTER", "a", "b"), keySlot("a"));
  assert.equal(slot(plan("eval", [], keynum(2)), "EVAL", "return 1", "2", "k", "l"), keySlot("k"));
  assert.equal(slot(plan("eval", [], keynum(2)), "EVAL", "return 1", "0"), noSlot.none);
  assert.equal(slot(plan("odd", [], unknown), "ODD", "x"), noSlot.unknown);
  assert.equal(slot(plan("spublish", [], range(1, 0, 1)), "SPUBLISH", "channel", "x"), keySlot("channel"));
});

test("a split keeps each key with its value and its place, and what follows the keys with every part", () => {
  const split = (of: CommandPlan, ...words: readonly string[]): unknown => {
    const { bytes, args: found } = args(...words);
    return splitBySlot(of, bytes, found)?.map(({ slot, request, places }) => [slot, request.toString(), places]);
  };
  assert.deepEqual(split(mset, "MSET", "a", "1", "b", "2", "a{a}", "3"), [
    [keySlot("a"), encodeRequest(["MSET", "a", "1", "a{a}", "3"]).toString(), [0, 2]], [keySlot("b"), encodeRequest(["MSET", "b", "2"]).toString(), [1]],
  ]);
  assert.deepEqual(split(jsonMget, "json.mget", "a", "b", "$.x"), [
    [keySlot("a"), encodeRequest(["json.mget", "a", "$.x"]).toString(), [0]], [keySlot("b"), encodeRequest(["json.mget", "b", "$.x"]).toString(), [1]],
  ]);
  assert.equal(split(mset, "MSET", "a", "1", "b"), undefined);
  assert.equal(split(mset, "MSET"), undefined);
});

test("redirections are read, with any kind of host", () => {
  const read = (text: string): unknown => readRedirection(Buffer.from(text));
  assert.deepEqual(read("-MOVED 3999 127.0.0.1:6381\r\n"), { kind: "moved", slot: 3999, to: { host: "127.0.0.1", port: 6381 } });
  assert.deepEqual(read("-ASK 0 redis-1.example:7000\r\n"), { kind: "ask", slot: 0, to: { host: "redis-1.example", port: 7000 } });
  assert.deepEqual(read("-MOVED 1 fd00::5:6379\r\n"), { kind: "moved", slot: 1, to: { host: "fd00::5", port: 6379 } });
  assert.deepEqual(read("-MOVED 1 :6379\r\n"), { kind: "moved", slot: 1, to: { host: "", port: 6379 } });
  for (const text of ["-TRYAGAIN x\r\n", "-ERR MOVED 1 a:1\r\n", "-MOVED 99999 a:1\r\n", "-MOVED x a:1\r\n", "-ASK 1 nowhere\r\n"]) assert.equal(read(text), undefined);
});
