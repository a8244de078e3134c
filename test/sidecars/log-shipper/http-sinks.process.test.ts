import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { destinations, readLetters } from "./sinks/http/support.ts";
import { bundleShipper, spawnShipper, type ShipperProcess } from "./support/shipper-process.ts";
import { configOf, temporary } from "./support/shipper.ts";

const killsByDefault = 3;
const kills = Number(process.env["PODKIT_TEST_KILLS"] ?? killsByDefault);
const linesPerLife = 2_000;

const bundle = temporary();
let program = "";
before(async () => {
  program = await bundleShipper(bundle.root);
});
after(() => bundle[Symbol.dispose]());

/** Ends with its test, also when that fails; else the child would keep the test process alive. */
function spawn(file: string, flags: readonly string[] = []): ShipperProcess & Disposable {
  const shipper = spawnShipper(file, flags, { program });
  return { ...shipper, [Symbol.dispose]: () => shipper.kill("SIGKILL") };
}

for (const { type, double: create, settings } of destinations) {
  test(`${type}: killed ${kills} times while the destination fails now and then, no line is lost and poison alone is buried`, { timeout: 150_000 + kills * 30_000 }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    await using double = await create().listen();
    const { file } = configOf(place.root, {
      sources: [{ type: "tail", paths: [`${place.logs}/app.log`] }],
      sinks: [{ type, endpoints: [double.url], retryMaxMs: 20, timeoutMs: "1s", compression: "gzip", ...settings }],
      state: { directory: place.state },
      chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" },
    });
    const path = join(place.logs, "app.log");
    const isPoison = (id: string): boolean => id.endsWith("500");
    double.poison = (text) => /#a-\d*500#/.test(text);
    let random = 42;
    const next = (below: number): number => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    double.fault = () => [{ kind: "resetAfter" } as const, { kind: "answer", answer: { status: 503, headers: { "retry-after": "0" } } } as const, { kind: "cutBody" } as const][next(15)];
    let written = 0;
    for (let life = 0; life < kills; life++) {
      using shipper = spawn(file);
      // Placed by what has arrived, so that deaths fall between requests, answers, burials and checkpoints.
      const killAt = double.requests.length + 2 + next(10);
      appendFileSync(path, Array.from({ length: linesPerLife }, (_, index) => `line #a-${written + index}# of the application\n`).join(""));
      written += linesPerLife;
      if (life % 3 === 1) {
        if (existsSync(`${path}.1`)) renameSync(`${path}.1`, `${path}.${life + 2}`);
        renameSync(path, `${path}.1`);
        writeFileSync(path, "");
      }
      await eventually(() => double.requests.length >= killAt, { intervalMs: 2, what: "the request at which to kill" });
      shipper.kill("SIGKILL");
      assert.equal(await shipper.exited, "SIGKILL");
    }
    double.fault = () => undefined;
    using last = spawn(file);
    const expected = Array.from({ length: written }, (_, index) => `a-${index}`);
    await eventually(() => new Set(double.ids).size === expected.filter((id) => !isPoison(id)).length, { what: "all lines" }).catch(() => undefined);
    last.kill("SIGTERM");
    assert.equal(await last.exited, 0, last.stderr());
    const arrived = new Set(double.ids);
    assert.deepEqual(expected.filter((id) => !isPoison(id) && !arrived.has(id)), [], "no line is lost");
    if (type !== "splunk") assert.equal(double.uniqueIds.length, expected.filter((id) => !isPoison(id)).length, "a destination that knows records stores each once");
    const letters = readLetters(join(place.state, "dead-letters.ndjson"));
    const buried = new Map(letters.map((letter) => [letter["id"], /#([^#]+)#/.exec(JSON.stringify(letter["record"]))?.[1] ?? ""]));
    assert.deepEqual([...buried.values()].toSorted((left, right) => left.localeCompare(right)), expected.filter(isPoison).toSorted((left, right) => left.localeCompare(right)), "each poison line is buried, under one id");
    assert.deepEqual(double.violations, []);
  });
}

test("With the destination away at SIGTERM the shipper ends in time with 75, and a later start delivers", { timeout: 150_000 }, async () => {
  for (const { type, double: create, settings } of destinations) {
    using place = temporary();
    mkdirSync(place.logs);
    await using double = await create().listen();
    const { port } = double;
    await double.close();
    const { file } = configOf(place.root, { sources: [{ type: "tail", paths: [`${place.logs}/app.log`] }], sinks: [{ type, endpoints: [`http://127.0.0.1:${port}`], retryMaxMs: 100, ...settings }], state: { directory: place.state } });
    writeFileSync(join(place.logs, "app.log"), "line #a-0#\nline #a-1#\nline #a-2# without an end");
    using shipper = spawn(file, ["--shutdown-grace-ms", "3s"]);
    await eventually(() => shipper.stderr().includes("did not take records"));
    shipper.kill("SIGTERM");
    assert.equal(await shipper.exited, 75, shipper.stderr());
    await double.listen(port);
    using second = spawn(file);
    await eventually(() => double.stored.length >= 2, { what: "what the first life left" });
    second.kill("SIGTERM");
    assert.equal(await second.exited, 0, second.stderr());
    assert.deepEqual([...double.uniqueIds], ["a-0", "a-1", "a-2"], type);
  }
});
