import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { collector } from "../../../sidecars/redis-ambassador/connections/collector.ts";
import { freshState } from "../../../sidecars/redis-ambassador/connections/connection-state.ts";
import { Pool } from "../../../sidecars/redis-ambassador/connections/pool.ts";
import { newNode, newShard } from "../../../sidecars/redis-ambassador/servers/node.ts";
import { Lateness, sleepAwake } from "../../../sidecars/redis-ambassador/servers/own-time.ts";
import { eventually } from "../../support/eventually.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

test("a tick that comes about when it should is not late, and one that comes much later is by the difference", () => {
  const lateness = new Lateness(25), at = (...timesMs: readonly number[]): number[] => timesMs.map((nowMs) => lateness.at(nowMs));
  assert.deepEqual(at(1_000, 1_025, 1_060, 1_109, 2_134, 2_160), [0, 0, 0, 0, 1_000, 0]);
});

/** A clock whose sleeps end late by the milliseconds given, one after another, and then in time. */
function lateClock(...latenessMs: readonly number[]) {
  const late = [...latenessMs];
  let nowMs = 0;
  return { sleep: async (delayMs: number): Promise<void> => void (nowMs += delayMs + (late.shift() ?? 0)), get nowMs() { return nowMs; } };
}

test("a stall takes an eighth of a wakeful sleep at most, wherever it falls", async () => {
  for (const stallAt of [0, 3, 7]) {
    const clock = lateClock(...Array.from({ length: stallAt }, () => 0), 5_000);
    await sleepAwake(clock, 400);
    assert.equal(clock.nowMs, 5_400, "seven eighths are left for what has come during the stall, and no more");
  }
});

test("a wakeful sleep is as long as it says, and ends when it is aborted", async () => {
  const clock = createVirtualClock(), ending = new AbortController(), ended: string[] = [];
  const sleeps = [sleepAwake(clock, 400).then(() => ended.push("over")), sleepAwake(clock, 400, ending.signal).catch(() => ended.push("aborted"))];
  await clock.advance(399);
  assert.equal(ended.length, 0);
  ending.abort();
  await clock.advance(1);
  await Promise.all(sleeps);
  assert.deepEqual(ended.toSorted(), ["aborted", "over"]);
});

test("a connection is not still while this process does not run, and is closed when the server is silent for too long", async (t) => {
  // The server takes the connection's name and says nothing more.
  const server = createServer((socket) => void socket.on("error", () => undefined).once("data", () => socket.write("+OK\r\n")));
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  const bound = server.address();
  assert.ok(typeof bound === "object" && bound !== null);
  const clock = createVirtualClock(), lost: string[] = [];
  await clock.advance(1_000);
  const pool = new Pool({ settings: { credentials: undefined, tls: undefined, connectTimeoutMs: 60_000, leasesMax: 1, slowMs: Number.POSITIVE_INFINITY }, clock, onSharedLost: () => undefined, onSharedClosed: () => undefined });
  const upstream = pool.shared(newNode(newShard("all", 0), "127.0.0.1", bound.port), freshState), request = Buffer.from("PING\r\n");
  upstream.send(collector(1, () => undefined, (reason) => lost.push(reason)), request, 0, request.length, 1, undefined);
  t.after(() => pool.closeAll());
  await eventually(() => upstream.ready);
  const sweep = (): void => pool.sweep(clock.monotonicMs(), () => 250);
  await clock.advance(200);
  sweep();
  await clock.advance(5_000);
  pool.excuse(5_000, clock.monotonicMs());
  sweep();
  assert.deepEqual(lost, [], "the server has had 200 ms");
  pool.excuse(60_000, clock.monotonicMs());
  assert.ok(upstream.lastProgressMs <= clock.monotonicMs(), "nothing is excused that is still to come");
  await clock.advance(251);
  sweep();
  assert.match(lost.join(), /has not answered for 251 ms/);
});
