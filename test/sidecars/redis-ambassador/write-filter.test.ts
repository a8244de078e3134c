import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hashKey, WriteFilter } from "../../../sidecars/redis-ambassador/routing/write-filter.ts";

const hash = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).filter((value) => value !== 0);

test("between two clears the filter has every key that was added, and no other unless it says that it has all", () => {
  const step = fc.oneof({ weight: 20, arbitrary: fc.record({ what: fc.constant("add" as const), value: hash }) }, { weight: 1, arbitrary: fc.record({ what: fc.constant("clear" as const), value: fc.constant(1) }) }, { weight: 1, arbitrary: fc.record({ what: fc.constant("addAll" as const), value: fc.constant(1) }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 3000, size: "max" }), fc.array(hash, { maxLength: 50 }), (steps, others) => {
    const filter = new WriteFilter(), model = new Set<number>();
    let all = false;
    for (const { what, value } of steps) {
      if (what === "add") {
        filter.add(value);
        model.add(value);
      } else if (what === "addAll") {
        filter.addAll();
        all = true;
      } else {
        filter.clear();
        model.clear();
        all = false;
      }
    }
    assert.equal(filter.everyKey, all);
    assert.equal(filter.empty, model.size === 0 && !all);
    for (const value of model) assert.ok(filter.has(value));
    for (const value of others) assert.equal(filter.has(value), all || model.has(value));
  }), { numRuns: 60 });
});

test("a key's hash depends on its bytes alone, wherever they stand, and is never the mark of a free slot", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 10 }), (key, before) => {
    const bytes = new Uint8Array([...before, ...key, 7]);
    const value = hashKey(bytes, before.length, before.length + key.length);
    assert.equal(value, hashKey(key, 0, key.length));
    assert.ok(value !== 0 && Number.isInteger(value) && value === (value | 0));
  }));
});
