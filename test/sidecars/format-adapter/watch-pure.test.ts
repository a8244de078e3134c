import assert from "node:assert/strict";
import { test } from "node:test";
import { keepsAccessTimes, readSinceWritten } from "../../../sidecars/format-adapter/watch/access-times.ts";
import { Announced } from "../../../sidecars/format-adapter/watch/announced.ts";
import { dispatch, type Turn } from "../../../sidecars/format-adapter/watch/dispatch.ts";
import { ContentHash, contentHashOf } from "../../../sidecars/format-adapter/hash/content-hash.ts";
import { isForWriting } from "../../../sidecars/format-adapter/watch/open-writers.ts";
import { systemClock } from "../../../kit/clock.ts";
import { Readiness } from "../../../sidecars/format-adapter/watch/readiness.ts";
import { selectExcess } from "../../../sidecars/format-adapter/watch/retention.ts";
import { isNameBeside, nameBeside } from "../../../sidecars/format-adapter/watch/watch-config.ts";
import { parseAdapter } from "./support.ts";

/** XXH64 with seed 0, as the specification defines it, without a thought for speed. */
function slowXxh64(bytes: Uint8Array): string {
  const mask = (1n << 64n) - 1n;
  const [p1, p2, p3, p4, p5] = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n] as const;
  const rotl = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & mask;
  const round = (acc: bigint, lane: bigint): bigint => (rotl((acc + lane * p2) & mask, 31n) * p1) & mask;
  const lane = (at: number, length: number): bigint => Array.from(bytes.subarray(at, at + length)).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  let at = 0;
  let hash: bigint = p5;
  if (bytes.length >= 32) {
    const acc = [(p1 + p2) & mask, p2, 0n, (-p1) & mask];
    for (; at + 32 <= bytes.length; at += 32) for (const [index, value] of acc.entries()) acc[index] = round(value, lane(at + 8 * index, 8));
    hash = acc.reduce((sum, value, index) => (sum + rotl(value, [1n, 7n, 12n, 18n][index] ?? 0n)) & mask, 0n);
    for (const value of acc) hash = ((hash ^ round(0n, value)) * p1 + p4) & mask;
  }
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8) hash = (rotl(hash ^ round(0n, lane(at, 8)), 27n) * p1 + p4) & mask;
  if (at + 4 <= bytes.length) {
    hash = (rotl(hash ^ ((lane(at, 4) * p1) & mask), 23n) * p2 + p3) & mask;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (rotl(hash ^ ((BigInt(bytes[at] ?? 0) * p5) & mask), 11n) * p1) & mask;
  hash = ((hash ^ (hash >> 33n)) * p2) & mask;
  hash = ((hash ^ (hash >> 29n)) * p3) & mask;
  return (hash ^ (hash >> 32n)).toString(16).padStart(16, "0");
}

test("the content hash is XXH64: published values, every length up to 100, and however the bytes come in pieces", () => {
  // xxhsum -H64 of the same texts.
  assert.equal(contentHashOf(Buffer.from("")), "ef46db3751d8e999");
  assert.equal(contentHashOf(Buffer.from("abc")), "44bc2cf5ad770999");
  assert.equal(contentHashOf(Buffer.from("Nobody inspects the spammish repetition")), "fbcea83c8a378bf1");
  const bytes = Uint8Array.from({ length: 200_000 }, (_, index) => (index * 131 + (index >> 7)) & 255);
  for (let length = 0; length <= 100; length++) {
    const part = bytes.subarray(0, length);
    assert.equal(contentHashOf(part), slowXxh64(part), `length ${length}`);
    for (let cut = 0; cut <= length; cut++) {
      const hash = new ContentHash();
      hash.update(part.subarray(0, cut));
      hash.update(part.subarray(cut));
      assert.equal(hash.digest(), slowXxh64(part), `length ${length} cut at ${cut}`);
      hash.release();
    }
  }
  assert.equal(contentHashOf(bytes), slowXxh64(bytes));
});

test("hashes under way at the same time do not disturb each other", () => {
  const all = Array.from({ length: 300 }, () => new ContentHash());
  for (let round = 0; round < 5; round++) for (const [index, hash] of all.entries()) hash.update(Buffer.from(`${index} ${round} `.repeat(index)));
  for (const [index, hash] of all.entries()) {
    assert.equal(hash.digest(), contentHashOf(Buffer.from(Array.from({ length: 5 }, (_, round) => `${index} ${round} `.repeat(index)).join(""))));
    hash.release();
    hash.release();
  }
});

const item = (path: string, mtimeMs: number, bytes = 10) => ({ path, mtimeMs, bytes });
const limits = { maxAgeMs: undefined, maxCount: undefined, maxBytes: undefined };
for (const [name, given, expected] of [
  ["nothing within the limits", { ...limits, maxCount: 3, maxBytes: 30, maxAgeMs: 100 }, []],
  ["by count, the oldest first", { ...limits, maxCount: 1 }, ["a", "b"]],
  ["all by a count of none", { ...limits, maxCount: 0 }, ["a", "b", "c"]],
  ["by bytes", { ...limits, maxBytes: 25 }, ["a"]],
  ["by age", { ...limits, maxAgeMs: 15 }, ["a"]],
  ["by whatever comes first", { maxAgeMs: 15, maxCount: 1, maxBytes: 1000 }, ["a", "b"]],
] as const) {
  test(`retention removes ${name}`, () => {
    assert.deepEqual(selectExcess([item("b", 90), item("a", 80), item("c", 100)], given, 100).map(({ path }) => path), expected);
  });
}

test("what stands beside a report is named after it and never taken for a report", () => {
  assert.equal(nameBeside("{file}.done", "a.b.csv"), "a.b.csv.done");
  assert.equal(nameBeside("ok-{name}", "a.b.csv"), "ok-a.b");
  assert.equal(nameBeside("_SUCCESS", "a.csv"), "_SUCCESS");
  assert.equal(nameBeside("{file}.done", "$&{file}"), "$&{file}.done", "names are not patterns");
  assert.ok(isNameBeside("{file}.done", "a.csv.done"));
  assert.ok(!isNameBeside("{file}.done", ".done"));
  assert.ok(!isNameBeside("{file}.done", "a.csv"));
  assert.ok(isNameBeside("_SUCCESS", "_SUCCESS"));
});

for (const [info, expected] of [
  ["pos:\t0\nflags:\t0100000\nmnt_id:\t29\n", false],
  ["pos:\t0\nflags:\t0100001\nmnt_id:\t29\n", true],
  ["pos:\t12\nflags:\t02102002\n", true],
  ["pos:\t0\nflags:\t02004000\n", false],
  ["", true],
  ["pos: 0\n", true],
] as const) {
  test(`a descriptor with ${JSON.stringify(info)} counts as ${expected ? "a writer" : "a reader"}`, () => assert.equal(isForWriting(info), expected));
}

test("stable wants as many looks as it is told, apart from one another, and the whole quiet time", async () => {
  const { watch } = parseAdapter('watch: {dir: /in, match: "*", ready: [{stable: {quiet: 600ms, checks: 4}}]}\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {a: a}}}\n');
  let nowMs = 0;
  const readiness = new Readiness(watch, { ...systemClock, monotonicMs: () => nowMs });
  const isReady = async (atMs: number, stat: string): Promise<boolean> => {
    nowMs = atMs;
    return (await readiness.select([{ path: "/in/r", name: "r", stat }], new Set())).ready.length === 1;
  };
  for (const atMs of [0, 1, 2, 3, 200, 400, 599]) assert.equal(await isReady(atMs, "one"), false, `${atMs} ms`);
  assert.equal(await isReady(600, "one"), true);
  // Looks that come late are no fewer.
  for (const atMs of [1_000, 5_000, 5_001, 5_200]) assert.equal(await isReady(atMs, "two"), false, `${atMs} ms`);
  assert.equal(await isReady(5_400, "two"), true);
});

test("files that no event tells of are counted once, and only after an event had its time", () => {
  const announced = new Announced();
  announced.tell("/early");
  const told = announced.take();
  for (const path of ["/early", "/late", "/never"]) announced.find(path, told, 0);
  assert.equal(announced.countMissed(1_000), 0);
  announced.tell("/late");
  assert.equal(announced.countMissed(3_000), 1);
  assert.equal(announced.countMissed(9_000), 0);
  assert.deepEqual([...announced.take()], [], "an event that came after the scan asks for nothing");
});

type Step = { readonly item: string; readonly turn: Turn; readonly end: () => void };

async function settle(): Promise<void> {
  for (let index = 0; index < 20; index++) await Promise.resolve();
}

test("jobs run side by side up to the limit, take their turns in order, and never two of one key", async () => {
  const begun: Step[] = [];
  const given: string[] = [];
  const all = dispatch(["a1", "b1", "a2", "c1"], {
    concurrency: 2,
    inOrder: true,
    keyOf: (each) => each[0] ?? "",
    isOver: () => false,
    async work(each, turn) {
      await new Promise<void>((resolve) => begun.push({ item: each, turn, end: resolve }));
      await turn.wait();
      given.push(each);
    },
  });
  await settle();
  assert.deepEqual(begun.map((step) => step.item), ["a1", "b1"]);
  begun[1]?.end();
  await settle();
  assert.deepEqual(given, [], "b1 waits for a1");
  begun[0]?.end();
  await settle();
  assert.deepEqual(given, ["a1", "b1"]);
  assert.deepEqual(begun.map((step) => step.item), ["a1", "b1", "a2", "c1"]);
  begun[3]?.end();
  await settle();
  assert.deepEqual(given, ["a1", "b1"]);
  begun[2]?.end();
  await all;
  assert.deepEqual(given, ["a1", "b1", "a2", "c1"]);
});

test("two jobs of one key are not at work together even where there is room", async () => {
  let working = 0;
  let most = 0;
  await dispatch(Array.from({ length: 20 }, (_, index) => index), {
    concurrency: 8, inOrder: false, keyOf: (index) => String(index % 2), isOver: () => false,
    async work() {
      most = Math.max(most, ++working);
      await new Promise(setImmediate);
      working--;
    },
  });
  assert.equal(most, 2);
});

test("a dispatch that is over begins nothing more and waits for what is at work", async () => {
  let done = 0;
  await dispatch([1, 2, 3, 4, 5, 6], { concurrency: 2, inOrder: true, keyOf: String, isOver: () => done >= 2, async work() {
    await new Promise(setImmediate);
    done++;
  } });
  assert.ok(done >= 2 && done <= 4, `${done}`);
});

test("an access time tells of a read when it is later than the last writing, and nothing on a mount with noatime", () => {
  assert.equal(readSinceWritten({ atimeNs: 5n, mtimeNs: 5n }), undefined);
  assert.equal(readSinceWritten({ atimeNs: 4n, mtimeNs: 5n }), undefined);
  assert.equal(readSinceWritten({ atimeNs: 6n, mtimeNs: 5n }), 6n);
  const mountinfo = [
    "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
    "30 21 0:40 / /data rw,noatime shared:1 - tmpfs tmpfs rw",
    "31 30 0:41 / /data/old\\040reports rw,relatime shared:2 master:1 - xfs /dev/vdb rw,attr2",
    "32 21 0:42 / /super rw - nfs server:/x rw,noatime",
  ].join("\n");
  assert.deepEqual(["/legacy", "/data", "/data/x", "/data/old reports/2026", "/database", "/super/a"].map((path) => keepsAccessTimes(mountinfo, path)), [true, false, false, true, true, false]);
  assert.equal(keepsAccessTimes("", "/x"), true);
});
