import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedQueue } from "../../kit/bounded-queue.ts";

test("tryPush says full at the capacity, in the unit of sizeOf", () => {
  const queue = new BoundedQueue<string>({ capacity: 5, sizeOf: (text) => text.length });
  assert.equal(queue.tryPush("abc"), "accepted");
  assert.equal(queue.tryPush("def"), "full");
  assert.equal(queue.tryPush("de"), "accepted");
  assert.deepEqual([queue.size, queue.length], [5, 2]);
});

test("an item larger than the capacity passes when the queue is empty", async () => {
  const queue = new BoundedQueue<string>({ capacity: 2, sizeOf: (text) => text.length });
  assert.equal(await queue.push("a long one"), "accepted");
  assert.equal(queue.tryPush("b"), "full");
  assert.equal(await queue.take(), "a long one");
});

test("push waits for room, and those who wait are served in order", async () => {
  const queue = new BoundedQueue<number>({ capacity: 1 });
  await queue.push(1);
  const order: number[] = [];
  const waiting = [2, 3, 4].map((item) => queue.push(item).then(() => order.push(item)));
  const taken: (number | undefined)[] = [];
  for (let index = 0; index < 4; index++) taken.push(await queue.take());
  await Promise.all(waiting);
  assert.deepEqual(taken, [1, 2, 3, 4]);
  assert.deepEqual(order, [2, 3, 4]);
});

test("take waits for an item; an abort ends the wait and loses nothing", async () => {
  const queue = new BoundedQueue<number>({ capacity: 1 });
  const abort = new AbortController();
  const aborted = assert.rejects(queue.take(abort.signal), /enough/);
  abort.abort(new Error("enough"));
  await aborted;
  const taken = queue.take();
  queue.tryPush(7);
  assert.equal(await taken, 7);
});

test("closing ends waiting producers, and consumers get what is inside first", async () => {
  const queue = new BoundedQueue<number>({ capacity: 1 });
  queue.tryPush(1);
  const blocked = queue.push(2);
  queue.close();
  assert.equal(await blocked, "closed");
  const all: number[] = [];
  for await (const item of queue) all.push(item);
  assert.deepEqual(all, [1]);
  assert.equal(queue.tryPush(3), "closed");
});

test("ten thousand items come out in order with a hundred producers waiting", async () => {
  const queue = new BoundedQueue<number>({ capacity: 10 });
  const perProducer = 100;
  const producers = Array.from({ length: 100 }, async (_, producer) => {
    for (let item = 0; item < perProducer; item++) await queue.push(producer * perProducer + item);
  });
  const seen: number[] = [];
  while (seen.length < 10_000) seen.push((await queue.take()) as number);
  await Promise.all(producers);
  assert.equal(new Set(seen).size, 10_000);
  for (let producer = 0; producer < 100; producer++) {
    const own = seen.filter((item) => Math.floor(item / perProducer) === producer);
    assert.deepEqual(own, own.toSorted((left, right) => left - right));
  }
});
