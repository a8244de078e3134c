import assert from "node:assert/strict";
import { test } from "node:test";
import { Hold, holdVerdict, type HoldHub } from "../../../sidecars/redis-ambassador/connections/hold.ts";
import type { HubClient } from "../../../sidecars/redis-ambassador/hub.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

const limits = { holdMs: 1_000, heldBytesMax: 100 };

for (const [outageMs, heldBytes, expected] of [
  [0, 0, "held"], [999, 100, "held"], [1_000, 0, "expired"], [5_000, 1_000, "expired"], [0, 101, "full"], [999, 101, "full"],
] as const) {
  test(`after ${outageMs} ms without a primary and with ${heldBytes} bytes held a command is ${expected}`, () => assert.equal(holdVerdict({ outageMs, heldBytes }, limits), expected));
}

const client: HubClient = {
  id: 1, address: "", serverId: undefined, resume: () => undefined, close: () => undefined, endWhenIdle: () => undefined,
  describe: () => assert.fail("nobody asks for it"),
};

function scene() {
  const clock = createVirtualClock();
  const hub: HoldHub = { clock, counts: { held: 0, heldMs: 0 }, settings: limits, parked: new Set(), heldBytes: 0 };
  return { clock, hub, hold: new Hold(hub, client) };
}

test("what a client holds is counted with all that is held, and given back when it leaves", () => {
  const { hub, hold } = scene();
  hub.heldBytes = 50;
  assert.equal(hold.refusal(0, 50), undefined);
  hold.park(50);
  assert.deepEqual([hub.heldBytes, hub.counts.held, hub.parked.has(client)], [100, 1, true]);
  assert.match(String(hold.refusal(0, 1)), /^-ERR .*limits\.heldBytes/);
  hold.left(50);
  assert.deepEqual([hub.heldBytes, hub.parked.size], [50, 0]);
  hold.left(50);
  assert.equal(hub.heldBytes, 50, "who is not parked gives nothing back");
});

test("the time of a hold is counted once, from its beginning to the first resumption", async () => {
  const { clock, hub, hold } = scene(), beganMs = clock.monotonicMs();
  hold.park(1);
  await clock.advance(100);
  hold.park(1);
  await clock.advance(200);
  hold.resumed();
  await clock.advance(300);
  hold.resumed();
  assert.equal(hub.counts.heldMs, 300);
  await clock.advance(400);
  assert.match(String(hold.refusal(beganMs, 0)), /^-ERR .*no primary is known for 1000 ms/);
});

test("a read fails when there has been no replica for too long, counted from the first in vain", async () => {
  const { clock, hold } = scene();
  assert.equal(hold.readRefusal(true), undefined);
  await clock.advance(999);
  assert.equal(hold.readRefusal(true), undefined);
  await clock.advance(1);
  assert.equal(hold.readRefusal(false), undefined, "a replica that has to catch up is waited for");
  assert.match(String(hold.readRefusal(true)), /^-ERR .*no replica may be read for 1000 ms/);
  assert.equal(hold.readRefusal(true), undefined, "the next one waits anew");
  await clock.advance(999);
  hold.sent();
  await clock.advance(1);
  assert.equal(hold.readRefusal(true), undefined, "something was sent meanwhile");
});
