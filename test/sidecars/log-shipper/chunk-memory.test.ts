import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "../../../kit/metrics.ts";
import { ChunkMemory } from "../../../sidecars/log-shipper/delivery/chunk-memory.ts";
import type { Chunk } from "../../../sidecars/log-shipper/delivery/chunk.ts";
import { Pipeline } from "../../../sidecars/log-shipper/delivery/pipeline.ts";
import { delivered, stopped, type Delivery, type Sink } from "../../../sidecars/log-shipper/sinks/sink.ts";
import { createLog } from "../../../kit/log.ts";

const large = (value: number): Uint8Array => new Uint8Array(100_000).fill(value);
const sameMemory = (left: Uint8Array, right: Uint8Array): boolean => left.buffer === right.buffer;

test("What is given back is used again, what is not is never", () => {
  const memory = new ChunkMemory({ freeBytesMax: 1_000_000 });
  const first = memory.copy(large(1));
  const second = memory.copy(large(2));
  assert.ok(!sameMemory(first, second));
  memory.giveBack(first);
  const third = memory.copy(large(3));
  assert.ok(sameMemory(first, third));
  assert.deepEqual([second[0], third[0], third.length], [2, 3, 100_000]);
  memory.forget(second);
  assert.ok(!sameMemory(second, memory.copy(large(4))));
});

test("What is given back twice, or came from elsewhere, is not handed out twice", () => {
  const memory = new ChunkMemory({ freeBytesMax: 1_000_000 });
  const first = memory.copy(large(1));
  memory.giveBack(first);
  memory.giveBack(first);
  memory.giveBack(large(9));
  const pieces = [memory.copy(large(2)), memory.copy(large(3)), memory.copy(large(4))];
  assert.deepEqual(pieces.map((piece) => piece[0]), [2, 3, 4]);
});

test("What the last chunks had no use for is let go", () => {
  const memory = new ChunkMemory({ freeBytesMax: 10_000_000 });
  const pieces = [1, 2, 3].map((value) => memory.copy(large(value)));
  for (const piece of pieces) memory.giveBack(piece);
  for (let round = 0; round < 200; round++) memory.giveBack(memory.copy(large(round)));
  const again = [memory.copy(large(5)), memory.copy(large(6)), memory.copy(large(7))];
  assert.deepEqual(again.map((piece) => pieces.some((each) => sameMemory(each, piece))), [true, false, false]);
  for (const piece of again) memory.giveBack(piece);
  for (let round = 0; round < 200; round++) memory.copy(Uint8Array.of(1));
  assert.ok(again.every((piece) => !sameMemory(piece, memory.copy(large(8)))));
});

test("No more is kept than the bound", () => {
  const memory = new ChunkMemory({ freeBytesMax: 300_000 });
  const pieces = [1, 2, 3, 4].map((value) => memory.copy(large(value)));
  for (const piece of pieces) memory.giveBack(piece);
  const again = [memory.copy(large(5)), memory.copy(large(6))];
  assert.deepEqual(again.map((piece) => pieces.some((each) => sameMemory(each, piece))), [true, false]);
});

/** A pipeline of one required and one optional sink, whose deliveries the test settles. */
function scene() {
  const memory = new ChunkMemory({ freeBytesMax: 1_000_000 });
  const registry = new MetricRegistry();
  const counter = registry.counter({ name: "podkit_test_total", help: "test" }).with({});
  const sinks = [true, false].map((required) => {
    const settle = Promise.withResolvers<Delivery>();
    const sink: Sink = { name: String(required), deliver: async () => await settle.promise, problem: () => undefined, close: async () => undefined };
    return { required, settle, sink };
  });
  const pipeline = new Pipeline({ sinks: sinks.map(({ sink, required }) => ({ sink, required, outlet: 0, shipped: counter, dropped: counter, deadLettered: counter })), inFlightBytesMax: 1_000_000, memory, log: createLog({ role: "test", level: "silent" }) });
  const entries = memory.copy(large(1));
  const chunk: Chunk = { id: "id", tag: "tag", entries, records: 1, origin: { content: "content", path: undefined, from: 0, spans: Uint32Array.of(0, 1) } };
  const isFree = async (): Promise<boolean> => {
    await new Promise((resolve) => void setImmediate(resolve));
    return sameMemory(memory.copy(large(2)), entries);
  };
  const [required, optional] = sinks;
  assert.ok(required !== undefined && optional !== undefined);
  return { required: required.settle, optional: optional.settle, delivery: pipeline.deliver([chunk]), isFree };
}

test("A sink that hangs in the system does not hold up the end", { timeout: 150_000 }, async () => {
  const sink: Sink = { name: "hangs", deliver: () => new Promise(() => undefined), problem: () => undefined, close: () => new Promise(() => undefined) };
  const counter = new MetricRegistry().counter({ name: "podkit_test_total", help: "test" }).with({});
  const pipeline = new Pipeline({ sinks: [{ sink, required: true, outlet: 0, shipped: counter, dropped: counter, deadLettered: counter }], inFlightBytesMax: 1_000, memory: new ChunkMemory({ freeBytesMax: 0 }), log: createLog({ role: "test", level: "silent" }) });
  await pipeline.close();
});

test("A chunk's memory stays its own until every sink has it, also those that are optional", async () => {
  const { required, optional, delivery, isFree } = scene();
  required.resolve(delivered);
  assert.equal((await delivery).kind, "delivered");
  assert.equal(await isFree(), false);
  optional.resolve(delivered);
  assert.equal(await isFree(), true);
});

for (const end of ["stopped", "failed"] as const) {
  test(`The memory of a chunk whose sink was ${end} is not used again`, async () => {
    const { required, optional, delivery, isFree } = scene();
    required.resolve(delivered);
    if (end === "stopped") optional.resolve(stopped);
    else optional.reject(new Error("broken"));
    await delivery;
    assert.equal(await isFree(), false);
  });
}
