import assert from "node:assert/strict";
import { test } from "node:test";
import { hashSlot } from "../../../sidecars/redis-ambassador/cluster/hash-slot.ts";

/** What CLUSTER KEYSLOT of redis 8.0.2 says; cluster-key-slot 1.1.2 says the same of all but those with an empty tag before another. */
const slots: readonly (readonly [key: string, slot: number])[] = [
  ["", 0],
  ["a", 15495],
  ["foo", 12182],
  ["bar", 5061],
  ["{user1000}.following", 3443],
  ["{user1000}.followers", 3443],
  ["foo{}{bar}", 8363],
  ["foo{{bar}}zap", 4015],
  ["foo{bar}{zap}", 5061],
  ["{}", 15257],
  ["{", 4092],
  ["}", 12090],
  ["}{", 12793],
  ["a{b", 13340],
  ["{a}", 15495],
  ["x{}y", 16116],
  ["ключ", 10303],
  ["{ü}x", 9552],
  ["a{ }b", 9314],
  ["123456789", 12739],
  ["{x", 11068],
  ["x}", 11978],
  ["{}{}", 15786],
  ["{{}}", 4092],
  ["a{b}c{d}", 3300],
  ["key:1", 6657],
  ["x".repeat(200), 9756],
];

test("keys have the slots that the server gives them, with tags, empty tags and half tags", () => {
  for (const [key, slot] of slots) {
    const bytes = Buffer.from(key);
    assert.equal(hashSlot(bytes, 0, bytes.length), slot, JSON.stringify(key));
  }
});

test("only the given part of the bytes counts", () => {
  const bytes = Buffer.from("}{zz}foo{bar}{zap}}");
  assert.equal(hashSlot(bytes, 5, 18), 5061);
  assert.equal(hashSlot(bytes, 5, 8), 12182);
});
