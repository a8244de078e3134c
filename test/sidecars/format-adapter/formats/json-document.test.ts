import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { convertText, startConversion } from "../../../../sidecars/format-adapter/convert.ts";
import { chooseMapping } from "../../../../sidecars/format-adapter/detect/detection.ts";
import { mappingOf, parseAdapter, parseConfig } from "../support.ts";
import { byEngine, byReference, type Outcome } from "../engine/outcomes.ts";

const rows = '{format: json, records: data.rows, strict: false, columns: {a: "int64?"}}';
const strictRows = '{format: json, records: data.rows, envelope: {at: meta.at}, ignore: [page, data.count, meta.links.next, "x\\\\.y"], columns: {a: "int64?"}}';
const toLines = '{format: ndjson, file: "/o/{name}"}';

/** What becomes of a document, the same by the engine with reads cut at every byte and by the reader in TypeScript. */
function check(name: string, text: string, expected: Outcome, given: { readonly in?: string; readonly fields?: string } = {}): void {
  test(name, () => {
    const mapping = mappingOf({ in: given.in ?? rows, out: toLines, fields: given.fields ?? "{a: a}" });
    assert.deepEqual(byReference(mapping, text), expected, "by the reader");
    const { length } = Buffer.from(text);
    for (let cut = 1; cut <= length; cut++) assert.deepEqual(byEngine(mapping, text, [cut, length]), expected, `cut at ${cut}`);
    assert.deepEqual(byEngine(mapping, text, [1]), expected, "byte by byte");
  });
}

const gives = (...lines: string[]): Outcome => ({ text: lines.map((line) => `${line}\n`).join(""), refused: [], dropped: 0 });
const fails = (code: string, line: number): Outcome => ({ code, line });

check("records stand at a path, with anything around them", '\uFEFF{"meta": {"a": [1, {"b": "}]\\"é"}], "data": null}, "data": {"x": [], "rows": [{"a": 1}, {"a": 2}], "y": -1.5e3}, "z": [true, false]}\n', gives('{"a":1}', '{"a":2}'));
check("an empty list", '{"data":{"rows":[]}}', gives());
check("one record", '{"data":{"rows": {"a": 7} , "b": 1}}', gives('{"a":7}'));
check("the document is one record", '{"a": 7}\n', gives('{"a":7}'), { in: '{format: json, records: $}' });
check("the document is the list, written as a path", '[{"a": 7}]', gives('{"a":7}'), { in: '{format: json, records: $}' });
check("keys with escapes and points on the way", '{"d\\u0061ta":{"r.s":[{"a":1}]}}', gives('{"a":1}'), { in: '{format: json, records: "$.data.r\\\\.s"}' });
for (const [name, text, expected] of [
  ["keys beside the records that the mapping names", '{"page": {"n": [1, {"b": 2}]}, "x.y": 0, "meta": {"at": 1, "links": {"next": {"any": 1}}}, "data": {"rows": [{"a": 1}], "count": 1}}', gives('{"a":1}')],
  ["a new key at the top", '{"meta": {"at": 1},\n"data": {"rows": []}, "pages": 1}', fails("COLUMN", 2)],
  ["a new key at the top before the records", '{"new": [], "meta": {"at": 1}, "data": {"rows": []}}', fails("COLUMN", 1)],
  ["a new key beside the records", '{"meta": {"at": 1}, "data": {"rows": [],\n\n"counts": {}}}', fails("COLUMN", 3)],
  ["a new key beside a value of the envelope", '{"meta": {"by": null, "at": 1}, "data": {"rows": []}}', fails("COLUMN", 1)],
  ["a new key beside what is ignored", '{"meta": {"at": 1, "links": {"last": 1}}, "data": {"rows": []}}', fails("COLUMN", 1)],
] as const) check(`strict: ${name}`, text, expected, { in: strictRows.replace("columns: {", 'columns: {at: int64, ') });
check("the same keys in other places are not the path", '{"rows":[{"a":0}],"x":{"data":{"rows":[{"a":0}]}},"data":{"rows":[{"a":1}]}}', gives('{"a":1}'));
check("the path is not there", '{"data":{"row":[]}}\n', fails("COLUMN", 1));
check("the path goes through a list", '{"data":[{"rows":[]}]}\n', fails("COLUMN", 1));
check("what stands at the path is no list", '{"data":\n{"rows":"x"}}\n', fails("SYNTAX", 2));
check("an item that is no record", '{"data":{"rows":[{"a":1},\n2]}}\n', fails("SYNTAX", 2));
check("a document that ends before the records", '{"data":{"x":1', fails("INCOMPLETE", 1));
check("a document that ends within the records", '{"data":{"rows":[{"a":1},', fails("INCOMPLETE", 1));
check("a document that ends within the one record", '{"data":{"rows":{"a":1', fails("INCOMPLETE", 1));
check("a document that ends behind the records", '{"data":{"rows":[{"a":1}]}\n', fails("INCOMPLETE", 2));
check("a document that ends behind the one record", '{"data":{"rows":{"a":1}', fails("INCOMPLETE", 1));
check("an empty report", "", fails("INCOMPLETE", 1));
check("a fault before the records", '{"x":\r\n01,"data":{"rows":[]}}', fails("SYNTAX", 2));
check("a fault behind the records", '{"data":{"rows":[{"a":1}]},\r\n}', fails("SYNTAX", 2));
check("text behind the document", '{"data":{"rows":[]}}\n{}', fails("SYNTAX", 2));
check("a key twice on the way", '{"data":{"rows":[{"a":1}]},\n"data":1}', fails("COLUMN", 2));
check("a key twice beside the way", '{"x":{"k":1,\n"\\u006b":2},"data":{"rows":[]}}', fails("COLUMN", 2));
check("half a surrogate pair around the records", '{"x":"\\ud83d\\u0041","data":{"rows":[]}}', fails("SYNTAX", 1));
check("a low half alone", '{"x":"\\ude00","data":{"rows":[]}}', fails("SYNTAX", 1));
check("a high half at the end of a string", '{"x":"\\ud83d"}', fails("SYNTAX", 1));
check("pairs are taken", '{"x":"\\ud83d\\ude00","data":{"rows":[]}}', gives());
check("a control character around the records", '{"x":"\t"}', fails("SYNTAX", 1));
check("a wrong word", '{"x":nul}', fails("SYNTAX", 1));
check("too deep around the records", `{"x":${"[".repeat(200)}`, fails("LIMIT", 1));
check("a fault in a record keeps its line", '{"data":{"rows":[\n{"a":1},\n{"a":tru}\n]}}', fails("SYNTAX", 3));
check("a wrong value keeps its line", '{"m":1,\n"data":{"rows":[\n{"a":"x"}\n]}}', fails("CAST", 3));

const withEnvelope = '{format: json, records: data.rows, envelope: {generated: meta.at, "by": meta.by, all: meta.all, yes: meta.yes, nil: meta.nil}, strict: false, columns: {generated: string, "all.x": int64}}';
const envelopeFields = "{a: a, generated: generated, by: by, x: all.x, yes: yes, nil: nil}";
const meta = '"meta":{"at":"2026-01-02T03:04:05Z \\u00e9","by":12345678901234567890.10,"all":{"x": 5},"yes":true,"nil":null}';
check("values that stand before the records are columns of each", `{${meta},"data":{"rows":[{"a":1},{"a":"2"}]}}`, gives('{"a":1,"generated":"2026-01-02T03:04:05Z é","by":12345678901234567890.10,"x":5,"yes":true,"nil":null}', '{"a":"2","generated":"2026-01-02T03:04:05Z é","by":12345678901234567890.10,"x":5,"yes":true,"nil":null}'), { in: withEnvelope, fields: envelopeFields });
check("a value that stands behind the records is refused", `{"data":{"rows":[{"a":1}]},\n"m":1}`, fails("COLUMN", 1), { in: "{format: json, records: data.rows, envelope: {m: m}}", fields: "{a: a, m: m}" });
check("a key of a record that is the name of such a value is refused", '{"m":1,"data":{"rows":[{"a":1},\n{"a":1,"m":2}]}}', fails("COLUMN", 2), { in: "{format: json, records: data.rows, envelope: {m: m}}", fields: "{a: a, m: m}" });
check("a document that ends within such a value", `{"m":"${"x".repeat(70_000)}","data":{"rows":[]}}`.slice(0, 200), fails("INCOMPLETE", 1), { in: "{format: json, records: data.rows, envelope: {m: m}}", fields: "{a: a, m: m}" });

test("limits around the records: a value of 64 KiB, keys of 4 MiB", () => {
  const mapping = mappingOf({ in: "{format: json, strict: false, records: rows, envelope: {m: m}}", out: toLines, fields: "{a: a, m: m}" });
  const code = (text: string): string => {
    const outcome = convertText(mapping, text);
    return outcome.kind === "failed" ? outcome.error.code : String(outcome.rows);
  };
  assert.equal(code(`{"m":"${"x".repeat(65_534)}","rows":[{"a":1}]}`), "1");
  assert.equal(code(`{"m":"${"x".repeat(65_535)}","rows":[{"a":1}]}`), "LIMIT");
  const keys = Array.from({ length: 300_000 }, (_, index) => `"k${index}":0`).join(",");
  assert.equal(code(`{"x":{${keys}},"m":1,"rows":[{"a":1}]}`), "LIMIT");
  assert.equal(code(`{"x":[${"{},".repeat(300_000)}0],"m":1,"rows":[{"a":1}]}`), "1");
  assert.equal(code(`{"${"k".repeat(70_000)}":1,"m":1,"rows":[]}`), "LIMIT");
});

const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.constantFrom("", "é😀", 'q"\\', "\n\u0001"), fc.constant(null), fc.boolean(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.array(tie("value"), { maxLength: 3 }), fc.dictionary(fc.constantFrom("data", "rows", 'k"', "é"), tie("value"), { maxKeys: 3 })),
})).value;

test("documents are read as JSON.parse reads them, however the bytes come", () => {
  const mapping = mappingOf({ in: '{format: json, strict: false, records: data.rows, envelope: {at: at}}', out: toLines, fields: "{a: a, at: at}" });
  const record = fc.record({ a: fc.oneof(fc.integer(), fc.string()), b: value }, { requiredKeys: ["a"] });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), value, fc.dictionary(fc.constantFrom("x", "row", "é"), value), fc.dictionary(fc.constantFrom("x", "y"), value), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }), fc.boolean(), fc.boolean(), (records, at, before, behind, sizes, pretty, single) => {
      const [first] = records;
      const given = { ...before, at, data: { ...before, rows: single && first !== undefined ? first : records, ...Object.fromEntries(Object.entries(behind).map(([key, each]) => [`${key}!`, each])) }, z: behind };
      const text = JSON.stringify(given, null, pretty ? 2 : 0);
      const expected = (single && first !== undefined ? [first] : records).map((each) => JSON.stringify({ a: each.a, at: JSON.parse(JSON.stringify(at)) as unknown }));
      const outcome = byEngine(mapping, text, sizes);
      assert.ok("text" in outcome, JSON.stringify(outcome));
      // A nested value is copied as it is written.
      assert.deepEqual(outcome.text.split("\n}\n").join("}\n").replace(/\n(?=[ }\]])\s*/g, "").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as unknown), expected.map((line) => JSON.parse(line) as unknown));
      assert.deepEqual(outcome, byReference(mapping, text));
    }),
    { numRuns: 500 },
  );
});

test("any text: the engine takes what the reader takes, and JSON.parse when neither finds fault", () => {
  const mapping = mappingOf({ in: "{format: json, strict: false, records: r}", out: toLines, fields: "{a: {from: a, default: none}}" });
  const piece = fc.constantFrom("{", "}", "[", "]", ",", ":", '"r":', '"x":', '"', "\\u00e9", "\\ud83d", "1", "-", "e3", "0", "true", "null", " ", "\n", '{"a":1}', '"r":[{"a":1}]', '{"r":[', "]}", '"k"');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }), (parts, sizes) => {
      const text = parts.join("");
      const ours = byEngine(mapping, text, sizes);
      const reference = byReference(mapping, text);
      assert.equal("text" in ours, "text" in reference, JSON.stringify([text, ours, reference]));
      if ("text" in ours) {
        assert.deepEqual(ours, reference);
        JSON.parse(text);
      }
    }),
    { numRuns: 4_000 },
  );
});

function written(out: string, records: readonly unknown[], fields: string): string {
  const outcome = convertText(mappingOf({ in: "{format: ndjson, strict: false, columns: {id: int64, price: \"decimal(2)?\"}}", out, fields }), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  assert.ok(outcome.kind === "converted", outcome.kind === "failed" ? outcome.error.message : "");
  return outcome.text;
}

test("documents are written with what stands around the records", () => {
  const out = '{format: json, records: data.rows, envelope: {meta.source: shop, meta.version: 2, meta.live: true, meta.note: null, data.kind: "x\\"y"}, file: "/o/{name}"}';
  assert.equal(written(out, [{ id: 1 }, { id: 2 }], "{id: id}"), '{"meta":{"source":"shop","version":2,"live":true,"note":null},"data":{"kind":"x\\"y","rows":[\n{"id":1},\n{"id":2}\n]}}\n');
  assert.equal(written(out, [], "{id: id}"), '{"meta":{"source":"shop","version":2,"live":true,"note":null},"data":{"kind":"x\\"y","rows":[]}}\n');
});

test("an indented document is what JSON.stringify writes", () => {
  for (const indent of [1, 2, 4]) {
    for (const records of [[], [{ id: 1, name: "a", price: 1.5 }], [{ id: 1, name: "é\n", price: 1.25 }, { id: 2, name: "", price: 3 }]]) {
      const rowsOut = records.map(({ id, name, price }) => ({ order: { id, by: { name } }, price, tag: "t" }));
      const fields = "{order.id: id, order.by.name: name, price: price, tag: {const: t}}";
      assert.equal(written(`{format: json, indent: ${indent}, file: "/o/{name}"}`, records, fields), `${JSON.stringify(rowsOut, null, indent)}\n`);
      assert.equal(written(`{format: json, indent: ${indent}, records: data.rows, envelope: {v: 2, data.k: x}, file: "/o/{name}"}`, records, fields), `${JSON.stringify({ v: 2, data: { k: "x", rows: rowsOut } }, null, indent)}\n`);
    }
  }
});

test("settings that mean nothing are told", () => {
  const problems = (input: string, output: string): readonly string[] => {
    const outcome = parseConfig(`watch: {dir: /in}\nmappings:\n  m:\n    in: ${input}\n    out: ${output}\n    fields: {a: a}\n`);
    return "problems" in outcome ? outcome.problems.map((line) => line.replace(/^.*?mappings/, "mappings")) : [];
  };
  const plain = '{format: json, file: "/o/{name}"}';
  assert.match(problems("{format: json, envelope: {x: y}}", plain).join("\n"), /envelope: needs "records"/);
  assert.match(problems("{format: json, records: a.b, envelope: {x: a}}", plain).join("\n"), /must be the path of a value beside the records/);
  assert.match(problems("{format: json, records: a.b, envelope: {x: c, y: c.d}}", plain).join("\n"), /stands in a value that is a column already/);
  assert.match(problems("{format: json}", '{format: json, indent: 9, file: "/o/{name}"}').join("\n"), /expected a number of spaces from 1 to 8, got "9"/);
  assert.match(problems("{format: json}", '{format: json, envelope: {x: y}, file: "/o/{name}"}').join("\n"), /envelope: needs "records"/);
  assert.match(problems("{format: json}", '{format: json, records: x, envelope: {x: y}, file: "/o/{name}"}').join("\n"), /gives a key that another field gives/);
});

test("a value before the records, or their keys, tell the version", () => {
  const mapping = (name: string): string => `  ${name}:\n    in: {format: json, records: rows, strict: false, envelope: {version: meta.v}}\n    out: {format: csv, file: "/o/{name}.${name}"}\n    fields: {a: {from: a, default: none}}\n`;
  const adapter = parseAdapter(`watch: {dir: /in}\ndetect:\n- {when: {value: {column: version, is: "2"}}, use: two}\n- {when: {header: [b]}, use: one}\nmappings:\n${mapping("one")}${mapping("two")}`);
  const chosen = (text: string, isAll = true): string => {
    const choice = chooseMapping(adapter, "x.json", Buffer.from(text), isAll);
    return choice.kind === "chosen" ? choice.mapping.name : choice.kind;
  };
  assert.equal(chosen('{"meta":{"v":2},"rows":[{"a":1}]}'), "two");
  assert.equal(chosen('{"meta":{"v":3},"rows":[{"b":1}]}'), "one");
  assert.equal(chosen('{"meta":{"v":3},"ro', false), "undecided");
  assert.throws(() => chosen('{"meta":{"v":3},"rows":[{"a":1}]}'), { code: "VERSION" });
});

test("memory does not grow with the document, and its ends are looked at", () => {
  const mapping = mappingOf({ in: "{format: json, strict: false, records: data.rows}", out: toLines, fields: "{a: a}" });
  const conversion = startConversion(mapping);
  const feed = (text: string, times = 1): void => {
    const bytes = Buffer.from(text);
    for (let turn = 0; turn < times; turn++) {
      for (let at = 0; at < bytes.length; ) {
        const count = bytes.copy(conversion.room(), 0, at);
        for (const piece of conversion.take(count)) piece.at(0);
        at += count;
      }
    }
  };
  const heldBytes = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().external;
  const before = heldBytes();
  feed('{"before":[0');
  feed(`,${JSON.stringify({ x: "y".repeat(500) })}`.repeat(400), 100);
  feed('],"data":{"rows":[{"a":1}');
  feed(',{"a":12345}'.repeat(20_000), 80);
  feed(']},"behind":"');
  feed("x".repeat(200_000), 100);
  feed('"');
  // 20 MB before the records, 19 MB of them and 20 MB behind them have passed.
  assert.ok(heldBytes() - before < 12_000_000, String(heldBytes() - before));
  assert.equal(conversion.rows, 1_600_001);
  assert.throws(() => [...conversion.end({ takeUnfinished: false })], { code: "INCOMPLETE" });
});
