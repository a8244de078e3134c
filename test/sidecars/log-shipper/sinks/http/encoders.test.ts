import assert from "node:assert/strict";
import { test } from "node:test";
import { recordId } from "../../../../../sidecars/log-shipper/delivery/chunk.ts";
import { MsgpackWriter, type MsgpackValue } from "../../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { allRecords } from "../../../../../sidecars/log-shipper/sinks/http/encoder.ts";
import { BulkEncoder } from "../../../../../sidecars/log-shipper/sinks/http/elasticsearch.ts";
import { LokiEncoder, type LokiOptions } from "../../../../../sidecars/log-shipper/sinks/http/loki.ts";
import { OtlpEncoder, type OtlpOptions } from "../../../../../sidecars/log-shipper/sinks/http/otlp.ts";
import { SplunkEncoder } from "../../../../../sidecars/log-shipper/sinks/http/splunk.ts";
import { chunkOf, chunkOfEntries, lineRecords } from "./support.ts";

const kubernetes = { pod_name: "web-1", namespace_name: "shop", pod_id: "uid-1", host: "node-1", labels: { app: "web" } };

function entry(record: { readonly [key: string]: MsgpackValue }, time?: Uint8Array): Uint8Array {
  const writer = new MsgpackWriter();
  writer.byte(0x92);
  if (time === undefined) writer.eventTime(1_767_268_800, 5);
  else writer.raw(time);
  writer.value(record);
  return writer.copy();
}

const lokiDefaults: LokiOptions = { path: "/loki/api/v1/push", tenant: undefined, labels: { namespace: "{kubernetes.namespace_name}", pod: "{kubernetes.pod_name}", tag: "{tag}" }, streamsMax: 1_000, structuredMetadata: {}, omit: ["kubernetes"], lineField: "log", spreadTimes: false, onTooManyStreams: () => undefined };
type Push = { readonly streams: readonly { readonly stream: Readonly<Record<string, string>>; readonly values: readonly (readonly [string, string, Readonly<Record<string, string>>?])[] }[] };

function push(options: Partial<LokiOptions>, ...parameters: Parameters<typeof chunkOf>): Push {
  const chunk = chunkOf(...parameters);
  return JSON.parse(new LokiEncoder({ ...lokiDefaults, ...options }).encode(chunk, allRecords(chunk)).toString()) as Push;
}

test("Loki gets the line as it is, its time in nanoseconds, and labels from the metadata", () => {
  assert.deepEqual(push({}, [{ log: 'one "line"', kubernetes }]), { streams: [{ stream: { namespace: "shop", pod: "web-1", tag: "app" }, values: [["1767268800000000000", 'one "line"']] }] });
});

test("A record with more than its line comes to Loki as JSON, without what is left out", () => {
  assert.deepEqual(push({}, [{ log: "text", level: "info", kubernetes }, { level: "warn" }, { log: 5 }]).streams.flatMap(({ values }) => values.map(([, line]) => line)), ['{"log":"text","level":"info"}', '{"level":"warn"}', '{"log":5}']);
});

test("Records of several streams are grouped, each stream in its order; a label without a value is left out", () => {
  const { streams } = push({ labels: { level: "{level}", app: "{kubernetes.labels.app}" } }, [{ level: "info", n: 1 }, { level: "warn", n: 2 }, { level: "info", n: 3, kubernetes }, { level: "info", n: 4 }, { n: 5 }]);
  assert.deepEqual(streams.map(({ stream, values }) => [stream, values.map(([, line]) => (JSON.parse(line) as { n: number }).n)]), [[{ level: "info" }, [1, 4]], [{ level: "warn" }, [2]], [{ level: "info", app: "web" }, [3]], [{ job: "podkit" }, [5]]]);
});

test("Beyond streamsMax labels from records are called other, and that is told", () => {
  let told = 0;
  const { streams } = push({ labels: { user: "{user}", tag: "{tag}" }, streamsMax: 3, onTooManyStreams: () => told++ }, Array.from({ length: 10 }, (_, index) => ({ user: `u${index}`, n: index })));
  assert.deepEqual(streams.map(({ stream, values }) => [stream["user"], values.length]), [["u0", 1], ["u1", 1], ["u2", 1], ["other", 7]]);
  assert.ok(told > 0);
});

test("Structured metadata and record ids stand beside the line", () => {
  const records = [{ log: "x", trace: "t1" }, { log: "y" }];
  const { origin } = chunkOf(records);
  const { streams } = push({ structuredMetadata: { trace: "{trace}", id: "{id}" } }, records);
  assert.deepEqual(streams[0]?.values.map(([, , metadata]) => metadata), [{ trace: "t1", id: recordId(origin, 0) }, { id: recordId(origin, 1) }]);
});

const spreads: readonly { readonly what: string; readonly nanoseconds: (index: number) => number; readonly from: number; readonly times: readonly string[] }[] = [
  { what: "whole seconds within the second", nanoseconds: () => 0, from: 1_000, times: ["1767268800000001000", "1767268800000001100", "1767268800000001200"] },
  { what: "milliseconds within the millisecond", nanoseconds: () => 7_000_000, from: 3_000_000, times: ["1767268800007000000", "1767268800007000100", "1767268800007000200"] },
  { what: "microseconds within the microsecond", nanoseconds: () => 7_001_000, from: 950, times: ["1767268800007001950", "1767268800007001050", "1767268800007001150"] },
  { what: "one time of all lines, which is that of reading, over a second", nanoseconds: () => 999_999_999, from: 0, times: ["1767268800999999999", "1767268801000000099", "1767268801000000199"] },
  { what: "nanoseconds of their own not at all", nanoseconds: (index) => 7_001_001 + index, from: 5_000, times: ["1767268800007001001", "1767268800007001002", "1767268800007001003"] },
];

for (const { what, nanoseconds, from, times } of spreads) {
  test(`spreadTimes spreads ${what}`, () => {
    const chunk = chunkOf(lineRecords("a", 3), { nanoseconds, from });
    const encoder = new LokiEncoder({ ...lokiDefaults, spreadTimes: true });
    const timesOf = (chosen: readonly number[]) => (JSON.parse(encoder.encode(chunk, chosen).toString()) as Push).streams[0]?.values.map(([time]) => time);
    assert.deepEqual(timesOf([0, 1, 2]), times);
    assert.deepEqual(timesOf([2]), [times[2]], "a record has the same time in whatever request it is");
  });
}

const bulkDefaults: ConstructorParameters<typeof BulkEncoder>[0] = { path: "/_bulk", index: "logs-{tag}-{yyyy.MM.dd}", pipeline: undefined, timeField: "@timestamp", tagField: "" };

function bulkLines(options: Partial<typeof bulkDefaults>, ...parameters: Parameters<typeof chunkOf>): readonly unknown[] {
  const chunk = chunkOf(...parameters);
  const text = new BulkEncoder({ ...bulkDefaults, ...options }).encode(chunk, allRecords(chunk)).toString();
  assert.ok(text.endsWith("\n"));
  return text.slice(0, -1).split("\n").map((line) => JSON.parse(line) as unknown);
}

test("Elasticsearch gets an action with index and id and the record with its time", () => {
  const records = [{ log: "a" }, {}];
  const { origin } = chunkOf(records);
  assert.deepEqual(bulkLines({}, records, { tag: "Shop/Web", nanoseconds: () => 123 }), [
    { create: { _index: "logs-shop-web-2026.01.01", _id: recordId(origin, 0) } }, { log: "a", "@timestamp": "2026-01-01T12:00:00.000000123Z" },
    { create: { _index: "logs-shop-web-2026.01.01", _id: recordId(origin, 1) } }, { "@timestamp": "2026-01-01T12:00:00.000000123Z" },
  ]);
});

test("A record's own time and tag fields are kept, and not given twice", () => {
  assert.deepEqual(bulkLines({ tagField: "tag" }, [{ "@timestamp": "2020-01-01T00:00:00Z", tag: "mine" }, { a: 1 }]).filter((_, index) => index % 2 === 1), [
    { "@timestamp": "2020-01-01T00:00:00Z", tag: "mine" }, { a: 1, "@timestamp": "2026-01-01T12:00:00.000000001Z", tag: "app" },
  ]);
});

test("The index changes with the record's day", () => {
  const midnight = Date.UTC(2026, 1, 1) / 1_000;
  const times = [midnight - 1, midnight].map((seconds) => { const time = Buffer.alloc(10); time.writeUInt16BE(0xd700); time.writeUInt32BE(seconds, 2); return time; });
  const chunk = chunkOfEntries(times.map((time) => entry({ a: 1 }, time)));
  const text = new BulkEncoder({ ...bulkDefaults, index: "l-{yyyy.MM.dd}" }).encode(chunk, [0, 1]).toString();
  assert.deepEqual([...text.matchAll(/"_index":"([^"]+)"/g)].map((match) => match[1]), ["l-2026.01.31", "l-2026.02.01"]);
});

test("Only the chosen records are in a body, with the ids they have for ever", () => {
  const chunk = chunkOf(lineRecords("a", 10), { from: 500 });
  const text = new BulkEncoder(bulkDefaults).encode(chunk, [2, 7]).toString();
  assert.deepEqual([...text.matchAll(/#([^#]+)#/g)].map((match) => match[1]), ["a-2", "a-7"]);
  assert.deepEqual([...text.matchAll(/"_id":"([^"]+)"/g)].map((match) => match[1]), [recordId(chunk.origin, 2), recordId(chunk.origin, 7)]);
});

test("Pipeline and an own query go together", () => {
  assert.match(new BulkEncoder({ ...bulkDefaults, path: "/_bulk?refresh=false", pipeline: "a b" }).path, /^\/_bulk\?refresh=false&filter_path=.*&pipeline=a%20b$/);
});

const otlpDefaults: OtlpOptions = { path: "/v1/logs", resource: { "service.name": "shop" }, bodyFields: ["log", "message", "msg"], severityFields: ["level"], recordIds: false, metadataField: "kubernetes" };

function otlpBody(options: Partial<OtlpOptions>, records: readonly { readonly [key: string]: MsgpackValue }[]): { readonly resourceLogs: readonly { readonly resource: unknown; readonly scopeLogs: readonly { readonly scope: unknown; readonly logRecords: readonly Readonly<Record<string, unknown>>[] }[] }[] } {
  const chunk = chunkOfEntries(records.map((record) => entry(record)));
  return JSON.parse(new OtlpEncoder({ ...otlpDefaults, ...options }).encode(chunk, allRecords(chunk)).toString()) as ReturnType<typeof otlpBody>;
}

test("OTLP gets severity, body, attributes and trace, and the metadata as resource", () => {
  const trace = "0123456789abcdef0123456789ABCDEF";
  const { resourceLogs } = otlpBody({}, [{ level: "WARN", msg: "slow", ms: 1_234, ratio: 0.5, ok: false, none: null, list: [1, "two"], trace_id: trace, span_id: "0123456789abcdef", kubernetes }]);
  assert.deepEqual(resourceLogs, [{
    resource: { attributes: [["k8s.pod.name", "web-1"], ["k8s.namespace.name", "shop"], ["k8s.pod.uid", "uid-1"], ["k8s.node.name", "node-1"], ["k8s.pod.label.app", "web"], ["service.name", "shop"]].map(([key, stringValue]) => ({ key, value: { stringValue } })) },
    scopeLogs: [{
      scope: { name: "podkit/log-shipper", attributes: [{ key: "tag", value: { stringValue: "app" } }, { key: "log.file.path", value: { stringValue: "/var/log/app.log" } }] },
      logRecords: [{
        timeUnixNano: "1767268800000000005", observedTimeUnixNano: "1767268800000000005", severityNumber: 13, severityText: "WARN", traceId: trace.toLowerCase(), spanId: "0123456789abcdef",
        body: { stringValue: "slow" },
        attributes: [
          { key: "ms", value: { intValue: "1234" } }, { key: "ratio", value: { doubleValue: 0.5 } }, { key: "ok", value: { boolValue: false } }, { key: "none", value: {} },
          { key: "list", value: { arrayValue: { values: [{ intValue: "1" }, { stringValue: "two" }] } } },
        ],
      }],
    }],
  }]);
});

test("Without a text the whole record is OTLP's body, integers of 64 bits exact", () => {
  const [record] = otlpBody({ recordIds: true }, [{ big: 9_223_372_036_854_775_807n, bigger: 18_446_744_073_709_551_615n, map: { deep: true } }]).resourceLogs[0]?.scopeLogs[0]?.logRecords ?? [];
  assert.deepEqual(record?.["body"], { kvlistValue: { values: [{ key: "big", value: { intValue: "9223372036854775807" } }, { key: "bigger", value: { stringValue: "18446744073709551615" } }, { key: "map", value: { kvlistValue: { values: [{ key: "deep", value: { boolValue: true } }] } } }] } });
  assert.match(JSON.stringify(record?.["attributes"]), /^\[\{"key":"log.record.uid","value":\{"stringValue":"[\w-]{22}"\}\}\]$/);
});

test("Records with other metadata have a resource of their own", () => {
  const other = { ...kubernetes, pod_name: "web-2" };
  const groups = otlpBody({}, [{ log: "a", kubernetes }, { log: "b", kubernetes }, { log: "c", kubernetes: other }, { log: "d" }, { log: "e", kubernetes }]).resourceLogs;
  assert.deepEqual(groups.map(({ resource, scopeLogs }) => [/web-\d/.exec(JSON.stringify(resource))?.[0], scopeLogs[0]?.logRecords.length]), [["web-1", 2], ["web-2", 1], [undefined, 1], ["web-1", 1]]);
});

const severities: readonly (readonly [level: MsgpackValue, number: number | undefined, text: string | undefined])[] = [
  ["info", 9, "info"], ["Error", 17, "Error"], ["FATAL", 21, "FATAL"], ["30", 9, "30"], [30, 9, undefined], [50, 17, undefined], ["odd", undefined, "odd"], [7, undefined, undefined], [true, undefined, undefined],
];

for (const [level, number, text] of severities) {
  test(`The level ${JSON.stringify(level)} is severity ${number}`, () => {
    const [record] = otlpBody({}, [{ level, log: "x" }]).resourceLogs[0]?.scopeLogs[0]?.logRecords ?? [];
    assert.deepEqual([record?.["severityNumber"], record?.["severityText"]], [number, text]);
  });
}

test("Splunk gets events with time, host, source and fields", () => {
  const encoder = new SplunkEncoder({ path: "/e", index: "main", sourcetype: "_json", source: "{tag}", host: "{kubernetes.host}", fields: { app: "{kubernetes.labels.app}", id: "{id}" }, channel: undefined });
  const chunk = chunkOf([{ log: "a", kubernetes }, { log: "b" }], { nanoseconds: () => 1_000_000 });
  const [first, second] = encoder.encode(chunk, [0, 1]).toString().trim().split("\n");
  assert.equal(first, `{"time":1767268800.001000000,"host":"node-1","source":"app","sourcetype":"_json","index":"main","fields":{"app":"web","id":"${recordId(chunk.origin, 0)}"},"event":{"log":"a","kubernetes":${JSON.stringify(kubernetes)}}}`);
  assert.equal(second, `{"time":1767268800.001000000,"source":"app","sourcetype":"_json","index":"main","fields":{"id":"${recordId(chunk.origin, 1)}"},"event":{"log":"b"}}`);
});

const odd: readonly { readonly [key: string]: MsgpackValue }[] = [{}, { "": "" }, { log: null }, { log: new Uint8Array([0xff, 0xfe]) }, { log: "\u0000\u001f" }, { kubernetes: "text" }, { kubernetes: { labels: "none" } }, { kubernetes: null, level: null, trace_id: "", "@timestamp": null }, Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`k${index}`, index]))];
const times: readonly Uint8Array[] = [Buffer.from([0x05]), Buffer.from("cbc1d954fc40000000", "hex"), Buffer.from("cfffffffffffffffff", "hex"), Buffer.from("92d700695662c00000000580", "hex"), Buffer.from("c0", "hex"), Buffer.from("c70800695662c000000005", "hex"), Buffer.from("d700695662c0ffffffff", "hex")];

test("Odd records and odd times make valid JSON everywhere", () => {
  const entries = [...odd.map((record) => entry(record)), ...times.map((time) => entry({ log: "x" }, time)), Buffer.concat([Buffer.from("92d700695662c00000000581a161", "hex"), Buffer.alloc(300, 0x91), Buffer.from([1])])];
  const chunk = chunkOfEntries(entries);
  const all = allRecords(chunk);
  const loki = JSON.parse(new LokiEncoder({ ...lokiDefaults, spreadTimes: true }).encode(chunk, all).toString()) as Push;
  assert.equal(loki.streams.reduce((sum, { values }) => sum + values.length, 0), all.length);
  assert.equal(new BulkEncoder(bulkDefaults).encode(chunk, all).toString().trim().split("\n").map((line) => JSON.parse(line) as unknown).length, all.length * 2);
  const otlp = JSON.parse(new OtlpEncoder({ ...otlpDefaults, recordIds: true }).encode(chunk, all).toString()) as ReturnType<typeof otlpBody>;
  assert.equal(otlp.resourceLogs.reduce((sum, { scopeLogs }) => sum + (scopeLogs[0]?.logRecords.length ?? 0), 0), all.length);
  assert.equal(new SplunkEncoder({ path: "/e", index: undefined, sourcetype: undefined, source: "{tag}", host: "{kubernetes.host}", fields: { l: "{kubernetes.labels.app}" }, channel: undefined }).encode(chunk, all).toString().trim().split("\n").map((line) => JSON.parse(line) as unknown).length, all.length);
});
