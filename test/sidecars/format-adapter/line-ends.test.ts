// What each text format takes for the end of a line; docs/format-adapter.md tells it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { convertCut } from "./content.ts";
import { mappingOf } from "./support.ts";

const two = '{"a":"1"}\n{"a":"2"}\n';
for (const [format, report, withReturns] of [
  ["format: csv", "a\n1\n2\n", two],
  ["format: logfmt", "a=1\na=2\n", two],
  ["format: ini", "[x]\na=1\n[y]\na=2\n", two],
  ["format: fixed-width, layout: {a: 1}", "1\n2\n", two],
  ["format: json", '[{"a":"1"},\n{"a":"2"}]\n', two],
  ["format: xml, records: /r/i", "<r>\n<i><a>1</a></i>\n<i><a>2</a></i>\n</r>\n", two],
  ["format: yaml", '- a: "1"\n- a: "2"\n', "SYNTAX"],
  ["format: toml, records: r", '[[r]]\na = "1"\n[[r]]\na = "2"\n', "SYNTAX"],
  ["format: ndjson", '{"a":"1"}\n{"a":"2"}\n', "INCOMPLETE"],
  ["format: prometheus", 'm{a="1"} 1\nm{a="2"} 1\n', "INCOMPLETE"],
] as const) {
  const mapping = mappingOf({ in: `{${format}, strict: false}`, out: '{format: ndjson, file: "/o/{name}"}', fields: format === "format: prometheus" ? "{a: labels.a}" : "{a: a}" });
  for (const [what, end, expected] of [["LF", "\n", two], ["CRLF", "\r\n", two], ["CR alone", "\r", withReturns]] as const) {
    test(`${format}: lines end with ${what}: ${expected === two ? "read" : expected}`, () => {
      const outcome = convertText(mapping, report.replaceAll("\n", end));
      assert.equal(outcome.kind === "converted" ? outcome.text : outcome.error.code, expected);
    });
  }
}

// Where a read is cut must not move the line that a fault is told with: not between CR and LF either.
for (const [input, report] of [
  ["format: json", '[\n{"a":1}\n,\n{"a":2}\n,\n\n{"a":"x"}\n]'],
  ["format: json", '[\n{"a":1}\n,\n{"a":2,\n"b":3}\n]'],
  ["format: json, records: r", '{\n"r":\n[\n{"a":1}\n]\n\n,"x":1}'],
  ["format: ndjson", '{"a":1}\n\n{"a":2}\n{"a":"x"}\n'],
  ["format: csv", 'a\n1\n"2"\nx\n'],
  ["format: xml, records: /r/i", "<r>\n<i>\n<a>1</a>\n</i>\n\n<i>\n<a>x</a></i>\n</r>\n"],
  ["format: xml, records: /r/i", "<r>\n<i>\n<a>1</a>\n</i>\n\n<i>\n<a>2</b></i>\n</r>\n"],
  ["format: logfmt", "a=1\n\na=x\n"],
] as const) {
  test(`${input}: a fault has one line, wherever the reads are cut: ${JSON.stringify(report)}`, () => {
    const mapping = mappingOf({ in: `{${input}, columns: {a: int64}}`, out: '{format: ndjson, file: "/o/{name}"}', fields: "{a: a}" });
    const expected = convertCut(mapping, Buffer.from(report), report.length);
    assert.ok(typeof expected !== "string");
    const bytes = Buffer.from(report.replaceAll("\n", "\r\n"));
    for (let cut = 1; cut <= bytes.length; cut++) for (const size of [bytes.length, 1]) assert.deepEqual(convertCut(mapping, bytes, cut, size), expected, `cut at ${cut}`);
  });
}
