import assert from "node:assert/strict";
import { test } from "node:test";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { createExpositionReader } from "../../../sidecars/format-adapter/formats/exposition-reader.ts";
import type { ExpositionFormat } from "../../../sidecars/format-adapter/formats/exposition.ts";
import { mappingOf } from "./support.ts";
import { checkExposition } from "./support-exposition.ts";

function read(format: ExpositionFormat, text: string, size = Infinity): readonly string[] | string {
  const rows: string[] = [];
  try {
    const reader = createExpositionReader(format, {
      onColumns: () => undefined,
      onRow: (row) => void rows.push(["name", "labels", "value", "timestamp", "type", "help", "unit"].map((column) => row.text(column)).join(" ")),
    });
    for (let at = 0; at < text.length; at += size) reader.push(text.slice(at, at + size));
    reader.end({ takeUnfinished: false });
    return rows;
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return `${error.code} ${error.line}`;
  }
}

const check = (format: ExpositionFormat, name: string, text: string, expected: readonly string[] | string): void => {
  test(`${format}: ${name}`, () => {
    assert.deepEqual(read(format, text), expected);
    assert.deepEqual(read(format, text, 1), expected, "character by character");
  });
};

check("prometheus", "samples get their type and help, numbers keep their digits",
  '# HELP http_requests_total The \\\\ total\\nof all.\n# TYPE http_requests_total counter\nhttp_requests_total{method="post",path="a\\"b\\\\c\\nd"} 1027 1395066363000\nother  9007199254740993\n\n# any words\n{"my.metric", x = "1" , } +Inf\nnan_of NaN\n',
  ['http_requests_total {"method":"post","path":"a\\"b\\\\c\\nd"} 1027 1395066363000 counter The \\ total\nof all. null', "other {} 9007199254740993 null null null null", 'my.metric {"x":"1"} +Inf null null null null', "nan_of {} NaN null null null null"]);
check("openmetrics", "a family's samples are told by their endings", '# TYPE d_seconds histogram\n# UNIT d_seconds seconds\nd_seconds_bucket{le="0.5"} 1 # {trace="x"} 0.4\nd_seconds_bucket{le="+Inf"} 2\nd_seconds_sum 1.10\nd_seconds_count 2\n# EOF\n',
  ['d_seconds_bucket {"le":"0.5"} 1 null histogram null seconds', 'd_seconds_bucket {"le":"+Inf"} 2 null histogram null seconds', "d_seconds_sum {} 1.10 null histogram null seconds", "d_seconds_count {} 2 null histogram null seconds"]);
check("openmetrics", "without its end it is not finished", "a 1\n", "INCOMPLETE 2");
check("openmetrics", "nothing may stand behind its end", "# EOF\na 1\n", "SYNTAX 2");
check("prometheus", "a last line without an end is not finished", "a 1\nb 2", "INCOMPLETE 2");
for (const [text, code] of [["a\n", "SYNTAX"], ["a x\n", "SYNTAX"], ["a{b=1} 1\n", "SYNTAX"], ['a{b="1} 1\n', "SYNTAX"], ['a{b="1",b="2"} 1\n', "COLUMN"], ["1a 1\n", "SYNTAX"], ["# TYPE a thing\n", "SYNTAX"], ["a 1 2 3\n", "SYNTAX"], ['{a="1"} 1\n', "SYNTAX"]] as const) check("prometheus", `${JSON.stringify(text)} is refused`, text, `${code} 1`);

test("records become metrics that a strict reader takes, in both formats", () => {
  const input = 'queue,depth,done\na"b,1.10,9007199254740993\nc\\d,-2,0\n';
  const openmetrics = mappingOf({ in: "{format: csv}", out: '{format: openmetrics, file: "/o/{name}"}', fields: "{name: {const: jobs_total}, type: {const: counter}, help: {const: Jobs done}, value: done, queue: queue, depth: depth}" });
  const expected = '# HELP jobs Jobs done\n# TYPE jobs counter\njobs_total{queue="a\\"b",depth="1.10"} 9007199254740993\njobs_total{queue="c\\\\d",depth="-2"} 0\n# EOF\n';
  assert.deepEqual(convertText(openmetrics, input.replace('a"b', '"a""b"')), { kind: "converted", text: expected, rows: 2 });
  checkExposition(expected, "openmetrics");
  const prometheus = mappingOf({ in: "{format: openmetrics}", out: '{format: prometheus, file: "/o/{name}"}', fields: "{name: name, labels: labels, type: type, help: help, value: value}" });
  const back = convertText(prometheus, expected);
  assert.ok(back.kind === "converted");
  assert.equal(back.text, expected.replace("# HELP jobs Jobs", "# HELP jobs_total Jobs").replace("# TYPE jobs counter", "# TYPE jobs_total counter").replace("# EOF\n", ""));
  checkExposition(back.text, "prometheus");
});

test("samples of one metric are put together, wherever their records stand", () => {
  const mapping = mappingOf({ in: "{format: csv}", out: '{format: prometheus, file: "/o/{name}"}', fields: "{name: n, value: v, l: l}" });
  assert.deepEqual(convertText(mapping, "n,v,l\na,1,x\nb,2,x\na,3,y\n"), { kind: "converted", rows: 3, text: '# TYPE a untyped\na{l="x"} 1\na{l="y"} 3\n# TYPE b untyped\nb{l="x"} 2\n' });
  const failed = convertText(mapping, "n,v,l\na,1,x\nb,no,x\n");
  assert.ok(failed.kind === "failed");
  assert.deepEqual([failed.error.code, failed.error.column], ["CAST", "value"]);
});

for (const [what, out, report, expected] of [
  ["a series that comes twice", "prometheus", 'a,1,x,"{""m"":""1""}",\n"b",2,x,{},\na,3,x,"{""m"":""1""}",\n', "CAST line 4 column name"],
  ["a series without labels that comes twice", "prometheus", "a,1,,{},\na,2,,{},\n", "CAST line 3 column name"],
  ["labels in another order are the same series", "prometheus", 'a,1,x,"{""m"":""1"",""n"":""2""}",\na,2,x,"{""n"":""2"",""m"":""1""}",\n', "CAST line 3 column name"],
  ["an empty label is none", "prometheus", 'a,1,x,"{""m"":""""}",\na,2,x,{},\n', "CAST line 3 column name"],
  ["the same at another time", "prometheus", "a,1,x,{},1\na,2,x,{},2\n", "CAST line 3 column name"],
  ["the same at another time", "openmetrics", "a,1,x,{},1\na,2,x,{},2\n", 2],
  ["the same at the same time", "openmetrics", "a,1,x,{},1\na,2,x,{},1\n", "CAST line 3 column name"],
  ["another value of a label, and another label", "prometheus", 'a,1,x,{},\na,1,y,{},\na,1,x,"{""m"":""x""}",\n', 3],
  ["texts that look alike when put together", "prometheus", 'a,1,"x"",m=""y",{},\na,1,x,"{""m"":""y""}",\n', 2],
  ["a label that is a field and in labels", "prometheus", 'a,1,x,"{""l"":""y""}",\n', "CAST line 2 column labels"],
] as const) test(`${out} output: ${what}`, () => {
  const outcome = convertText(mappingOf({ in: "{format: csv}", out: `{format: ${out}, file: "/o/{name}"}`, fields: "{name: n, value: v, l: l, labels: g, timestamp: t}" }), `n,v,l,g,t\n${report}`);
  assert.equal(outcome.kind === "converted" ? outcome.rows : `${outcome.error.code} line ${outcome.error.line} column ${outcome.error.column}`, expected);
});
