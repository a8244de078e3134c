import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { delivered } from "../../../../../sidecars/log-shipper/sinks/sink.ts";
import { createAuthority } from "../../../../support/certificates.ts";
import { eventually } from "../../../../support/eventually.ts";
import { ElasticsearchDouble } from "../../doubles/elasticsearch-double.ts";
import { LokiDouble } from "../../doubles/loki-double.ts";
import { SplunkDouble } from "../../doubles/splunk-double.ts";
import { temporary } from "../../support/shipper.ts";
import { chunkOf, idsFrom, lineRecords, startSink } from "./support.ts";

const authority = createAuthority("test authority");

test("By TLS with the server's authority and our certificate everything arrives", { timeout: 150_000 }, async () => {
  const server = authority.issue("loki");
  const client = authority.issue("shipper");
  await using double = await new LokiDouble({ key: server.key, cert: server.certificate, ca: authority.certificate }).listen();
  await using each = startSink("loki", [double.url], { tls: { ca: authority.certificate, cert: client.certificate, key: client.key } });
  assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("a", 3))), delivered);
  assert.equal(double.stored.length, 3);
});

test("A server of another authority is not trusted, until its authority stands in the file", { timeout: 150_000 }, async () => {
  using place = temporary();
  const other = createAuthority("another authority");
  const server = other.issue("loki");
  const ca = join("/", place.root, "ca.pem");
  writeFileSync(ca, authority.certificate);
  await using double = await new LokiDouble({ key: server.key, cert: server.certificate }).listen();
  await using each = startSink("loki", [double.url], { tls: { ca } });
  const delivery = each.sink.deliver(chunkOf(lineRecords("a", 3)));
  await eventually(() => /certificate/.test(each.sink.problem() ?? ""));
  assert.equal(double.requests.length, 0);
  writeFileSync(`${ca}.new`, other.certificate);
  renameSync(`${ca}.new`, ca);
  assert.deepEqual(await delivery, delivered);
  assert.equal(each.sink.problem(), undefined);
});

test("Basic and bearer credentials, API key, tenant, own headers and paths are sent as set", async () => {
  const cases = [
    [{ username: "me", password: "pä:ss" }, { authorization: `Basic ${Buffer.from("me:pä:ss").toString("base64")}` }],
    [{ bearer: "b-token" }, { authorization: "Bearer b-token" }],
    [{ tenant: "shop", headers: { "X-Own": "own" } }, { "x-scope-orgid": "shop", "x-own": "own" }],
  ] as const;
  for (const [settings, headers] of cases) {
    await using double = await new LokiDouble().listen();
    double.path = "/gateway/custom/push";
    await using each = startSink("loki", [`${double.url}/gateway/`], { ...settings, path: "/custom/push" });
    assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("a", 1))), delivered);
    for (const [name, value] of Object.entries(headers)) assert.equal(double.requests[0]?.headers[name], value);
  }
  await using double = await new ElasticsearchDouble().listen();
  await using each = startSink("elasticsearch", [double.url], { apiKey: "k" });
  await each.sink.deliver(chunkOf(lineRecords("a", 1)));
  assert.equal(double.requests[0]?.headers["authorization"], "ApiKey k");
});

test("Settings that contradict themselves or hold credentials in an address are refused", () => {
  assert.throws(() => startSink("loki", ["http://me:secret@loki"]), /without credentials; set username and password/);
  assert.throws(() => startSink("loki", ["loki:3100"]), /an address such as/);
  assert.throws(() => startSink("loki", ["http://loki"], { username: "a", bearer: "b" }), /must not be set together with username/);
  assert.throws(() => startSink("loki", ["http://loki"], { password: "a" }), /needs username/);
  assert.throws(() => startSink("loki", ["http://loki"], { labels: { "not-a-label": "x" } }), /at least one label/);
  assert.throws(() => startSink("loki", ["http://loki"], { labels: { a: "{open" } }), /fields in braces/);
  assert.throws(() => startSink("elasticsearch", ["http://e"], { index: "Logs-{yyyy}" }), /small letters/);
});

test("At most requestsMax requests are under way, and the others follow", { timeout: 150_000 }, async () => {
  await using double = await new LokiDouble().listen();
  await using each = startSink("loki", [double.url], { requestsMax: 2 });
  let underWay = 0;
  let most = 0;
  double.fault = () => {
    most = Math.max(most, ++underWay);
    setTimeout(() => underWay--, 20);
    return { kind: "slow", ms: 25 };
  };
  await Promise.all(Array.from({ length: 10 }, (_, index) => each.sink.deliver(chunkOf(lineRecords(`c${index}`, 1), { from: index * 100 }))));
  assert.equal(most, 2);
});

test("A single request under way keeps the order of chunks", async () => {
  await using double = await new LokiDouble().listen();
  double.fault = ({ number }) => (number % 3 === 1 ? { kind: "answer", answer: { status: 500 } } : undefined);
  await using each = startSink("loki", [double.url], { requestsMax: 1 });
  await Promise.all(Array.from({ length: 20 }, (_, index) => each.sink.deliver(chunkOf(lineRecords(`c${index}`, 1), { from: index * 100 }))));
  assert.deepEqual([...double.ids], Array.from({ length: 20 }, (_, index) => `c${index}-0`));
});

test("Of a bulk request only the busy items are sent again", { timeout: 150_000 }, async () => {
  await using double = await new ElasticsearchDouble().listen();
  await using each = startSink("elasticsearch", [double.url]);
  double.judge = ({ text }, { number }) => (number < 3 && /#a-(?:2|5)#/.test(text) ? { status: 429, error: { type: "es_rejected_execution_exception", reason: "queue is full" } } : undefined);
  assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("a", 8))), delivered);
  assert.deepEqual(double.ids.toSorted((left, right) => left.localeCompare(right)), idsFrom("a", 8));
  assert.deepEqual(double.requests.map(({ text }) => (text.match(/"create"/g) ?? []).length), [8, 2, 2, 2]);
});

test("Records that are there already count as delivered", async () => {
  await using double = await new ElasticsearchDouble().listen();
  await using each = startSink("elasticsearch", [double.url]);
  const chunk = chunkOf(lineRecords("a", 8));
  for (let round = 0; round < 3; round++) assert.deepEqual(await each.sink.deliver(chunk), delivered);
  assert.equal(double.stored.length, 8);
});

test("An index that may not be written holds its records, with the remedy, and loses none", { timeout: 150_000 }, async () => {
  await using double = await new ElasticsearchDouble().listen();
  await using each = startSink("elasticsearch", [double.url]);
  let closed = true;
  double.judge = () => (closed ? { status: 403, error: { type: "cluster_block_exception", reason: "index is read-only" } } : undefined);
  const delivery = each.sink.deliver(chunkOf(lineRecords("a", 3)));
  await eventually(() => double.requests.length >= 3);
  assert.match(each.sink.problem() ?? "", /read-only.*check that the index may be created and written/);
  closed = false;
  assert.deepEqual(await delivery, delivered);
});

const acknowledging = { token: "token-of-the-double", useAck: true, ackPollMs: 10 };

test("With indexer acknowledgement a chunk is delivered when it is acknowledged, not before", { timeout: 150_000 }, async () => {
  await using double = await new SplunkDouble().listen();
  double.acknowledges = true;
  let indexed = false;
  double.acknowledged = () => indexed;
  await using each = startSink("splunk", [double.url], acknowledging);
  let settled = 0;
  const deliveries = [0, 1, 2, 3, 4, 5].map((index) => each.sink.deliver(chunkOf(lineRecords(`c${index}`, 5), { from: index * 1_000 })).finally(() => settled++));
  await eventually(() => double.stored.length === 30, { what: "waiting for acknowledgements blocks no other request" });
  await eventually(() => double.requests.filter(({ path }) => path.endsWith("/ack")).length >= 3);
  assert.equal(settled, 0);
  indexed = true;
  assert.deepEqual(await Promise.all(deliveries), Array.from({ length: 6 }, () => delivered));
  assert.equal(double.stored.length, 30);
  assert.deepEqual(double.violations, []);
});

test("What is never acknowledged is sent again", { timeout: 150_000 }, async () => {
  await using double = await new SplunkDouble().listen();
  double.acknowledges = true;
  double.acknowledged = (ackId) => ackId > 0;
  await using each = startSink("splunk", [double.url], { ...acknowledging, ackTimeoutMs: "100ms" });
  assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("a", 5))), delivered);
  assert.equal(double.stored.length, 10);
  assert.ok(each.events.includes("resent"));
});

test("Outages while acknowledgements are asked for are passed over", { timeout: 150_000 }, async () => {
  await using double = await new SplunkDouble().listen();
  double.acknowledges = true;
  double.fault = ({ path, number }) => (path.endsWith("/ack") && number < 6 ? [{ kind: "resetBefore" } as const, { kind: "answer", answer: { status: 503 } } as const, { kind: "cutBody" } as const][number % 3] : undefined);
  await using each = startSink("splunk", [double.url], acknowledging);
  assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("a", 5))), delivered);
  assert.equal(double.stored.length, 5);
});

test("A sink waiting for acknowledgements ends at once when closed", { timeout: 150_000 }, async () => {
  await using double = await new SplunkDouble().listen();
  double.acknowledges = true;
  double.acknowledged = () => false;
  await using each = startSink("splunk", [double.url], acknowledging);
  const delivery = each.sink.deliver(chunkOf(lineRecords("a", 5)));
  await eventually(() => double.stored.length === 5);
  await each.sink.close();
  assert.deepEqual(await delivery, { kind: "stopped" });
});

test("An HTTP client is loaded by the first request, not by a sink that has nothing to send", () => {
  const program = `
    const { createHttpSink } = await import(${JSON.stringify(new URL("../../../../../sidecars/log-shipper/sinks/http/create-http-sink.ts", import.meta.url).href)});
    const { createRequire } = await import("node:module");
    const loaded = () => Object.keys(createRequire("/")("node:module")._cache).filter((path) => path.includes("undici"));
    const { readConfig } = await import(${JSON.stringify(new URL("../../../../../kit/config/read.ts", import.meta.url).href)});
    const { lokiSinkSpec } = await import(${JSON.stringify(new URL("../../../../../sidecars/log-shipper/sinks/http/config.ts", import.meta.url).href)});
    const { systemClock } = await import(${JSON.stringify(new URL("../../../../../kit/clock.ts", import.meta.url).href)});
    const { config } = readConfig(lokiSinkSpec, { files: [process.argv[1]], env: {}, argv: [] });
    const quiet = { debug() {}, info() {}, warn() {}, error() {} };
    const sink = createHttpSink({ type: "loki", ...config }, { clock: systemClock, random: Math.random, log: quiet, metadataField: "k", deadLetters: { problem: () => undefined }, onEvent() {} });
    const before = loaded().length;
    const time = Buffer.from("92d700695662c00000000a80", "hex");
    sink.deliver({ id: "x", tag: "t", entries: time, records: 1, origin: { content: "c", path: undefined, from: 0, spans: Uint32Array.of(0, 1) } });
    while (sink.problem() === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    console.log(JSON.stringify([before, loaded().some((path) => path.endsWith("/undici/index.js")), loaded().length > 0]));
    await sink.close();
  `;
  using place = temporary();
  const file = join(place.root, "config.yaml");
  writeFileSync(file, JSON.stringify({ endpoints: ["http://127.0.0.1:1"] }));
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", program, file], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(printed), [0, false, true]);
});
