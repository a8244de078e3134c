import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { commandCalls } from "../../support/redis-topology.ts";
import { startScene, type Scene, type StartedAmbassador } from "./support.ts";
import { openWire } from "./wire.ts";

const rounds = 1000;

/** Counts reads that gave an older value than the one whose write had been acknowledged, while other clients write much. */
async function staleReads(ambassador: StartedAmbassador, readerIsWriter: boolean): Promise<number> {
  await using writer = await openWire(ambassador);
  await using other = await openWire(ambassador);
  await using load = await openWire(ambassador);
  const reader = readerIsWriter ? writer : other;
  const enough = new AbortController();
  let stale = 0;
  const loaded = (async () => {
    for (let round = 0; !enough.signal.aborted; round += 1) {
      await load.ask(...Array.from({ length: 40 }, (_, index) => ["SET", `load:${index}`, `${round}`.padEnd(500, "x")]));
    }
  })();
  for (let round = 0; round < rounds; round += 1) {
    const key = `ryw:${round % 50}`, value = `${round}`;
    assert.equal(await writer.one("SET", key, value), "+OK\r\n");
    if (await reader.one("GET", key) !== `$${value.length}\r\n${value}\r\n`) stale += 1;
    // Reads of keys that nobody writes: these may go to the replicas all the time.
    await reader.one("GET", "quiet");
  }
  enough.abort();
  await loaded;
  return stale;
}

describe("what is written through the ambassador is read through it", () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene();
  });
  after(async () => await scene[Symbol.asyncDispose]());

  for (const [who, same] of [["the same connection", true], ["another connection", false]] as const) {
    test(`pod: no stale read on ${who} in ${rounds} rounds under write load, and the replicas do answer reads`, async () => {
      const ambassador = await scene.ambassador();
      await scene.resetStats();
      assert.equal(await staleReads(ambassador, same), 0);
      const calls = await Promise.all(scene.redis.replicas.map(async (replica) => (await commandCalls(replica))["get"] ?? 0));
      assert.ok(calls.every((count) => count > rounds / 10), `the replicas answered ${calls.join(" and ")} reads`);
    });
  }

  test("session: no stale read on the writing connection", async () => {
    assert.equal(await staleReads(await scene.ambassador({ PODKIT_READS_CONSISTENCY: "session" }), true), 0);
  });

  test("eventual: the same check finds stale reads, so it can find them", async () => {
    const ambassador = await scene.ambassador({ PODKIT_READS_CONSISTENCY: "eventual" });
    let stale = 0;
    for (let attempt = 0; attempt < 5 && stale === 0; attempt += 1) stale = await staleReads(ambassador, true);
    assert.ok(stale > 0, "expected at least one stale read without proofs");
  });

  test("writes in a transaction, by a script and by a blocked client are read by others at once", async () => {
    const ambassador = await scene.ambassador();
    await using one = await openWire(ambassador);
    await using two = await openWire(ambassador);
    for (let round = 0; round < 200; round += 1) {
      await one.ask(["MULTI"], ["SET", "t", `${round}`], ["EXEC"]);
      assert.equal(await two.one("GET", "t"), `$${`${round}`.length}\r\n${round}\r\n`);
      await one.one("EVAL", "return redis.call('set', 'hidden', ARGV[1])", "0", `${round}`);
      assert.equal(await two.one("GET", "hidden"), `$${`${round}`.length}\r\n${round}\r\n`);
      const popped = one.one("BLPOP", "jobs", "5");
      await two.one("RPUSH", "jobs", "x");
      await popped;
      assert.equal(await two.one("LLEN", "jobs"), ":0\r\n");
    }
  });
});
