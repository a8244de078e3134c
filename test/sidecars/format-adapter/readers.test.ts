import assert from "node:assert/strict";
import { test } from "node:test";
import { parse as csvParse } from "csv-parse/sync";
import fc from "fast-check";
import { readPieces, type ReadResult } from "./support.ts";

const ok = (columns: readonly string[], ...rows: [number, ...string[]][]): ReadResult => ({ columns, rows });
const bad = (code: string, line: number, column?: string): ReadResult => ({ code, line, column });

const csvCases: readonly (readonly [name: string, text: string, expected: ReadResult])[] = [
  ["plain records", "a,b\n1,2\n", ok(["a", "b"], [2, "1", "2"])],
  ["CRLF ends", "a,b\r\n1,2\r\n", ok(["a", "b"], [2, "1", "2"])],
  ["CR ends", "a,b\r1,2\r", ok(["a", "b"], [2, "1", "2"])],
  ["a BOM, also before a quoted header", '\uFEFF"a",b\n1,2\n', ok(["a", "b"], [2, "1", "2"])],
  ["quotes, doubled quotes and delimiters inside", 'a,b\n"x ""y""","1,2"\n', ok(["a", "b"], [2, 'x "y"', "1,2"])],
  ["line ends inside quotes kept as they are", 'a\n"1\r\n2\n3"\nz\n', ok(["a"], [2, "1\r\n2\n3"], [5, "z"])],
  ["empty and quoted empty fields", 'a,b\n,""\n', ok(["a", "b"], [2, "", ""])],
  ["values that look like other things", "a,b\n00123,1.10\nNO,0x1F\n9007199254740993,-0\n", ok(["a", "b"], [2, "00123", "1.10"], [3, "NO", "0x1F"], [4, "9007199254740993", "-0"])],
  ["columns named like properties of objects", "__proto__,constructor\n1,2\n", ok(["__proto__", "constructor"], [2, "1", "2"])],
  ["NUL, U+2028 and emoji", "a\n\u0000\u2028😀\n", ok(["a"], [2, "\u0000\u2028😀"])],
  ["a header alone", "a,b\n", ok(["a", "b"])],
  ["an empty line in one column", "a\n\nx\n", ok(["a"], [2, ""], [3, "x"])],
  ["mixed line ends, also inside quotes, each counted once", 'a,b\r"1\r2\r\n3",x\n4,y\r\n5,z\r', ok(["a", "b"], [2, "1\r2\r\n3", "x"], [5, "4", "y"], [6, "5", "z"])],
  ["nothing", "", bad("INCOMPLETE", 1)],
  ["a BOM alone", "\uFEFF", bad("INCOMPLETE", 1)],
  ["too few fields", "a,b\n1\n", bad("COLUMN", 2)],
  ["too many fields", "a,b\n1,2\n1,2,3\n", bad("COLUMN", 3)],
  ["an empty line among several columns", "a,b\n1,2\n\n", bad("COLUMN", 3)],
  ["a stray quote", 'a,b\n1,x"y\n', bad("SYNTAX", 2)],
  ["text after a closing quote", 'a,b\n"x"y,2\n', bad("SYNTAX", 2)],
  ["a column named twice", "a,b,a\n1,2,3\n", bad("COLUMN", 1, "a")],
  ["a column without a name", "a,,b\n", bad("COLUMN", 1)],
  ["no end of the last line", "a,b\n1,2", bad("INCOMPLETE", 2)],
  ["an open quote", 'a,b\n1,"2\n3\n', bad("INCOMPLETE", 2)],
];

for (const [name, text, expected] of csvCases) {
  test(`CSV: ${name}`, () => assert.deepEqual(readPieces("csv", [text]), expected));
  test(`CSV cut at every place: ${name}`, () => {
    for (let cut = 0; cut <= text.length; cut++) assert.deepEqual(readPieces("csv", [text.slice(0, cut), text.slice(cut)]), expected, `cut at ${cut}`);
    assert.deepEqual(readPieces("csv", Array.from(text)), expected);
  });
}

test("CSV: a last record without an end is taken when the reader is told so", () => {
  assert.deepEqual(readPieces("csv", ["a,b\n1,2"], { takeUnfinished: true }), ok(["a", "b"], [2, "1", "2"]));
  assert.deepEqual(readPieces("csv", ['a,b\n1,"2'], { takeUnfinished: true }), bad("INCOMPLETE", 2));
});

test("CSV: other delimiters", () => assert.deepEqual(readPieces("csv", ["a\tb\n1,5\t2\n"], { delimiter: "\t" }), ok(["a", "b"], [2, "1,5", "2"])));

test("CSV: an open quote over gigabytes is refused at the limit, not kept", () => {
  const piece = "x".repeat(1_048_576);
  assert.deepEqual(readPieces("csv", ['a\n"', ...Array.from({ length: 20 }, () => piece)]), bad("LIMIT", 2));
});

const cellText = fc.string({ unit: fc.constantFrom("a", "1", " ", '"', ",", "\n", "\r", "é", "😀", "'"), maxLength: 8 });

test("CSV: agrees with csv-parse on generated reports, cut anywhere", () => {
  const table = fc.integer({ min: 1, max: 5 }).chain((width) => fc.array(fc.array(cellText, { minLength: width, maxLength: width }), { maxLength: 8 }).map((rows) => ({ width, rows })));
  fc.assert(
    fc.property(table, fc.constantFrom("\n", "\r\n"), fc.array(fc.nat(), { maxLength: 4 }), ({ width, rows }, eol, cuts) => {
      const header = Array.from({ length: width }, (_, index) => `c${index}`);
      const quote = (text: string): string => (/[",\r\n]/.test(text) || text === "" ? `"${text.replaceAll('"', '""')}"` : text);
      const text = [header, ...rows].map((row) => row.map((cell) => quote(cell)).join(",") + eol).join("");
      const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((left, right) => left - right), text.length];
      const pieces = places.slice(1).map((place, index) => text.slice(places[index] ?? 0, place));
      const ours = readPieces("csv", pieces);
      assert.ok("rows" in ours, JSON.stringify(ours));
      assert.deepEqual(ours.rows.map(([, ...values]) => values), rows);
      const theirs = csvParse(text, { record_delimiter: eol });
      assert.deepEqual(ours.rows.map(([, ...values]) => values), theirs.slice(1));
    }),
    { numRuns: 300 },
  );
});

test("CSV: refuses what csv-parse refuses, on any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", '"', ",", "\n"), maxLength: 12 }), (body) => {
      const text = `h,i\n${body}\n`;
      const ours = readPieces("csv", [text]);
      let theirs: string[][] | undefined;
      try {
        theirs = csvParse(text, { record_delimiter: "\n" });
      } catch {
        theirs = undefined; // refused, whatever it says
      }
      if (theirs === undefined) assert.ok("code" in ours, `csv-parse refuses ${JSON.stringify(text)}`);
      else assert.deepEqual("rows" in ours ? ours.rows.map(([, ...values]) => values) : ours, theirs.slice(1));
    }),
    { numRuns: 1000 },
  );
});

const jsonCases: readonly (readonly [name: string, format: "json" | "ndjson", text: string, expected: ReadResult])[] = [
  ["an array on one line", "json", '[{"a":1,"b":"x"},{"a":2,"b":"y"}]\n', ok(["a", "b"], [1, "1", "x"], [1, "2", "y"])],
  ["an array laid out over lines", "json", '[\n  {"a": 1},\n  {"a": 2}\n]', ok(["a"], [2, "1"], [3, "2"])],
  ["an empty array", "json", " [ ] ", ok([])],
  ["numbers that keep their digits", "json", '[{"a":9007199254740993,"b":1.10,"c":-0,"d":1E400}]', ok(["a", "b", "c", "d"], [1, "9007199254740993", "1.10", "-0", "1E400"])],
  ["escapes, also in keys, and braces in strings", "json", '[{"\\u0061":"}\\"]\\\\\\n\\ud83d\\ude00"}]', ok(["a"], [1, '}"]\\\n😀'])],
  ["nested values as JSON text", "json", '[{"a":{"x":[1,{"y":"]"}]},"b":null}]', ok(["a", "b"], [1, '{"x":[1,{"y":"]"}]}', "null"])],
  ["a key __proto__", "json", '[{"__proto__":"1"}]', ok(["__proto__"], [1, "1"])],
  ["a BOM", "json", '\uFEFF[{"a":"1"}]', ok(["a"], [1, "1"])],
  ["keys in another order, one missing", "json", '[{"a":"1","b":"2"},{"b":"3"}]', { columns: ["a", "b"], rows: [[1, "1", "2"], [1, undefined, "3"]] }],
  ["CR and CRLF between records, each counted once", "json", '[\r{"a":1},\r\n{\r\n"a":2},\r{"a":3}]', ok(["a"], [2, "1"], [3, "2"], [5, "3"])],
  ["CR and LF apart are two line ends", "json", '[{"a":\r1\n},{"a":2}]', ok(["a"], [1, "1"], [3, "2"])],
  ["a key that only a later record has", "json", '[{"a":1},{"a":2,"b":3}]', { columns: ["a", "b"], rows: [[1, "1"], [1, "2", "3"]] }],
  ["an array that is not closed", "json", '[{"a":1}', bad("INCOMPLETE", 1)],
  ["a record that is not closed", "json", '[{"a":1', bad("INCOMPLETE", 1)],
  ["nothing", "json", "", bad("INCOMPLETE", 1)],
  ["a trailing comma", "json", '[{"a":1},]', bad("SYNTAX", 1)],
  ["a trailing comma in a record", "json", '[{"a":1,}]', bad("SYNTAX", 1)],
  ["two documents", "json", '[{"a":1}][{"a":2}]', bad("SYNTAX", 1)],
  ["a record that is no object", "json", "[1]", bad("SYNTAX", 1)],
  ["a key twice", "json", '[{"a":1,"a":2}]', bad("COLUMN", 1, "a")],
  ["a key twice, once escaped", "json", '[{"a":1,"\\u0061":2}]', bad("COLUMN", 1, "a")],
  ["half a surrogate pair", "json", '[{"a":"\\ud83d"}]', bad("SYNTAX", 1)],
  ["a raw control character", "json", '[{"a":"\u0001"}]', bad("SYNTAX", 1)],
  ["a leading zero", "json", '[{"a":01}]', bad("SYNTAX", 1)],
  ["a bare word", "json", '[{"a":NaN}]', bad("SYNTAX", 1)],
  ["lines of objects", "ndjson", '{"a":1}\n\n{"a":"x"}\r\n', ok(["a"], [1, "1"], [3, "x"])],
  ["a CR inside a record is white space and a line end", "ndjson", '{"a":\r1}\r\n{"a":2}\n', ok(["a"], [1, "1"], [3, "2"])],
  ["a last line without an end", "ndjson", '{"a":1}\n{"a":2}', bad("INCOMPLETE", 2)],
  ["two objects on a line", "ndjson", '{"a":1}{"a":2}\n', bad("SYNTAX", 1)],
];

for (const [name, format, text, expected] of jsonCases) {
  test(`${format}: ${name}`, () => assert.deepEqual(readPieces(format, [text]), expected));
  test(`${format} cut at every place: ${name}`, () => {
    for (let cut = 0; cut <= text.length; cut++) assert.deepEqual(readPieces(format, [text.slice(0, cut), text.slice(cut)]), expected, `cut at ${cut}`);
  });
}

test("json: a hundred thousand brackets deep is refused, not a stack overflow", () => {
  assert.deepEqual(readPieces("json", [`[{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}]`]), bad("LIMIT", 1));
});

test("json: agrees with JSON.parse on generated records, cut anywhere", () => {
  fc.assert(
    fc.property(fc.array(fc.dictionary(fc.string({ maxLength: 4 }), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.integer(), { maxLength: 3 }))), { maxLength: 4 }), fc.nat(), fc.boolean(), (records, cut, spaced) => {
      const text = JSON.stringify(records, undefined, spaced ? 2 : 0);
      const place = cut % (text.length + 1);
      const seen: Record<string, unknown>[] = [];
      const result: ReadResult = readPieces("json", [text.slice(0, place), text.slice(place)]);
      assert.ok("rows" in result, JSON.stringify(result));
      for (const [index, record] of records.entries()) {
        const [, ...values] = result.rows[index] ?? [0];
        for (const [position, column] of (result.columns satisfies readonly string[]).entries()) {
          const expected: unknown = record[column];
          if (!Object.hasOwn(record, column)) assert.equal(values[position], undefined);
          else assert.equal(values[position], typeof expected === "string" ? expected : JSON.stringify(expected, undefined, spaced && typeof expected === "object" ? 2 : 0)?.replace(/\n/g, spaced ? "\n    " : "\n"));
        }
        seen.push(record);
      }
      assert.equal(result.rows.length, seen.length);
    }),
    { numRuns: 300 },
  );
});
