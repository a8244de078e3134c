import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { shortHash, type Chunk } from "../../../../sidecars/log-shipper/delivery/chunk.ts";
import { stopped, type Sink } from "../../../../sidecars/log-shipper/sinks/sink.ts";
import { eventually } from "../../../support/eventually.ts";

/** A sink with its destination, made anew for each test. */
export type SinkFixture = {
  readonly sink: Sink;
  /** Everything that has arrived, as text, in any form that shows the lines; also what arrived twice. */
  received(): string;
  /** Makes the destination unreachable, and reachable again. Absent where that cannot be (standard output). */
  down?(): Promise<void>;
  up?(): Promise<void>;
} & AsyncDisposable;

export type SinkContract = {
  readonly name: string;
  readonly start: () => Promise<SinkFixture>;
  /** Whether the destination confirms what it has: else a chunk may count as delivered that nobody has kept. */
  readonly confirms: boolean;
};

/** What the pipeline relies on, whatever the sink. Call it at the top of a test file. */
export function sinkContract({ name, start, confirms }: SinkContract): void {
  const timeout = 150_000;

  test(`${name}: a chunk is delivered with all of its records, once`, { timeout }, async () => {
    await using fixture = await start();
    assert.deepEqual(await fixture.sink.deliver(chunkOf("a", 0, 200)), { kind: "delivered", deadLettered: [] });
    await eventually(() => idsIn(fixture).length >= 200);
    assert.deepEqual(idsIn(fixture).toSorted(), idsFrom("a", 0, 200).toSorted());
    assert.equal(fixture.sink.problem(), undefined);
  });

  test(`${name}: many chunks at once are all delivered`, { timeout }, async () => {
    await using fixture = await start();
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, index) => fixture.sink.deliver(chunkOf("a", index * 10, 10))));
    assert.ok(outcomes.every((outcome) => outcome.kind === "delivered"));
    await eventually(() => idsIn(fixture).length >= 500);
    assert.deepEqual(idsIn(fixture).toSorted(), idsFrom("a", 0, 500).toSorted());
  });

  test(`${name}: the same chunk may come again after it was delivered`, { timeout }, async () => {
    await using fixture = await start();
    for (let round = 0; round < 2; round++) assert.equal((await fixture.sink.deliver(chunkOf("a", 0, 3))).kind, "delivered");
    await eventually(() => new Set(idsIn(fixture)).size === 3);
  });

  test(`${name}: records of every kind are delivered`, { timeout }, async () => {
    await using fixture = await start();
    assert.deepEqual(await fixture.sink.deliver(oddChunk()), { kind: "delivered", deadLettered: [] });
    assert.equal((await fixture.sink.deliver(chunkOf("a", 0, 1))).kind, "delivered", "and those after them");
    await eventually(() => idsIn(fixture).includes("a-0"));
  });

  test(`${name}: a chunk's memory may be used again once it is delivered`, { timeout }, async () => {
    await using fixture = await start();
    const chunks = Array.from({ length: 30 }, (_, index) => chunkOf("a", index * 10, 10));
    const outcomes = await Promise.all(chunks.map(async (chunk) => {
      const { kind } = await fixture.sink.deliver(chunk);
      chunk.entries.fill(0xc1);
      return kind;
    }));
    assert.ok(outcomes.every((kind) => kind === "delivered"));
    await eventually(() => idsIn(fixture).length >= 300);
    assert.deepEqual(idsIn(fixture).toSorted(), idsFrom("a", 0, 300).toSorted());
  });

  test(`${name}: a chunk's bytes are left alone`, { timeout }, async () => {
    await using fixture = await start();
    const chunk = chunkOf("a", 0, 20);
    const before = Buffer.from(chunk.entries);
    await fixture.sink.deliver(chunk);
    assert.deepEqual(Buffer.from(chunk.entries), before);
  });

  test(`${name}: closed, it gives up and takes nothing more, however often it is closed`, { timeout }, async () => {
    await using fixture = await start();
    await fixture.sink.close();
    assert.deepEqual(await fixture.sink.deliver(chunkOf("a", 0, 3)), stopped);
    await fixture.sink.close();
  });

  test(`${name}: while the destination is away everything waits, with a reason, and arrives when it is back`, { timeout }, async (context) => {
    await using fixture = await start();
    if (fixture.down === undefined || fixture.up === undefined || !confirms) return context.skip("it cannot be away, or nobody would know");
    assert.equal((await fixture.sink.deliver(chunkOf("a", 0, 10))).kind, "delivered");
    await fixture.down();
    let settled = 0;
    const deliveries = [1, 2, 3].map((index) => fixture.sink.deliver(chunkOf("a", index * 10, 10)).finally(() => settled++));
    await eventually(() => fixture.sink.problem() !== undefined);
    assert.match(fixture.sink.problem() ?? "", /\w{4}/);
    assert.equal(settled, 0);
    await fixture.up();
    assert.ok((await Promise.all(deliveries)).every((outcome) => outcome.kind === "delivered"));
    await eventually(() => new Set(idsIn(fixture)).size === 40);
    await eventually(() => fixture.sink.problem() === undefined);
  });

  test(`${name}: closed while the destination is away, it ends all the same and claims nothing`, { timeout }, async (context) => {
    await using fixture = await start();
    if (fixture.down === undefined || !confirms) return context.skip("it cannot be away, or nobody would know");
    await fixture.down();
    const delivery = fixture.sink.deliver(chunkOf("a", 0, 3));
    await eventually(() => fixture.sink.problem() !== undefined);
    await fixture.sink.close(); // the destination stays away
    assert.deepEqual(await delivery, stopped);
  });
}

function idsIn(fixture: SinkFixture): readonly string[] {
  return [...fixture.received().matchAll(/#([a-z]+-\d+)#/g)].map((match) => match[1] ?? "");
}

function idsFrom(prefix: string, from: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${from + index}`);
}

/** Lines `#<prefix>-<n>#`, 50 bytes of a file each. */
function chunkOf(prefix: string, from: number, count: number): Chunk {
  return chunkOfRecords(idsFrom(prefix, from, count).map((id) => ({ log: `line #${id}# says hello`, kubernetes: { pod_name: "web-1", namespace_name: "shop" } })), from * 50);
}

function chunkOfRecords(records: readonly Readonly<Record<string, unknown>>[], from: number): Chunk {
  const time = Buffer.from("92d700695662c00000000a", "hex");
  return {
    id: shortHash(`${from} ${records.length}`),
    tag: "app",
    entries: Buffer.concat(records.flatMap((record) => [time, encode(record)])),
    records: records.length,
    origin: { content: "pod\n1", path: "/var/log/app.log", from, spans: Uint32Array.from(records.flatMap((_, index) => [index * 50, 50])) },
  };
}

function oddChunk(): Chunk {
  let deep: unknown = "bottom";
  for (let depth = 0; depth < 15; depth++) deep = depth % 2 === 0 ? [deep] : { deep };
  return chunkOfRecords([
    {}, { log: "" }, { log: null, level: 30 }, { log: 'quotes " and \\ and \u0000 \u001f \n and 🎉' }, { log: Buffer.from([0x61, 0xff, 0xfe, 0x62]) }, { number: 2 ** 53, float: 0.1, negative: -5, yes: true },
    { deep }, { log: "x".repeat(100_000) }, Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key${index}`, index])), { kubernetes: null }, { "": "no name" },
  ], 1_000_000);
}
