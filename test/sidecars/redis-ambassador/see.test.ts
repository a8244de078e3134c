import assert from "node:assert/strict";
import { test } from "node:test";
import { HotKeys, printable } from "../../../sidecars/redis-ambassador/see/hot-keys.ts";
import { LatencyHistogram, latencyBoundsSeconds } from "../../../sidecars/redis-ambassador/see/latency.ts";
import { SlowLog } from "../../../sidecars/redis-ambassador/see/slow-log.ts";
import { hashKey } from "../../../sidecars/redis-ambassador/routing/write-filter.ts";

const use = (hot: HotKeys, key: string): void => {
  const bytes = Buffer.from(key);
  hot.add(hashKey(bytes, 0, bytes.length), bytes, 0, bytes.length);
};

test("the most used keys are found among ten thousand others, with their rates", () => {
  const hot = new HotKeys({ kept: 3, sampledOneIn: 10, halfLifeMs: 10_000, nowMs: 0 });
  for (let round = 0; round < 10_000; round += 1) {
    use(hot, `other:${round}`);
    use(hot, "hottest");
    if (round % 2 === 0) use(hot, "hot");
    if (round % 4 === 0) use(hot, "warm");
  }
  const list = hot.list(0);
  assert.deepEqual(list.map(({ key }) => key), ["hottest", "hot", "warm"]);
  const [hottest] = list;
  // 10,000 samples of one in ten, within 15 s of memory; the sketch may say a little more.
  assert.ok(hottest !== undefined && hottest.perSecond >= 6666 && hottest.perSecond < 7000, `${hottest?.perSecond}`);
});

test("a key that was hot is forgotten when it is used no more, and another takes its place", () => {
  const hot = new HotKeys({ kept: 1, sampledOneIn: 1, halfLifeMs: 1_000, nowMs: 0 });
  for (let round = 0; round < 1000; round += 1) use(hot, "before");
  assert.deepEqual(hot.list(10).map(({ key }) => key), ["before"]);
  hot.fade(12_000);
  for (let round = 0; round < 10; round += 1) use(hot, "now");
  assert.deepEqual(hot.list(12_000).map(({ key }) => key), ["now"]);
  assert.deepEqual(hot.list(60_000), []);
});

test("keys are shown printable and cut", () => {
  const key = Buffer.concat([Buffer.from("a\r\n\\é"), Buffer.alloc(100, "x")]);
  assert.equal(printable(key, 0, 6), "a\\x0d\\x0a\\x5c\\xc3\\xa9");
  assert.ok(printable(key, 0, key.length).endsWith("… (106 bytes)"));
});

test("latencies fall into their buckets, and quantiles name the bucket's bound", () => {
  const latency = new LatencyHistogram();
  assert.equal(latency.quantileMs(0.5), undefined);
  for (let count = 0; count < 98; count += 1) latency.record(200);
  latency.record(20_000);
  latency.record(20_000_000);
  assert.equal(latency.counts.reduce((sum, count) => sum + count, 0), 100);
  assert.equal(latency.counts[latencyBoundsSeconds.indexOf(0.00025)], 98);
  assert.deepEqual([latency.quantileMs(0.5), latency.quantileMs(0.99), latency.quantileMs(1)], [0.25, 25, Number.POSITIVE_INFINITY]);
  assert.ok(Math.abs(latency.sumSeconds - 20.0396) < 1e-9);
});

test("the slow log keeps the latest so many, the newest first, and its capacity may change", () => {
  const log = new SlowLog(3), entry = { atMs: 0, durationMicros: 1, key: "k", commands: 1, node: "n", client: "c" };
  for (let index = 0; index < 5; index += 1) log.add({ ...entry, command: `c${index}` });
  assert.deepEqual(log.list().map(({ id, command }) => [id, command]), [[4, "c4"], [3, "c3"], [2, "c2"]]);
  log.capacity = 2;
  log.add({ ...entry, command: "c5" });
  assert.deepEqual(log.list().map(({ command }) => command), ["c5", "c4"]);
  assert.equal(log.total, 6);
});
