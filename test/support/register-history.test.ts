import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { checkHistory, type Read, type Write } from "./register-history.ts";

let order = 0;
const write = (client: number, value: string | undefined, begunMs: number, endedMs: number, more: Partial<Write> = {}): Write => ({ client, order: (order += 1), key: "k", value, begunMs, endedMs, ...more });
const read = (client: number, value: string | undefined, begunMs: number, endedMs: number, more: Partial<Read> = {}): Read => ({ client, order: (order += 1), key: "k", value, begunMs, endedMs, ...more });

type Found = { readonly stale?: number; readonly staleOwn?: number; readonly backwards?: number; readonly impossible?: number };
function check(title: string, history: () => readonly [readonly Write[], readonly Read[]], found: Found): void {
  test(title, () => {
    const verdict = checkHistory(...history());
    assert.deepEqual(
      { stale: verdict.stale.length, staleOwn: verdict.staleOwn.length, backwards: verdict.backwards.length, impossible: verdict.impossible.length },
      { stale: 0, staleOwn: 0, backwards: 0, impossible: 0, ...found },
    );
  });
}

describe("good histories", () => {
  check("a key that was never written is absent", () => [[], [read(1, undefined, 0, 1)]], {});
  check("the last value", () => [[write(1, "a", 0, 1), write(1, "b", 2, 3)], [read(2, "b", 4, 5)]], {});
  check("while a write is under way the old and the new value", () => [[write(1, "a", 0, 1), write(1, "b", 2, 9)], [read(2, "a", 3, 4), read(3, "b", 3, 4), read(4, "a", 5, 6)]], {});
  check("either of two writes at the same time, by different readers", () => [[write(1, "a", 0, 10), write(2, "b", 5, 15)], [read(3, "a", 20, 21), read(4, "b", 20, 21)]], {});
  check("a write whose end nobody knows may be seen later, or never", () => [[write(1, "a", 0, 1), write(2, "b", 2, Infinity)], [read(3, "a", 50, 51), read(4, "b", 50, 51)]], {});
  check("nor need the client itself see it, whose connection was lost", () => [[write(1, "a", 0, 1), write(2, "b", 2, Infinity)], [read(2, "a", 50, 51)]], {});
  check("nothing, after a removal", () => [[write(1, "a", 0, 1), write(1, undefined, 2, 3)], [read(2, undefined, 4, 5)]], {});
  check("nothing, after the key has expired", () => [[write(1, "a", 0, 1, { expiresMs: 100 })], [read(2, "a", 50, 51), read(2, undefined, 130, 131)]], {});
  check("in one pipeline, the value just written", () => {
    const first = write(1, "a", 0, 10), second = write(1, "b", 0, 10);
    return [[first, second], [read(1, "b", 0, 10)]];
  }, {});
  check("another key's value is of no concern", () => [[write(1, "a", 0, 1), write(1, "z", 2, 3, { key: "other" })], [read(2, "a", 4, 5)]], {});
});

describe("bad histories", () => {
  check("an overwritten value, seen by another client", () => [[write(1, "a", 0, 1), write(1, "b", 2, 3)], [read(2, "a", 4, 5)]], { stale: 1 });
  check("an overwritten value, seen by the writer", () => [[write(1, "a", 0, 1), write(1, "b", 2, 3)], [read(1, "a", 4, 5)]], { stale: 1, staleOwn: 1 });
  check("nothing, although the key was written", () => [[write(1, "a", 0, 1)], [read(2, undefined, 2, 3)]], { stale: 1 });
  check("a removed value", () => [[write(1, "a", 0, 1), write(2, undefined, 2, 3)], [read(3, "a", 4, 5)]], { stale: 1 });
  check("in one pipeline, the value from before the own write", () => {
    const before = write(1, "a", 0, 1), own = write(1, "b", 5, 10);
    return [[before, own], [read(1, "a", 5, 10)]];
  }, { stale: 1, staleOwn: 1 });
  check("the new value and then the old one, while the write is under way", () => [[write(1, "a", 0, 1), write(1, "b", 2, 9)], [read(2, "b", 3, 4), read(2, "a", 5, 6)]], { backwards: 1 });
  check("the value of a write that had not begun", () => [[write(1, "a", 10, 11)], [read(2, "a", 2, 3)]], { impossible: 1 });
  check("a value that nobody wrote", () => [[write(1, "a", 0, 1)], [read(2, "ghost", 2, 3)]], { impossible: 1 });
  check("a value long after it has expired", () => [[write(1, "a", 0, 1, { expiresMs: 100 })], [read(2, "a", 300, 301)]], { impossible: 1 });
});

test("reads are recent when a write of the key has ended within the last tenth of a second", () => {
  const writes = [write(1, "a", 0, 1)];
  assert.equal(checkHistory(writes, [read(2, "a", 50, 51), read(2, "a", 500, 501), read(3, undefined, 50, 51, { key: "other" })]).recentReads, 1);
});

/** Operations on one true register, each taking effect at one moment within its interval. */
const honest = fc.array(fc.record({ client: fc.nat({ max: 3 }), isWrite: fc.boolean(), beforeMs: fc.nat({ max: 20 }), afterMs: fc.nat({ max: 20 }) }), { maxLength: 40 });

test("no history of a true register is found bad", () => {
  fc.assert(fc.property(honest, (steps) => {
    const writes: Write[] = [], reads: Read[] = [], freeAtMs = new Map<number, number>();
    let value: string | undefined, nowMs = 0;
    steps.forEach(({ client, isWrite, beforeMs, afterMs }, index) => {
      // A client begins an operation after its former one has ended.
      nowMs = Math.max(nowMs + 3, (freeAtMs.get(client) ?? 0) + 1);
      const begunMs = Math.max(nowMs - beforeMs, (freeAtMs.get(client) ?? -1) + 1), endedMs = nowMs + afterMs;
      freeAtMs.set(client, endedMs);
      const timed = { client, order: index, key: "k", begunMs, endedMs };
      if (isWrite) writes.push({ ...timed, value: (value = `v${index}`) });
      else reads.push({ ...timed, value });
    });
    const { stale, staleOwn, backwards, impossible } = checkHistory(writes, reads);
    assert.deepEqual([stale, staleOwn, backwards, impossible], [[], [], [], []]);
  }), { numRuns: 500 });
});

test("a register that lags behind is found bad as soon as somebody reads after a write", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 2 }), { minLength: 2, maxLength: 20 }), (clients) => {
    const writes = clients.map((client, index) => write(client, `v${index}`, index * 10, index * 10 + 1));
    const late = clients.slice(1).map((_, index) => read(9, `v${index}`, (index + 1) * 10 + 5, (index + 1) * 10 + 6));
    assert.equal(checkHistory(writes, late).stale.length, late.length);
  }), { numRuns: 100 });
});
