import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { batchOf, Bench, decodeAll, shapeRecords } from "./shaping.ts";

// What one record is shaped to is the same alone and among many: texts of a batch are looked through and copied together.

const word = fc.oneof(
  fc.constantFrom("", "/orders/7", "/orders/", "GET /orders/123/items", "/orders/1 /orders/22", "é/orders/5", "orders", "😀 /orders/9 ü"),
  fc.string({ maxLength: 12 }),
  fc.string({ minLength: 50, maxLength: 90 }).map((text) => `${text}/orders/4`),
);
const value = fc.oneof(word, fc.integer(), fc.constant(null), fc.record({ path: word, n: fc.nat() }), fc.array(word, { maxLength: 3 }));
const record = fc.record({ level: fc.constantFrom("info", "debug", "error"), path: value, pad: fc.integer({ min: 0, max: 1_500 }).map((size) => "-".repeat(size)), ua: word, note: value, at: fc.nat() }, { requiredKeys: [] });

const filters = `filters:
  - { type: drop, when: { field: level, equals: debug } }
  - { type: redact, fields: [path, note], patterns: ['/orders/\\d+', 'ü'], replacement: '[gone]' }
  - { type: rename, fields: { ua: user_agent } }
  - { type: remove, fields: [note], when: { field: path, matches: '/orders' } }`;

function check(name: string, yaml: string): void {
  test(name, () => {
    fc.assert(fc.property(fc.array(record, { minLength: 1, maxLength: 120 }), (records) => {
      const alone = records.flatMap((each) => shapeRecords(yaml, [each]));
      assert.deepEqual(shapeRecords(yaml, records), alone);
    }), { numRuns: 40 });
  });
}

check("Records are shaped among many as they are alone", filters);
check("Records are shaped among many as they are alone, all of their fields looked at", filters.replace("fields: [path, note], ", ""));
check("Records are shaped among many as they are alone, with their times taken", `time: { field: at, format: unix }\n${filters}`);

test("The same pattern in text after text is replaced in each, whatever else is in the texts", () => {
  const records = Array.from({ length: 2_000 }, (_, index) => ({ seq: index, path: `${index % 7 === 0 ? "ä" : ""}/orders/${index}${"x".repeat(index % 90)}`, tail: "-".repeat(index % 1_300) }));
  const expected = records.map(({ path, ...rest }) => ({ ...rest, path: path.replace(/\/orders\/\d+/, "*") }));
  assert.deepEqual(shapeRecords(String.raw`filters: [{ type: redact, fields: [path], patterns: ['/orders/\d+'], replacement: '*' }]`, records), expected);
});

test("A text that is in another batch at the same place is not taken for the former one", () => {
  const bench = new Bench(String.raw`filters: [{ type: redact, fields: [p], patterns: ['\d+'], replacement: '*' }]`);
  for (const letter of ["a", "b", "c"]) {
    const shaped = bench.shape(batchOf(Array.from({ length: 10 }, () => ({ p: `${letter}${letter}1${letter}` }))));
    assert.deepEqual(decodeAll(shaped.outlets[0]).map((each) => each.record), Array.from({ length: 10 }, () => ({ p: `${letter}${letter}*${letter}` })));
  }
});
