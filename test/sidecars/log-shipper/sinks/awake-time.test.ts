import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../../kit/clock.ts";
import { AwakeTime } from "../../../../sidecars/log-shipper/sinks/awake-time.ts";

const never = new AbortController().signal;

/** A clock whose sleeps end at once, late by what `lateMs` says for each. */
function lateClock(lateMs: readonly number[]): Clock & { readonly slept: readonly number[] } {
  let [elapsedMs, count] = [0, 0];
  const slept: number[] = [];
  return {
    slept, nowMs: () => elapsedMs, monotonicMs: () => elapsedMs,
    sleep(delayMs) {
      slept.push(delayMs);
      elapsedMs += delayMs + (lateMs[count++] ?? 0);
      return Promise.resolve();
    },
  };
}

test("What a sleep takes too long is no time", async () => {
  const clock = lateClock([0, 5_000]);
  const time = new AwakeTime(clock);
  await time.sleep(100, never);
  await time.sleep(100, never);
  assert.deepEqual([clock.monotonicMs(), time.nowMs()], [5_200, 200]);
});

test("A deadline passes only when so much time was awake", async () => {
  const clock = lateClock([0, 9_000, 9_000]);
  await new AwakeTime(clock).pass(400, never);
  assert.deepEqual([clock.slept, clock.monotonicMs()], [[100, 100, 100, 100], 18_400]);
});

test("A stand-still that several sleeps see counts once", async () => {
  let elapsedMs = 0;
  const wake: (() => void)[] = [];
  const time = new AwakeTime({ nowMs: () => elapsedMs, monotonicMs: () => elapsedMs, sleep: () => new Promise((resolve) => wake.push(resolve)) });
  const sleeps = [100, 200, 300].map((delayMs) => time.sleep(delayMs, never));
  elapsedMs = 1_000;
  for (const each of wake) each();
  await Promise.all(sleeps);
  assert.equal(time.nowMs(), 100, "from the first one's end on it stood still");
});
