// Contents of JSON and NDJSON that converters are known to get wrong, and what becomes of each.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contentTable, convertCut } from "./content.ts";
import { mappingOf } from "./support.ts";

const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const fields = "{a: {from: a, default: none}, b: {from: b, default: none}}";

contentTable({ in: "{format: ndjson, columns: {a: string?, b: string?}}", fields: "{a: a, b: b}" }, [
  ["ndjson: keys in another order, and some that are not there", '{"a":"1","b":"2"}\n{"b":"2","a":"1"}\n{"b":"3"}\n', '{"a":"1","b":"2"}\n{"a":"1","b":"2"}\n{"a":null,"b":"3"}\n'],
  ["ndjson: an extra key is drift", '{"a":"1"}\n{"a":"1","c":2}\n', { code: "COLUMN", line: 2, column: "c" }],
  ["ndjson: a key twice", '{"a":"1"}\n{"a":"1","b":"2","a":"3"}\n', { code: "COLUMN", line: 2, column: "a" }],
  ["ndjson: a key twice, once with an escape", '{"a":"1","\\u0061":"3"}\n', { code: "COLUMN", line: 1, column: "a" }],
  ["ndjson: escapes in keys are the keys that they write", '{"\\u0061":"1","\\u0062":"2"}\n{"a":"3"}\n', '{"a":"1","b":"2"}\n{"a":"3","b":null}\n'],
  ["ndjson: two records in one line", '{"a":"1"}{"a":"2"}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a record over two lines", '{"a":\n"1"}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a list", '[{"a":"1"}]\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: no line end at the end", '{"a":"1"}\n{"a":"2"}', { code: "INCOMPLETE", line: 2 }],
  ["ndjson: half a record at the end", '{"a":"1"}\n{"a":"2', { code: "INCOMPLETE", line: 2 }],
  ["ndjson: empty lines and CRLF", '\r\n{"a":"1"}\r\n\n  \n{"a":"2"}\n', '{"a":"1","b":null}\n{"a":"2","b":null}\n'],
  ["ndjson: a BOM at the start alone", '\uFEFF{"a":"1"}\n', '{"a":"1","b":null}\n'],
  ["ndjson: a BOM before a later record", '{"a":"1"}\n\uFEFF{"a":"1"}\n', { code: "SYNTAX", line: 2 }],
  ["ndjson: __proto__ and constructor are keys like others", '{"a":"1","__proto__":{},"constructor":1}\n', { code: "COLUMN", line: 1, column: "__proto__" }],
]);

contentTable({ in: "{format: ndjson, strict: false}", fields }, [
  ["ndjson: numbers keep their characters as text", '{"a":9007199254740993,"b":1.10}\n{"a":-0,"b":1e400}\n{"a":123456789012345678901234567890,"b":0.1E-7}\n', '{"a":"9007199254740993","b":"1.10"}\n{"a":"-0","b":"1e400"}\n{"a":"123456789012345678901234567890","b":"0.1E-7"}\n'.replace(/"(-?\d[^"]*)"/g, "$1")],
  ["ndjson: a number with a zero before it", '{"a":00123}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: numbers that only look so", '{"a":.5}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: NaN", '{"a":NaN}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a plus sign", '{"a":+1}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a trailing comma in a record", '{"a":1,}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a trailing comma in a list inside", '{"a":[1,]}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a comment", '{"a":1} // c\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: single quotes", "{'a':1}\n", { code: "SYNTAX", line: 1 }],
  ["ndjson: a high surrogate alone", '{"a":"\\ud83d"}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a low surrogate alone", '{"a":"\\ude00"}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: surrogates in the wrong order", '{"a":"\\ude00\\ud83d"}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a half pair in a value that nobody uses", '{"z":{"y":"\\ud83dx"}}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a pair of surrogate escapes", '{"a":"\\ud83d\\ude00"}\n', '{"a":"😀","b":"none"}\n'],
  ["ndjson: NUL as an escape", '{"a":"\\u0000"}\n', '{"a":"\\u0000","b":"none"}\n'],
  ["ndjson: NUL as a byte", '{"a":"\u0000"}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: a tab in a string", '{"a":"\t"}\n', { code: "SYNTAX", line: 1 }],
  ["ndjson: line separators of Unicode are no line ends", '{"a":"\u2028\u2029\u0085"}\n', '{"a":"\u2028\u2029\u0085","b":"none"}\n'],
  ["ndjson: bytes that are no UTF-8", Buffer.concat([Buffer.from('{"a":"1"}\n{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}\n')]), { code: "ENCODING", line: 2 }],
  ["ndjson: an overlong form", Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}\n')]), { code: "ENCODING", line: 1 }],
  ["ndjson: half a pair as bytes (CESU-8)", Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0xbd]), Buffer.from('"}\n')]), { code: "ENCODING", line: 1 }],
  ["ndjson: UTF-16 with a mark", Buffer.from('\uFEFF{"a":1}\n', "utf16le"), { code: "ENCODING", line: 1 }],
  ["ndjson: 128 levels", `{"a":${deep(127)}}\n`, `{"a":${deep(127)},"b":"none"}\n`],
  ["ndjson: more levels", `{"a":${deep(128)}}\n`, { code: "LIMIT", line: 1 }],
  ["ndjson: 100,000 levels", `{"a":${deep(100_000)}}\n`, { code: "LIMIT", line: 1 }],
  ["ndjson: 100,000 levels of objects", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}\n`, { code: "LIMIT", line: 1 }],
  ["ndjson: a key twice inside of a value", '{"z":[{"k":1,"k":2}]}\n', { code: "COLUMN", line: 1, column: "k" }],
  ["ndjson: a key twice among many", `{"z":{${Array.from({ length: 40 }, (_, index) => `"k${index}":0`).join(",")},"k3":1}}\n`, { code: "COLUMN", line: 1, column: "k3" }],
]);

contentTable({ in: "{format: json, strict: false}", fields }, [
  ["json: records in any layout", '[\n\n{"a"\n:1}\r\n,{ "b" : [ 1 , 2 ] } ]\r\n', '{"a":1,"b":"none"}\n{"a":"none","b":[1,2]}\n'],
  ["json: an empty list", " [ ] ", ""],
  ["json: a trailing comma", '[{"a":1},]', { code: "SYNTAX", line: 1 }],
  ["json: a comma too many", '[{"a":1},,{"a":2}]', { code: "SYNTAX", line: 1 }],
  ["json: no comma", '[{"a":1}\n{"a":2}]', { code: "SYNTAX", line: 2 }],
  ["json: two documents", '[{"a":1}]\n[{"a":2}]\n', { code: "SYNTAX", line: 2 }],
  ["json: text behind the document", '[{"a":1}]\nx', { code: "SYNTAX", line: 2 }],
  ["json: a record that is none", '[{"a":1},\n5]', { code: "SYNTAX", line: 2 }],
  ["json: null as a record", "[null]", { code: "SYNTAX", line: 1 }],
  ["json: an object at the top", '{"a":1}', { code: "SYNTAX", line: 1 }],
  ["json: nothing", "", { code: "INCOMPLETE", line: 1 }],
  ["json: spaces alone", " \n ", { code: "INCOMPLETE", line: 2 }],
  ["json: the end is missing", '[{"a":1}\n,\n', { code: "INCOMPLETE", line: 3 }],
  ["json: it ends inside of a record", '[{"a":1},\n{"a":"x', { code: "INCOMPLETE", line: 2 }],
  ["json: a key twice, over lines", '[{"a":1},\n{"a":1,\n"a":2}]', { code: "COLUMN", line: 2, column: "a" }],
  ["json: 100,000 levels", `[{"a":${deep(100_000)}}]`, { code: "LIMIT", line: 1 }],
  ["json: 100,000 levels that are not closed", `[{"a":${"[".repeat(100_000)}`, { code: "LIMIT", line: 1 }],
  ["json: 100,000 levels around the records", `{"x":${deep(100_000)},"r":[]}`, { code: "LIMIT", line: 1 }, "{format: json, strict: false, records: r}"],
  ["json: records at a path in a report that was cut", '{"r":[{"a":1}],\n"x":[1,2', { code: "INCOMPLETE", line: 2 }, "{format: json, strict: false, records: r}"],
]);

const value = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom("9007199254740993", "-0", "1.10", "1e400", "0.1E-7", "123456789012345678901234567890.5", "true", "false", "null", "0", '""'),
    fc.string({ unit: fc.constantFrom("a", "é", "😀", '"', "\\", "\n", "\u0000", "\u007F", " ") }).map((text) => JSON.stringify(text)),
    fc.array(tie("value"), { maxLength: 3 }).map((items) => `[ ${items.join(" , ")}]`),
    fc.uniqueArray(fc.constantFrom('"k"', '"\\u006b2"', '"é"', '"\\"q"'), { maxLength: 3 }).chain((keys) => fc.tuple(...keys.map((key) => tie("value").map((each) => `${key}: ${each}`))).map((members) => `{${members.join(",")}}`)),
  ),
})).value;

/** JSON with the exact characters of its numbers, as strings marked by #. */
function exactly(text: string): unknown {
  return JSON.parse(text, (_, each: unknown, context?: { readonly source?: string }) => (typeof each === "number" ? `#${context?.source ?? ""}` : each));
}

for (const format of ["ndjson", "json"] as const) {
  test(`${format}: any record is what JSON.parse finds in it, numbers by their characters`, () => {
    const mapping = mappingOf({ in: `{format: ${format}, strict: false, columns: {a: string?}}`, out: '{format: ndjson, file: "/o/{name}"}', fields: "{a: {from: b, default: missing}, x: {from: x.k, default: missing}}" });
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 60 }), (records, size) => {
        const texts = records.map(([left, right]) => `{"b":${left},"x":{"k":${right}}}`);
        const content = format === "json" ? `[${texts.join(",\n")}]` : texts.map((text) => `${text}\n`).join("");
        const given = convertCut(mapping, Buffer.from(content), size, size);
        assert.ok(typeof given === "string", JSON.stringify([content, given]));
        const expected = texts.map((text) => {
          const { b, x } = exactly(text) as { readonly b: unknown; readonly x: { readonly k: unknown } };
          return { a: orMissing(b), x: orMissing(x.k) };
        });
        assert.deepEqual(given.trimEnd().split("\n").map((line) => exactly(line)), expected);
      }),
      { numRuns: 400, seed: 11 },
    );
  });
}

/** A value that is empty or null has the default. */
function orMissing(found: unknown): unknown {
  return found === null || found === "" ? "missing" : found;
}
