import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { eventually } from "../../support/eventually.ts";
import { startAmbassadorProcess, startFaultScene, type AmbassadorProcess, type FaultScene } from "./fault-scene.ts";
import { openWire } from "./wire.ts";

const main = new URL("../../../sidecars/redis-ambassador/main.ts", import.meta.url).pathname;

describe("what the ambassador tells of itself", () => {
  let scene: FaultScene, ambassador: AmbassadorProcess;
  before(async () => {
    scene = await startFaultScene();
    ambassador = await scene.ambassador({ PODKIT_SEE_SLOW_LOG_MS: "40ms" });
    await ambassador.sees({ primary: scene.node(0), eligible: [scene.node(1), scene.node(2)] });
  });
  after(async () => await scene[Symbol.asyncDispose]());

  const explain = async (settings: Readonly<Record<string, string>>, ...words: readonly string[]): Promise<{ readonly code: number; readonly text: string }> => {
    const env = { PATH: process.env["PATH"] ?? "", PODKIT_UPSTREAM_NODES: scene.nodes.map(({ address }) => address).join(","), PODKIT_LOG_LEVEL: "silent", ...settings };
    return await promisify(execFile)(process.execPath, [main, "explain", ...words], { env })
      .then(({ stdout }) => ({ code: 0, text: stdout }), (error: { code: number; stdout: string }) => ({ code: error.code, text: error.stdout }));
  };

  test("explain asks the running ambassador, which knows what is written and not yet proven", async () => {
    await using wire = await openWire(ambassador);
    const running = { PODKIT_ADMIN_ADDR: ambassador.adminAddress };
    await eventually(async () => /goes to 127\.0\.0\.1:\d+\n +because it is next among 2 replicas, by reads.policy prefer-replica/.test((await explain(running, "GET", "quiet")).text), { what: "replicas that may answer" });
    for (const replica of [scene.node(1), scene.node(2)]) await replica.freeze();
    try {
      await wire.one("SET", "busy", "1");
      await eventually(async () => {
        const { code, text } = await explain(running, "GET", "busy");
        assert.equal(code, 0, text);
        assert.match(text, new RegExp(`get: read\\n.*\\n  keys: busy\\n  consistency pod, policy prefer-replica\\ngoes to ${scene.node(0).address}\\n`));
        assert.match(text, /replica +may not +(not proven yet to have the latest write of these keys|not a|not answering|not asked)/);
        return true;
      }, { what: "the primary named" });
    } finally {
      for (const replica of [scene.node(1), scene.node(2)]) await replica.thaw();
    }
    await ambassador.sees({ eligible: [scene.node(1), scene.node(2)] });
  });

  for (const [words, goes] of [
    [["SET", "k", "v"], /^set: write\n[^]*keys: k\n[^]*goes to \S+\n +because it is the primary/], [["SORT", "l"], /^sort: write\n +in this form it only reads[^]*\n +keys: l\n[^]*next among 2 replicas/],
    [["CLIENT", "ID"], /^client id: local\n[^]*goes to the ambassador/], [["KEYS", "*"], /^keys: other\n/], [["NOSUCH", "x"], /^nosuch: unknown\n/], [["BLPOP", "q", "0"], /^blpop: blocking\n/],
  ] as const) {
    test(`explain ${words.join(" ")}, by asking the servers`, async () => {
      // It looks at the servers for some seconds at most, and tells what it knows by then.
      await eventually(async () => {
        const { code, text } = await explain({}, ...words);
        assert.equal(code, 0, text);
        assert.match(text, goes);
        return true;
      }, { what: words.join(" ") });
    });
  }

  test("explain for programs, without a command, and without a server", async () => {
    const json: unknown = JSON.parse((await explain({}, "--json", "MGET", "a", "b")).text);
    assert.ok(typeof json === "object" && json !== null && "keys" in json);
    assert.deepEqual(json.keys, ["a", "b"]);
    assert.equal((await explain({})).code, 64);
    const nobody = await explain({ PODKIT_UPSTREAM_NODES: "127.0.0.1:1" }, "GET", "k");
    assert.equal(nobody.code, 69);
    assert.match(nobody.text, /^explain: no primary is known: .*127\.0\.0\.1:1/);
  });

  test("the slow log names command, key and server, and never a value or a password", async () => {
    await using wire = await openWire(ambassador);
    await wire.one("SET", "slow:key", "secret-value");
    await wire.one("EVAL", "for round = 1, 20000000 do end; return redis.call('GET', KEYS[1])", "1", "slow:key");
    await eventually(async () => JSON.stringify(await ambassador.admin("/slowlog")).includes("slow:key"), { what: "the slow command in the log" });
    const text = JSON.stringify(await ambassador.admin("/slowlog"));
    assert.match(text, new RegExp(`"durationMicros":\\d{5,8},"command":"eval","key":"slow:key","commands":1,"node":"${scene.node(0).address}","client":"127`));
    assert.doesNotMatch(text, /secret/);
  });

  test("the hot key is named, at the admin port and in INFO", async () => {
    await using wire = await openWire(ambassador);
    await eventually(async () => {
      await wire.ask(...Array.from({ length: 500 }, (_, index) => (index % 5 === 0 ? ["GET", `cold:${index}`] : ["GET", "the:hot:key"])));
      return JSON.stringify(await ambassador.admin("/hotkeys")).startsWith('{"keys":[{"key":"the:hot:key"');
    }, { what: "the hot key first" });
    assert.match(await wire.one("INFO", "ambassador"), /hot_key0:per_second=\d+,key=the:hot:key\r\n/);
  });

  test("metrics have latencies by server, lag, and reads by server; every line is Prometheus text", async () => {
    await using wire = await openWire(ambassador);
    await wire.one("SET", "metrics", "1");
    const metrics = await eventually(async () => {
      await wire.one("GET", "quiet");
      const text = await ambassador.metrics();
      for (const node of scene.nodes) assert.match(text, new RegExp(`podkit_redis_ambassador_latency_seconds_bucket\\{node="${node.address}",le="\\+Inf"\\} [1-9]`));
      for (const replica of [scene.node(1), scene.node(2)]) assert.match(text, new RegExp(`podkit_redis_ambassador_replica_lag_bytes\\{node="${replica.address}"\\} \\d`));
      return text;
    }, { what: "latencies and lags of all servers" });
    for (const line of metrics.trimEnd().split("\n")) assert.match(line, /^(# (HELP|TYPE) \S+ .+|[a-z_]+(\{[^}]*\})? ([-+]?[\d.e+-]+|[+-]Inf|NaN))$/);
  });

  test("a dry run sends everything to the primary and tells where reads would have gone", async () => {
    await using dry = await startAmbassadorProcess(scene.nodes.map(({ address }) => address), { PODKIT_READS_DRY_RUN: "true" });
    await dry.sees({ primary: scene.node(0), eligible: [scene.node(1), scene.node(2)] });
    await using wire = await openWire(dry);
    const before = await Promise.all([scene.node(1), scene.node(2)].map(async (node) => await node.calls("get")));
    const told = async (): Promise<string> => JSON.stringify(await dry.admin("/dryrun"));
    await eventually(async () => {
      for (let count = 0; count < 10; count += 1) await wire.one("GET", "quiet");
      const text = await told();
      return [scene.node(1), scene.node(2)].every(({ address }) => new RegExp(`"${address}":[1-9]`).test(text));
    }, { what: "reads that would have gone to both replicas" });
    await wire.ask(["SET", "w", "1"], ["GET", "w"]);
    assert.match(await told(), /"get":\{[^}]*"primary":[1-9]/);
    assert.deepEqual(await Promise.all([scene.node(1), scene.node(2)].map(async (node) => await node.calls("get"))), before);
  });
});
