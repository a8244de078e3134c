import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock, type Clock } from "../../../../../kit/clock.ts";
import { delivered } from "../../../../../sidecars/log-shipper/sinks/sink.ts";
import { eventually } from "../../../../support/eventually.ts";
import type { DoubleRequest, Fault } from "../../doubles/http-double.ts";
import { chunkOf, destinations, idsFrom, lineRecords, startSink } from "./support.ts";

/** Every kind of fault, on the first requests; every record must arrive whatever happens. */
const faults: readonly { readonly name: string; readonly fault: Fault; readonly settings?: { readonly [key: string]: unknown }; /** The destination has it although we do not know. */ readonly storedTwice?: true }[] = [
  { name: "429 with Retry-After", fault: { kind: "answer", answer: { status: 429, headers: { "retry-after": "0" } } } },
  { name: "503 with a Retry-After date", fault: { kind: "answer", answer: { status: 503, headers: { "retry-after": new Date(Date.now() + 500).toUTCString() } } } },
  { name: "500", fault: { kind: "answer", answer: { status: 500, body: "boom" } } },
  { name: "502 with a page", fault: { kind: "answer", answer: { status: 502, body: `<html>${"x".repeat(200_000)}</html>` } } },
  { name: "408", fault: { kind: "answer", answer: { status: 408 } } },
  { name: "401", fault: { kind: "answer", answer: { status: 401 } } },
  { name: "403", fault: { kind: "answer", answer: { status: 403, body: "forbidden" } } },
  { name: "404", fault: { kind: "answer", answer: { status: 404 } } },
  { name: "a redirect", fault: { kind: "answer", answer: { status: 302, headers: { location: "http://127.0.0.1:1/elsewhere" } } } },
  { name: "a login page with 200", fault: { kind: "answer", answer: { status: 200, headers: { "content-type": "text/html" }, body: "<!doctype html><title>Log in</title>" } } },
  { name: "a reset before it is stored", fault: { kind: "resetBefore" } },
  { name: "a reset after it is stored", fault: { kind: "resetAfter" }, storedTwice: true },
  { name: "an answer that breaks off", fault: { kind: "cutBody" }, storedTwice: true },
  { name: "an answer that comes too late", fault: { kind: "slow", ms: 5_000 }, settings: { timeoutMs: "150ms" }, storedTwice: true },
  { name: "an answer that never ends", fault: { kind: "dribble" }, settings: { timeoutMs: "200ms" }, storedTwice: true },
];

for (const { type, double: create, settings: own } of destinations) {
  for (const { name, fault, settings, storedTwice } of faults) {
    test(`${type}: after ${name} every record arrives, by the same bytes, and nothing goes to the dead letters`, { timeout: 150_000 }, async () => {
      await using double = await create().listen();
      await using each = startSink(type, [double.url], { ...own, ...settings });
      double.fault = ({ number }) => (number < 2 ? fault : undefined);
      assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("a", 50))), delivered);
      assert.deepEqual(double.violations, []);
      assert.deepEqual(new Set(double.ids), new Set(idsFrom("a", 50)), "none is lost");
      if (double.stored[0]?.key !== undefined) assert.deepEqual(double.uniqueIds.toSorted(), idsFrom("a", 50).toSorted(), "a destination with ids has each once");
      if (storedTwice === undefined) assert.equal(double.stored.length, 50, "none is stored twice");
      assert.ok(double.requests.length >= 3, "the fault has really happened");
      for (const request of double.requests) assert.deepEqual(request.sent, double.requests[0]?.sent, "the bytes of a request never change");
      assert.throws(each.deadLetters, { code: "ENOENT" });
      assert.equal(each.sink.problem(), undefined);
    });
  }

  test(`${type}: a body that is too large is halved, and the next chunk is divided at once`, async () => {
    await using double = await create().listen();
    await using each = startSink(type, [double.url], own);
    double.bytesMax = 9_000;
    assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("a", 300))), delivered);
    const first = double.requests.length;
    assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("b", 300), { from: 100_000 })), delivered);
    assert.deepEqual([...double.ids], [...idsFrom("a", 300), ...idsFrom("b", 300)]);
    assert.equal(double.requests.slice(first).filter((request) => request.sent.length > double.bytesMax).length, 0, "what was too large once is not tried again");
  });

  test(`${type}: a single record that is too large goes to the dead letters, the others arrive`, async () => {
    await using double = await create().listen();
    await using each = startSink(type, [double.url], own);
    double.bytesMax = 9_000;
    const records = [...lineRecords("a", 3), { log: `#big-0#${"x".repeat(10_000)}` }, ...lineRecords("b", 3)];
    assert.deepEqual(await each.sink.deliver(chunkOf(records)), { kind: "delivered", deadLettered: [3] });
    assert.deepEqual([...double.ids], [...idsFrom("a", 3), ...idsFrom("b", 3)]);
    const [letter, ...others] = each.deadLetters();
    assert.deepEqual([letter?.["status"], letter?.["offset"], letter?.["bytes"], letter?.["path"], others.length], [413, 300, 100, "/var/log/app.log", 0]);
  });

  test(`${type}: poison records alone go to the dead letters, with all that is needed to find them`, async () => {
    await using double = await create().listen();
    await using each = startSink(type, [double.url], own);
    double.poison = (text) => /#a-(?:37|38|90)#/.test(text);
    assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("a", 100, { n: 17 }), { from: 5_000, tag: "shop" })), { kind: "delivered", deadLettered: [37, 38, 90] });
    assert.deepEqual(double.violations, []);
    assert.deepEqual(new Set(double.ids), new Set(idsFrom("a", 100).filter((id) => !["a-37", "a-38", "a-90"].includes(id))));
    const letters = each.deadLetters();
    assert.deepEqual(new Set(letters.map((letter) => JSON.stringify([letter["sink"], letter["tag"], letter["offset"], letter["path"]]))), new Set([37, 38, 90].map((index) => JSON.stringify([type, "shop", 5_000 + index * 100, "/var/log/app.log"]))));
    assert.equal(letters.length, 3);
    assert.match(JSON.stringify(letters[0]?.["record"]), /line #a-\d+# says hello/);
    assert.match(String(letters[0]?.["time"]), /^2026-01-01T12:00:00\.\d{9}Z$/);
    assert.match(String(letters[0]?.["reason"]), /./);
  });

  test(`${type}: a chunk of nothing but poison ends in the dead letters, and the settings are suspected`, async () => {
    await using double = await create().listen();
    await using each = startSink(type, [double.url], own);
    double.poison = () => true;
    const outcome = await each.sink.deliver(chunkOf(lineRecords("a", 120)));
    assert.deepEqual(outcome, { kind: "delivered", deadLettered: Array.from({ length: 120 }, (_, index) => index) });
    assert.equal(each.deadLetters().length, 120);
    assert.match(each.sink.problem() ?? "", /refused 120 records in a row/);
    double.poison = () => false;
    assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("b", 3))), delivered);
    await each.sink.deliver(chunkOf(lineRecords("c", 3)));
    assert.equal(each.sink.problem(), undefined);
  });

  test(`${type}: wrong credentials are told with the remedy, without the secret, and delivery goes on once they are right`, async () => {
    await using double = await create().listen();
    const secret = "Bearer-s3cr3t-value";
    const credentials = type === "splunk" ? { token: secret } : { bearer: secret };
    await using each = startSink(type, [double.url], { ...own, ...credentials });
    let right = false;
    double.fault = (request: DoubleRequest) => (right ? undefined : { kind: "answer", answer: { status: 401, body: `{"you":"sent ${request.headers["authorization"]}","code":4}` } });
    const delivery = each.sink.deliver(chunkOf(lineRecords("a", 5)));
    await eventually(() => double.requests.length >= 3);
    assert.match(each.sink.problem() ?? "", /401.*check/);
    assert.ok(!`${each.sink.problem()} ${JSON.stringify(each.logged)}`.includes("s3cr3t"), "the secret is not told");
    right = true;
    if (type === "splunk") double.fault = () => ({ kind: "answer", answer: { status: 200, body: '{"text":"Success","code":0}' } });
    assert.deepEqual(await delivery, delivered);
  });

  test(`${type}: of two endpoints the one that works gets everything`, async () => {
    await using broken = await create().listen();
    await using working = await create().listen();
    broken.fault = () => ({ kind: "answer", answer: { status: 503 } });
    // While this clock stands no rest is over, however long the deliveries take.
    let stoodMs: number | undefined = systemClock.monotonicMs();
    const clock: Clock = { ...systemClock, monotonicMs: () => stoodMs ?? systemClock.monotonicMs() };
    await using each = startSink(type, [broken.url, working.url, "http://127.0.0.1:1"], { ...own, retryMaxMs: 300 }, { clock });
    for (let round = 0; round < 10; round++) assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords(`r${round}`, 5), { from: round * 1_000 })), delivered);
    assert.equal(working.stored.length, 50);
    assert.ok(broken.requests.length <= 2, `a failed endpoint rests, it was asked ${broken.requests.length} times`);
    stoodMs = undefined;
    await working.close();
    broken.fault = () => undefined;
    assert.deepEqual(await each.sink.deliver(chunkOf(lineRecords("z", 5), { from: 90_000 })), delivered);
    assert.deepEqual([...broken.ids], idsFrom("z", 5));
  });

  test(`${type}: random faults for a while lose nothing`, { timeout: 150_000 }, async () => {
    await using double = await create().listen();
    await using each = startSink(type, [double.url], { ...own, timeoutMs: "300ms", retryMaxMs: 10 });
    let random = 7;
    const next = (below: number): number => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    const kinds = faults.filter(({ fault }) => fault.kind !== "slow" && fault.kind !== "dribble");
    double.fault = () => (next(3) === 0 ? kinds[next(kinds.length)]?.fault : undefined);
    double.poison = (text) => text.includes("7#");
    const chunks = 40;
    const outcomes = await Promise.all(Array.from({ length: chunks }, (_, index) => each.sink.deliver(chunkOf(lineRecords(`c${index}`, 20), { from: index * 10_000 }))));
    assert.deepEqual(outcomes, Array.from({ length: chunks }, () => ({ kind: "delivered", deadLettered: [7, 17] })));
    const expected = Array.from({ length: chunks }, (_, index) => idsFrom(`c${index}`, 20)).flat();
    assert.deepEqual(new Set(double.ids), new Set(expected.filter((id) => !id.endsWith("7"))));
    const letters = each.deadLetters().map((letter) => /#([^#]+)#/.exec(JSON.stringify(letter["record"]))?.[1] ?? "");
    assert.deepEqual(letters.toSorted(), expected.filter((id) => id.endsWith("7")).toSorted(), "each poison record is buried once");
    assert.deepEqual(double.violations, []);
  });
}
