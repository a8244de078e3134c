import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { checkHistory, type Read, type Verdict } from "../../support/register-history.ts";
import { startAmbassadorProcess, startFaultScene, type AmbassadorProcess, type FaultScene } from "./fault-scene.ts";
import { Recorder, seed } from "./recorder.ts";
import { patient } from "./support.ts";
import { openWire } from "./wire.ts";
import { HistoryLoad, type History, type HistoryOptions } from "./history-load.ts";

/** Replicas so far behind that a read sent to them carelessly is a stale one. */
const lagMs = [12, 25], readsMin = 10_000, readsMax = 240_000, atReplicasMin = 100, recentMin = 1000;
/** A load goes on until it has shown enough, which on a slow machine takes its time. */
const slow = { timeout: 600_000 } as const;

type JudgedOptions = Omit<HistoryOptions, "until"> & { readonly until: (history: History, atReplicas: number) => boolean };

const tell = (read: Read, history: History): string => {
  const writes = history.writes.filter(({ key, endedMs, begunMs }) => key === read.key && endedMs > read.begunMs - 200 && begunMs < read.endedMs).map(({ client, value, begunMs, endedMs }) => `${value} by ${client} ${Math.round(begunMs)}-${Math.round(endedMs)}`);
  return `client ${read.client} read ${read.value} of ${read.key} ${Math.round(read.begunMs)}-${Math.round(read.endedMs)}; writes: ${writes.join(", ")}`;
};

describe("what is written through the ambassador is read through it", () => {
  const started = new AsyncDisposableStack();
  let scene: FaultScene;
  before(async () => {
    scene = started.use(await startFaultScene({ lagMs, words: ["--repl-backlog-size", "64mb"] }));
  });
  after(async () => await started.disposeAsync());

  async function ambassadorWith(settings: Readonly<Record<string, string>>): Promise<AmbassadorProcess> {
    const ambassador = await startAmbassadorProcess(scene.nodes.map(({ place }) => `${place.host}:${place.port}`), {
      PODKIT_FAILOVER_PROBE_INTERVAL_MS: "200ms", PODKIT_FAILOVER_STUCK_AFTER_MS: patient.PODKIT_FAILOVER_STUCK_AFTER_MS, PODKIT_FAILOVER_HOLD_MS: patient.PODKIT_FAILOVER_HOLD_MS, ...settings,
    });
    await eventually(async () => (await ambassador.metric("replica_eligible")) === scene.nodes.length - 1, { what: "every replica eligible" });
    return ambassador;
  }

  /** How many GETs the replicas have answered since their counts were reset; a server that was killed has none. */
  async function getsAtReplicas(): Promise<number> {
    const calls = await Promise.all(scene.nodes.map(async (node) => ((await node.info("replication", "role").catch(() => "killed")) === "slave" ? await node.calls("get") : 0)));
    return calls.reduce((sum, count) => sum + count, 0);
  }

  /** Runs the load and checks its history; tells how many reads the replicas have answered. What ends the load may look at that number too. */
  async function judged(t: TestContext, ambassador: AmbassadorProcess, { until, ...options }: JudgedOptions, during?: () => Promise<void>): Promise<Verdict & { readonly atReplicas: number }> {
    for (const node of scene.nodes) await node.ask("CONFIG", "RESETSTAT");
    const begun = performance.now();
    const over = new AbortController();
    let atReplicas = 0;
    const load = new HistoryLoad(ambassador, { ...options, until: (history) => until(history, atReplicas) }).run().finally(() => over.abort());
    const count = async (): Promise<void> => {
      while (!over.signal.aborted) {
        atReplicas = await getsAtReplicas();
        await sleep(100);
      }
    };
    const [history] = await Promise.all([load, during?.(), count()]);
    assert.deepEqual(history.errors, []);
    const verdict = checkHistory(history.writes, history.reads);
    atReplicas = await getsAtReplicas();
    const longest = Math.max(...history.reads.map(({ begunMs, endedMs }) => endedMs - begunMs));
    t.diagnostic(`${((performance.now() - begun) / 1000).toFixed(1)} s, longest read ${Math.round(longest)} ms: ${history.writes.length} writes, ${verdict.reads} reads, ${verdict.recentReads} of them of keys written within the last 100 ms; ${verdict.stale.length} stale (${verdict.staleOwn.length} after an own write), ${verdict.backwards.length} backwards, ${verdict.impossible.length} impossible; ${atReplicas} GETs at replicas`);
    assert.deepEqual(verdict.impossible.map((read) => tell(read, history)), []);
    for (const [name, found] of [["stale", verdict.stale], ["backwards", verdict.backwards]] as const) for (const read of found.slice(0, 3)) t.diagnostic(`${name}: ${tell(read, history)}`);
    return { ...verdict, atReplicas };
  }

  test(`pod: of ${readsMin} reads of recently written keys none is stale, none goes back, and the replicas do answer`, slow, async (t) => {
    await using ambassador = await ambassadorWith({});
    // Most keys are in doubt most of the time, by intent; the reads at replicas are those of keys whose last write was proven to be
    // there. How many of the reads these are depends on the machine, so the load goes on until there are enough.
    const { recentReads, stale, backwards, atReplicas } = await judged(t, ambassador, { until: (history, gets) => (history.recentReads >= readsMin && gets > atReplicasMin) || history.reads.length >= readsMax });
    assert.ok(recentReads >= readsMin, `${recentReads}`);
    assert.deepEqual([stale.length, backwards.length], [0, 0]);
    assert.ok(atReplicas > atReplicasMin, `${atReplicas} reads at replicas`);
  });

  test("eventual: the same check finds many reads stale, and values that go back", slow, async (t) => {
    await using ambassador = await ambassadorWith({ PODKIT_READS_CONSISTENCY: "eventual" });
    // A value goes back when a client's reads meet first the replica that is ahead and then the other, which may take some rounds.
    let stale = 0, backwards = 0;
    for (let round = 0; round < 10 && !(stale > 400 && backwards > 0); round += 1) {
      const found = await judged(t, ambassador, { until: (history) => history.reads.length >= 4000 });
      stale += found.stale.length;
      backwards += found.backwards.length;
    }
    assert.ok(stale > 400 && backwards > 0, `${stale} stale, ${backwards} backwards`);
  });

  /** Enough reads, and enough of them at replicas. */
  const shownAtReplicas = (history: History, gets: number): boolean => (history.reads.length >= 5000 && gets > atReplicasMin) || history.reads.length >= readsMax;

  test("session: no connection misses its own writes; those of others it may", slow, async (t) => {
    await using ambassador = await ambassadorWith({ PODKIT_READS_CONSISTENCY: "session" });
    const { staleOwn, atReplicas } = await judged(t, ambassador, { writeEvery: 40, until: shownAtReplicas });
    assert.equal(staleOwn.length, 0);
    assert.ok(atReplicas > atReplicasMin, `${atReplicas} reads at replicas`);
  });

  test("monotonic: no connection sees a value go back", slow, async (t) => {
    await using ambassador = await ambassadorWith({ PODKIT_READS_CONSISTENCY: "monotonic" });
    const { backwards, atReplicas } = await judged(t, ambassador, { until: shownAtReplicas });
    assert.equal(backwards.length, 0);
    assert.ok(atReplicas > atReplicasMin, `${atReplicas} reads at replicas`);
  });

  /** Runs the load while `change` moves the primary, and until enough reads and writes have gone on for a while after it. */
  async function duringChange(t: TestContext, options: Omit<HistoryOptions, "until">, change: () => Promise<void>): Promise<Verdict & { readonly atReplicas: number }> {
    await using ambassador = await ambassadorWith({});
    let reads = 0, stopAt = Number.POSITIVE_INFINITY;
    const isEnough = (history: History): boolean => (reads = history.reads.length) >= stopAt && (history.recentReads > recentMin || reads >= readsMax);
    return await judged(t, ambassador, { ...options, until: isEnough }, async () => {
      try {
        await eventually(() => reads > 2000, { timeoutMs: 120_000, what: "reads before the change" });
        await change();
      } finally {
        stopAt = reads + 3000;
      }
    });
  }

  test("pod: a big value is read once it is written, also when the connection for it takes long to be readied", async () => {
    const [primary] = scene.nodes;
    assert.ok(primary);
    await using ambassador = await startAmbassadorProcess(scene.nodes.map(({ address }) => address));
    await ambassador.sees({ primary, eligible: scene.nodes.slice(1) });
    primary.proxy.setWeather({ delayMs: 20 });
    try {
      await Promise.all(Array.from({ length: 4 }, async (_, index) => {
        await using writer = await openWire(ambassador);
        await using reader = await openWire(ambassador);
        // This leaves a connection behind that has to be given the next client's name first.
        await writer.ask(["MULTI"], ["PING"], ["EXEC"]);
        assert.equal(await writer.one("CLIENT", "SETNAME", `writer-${index}`), "+OK\r\n");
        assert.equal(await writer.one("SET", `huge:${index}`, "x".repeat(2 * 1024 * 1024)), "+OK\r\n");
        const until = performance.now() + 500;
        while (performance.now() < until) assert.equal(await reader.one("GETRANGE", `huge:${index}`, "0", "1"), "$2\r\nxx\r\n");
      }));
    } finally {
      primary.proxy.setWeather({});
    }
  });

  test("pod, while a replica comes back with what it had long ago: nothing of that is read", async (t) => {
    // It has the copy that it began with. What came since is sent to it from the backlog, the last written last, and meanwhile its link is up.
    const [primary, replica, other] = [scene.node(0), scene.node(1), scene.node(2)];
    await using ambassador = await ambassadorWith({});
    await using wire = await openWire(ambassador);
    for (let index = 0; index < 8; index += 1) await wire.one("SET", `backlog:${index}`, "x".repeat(1024 * 1024));
    await seed(ambassador);
    await scene.inSync(primary, [replica, other]);
    const recorder = new Recorder(ambassador, { readers: 6 });
    const readAtReplica = async (): Promise<boolean> => (await replica.calls("get")) > 50;
    const syncs = async (): Promise<readonly number[]> => [Number(await primary.info("stats", "sync_full")), Number(await primary.info("stats", "sync_partial_ok"))];
    const [full = 0, partial = 0] = await syncs();
    await replica.ask("CONFIG", "RESETSTAT");
    await eventually(readAtReplica);
    recorder.note("replica 1 killed and started");
    await replica.kill();
    await replica.start();
    await replica.answers();
    await eventually(async () => (await replica.info("replication", "master_link_status")) === "up", { what: "its link" });
    recorder.note("its link is up");
    await eventually(readAtReplica, { what: "reads at the replica, although nobody writes" });
    const recording = await recorder.stop();
    recording.check(t, { readsLost: 0, closed: 0 });
    const [fullAfter = 0, partialAfter = 0] = await syncs();
    assert.ok(fullAfter === full && partialAfter > partial, `it has synchronised in full instead: ${full} and ${partial} in part before, ${fullAfter} and ${partialAfter} after`);
  });

  test("pod, while the server fails over by itself: no read is stale", slow, async (t) => {
    const [from, to] = [scene.node(0), scene.node(1)];
    const { stale, backwards } = await duringChange(t, { mayFail: true }, async () => {
      await from.ask("FAILOVER", "TO", to.name, "6379", "TIMEOUT", "60000");
      await eventually(async () => (await to.info("replication", "role")) === "master" && (await from.info("replication", "master_link_status")) === "up", { timeoutMs: 120_000, what: "the roles swapped" });
    });
    assert.deepEqual([stale.length, backwards.length], [0, 0]);
  });

  test("pod, while the primary is killed and a replica promoted: no read misses a write that the replica had acknowledged", slow, async (t) => {
    // Since the test before, server 0 follows server 1. A write counts as ended once WAIT has said that the replica has it.
    const [primary, replica] = [scene.node(1), scene.node(0)];
    await scene.inSync(primary, [replica]);
    const { stale, recentReads } = await duringChange(t, { replicated: 1, mayFail: true }, async () => {
      await primary.kill();
      await replica.ask("REPLICAOF", "NO", "ONE");
    });
    assert.deepEqual(stale.length, 0);
    assert.ok(recentReads > recentMin, `${recentReads}`);
  });
});
