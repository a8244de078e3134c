import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startAmbassadorProcess, startFaultScene, type AmbassadorProcess, type FaultScene } from "./fault-scene.ts";
import { patient } from "./support.ts";
import { openWire } from "./wire.ts";

const reads = 120;

describe("where reads go", () => {
  let scene: FaultScene;
  before(async () => {
    scene = await startFaultScene({ replicas: 2 });
  });
  after(async () => await scene[Symbol.asyncDispose]());

  const addresses = (): readonly string[] => scene.nodes.map(({ address }) => address);
  async function start(reads: string, settings: Readonly<Record<string, string>> = patient): Promise<AmbassadorProcess> {
    const ambassador = await startAmbassadorProcess(addresses(), settings, `reads:\n${reads.split("\n").map((line) => `  ${line}\n`).join("")}`);
    await ambassador.sees({ primary: scene.node(0), eligible: [scene.node(1), scene.node(2)] });
    return ambassador;
  }
  /** How many of the reads each server has answered, the primary first, by its own count. */
  async function spread(ambassador: AmbassadorProcess): Promise<readonly number[]> {
    await using wire = await openWire(ambassador);
    // Until the first proof a new ambassador reads the primary.
    await eventually(async () => {
      await wire.one("GET", "quiet");
      return await ambassador.metric("fence_behind_bytes") === 0 && (await ambassador.metric("fences_total")) >= 1;
    }, { what: "the first proof" });
    const before = await Promise.all(scene.nodes.map(async (node) => await node.calls("get")));
    for (let read = 0; read < reads; read += 1) assert.equal(await wire.one("GET", "quiet"), "$-1\r\n");
    const after = await Promise.all(scene.nodes.map(async (node) => await node.calls("get")));
    return after.map((count, index) => count - (before[index] ?? 0));
  }

  const goes = (title: string, settings: () => string, expected: (counts: readonly number[]) => boolean): void => {
    test(title, async () => {
      await using ambassador = await start(settings());
      const counts = await spread(ambassador);
      assert.equal(counts.reduce((sum, count) => sum + count, 0), reads);
      assert.ok(expected(counts), `the servers answered ${counts.join(", ")}`);
    });
  };
  goes("primary: the primary alone", () => "policy: primary", ([first]) => first === reads);
  goes("prefer-replica: the replicas in turn", () => "policy: prefer-replica", ([first, second, third]) => first === 0 && second === reads / 2 && third === reads / 2);
  goes("replica: the replicas in turn", () => "policy: replica", ([first, second]) => first === 0 && second === reads / 2);
  goes("round-robin: all in turn", () => "policy: round-robin", (counts) => counts.every((count) => count === reads / 3));
  goes("random: every replica gets its share", () => "policy: random", ([first, second = 0, third = 0]) => first === 0 && second > reads / 5 && third > reads / 5);
  goes("weighted: in proportion", () => `policy: weighted\nweights: { "${addresses()[0]}": 1, "${addresses()[1]}": 2, "${addresses()[2]}": 3 }`, ([first, second, third]) => first === reads / 6 && second === reads / 3 && third === reads / 2);
  goes("zone: the replica of one's own zone", () => `policy: zone\nzone: here\nzones: { "${addresses()[1]}": there, "${addresses()[2]}": here }`, ([first, second, third]) => first === 0 && second === 0 && third === reads);

  test("zone: the other replica when one's own fails, and back", async () => {
    // Not patient: the other replica too may be left out for a moment on a slow machine, and is then back soon.
    await using ambassador = await start(`policy: zone\nzone: here\nzones: { "${addresses()[1]}": there, "${addresses()[2]}": here }`, {});
    await scene.node(2).freeze();
    try {
      await ambassador.sees({ eligible: [scene.node(1)] });
      await using wire = await openWire(ambassador);
      await eventually(async () => {
        const before = await scene.node(1).calls("get");
        for (let read = 0; read < 10; read += 1) await wire.one("GET", "quiet");
        return await scene.node(1).calls("get") - before === 10;
      }, { what: "all reads at the other replica" });
    } finally {
      await scene.node(2).thaw();
    }
    await ambassador.sees({ eligible: [scene.node(1), scene.node(2)] });
    await eventually(async () => (await spread(ambassador))[2] === reads, { what: "all reads at one's own again" });
  });

  test("least-latency: not the replica that a slow network lies before", async () => {
    const slow = scene.node(1).proxy;
    slow.setWeather({ delayMs: 30 });
    try {
      await using ambassador = await start("policy: least-latency");
      await eventually(async () => {
        const counts = await spread(ambassador);
        return counts[1] === 0;
      }, { what: "no read at the slow replica" });
    } finally {
      slow.setWeather({});
    }
  });

  test("replica: without a replica reads wait, then fail by name; the primary is never read", async () => {
    await using ambassador = await startAmbassadorProcess(addresses(), { PODKIT_READS_POLICY: "replica", PODKIT_FAILOVER_HOLD_MS: "500ms" });
    await ambassador.sees({ primary: scene.node(0), eligible: [scene.node(1), scene.node(2)] });
    const before = await scene.node(0).calls("get");
    for (const replica of [scene.node(1), scene.node(2)]) await replica.freeze();
    await using wire = await openWire(ambassador);
    try {
      await ambassador.sees({ eligible: [] });
      assert.match(await wire.one("GET", "quiet"), /^-ERR podkit ambassador: no replica may be read for \d+ ms, and reads\.policy forbids the primary; the command was not executed/);
      await eventually(async () => (await wire.one("SET", "still", "written")) === "+OK\r\n", { what: "a write at the primary" });
    } finally {
      for (const replica of [scene.node(1), scene.node(2)]) await replica.thaw();
    }
    await ambassador.sees({ eligible: [scene.node(1), scene.node(2)] });
    // A replica has half a second to prove that it has the write, then the read fails.
    await eventually(async () => (await wire.one("GET", "still")) === "$7\r\nwritten\r\n", { what: "the written value at a replica" });
    assert.equal(await scene.node(0).calls("get"), before);
  });

  for (const serves of [true, false]) {
    test(`reads ${serves ? "go on at the replicas" : "wait"} while the primary is lost, by reads.withoutPrimary`, async () => {
      await using ambassador = await startAmbassadorProcess(addresses(), { ...patient, PODKIT_READS_WITHOUT_PRIMARY: String(serves), PODKIT_FAILOVER_HOLD_MS: "300ms" });
      await spread(ambassador);
      await scene.node(0).kill();
      try {
        await ambassador.sees({ primary: "none", ...(serves ? {} : { eligible: [] }) });
        await using wire = await openWire(ambassador);
        // A replica that serves may have to be asked again first.
        if (serves) await eventually(async () => (await wire.one("GET", "quiet")) === "$-1\r\n", { what: "a read at a replica" });
        else assert.match(await wire.one("GET", "quiet"), /^-ERR podkit ambassador: no primary is known/);
        assert.match(await wire.one("SET", "k", "v"), /^-ERR podkit ambassador: no primary is known for \d+ ms; the command was not executed/);
      } finally {
        await scene.node(0).start();
      }
      await scene.inSync(scene.node(0), [scene.node(1), scene.node(2)]);
    });
  }

  test("READWRITE binds one connection to the primary, and READONLY frees it", async () => {
    await using ambassador = await start("policy: prefer-replica");
    await spread(ambassador);
    await using wire = await openWire(ambassador);
    const primary = scene.node(0), before = await primary.calls("get");
    assert.deepEqual(await wire.ask(["READWRITE"], ["GET", "quiet"], ["GET", "quiet"], ["READONLY"]), ["+OK\r\n", "$-1\r\n", "$-1\r\n", "+OK\r\n"]);
    assert.equal(await primary.calls("get") - before, 2);
    await wire.one("GET", "quiet");
    assert.equal(await primary.calls("get") - before, 2);
  });
});
