// What a report of CSV may hold: each case with the exact bytes that come of it, or its exact fault. Every case is read whole and a byte at a time, by
// the engine and by the reader of odd dialects.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isEngineInput } from "../../../sidecars/format-adapter/formats/options.ts";
import { madeOf } from "./csv-outcomes.ts";
import { mappingOf } from "./support.ts";

type Content = string | Buffer;
type Parts = { readonly columns?: string; readonly fields?: string; readonly out?: string; readonly more?: string };
type Case = readonly [name: string, input: Content, expected: string, parts?: Parts];

const bytes = (...parts: readonly (string | readonly number[])[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))));
const ndjson: Parts = { out: "{format: ndjson" };
const one: Parts = { fields: "{a: a}" };
const typed = (type: string): Parts => ({ columns: `{a: ${JSON.stringify(type)}}`, fields: "{a: a}" });
const dated = (date: string): Parts => ({ fields: `{a: {from: a, date: ${date}}}` });

const form: readonly Case[] = [
  ["a BOM", "\uFEFFa,b\n1,2\n", "a,b\n1,2\n"],
  ["a BOM before a quoted header", '\uFEFF"a",b\n1,2\n', "a,b\n1,2\n"],
  ["a BOM that is written", "a,b\n1,2\n", "\uFEFFa,b\n1,2\n", { out: "{format: csv, bom: true" }],
  ["a BOM elsewhere is a character", "a,b\n\uFEFF1,2\n", "a,b\n\uFEFF1,2\n"],
  ["LF", "a,b\n1,2\n", "a,b\n1,2\n"],
  ["CRLF", "a,b\r\n1,2\r\n", "a,b\n1,2\n"],
  ["CR", "a,b\r1,2\r", "a,b\n1,2\n"],
  ["line ends of all kinds, each counted once", "a,b\r1,2\r\n3,4\n5\r", "COLUMN line 4"],
  ["a line end inside quotes stays as it is, whatever ends the records", 'a,b\r\n"1\r\n2","3\n4\r5"\r\n', 'a,b\n"1\r\n2","3\n4\r5"\n'],
  ["and in JSON", 'a,b\r\n"1\r\n2","3\n4\r5"\r\n', '{"a":"1\\r\\n2","b":"3\\n4\\r5"}\n', ndjson],
  ["a line end inside quotes stays as it is, whatever ends the records that are written", 'a,b\n"1\n2",3\n', 'a,b\r\n"1\n2",3\r\n', { out: "{format: csv, eol: crlf" }],
  ["lines inside quotes count", 'a,b\n"1\r\n\r2",3\n4\n', "COLUMN line 5"],
  ["no line end at the end", "a,b\n1,2", "INCOMPLETE line 2"],
  ["no line end behind a closing quote", 'a,b\n1,"2"', "INCOMPLETE line 2"],
  ["nothing", "", "INCOMPLETE line 1"],
  ["a header alone", "a,b\n", "a,b\n"],
  ["a header without its end", "a,b", "INCOMPLETE line 1"],
  ["an empty line among several columns", "a,b\n1,2\n\n", "COLUMN line 3"],
  ["an empty line above the header", "\na,b\n", "COLUMN line 1"],
  ["an empty line in one column is an empty value", "a\n\nx\n", 'a\n""\nx\n', one],
  ["empty, quoted empty", 'a,b\n,""\n', "a,b\n,\n"],
  ["empty, quoted empty, in JSON: texts", 'a,b\n,""\n', '{"a":"","b":""}\n', ndjson],
  ["empty, quoted empty, of a type that may be empty: null", 'a,b\n,""\n', '{"a":null,"b":null}\n', { ...ndjson, columns: '{a: "int64?", b: "date?"}' }],
  ["empty of a type that may not be", "a,b\n1,2\n,2\n", "CAST line 3 column a", { columns: "{a: int64}" }],
  ["a value that is missing", "a,b\n1,2\n3\n", "COLUMN line 3"],
  ["a value too many", "a,b\n1,2\n3,4,\n", "COLUMN line 3"],
  ["an open quote", 'a,b\n1,2\n3,"4\n5,6\n', "INCOMPLETE line 3"],
  ["a quote inside of a field", 'a,b\n1,2\n3,x"y\n', "SYNTAX line 3"],
  ["a quote at the end of a field", 'a,b\n1,5"\n', "SYNTAX line 2"],
  ["text behind a closing quote", 'a,b\n1,2\n"3"x,4\n', "SYNTAX line 3"],
  ["a space behind a closing quote", 'a,b\n"3" ,4\n', "SYNTAX line 2"],
  ["a space before a quote", 'a,b\n "3",4\n', "SYNTAX line 2"],
  ["spaces are characters", "a,b\n 1 ,\t2\n", "a,b\n 1 ,\t2\n"],
  ["a column twice", "a,b,a\n1,2,3\n", "COLUMN line 1 column a"],
  ["a column without a name", "a,b,\n1,2,3\n", "COLUMN line 1"],
  ["a column that nobody knows", "a,b,c\n1,2,3\n", "COLUMN line 1 column c"],
  ["a column that is not there", "a\n1\n", "COLUMN line 1 column b"],
  ["columns that objects have by birth", "__proto__,constructor,toString\n1,2,3\n", '{"__proto__":"1","constructor":"2","t":"3"}\n', { ...ndjson, fields: "{__proto__: __proto__, constructor: constructor, t: toString}" }],
  ["such columns in CSV", "__proto__,constructor\n1,2\n", "constructor,__proto__\n2,1\n", { fields: "{constructor: constructor, __proto__: __proto__}" }],
];

const characters: readonly Case[] = [
  ["NUL", "a,b\n\0,x\0y\n", "a,b\n\0,x\0y\n"],
  ["NUL in JSON", "a,b\n\0,x\0y\n", '{"a":"\\u0000","b":"x\\u0000y"}\n', ndjson],
  ["U+2028 and U+0085 end no line", "a,b\n\u2028,\u0085\n1\n", "COLUMN line 3"],
  ["U+2028 in JSON", "a,b\n\u2028,\u2029\n", '{"a":"\u2028","b":"\u2029"}\n', ndjson],
  ["characters of two, three and four bytes, next to quotes and delimiters", 'a,b\n"é""😀",€\n"€",é😀\n', 'a,b\n"é""😀",€\n€,é😀\n'],
  ["combining characters are not composed", "a,b\ne\u0301,\u00e9\n", "a,b\ne\u0301,\u00e9\n"],
  ["noncharacters", "a,b\n\uffff,\u{10ffff}\n", "a,b\n\uffff,\u{10ffff}\n"],
  ["a lone byte of a longer character", bytes("a,b\n1,2\n", "x", [0x80], ",y\n"), "ENCODING line 3"],
  ["a character that is cut off", bytes("a,b\n1,", [0xe2, 0x82], "\n"), "ENCODING line 2"],
  ["a character that is cut off by the end", bytes("a,b\n1,2\n3,", [0xf0, 0x9f, 0x98]), "ENCODING line 3"],
  ["a slash that is written too long", bytes("a,b\n1,", [0xc0, 0xaf], "\n"), "ENCODING line 2"],
  ["half a surrogate pair", bytes("a,b\n1,2\n1,", [0xed, 0xa0, 0x80], "\n"), "ENCODING line 3"],
  ["a character beyond the last", bytes("a,b\n1,", [0xf4, 0x90, 0x80, 0x80], "\n"), "ENCODING line 2"],
  ["Latin-1", Buffer.from("a,b\r\n1,2\r\nM\xfcller,3\r\n", "latin1"), "ENCODING line 3"],
  ["invalid UTF-8 inside quotes that span lines: its own line", bytes('a,b\n"1\n2\n', [0xff], '",3\n'), "ENCODING line 4"],
  ["invalid UTF-8 in the header", bytes("a,", [0xff], "\n"), "ENCODING line 1"],
  ["a fault before invalid UTF-8 is told first", bytes("a,b\n1\n", [0xff], ",2\n"), "COLUMN line 2"],
  ["the escape of half a surrogate pair is six characters", "a,b\n\\ud83d,\\u00e9\n", "a,b\n\\ud83d,\\u00e9\n"],
  ["and has its backslash escaped in JSON", "a,b\n\\ud83d,2\n", '{"a":"\\\\ud83d","b":"2"}\n', ndjson],
  ["UTF-16, little end first", Buffer.from("\uFEFFa,b\n1,2\n", "utf16le"), "ENCODING line 1"],
  ["UTF-16, big end first", Buffer.from("\uFEFFa,b\n1,2\n", "utf16le").swap16(), "ENCODING line 1"],
];

const values: readonly Case[] = [
  ["values that look like others are copied", "a,b\n00123,1.10\n0x1F,-0\n1e400,NO\nNone,true\n+5,.5\n", "a,b\n00123,1.10\n0x1F,-0\n1e400,NO\nNone,true\n+5,.5\n"],
  ["and stay texts in JSON", "a,b\n00123,1.10\n0x1F,true\n", '{"a":"00123","b":"1.10"}\n{"a":"0x1F","b":"true"}\n', ndjson],
  ["2^63 - 1 and -2^63", "a\n9223372036854775807\n-9223372036854775808\n", '{"a":9223372036854775807}\n{"a":-9223372036854775808}\n', { ...typed("int64"), ...ndjson, fields: "{a: a}" }],
  ["2^63", "a\n1\n9223372036854775808\n", "CAST line 3 column a", typed("int64")],
  ["-2^63 - 1", "a\n-9223372036854775809\n", "CAST line 2 column a", typed("int64")],
  ["2^53 + 1 as a number keeps its digits", "a\n9007199254740993\n", '{"a":9007199254740993}\n', { ...typed("number"), ...ndjson, fields: "{a: a}" }],
  ["00123 is no int64", "a\n00123\n", "CAST line 2 column a", typed("int64")],
  ["0x1F is no int64", "a\n0x1F\n", "CAST line 2 column a", typed("int64")],
  ["1.0 is no int64", "a\n1.0\n", "CAST line 2 column a", typed("int64")],
  ["-0 is no int64", "a\n-0\n", "CAST line 2 column a", typed("int64")],
  ["1e400 is no number", "a\n1e400\n", "CAST line 2 column a", typed("number")],
  ["1.10 keeps its zero", "a\n1.10\n", '{"a":1.10}\n', { ...typed("decimal(2)"), ...ndjson, fields: "{a: a}" }],
  ["1.105 has a digit too many", "a\n1.105\n", "CAST line 2 column a", typed("decimal(2)")],
  ["NO is no bool", "a\ntrue\nNO\n", "CAST line 3 column a", typed("bool")],
  ["True is no bool", "a\nTrue\n", "CAST line 2 column a", typed("bool")],
  ["a leap second is no time that clocks know", "a\n2016-12-31T23:59:59Z\n2016-12-31T23:59:60Z\n", "CAST line 3 column a", typed("timestamp")],
  ["the 29th of February of no leap year", "a\n2024-02-29\n2023-02-29\n", "CAST line 3 column a", typed("date")],
  ["an hour that clocks leave out", "a\n29.03.2026 01:59\n29.03.2026 02:30\n", "CAST line 3 column a", dated('{in: "dd.MM.yyyy HH:mm", inZone: Europe/Berlin}')],
  ["an hour that clocks leave out, shifted", "a\n29.03.2026 02:30\n", "a\n2026-03-29T01:30:00Z\n", dated('{in: "dd.MM.yyyy HH:mm", inZone: Europe/Berlin, gap: shift}')],
  ["an hour that clocks have twice", "a\n25.10.2026 02:30\n", "a\n2026-10-25T00:30:00Z\n", dated('{in: "dd.MM.yyyy HH:mm", inZone: Europe/Berlin}')],
  ["an hour that clocks have twice, refused", "a\n25.10.2026 02:30\n", "CAST line 2 column a", dated('{in: "dd.MM.yyyy HH:mm", inZone: Europe/Berlin, overlap: error}')],
  ["formulas are copied", 'a,b\n=1+1,@x\n"=cmd|\'/C calc\'!A1",-2\n', "a,b\n=1+1,@x\n=cmd|'/C calc'!A1,-2\n"],
  ["formulas are made text", 'a,b\n=1+1,@x\n"=HYPERLINK(""x"",""y"")",-2\n', 'a,b\n\'=1+1,\'@x\n"\'=HYPERLINK(""x"",""y"")",-2\n', { more: "formulas: quote" }],
  ["formulas are refused", "a,b\n1,-2.5\n1,-2+3\n", "CAST line 3 column b", { more: "formulas: refuse" }],
  ["a number is none behind a sign alone", "a,b\n=1,@2.5\n+1,-2.5\n\t1,1\n", "a,b\n'=1,'@2.5\n+1,-2.5\n'\t1,1\n", { more: "formulas: quote" }],
  ["a tab begins a formula too", "a,b\n\t=1,2\n", "CAST line 2 column a", { more: "formulas: refuse" }],
];

for (const [name, input, expected, { columns, fields = "{a: a, b: b}", out = "{format: csv", more } = {}] of [...form, ...characters, ...values]) {
  // A comment that never comes makes a dialect of it that the engine does not read.
  for (const [path, dialect] of [["engine", ""], ["reader", ', comment: "\\u0001\\u0001"']] as const) {
    test(`CSV content, ${path}: ${name}`, () => {
      const mapping = mappingOf({ in: `{format: csv${dialect}${columns === undefined ? "" : `, columns: ${columns}`}}`, out: `${out}, file: "/o/{name}"}`, fields, ...(more === undefined ? {} : { more }) });
      assert.equal(isEngineInput(mapping.input), path === "engine");
      const content = Buffer.from(input);
      for (const size of [1_000_000, 1, 2, 3]) assert.equal(madeOf(mapping, content, size), expected, `in pieces of ${size}`);
      for (let cut = 1; cut < content.length; cut++) assert.equal(madeOf(mapping, content, cut), expected, `cut after ${cut}`);
    });
  }
}

test("CSV content: ten thousand columns pass, one more does not", () => {
  const names = Array.from({ length: 10_001 }, (_, index) => `c${index}`);
  const report = (columns: number): Buffer => Buffer.from(`${names.slice(0, columns).join(",")}\n${names.slice(0, columns).map((_, index) => index).join(",")}\n`);
  for (const dialect of ["", ', comment: "\\u0001\\u0001"']) {
    const mapping = mappingOf({ in: `{format: csv, strict: false${dialect}}`, fields: "{last: c9999}" });
    assert.equal(madeOf(mapping, report(10_000), 1_000), "last\n9999\n");
    assert.equal(madeOf(mapping, report(10_001), 1_000), "LIMIT line 1");
  }
});
