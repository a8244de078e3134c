import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { buildPlans } from "../../../sidecars/redis-ambassador/commands/classifier.ts";
import { readCommandFacts, type Answer } from "../../../sidecars/redis-ambassador/commands/command-facts.ts";
import { arityHolds, type CommandPlan, type PlanKind } from "../../../sidecars/redis-ambassador/commands/command-plan.ts";
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import { addMarks, noMarks } from "../../../sidecars/redis-ambassador/routing/marks.ts";
import { RequestScanner } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import { hashKey } from "../../../sidecars/redis-ambassador/routing/write-filter.ts";

// What COMMAND INFO of Redis 8.0.2 answers for these commands, without categories and tips.
const recorded = JSON.parse(readFileSync(new URL("command-info-8.0.2.json", import.meta.url), "utf8")) as Answer;
const plans = buildPlans(readCommandFacts(recorded));
const scanner = new RequestScanner(() => 1e9);

function planOf(words: readonly string[]): CommandPlan | undefined {
  const bytes = words.map((word) => Buffer.from(word));
  const plan = plans.find(bytes[0] ?? Buffer.alloc(0), 0, bytes[0]?.length ?? 0);
  return plan?.subcommands === undefined || bytes[1] === undefined ? plan : (plan.subcommands.find(bytes[1], 0, bytes[1].length) ?? plan);
}

const goes = (command: string, kind: PlanKind | undefined): void => {
  test(`${command} is ${kind ?? "unknown"}`, () => assert.equal(planOf(command.split(" "))?.kind, kind));
};
for (const read of ["GET k", "get k", "MGET a b", "EXISTS a", "SORT_RO k", "GEORADIUS_RO g", "BITFIELD_RO f", "XREAD STREAMS s 0", "FCALL_RO f 0", "PFCOUNT h", "ZRANGE z 0 1"]) goes(read, "read");
for (const write of ["SET k v", "SORT k", "GEORADIUS g", "BITFIELD f GET", "GETEX k", "XREADGROUP GROUP", "EVAL s 0", "FCALL f 0", "FLUSHALL", "COPY a b", "SWAPDB 0 1"]) goes(write, "write");
// Readonly by the server's flags, yet the answers are one node's own.
for (const other of ["OBJECT ENCODING k", "MEMORY USAGE k", "TOUCH k", "XINFO STREAM s", "RANDOMKEY", "DBSIZE", "KEYS *", "SCAN 0", "HSCAN h 0", "DUMP k", "EVAL_RO s 0", "EVALSHA_RO s 0"]) goes(other, "other");
for (const other of ["PUBLISH c m", "SPUBLISH c m", "CONFIG GET x", "SCRIPT LOAD x", "CLUSTER INFO"]) goes(other, "other");
for (const blocking of ["BLPOP k 0", "BLMPOP 0 1 k LEFT"]) goes(blocking, "blocking");
for (const [command, kind] of [["WAIT 1 0", "wait"], ["MULTI", "transaction"], ["WATCH k", "transaction"], ["SELECT 1", "state"], ["HELLO 3", "state"], ["CLIENT SETNAME x", "state"],
  ["CLIENT GETNAME", "ask"], ["INFO", "ask"], ["CLIENT ID", "local"], ["CLIENT TRACKING ON", "pin"], ["CLIENT REPLY OFF", "opaque"], ["CLIENT NO-TOUCH ON", "pin"], ["CLIENT FUTURE-THING", "ask"], ["SUBSCRIBE c", "opaque"],
  ["MONITOR", "opaque"], ["DEBUG SLEEP 0", "pin"], ["SCRIPT DEBUG YES", "pin"], ["CONFIG SET a b", "reload"], ["CONFIG GET a", "other"], ["PSYNC ? -1", "refused"], ["QUIT", "local"], ["POST /", "goodbye"]] as const) goes(command, kind);
goes("NOSUCH x", undefined);

const marks = (command: string, keys: readonly string[] | "all"): void => {
  test(`${command} marks ${typeof keys === "string" ? keys : keys.join(", ") || "nothing"}`, () => {
    const words = command.split(" "), plan = planOf(words), found = noMarks();
    assert.ok(plan);
    addMarks(found, plan, encodeRequest(words), scanner);
    if (keys === "all") assert.equal(found.all, true);
    else assert.deepEqual([found.all, found.hashes], [false, keys.map((key) => hashKey(Buffer.from(key), 0, key.length))]);
  });
};
marks("SET k v", ["k"]);
marks("MSET a 1 b 2", ["a", "b"]);
marks("DEL a b c", ["a", "b", "c"]);
marks("COPY from to", ["to"]);
marks("RENAME from to", ["from", "to"]);
marks("ZUNIONSTORE d 2 a b", ["d"]);
marks("BLMPOP 0 2 a b LEFT", ["a", "b"]);
marks("GET k", []);
marks("PUBLISH c m", []);
marks("EVAL s 1 k", "all");
marks("FLUSHALL", "all");
marks("SWAPDB 0 1", "all");
// The server itself calls the key positions of these incomplete.
marks("SORT k STORE d", "all");
marks("GEORADIUS g 1 1 1 m STORE d", "all");
marks("XREADGROUP GROUP g c STREAMS s t > >", "all");

test("tips of the server become policies for a cluster", () => {
  const entry = (name: string, tips: string[], subcommands: Answer[] = []): Answer => [name, -2, ["readonly"], 0, 0, 0, [], tips, [], subcommands];
  const facts = readCommandFacts([entry("dbsize", ["request_policy:all_shards", "response_policy:agg_sum"]), entry("script", [], [entry("script|load", ["REQUEST_POLICY:ALL_NODES", "nondeterministic_output"])]), ["old", 1, []]]);
  assert.deepEqual([...facts[0]?.tips ?? []], ["request_policy:all_shards", "response_policy:agg_sum"]);
  const table = buildPlans(facts), find = (name: string): CommandPlan | undefined => table.find(Buffer.from(name), 0, name.length);
  assert.deepEqual([find("dbsize")?.requestPolicy, find("dbsize")?.responsePolicy], ["all_shards", "agg_sum"]);
  const load = find("script")?.subcommands?.find(Buffer.from("load"), 0, 4);
  assert.deepEqual([load?.requestPolicy, load?.responsePolicy], ["all_nodes", undefined]);
  assert.deepEqual([find("old")?.requestPolicy, find("multi")?.requestPolicy], [undefined, undefined]);
});

test("the number of words is known as the server tells it", () => {
  const facts = readCommandFacts([["get", 2, ["readonly"], 1, 1, 1], ["mget", -2, ["readonly"], 1, -1, 1]]), table = buildPlans(facts);
  const holds = (name: string, argc: number): boolean => {
    const plan = table.find(Buffer.from(name), 0, name.length);
    return plan !== undefined && arityHolds(plan, argc);
  };
  assert.deepEqual([holds("get", 1), holds("get", 2), holds("get", 3), holds("mget", 1), holds("mget", 2), holds("mget", 9)], [false, true, false, false, true, true]);
  // Not in this server's table, and so the server is asked nothing of it.
  assert.equal(holds("reset", 7), true);
});
