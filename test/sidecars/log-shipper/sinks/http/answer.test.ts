import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeFailure, retryAfterMs, type Answer } from "../../../../../sidecars/log-shipper/sinks/http/answer.ts";
import { BulkEncoder } from "../../../../../sidecars/log-shipper/sinks/http/elasticsearch.ts";
import { OtlpEncoder } from "../../../../../sidecars/log-shipper/sinks/http/otlp.ts";
import { SplunkEncoder } from "../../../../../sidecars/log-shipper/sinks/http/splunk.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);

function answer(status: number, body: unknown = "", more: Partial<Answer> = {}): Answer {
  return { status, retryAfter: undefined, date: undefined, body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), whole: true, ...more };
}

const statuses: readonly (readonly [status: number, kind: string, fault?: string])[] = [
  [301, "retry", "configuration"], [302, "retry", "configuration"], [304, "retry", "configuration"], [400, "refused"], [401, "retry", "configuration"], [403, "retry", "configuration"],
  [404, "retry", "configuration"], [405, "retry", "configuration"], [406, "refused"], [408, "retry", "outage"], [409, "refused"], [413, "tooLarge"], [415, "retry", "configuration"],
  [422, "refused"], [425, "retry", "outage"], [429, "retry", "busy"], [431, "retry", "configuration"], [500, "retry", "outage"], [501, "retry", "configuration"], [502, "retry", "outage"],
  [503, "retry", "busy"], [504, "retry", "outage"], [507, "retry", "outage"], [599, "retry", "outage"],
];

for (const [status, kind, fault] of statuses) {
  test(`Status ${status} means ${kind}${fault === undefined ? "" : `, ${fault}`}`, () => {
    const verdict = judgeFailure(answer(status, "said the server"), nowMs);
    assert.deepEqual([verdict.kind, verdict.kind === "retry" ? verdict.fault : undefined], [kind, fault]);
    assert.match(JSON.stringify(verdict), new RegExp(`HTTP ${status}: said the server`));
  });
}

const waits: readonly (readonly [what: string, retryAfter: string | undefined, date: string | undefined, ms: number | undefined])[] = [
  ["nothing", undefined, undefined, undefined],
  ["seconds", "120", undefined, 120_000],
  ["no seconds", "0", undefined, 0],
  ["a date by our clock", "Thu, 01 Jan 2026 12:00:30 GMT", undefined, 30_000],
  ["a date by the server's clock, which is an hour behind", "Thu, 01 Jan 2026 11:00:30 GMT", "Thu, 01 Jan 2026 11:00:00 GMT", 30_000],
  ["a date that has passed", "Thu, 01 Jan 2026 11:00:00 GMT", undefined, 0],
  ["a date far away", "Thu, 01 Jan 2099 11:00:00 GMT", undefined, 3_600_000],
  ["a word", "soon", undefined, undefined],
  ["a negative number", "-5", undefined, undefined],
  ["an hour and more", "99999999", undefined, 3_600_000],
];

for (const [what, retryAfter, date, ms] of waits) test(`Retry-After with ${what} waits ${ms} ms`, () => assert.equal(retryAfterMs({ retryAfter, date }, nowMs), ms));

test("What a server says is shortened and shown on one line", () => {
  const verdict = judgeFailure(answer(400, `line one\n\u0007line two ${"x".repeat(5_000)}`), nowMs);
  assert.ok(verdict.kind === "refused" && verdict.reason.startsWith("HTTP 400: line one line two xxx") && verdict.reason.length < 330 && !verdict.reason.includes("\n"));
});

const bulk = new BulkEncoder({ path: "/_bulk", index: "logs", pipeline: undefined, timeField: "@timestamp", tagField: "" });
const item = (status: number, type?: string) => ({ create: { status, ...(type === undefined ? {} : { error: { type, reason: "because" } }) } });

test("A bulk answer is judged item by item", () => {
  const verdict = bulk.judge(answer(200, { errors: true, items: [item(201), item(409, "version_conflict_engine_exception"), item(429, "es_rejected_execution_exception"), item(400, "document_parsing_exception"), item(503), item(200)] }), 6, nowMs);
  assert.ok(verdict.kind === "items");
  assert.deepEqual(verdict.again, [2, 4]);
  assert.deepEqual(verdict.refused, [{ position: 3, status: 400, reason: "HTTP 400: document_parsing_exception: because" }]);
  assert.equal(verdict.fault, "busy");
});

test("Items that somebody can mend are kept, with the remedy", () => {
  const verdict = bulk.judge(answer(200, { errors: true, items: [item(404, "index_not_found_exception"), item(403, "cluster_block_exception")] }), 2, nowMs);
  assert.ok(verdict.kind === "items");
  assert.deepEqual([verdict.again, verdict.refused, verdict.fault], [[0, 1], [], "configuration"]);
  assert.match(verdict.reason, /check that the index/);
});

test("A bulk answer without errors, or with conflicts alone, is a delivery", () => {
  assert.equal(bulk.judge(answer(200, '{"took":30,"errors":false,"items":['), 5, nowMs).kind, "delivered");
  assert.equal(bulk.judge(answer(200, { errors: true, items: [item(409, "version_conflict_engine_exception"), item(201)] }), 2, nowMs).kind, "delivered");
});

test("A bulk answer with other items than sent, none, or too long proves nothing", () => {
  for (const body of [{ errors: true, items: [item(201)] }, {}, "", "<html>", { errors: true }, [], "null"]) assert.equal(bulk.judge(answer(200, body), 2, nowMs).kind, "retry", JSON.stringify(body));
  assert.equal(bulk.judge(answer(200, '{"errors":false,"items":[', { whole: false }), 2, nowMs).kind, "retry");
});

const otlp = new OtlpEncoder({ path: "/v1/logs", resource: {}, bodyFields: [], severityFields: [], recordIds: true, metadataField: "kubernetes" });

test("An OTLP success is any 2xx without rejected records, a partial success is refused", () => {
  for (const body of ["", "{}", '{"partialSuccess":{}}', '{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"slow down"}}', "ok"]) assert.equal(otlp.judge(answer(201, body), 3, nowMs).kind, "delivered", body);
  const some = otlp.judge(answer(200, { partialSuccess: { rejectedLogRecords: "2", errorMessage: "no" } }), 3, nowMs);
  assert.ok(some.kind === "refused" && some.all === false);
  const all = otlp.judge(answer(200, { partialSuccess: { rejectedLogRecords: 3 } }), 3, nowMs);
  assert.ok(all.kind === "refused" && all.all === true);
});

const splunk = new SplunkEncoder({ path: "/e", index: undefined, sourcetype: undefined, source: "", host: "", fields: {}, channel: undefined });
const splunkAck = new SplunkEncoder({ path: "/e", index: undefined, sourcetype: undefined, source: "", host: "", fields: {}, channel: "c" });
const codes: readonly (readonly [status: number, body: unknown, kind: string, more?: string | number])[] = [
  [200, { text: "Success", code: 0 }, "delivered"],
  [200, { text: "hello" }, "retry", "configuration"],
  [200, "", "retry", "configuration"],
  [403, { code: 1 }, "retry", "configuration"],
  [403, { code: 4 }, "retry", "configuration"],
  [400, { code: 7 }, "retry", "configuration"],
  [400, { code: 6, "invalid-event-number": 3 }, "refused", 3],
  [400, { code: 5 }, "refused"],
  [400, { code: 13, "invalid-event-number": 0 }, "refused", 0],
  [500, { code: 8 }, "retry", "outage"],
  [503, { code: 9 }, "retry", "busy"],
  [413, { code: 27 }, "tooLarge"],
  [400, "nonsense", "refused"],
];

for (const [status, body, kind, more] of codes) {
  test(`A collector's ${status} ${JSON.stringify(body)} means ${kind} ${more ?? ""}`, () => {
    const verdict = splunk.judge(answer(status, body), 10, nowMs);
    assert.deepEqual([verdict.kind, verdict.kind === "retry" ? verdict.fault : verdict.kind === "refused" ? verdict.at : undefined], [kind, more]);
  });
}

test("With acknowledgement a success is not yet a delivery, and one without a number is a fault of the settings", () => {
  assert.deepEqual(splunkAck.judge(answer(200, { code: 0, ackId: 7 }), 1, nowMs), { kind: "unconfirmed", ackId: 7 });
  assert.equal(splunkAck.judge(answer(200, { code: 0 }), 1, nowMs).kind, "retry");
});
