import assert from "node:assert/strict";
import { test } from "node:test";
import { supervise } from "../../kit/supervise.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

const backoff = { initialMs: 100, maxMs: 400, factor: 2, jitter: 0 };

test("a loop that throws or returns is started again after a growing delay, and afresh after a good run", async () => {
  const clock = createVirtualClock();
  const stop = new AbortController();
  const delays: number[] = [];
  let runs = 0;
  const over = supervise({
    name: "loop", backoff, clock, random: () => 0, signal: stop.signal,
    onFailure: (_, __, delayMs) => delays.push(delayMs),
    async run() {
      runs++;
      if (runs === 2) return;
      if (runs === 4) await clock.sleep(10_000);
      throw new Error("broken");
    },
  });
  await clock.advance(12_000);
  assert.deepEqual(delays.slice(0, 5), [100, 200, 400, 100, 200]);
  stop.abort();
  await over;
  const before = runs;
  await clock.advance(10_000);
  assert.equal(runs, before);
});
