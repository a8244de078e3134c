import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlans, unknownPlan } from "../../../sidecars/redis-ambassador/commands/classifier.ts";
import { readCommandFacts } from "../../../sidecars/redis-ambassador/commands/command-facts.ts";
import { LeaseMarks } from "../../../sidecars/redis-ambassador/connections/lease-marks.ts";
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import { RequestScanner } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import type { Generation } from "../../../sidecars/redis-ambassador/routing/fence.ts";
import { hashKey } from "../../../sidecars/redis-ambassador/routing/write-filter.ts";
import { newShard, type Shard } from "../../../sidecars/redis-ambassador/servers/node.ts";

const plans = buildPlans(readCommandFacts([["set", -3, ["write"], 1, 1, 1], ["get", 2, ["readonly"], 1, 1, 1]]));
const request = (...words: readonly string[]) => {
  const [name = ""] = words;
  return [plans.find(Buffer.from(name.toLowerCase()), 0, name.length) ?? unknownPlan, encodeRequest(words)] as const;
};

function scene({ marksWrites = true } = {}) {
  const shard = newShard("s", 0), written: (readonly [Shard, Generation])[] = [];
  const marks = new LeaseMarks({ otherScanner: new RequestScanner(() => 1e9), router: { marksWrites } }, (where, generation) => written.push([where, generation]));
  /** Whether a replica that nothing is proven of may answer for the key. */
  const mayBeRead = (key: string): boolean => shard.fence.canRead(hashKey(Buffer.from(key), 0, key.length), { offset: 0 });
  return { shard, written, marks, mayBeRead };
}

test("what is executed at once is marked at once, and the client is told of the write", () => {
  const { shard, written, marks, mayBeRead } = scene(), generation = marks.apply(...request("SET", "a", "1"), shard);
  assert.ok(generation);
  assert.deepEqual(written, [[shard, generation]]);
  assert.deepEqual([mayBeRead("a"), mayBeRead("b")], [false, true]);
});

test("what is executed later is marked when it is", () => {
  const { shard, written, marks, mayBeRead } = scene();
  marks.add(...request("SET", "a", "1"));
  marks.add(...request("GET", "b"));
  marks.add(...request("SET", "c", "1"));
  assert.deepEqual([mayBeRead("a"), written.length], [true, 0]);
  assert.ok(marks.applyAdded(shard));
  assert.deepEqual([mayBeRead("a"), mayBeRead("b"), mayBeRead("c"), written.length], [false, true, false, 1]);
});

test("what was never executed is not marked later", () => {
  const { shard, written, marks, mayBeRead } = scene();
  marks.add(...request("SET", "a", "1"));
  marks.reset();
  assert.equal(marks.applyAdded(shard), undefined);
  assert.deepEqual([mayBeRead("a"), written.length], [true, 0]);
});

test("reads mark nothing, and nothing is marked where it is not asked for", () => {
  const { shard, written, marks } = scene(), without = scene({ marksWrites: false });
  assert.equal(marks.apply(...request("GET", "a"), shard), undefined);
  assert.equal(without.marks.apply(...request("SET", "a", "1"), without.shard), undefined);
  without.marks.holdUnprovable(without.shard);
  assert.deepEqual([written.length, without.written.length, without.mayBeRead("a")], [0, 0, true]);
});

test("while nobody knows what is written no replica has everything, and afterwards it has to prove that", () => {
  const { shard, marks, mayBeRead } = scene();
  marks.holdUnprovable(shard);
  marks.holdUnprovable(shard);
  assert.equal(mayBeRead("a"), false);
  marks.reset();
  assert.equal(mayBeRead("a"), false, "what was written until now has to have arrived");
  shard.fence.seal();
  assert.ok(shard.fence.sealing && shard.fence.mayAskPrimary);
  shard.fence.primaryAt(shard.fence.sealing, 0);
  assert.equal(mayBeRead("a"), true);
});
