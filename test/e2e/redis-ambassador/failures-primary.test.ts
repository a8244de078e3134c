import assert from "node:assert/strict";
import { after, afterEach, before, describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startFaultScene, type AmbassadorProcess, type FaultNode, type FaultScene } from "./fault-scene.ts";
import { allKinds, Recorder, seed, type Promised, type Recording } from "./recorder.ts";
import { patient } from "./support.ts";
import { openWire } from "./wire.ts";

/** `stallMs`: what a change in the background may cost a client on top of what the machine itself takes. */
const stallMs = 1_000, stuckAfterMs = 2_500;
/** Trouble for a moment lasts longer than any read may be held up by it: whoever waited for its end would be noticed. */
const momentMs = 2 * stallMs;
/** Commands are held for as long as a test needs, and replicas are read however slow they are. */
const settings = { ...patient, PODKIT_FAILOVER_PROBE_INTERVAL_MS: "200ms", PODKIT_FAILOVER_PROBE_TIMEOUT_MS: "1500ms" };
/** Takes a primary that is silent for lost within a test's time. */
const hasty = { ...settings, PODKIT_FAILOVER_STUCK_AFTER_MS: `${stuckAfterMs}ms` };
/** Clients that have a write in hand at any moment, so that so many can be uncertain when its connection is lost. */
const writing = 10;
/** Whatever happens to the primary: no read of what nobody writes fails, and clients see no error but the ambassador's. */
const alwaysPromised: Promised = { readsLost: 0, foreignErrors: 0 };
/** While the replicas hear their primary those reads are not even held. A dead primary is heard by nobody: then reads wait like writes. */
const readsGoOn: Promised = { ...alwaysPromised, longestReadMs: stallMs };

describe("when the primary fails", () => {
  const started = new AsyncDisposableStack();
  let scene: FaultScene, ambassador: AmbassadorProcess, impatient: AmbassadorProcess, primary: FaultNode, first: FaultNode, second: FaultNode;
  before(async () => {
    // What was acknowledged survives a kill.
    scene = started.use(await startFaultScene({ words: ["--appendonly", "yes", "--appendfsync", "no"] }));
    [primary, first, second] = [scene.node(0), scene.node(1), scene.node(2)];
    [ambassador, impatient] = await Promise.all([scene.ambassador(settings), scene.ambassador(hasty)]);
    await whole();
    await seed(ambassador);
  });
  after(async () => await started.disposeAsync());

  /** So that a failure does not become the next test's. */
  afterEach(async () => {
    for (const node of scene.nodes) {
      node.proxy.setWeather({});
      await node.thaw().catch(() => undefined);
      await node.start();
      await node.answers();
    }
    for (const [index, node] of scene.nodes.entries()) if ((await node.info("replication", "role")) !== (index === 0 ? "master" : "slave")) await node.ask("REPLICAOF", ...(index === 0 ? ["NO", "ONE"] : [primary.name, "6379"]));
    await whole();
  });

  const whole = async (): Promise<void> => {
    for (const each of [ambassador, impatient]) await each.sees({ primary, eligible: [first, second] });
  };

  /** Runs clients while `happen` makes trouble; writes go through before it and after it. */
  async function under(t: TestContext, promised: Promised, happen: (recorder: Recorder) => Promise<void>, through = ambassador): Promise<Recording> {
    const recorder = new Recorder(through, allKinds);
    const written = async (count: number): Promise<void> => {
      const atMs = recorder.nowMs;
      await eventually(() => recorder.writesSince(atMs) > count, { what: `${count} writes` });
    };
    try {
      await written(100);
      await happen(recorder);
      await written(100);
    } catch (error) {
      const recording = await recorder.stop();
      t.diagnostic(`${recording.summary}\n${recording.timeline}\n${through.log}`);
      throw error;
    }
    const recording = await recorder.stop();
    recording.check(t, promised);
    return recording;
  }

  const readFor = async (recorder: Recorder, reads: number, forMs = 0): Promise<void> => {
    const atMs = recorder.nowMs;
    await eventually(() => recorder.readsSince(atMs) > reads && recorder.nowMs > atMs + forMs, { what: `${reads} reads meanwhile` });
  };

  test("a primary that is busy is waited for, and taken for dead by nobody", async (t) => {
    const recording = await under(t, { ...alwaysPromised, readbacksLost: 0, stale: 0, writesLost: 0, closed: 0 }, async (recorder) => {
      recorder.note(`primary DEBUG SLEEP ${momentMs / 1000}`);
      await primary.ask("DEBUG", "SLEEP", String(momentMs / 1000));
      recorder.note("it answers again");
    });
    await recording.checkCounters(ambassador);
  });

  test("with the primary killed writes are held and go through when it is back; only what was in hand is uncertain", async (t) => {
    const recording = await under(t, { ...alwaysPromised, stale: 0, uncertain: writing }, async (recorder) => {
      recorder.note("primary killed");
      await primary.kill();
      await ambassador.sees({ primary: "none" });
      await eventually(async () => (await ambassador.metric("held_total")) > writing, { what: "commands held" });
      recorder.note("primary started");
      await primary.start();
      await ambassador.sees({ primary });
      recorder.note("primary known");
    });
    assert.equal(recording.count("write", "refused"), 0);
    await recording.checkCounters(ambassador);
    await whole();
  });

  test("with the primary frozen for longer than failover.stuckAfterMs what it had in hand is uncertain, and no increment is repeated", async (t) => {
    const recording = await under(t, { ...readsGoOn, stale: 0, uncertain: writing }, async (recorder) => {
      recorder.note("primary SIGSTOP");
      await primary.freeze();
      try {
        await eventually(() => recorder.count("write", "uncertain") > 0);
        recorder.promptFromNow();
        await readFor(recorder, 100, momentMs);
      } finally {
        recorder.note("primary SIGCONT");
        await primary.thaw();
      }
      await whole();
    }, impatient);
    assert.equal(recording.count("write", "refused"), 0);
    await recording.checkCounters(ambassador);
  });

  /** The roles as a person would swap them. */
  async function swap(from: FaultNode, to: FaultNode, other: FaultNode): Promise<void> {
    await to.ask("REPLICAOF", "NO", "ONE");
    await from.ask("REPLICAOF", to.name, "6379");
    await other.ask("REPLICAOF", to.name, "6379");
    await ambassador.sees({ primary: to, eligible: [from, other] });
  }

  test("roles swapped by hand and back give READONLY to nobody, and no write fails", async (t) => {
    // What the old primary took after the new one had left it is lost, which no proxy can prevent: each counter may go back once a swap, then.
    let wholeAgainMs = 0;
    const recording = await under(t, { ...alwaysPromised, uncertain: 0 }, async (recorder) => {
      recorder.note("roles swapped");
      await swap(primary, first, second);
      recorder.note("new primary known");
      const atMs = recorder.nowMs;
      await eventually(() => recorder.writesSince(atMs) > 100);
      recorder.note("roles swapped back");
      await swap(first, primary, second);
      recorder.note("former primary known");
      await recorder.everyCounterWritten();
      wholeAgainMs = recorder.nowMs;
      await readFor(recorder, 200);
    });
    assert.equal(recording.count("write", "refused"), 0);
    assert.equal(recording.staleSince(wholeAgainMs), 0, `old values after the swap\n${recording.timeline}`);
  });

  test("FAILOVER of the server itself loses no acknowledged write and shows no old value", async (t) => {
    const recording = await under(t, { ...alwaysPromised, stale: 0, uncertain: 0 }, async (recorder) => {
      for (const [from, to] of [[primary, first], [first, primary]] as const) {
        recorder.note(`FAILOVER to ${to.name}`);
        await from.ask("FAILOVER", "TO", to.name, "6379", "TIMEOUT", "30000");
        await eventually(async () => (await to.info("replication", "role")) === "master");
        await second.ask("REPLICAOF", to.name, "6379");
        await ambassador.sees({ primary: to, eligible: [from, second] });
        recorder.note(`${to.name} known`);
      }
    });
    assert.equal(recording.count("write", "refused"), 0);
    await recording.checkCounters(ambassador);
  });

  test("with the primary killed and a replica promoted by hand writes go there, and never to the old primary when it comes back", async (t) => {
    await under(t, { ...alwaysPromised, uncertain: writing }, async (recorder) => {
      recorder.note("primary killed");
      await primary.kill();
      await ambassador.sees({ primary: "none" });
      recorder.note("replica 1 promoted");
      await first.ask("REPLICAOF", "NO", "ONE");
      await second.ask("REPLICAOF", first.name, "6379");
      await ambassador.sees({ primary: first, eligible: [second] });
      recorder.note("replica 1 known as the primary; the old one started");
      await primary.start();
      await primary.answers();
      assert.equal(await primary.info("replication", "role"), "master");
      const atMs = recorder.nowMs;
      await eventually(() => recorder.writesSince(atMs) > 200);
      assert.equal(await primary.calls("incr"), 0, "increments went to the old primary");
      assert.equal(await primary.calls("get"), 0, "reads went to the old primary");
      recorder.note("the old one made a replica");
      await primary.ask("REPLICAOF", first.name, "6379");
      await ambassador.sees({ primary: first, eligible: [primary, second] });
    });
    await swap(first, primary, second);
  });

  for (const [what, silent] of [["silent both ways", "both"], ["open one way only: requests arrive, replies do not", "down"]] as const) {
    test(`with the network to the primary ${what} for a moment nothing is lost`, async (t) => {
      const recording = await under(t, { ...readsGoOn, readbacksLost: 0, stale: 0, writesLost: 0, closed: 0 }, async (recorder) => {
        recorder.note(`the network to the primary is ${what}`);
        primary.proxy.setWeather({ silent });
        await ambassador.sees({ primary: "none" });
        recorder.promptFromNow();
        await readFor(recorder, 200, momentMs);
        recorder.note("the network is well");
        primary.proxy.setWeather({});
      });
      await recording.checkCounters(ambassador);
    });

    test(`with the network to the primary ${what} for long, what was in hand is uncertain, the rest is held`, async (t) => {
      const recording = await under(t, { ...readsGoOn, stale: 0, uncertain: writing }, async (recorder) => {
        recorder.note(`the network to the primary is ${what}`);
        primary.proxy.setWeather({ silent });
        await eventually(() => recorder.count("write", "uncertain") > 0);
        recorder.promptFromNow();
        await readFor(recorder, 100, momentMs);
        recorder.note("the network is well");
        primary.proxy.setWeather({});
        await whole();
      }, impatient);
      assert.equal(recording.count("write", "refused"), 0);
      await recording.checkCounters(ambassador);
    });
  }

  test("connections to the primary that are reset or refused make only what was in hand uncertain", async (t) => {
    const recording = await under(t, { ...readsGoOn, stale: 0, uncertain: 4 * writing }, async (recorder) => {
      for (let round = 0; round < 3; round += 1) {
        recorder.note("connections to the primary reset");
        primary.proxy.resetAll();
        const atMs = recorder.nowMs;
        await eventually(() => recorder.writesSince(atMs) > 50);
      }
      recorder.note("the primary refuses connections");
      await primary.proxy.stopListening();
      primary.proxy.resetAll();
      await ambassador.sees({ primary: "none" });
      recorder.promptFromNow();
      await readFor(recorder, 100, momentMs);
      recorder.note("and no more");
      await primary.proxy.listenAgain();
    });
    assert.equal(recording.count("write", "refused"), 0);
    await recording.checkCounters(ambassador);
    await whole();
  });

  test("an increment whose reply is lost is uncertain, whether it was executed or not, and is never sent again", async () => {
    await using wire = await openWire(ambassador);
    await wire.one("SET", "exactly", "0");
    const sent = async (): Promise<number> => await ambassador.metric("commands_total", `node="${primary.address}",class="write"`);
    let expected = 0; // stays below 10
    for (const silent of ["up", "down", "up", "down", "down", "up"] as const) {
      assert.equal(await wire.one("INCR", "exactly"), `:${(expected += 1)}\r\n`);
      const sentBefore = await sent();
      primary.proxy.setWeather({ silent });
      wire.send(["INCR", "exactly"]);
      if (silent === "down") await eventually(async () => (await primary.ask("GET", "exactly")) === `$1\r\n${expected + 1}\r\n`, { what: "the increment executed" });
      else await eventually(async () => (await sent()) > sentBefore, { what: "the increment on its way" });
      if (silent === "down") expected += 1;
      primary.proxy.resetAll();
      primary.proxy.setWeather({});
      assert.match((await wire.replies(1))[0] ?? "", /may or may not have been executed/);
    }
    assert.equal(await wire.one("GET", "exactly"), `$1\r\n${expected}\r\n`);
    await whole();
  });

  test("the time in which the ambassador itself did not run is not held against a server", async () => {
    await using wire = await openWire(impatient);
    await wire.one("SET", "patience", "0");
    primary.proxy.setWeather({ silent: "down" });
    wire.send(["INCR", "patience"]);
    await eventually(async () => (await primary.ask("GET", "patience")) === "$1\r\n1\r\n", { what: "the increment executed" });
    const after = async (ms: number): Promise<void> => {
      const fromMs = performance.now();
      await eventually(() => performance.now() - fromMs > ms);
    };
    impatient.signal("SIGSTOP");
    await after(stuckAfterMs + 500);
    impatient.signal("SIGCONT");
    // It has looked at its connections again before the answer comes.
    await impatient.metrics();
    await after(200);
    primary.proxy.setWeather({});
    assert.deepEqual(await wire.replies(1), [":1\r\n"]);
    await whole();
  });

  test("with every server gone commands are held and drained; past failover.holdMs each gets the explicit error, and the client goes on", async (t) => {
    const brief = await scene.ambassador({ ...settings, PODKIT_FAILOVER_HOLD_MS: "400ms" });
    await using wire = await openWire(brief);
    const recording = await under(t, { foreignErrors: 0, stale: 0, uncertain: writing }, async (recorder) => {
      recorder.note("every server killed");
      await Promise.all(scene.nodes.map(async (node) => await node.kill()));
      for (const each of [ambassador, brief]) await each.sees({ primary: "none", eligible: [] });
      for (const words of [["SET", "late", "1"], ["GET", "late"]]) assert.match(await wire.one(...words), /^-ERR podkit ambassador: no primary is known for \d+ ms; the command was not executed/);
      recorder.note("every server started");
      await Promise.all(scene.nodes.map(async (node) => await node.start()));
      await ambassador.sees({ primary });
    });
    assert.equal(recording.count(undefined, "refused"), 0);
    await recording.checkCounters(ambassador);
    await brief.sees({ primary });
    assert.equal(await wire.one("SET", "late", "2"), "+OK\r\n");
    await whole();
  });

  test("with the hold buffer full the explicit error says so, and what was held is executed", async () => {
    const small = await scene.ambassador({ ...settings, PODKIT_LIMITS_HELD_BYTES: "100KB" });
    await small.sees({ primary });
    const wires = await Promise.all(Array.from({ length: 30 }, async () => await openWire(small)));
    await primary.kill();
    try {
      await small.sees({ primary: "none" });
      wires.forEach((wire, index) => wire.send(["SET", `held:${index}`, "x".repeat(10_000)]));
      // What there is no room for is refused at once; the others wait for the primary.
      await eventually(() => wires.filter((wire) => wire.pending > 0).length >= 15, { what: "refusals" });
    } finally {
      await primary.start();
    }
    const replies = await Promise.all(wires.map(async (wire) => (await wire.replies(1))[0] ?? ""));
    const full = replies.filter((reply) => reply.includes("too many commands are waiting (limits.heldBytes); the command was not executed"));
    const held = replies.filter((reply) => reply === "+OK\r\n").length;
    assert.equal(full.length + held, 30, replies.find((reply) => reply !== "+OK\r\n" && !full.includes(reply)));
    assert.ok(held >= 8 && full.length >= 15, `${held} held, ${full.length} refused`);
    for (const [index, reply] of replies.entries()) assert.equal(await primary.ask("EXISTS", `held:${index}`), reply === "+OK\r\n" ? ":1\r\n" : ":0\r\n");
    for (const wire of wires) {
      assert.equal(await wire.one("PING"), "+PONG\r\n");
      wire.destroy();
    }
    await whole();
  });

  test("SIGTERM amid load: whatever was executed was answered, and the process ends by itself", async (t) => {
    const ending = await scene.ambassador(settings);
    await ending.sees({ primary, eligible: [first, second] });
    const recorder = new Recorder(ending, { readers: 4, readbacks: 2, writers: 8, blocking: 1, pubsub: 1 });
    await eventually(() => recorder.count("write") > 300);
    recorder.note("SIGTERM");
    ending.signal("SIGTERM");
    assert.equal(await ending.exited, 0);
    recorder.note("exit");
    const recording = await recorder.stop();
    recording.check(t, { foreignErrors: 0, uncertain: 0, stale: 0 });
    await recording.checkCounters(ambassador, 0);
  });
});
