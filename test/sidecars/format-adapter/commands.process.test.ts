import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { reverseMapping } from "../../../sidecars/format-adapter/commands/reverse-mapping.ts";
import { entry, root } from "./adapter-process.ts";
import { mappingOf, parseAdapter } from "./support.ts";

const directory = mkdtempSync(join(root, "commands-"));
const put = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

function command(...argv: readonly string[]): { readonly code: number | null; readonly text: string } {
  const { code, stdout, stderr } = commandOutput(...argv);
  return { code, text: `${stdout}${stderr}` };
}

function commandOutput(...argv: readonly string[]): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, ...argv], { env: {}, encoding: "utf8", timeout: 120_000 });
  return { code: status, stdout, stderr };
}

const newReport = "order,created_at,first,last,amount,qty,status\n7,2026-01-02T03:04:05Z,Ann,Lee,10.50,3,NEW\n8,2026-02-02T03:04:05Z,Bob,May,1.25,2,PAID\n9,2026-02-03T03:04:05Z,Cyd,Fox,2.00,5,NEW\n";
const oldReport = "order_id,created,name,total,status,region,note\n7,02/01/2026 03:04,Ann Lee,31.50,0,EU,a\n8,02/02/2026 03:04,Bob May,2.50,1,EU,b\n9,03/02/2026 03:04,Cyd Fox,10.00,0,EU,c\n";

test("infer drafts a mapping that makes the old report of the new one, and tells what it has not found", () => {
  const [old, recent] = [put("old.csv", oldReport), put("new.csv", newReport)];
  const { code, text } = command("infer", old, recent);
  assert.equal(code, 1, text);
  assert.match(text, /^# Drafted from 3 old and 3 new records, paired in their order\.\n/);
  assert.match(text, /# TODO: .*\n {6}note: \{const: ""\}/);
  const draft = put("draft.yaml", text);
  assert.match(command("lint", "--config", draft).text, /1 mapping/);
  assert.equal(command("test", "--config", draft).code, 0);
  const [mapping] = parseAdapter(text).mappings;
  assert.ok(mapping);
  const result = convertText(mapping, newReport);
  assert.equal(result.kind === "converted" ? result.text : result.error.message, oldReport.replace(/,[abc]$/gm, ","));
});

test("diff compares record by record, whatever the formats", () => {
  const first = put("a.csv", "id,v\n1,x\n2,y\n3,z\n");
  assert.deepEqual(command("diff", first, put("b.ndjson", '{"id":1,"v":"x"}\n{"v":"y","id":2}\n{"id":3,"v":"z"}\n')), { code: 0, text: "3 records in the first report, 3 in the second: all equal\n" });
  assert.deepEqual(command("diff", first, first).text, "3 records in the first report, 3 in the second: all equal\nThe bytes are equal too\n");
  assert.match(command("diff", first, put("crlf.csv", "id,v\r\n1,x\r\n2,y\r\n3,z\r\n")).text, /all equal\nThe bytes are not: /);
  const different = command("diff", first, put("c.csv", "id,v\n2,Y\n1,x\n"), "--key", "id");
  assert.deepEqual(different, { code: 1, text: `id "2", line 3 in the first, 2 in the second:
  v: "y" -> "Y"
- only in the first: id "3", line 4
    v "z"

Columns that differ:
  v: 1 record, differ in upper and lower case alone

3 records in the first report, 2 in the second
1 equal, 1 different, 1 only in the first
` });
  assert.equal(command("diff", first, join(directory, "c.csv"), "--key", "id", "--ignore", "v").code, 1);
});

for (const [what, argv, expected] of [
  ["one report alone", ["a.csv"], /^diff takes two reports, got 1\nusage: /],
  ["a report that is not there", ["a.csv", "absent.csv"], /ENOENT.*absent\.csv/],
  ["a report that is not in its format", ["a.csv", "wrong.csv"], /wrong\.csv:3: COLUMN: /],
  ["a name that tells no format", ["a.csv", "report"], /cannot tell the format of .*report by its name; name it by --format/],
  ["an unknown option", ["a.csv", "a.csv", "--keys", "id"], /Unknown option '--keys'/],
  ["a key that is not there", ["a.csv", "a.csv", "--key", "i"], /the first report has no "i" on line 2; its columns are id, v/],
  ["a size that is none", ["a.csv", "a.csv", "--memory", "much"], /--memory takes a size such as 512MiB, got "much"/],
] as const) {
  test(`diff tells what is wrong with ${what}`, () => {
    put("a.csv", "id,v\n1,x\n2,y\n3,z\n");
    put("wrong.csv", "id,v\n1,x\n1\n");
    put("report", "id,v\n");
    const { code, text } = command("diff", ...argv.map((each) => (/^(?:a|absent|wrong)\.csv$|^report$/.test(each) ? join(directory, each) : each)));
    assert.equal(code, 64, text);
    assert.match(text, expected);
  });
}

test("diff adapts the new report first, by a named mapping or the one that detect picks", () => {
  const [config, recent] = [configuration(), put("new.csv", newReport)];
  const old = put("adapted.csv", "id,total,name,created\n9,10.00,CYD Fox,03.02.2026\n7,31.50,ANN Lee,02.01.2026\n8,2.50,BOB May,02.02.2026\n");
  assert.deepEqual(command("diff", old, recent, "--config", config, "--key", "id"), { code: 0, text: "3 records in the first report, 3 in the second: all equal\nThe bytes are not: order, line ends, quoting, spacing or a byte order mark differ\n" });
  assert.match(command("diff", old, recent, "--config", config, "--mapping", "orders").text, /id: "9" -> "7"/);
  assert.match(command("diff", old, recent, "--config", config, "--mapping", "order").text, /no mapping has the name "order"; there are orders, plain/);
  assert.match(command("diff", old, put("v9.csv", "number\n1\n"), "--config", config).text, /v9\.csv:1: VERSION: no rule of detect fits/);
  assert.match(command("diff", old, put("bad.csv", newReport.replace("1.25", "1.255")), "--config", config, "--key", "id").text, /bad\.csv:3: CAST in column amount: the value is not decimal\(2\): "1\.255"/);
  assert.match(command("diff", "--help").text, /^usage: format-adapter diff OLD NEW/);
});

test("a new user is told what there is, and what is missing", () => {
  const absent = join(directory, "absent.yaml");
  assert.match(command("help").text, /^usage: format-adapter \[COMMAND\][^]*doctor/);
  for (const name of ["infer", "lint", "test", "explain", "diff", "doctor", "run", "replay"]) {
    const { code, text } = command(name, "--help");
    assert.deepEqual([code, text.split("\n")[0]?.startsWith(`usage: format-adapter ${name}`)], [0, true], text);
    for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
  }
  const lint = command("lint", "--config", absent);
  assert.equal(lint.code, 78);
  assert.ok(lint.text.includes(`no file was read: ${absent} does not exist or holds no *.yaml; name a configuration by --config FILE`), lint.text);
  const explain = command("explain", "--config", configuration(), "--sample", join(directory, "absent.csv"));
  assert.deepEqual([explain.code, /^ENOENT.*absent\.csv'\n$/.test(explain.text)], [64, true], explain.text);
  const examples = command("test", "--config", put("red.yaml", 'watch: {dir: /in}\nmappings:\n  m:\n    in: {format: csv}\n    out: {format: csv, file: "/o/{name}"}\n    fields: {b: a}\n    examples: [{in: "a\\n1\\n2\\n", out: "b\\n1\\n3\\n"}]\n'));
  assert.deepEqual([examples.code, examples.text.replace(directory, "")], [78, '/red.yaml:7:16: m: on line 3 of the adapted report expected "3\\n", got "2\\n"\n1 example: 0 hold, 1 not\n']);
});

test("a report whose name would make its adapted form a folder is refused, not tried for ever", () => {
  const place = mkdtempSync(join(root, "names-"));
  for (const name of ["in", "out"]) mkdirSync(join(place, name));
  for (const name of ["...csv", "..csv", "a..csv"]) writeFileSync(join(place, "in", name), "a\n1\n");
  writeFileSync(join(place, "c.yaml"), `stateDirectory: ${place}/state\nwatch: {dir: ${place}/in, match: "{.*,*}", ready: [complete]}\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "${place}/out/{name}"}, fields: {b: a}}}\n`);
  const { code, text } = command("run", "--once", "--config", join(place, "c.yaml"));
  assert.equal(code, 75, text);
  assert.deepEqual(readdirSync(join(place, "out")), ["a."], text);
  assert.equal(text.match(/would have no name of its own/g)?.length, 2, text);
});

const configuration = (): string => put("adapter.yaml", `watch: {dir: /in}
detect:
  - {when: {header: [order]}, use: orders}
  - {when: {header: [id]}, use: plain}
mappings:
  orders:
    in: {format: csv, strict: false, columns: {amount: decimal(2), qty: int64, created_at: timestamp, first: string, last: string}}
    out: {format: csv, file: "/o/{name}.csv"}
    where: qty > 0
    fields:
      id: order
      total: {expr: amount * qty, type: decimal(2)}
      name: {expr: "concat(upper(first), ' ', last)", type: string}
      created: {from: created_at, date: {out: dd.MM.yyyy}}
  plain:
    in: {format: csv, columns: {id: int64, s: string, t: string}}
    out: {format: ndjson, file: "/o/{name}.csv"}
    fields: {number: id, state: {from: s, map: {NEW: n, PAID: p}}, at: {from: t, date: {in: "dd.MM.yyyy HH:mm", out: rfc3339}}, kind: {const: x}}
`);

test("explain tells how each field is made, and what a sample's first record goes through", () => {
  const { code, text } = command("explain", "--config", configuration(), "--sample", put("new.csv", newReport));
  assert.equal(code, 0, text);
  assert.equal(text, `orders: csv to csv, by the engine
  checked  amount: decimal(2)
  checked  qty: int64
  checked  created_at: timestamp
  checked  first: string
  checked  last: string
  where    qty > 0: compiled, many records at once
  field    id: order: bytes copied
  field    total: amount * qty: compiled, many records at once
  field    name: concat(upper(first), ' ', last): record by record
  field    created: created_at from rfc3339 UTC to dd.MM.yyyy UTC: compiled, many records at once
the first record, on line 2:
  where: kept
  field id: order "7" -> "7"
  field total: amount "10.50", qty "3" -> "31.50"
  field name: first "Ann", last "Lee" -> "ANN Lee"
  field created: created_at "2026-01-02T03:04:05Z" -> "02.01.2026"
`);
  assert.equal(command("explain", "--config", configuration(), "--mapping", "absent").code, 64);
});

test("explain ends with 75 when the report, or its first record, would be refused", () => {
  const codeFor = (report: string, ...more: readonly string[]): number | null => command("explain", "--config", configuration(), "--sample", put("explained.csv", report), ...more).code;
  assert.equal(codeFor("number\n1\n"), 75, "no mapping is for it");
  assert.equal(codeFor(newReport.replace("10.50", "10.505")), 75, "a value is not of its type");
  assert.equal(codeFor("id,s\n1,NEW\n"), 75, "a column is missing");
  assert.equal(codeFor('id,s,t\n1,"NEW\n'), 75, "it is not CSV");
  assert.equal(codeFor("id,s,t\n1,OLD,01.02.2026 03:04\n"), 75, "a field cannot be made");
  assert.equal(codeFor(newReport, "--mapping", "plain"), 75, "it is for another mapping");
  assert.equal(codeFor("id,s,t\n1,NEW,01.02.2026 03:04\n"), 0);
  const filtered = put("filtered.yaml", 'watch: {dir: /in}\nmappings: {m: {in: {format: csv, columns: {q: int64, s: string}}, where: q > 0, out: {format: csv, file: "/o/{name}.csv"}, fields: {s: {from: s, map: {NEW: n}}}}}\n');
  for (const [quantity, code] of [[0, 0], [1, 75]]) assert.equal(command("explain", "--config", filtered, "--sample", put("filtered.csv", `q,s\n${quantity},OLD\n`)).code, code, "a record that is left out is not refused");
});

test("what a command cannot work with is told as an error, not among what it makes", () => {
  const absent = join(directory, "absent.csv");
  for (const argv of [["infer", absent], ["infer", absent, absent], ["diff", absent, absent], ["diff", "--keys"], ["explain", "--config", configuration(), "--mapping", "absent"], ["lint", "--config", configuration(), "--revers"]]) {
    const { code, stdout, stderr } = commandOutput(...argv);
    assert.deepEqual([code, stdout, stderr === ""], [64, "", false], argv.join(" "));
  }
});

test("lint tells what cannot be undone, and gives the mapping back of what can", () => {
  const { code, text } = command("lint", "--reverse", "--config", configuration());
  assert.equal(code, 0, text);
  for (const line of ["orders: cannot be undone: total, name: the result of an expression does not tell its values", "orders: made record by record, which is slower (see explain): name", "orders: cannot be undone: where", '"plain-backwards":\n    in: {format: ndjson']) assert.ok(text.includes(line), `${line}\n${text}`);
});

test("a mapping and its reverse give the report again", () => {
  const [, plain] = parseAdapter(`watch: {dir: /in}\ndetect: []\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/p/{name}"}, fields: {a: a}}\n  plain:\n    in: {format: csv, columns: {id: int64, s: string, t: string}}\n    out: {format: ndjson, file: "/o/{name}"}\n    fields: {number: id, state: {from: s, map: {NEW: n, PAID: p}}, at: {from: t, date: {in: "dd.MM.yyyy HH:mm", out: rfc3339}}, kind: {const: x}}\n`).mappings;
  assert.ok(plain);
  const reverse = reverseMapping(plain);
  assert.ok(reverse.kind === "reversible", JSON.stringify(reverse));
  const back = parseAdapter(`watch: {dir: /in}\nmappings:\n  back:\n${reverse.yaml.replaceAll(/^/gm, "    ")}`).mappings[0];
  assert.ok(back);
  const report = "id,s,t\n9007199254740993,PAID,31.12.2025 23:59\n2,NEW,01.01.2026 00:00\n";
  const there = convertText(plain, report);
  assert.ok(there.kind === "converted");
  const again = convertText(back, there.text);
  assert.equal(again.kind === "converted" ? again.text : again.error.message, report);
});

for (const [fields, reason] of [
  ["{a: {from: a, default: x}}", /a missing value becomes/], ["{a: {from: a, map: {x: '1', y: '1'}}}", /several values become/], ["{a: {from: a, map: {x: '1'}, else: keep}}", /unlisted values/],
  ["{a: {join: [a, b]}}", /where its parts end/], ["{a: {from: a, date: {in: 'dd.MM.yyyy HH:mm', out: dd.MM.yyyy}}}", /leaves parts of the time out/], ["{a: {from: a, date: {in: yyyy-MM-dd, out: yyyyMd}}}", /the pattern yyyyMd cannot be read: "M" and "d"/], ["{a: {from: a, date: {out: rfc3339}}}", /offset/], ["{a: {from: a, split: {sep: '-', index: 0}}}", /does not tell the rest/],
] as const) {
  test(`not undone: ${fields}`, () => {
    const reverse = reverseMapping(mappingOf({ in: "{format: csv}", fields }));
    assert.match(reverse.kind === "lossy" ? reverse.reasons.map((each) => each.reason).join() : "", reason);
  });
}
