import assert from "node:assert/strict";
import { test } from "node:test";
import { isFinal, isHot, isOver, overAtMs, restUntilMs } from "../../../sidecars/log-shipper/tail/due.ts";

const policy = { finishing: false, rotateWaitMs: 5_000, deleteAfterMs: undefined };
const quiet = { lastGrowthMs: 10_000, rotatedAtMs: undefined, flushAtMs: undefined, offset: 7, size: 7 };
const rotated = { ...quiet, rotatedAtMs: 12_000 };

test("A file that has its name is over when nobody writes any more, a rotated one when it was quiet for rotateWaitMs", () => {
  assert.equal(overAtMs(quiet, policy), Infinity);
  assert.equal(overAtMs(rotated, policy), 17_000);
  assert.equal(overAtMs({ ...rotated, lastGrowthMs: 13_000 }, policy), 18_000);
  assert.deepEqual([isOver(quiet, 1e9, policy), isOver(quiet, 0, { ...policy, finishing: true }), isOver(rotated, 16_999, policy), isOver(rotated, 17_000, policy)], [false, true, false, true]);
});

test("An unterminated last line is a line when the file is over, or is to be deleted", () => {
  assert.deepEqual([isFinal(quiet, 1e9, policy), isFinal(rotated, 17_000, policy)], [false, true]);
  assert.deepEqual([isFinal(quiet, 10_499, { ...policy, deleteAfterMs: 500 }), isFinal(quiet, 10_500, { ...policy, deleteAfterMs: 500 })], [false, true]);
});

const rests = (what: string, file: Parameters<typeof restUntilMs>[0], nowMs: number, expected: number, more: Partial<typeof policy> | { readonly deleteAfterMs: number } = {}): void => {
  test(`Nothing to read: ${what}`, () => assert.equal(restUntilMs(file, nowMs, { ...policy, ...more }), expected));
};
rests("a quiet file waits for a wake-up", quiet, 12_000, Infinity);
rests("one that has just grown is looked at soon", quiet, 10_999, 11_014);
rests("one that is not hot any more is not", quiet, 11_000, Infinity);
rests("held lines are let go in time", { ...quiet, flushAtMs: 15_000 }, 12_000, 15_000);
rests("held lines of a file that has just grown are looked at as often as it", { ...quiet, flushAtMs: 15_000 }, 10_500, 10_515);
rests("a rotated one is closed in time", rotated, 12_500, 17_000);
rests("the rest of one to be deleted is shipped first", { ...quiet, size: 9 }, 12_000, 20_000, { deleteAfterMs: 10_000 });
rests("one to be deleted that has no rest waits for a look", quiet, 12_000, Infinity, { deleteAfterMs: 10_000 });

test("A file is hot for a second after it grew", () => assert.deepEqual([isHot(quiet, 10_999), isHot(quiet, 11_000)], [true, false]));
