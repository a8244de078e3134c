import assert from "node:assert/strict";
import { test } from "node:test";
import { Endpoints } from "../../../../../sidecars/log-shipper/sinks/http/endpoints.ts";

const backoff = { initialMs: 100, factor: 2, jitter: 1, maxMs: 1_000 };
const endpoints = (count: number, random = () => 1) => new Endpoints({ count, backoff, random });

test("One endpoint rests longer with each failure, up to the longest delay, and not at all after a success", () => {
  const one = endpoints(1);
  let nowMs = 0;
  const rests: number[] = [];
  for (let attempt = 0; attempt < 6; attempt++) {
    one.failed(0, nowMs, nowMs, undefined);
    const { waitMs } = one.pick(nowMs);
    rests.push(waitMs);
    nowMs += waitMs;
    assert.equal(one.pick(nowMs).waitMs, 0);
  }
  assert.deepEqual(rests, [100, 200, 400, 800, 1_000, 1_000]);
  one.succeeded(0);
  one.failed(0, nowMs, nowMs, undefined);
  assert.equal(one.pick(nowMs).waitMs, 100);
});

test("The delay has full jitter", () => {
  assert.equal(endpoints(1, () => 0).failed(0, 0, 0, undefined), 0);
  assert.equal(endpoints(1, () => 0.5).failed(0, 0, 0, undefined), 50);
});

test("Requests that fail together count as one failure", () => {
  const one = endpoints(1);
  for (const nowMs of [10, 11, 12, 13]) one.failed(0, 5, nowMs, undefined);
  assert.equal(one.pick(13).waitMs, 97);
});

test("What a server asks for is waited, however short the own delay", () => {
  const one = endpoints(1);
  one.failed(0, 0, 0, 5_000);
  assert.equal(one.pick(0).waitMs, 5_000);
  one.failed(0, 0, 10, 2_000);
  assert.equal(one.pick(10).waitMs, 4_990, "a shorter wait takes nothing back");
});

test("The next endpoint is used at once, a failed one again when all rest or it is its turn", () => {
  const three = endpoints(3);
  assert.deepEqual(three.pick(0), { index: 0, waitMs: 0 });
  three.failed(0, 0, 0, 60_000);
  assert.deepEqual(three.pick(0), { index: 1, waitMs: 0 });
  three.failed(1, 0, 0, undefined);
  assert.deepEqual(three.pick(0), { index: 2, waitMs: 0 });
  three.failed(2, 0, 50, undefined);
  assert.deepEqual(three.pick(60), { index: 1, waitMs: 40 }, "the one whose rest is over first");
  three.succeeded(1);
  assert.deepEqual(three.pick(100_000), { index: 1, waitMs: 0 }, "it stays with what works");
});
