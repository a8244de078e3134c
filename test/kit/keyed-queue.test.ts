import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyedQueue } from "../../kit/keyed-queue.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

const backoff = { initialMs: 100, maxMs: 1000, factor: 2, jitter: 0 };
const never = new AbortController().signal;
const fresh = () => {
  const clock = createVirtualClock();
  return { clock, queue: new KeyedQueue({ clock, backoff, random: () => 0 }) };
};

test("a key added three times is handed out once", async () => {
  const { queue } = fresh();
  for (let index = 0; index < 3; index++) queue.add("a");
  queue.add("b");
  assert.equal(await queue.take(never), "a");
  assert.equal(await queue.take(never), "b");
  assert.equal(queue.length, 0);
});

test("a key added while it is worked on comes again only after done", async () => {
  const { queue } = fresh();
  queue.add("a");
  assert.equal(await queue.take(never), "a");
  queue.add("a");
  assert.equal(queue.length, 0);
  queue.done("a");
  assert.equal(await queue.take(never), "a");
});

test("of two delayed adds the earlier one counts", async () => {
  const { clock, queue } = fresh();
  queue.addAfter("a", 5000);
  queue.addAfter("a", 200);
  queue.addAfter("a", 9000);
  await clock.advance(199);
  assert.equal(queue.length, 0);
  await clock.advance(1);
  assert.equal(queue.length, 1);
  await clock.advance(10_000);
  assert.equal(queue.length, 1);
});

test("rate-limited adds wait longer each time, until the key is forgotten", async () => {
  const { clock, queue } = fresh();
  const delays: number[] = [];
  for (const forget of [false, false, false, true, false]) {
    if (forget) queue.forget("a");
    queue.addRateLimited("a");
    const before = clock.monotonicMs();
    while (queue.length === 0) await clock.advance(100);
    delays.push(clock.monotonicMs() - before);
    queue.done((await queue.take(never)) ?? "");
  }
  assert.deepEqual(delays, [100, 200, 400, 100, 200]);
});

test("closing ends takers and delayed adds", async () => {
  const { clock, queue } = fresh();
  queue.addAfter("a", 100);
  const taken = queue.take(never);
  queue.close();
  assert.equal(await taken, undefined);
  await clock.advance(1000);
  assert.equal(clock.sleepers, 0);
});
