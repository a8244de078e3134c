import assert from "node:assert/strict";
import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { spawnShipper } from "./support/shipper-process.ts";
import { configOf, idsFrom, idsOf, lines, startShipper, temporary } from "./support/shipper.ts";

test("The file sink writes JSON lines, repairs itself after a fault, and an odd record stops nobody", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const path = join(place.logs, "app.log");
  const out = join(place.root, "out/shipped.jsonl");
  writeFileSync(join(place.root, "out"), "a file where the directory should be");
  const depth = 60;
  writeFileSync(path, `{"n":1}\n{"deep":${"[".repeat(depth)}${"]".repeat(depth)}}\n{"n":3}\n`);
  const { config } = configOf(place.root, { sources: [{ type: "tail", paths: [path], format: "json" }, { type: "forward", listen: "127.0.0.1:0" }], sinks: [{ type: "file", path: out }], state: { directory: place.state } });
  const shipper = startShipper(config);
  await eventually(() => /cannot write/.test(shipper.readiness.get("sinks")?.() ?? ""));
  unlinkSync(join(place.root, "out"));
  const written = (): readonly Record<string, unknown>[] => readFileSync(out, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>);
  await eventually(() => written().length === 3);
  assert.deepEqual(written()[0]?.["record"], { n: 1 });
  await eventually(() => shipper.readiness.get("sinks")?.() === undefined);
  const { port } = await shipper.logLine("Listening for applications");
  const socket = connect(Number(port), "127.0.0.1");
  let nested: unknown = 1;
  for (let level = 0; level < 110; level++) nested = [nested];
  socket.write(encode(["odd", 1e300, { n: 4 }, { chunk: "time" }]));
  socket.write(encode(["odd", 1, { nested }, { chunk: "depth" }], { maxDepth: 200 }));
  await eventually(() => written().length === 5);
  socket.destroy();
  assert.deepEqual(written()[3], { time: "1970-01-01T00:00:00.000000000Z", tag: "odd", record: { n: 4 } });
  assert.ok(JSON.stringify(written()[4]).includes('"msgpack"'), "kept as it came");
  assert.equal(await shipper.stop(), 0);
});

test("The stdout sink writes every record before the end", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const count = 5_000;
  writeFileSync(join(place.logs, "app.log"), lines("a", 0, count));
  const { file } = configOf(place.root, { sources: [{ type: "tail", paths: [join(place.logs, "app.log")], tag: "t" }], sinks: [{ type: "stdout" }], state: { directory: place.state } });
  const shipper = spawnShipper(file);
  await eventually(() => shipper.stdout().includes(`a ${count - 1} `));
  shipper.kill("SIGTERM");
  assert.equal(await shipper.exited, 0, shipper.stderr());
  const records = shipper.stdout().split("\n").slice(0, -1).map((line) => JSON.parse(line) as { tag: string; time: string; record: Record<string, unknown> });
  assert.deepEqual(idsOf(records.map((each) => each.record)), idsFrom("a", count));
  assert.equal(records[0]?.tag, "t");
});

test("check tells which files match, which are rotated forms, and ends with 69 when there are none", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const { file } = configOf(place.root, { sources: [{ type: "tail", paths: [join(place.logs, "*.log")] }], sinks: [{ type: "stdout" }], state: { directory: place.state } });
  const none = spawnShipper(file, [], { command: "check" });
  assert.equal(await none.exited, 69, none.stderr());
  writeFileSync(join(place.logs, "app.log"), "one\n");
  writeFileSync(join(place.logs, "app.log.1"), "old\n");
  const some = spawnShipper(file, [], { command: "check" });
  assert.equal(await some.exited, 0, some.stderr());
  assert.match(some.stdout(), /: 1 files\n {2}\S+\/app\.log {2}4 bytes\n {4}ASCII; all 1 record\n {4}sinks: stdout 1\n {2}\S+\/app\.log\.1 {2}4 bytes, a rotated \S+\/app\.log:/);
});

test("A JSON line of the densest growth is shipped", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  writeFileSync(join(place.logs, "app.log"), `{"a":[${Array.from({ length: 40_000 }, () => "-0").join(",")}]}\n`);
  const shipper = startShipper(configOf(place.root, { sources: [{ type: "tail", paths: [join(place.logs, "app.log")], format: "json" }], sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`] }], state: { directory: place.state } }).config);
  await eventually(() => receiver.all.length === 1);
  assert.equal(await shipper.stop(), 0);
});

test("An optional sink that is dead holds nothing up, and what it misses is counted", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  writeFileSync(join(place.logs, "app.log"), lines("a", 0, 3_000));
  const { config } = configOf(place.root, {
    sources: [{ type: "tail", paths: [join(place.logs, "app.log")] }],
    sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`] }, { type: "forward", name: "dead", required: false, servers: ["127.0.0.1:1"] }],
    state: { directory: place.state }, inFlight: { maxBytes: "64KiB" }, chunk: { maxBytes: "8KiB" }, lines: { maxBytes: "1KiB" },
  });
  const shipper = startShipper(config);
  await eventually(() => receiver.all.length === 3_000);
  assert.equal(await shipper.stop(), 0);
  assert.equal(shipper.metric("lines_dropped_total", 'sink="dead"'), 3_000);
});

test("Two chunks of applications with the same id and other content are both delivered", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  let open = false;
  receiver.ack = () => open;
  const shipper = startShipper(configOf(place.root, { sources: [{ type: "forward", listen: "127.0.0.1:0" }], sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], ackTimeoutMs: 200, retryMaxMs: 50 }], state: { directory: place.state } }).config);
  const { port } = await shipper.logLine("Listening for applications");
  const sockets = [1, 2].map((n) => {
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(encode(["app", 1, { n }, { chunk: "1" }]));
    return socket;
  });
  await eventually(() => shipper.metric("lines_read_total") === 2);
  open = true;
  await eventually(() => new Set(receiver.all.map((record) => record["n"])).size === 2);
  for (const socket of sockets) socket.destroy();
  assert.equal(await shipper.stop(), 0);
});
