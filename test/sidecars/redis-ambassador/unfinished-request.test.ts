import assert from "node:assert/strict";
import { test } from "node:test";
import { unknownPlan } from "../../../sidecars/redis-ambassador/commands/classifier.ts";
import type { CommandPlan } from "../../../sidecars/redis-ambassador/commands/command-plan.ts";
import { dealingWith, isBig, UnfinishedRequest } from "../../../sidecars/redis-ambassador/connections/unfinished-request.ts";

const mebibyte = 1024 * 1024;

function check(kind: CommandPlan["kind"], begunBytes: number, mayBeSplit: boolean, expected: ReturnType<typeof dealingWith>): void {
  test(`a request of kind ${kind}${mayBeSplit ? " that may have to be split" : ""} and of which ${begunBytes} bytes are there: ${expected}`, () => {
    assert.equal(dealingWith({ ...unknownPlan, kind }, begunBytes, mayBeSplit), expected);
  });
}

for (const kind of ["read", "write", "other", "blocking", "transaction", "pin", "opaque", "goodbye"] as const) check(kind, 100, false, "stream");
for (const kind of ["state", "ask", "local", "wait", "refused"] as const) {
  check(kind, mebibyte, false, "collect");
  check(kind, mebibyte, true, "collect");
  check(kind, mebibyte + 1, false, "refuse");
}
check("write", 100, true, "collectWhole");
check("write", 64 * mebibyte, true, "collectWhole");
check("write", 64 * mebibyte + 1, true, "stream");

test("a request is big by what is there and by what is known to come", () => {
  assert.deepEqual([isBig(mebibyte, mebibyte), isBig(mebibyte + 1, 0), isBig(0, mebibyte + 1)], [false, true, true]);
});

test("what is read goes to the buffer of all until a request is begun, then to where it is put together, then back", () => {
  const unfinished = new UnfinishedRequest(), shared = Buffer.alloc(16);
  assert.equal(unfinished.nextBuffer(shared), undefined, "the same once more");
  assert.equal(unfinished.begun, false);
  unfinished.begin(Buffer.from("abc"), 10_000);
  // Read before the buffer was changed.
  assert.equal(unfinished.add(Buffer.from("de")), 2);
  const room = unfinished.nextBuffer(shared);
  assert.ok(room !== undefined && room !== shared);
  room.write("fgh");
  assert.equal(unfinished.add(room.subarray(0, 3)), 3);
  assert.deepEqual([unfinished.bytes, unfinished.takeFull()], [8, undefined]);
  const rest = unfinished.nextBuffer(shared);
  assert.ok(rest !== undefined && rest.length >= 9_992);
  rest.fill("x", 0, 9_992);
  assert.equal(unfinished.add(rest.subarray(0, 9_992)), 9_992);
  const whole = unfinished.takeFull();
  assert.equal(whole?.bytes.toString("latin1"), `abcdefgh${"x".repeat(9_992)}`);
  assert.deepEqual([unfinished.begun, unfinished.bytes, unfinished.add(Buffer.from("next"))], [false, 0, 0]);
  assert.equal(unfinished.nextBuffer(shared), shared);
  assert.equal(unfinished.nextBuffer(shared), undefined);
});
