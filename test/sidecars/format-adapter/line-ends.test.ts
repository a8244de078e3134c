// What each text format takes for the end of a line; docs/format-adapter.md tells it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
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
