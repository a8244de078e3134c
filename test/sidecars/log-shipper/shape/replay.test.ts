import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MsgpackValue } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { encodeExtraPairs } from "../../../../sidecars/log-shipper/metadata/metadata.ts";
import { decodeDrops, DropList, RateLimiter } from "../../../../sidecars/log-shipper/shape/rate-limit.ts";
import type { EntryBatch, ShapeMemory } from "../../../../sidecars/log-shipper/shape/shaper.ts";
import { Bench, batchOf, decodeAll } from "./shaping.ts";

/** Settings whose decisions depend on the records alone. */
const timeless = `
time: { field: at, format: unix }
filters:
  - { type: drop, when: { field: level, equals: debug } }
  - { type: redact, fields: [message], patterns: ['pw=\\S+'] }
  - { type: redact, presets: [email] }
  - { type: sample, share: 0.7, when: { field: level, equals: info } }
  - { type: sample, share: 0.5, key: trace }
  - { type: rename, fields: { message: msg } }
  - { type: add, fields: { env: prod } }
  - { type: remove, fields: [m.x] }
sinks:
  - { name: all }
  - { name: errors, match: { when: { field: level, equals: error } } }
  - { name: archive }
  - { name: tagged, match: { tags: [other] } }
`;

const record: fc.Arbitrary<Record<string, MsgpackValue>> = fc.record(
  {
    level: fc.constantFrom("debug", "info", "error"),
    message: fc.constantFrom("plain", "pw=secret x", "mail a@b.example", "é pw=ключ 😀 a@b.example pw=2"),
    at: fc.constantFrom(1_600_000_000, 1_600_000_001.5, "later"),
    trace: fc.integer({ min: 0, max: 20 }),
    m: fc.constantFrom({ x: 1 }, { x: "pw=1", y: ["a@b.example"] }, { y: 2 }, 5),
    other: fc.string({ maxLength: 40 }),
  },
  { requiredKeys: [] },
);

/** Records `[from, to)` of a batch, as if the range had begun there. */
function part(batch: EntryBatch, all: readonly Record<string, MsgpackValue>[], from: number, to: number, extra: ReturnType<typeof encodeExtraPairs>): EntryBatch {
  const base = batch.spans[from * 2] ?? 0;
  return { entries: batchOf(all.slice(from, to), extra).entries, records: to - from, spans: batch.spans.slice(from * 2, to * 2).map((value, index) => (index % 2 === 0 ? value - base : value)) };
}

const extra = encodeExtraPairs({ kubernetes: { pod_name: "p", note: "a@b.example" } });
const join = (batches: readonly (EntryBatch | undefined)[]): Buffer => Buffer.concat(batches.map((batch) => batch?.entries ?? new Uint8Array(0)));

test("Wherever a range is cut, the same records come out, byte for byte", () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 60 }), fc.array(fc.nat({ max: 60 }), { maxLength: 4 }), (records, at) => {
      const batch = batchOf(records, extra);
      const whole = new Bench(timeless).shape(batch, { from: 5000, extra });
      const cuts = [...new Set([0, ...at.filter((each) => each < records.length), records.length])].toSorted((left, right) => left - right);
      const bench = new Bench(timeless);
      const parts = cuts.slice(1).map((to, index) => {
        const from = cuts[index] ?? 0;
        return { from, ...bench.shape(part(batch, records, from, to, extra), { from: 5000 + (batch.spans[from * 2] ?? 0), extra }) };
      });
      for (const outlet of [0, 1, 2]) {
        assert.deepEqual(join(parts.map(({ outlets }) => outlets[outlet])), join([whole.outlets[outlet]]));
        const positions = parts.flatMap(({ from, outlets }) => [...(outlets[outlet]?.spans ?? [])].map((value, index) => (index % 2 === 0 ? value + from * 100 : value)));
        assert.deepEqual(positions, [...(whole.outlets[outlet]?.spans ?? [])]);
      }
      assert.equal(parts.reduce((sum, { filteredBytes }) => sum + filteredBytes, 0), whole.filteredBytes);
      assert.equal(whole.filteredBytes, (records.length - (whole.outlets[0]?.records ?? 0)) * 90, "bytes of the range = bytes of the records that go somewhere + filtered bytes");
      assert.equal(whole.memory, undefined);
    }),
    { numRuns: 300 },
  );
});

test("Looking past the metadata changes nothing but the cost", () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
      const batch = batchOf(records, extra);
      const settings = timeless.replace("presets: [email]", "fields: [message, m], presets: [email]");
      assert.deepEqual(new Bench(settings).shape(batch, { extra }).outlets, new Bench(settings).shape(batch).outlets);
    }),
    { numRuns: 100 },
  );
});

test("A redaction of every field leaves the Pod's metadata alone, also when another setting speaks of it", () => {
  const batch = batchOf([{ a: "a@b.example" }], extra);
  for (const more of ["", ", { type: keep, when: { field: kubernetes.pod_name, equals: p } }"]) {
    assert.deepEqual(decodeAll(new Bench(`filters: [{ type: redact, presets: [email] }${more}]`).shape(batch, { extra }).outlets[0])[0]?.record, { a: "[redacted]", kubernetes: { pod_name: "p", note: "a@b.example" } });
  }
  assert.deepEqual(decodeAll(new Bench("filters: [{ type: redact, fields: [kubernetes.note], presets: [email] }]").shape(batch, { extra }).outlets[0])[0]?.record, { a: "a@b.example", kubernetes: { pod_name: "p", note: "[redacted]" } });
});

const limited = `
filters:
  - { type: drop, when: { field: level, equals: debug } }
  - { type: rate-limit, perSecond: 10, burst: 5, key: trace }
  - { type: rate-limit, name: total, perSecond: 3 }
`;

test("What a rate limit dropped is dropped again at a replay, whatever the clock says then", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(record, { maxLength: 80 }), fc.nat({ max: 2000 })), { minLength: 1, maxLength: 5 }), (ranges) => {
      const first = new Bench(limited);
      const second = new Bench(limited);
      let nowMs = 0;
      for (const [records, pauseMs] of ranges) {
        nowMs += pauseMs;
        const batch = batchOf(records);
        const shaped = first.shape(batch, { nowMs });
        assert.ok(shaped.memory !== undefined, "there is always something to remember, or a replay could not tell");
        const memory = JSON.parse(JSON.stringify(shaped.memory)) as ShapeMemory;
        assert.deepEqual(second.shape(batch, { nowMs: 1e9 + nowMs * 7, memory }), shaped);
      }
    }),
    { numRuns: 200 },
  );
});

test("A rate limit lets a burst and then its rate through, for each key by itself and all sources together", () => {
  const bench = new Bench("filters: [{ type: rate-limit, perSecond: 2, burst: 3, key: k }]");
  const five = batchOf("aaaaab".split("").map((k) => ({ k })));
  const passed = (nowMs: number): string => decodeAll(bench.shape(five, { nowMs }).outlets[0]).map((each) => (each.record as { readonly k: string }).k).join("");
  assert.equal(passed(0), "aaab");
  assert.equal(passed(100), "b");
  assert.equal(passed(1000), "aab");
  assert.equal(passed(100_000), "aaab");
  assert.deepEqual(bench.told.filtered, { "rate-limit-0": 2 + 5 + 3 + 2 });
});

test("Beyond keysMax, idle keys give way and the others share one limit", () => {
  const limiter = new RateLimiter({ perSecond: 1, burst: 2, keysMax: 2 });
  assert.deepEqual(["a", "a", "a", "b"].map((key) => limiter.take(key, 0)), [true, true, false, true]);
  assert.deepEqual(["c", "d", "e"].map((key) => limiter.take(key, 0)), [true, true, false], "c, d and e share");
  assert.deepEqual(["f", "f", "f"].map((key) => limiter.take(key, 5000)), [true, true, false], "an idle key has given way");
});

test("A million keys stay bounded", () => {
  const limiter = new RateLimiter({ perSecond: 1, burst: 1, keysMax: 100 });
  let passed = 0;
  for (let key = 0; key < 100_000; key++) if (limiter.take(`key${key}`, key / 100)) passed++;
  assert.ok(passed <= 100 + 100 * 1000 * 2, `${passed}`);
});

test("Lists of drops are read back, and stay short", () => {
  fc.assert(
    fc.property(fc.oneof(fc.array(fc.boolean(), { maxLength: 300 }), fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 200 })), { maxLength: 8 }).map((runs) => runs.flatMap(([value, length]) => Array.from({ length }, () => value)))), (drops) => {
      const list = new DropList();
      for (const drop of drops) list.add(drop);
      const encoded = JSON.parse(JSON.stringify(list.encode())) as readonly number[];
      const decided = decodeDrops(encoded);
      assert.deepEqual(drops.map((_, nth) => decided(nth)), drops);
      assert.ok(encoded.length <= 3 + drops.length / 16, `${encoded.length} numbers for ${drops.length} decisions`);
    }),
  );
});

test("A sample keeps about its share, by record and by key, the same in every Pod that has the key", () => {
  const byRecord = new Bench("filters: [{ type: sample, share: 0.2 }]").shape(batchOf(Array.from({ length: 10_000 }, (_, n) => ({ n }))));
  assert.ok(Math.abs((byRecord.outlets[0]?.records ?? 0) - 2000) < 200, String(byRecord.outlets[0]?.records));
  const traces = Array.from({ length: 10_000 }, (_, n) => ({ trace: `t${n % 1000}` }));
  const settings = "filters: [{ type: sample, share: 0.2, key: trace }]";
  const here = decodeAll(new Bench(settings).shape(batchOf(traces), { content: "here" }).outlets[0]).map((each) => each.record);
  const there = decodeAll(new Bench(settings).shape(batchOf(traces), { content: "there", from: 77 }).outlets[0]).map((each) => each.record);
  assert.deepEqual(here, there);
  const kept = new Set(here.map((each) => JSON.stringify(each)));
  assert.equal(here.length, kept.size * 10, "all records of a trace or none");
  assert.ok(Math.abs(kept.size - 200) < 60, String(kept.size));
  assert.notDeepEqual(new Bench("filters: [{ type: sample, share: 0.2 }]").shape(batchOf(traces), { content: "here" }).outlets[0]?.spans, new Bench("filters: [{ type: sample, share: 0.2 }]").shape(batchOf(traces), { content: "there" }).outlets[0]?.spans);
});
