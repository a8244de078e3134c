import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import type { Chunk } from "../../../../sidecars/log-shipper/delivery/chunk.ts";
import { ackMessage } from "../../../../sidecars/log-shipper/forward-protocol/messages.ts";
import { eventually } from "../../../support/eventually.ts";
import { startFaultProxy, type FaultAction, type FaultRule } from "../../../support/fault-proxy.ts";
import { RecordingReceiver } from "../support/receiver.ts";
import { startSingleSink, type SingleSink } from "../support/single-sink.ts";
import { chunkOf } from "./chunks.ts";

const records = 10;
/** All chunks, and so all frames, have the same size. */
const chunkNumber = (n: number): Chunk => chunkOf(`chunk-${String(n).padStart(16, "0")}`, Array.from({ length: records }, (_, index) => ({ id: `${String(n).padStart(4, "0")}-${index}`, log: "a line of usual length, with nothing special in it" })));
const ackBytes = ackMessage(Buffer.from(chunkNumber(0).id)).length;
const frameBytes = ((): number => {
  const { id, tag, entries } = chunkNumber(0);
  return encode([tag, entries, { chunk: id, size: records }]).length;
})();

function startForward(port: number, settings: { readonly [key: string]: unknown } = {}): SingleSink {
  return startSingleSink({ type: "forward", servers: [`127.0.0.1:${port}`], retryMaxMs: 20, ackTimeoutMs: 400, writeTimeoutMs: 400, connectTimeoutMs: 400, ...settings });
}

/** Delivers chunks, at most `window` at once, and answers when all are delivered. */
async function deliverAll({ sink }: SingleSink, count: number, window: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const chunk = chunkNumber(next++);
      assert.deepEqual(await sink.deliver(chunk), { kind: "delivered", deadLettered: [] });
      // Its memory is used again from now on: what is still sent of it would show.
      chunk.entries.fill(0xc1);
    }
  };
  await Promise.all(Array.from({ length: window }, lane));
}

/** Record by record: nothing lost, each once for whoever knows chunk ids, the same bytes each time. Returns how many chunks came again. */
function repeats(receiver: RecordingReceiver, count: number): number {
  const all = Array.from({ length: count }, (_, n) => Array.from({ length: records }, (_each, index) => `${String(n).padStart(4, "0")}-${index}`)).flat();
  assert.deepEqual(receiver.unique.map(({ id }) => String(id)).toSorted(), all, "each record once by chunk id: none lost, none twice");
  for (const copies of Map.groupBy(receiver.received, ({ chunk }) => chunk).values()) assert.equal(new Set(copies.map(({ bytes }) => bytes)).size, 1, "a resent chunk has the same bytes");
  const repeated = receiver.all.length - all.length;
  assert.equal(repeated % records, 0);
  return repeated / records;
}

/** `again`: how many chunks the receiver gets once more, exactly; `resent`: how many were sent once more. One chunk at a time. */
type Case = { readonly name: string; readonly rules: readonly FaultRule[]; readonly again: number; readonly resent: number };

const down = (connection: number, at: number, action: FaultAction): FaultRule => ({ connection, direction: "down", at, action });
const up = (connection: number, at: number, action: FaultAction): FaultRule => ({ connection, direction: "up", at, action });

const cases: readonly Case[] = [
  { name: "no fault", rules: [], again: 0, resent: 0 },
  { name: "a reset amid a chunk", rules: [up(0, 2 * frameBytes + 99, { kind: "reset" })], again: 0, resent: 1 },
  { name: "a reset after a chunk, before its ack", rules: [down(0, 2 * ackBytes, { kind: "delay", delayMs: 100 }), up(0, 3 * frameBytes, { kind: "reset" })], again: 1, resent: 1 },
  { name: "a reset amid an ack", rules: [down(0, 2 * ackBytes + 10, { kind: "reset" })], again: 1, resent: 1 },
  { name: "resets amid an ack on three connections in a row", rules: [0, 1, 2].map((n) => down(n, ackBytes + 10, { kind: "reset" })), again: 3, resent: 3 },
  { name: "a half-close by the receiver amid an ack", rules: [down(0, 2 * ackBytes + 3, { kind: "halfClose" })], again: 1, resent: 1 },
  { name: "a half-close on the way to the receiver, amid a chunk", rules: [up(0, 2 * frameBytes + 99, { kind: "halfClose" })], again: 0, resent: 1 },
  { name: "an orderly end amid a chunk", rules: [up(0, 2 * frameBytes + 99, { kind: "close" })], again: 0, resent: 1 },
  { name: "acks split at every byte", rules: [{ direction: "down", at: 0, action: { kind: "split", bytes: 1 } }], again: 0, resent: 0 },
  { name: "chunks split into random pieces", rules: [{ direction: "up", at: 0, action: { kind: "split", bytes: 97, random: true } }], again: 0, resent: 0 },
  { name: "late acks", rules: [{ direction: "down", at: 0, action: { kind: "delay", delayMs: 30, jitterMs: 30 } }], again: 0, resent: 0 },
  { name: "an ack later than its deadline", rules: [down(0, 2 * ackBytes, { kind: "delay", delayMs: 30_000 })], again: 1, resent: 1 },
  { name: "acks that are swallowed", rules: [down(0, 2 * ackBytes, { kind: "swallow" })], again: 1, resent: 1 },
  { name: "a chunk that is swallowed", rules: [up(0, 2 * frameBytes, { kind: "swallow" })], again: 0, resent: 1 },
  { name: "a receiver that stops reading amid a chunk", rules: [up(0, 2 * frameBytes + 99, { kind: "stallReading" })], again: 0, resent: 1 },
  { name: "a slow-loris receiver", rules: [up(0, 2 * frameBytes, { kind: "rate", bytesPerSecond: 100 }), up(0, 2 * frameBytes, { kind: "split", bytes: 10 })], again: 0, resent: 1 },
  { name: "acks that trickle in slower than the deadline", rules: [down(0, 2 * ackBytes, { kind: "rate", bytesPerSecond: 2 }), down(0, 2 * ackBytes, { kind: "split", bytes: 1 })], again: 1, resent: 1 },
  { name: "a receiver that accepts and is silent", rules: [{ connection: 0, action: { kind: "silence" } }], again: 0, resent: 1 },
  { name: "refused connections", rules: [0, 1].map((connection) => ({ connection, action: { kind: "refuse" } })), again: 0, resent: 0 },
];

for (const { name, rules, again, resent } of cases) {
  test(`With ${name} nothing is lost and ${again} chunks come twice`, { timeout: 150_000 }, async () => {
    await using receiver = new RecordingReceiver();
    await receiver.listen();
    const proxy = await startFaultProxy({ upstream: { host: "127.0.0.1", port: receiver.port }, rules, seed: 11 });
    const under = startForward(proxy.port);
    await deliverAll(under, 8, 1);
    await under.sink.close();
    assert.equal(repeats(receiver, 8), again, JSON.stringify(proxy.trace));
    // Whether a chunk was on its way when a fault without bytes of its own struck is a matter of microseconds.
    const resends = under.events.filter((event) => event === "resent").length;
    if (resent > 0) assert.equal(resends, resent, JSON.stringify(proxy.trace));
    else assert.ok(resends <= rules.length);
    assert.equal(under.events.filter((event) => event === "acked").length, 8);
    await proxy.close();
  });
}

const wrongAnswers: readonly { readonly name: string; readonly answer: (chunk: string) => Uint8Array; readonly again: number }[] = [
  { name: "acks a chunk that was never sent", answer: () => ackMessage(Buffer.from("somebody else's")), again: 1 },
  { name: "acks the chunk before", answer: (chunk) => ackMessage(Buffer.from(chunk.replace("2", "1"))), again: 1 },
  { name: "acks twice", answer: (chunk) => Buffer.concat([ackMessage(Buffer.from(chunk)), ackMessage(Buffer.from(chunk))]), again: 0 },
  { name: "acks with another type", answer: () => encode({ ack: 5 }), again: 1 },
  { name: "answers what is no ack", answer: () => encode(["HELO", {}]), again: 1 },
  { name: "answers what is no MessagePack", answer: () => Buffer.from([0xc1, 0xc1]), again: 1 },
  { name: "answers without end", answer: () => Buffer.concat([Buffer.from([0xdb, 0x7f, 0xff, 0xff, 0xff]), Buffer.alloc(100_000)]), again: 1 },
];

for (const { name, answer, again } of wrongAnswers) {
  test(`A receiver that ${name} gets the chunk ${again === 0 ? "once" : "again"}, and nothing is lost`, { timeout: 150_000 }, async () => {
    await using receiver = new RecordingReceiver();
    await receiver.listen();
    let lies = 1;
    receiver.answer = ({ chunk }) => (chunk.endsWith("2") && lies-- > 0 ? answer(chunk) : ackMessage(Buffer.from(chunk)));
    const under = startForward(receiver.port);
    await deliverAll(under, 5, 1);
    assert.equal(repeats(receiver, 5), again);
  });
}

test("An ack for a chunk that has not even left ends the connection, and the chunk is sent again", { timeout: 150_000 }, async () => {
  const big = chunkOf("big", Array.from({ length: 300 }, (_, n) => ({ n, filler: "x".repeat(100_000) })));
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const open = new Set<Socket>();
  const liar = createServer((socket) => {
    socket.on("error", () => undefined);
    open.add(socket);
    // Something has come; the rest stays in its buffers and in ours.
    socket.once("data", () => void socket.pause().write(ackMessage(Buffer.from(big.id))));
  });
  await new Promise<void>((resolve) => void liar.listen(0, "127.0.0.1", resolve));
  const address = liar.address();
  const { sink, logged } = startForward(0, { servers: [`127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`, `127.0.0.1:${receiver.port}`], ackTimeoutMs: 10_000, writeTimeoutMs: 10_000 });
  assert.equal((await sink.deliver(big)).kind, "delivered");
  assert.ok(logged.some(({ reason }) => /before it had all of it/.test(String(reason))), JSON.stringify(logged));
  assert.equal(receiver.all.length, 300, "the honest server has it");
  await sink.close();
  for (const socket of open) socket.destroy();
  await new Promise<void>((resolve) => void liar.close(() => resolve()));
});

/** mulberry32: the same faults for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const count = 40, window = 4, faultyConnections = 6;

function randomRules(random: () => number): readonly FaultRule[] {
  const actions: readonly FaultAction[] = [{ kind: "reset" }, { kind: "close" }, { kind: "halfClose" }, { kind: "swallow" }, { kind: "stallReading" }, { kind: "split", bytes: 7, random: true }, { kind: "delay", delayMs: 20, jitterMs: 200 }, { kind: "rate", bytesPerSecond: 20_000 }];
  return Array.from({ length: faultyConnections }, (_, connection) => Array.from({ length: 1 + Math.floor(random() * 2) }, (): FaultRule => {
    const isDown = random() < 0.5;
    const action = actions[Math.floor(random() * actions.length)] ?? { kind: "reset" };
    return isDown ? down(connection, Math.floor(random() * 12 * ackBytes), action) : up(connection, Math.floor(random() * 12 * frameBytes), action);
  })).flat();
}

for (let seed = 1; seed <= 12; seed++) {
  for (const compress of seed % 3 === 0 ? ["gzip", "zstd"] : ["none"]) {
    test(`Whatever befalls six connections (seed ${seed}, compression ${compress}), nothing is lost, and at most a window per connection comes twice`, { timeout: 150_000 }, async () => {
      await using receiver = new RecordingReceiver();
      await receiver.listen();
      const rules = randomRules(randomOf(seed));
      const proxy = await startFaultProxy({ upstream: { host: "127.0.0.1", port: receiver.port }, rules, seed });
      const under = startForward(proxy.port, { compress, ackTimeoutMs: 300, writeTimeoutMs: 300 });
      await deliverAll(under, count, window);
      await under.sink.close();
      const again = repeats(receiver, count);
      const ended = under.events.filter((event) => event === "disconnected").length;
      assert.ok(again <= window * ended, `${again} chunks came again over ${ended} ended connections: ${JSON.stringify(rules)}`);
      await eventually(() => under.events.filter((event) => event === "acked").length === count);
      await proxy.close();
    });
  }
}

test("A stand-still of this process is not held against the receiver: nothing is sent again", { timeout: 120_000 }, async () => {
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  // The receiver lives in this process: its ack waits in the socket when the process goes on, and the deadline has long passed.
  receiver.ack = () => {
    for (const until = performance.now() + 1_000; performance.now() < until; );
    return true;
  };
  const under = startForward(receiver.port);
  await deliverAll(under, 3, 1);
  assert.equal(repeats(receiver, 3), 0);
  assert.ok(!under.events.includes("resent"));
});
