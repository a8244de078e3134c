import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Fence } from "../../../sidecars/redis-ambassador/routing/fence.ts";
import { hashKey, WriteFilter } from "../../../sidecars/redis-ambassador/routing/write-filter.ts";

const hash = (key: string): number => hashKey(Buffer.from(key), 0, Buffer.byteLength(key));
const at = (offset: number) => ({ offset });

/** Seals what is marked and proves it for the primary at `offset`. */
function prove(fence: Fence, offset: number): void {
  fence.seal();
  const generation = fence.sealing;
  assert.ok(generation && fence.mayAskPrimary);
  fence.primaryAt(generation, offset);
}

describe("the fence", () => {
  test("keeps a written key from a replica until the replica's offset has reached the primary's", () => {
    const fence = new Fence();
    fence.mark(hash("a"));
    assert.equal(fence.canRead(hash("a"), at(1000)), false);
    assert.equal(fence.canRead(hash("b"), at(1000)), true);
    prove(fence, 2000);
    assert.equal(fence.canRead(hash("a"), at(1999)), false);
    assert.equal(fence.canRead(hash("a"), at(2000)), true);
  });

  test("does not ask the primary while a write is unanswered", () => {
    const fence = new Fence();
    const generation = fence.mark(hash("a"));
    generation.outstanding += 1;
    fence.seal();
    assert.equal(fence.mayAskPrimary, false);
    generation.outstanding -= 1;
    assert.equal(fence.mayAskPrimary, true);
  });

  test("tells once that a read was refused a replica, until it is asked", () => {
    const fence = new Fence(), told: string[] = [];
    fence.onWanted = () => told.push("wanted");
    fence.mark(hash("a"));
    assert.equal(fence.canRead(hash("b"), at(1000)), true);
    assert.deepEqual([told.length, fence.takeWanted()], [0, false]);
    for (const refused of [() => fence.canRead(hash("a"), at(1000)), () => fence.canReadAll(at(1000)), () => fence.hasPassed(fence.mark(hash("a")), at(1000))]) {
      told.length = 0;
      assert.equal(refused() || refused(), false);
      assert.deepEqual([told.length, fence.takeWanted(), fence.takeWanted()], [1, true, false]);
    }
  });

  test("what a filter held before it is used again is forgotten, and a generation that is over holds nothing", () => {
    const fence = new Fence(), replica = at(-1);
    for (let round = 1; round <= 20; round += 1) {
      const generation = fence.mark(hash(`round ${round}`));
      assert.equal(generation.keys.size, 1, "it holds what another one held");
      for (let key = 0; key < (round === 7 ? 40_000 : round * 300); key += 1) fence.mark(hash(`${round} ${key}`));
      prove(fence, round);
      assert.equal(fence.canRead(hash(`${round} 3`), replica), false);
      replica.offset = round;
      fence.settle([replica]);
      assert.ok(fence.clear && generation.keys.empty && fence.hasPassed(generation, replica));
    }
  });

  test("a key written again while its first write is being proven stays in doubt", () => {
    const fence = new Fence();
    fence.mark(hash("a"));
    fence.seal();
    fence.mark(hash("a"));
    const generation = fence.sealing;
    assert.ok(generation);
    fence.primaryAt(generation, 10);
    assert.equal(fence.canRead(hash("a"), at(10)), false);
    prove(fence, 20);
    assert.equal(fence.canRead(hash("a"), at(20)), true);
  });

  test("a replica that lags behind what was forgotten is not read at all", () => {
    const fence = new Fence();
    for (let round = 1; round <= 60; round += 1) {
      fence.mark(hash(`k${round}`));
      prove(fence, round * 100);
    }
    assert.equal(fence.canRead(hash("never written"), at(500)), false);
    assert.equal(fence.canRead(hash("never written"), at(6000)), true);
  });

  test("after a change of primary nothing is proven, whatever the offsets say, until the next fence", () => {
    const fence = new Fence();
    const before = fence.mark(hash("a"));
    fence.seal();
    const stale = fence.sealing;
    assert.ok(stale);
    fence.reset();
    fence.primaryAt(stale, 5);
    assert.equal(fence.canRead(hash("b"), at(1_000_000)), false);
    assert.equal(fence.hasPassed(before, at(1_000_000)), false);
    prove(fence, 50);
    assert.equal(fence.canRead(hash("b"), at(49)), false);
    assert.equal(fence.canRead(hash("b"), at(50)), true);
    assert.equal(fence.hasPassed(before, at(50)), true);
  });

  test("a writer whose replies cannot be counted puts every key in doubt until after it has left", () => {
    const fence = new Fence(), release = fence.holdUnprovable();
    assert.equal(fence.canRead(hash("a"), at(1e9)), false);
    release();
    assert.equal(fence.canRead(hash("a"), at(1e9)), false);
    prove(fence, 7);
    assert.equal(fence.canRead(hash("a"), at(7)), true);
  });

  test("reads of unknown keys need everything proven", () => {
    const fence = new Fence();
    fence.mark(hash("a"));
    assert.equal(fence.canReadAll(at(1e9)), false);
    prove(fence, 7);
    assert.equal(fence.canReadAll(at(6)), false);
    assert.equal(fence.canReadAll(at(7)), true);
    fence.settle([at(7)]);
    assert.equal(fence.clear, true);
  });

  test("in no history of writes, proofs and lags does a replica answer for a write that it has not applied", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("write" as const), key: fc.nat({ max: 6 }) }),
      fc.record({ do: fc.constant("seal" as const), key: fc.constant(0) }),
      fc.record({ do: fc.constant("answer" as const), key: fc.constant(0) }),
      fc.record({ do: fc.constant("apply" as const), key: fc.nat({ max: 5 }) }),
      fc.record({ do: fc.constant("settle" as const), key: fc.constant(0) }),
    );
    fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const fence = new Fence(), replica = { offset: 0 }, lastWrite = new Map<number, number>();
      let primary = 0;
      for (const { do: what, key } of steps) {
        if (what === "write") {
          fence.mark(hash(`k${key}`));
          primary += 1;
          lastWrite.set(key, primary);
        } else if (what === "apply") {
          replica.offset = Math.min(primary, replica.offset + key);
        } else if (what === "settle") {
          fence.settle([replica]);
        } else if (what === "seal") {
          fence.seal();
        } else if (fence.sealing !== undefined) {
          fence.primaryAt(fence.sealing, primary);
        }
        for (const [written, offset] of lastWrite) if (fence.canRead(hash(`k${written}`), replica)) assert.ok(replica.offset >= offset);
      }
    }), { numRuns: 500 });
  });
});

test("the write filter never forgets a key, also beyond its bound", () => {
  const filter = new WriteFilter();
  for (let index = 0; index < 100_000; index += 1) {
    filter.add(hash(`key:${index}`));
    if (index % 997 === 0) assert.ok(filter.has(hash(`key:${index}`)) && filter.has(hash("key:0")));
  }
  assert.equal(filter.everyKey, true);
  filter.clear();
  assert.equal(filter.has(hash("key:0")), false);
});
