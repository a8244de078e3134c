// Differential: any schema and any values, written by avsc and read by the adapter; any records, written by the adapter and read by avsc.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mappingOf } from "../../support.ts";
import { convert, fileByOracle, plain, readAvro, valuesByOracle } from "./support.ts";

/** A schema, a value of it as avsc wants it, and the cell that it is to be. */
type Case = { readonly schema: unknown; readonly value: unknown; readonly json: string };

let names = 0;
const leaf: fc.Arbitrary<Case> = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ schema: "long", value, json: String(value) })),
  fc.integer().map((value) => ({ schema: "int", value, json: String(value) })),
  fc.string({ unit: "grapheme" }).map((value) => ({ schema: "string", value, json: JSON.stringify(value) })),
  fc.boolean().map((value) => ({ schema: "boolean", value, json: String(value) })),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ schema: "double", value, json: Object.is(value, -0) ? "-0" : String(value) })),
  fc.constantFrom("A", "B", "C").map((value) => ({ schema: { type: "enum", name: `E${names++}`, symbols: ["A", "B", "C"] }, value, json: `"${value}"` })),
  fc.constant({ schema: "null", value: null, json: "null" }),
);
const tree: fc.Arbitrary<Case> = fc.letrec<{ any: Case }>((tie) => ({
  any: fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf,
    fc.tuple(tie("any"), fc.nat(6)).map(([item, count]) => ({ schema: { type: "array", items: item.schema }, value: Array.from({ length: count }, () => item.value), json: `[${Array.from({ length: count }, () => item.json).join(",")}]` })),
    fc.tuple(tie("any"), fc.uniqueArray(fc.string({ minLength: 1 }).filter((key) => key !== "__proto__" && !/^\d+$/.test(key)), { maxLength: 4 })).map(([item, keys]) => ({ schema: { type: "map", values: item.schema }, value: Object.fromEntries(keys.map((key) => [key, item.value])), json: `{${keys.map((key) => `${JSON.stringify(key)}:${item.json}`).join(",")}}` })),
    fc.array(tie("any"), { maxLength: 4 }).map((items) => ({
      schema: { type: "record", name: `R${names++}`, fields: items.map((item, index) => ({ name: `f${index}`, type: item.schema })) },
      value: Object.fromEntries(items.map((item, index) => [`f${index}`, item.value])), json: `{${items.map((item, index) => `"f${index}":${item.json}`).join(",")}}`,
    })),
  ),
})).any;

test("what avsc writes of any schema is read exactly", async () => {
  await fc.assert(fc.asyncProperty(fc.array(tree, { minLength: 1, maxLength: 5 }), fc.constantFrom("null" as const, "deflate" as const), fc.integer({ min: 1, max: 60 }), async (columns, codec, size) => {
    const schema = { type: "record", name: "Row", fields: columns.map((column, index) => ({ name: `c${index}`, type: column.schema })) };
    const bytes = await fileByOracle(schema, [Object.fromEntries(columns.map((column, index) => [`c${index}`, column.value]))], { codec });
    assert.deepEqual(readAvro(bytes, size), { columns: columns.map((_, index) => `c${index}`), rows: [columns.map(({ json }) => json)] });
  }), { seed: 20_261_121, numRuns: 300 });
});

test("what the adapter writes avsc reads as the same values", async () => {
  const mapping = mappingOf({ in: '{format: ndjson, columns: {i: "int64?", d: "decimal(3)?", s: "string?", n: "number?", b: "bool?"}}', out: '{format: avro, codec: none, file: "/o/{name}"}', fields: "{i: i, d: d, s: s, n: n, b: b, x: x}" });
  const record = fc.record({
    i: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), d: fc.option(fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n })), s: fc.string({ unit: "grapheme" }),
    n: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })), b: fc.option(fc.boolean()), x: fc.option(fc.string({ unit: "grapheme" })),
  });
  await fc.assert(fc.asyncProperty(fc.array(record, { maxLength: 30 }), async (records) => {
    const decimal = (value: bigint): string => `${value < 0n ? "-" : ""}${String(value < 0n ? -value : value).padStart(4, "0").replace(/(...)$/, ".$1")}`;
    const lines = records.map(({ i, d, s, n, b, x }) => `{"i":${i},"d":${d === null ? null : decimal(d)},"s":${JSON.stringify(s)},"n":${Object.is(n, -0) ? "-0" : n},"b":${b},"x":${JSON.stringify(x)}}\n`);
    const { values } = await valuesByOracle(await convert(mapping, Buffer.from(lines.join(""))));
    const branch = (name: string, value: unknown): unknown => (value === null ? null : { [name]: value });
    assert.deepEqual(values.map((value) => plain(value)), records.map(({ i, d, s, n, b, x }) => ({ i: branch("long", i), d: d === null ? null : { bytes: d }, s: { string: s }, n: branch("double", n), b: branch("boolean", b), x: branch("string", x) })));
  }), { seed: 20_261_121, numRuns: 200 });
});
