import assert from "node:assert/strict";
import { after, afterEach, before, describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { ServerImage } from "../../support/redis-topology.ts";
import { allKinds, Recorder, seed, type Promised, type Recording } from "./recorder.ts";
import { startConfigured, startServerBox, type ConfiguredAmbassador, type ServerBox } from "./server-box.ts";
import { openWire, type Place } from "./wire.ts";

// What clients see while sentinels change the primary, on every kind of server. About 80 s.

const servers = [7001, 7002, 7003] as const, sentinels = [7011, 7012, 7013] as const;
/** Clients that have a write in hand at any moment, so that so many can be uncertain when its connection is lost. */
const writing = 10;
/** Clients see no error but the ambassador's own, READONLY least of all, and reads of what nobody writes do not fail. */
const alwaysPromised: Promised = { readsLost: 0, foreignErrors: 0 };
/** What a client sees where nothing has happened to a server. */
const nothingSeen: Promised = { ...alwaysPromised, readbacksLost: 0, stale: 0, writesLost: 0, closed: 0 };
/** What the sentinels wait before they give the primary up: so long that a stall of the machine moves nothing, but once it was killed. */
const patientMs = 120_000, hastyMs = 1_000;
/** A failover whose first attempt fails, because a replica too was late, is tried again after twice the failover-timeout: writes are held for longer. */
const failedOverWithinMs = 90_000, holdMs = 120_000;
const watched = [
  "sentinel monitor pair 127.0.0.1 7001 2", `sentinel down-after-milliseconds pair ${patientMs}`, "sentinel failover-timeout pair 4000", "sentinel parallel-syncs pair 2",
];

/** A primary and two replicas in the sentinels' care, with an ambassador that knows the sentinels alone. */
class Scene implements AsyncDisposable {
  readonly box: ServerBox;
  readonly ambassador: ConfiguredAmbassador;
  readonly place: Place;

  constructor(box: ServerBox, ambassador: ConfiguredAmbassador, place: Place) {
    this.box = box;
    this.ambassador = ambassador;
    this.place = place;
  }

  /** The one that the sentinels name. */
  async primary(): Promise<number> {
    for (const port of sentinels) {
      const told = await this.box.cli(port, "sentinel", "get-master-addr-by-name", "pair").catch(() => "");
      const found = /(\d{4})$/.exec(told)?.[1];
      if (found !== undefined) return Number(found);
    }
    throw new Error("No sentinel answers");
  }

  /** How long the sentinels that are alive wait for a server's answer. */
  async giveUpAfter(ms: number): Promise<void> {
    for (const port of sentinels) await this.box.cli(port, "sentinel", "set", "pair", "down-after-milliseconds", String(ms)).catch(() => undefined);
  }

  /** Waits until every sentinel knows the same primary, both replicas with their links up and the other sentinels: until then it would not act. */
  async settled(): Promise<number> {
    return await eventually(async () => {
      const primary = await this.primary();
      for (const port of sentinels) {
        assert.match(await this.box.cli(port, "sentinel", "get-master-addr-by-name", "pair"), new RegExp(`${primary}$`));
        const about = await this.box.cli(port, "info", "sentinel");
        assert.match(about, /status=ok,.*slaves=2,sentinels=3/);
        assert.equal([...(await this.box.cli(port, "sentinel", "replicas", "pair")).matchAll(/master-link-status\s+ok/g)].length, 2);
      }
      await this.box.replicas(primary, 2);
      await this.ambassador.sees(this.box.address(primary), 2);
      return primary;
    }, { timeoutMs: 90_000, intervalMs: 200, what: "sentinels and servers settled" });
  }

  /** Runs clients while `happen` makes trouble; writes go through before it and after it. */
  async under(t: TestContext, promised: Promised, happen: (recorder: Recorder) => Promise<void>): Promise<Recording> {
    const recorder = new Recorder(this.place, allKinds);
    const written = async (): Promise<void> => {
      const atMs = recorder.nowMs;
      await eventually(() => recorder.writesSince(atMs) > 100, { what: "100 writes" });
    };
    try {
      await written();
      await happen(recorder);
      await written();
    } catch (error) {
      const recording = await recorder.stop();
      t.diagnostic(`${recording.summary}\n${recording.timeline}\n${this.ambassador.log}`);
      throw error;
    }
    const recording = await recorder.stop();
    recording.check(t, promised);
    return recording;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ambassador[Symbol.asyncDispose]();
    await this.box[Symbol.asyncDispose]();
  }
}

async function startScene(image: ServerImage): Promise<Scene> {
  const box = await startServerBox([...servers, ...sentinels], image);
  try {
    await Promise.all([box.server(7001), box.server(7002, "--replicaof", "127.0.0.1 7001"), box.server(7003, "--replicaof", "127.0.0.1 7001")]);
    await box.replicas(7001, 2);
    await Promise.all(sentinels.map(async (port) => await box.sentinel(port, ...watched)));
    const ambassador = await startConfigured({
      upstream: { mode: "sentinel", nodes: sentinels.map((port) => box.address(port)), sentinel: { masterName: "pair" }, addressMap: box.addressMap }, failover: { probeIntervalMs: "200ms", holdMs },
    });
    const scene = new Scene(box, ambassador, await ambassador.place());
    await scene.settled();
    await seed(scene.place);
    return scene;
  } catch (error) {
    await box[Symbol.asyncDispose]();
    throw error;
  }
}

/** Kills the primary under load; gives the port that died and the one that was promoted. */
async function failOver(t: TestContext, scene: Scene, prepare?: () => Promise<void>): Promise<{ readonly dead: number; readonly promoted: number }> {
  const dead = await scene.settled();
  await using wire = await openWire(scene.place);
  const script = "return redis.call('GET', KEYS[1]) or 'nothing'";
  const sha = (await wire.one("SCRIPT", "LOAD", script)).split("\r\n")[1] ?? "";
  await wire.one("SET", "scripted", "kept");
  await eventually(async () => (await wire.one("WAIT", "2", "1000")) === ":2\r\n", { what: "both replicas having everything" });
  await prepare?.();
  let promoted = 0;
  const recording = await scene.under(t, { ...alwaysPromised, uncertain: writing }, async (recorder) => {
    recorder.note(`primary ${dead} killed`);
    await scene.box.kill(dead);
    await scene.giveUpAfter(hastyMs);
    promoted = await eventually(async () => {
      const named = await scene.primary();
      return named === dead ? undefined : named;
    }, { timeoutMs: failedOverWithinMs, what: "another primary named by the sentinels" });
    await scene.giveUpAfter(patientMs);
    recorder.note(`the sentinels name ${promoted}`);
    await scene.ambassador.sees(scene.box.address(promoted), 1);
    recorder.note("the ambassador has it as the primary, with one replica");
  });
  assert.equal(recording.count("write", "refused"), 0, `writes that had to wait were refused\n${recording.timeline}`);
  assert.equal(await wire.one("EVALSHA", sha, "1", "scripted"), "$4\r\nkept\r\n", "the script that the application has loaded is there after the failover");
  return { dead, promoted };
}

/** Starts the former primary, which at first takes itself for one and is made a replica by the sentinels. */
async function comeBack(t: TestContext, scene: Scene, dead: number, promoted: number): Promise<void> {
  const recording = await scene.under(t, nothingSeen, async (recorder) => {
    recorder.note(`${dead} started, a primary in its own eyes`);
    await scene.box.server(dead);
    await eventually(async () => (await scene.box.cli(dead, "role")).startsWith("slave"), { timeoutMs: 90_000, what: `${dead} made a replica` });
    recorder.note("the sentinels have made it a replica");
    await scene.ambassador.sees(scene.box.address(promoted), 2);
    recorder.note("the ambassador reads it");
    const before = await gets(scene, dead);
    await eventually(async () => (await gets(scene, dead)) > before + 20, { what: "reads at the former primary" });
  });
  await recording.checkCounters(scene.place, 0);
}

const gets = async (scene: Scene, port: number): Promise<number> => Number(/cmdstat_get:calls=(\d+)/.exec(await scene.box.cli(port, "info", "commandstats"))?.[1] ?? 0);

test("redis7: the primary is killed under load", async (t) => {
  await using scene = await startScene("redis7");
  await failOver(t, scene);
});

test("valkey: the primary is killed under load while the first sentinel is away", async (t) => {
  await using scene = await startScene("valkey");
  await failOver(t, scene, async () => await scene.box.kill(7011));
});

describe("redis: sentinels", () => {
  const started = new AsyncDisposableStack();
  let scene: Scene;
  before(async () => {
    scene = started.use(await startScene("redis"));
  });
  after(async () => await started.disposeAsync());
  /** So that a failure does not become the next test's. */
  afterEach(async () => {
    for (const port of servers) if (!(await answers(port))) await scene.box.server(port);
    for (const port of sentinels) if (!(await answers(port))) await scene.box.resumeSentinel(port);
  });
  const answers = async (port: number): Promise<boolean> => (await scene.box.cli(port, "ping").catch(() => "")) === "PONG";

  test("the primary is killed under load: writes are held, then go through; it comes back as a replica that is read", async (t) => {
    const { dead, promoted } = await failOver(t, scene);
    await comeBack(t, scene, dead, promoted);
  });

  test("sentinels are lost one by one, and all of them, and come back, while clients see nothing", async (t) => {
    const primary = await scene.settled();
    const recording = await scene.under(t, { ...nothingSeen, longestReadMs: 1_000, longestWriteMs: 1_000 }, async (recorder) => {
      for (const port of sentinels) {
        recorder.note(`sentinel ${port} killed`);
        await scene.box.kill(port);
        const atMs = recorder.nowMs;
        await eventually(() => recorder.writesSince(atMs) > 200, { what: "writes meanwhile" });
      }
      await eventually(() => sentinels.every((port) => scene.ambassador.log.includes(`"sentinel":"${scene.box.address(port)}","why":`)), { what: "the loss of every sentinel in the log" });
      await scene.ambassador.sees(scene.box.address(primary), 2);
      for (const port of sentinels) await scene.box.resumeSentinel(port);
      recorder.note("the sentinels are back");
      await scene.settled();
    });
    await recording.checkCounters(scene.place, 0);
  });

  // After the loss of all sentinels, so that this shows also that they are heard again.
  test("SENTINEL FAILOVER gives READONLY to nobody: no read fails, and only what is in hand when the sentinels cut the old primary's connections is uncertain", async (t) => {
    const old = await scene.settled();
    // What the old primary takes after the new one has left it is lost, which no proxy can prevent: each counter may go back once, then.
    let wholeAgainMs = 0;
    const recording = await scene.under(t, { ...alwaysPromised, readbacksLost: 0, uncertain: writing }, async (recorder) => {
      recorder.note("SENTINEL FAILOVER");
      await scene.box.cli(7011, "sentinel", "failover", "pair");
      await eventually(async () => (await scene.primary()) !== old, { timeoutMs: failedOverWithinMs, what: "another primary" });
      recorder.note("the sentinels name another");
      await scene.ambassador.sees(scene.box.address(await scene.primary()), 2);
      recorder.note("the old one is a replica that may be read");
      await recorder.everyCounterWritten();
      wholeAgainMs = recorder.nowMs;
      const gone = await gets(scene, old);
      await eventually(async () => (await gets(scene, old)) > gone + 20, { what: "reads at the old primary" });
    });
    assert.equal(recording.count("write", "refused"), 0, recording.timeline);
    assert.ok(recording.count("write", "stale") <= 3, `${recording.count("write", "stale")} of 3 counters went back\n${recording.timeline}`);
    assert.equal(recording.staleSince(wholeAgainMs), 0, `old values after the failover\n${recording.timeline}`);
  });
});
