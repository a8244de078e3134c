import assert from "node:assert/strict";
import { test } from "node:test";
import { unknownPlan } from "../../../sidecars/redis-ambassador/commands/classifier.ts";
import type { CommandPlan } from "../../../sidecars/redis-ambassador/commands/command-plan.ts";
import { endsTransaction, forwardingOf, isDemotion, type Forwarding, type Holding } from "../../../sidecars/redis-ambassador/connections/lease-decisions.ts";

const free: Holding = { raw: false, transaction: false, multi: false, bound: false };
const watching: Holding = { ...free, transaction: true }, queuing: Holding = { ...watching, multi: true };
const boundWatching: Holding = { ...watching, bound: true }, boundQueuing: Holding = { ...queuing, bound: true };
const raw: Holding = { ...free, raw: true }, rawQueuing: Holding = { ...queuing, raw: true };
const holdings: readonly Holding[] = [watching, queuing, boundWatching, boundQueuing, raw, rawQueuing];

/** What becomes of it after WATCH and after MULTI, both in a cluster, and on a connection whose replies are not matched, before and after MULTI. */
function check(words: string, kind: CommandPlan["kind"], expected: readonly Forwarding[], arity = -1): void {
  test(`${words} (${kind}) inside of transactions: ${expected.join(", ")}`, () => {
    const plan: CommandPlan = { ...unknownPlan, name: words.toLowerCase().split(" ")[0] ?? "", kind, arity };
    assert.deepEqual(holdings.map((holding) => forwardingOf(plan, () => words.split(" ").length, holding)), expected);
  });
}

const everywhereCounted: readonly Forwarding[] = ["count", "count", "count", "count", "raw", "raw"];
for (const kind of ["read", "write", "other", "blocking", "transaction", "wait", "ask"] as const) check("SOME", kind, everywhereCounted);
for (const kind of ["state", "pin", "local"] as const) check("SOME", kind, ["pin", "pin", "pin", "pin", "raw", "raw"]);
check("SELECT 1", "state", ["pin", "pin", "count", "count", "raw", "raw"]);
check("SOME", "opaque", ["pin", "pin", "pin", "pin", "raw", "raw"]);
check("SOME", "refused", ["refuse", "refuse", "refuse", "refuse", "close", "close"]);
check("POST", "goodbye", ["close", "close", "close", "close", "close", "close"]);
check("QUIT", "local", ["quit", "quit", "quit", "quit", "raw", "raw"]);
check("RESET", "local", ["reset", "reset", "reset", "reset", "reset", "reset"], 1);
check("RESET now", "local", ["pin", "pin", "pin", "pin", "raw", "raw"], 1);
check("CLIENT|ID", "local", ["tellId", "pin", "tellId", "pin", "raw", "raw"], 1);
check("CLIENT|ID x", "local", ["pin", "pin", "pin", "pin", "raw", "raw"], 1);

test("what is no part of a transaction changes nothing on a connection of one's own", () => {
  for (const kind of ["state", "pin", "local"] as const) assert.equal(forwardingOf({ ...unknownPlan, kind }, () => 1, free), "count");
});

for (const [name, alone, multi, ends] of [
  ["exec", true, true, true], ["exec", false, true, false], ["exec", true, false, true], ["discard", true, true, true], ["discard", true, false, false],
  ["unwatch", true, false, true], ["unwatch", true, true, false], ["unwatch", false, false, false], ["multi", true, false, false], ["get", true, false, false],
] as const) {
  test(`${name.toUpperCase()}${alone ? "" : " with a word too many"} ${multi ? "after MULTI" : "after WATCH alone"} ${ends ? "ends" : "does not end"} the transaction`, () => assert.equal(endsTransaction(name, alone, multi), ends));
}

test("a server that becomes a replica is told from CLIENT UNBLOCK and from other errors", () => {
  const told = (text: string): boolean => isDemotion(Buffer.from(text));
  assert.ok(told("-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n"));
  assert.ok(!told("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"));
  assert.ok(!told("-ERR force unblock from blocking operation, instance state changed\r\n"));
});
