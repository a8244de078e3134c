import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Mapping } from "../../../../sidecars/format-adapter/mapping/mapping.ts";
import { mappingOf } from "../support.ts";
import { byEngine, byReference } from "./outcomes.ts";

const outputs = ['{format: csv, file: "/o/{name}"}', '{format: csv, quote: all, eol: crlf, bom: true, delimiter: ";", file: "/o/{name}"}', '{format: ndjson, file: "/o/{name}"}', '{format: json, file: "/o/{name}"}'];
const columns = "{a: string?, b: int64?, c: decimal(2)?, d: bool?, e: timestamp?, f: date?}";
const fields = '{a: a, B: {from: b, type: int64}, c: c, d: {from: d, default: "true"}, e: e, f: f, k: {const: "x\\"y"}, j: {join: [a, b], sep: "-"}, g: {from: g, default: none}}';
const mappings = (format: string): readonly Mapping[] => outputs.map((out) => mappingOf({ in: `{format: ${format}, strict: false, columns: ${columns}}`, out, fields }));

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4000 })), { minLength: 1, maxLength: 5 });
const value = fc.oneof(
  fc.constantFrom("", "0", "-1", "00123", "1.10", "true", "false", "2026-01-02T03:04:05Z", "2026-02-29", "2024-02-29", "2026-01-02", "9223372036854775807", "9223372036854775808", "-0", "1e3", "x", 'q"q', "é😀", "a,b", "l1\nl2", "l1\r\nl2", "\u0000\u001f", "\\", "__proto__"),
  fc.string({ unit: fc.constantFrom("a", "1", '"', ",", "\n", "\r", "é", "😀", "\\", "\t", " "), maxLength: 40 }),
);

function agree(mapping: Mapping, text: string, pieces: readonly number[]): void {
  assert.deepEqual(byEngine(mapping, text, pieces), byReference(mapping, text));
}

test("CSV: the engine makes what the reference makes, however the bytes come", () => {
  const all = mappings("csv");
  const names = ["a", "b", "c", "d", "e", "f"];
  const quote = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const right = fc.tuple(fc.constantFrom("x", "", 'q"', "é"), fc.constantFrom("1", ""), fc.constantFrom("1.10", "3", ""), fc.constantFrom("true", ""), fc.constantFrom("2026-01-02T03:04:05.5Z", "2026-01-31T03:04:05+01:00", ""), fc.constantFrom("2026-01-31", ""));
  const rows = fc.array(fc.oneof({ weight: 8, arbitrary: right }, { weight: 1, arbitrary: fc.array(value, { minLength: 6, maxLength: 6 }) }, { weight: 1, arbitrary: fc.array(value, { maxLength: 8 }) }), { maxLength: 30 });
  fc.assert(
    fc.property(rows, fc.constantFrom("\n", "\r\n", "\r"), fc.boolean(), fc.boolean(), sizes, fc.integer({ min: 0, max: 3 }), (cells, eol, bom, isWhole, pieces, which) => {
      const text = `${bom ? "\uFEFF" : ""}${[names, ...cells].map((row) => row.map((cell) => quote(cell)).join(",") + eol).join("")}`;
      const mapping = all[which];
      assert.ok(mapping);
      agree(mapping, isWhole ? text : text.slice(0, -1), pieces);
    }),
    { numRuns: 1_500 },
  );
});

test("CSV: the engine refuses what the reference refuses, on any text", () => {
  const mapping = mappingOf({ in: "{format: csv, strict: false}", out: outputs[0] ?? "", fields: "{a: {from: a, default: none}}" });
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", "é"), maxLength: 24 }), sizes, (body, pieces) => agree(mapping, `a,b\n${body}`, pieces)),
    { numRuns: 4_000 },
  );
});

const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, value, fc.constant(null), fc.boolean(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.array(tie("value"), { maxLength: 3 }), fc.dictionary(fc.constantFrom("x", "y", 'k"', "é"), tie("value"), { maxKeys: 3 })),
})).value;

for (const format of ["ndjson", "json"] as const) {
  test(`${format}: the engine makes what the reference makes, however the bytes come`, () => {
    const all = mappings(format);
    const right = fc.record({ a: fc.oneof(value, fc.constant(null)), b: fc.constantFrom(1, "2", null), c: fc.constantFrom(1.5, "3.25"), d: fc.boolean(), e: fc.constant("2026-01-02T03:04:05Z"), g: json, h: json }, { requiredKeys: [] });
    const any = fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "new", 'odd"key'), json, { maxKeys: 6 });
    const spaced = (record: unknown, space: boolean): string => (space && format === "json" ? JSON.stringify(record, null, 2) : JSON.stringify(record));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof({ weight: 6, arbitrary: right }, { weight: 1, arbitrary: any }), fc.boolean()), { maxLength: 20 }), fc.boolean(), sizes, fc.integer({ min: 0, max: 3 }), (records, escapes, pieces, which) => {
        const texts = records.map(([record, space]) => spaced(record, space)).map((text) => (escapes ? text.replace(/[é😀]/gu, (character) => [...Array(character.length).keys()].map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`).join("")) : text));
        const mapping = all[which];
        assert.ok(mapping);
        agree(mapping, format === "json" ? `[${texts.join(",\n")}]\n` : texts.map((text) => `${text}\n`).join(""), pieces);
      }),
      { numRuns: 1_500 },
    );
  });

  test(`${format}: the engine refuses what the reference refuses, on any text`, () => {
    const mapping = mappingOf({ in: `{format: ${format}, strict: false}`, out: outputs[2] ?? "", fields: "{a: {from: a, default: none}}" });
    const piece = fc.constantFrom("{", "}", "[", "]", ",", ":", '"a"', '"b"', '"', "\\", "\\u00e9", "\\ud83d", "\\ude00", "1", "-", ".5", "e3", "01", "true", "nul", "null", " ", "\n", "\r\n", "\t", '{"a":1}', '{"a":[{"x":1,"x":2}]}', "\u0001");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), sizes, (parts, pieces) => {
        const text = parts.join("");
        const ours = byEngine(mapping, text, pieces);
        const reference = byReference(mapping, text);
        // The reader waits for the end of a record that the engine knows to be wrong before.
        if (format === "json" && "code" in ours && ours.code === "SYNTAX" && "code" in reference && reference.code === "INCOMPLETE") return assert.ok(ours.line <= reference.line, `${ours.line} after ${reference.line}`);
        // A key that comes twice beside another fault: which of them is told is not promised.
        assert.deepEqual("text" in ours ? ours : ours.line, "text" in reference ? reference : reference.line);
      }),
      { numRuns: 6_000 },
    );
  });
}

test("a record that is wrong before its end is there is refused, not waited for", () => {
  const mapping = mappingOf({ in: "{format: json, strict: false}", out: outputs[2] ?? "", fields: "{a: {from: a, default: none}}" });
  for (const text of ["[{\r\n-}", '[\n{"a":1},\n{"a":\nnul}]']) {
    const [ours, reference] = [byEngine(mapping, text, [1]), byReference(mapping, text)];
    assert.ok("line" in ours && "line" in reference);
    assert.deepEqual([ours.code, ours.line], ["SYNTAX", reference.line], text);
  }
});

test("records longer than the blocks that are read come out whole, and memory follows the longest record alone", () => {
  const mapping = mappingOf({ in: "{format: csv}", out: outputs[2] ?? "", fields: "{a: a, b: b}" });
  const long = 'x"'.repeat(2_500_000);
  const text = `a,b\n1,"${long.replaceAll('"', '""')}"\n2,y\n`;
  assert.deepEqual(byEngine(mapping, text, [1_000_003]), { refused: [], dropped: 0, text: `${JSON.stringify({ a: "1", b: long })}\n${JSON.stringify({ a: "2", b: "y" })}\n` });
});

test("thousands of keys in changing order", () => {
  const mapping = mappingOf({ in: "{format: ndjson, strict: false}", out: outputs[2] ?? "", fields: "{a: k7, z: {from: absent, default: none}}" });
  const keys = Array.from({ length: 3_000 }, (_, index) => `k${index}`);
  const text = Array.from({ length: 20 }, (_, turn) => `${JSON.stringify(Object.fromEntries([...keys.slice(turn * 100), ...keys.slice(0, turn * 100)].map((key) => [key, `${key}:${turn}`])))}\n`).join("");
  const result = byEngine(mapping, text, [65_536]);
  assert.deepEqual(result, { refused: [], dropped: 0, text: Array.from({ length: 20 }, (_, turn) => `${JSON.stringify({ a: `k7:${turn}`, z: "none" })}\n`).join("") });
});

test("members as most are and members that are otherwise stand in one record, in any mixture", () => {
  const mapping = mappingOf({ in: "{format: ndjson, strict: false}", out: outputs[2] ?? "", fields: "{a: {from: a, default: none}, b: {from: b, default: none}, c: {from: c, default: none}, d: {from: d, default: none}}" });
  const right = fc.constantFrom("1", "-0", "0", "12345678901234567890", "-1.5", "0.000000000000000001", "1e3", "1.5E-3", "true", "false", "null", '""', '"x"', `"${"long ".repeat(9)}"`, '"a\\nb"', '"\\u00e9"', '"é😀"', "[1, 2]", '{"x": 1}');
  const otherwise = fc.constantFrom("01", "-", "1.", ".5", "1e", "00", "tru", "falsy", "nul", "truefalse", '"\u0001"', '"\\x"', "", "1 1");
  const key = fc.constantFrom("a", "b", "c", "d");
  const member = fc.tuple(key, fc.oneof({ weight: 30, arbitrary: right }, { weight: 1, arbitrary: otherwise }), fc.constantFrom(":", ":", ":", " : "), fc.constantFrom(",", ",", ",", ", ", " ,"));
  const record = fc.uniqueArray(member, { selector: ([name]) => name, minLength: 1 }).map((members) => `{${members.map(([name, text, colon], index) => `"${name}"${colon}${text}${index + 1 === members.length ? "" : members[index]?.[3]}`).join("")}}\n`);
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 12 }), sizes, (records, pieces) => {
      const [ours, reference] = [byEngine(mapping, records.join(""), pieces), byReference(mapping, records.join(""))];
      assert.deepEqual("text" in ours ? ours : ours.line, "text" in reference ? reference : reference.line);
    }),
    { numRuns: 500 },
  );
});

test("the line of a fault behind thousands of lines is right, whatever ends them", () => {
  const mapping = mappingOf({ in: "{format: csv, strict: false, columns: {a: int64}}", out: outputs[2] ?? "", fields: "{a: a}" });
  const lines = (count: number, end: string): string => `1${end}`.repeat(count);
  for (const [text, line] of [
    [lines(9_000, "\n"), 9_002],
    [lines(9_000, "\r\n"), 9_002],
    [lines(9_000, "\r"), 9_002],
    [lines(5_000, "\n") + lines(3, "\r\n") + lines(5_000, "\n"), 10_005],
    [lines(2_039, "\n") + lines(1, "\r") + lines(5_000, "\n"), 7_042],
  ] as const) {
    for (const sizes of [[7], [4_079, 4_081], [100_000]]) assert.deepEqual(byEngine(mapping, `a\n${text}x\n`, sizes), { code: "CAST", line });
  }
});

for (const format of ["ndjson", "json"] as const) {
  test(`${format}: keys are told apart by each of their bytes and by their length, in any order and however many there are`, () => {
    const mapping = mappingOf({ in: `{format: ${format}, strict: false, columns: {}}`, out: outputs[2] ?? "", fields: "{k: {from: k, default: none}, l: {from: kkkkkkkkkkkkkk, default: none}, m: {from: k1400, default: none}}" });
    // From one byte to more than a block; keys that end alike; the same one twice, which is refused.
    const key = fc.oneof(fc.integer({ min: 1, max: 20 }).map((length) => "k".repeat(length)), fc.integer({ min: 10, max: 16 }).map((length) => `${"k".repeat(length)}é`), fc.constantFrom("l", "kl", "lk"));
    const member = fc.tuple(key, fc.constantFrom('"v"', '"longer than sixteen bytes"', "1", "-0.5", "true", "null", '{"k":1}', "[]", '"\\n"', '"a,b"')).map(([name, text]) => `"${name}":${text}`);
    const few = fc.array(member, { maxLength: 6 });
    // More members than are guessed, twice, so that the second record is guessed as far as that goes.
    const many = fc.integer({ min: 300, max: 330 }).map((count) => Array.from({ length: count }, (_, index) => `"k${index + 1_100}":${index}`));
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: fc.array(few, { maxLength: 8 }) }, { weight: 1, arbitrary: many.map((members) => [members, members, [...members, '"k1400":"last"'], members.toReversed()]) }), sizes, (records, pieces) => {
        const texts = records.map((members) => `{${members.join(",")}}`);
        agree(mapping, format === "json" ? `[${texts.join(",")}]` : texts.map((text) => `${text}\n`).join(""), pieces);
      }),
      { numRuns: 200 },
    );
  });
}
