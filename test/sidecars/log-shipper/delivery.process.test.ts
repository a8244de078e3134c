import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FluentServer } from "@fluent-org/logger";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy, type FaultRule } from "../../support/fault-proxy.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { configOf, idsFrom, idsOf, lines, startShipper, temporary } from "./support/shipper.ts";

/** Small chunks and a small window, so that a fault meets several chunks in flight. */
const smallChunks = { chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" } };

function configFor(place: { readonly root: string; readonly logs: string; readonly state: string }, port: number, settings: { readonly sink?: object; readonly written?: object; readonly tail?: object } = {}) {
  return configOf(place.root, {
    sources: [{ type: "tail", paths: [`${place.logs}/app.log`], ...settings.tail }],
    sinks: [{ type: "forward", servers: [`127.0.0.1:${port}`], retryMaxMs: 50, ackTimeoutMs: 400, writeTimeoutMs: 400, connectTimeoutMs: 400, ...settings.sink }],
    state: { directory: place.state },
    ...smallChunks,
    ...settings.written,
  }).config;
}

/** With these faults between shipper and receiver, every line arrives, and a receiver that knows chunk ids stores each once. */
function survives(name: string, rules: readonly FaultRule[], expected: { readonly resends: boolean }): void {
  test(`${name}: every line arrives, once by chunk id`, { timeout: 150_000 }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    const receiver = new RecordingReceiver();
    await receiver.listen();
    const proxy = await startFaultProxy({ upstream: { host: "127.0.0.1", port: receiver.port }, rules, seed: 7 });
    writeFileSync(join(place.logs, "app.log"), lines("a", 0, 2_000));
    const shipper = startShipper(configFor(place, proxy.port));
    await eventually(() => receiver.unique.length >= 2_000 && shipper.metric("ledger_bytes", 'column="pending"') === 0, { what: "all lines acknowledged" });
    assert.equal(await shipper.stop(), 0);
    assert.deepEqual(idsOf(receiver.unique).toSorted(), idsFrom("a", 2_000).toSorted());
    const bytes = new Map<string, string>();
    for (const each of receiver.received) {
      assert.equal(bytes.get(each.chunk) ?? each.bytes, each.bytes, "a resent chunk has the same bytes");
      assert.equal(each.size, each.records.length);
      bytes.set(each.chunk, each.bytes);
    }
    if (expected.resends) assert.ok(shipper.metric("resends_total") > 0, `the fault must have struck: ${JSON.stringify(proxy.trace)}`);
    await proxy.close();
    await receiver.close();
  });
}

survives("No fault", [], { resends: false });
survives("A reset in the middle of a chunk", [{ connection: 0, direction: "up", at: 6_001, action: { kind: "reset" } }, { connection: 1, direction: "up", at: 20_000, action: { kind: "reset" } }], { resends: true });
survives("A reset in the middle of an ack", [{ connection: 0, direction: "down", at: 40, action: { kind: "reset" } }], { resends: true });
survives("A half-close by the receiver", [{ connection: 0, direction: "down", at: 30, action: { kind: "halfClose" } }], { resends: true });
survives("Acks that are swallowed", [{ connection: 0, direction: "down", at: 29, action: { kind: "swallow" } }], { resends: true });
survives("Acks split at every byte", [{ direction: "down", at: 0, action: { kind: "split", bytes: 1 } }], { resends: false });
survives("Late acks", [{ direction: "down", at: 0, action: { kind: "delay", delayMs: 50, jitterMs: 30 } }], { resends: false });
survives("A receiver that stops reading", [{ connection: 0, direction: "up", at: 5_000, action: { kind: "stallReading" } }], { resends: true });
survives("A receiver that accepts and is silent", [{ connection: 0, action: { kind: "silence" } }], { resends: true });
survives("Refused connections", [{ connection: 0, action: { kind: "refuse" } }, { connection: 1, action: { kind: "refuse" } }], { resends: false });

test("While the receiver is down memory stays bounded; when it comes back everything arrives", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const receiver = new RecordingReceiver();
  await receiver.listen();
  const { port } = receiver;
  await receiver.close();
  const path = join(place.logs, "app.log");
  const shipper = startShipper(configFor(place, port));
  let written = 0;
  for (let round = 0; round < 10; round++) {
    appendFileSync(path, lines("a", written, 5_000));
    written += 5_000;
    if (round === 5) renameSync(path, `${path}.1`);
    await eventually(() => shipper.metric("in_flight_bytes") > 0);
    assert.ok(shipper.metric("in_flight_bytes") <= 65_536 + 2 * 4_096 + 1_024, `${shipper.metric("in_flight_bytes")} bytes are in memory`);
  }
  assert.match(shipper.readiness.get("sinks")?.() ?? "", /ECONNREFUSED|closed|connect/);
  const back = new RecordingReceiver();
  await back.listen(port);
  await eventually(() => back.unique.length >= written, { what: "the backlog" });
  assert.equal(await shipper.stop(), 0);
  assert.deepEqual(new Set(idsOf(back.unique)), new Set(idsFrom("a", written)));
  assert.equal(back.unique.length, written);
  await back.close();
});

test("At the end, with the receiver down, the exit code is 75 and the byte ranges are named; the next start delivers them", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const receiver = new RecordingReceiver();
  await receiver.listen();
  const { port } = receiver;
  const path = join(place.logs, "app.log");
  const first = lines("a", 0, 10);
  const shipper = startShipper(configFor(place, port));
  writeFileSync(path, first);
  await eventually(() => receiver.all.length === 10 && shipper.metric("ledger_bytes", 'column="acked"') === first.length);
  await receiver.close();
  const second = lines("a", 10, 10);
  appendFileSync(path, second);
  const stopping = shipper.stop();
  await eventually(() => shipper.metric("ledger_bytes", 'column="pending"') > 0);
  const code = await Promise.all([shipper.giveUp(), stopping]);
  assert.deepEqual(code, [75, 75]);
  const words = await shipper.logLine("Ended with undelivered log data");
  assert.deepEqual(words["undelivered"], [{ path, from: first.length, to: first.length + second.length }]);

  const back = new RecordingReceiver();
  await back.listen(port);
  const again = startShipper(configFor(place, port));
  await eventually(() => back.all.length === 10);
  assert.equal(await again.stop(), 0);
  assert.deepEqual(idsOf(back.all), idsFrom("a", 20).slice(10), "what was acknowledged is not sent again");
  await back.close();
});

test("At the end the unterminated last line is shipped, and what is written until then", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const receiver = new RecordingReceiver();
  await receiver.listen();
  const path = join(place.logs, "app.log");
  writeFileSync(path, "one\ntwo");
  const shipper = startShipper(configFor(place, receiver.port, { written: { drain: { quietMs: 300, watchWriters: false } } }));
  await eventually(() => receiver.all.length === 1);
  const stopped = shipper.stop();
  appendFileSync(path, " and more\nthree");
  assert.equal(await stopped, 0);
  assert.deepEqual(receiver.all, [{ log: "one" }, { log: "two and more" }, { log: "three" }]);
  await receiver.close();
});

test("At the end the drain goes on as long as a line comes now and then", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const path = join(place.logs, "app.log");
  writeFileSync(path, "0\n");
  const shipper = startShipper(configFor(place, receiver.port, { written: { drain: { quietMs: 3_000, watchWriters: false } } }));
  await eventually(() => receiver.all.length === 1);
  const stopped = shipper.stop();
  // All together for longer than what is quiet enough.
  for (let count = 1; count < 10; count++) {
    const from = performance.now();
    await eventually(() => performance.now() - from > 500);
    appendFileSync(path, `${count}\n`);
    await eventually(() => receiver.all.length === count + 1, { what: `line ${count}, written after the request to end` });
  }
  assert.equal(await stopped, 0);
});

test("A chunk sent before a death comes again as itself, though the file has grown meanwhile", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  receiver.ack = () => false;
  const path = join(place.logs, "app.log");
  writeFileSync(path, lines("a", 0, 10));
  const shipper = startShipper(configFor(place, receiver.port));
  await eventually(() => receiver.unique.length === 10);
  assert.equal(await shipper.giveUp(), 75);
  appendFileSync(path, lines("a", 10, 10));
  const first = receiver.received[0];
  const sent = receiver.received.length;
  receiver.ack = () => true;
  const again = startShipper(configFor(place, receiver.port));
  await eventually(() => new Set(idsOf(receiver.all)).size === 20);
  assert.equal(await again.stop(), 0);
  assert.deepEqual(receiver.received[sent], first);
  assert.deepEqual(idsOf(receiver.unique), idsFrom("a", 20), "each line once by chunk id");
});

test("With a marker the drain waits for it, however long the writers are quiet", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const receiver = new RecordingReceiver();
  await receiver.listen();
  const path = join(place.logs, "app.log");
  writeFileSync(path, "one\n");
  const marker = join(place.logs, "done");
  const shipper = startShipper(configFor(place, receiver.port, { written: { drain: { quietMs: 1, marker, watchWriters: false } } }));
  await eventually(() => receiver.all.length === 1);
  let over = false;
  const stopped = shipper.stop().finally(() => (over = true));
  appendFileSync(path, "two\n");
  await eventually(() => receiver.all.length === 2);
  appendFileSync(path, "three\n");
  await eventually(() => receiver.all.length === 3);
  assert.equal(over, false);
  writeFileSync(marker, "");
  assert.equal(await stopped, 0);
  await receiver.close();
});

test("A state directory that cannot be written does not stop the shipping, and readiness tells", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  writeFileSync(place.state, "a file where the directory should be");
  const receiver = new RecordingReceiver();
  await receiver.listen();
  writeFileSync(join(place.logs, "app.log"), lines("a", 0, 100));
  const shipper = startShipper(configFor(place, receiver.port));
  await eventually(() => receiver.all.length === 100);
  assert.match(shipper.readiness.get("positions")?.() ?? "", /positions are not saved/);
  assert.equal(await shipper.stop(), 0);
  assert.ok(shipper.metric("checkpoint_writes_total", 'outcome="failed"') > 0);
  await receiver.close();
});

test("Rotations while the shipper is stopped lose nothing: the remembered inode and everything born after it", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const receiver = new RecordingReceiver();
  await receiver.listen();
  const path = join(place.logs, "app.log");
  writeFileSync(path, lines("a", 0, 10));
  const shipper = startShipper(configFor(place, receiver.port));
  await eventually(() => receiver.all.length === 10);
  assert.equal(await shipper.stop(), 0);
  appendFileSync(path, lines("a", 10, 10));
  for (const name of ["b", "c"]) {
    if (existsSync(`${path}.1`)) renameSync(`${path}.1`, `${path}.2`);
    renameSync(path, `${path}.1`);
    writeFileSync(path, lines(name, 0, 10));
  }
  const again = startShipper(configFor(place, receiver.port));
  await eventually(() => receiver.all.length >= 40);
  assert.equal(await again.stop(), 0);
  assert.deepEqual(idsOf(receiver.all).toSorted(), [...idsFrom("a", 20), ...idsFrom("b", 10), ...idsFrom("c", 10)].toSorted());
  await receiver.close();
});

test("A foreign server with shared key and user gets every record with its time and metadata", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const server = new FluentServer({ security: { serverHostname: "receiver", sharedKey: "the key", authorize: true, userDict: { shipper: "secret" } }, listenOptions: { port: 0, host: "127.0.0.1" } });
  const entries: { readonly tag: unknown; readonly record: unknown }[] = [];
  server.on("entry", (tag: unknown, _time: unknown, record: unknown) => void entries.push({ tag, record }));
  await server.listen();
  writeFileSync(join(place.logs, "app.log"), '{"msg":"h\\u00e4llo","n":-5}\n');
  mkdirSync(join(place.root, "podinfo"));
  writeFileSync(join(place.root, "podinfo/labels"), 'app="shop"\ntier="web"\n');
  writeFileSync(join(place.root, "podinfo/name"), "shop-0");
  const shipper = startShipper(configFor(place, server.port ?? 0, { sink: { sharedKey: "the key", username: "shipper", password: "secret" }, tail: { format: "json", tag: "demo.{file}" }, written: { metadata: { directory: join(place.root, "podinfo"), namespace: "prod" } } }));
  await eventually(() => entries.length === 1);
  assert.deepEqual(entries, [{ tag: "demo.app.log", record: { msg: "hällo", n: -5, kubernetes: { labels: { app: "shop", tier: "web" }, pod_name: "shop-0", namespace_name: "prod" } } }]);
  assert.equal(await shipper.stop(), 0);
  await server.close();
});

test("A wrong shared key is reported and nothing counts as delivered", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const server = new FluentServer({ security: { serverHostname: "receiver", sharedKey: "the key", authorize: false, userDict: {} }, listenOptions: { port: 0, host: "127.0.0.1" } });
  await server.listen();
  writeFileSync(join(place.logs, "app.log"), "one\n");
  const shipper = startShipper(configFor(place, server.port ?? 0, { sink: { sharedKey: "another" } }));
  await eventually(() => /refused the handshake|Shared key/i.test(shipper.readiness.get("sinks")?.() ?? ""));
  assert.equal(await shipper.giveUp(), 75);
  await server.close();
});

test("When one of several servers is down the next one takes over", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const down = new RecordingReceiver();
  await down.listen();
  await down.close();
  const receiver = new RecordingReceiver();
  await receiver.listen();
  writeFileSync(join(place.logs, "app.log"), lines("a", 0, 10));
  const shipper = startShipper(configFor(place, 0, { sink: { servers: [`127.0.0.1:${down.port}`, `127.0.0.1:${receiver.port}`] } }));
  await eventually(() => receiver.all.length === 10);
  assert.equal(await shipper.stop(), 0);
  await receiver.close();
});
