import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConversionError } from "../../../../sidecars/format-adapter/conversion-error.ts";
import { convertText, startConversion } from "../../../../sidecars/format-adapter/convert.ts";
import { mappingOf } from "../support.ts";

type Expected = string | { readonly code: string; readonly line: number; readonly column?: string };

/** What a report becomes: its text, or why it is refused. */
function converted(parts: { readonly in: string; readonly out: string; readonly fields: string }, text: string): Expected {
  const mapping = mappingOf({ in: `{strict: false, ${parts.in}}`, out: `{${parts.out}, file: "/o/{name}"}`, fields: `{${parts.fields}}` });
  const outcome = convertText(mapping, text);
  if (outcome.kind === "converted") return outcome.text;
  const { code, line, column } = outcome.error;
  return column === undefined ? { code, line } : { code, line, column };
}

const ndjson = "format: ndjson";
const ab = "a: {from: a, default: none}, b: {from: b, default: none}";
const layout = 'layout: {id: {width: 4, align: right, pad: "0"}, name: 5}';

const cases: readonly (readonly [name: string, input: string, output: string, fields: string, text: string, expected: Expected])[] = [
  ["logfmt: bare, quoted, empty and flagged values", "format: logfmt", ndjson, "a: a, b: b, c: c, d: d", 'a=1 b="x \\"y\\"\\n" c= d\n\n', '{"a":"1","b":"x \\"y\\"\\n","c":"","d":true}\n'],
  ["logfmt: a key twice", "format: logfmt", ndjson, ab, "a=1\na=1 a=2\n", { code: "COLUMN", line: 2, column: "a" }],
  ["logfmt: a quote that is not closed", "format: logfmt", ndjson, ab, 'a="1\n', { code: "SYNTAX", line: 1 }],
  ["logfmt: no end of the last line", "format: logfmt", ndjson, ab, "a=1", { code: "INCOMPLETE", line: 1 }],
  ["logfmt written", ndjson, "format: logfmt", "a: a, b: b", '{"a":"x y","b":"1"}\n{"a":"q\\"","b":"="}\n', 'a="x y" b=1\na="q\\"" b="="\n'],
  ["INI: a record for each section", "format: ini", ndjson, "s: section, a: a", '; c\n[one]\na = "1 "\n# c\n[two]\r\na=2=3;4\n', '{"s":"one","a":"1 "}\n{"s":"two","a":"2=3;4"}\n'],
  ["INI: keys before the first section", "format: ini, section: part", ndjson, 'p: {from: part, default: "-"}, a: a', "a=1\n[x]\na=2\n", '{"p":"-","a":"1"}\n{"p":"x","a":"2"}\n'],
  ["INI: a key twice", "format: ini", ndjson, ab, "[s]\na=1\na=2\n", { code: "COLUMN", line: 3, column: "a" }],
  ["INI: a section twice", "format: ini", ndjson, ab, "[s]\na=1\n[s]\n", { code: "COLUMN", line: 3 }],
  ["INI: a line that is none", "format: ini", ndjson, ab, "[s]\nwhat\n", { code: "SYNTAX", line: 2 }],
  ["INI written", ndjson, "format: ini", "section: s, a: a", '{"s":"one","a":" 1"}\n{"s":"two","a":"2"}\n', '[one]\na = " 1"\n\n[two]\na = 2\n'],
  ["INI: only spaces and tabs around values are nothing", "format: ini", ndjson, "s: section, a: a, b: b", '[\u00a0x ]\n\ta =\t\u00a0y\u2003 \nb = "\u2028"\n', '{"s":"\u00a0x","a":"\u00a0y\u2003","b":"\u2028"}\n'],
  ["logfmt: only spaces and tabs stand between values", "format: logfmt", ndjson, "a: a, b: b", "a=x\u00a0y\t b=\u2028\n", '{"a":"x\u00a0y","b":"\u2028"}\n'],
  ["XML: white space in an element of a list is kept beside attributes", "format: xml, records: /r/i, lists: [a]", ndjson, "a: a", '<r><i><a x="1"> </a><a x="2"/></i></r>', '{"a":[{"@x":"1","text()":" "},{"@x":"2"}]}\n'],
  ["fixed width: what would be taken for a byte order mark", ndjson, `format: fixed-width, ${layout}`, "id: a, name: b", '{"a":1,"b":"\ufeff"}\n', "0001\ufeff    \n"],
  ["fixed width: the same at the beginning", ndjson, "format: fixed-width, layout: {a: 3}", "a: a", '{"a":"\ufeffx"}\n{"a":"\ufeffx"}\n', { code: "CAST", line: 1, column: "a" }],
  ["TOML: numbers within 64 bits", ndjson, "format: toml", "a: a", '{"a":-9223372036854775808}\n{"a":-0}\n{"a":1e308}\n', "[[records]]\na = -9223372036854775808\n\n[[records]]\na = -0\n\n[[records]]\na = 1e308\n"],
  ["TOML: an integer beyond them", ndjson, "format: toml", "a: a", '{"a":9223372036854775808}\n', { code: "CAST", line: 1, column: "a" }],
  ["TOML: a number beyond a double", ndjson, "format: toml", "a: a", '{"a":[1e400]}\n', { code: "CAST", line: 1, column: "a" }],
  ["metrics: a number beyond a double", ndjson, "format: prometheus", "name: n, value: v", '{"n":"m","v":1e308}\n{"n":"o","v":-1e400}\n', { code: "CAST", line: 2, column: "value" }],
  ["logfmt: a record without values has no form", ndjson, "format: logfmt", "a: a, b: b", '{"a":null,"b":""}\n{"a":null,"b":null}\n', { code: "CAST", line: 2 }],
  ["INI: a record of its section's name alone", ndjson, "format: ini", "section: s, a: a", '{"s":"x","a":null}\n', "[x]\n"],
  ["INI: that is a record", "format: ini", ndjson, "s: section", "[x]\n", '{"s":"x"}\n'],
  ["INI: a record without name and values has no form", ndjson, "format: ini", "a: a", '\n{"a":null}\n', { code: "CAST", line: 2 }],
  ["properties: a record without values has no form", ndjson, "format: properties", "a: a", '{"a":null}\n', { code: "CAST", line: 1 }],
  ["XML: a record without values is an element", ndjson, "format: xml", "a: a", '{"a":null}\n', '<?xml version="1.0" encoding="UTF-8"?>\n<records>\n<record/>\n</records>\n'],
  ["XML: attributes have one place wherever their fields stand", ndjson, "format: xml", '"a/@x": a, b: b, "@i": a, "b/@y": a', '{"a":1,"b":2}\n', '<?xml version="1.0" encoding="UTF-8"?>\n<records>\n<record i="1"><a x="1"/><b y="1">2</b></record>\n</records>\n'],
  ["INI: a line end cannot be written", ndjson, "format: ini", "section: s, a: a", '{"s":"one","a":"1"}\n{"s":"two","a":"2\\n"}\n', { code: "CAST", line: 2, column: "a" }],
  ["properties: separators, escapes, joined lines, comments", "format: properties", ndjson, '"a b": "a b", c: c, d: d', "# c\n! c\na\\ b = 1\\u00e9\nc: x \\\n   y\nd z\\=\n", '{"a b":"1é","c":"x y","d":"z="}\n'],
  ["properties: a key twice", "format: properties", ndjson, ab, "a=1\n\na=2\n", { code: "COLUMN", line: 3, column: "a" }],
  ["properties written", ndjson, "format: properties", '"a b": a, c: c', '{"a":" x\\n","c":"\\\\=é"}\n', "a\\ b=\\ x\\n\nc=\\\\=é\n"],
  ["properties: a second record", ndjson, "format: properties", "a: a", '{"a":1}\n{"a":2}\n', { code: "COLUMN", line: 2 }],
  ["fixed width: padding taken away", `format: fixed-width, ${layout}`, ndjson, "id: id, name: name", "0042Ann  \r\n0000Zoë  \n", '{"id":"42","name":"Ann"}\n{"id":"0","name":"Zoë"}\n'],
  ["fixed width by bytes", `format: fixed-width, unit: bytes, ${layout}`, ndjson, "id: id, name: name", "0001Zoë \n", '{"id":"1","name":"Zoë"}\n'],
  ["fixed width: a character cut by a column", "format: fixed-width, unit: bytes, layout: {a: 1, b: 1}", ndjson, "a: a", "é\n", { code: "ENCODING", line: 1, column: "a" }],
  ["fixed width: a line too short", `format: fixed-width, ${layout}`, ndjson, "id: id", "0001Ann  \n0002A\n", { code: "COLUMN", line: 2 }],
  ["fixed width written", ndjson, `format: fixed-width, eol: crlf, ${layout}`, "name: b, id: a", '{"a":7,"b":"é"}\n', "0007é    \r\n"],
  ["fixed width: a value too wide", ndjson, `format: fixed-width, ${layout}`, "name: b, id: a", '{"a":7,"b":"x"}\n{"a":12345,"b":"x"}\n', { code: "CAST", line: 2, column: "id" }],
  ["fixed width: a value that ends in its padding", ndjson, `format: fixed-width, ${layout}`, "name: b, id: a", '{"a":7,"b":"x "}\n', { code: "CAST", line: 1, column: "name" }],
  ["fixed width: an empty value that would be read as zero", ndjson, `format: fixed-width, ${layout}`, "name: b, id: a", '{"a":0,"b":""}\n{"a":"","b":"x"}\n', { code: "CAST", line: 2, column: "id" }],
  ["fixed width: nothing that would be read as zero", ndjson, `format: fixed-width, ${layout}`, "name: b, id: a", '{"a":0,"b":null}\n{"a":null,"b":"x"}\n', { code: "CAST", line: 2, column: "id" }],
  ["XML read as NDJSON", "format: xml, records: /r/i", ndjson, 'id: "@id", price: {from: price, type: decimal(2)}, currency: price/@c', '<r><i id="01"><price c="EUR">1.10</price></i></r>', '{"id":"01","price":1.10,"currency":"EUR"}\n'],
  ["XML lists joined", "format: xml, records: /r/i, lists: [t]", "format: csv", 't: {from: t, joinList: {sep: "|"}}', "<r><i><t>a</t><t>b</t></i></r>", "t\na|b\n"],
  ["XML written", ndjson, "format: xml, root: r, record: i", '"@id": a, p/@c: b, p: c, q/s: d', '{"a":"\\"<\\n","b":"x","c":"]]>&\\r","d":""}\n', '<?xml version="1.0" encoding="UTF-8"?>\n<r>\n<i id="&quot;&lt;&#10;"><p c="x">]]&gt;&amp;&#13;</p><q><s/></q></i>\n</r>\n'],
  ["XML: a character that it does not have", ndjson, "format: xml", "a: a", '{"a":"x"}\n{"a":"\\u0001"}\n', { code: "CAST", line: 2, column: "a" }],
];

for (const [name, input, output, fields, text, expected] of cases) test(name, () => assert.deepEqual(converted({ in: input, out: output, fields }, text), expected));

test("lines that are no records are left out where onError says so, unless a quote may go on behind them", () => {
  const left = (input: string, fields: string, text: string): unknown => {
    const conversion = startConversion(mappingOf({ in: `{${input}}`, out: '{format: ndjson, file: "/o/{name}"}', fields: `{${fields}}`, more: "onError: {quarantine-row: {max: 3}}" }));
    const bytes = Buffer.from(text);
    try {
      conversion.room().set(bytes);
      const pieces = [...conversion.take(bytes.length), ...conversion.end({ takeUnfinished: false })].map((piece) => Buffer.from(piece).toString("utf8"));
      return [pieces.join(""), ...conversion.refusals.rows.map(({ line, code, raw }) => `${line} ${code} ${raw ?? ""}`)];
    } catch (error) {
      return error instanceof ConversionError ? `${error.code} ${error.line}` : error;
    }
  };
  assert.deepEqual(left("format: logfmt", "a: a", 'a=1\na=2 b="x"y\r\na=3 a=4\n=\na=5\n'), ['{"a":"1"}\n{"a":"5"}\n', '2 SYNTAX a=2 b="x"y', "3 COLUMN a=3 a=4", "4 SYNTAX ="]);
  assert.equal(left("format: logfmt", "a: a", 'a=1\na="x\na=2"\n'), "SYNTAX 2");
  assert.equal(left("format: logfmt", "a: a", "=\n=\n=\n=\n"), "SYNTAX 1");
  assert.deepEqual(left("format: fixed-width, unit: bytes, layout: {a: 2, b: 1}", "a: a, b: b", "aab\nab\n\nbéc\nccc\n"), ['{"a":"aa","b":"b"}\n{"a":"cc","b":"c"}\n', "2 COLUMN ab", "3 COLUMN ", "4 COLUMN béc"]);
  assert.deepEqual(left("format: fixed-width, unit: bytes, layout: {a: 1, b: 1}", "a: a, b: b", "é\nab\n"), ['{"a":"a","b":"b"}\n', "1 ENCODING é"]);
});

const text = fc.string({ unit: fc.constantFrom("a", " ", '"', "\\", "=", "[", "#", "é", "😀", "&", "<", "\t"), maxLength: 6 });

for (const [name, options, more] of [["logfmt", "format: logfmt", ""], ["ini", "format: ini", ""], ["xml", "format: xml, root: r, record: i", ", records: /r/i"]] as const) {
  test(`${name}: what is written is read again`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 4 }), (rows) => {
        const isRightFor = name !== "ini" || rows.every(([a, b]) => a === a.trim() && b === b.trim() && !a.includes("\t") && !/^".*"$/.test(a + b));
        fc.pre(isRightFor);
        const source = rows.map(([a, b], index) => `${JSON.stringify({ section: `s${index}`, a, b })}\n`).join("");
        const written = converted({ in: ndjson, out: options, fields: "section: section, a: a, b: b" }, source);
        assert.ok(typeof written === "string", JSON.stringify(written));
        const input = name === "xml" ? `format: xml${more}` : `format: ${name}`;
        assert.equal(converted({ in: input, out: ndjson, fields: "section: section, a: a, b: b" }, written), source);
      }),
      { numRuns: 200 },
    );
  });
}

test("fields that a format cannot hold are told with the configuration", () => {
  for (const [options, fields, words] of [["format: xml", "a b: x", /no path of XML names/], ["format: xml", "a: x, a\\/b: y", /no path of XML names/], ["format: xml", "a: x, a/b: y", /text beside elements/], ["format: xml", "a/b: x, c: x, a/d: y", /belongs to the element "a"; let its fields follow each other/], ["format: xml", "a/@b: x, c: x, a: y", /belongs to the element "a"/], ["format: logfmt", "a b: x", /no key of logfmt/], ["format: fixed-width, layout: {a: 3}", "b: x", /column "a" is no field/], ["format: fixed-width, layout: {a: wide}", "a: x", /a width from 1/]] as const) {
    assert.throws(() => mappingOf({ in: "{format: ndjson}", out: `{${options}, file: "/o/{name}"}`, fields: `{${fields}}` }), words);
  }
});
