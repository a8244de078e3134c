import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { numberForm, shown } from "../../../sidecars/format-adapter/commands/compare-values.ts";
import { inputOfSettings } from "../../../sidecars/format-adapter/commands/command-line.ts";
import { readAdapted, readRecords, type RecordSource } from "../../../sidecars/format-adapter/commands/read-records.ts";
import { diffDefaults, DiffFault, diffReports, type DiffOptions } from "../../../sidecars/format-adapter/commands/report-diff.ts";
import { mappingOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-diff-"));
after(() => rmSync(directory, { recursive: true }));
let files = 0;
const put = (content: string | Uint8Array): string => {
  const path = join(directory, `${++files}`);
  writeFileSync(path, content);
  return path;
};
const read = (content: string | Uint8Array, settings: Readonly<Record<string, unknown>> = { format: "csv" }, form: "text" | "json" = "text"): RecordSource => readRecords(put(content), inputOfSettings(settings, "report"), form);
const compare = async (first: string | Uint8Array, second: string | Uint8Array, options: Partial<DiffOptions> = {}, format = "csv", form: "text" | "json" = "text"): Promise<string> => {
  const { lines } = await diffReports(read(first, { format }, form), read(second, { format }, form), { ...diffDefaults, ...options });
  return lines.join("\n");
};

const cases: readonly (readonly [name: string, first: string, second: string, options: Partial<DiffOptions>, expected: RegExp])[] = [
  ["equal reports", "a\n1\n", "a\n1\n", {}, /^1 record in the first report, 1 in the second: all equal$/],
  ["a value in another spelling is another value", "a\n1.10\n", "a\n1.1\n", {}, /a: "1\.10" -> "1\.1"[^]*a: 1 record, equal numbers, written differently \(see --numeric\)/],
  ["with numeric it is not", "a\n1.10\n-0\n100\n", "a\n1.1\n0\n1e2\n", { numeric: true }, /all equal/],
  ["a number with leading zeros is a text", "a\n007\n", "a\n7\n", { numeric: true }, /1 different/],
  ["numbers beyond a double are compared by all their digits", "a\n9007199254740993\n", "a\n9007199254740992.0\n", { numeric: true }, /1 different/],
  ["spaces that look like a space are told", "a\nx y\n", "a\nx\u00a0y\n", {}, /"x y" -> "x\\u\{a0\}y"/],
  ["a record only in the second", "a\n1\n", "a\n1\n2\n", {}, /\+ only in the second: record 2, line 3\n {4}a "2"/],
  ["a column only in the first is told once", "a,b\n1,x\n2,y\n", "a\n1\n2\n", { ignored: new Set(["z"]) }, /^column "b" is in the first report only/],
  ["headers without records are compared", "a,b\n", "a,c\n", {}, /column "b" is in the first report only\ncolumn "c" is in the second report only/],
  ["columns in another order", "a,b\n1,2\n", "b,a\n2,1\n", {}, /another order: number 1 is "a" in the first report, "b" in the second/],
  ["which may be passed over", "a,b\n1,2\n", "b,a\n2,1\n", { inColumnOrder: false }, /all equal/],
  ["by key the order does not matter", "k,v\n1,a\n2,b\n3,c\n", "k,v\n3,c\n1,a\n2,B\n", { keys: ["k"] }, /^k "2", line 3 in the first, 4 in the second:\n {2}v: "b" -> "B"\n[^]*case alone\n\n3 records in the first report, 3 in the second\n2 equal, 1 different$/],
  ["by two columns", "k,l,v\n1,1,a\n1,2,b\n", "k,l,v\n1,2,b\n1,1,a\n", { keys: ["k", "l"] }, /all equal/],
  ["by key records that are in one report alone", "k\n1\n2\n", "k\n2\n3\n", { keys: ["k"] }, /- only in the first: k "1", line 2[^]*\+ only in the second: k "3", line 3[^]*1 equal, 1 only in the first, 1 only in the second/],
  ["records of one key are compared in their order", "k,v\n1,a\n1,b\n", "k,v\n1,a\n1,c\n", { keys: ["k"] }, /v: "b" -> "c"[^]*1 equal, 1 different/],
  ["a missing record shifts all that follow, which is told", "a\n1\n2\n3\n4\n5\n", "a\n1\n3\n4\n5\n", {}, /The last 3 records all differ\. If one is missing or stands elsewhere: --key COLUMN/],
  ["a long value is shown where it differs", `a\n${"x".repeat(200)}1${"y".repeat(90)}\n`, `a\n${"x".repeat(200)}2${"y".repeat(90)}\n`, {}, /- …"x{12}1y+"…\n {4}\+ …"x{12}2y+"…/],
  ["more than is shown is counted", "a\n1\n2\n3\n", "a\n4\n5\n6\n", { shownMax: 1 }, /… and 2 more \(--show N shows more\)/],
];
for (const [name, first, second, options, expected] of cases) test(name, async () => assert.match(await compare(first, second, options), expected));

test("a line of what is told has at most 80 characters", async () => {
  const text = await compare(`a,b,${"c".repeat(30)}\n1,2,${"x".repeat(100)}\n5,6,7\n`, `a,b,${"c".repeat(30)}\n9,2,${"y".repeat(100)}\n`);
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
});

test("formats that tell numbers from texts are compared with that difference, others by their text", async () => {
  assert.match(await compare('{"a":1,"b":null}\n', '{"a":"1","b":""}\n', {}, "ndjson", "json"), /a: 1 -> "1"\n {2}b: null -> ""/);
  assert.match(await compare('{"a":1,"b":{"x": 1}}\n', '{"a":"1","b":{"x":1}}\n', {}, "ndjson"), /all equal/);
});

test("a key that a report does not have is refused with the one that may be meant", async () => {
  await assert.rejects(compare("order,v\n1,a\n", "order,v\n1,a\n", { keys: ["Order"] }), (error) => error instanceof DiffFault && /the first report has no "Order" on line 2; its columns are order, v\. Is "order" meant\?/.test(error.message));
});

test("what waits for its counterpart is bounded", async () => {
  const rows = Array.from({ length: 2_000 }, (_, index) => `${index},v\n`);
  const [forth, back] = [`k,v\n${rows.join("")}`, `k,v\n${rows.toReversed().join("")}`];
  assert.match(await compare(forth, back, { keys: ["k"] }), /all equal/);
  await assert.rejects(compare(forth, back, { keys: ["k"], waitingBytesMax: 100_000 }), (error) => error instanceof DiffFault && /more than 100000 bytes of records wait/.test(error.message));
  // In nearly the same order nearly nothing waits.
  const swapped = rows.map((_, index) => rows[index ^ 1]).join("");
  assert.match(await compare(forth, `k,v\n${swapped}`, { keys: ["k"], waitingBytesMax: 10_000 }), /all equal/);
});

test("reports in any order are equal by key, and a change in one record is found", async () => {
  await fc.assert(fc.asyncProperty(fc.uniqueArray(fc.nat(999), { minLength: 1, maxLength: 30 }), fc.nat(), fc.nat(), async (keys, seed, place) => {
    const rows = keys.map((key) => `${key},${key * 7}\n`);
    const other = rows.toSorted((left, right) => ((Number.parseInt(left, 10) * 31 + seed) % 101) - ((Number.parseInt(right, 10) * 31 + seed) % 101));
    assert.match(await compare(`k,v\n${rows.join("")}`, `k,v\n${other.join("")}`, { keys: ["k"] }), /all equal/);
    const changed = other.with(place % other.length, (other[place % other.length] ?? "").replace(",", ",x"));
    assert.match(await compare(`k,v\n${rows.join("")}`, `k,v\n${changed.join("")}`, { keys: ["k"] }), new RegExp(`\\n${keys.length - 1} equal, 1 different`));
  }), { numRuns: 60 });
});

test("a number has one form for all spellings of its value", () => {
  for (const [left, right] of [["0", "-0.00e5"], ["10", "1e1"], ["0.001", "1E-3"], ["-1.50", "-1.5"], ['"1.10"', '"1.1"']] as const) assert.equal(numberForm(left), numberForm(right));
  for (const [left, right] of [["1", "-1"], ["1", '"1"'], ["1", "10"], ["+1", "1"], ["01", "1"], ["1e400", "1e401"]] as const) assert.notEqual(numberForm(left), numberForm(right));
});

test("a value is shown with what cannot be seen in it", () => {
  assert.equal(shown("a\u200bb\tc", undefined, "text"), '"a\\u{200b}b\\tc"');
  assert.equal(shown(undefined, "x", "text"), "missing");
});

const mapping = (out: string): ReturnType<typeof mappingOf> => mappingOf({ in: "{format: ndjson, columns: {id: int64, amount: decimal(2)}}", out, fields: "{order: id, total: amount}" });
for (const [format, out, old] of [
  ["csv", '{format: csv, delimiter: ";", eol: crlf, file: "/o/{name}.csv"}', "order;total\r\n1;1.10\r\n2;2.20\r\n"],
  ["json", '{format: json, file: "/o/{name}"}', '[{"order":1,"total":1.10},{"order":2,"total":2.20}]'],
  ["xml", '{format: xml, root: orders, record: item, file: "/o/{name}"}', "<orders><item><order>1</order><total>1.10</total></item><item><order>2</order><total>2.20</total></item></orders>"],
  ["fixed-width", '{format: fixed-width, layout: {order: 4, total: 6}, file: "/o/{name}"}', "1   1.10  \n2   2.20  \n"],
  ["logfmt", '{format: logfmt, file: "/o/{name}"}', "order=1 total=1.10\norder=2 total=2.20\n"],
  ["ini", '{format: ini, section: order, file: "/o/{name}"}', "[1]\ntotal=1.10\n\n[2]\ntotal=2.20\n"],
  ["toml", '{format: toml, records: orders, file: "/o/{name}"}', "[[orders]]\norder = 1\ntotal = 1.10\n\n[[orders]]\norder = 2\ntotal = 2.20\n"],
  ["gzip", '{format: csv, compression: gzip, file: "/o/{name}.csv"}', "order,total\n1,1.10\n2,2.20\n"],
] as const) {
  test(`an adapted report in ${format} is compared with the old one`, async () => {
    const made = mapping(out);
    const recent = put('{"id":1,"amount":1.10}\n{"id":2,"amount":2.20}\n');
    const settings = { csv: { format: "csv", delimiter: ";" }, json: { format: "json" }, xml: { format: "xml", records: "/orders/item" }, "fixed-width": { format: "fixed-width", layout: { order: 4, total: 6 } }, logfmt: { format: "logfmt" }, ini: { format: "ini", section: "order" }, toml: { format: "toml", records: "orders" }, gzip: { format: "csv" } }[format];
    const against = async (text: string): Promise<string> => (await diffReports(read(format === "gzip" ? gzipSync(text) : text, settings), readAdapted(recent, made))).lines.join("\n");
    assert.match(await against(old), /^2 records in the first report, 2 in the second: all equal$/);
    assert.match(await against(old.replace("2.20", "9.20")), /total: "9\.20" -> "2\.20"/);
  });
}

test("Parquet is compared too, also as what a mapping writes", async () => {
  const recent = put('{"id":1,"amount":1.10}\n{"id":2,"amount":2.20}\n');
  const made = mapping('{format: parquet, file: "/o/{name}.parquet"}');
  const { lines } = await diffReports(read("order,total\n1,1.10\n2,2.20\n"), readAdapted(recent, made));
  assert.deepEqual(lines, ["2 records in the first report, 2 in the second: all equal"]);
});

test("a report that cannot be adapted is told with its name, line and column", async () => {
  const recent = put('{"id":1,"amount":1.10}\n{"id":2,"amount":"x"}\n');
  await assert.rejects(diffReports(read("order,total\n1,1.10\n"), readAdapted(recent, mapping('{format: csv, file: "/o/{name}.csv"}'))), new RegExp(`${recent}:2: CAST in column amount: the value is not decimal`));
});
