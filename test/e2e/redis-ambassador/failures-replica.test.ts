import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startFaultScene, type AmbassadorProcess, type FaultNode, type FaultScene } from "./fault-scene.ts";
import { allKinds, Recorder, seed, type Promised } from "./recorder.ts";
import { patient } from "./support.ts";

/** `stallMs`: what a change in the background may cost a client on top of what the machine itself takes. */
const stuckAfterMs = 250, stallMs = 1_000, probeIntervalMs = 200;
/** Trouble lasts longer than any client may be held up by it: whoever waited for its end would be noticed. */
const troubleMs = 2 * (stuckAfterMs + stallMs);
/** While the primary lives, whatever happens to a replica. */
const nothingLost: Promised = { readsLost: 0, readbacksLost: 0, stale: 0, writesLost: 0, foreignErrors: 0, closed: 0, longestWriteMs: stallMs };

describe("when a replica fails", () => {
  const started = new AsyncDisposableStack();
  let scene: FaultScene, ambassador: AmbassadorProcess, first: FaultNode, second: FaultNode;
  before(async () => {
    scene = started.use(await startFaultScene());
    first = scene.node(1);
    second = scene.node(2);
    ambassador = await scene.ambassador({
      PODKIT_FAILOVER_PROBE_INTERVAL_MS: `${probeIntervalMs}ms`, PODKIT_READS_STUCK_AFTER_MS: `${stuckAfterMs}ms`,
      // The primary does not fail here, however slow it is.
      PODKIT_FAILOVER_STUCK_AFTER_MS: patient.PODKIT_FAILOVER_STUCK_AFTER_MS, PODKIT_FAILOVER_HOLD_MS: patient.PODKIT_FAILOVER_HOLD_MS,
    });
    await ambassador.sees({ primary: scene.node(0), eligible: [first, second] });
    await seed(ambassador);
  });
  after(async () => await started.disposeAsync());

  /** Runs clients while `happen` makes trouble; every replica is read before it and after it. */
  async function under(t: TestContext, promised: Promised, happen: (recorder: Recorder) => Promise<void>): Promise<void> {
    const recorder = new Recorder(ambassador, allKinds);
    const readAt = async (node: FaultNode): Promise<void> => {
      const before = await node.calls("get");
      await eventually(async () => (await node.calls("get")) > before + 20, { what: `reads at ${node.name}` });
    };
    try {
      await readAt(first);
      await happen(recorder);
      await ambassador.sees({ primary: scene.node(0), eligible: [first, second] });
      recorder.note("both eligible");
      await Promise.all([readAt(first), readAt(second)]);
    } catch (error) {
      t.diagnostic((await recorder.stop()).timeline);
      throw error;
    }
    const recording = await recorder.stop();
    recording.check(t, promised);
    await recording.checkCounters(ambassador);
  }

  /** Time for the trouble to be felt: clients have been served for a while. */
  const servedFor = async (recorder: Recorder, reads: number, forMs = 0): Promise<void> => {
    const atMs = recorder.nowMs;
    await eventually(() => recorder.readsSince(atMs) > reads && recorder.nowMs > atMs + forMs, { what: `${reads} reads meanwhile` });
  };

  test("a killed replica costs no read, and is used again once it is back", async (t) => {
    await under(t, { ...nothingLost, longestReadMs: stallMs, longestReadbackMs: stallMs }, async (recorder) => {
      recorder.note("replica 1 killed");
      await first.kill();
      await ambassador.sees({ eligible: [second] });
      await servedFor(recorder, 100);
      recorder.note("replica 1 started");
      await first.start();
    });
  });

  test("a frozen replica costs no read and stalls none for longer than reads.stuckAfterMs and a bit", async (t) => {
    await under(t, { ...nothingLost, longestReadMs: stuckAfterMs + stallMs, longestReadbackMs: stuckAfterMs + stallMs }, async (recorder) => {
      recorder.note("replica 1 SIGSTOP");
      await first.freeze();
      await ambassador.sees({ eligible: [second] });
      await servedFor(recorder, 100, troubleMs);
      recorder.note("replica 1 SIGCONT");
      await first.thaw();
    });
  });

  test("a replica that is busy for longer than that gets its reads taken away until it answers", async (t) => {
    await under(t, { ...nothingLost, longestReadMs: stuckAfterMs + stallMs, longestReadbackMs: stuckAfterMs + stallMs }, async (recorder) => {
      recorder.note(`replica 1 DEBUG SLEEP ${troubleMs / 1000}`);
      const ejections = await ambassador.metric("replica_ejections_total");
      await first.ask("DEBUG", "SLEEP", String(troubleMs / 1000));
      assert.ok(await ambassador.metric("replica_ejections_total") > ejections, "it was read on while it slept");
    });
  });

  test("a replica that its primary does not reach any more never gives an old value, and is read no more", async (t) => {
    await under(t, { ...nothingLost, longestReadMs: stallMs, longestReadbackMs: stallMs }, async (recorder) => {
      recorder.note("replica 1 hears nothing from the primary");
      await scene.node(0).lose(first);
      try {
        await ambassador.sees({ eligible: [second] });
        recorder.note("replica 1 not eligible");
        const writes = recorder.count("write");
        await eventually(() => recorder.count("write") > writes + 100);
      } finally {
        await scene.node(0).reach(first);
        recorder.note("replica 1 reached again");
      }
    });
  });

  test("a replica that comes back empty is not asked for anything before it is in sync", async (t) => {
    await scene.node(0).ask("CONFIG", "SET", "repl-diskless-sync-delay", "1");
    await scene.node(0).ask("DEBUG", "POPULATE", "4000", "filler", "10");
    const states = new Set<string>();
    await under(t, { ...nothingLost, longestReadMs: stallMs, longestReadbackMs: stallMs }, async (recorder) => {
      recorder.note("replica 1 killed");
      await first.kill();
      await ambassador.sees({ eligible: [second] });
      recorder.note("replica 1 started empty");
      await first.start({ empty: true, words: ["--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024", "--replicaof", "redis-0", "6379"] });
      await eventually(async () => {
        const gets = await first.ask("INFO", "commandstats"), replication = await first.ask("INFO", "replication"), persistence = await first.ask("INFO", "persistence");
        const inSync = replication.includes("master_link_status:up"), state = inSync ? "in sync" : persistence.includes("\nloading:1") ? "loading" : replication.includes("master_sync_in_progress:1") ? "synchronising" : "not connected";
        if (!states.has(state)) recorder.note(`replica 1 ${state}`);
        states.add(state);
        assert.ok(inSync || !gets.includes("cmdstat_get:"), `asked while ${state}: ${/cmdstat_get:.*/.exec(gets)?.[0]}`);
        return inSync;
      }, { intervalMs: 5 });
    });
    assert.ok(states.has("loading") && states.has("not connected"), `seen only: ${[...states].join(", ")}`);
  });

  test("a replica far away delays the reads that it answers, and nobody else", async (t) => {
    await under(t, { ...nothingLost, longestReadMs: stuckAfterMs + stallMs }, async (recorder) => {
      recorder.note("replica 1 60 ms away");
      first.proxy.setWeather({ delayMs: 30 });
      await servedFor(recorder, 300);
      first.proxy.setWeather({});
    });
  });

  for (const [what, begin, end] of [
    ["is silent both ways", () => first.proxy.setWeather({ silent: "both" }), () => first.proxy.setWeather({})],
    ["carries requests, but no replies", () => first.proxy.setWeather({ silent: "down" }), () => first.proxy.setWeather({})],
    ["is refused", async () => { await first.proxy.stopListening(); first.proxy.resetAll(); }, async () => await first.proxy.listenAgain()],
  ] as const) {
    test(`a replica to which the network ${what} costs no read`, async (t) => {
      await under(t, { ...nothingLost, longestReadMs: stuckAfterMs + stallMs, longestReadbackMs: stuckAfterMs + stallMs }, async (recorder) => {
        recorder.note(`the network to replica 1 ${what}`);
        await begin();
        try {
          await ambassador.sees({ eligible: [second] });
          await servedFor(recorder, 100, troubleMs);
        } finally {
          await end();
          recorder.note("the network is well");
        }
      });
    });
  }

  test("connections to a replica that are reset again and again cost no read", async (t) => {
    await under(t, { ...nothingLost, longestReadMs: stuckAfterMs + stallMs, longestReadbackMs: stuckAfterMs + stallMs }, async (recorder) => {
      for (let round = 0; round < 5; round += 1) {
        recorder.note("connections to replica 1 reset");
        first.proxy.resetAll();
        await servedFor(recorder, 50);
      }
    });
  });

  test("with every replica gone the primary answers, and with all back they do", async (t) => {
    await under(t, { ...nothingLost, longestReadMs: stallMs, longestReadbackMs: stallMs }, async (recorder) => {
      recorder.note("both replicas killed");
      await Promise.all([first.kill(), second.kill()]);
      await ambassador.sees({ primary: scene.node(0), eligible: [] });
      await servedFor(recorder, 200);
      recorder.note("both replicas started");
      await Promise.all([first.start(), second.start()]);
    });
  });
});
