import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { infer } from "../../../sidecars/format-adapter/commands/infer.ts";
import { runExamples } from "../../../sidecars/format-adapter/examples.ts";
import { parseAdapter } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-infer-"));
after(() => rmSync(directory, { recursive: true }));
let count = 0;
const put = (ending: string, content: string | Uint8Array): string => {
  const path = join(directory, `${++count}.${ending}`);
  writeFileSync(path, content);
  return path;
};

type Inferred = { readonly code: number; readonly text: string; readonly fields: Readonly<Record<string, string>> };

/** What is drafted; every draft must be accepted and its examples hold. */
async function inferred(oldPath: string, newPath: string, ...more: readonly string[]): Promise<Inferred> {
  let text = "";
  const code = await infer([oldPath, newPath, ...more], (part) => (text += part));
  const adapter = parseAdapter(text);
  assert.deepEqual(runExamples(adapter.mappings), [], text);
  assert.equal(adapter.mappings.flatMap(({ examples }) => examples).length, 1, text);
  const fields = Object.fromEntries([...text.matchAll(/^ {6}("(?:[^"\\]|\\.)*"|[^\s"#-][^:]*): (.*)$/gm)].map(([, name = "", source = ""]) => [name, source]));
  return { code, text, fields };
}

/** One column each of the old report, in CSV, which must be found to be this field of the new one. */
const cases: readonly (readonly [name: string, columns: Readonly<Record<string, readonly string[]>>, old: readonly string[], field: string])[] = [
  ["the same value", { a: ["x", "y", "z"] }, ["x", "y", "z"], "a"],
  ["a default", { a: ["x", "", "z"] }, ["x", "none", "z"], "{from: a, default: none}"],
  ["a constant", { a: ["x", "y", "z"] }, ["EU", "EU", "EU"], "{const: EU}"],
  ["a word that YAML would read as something else", { a: ["x", "y", "z"] }, ["no", "no", "no"], '{const: "no"}'],
  ["a part", { a: ["2026-01-02", "2025-02-03", "2024-03-04"] }, ["2026", "2025", "2024"], '{from: a, split: {sep: "-", index: 0}}'],
  ["what follows a part", { a: ["x-1-2", "y-3-4", "z-5-6"] }, ["1-2", "3-4", "5-6"], '{from: a, split: {sep: "-", index: 1, rest: true}}'],
  ["upper case", { a: ["ab", "cd", "ef"] }, ["AB", "CD", "EF"], '{expr: "upper(a)", type: string}'],
  ["trimmed and in lower case", { a: [" AB", "Cd ", "ef"] }, ["ab", "cd", "ef"], '{expr: "lower(trim(a))", type: string}'],
  ["padded with zeros", { a: ["7", "12", "345"] }, ["0007", "0012", "0345"], "{expr: \"padLeft(text(a), 4, '0')\", type: string}"],
  ["padded with spaces behind", { a: ["a", "bc", "def"] }, ["a   ", "bc  ", "def "], "{expr: \"padRight(a, 4, ' ')\", type: string}"],
  ["without the characters between", { a: ["DE-12-3", "FR-4-56", "IT-78-9"] }, ["DE123", "FR456", "IT789"], "{expr: \"replace(a, '-', '')\", type: string}"],
  ["a comma for the point", { a: ["1.10", "20.05", "3.00"] }, ["1,10", "20,05", "3,00"], "{expr: \"replace(text(a), '.', ',')\", type: string}"],
  ["the first characters", { a: ["abcdef", "ghijkl", "mnopqr"] }, ["abc", "ghi", "mno"], '{expr: "substring(a, 0, 3)", type: string}'],
  ["the last characters", { a: ["abcdef", "ghijkl", "mnopqr"] }, ["ef", "kl", "qr"], '{expr: "substring(a, -2)", type: string}'],
  ["a date in another form", { a: ["2026-01-31", "2025-02-03", "2024-12-24"] }, ["31.01.2026", "03.02.2025", "24.12.2024"], "{from: a, date: {in: yyyy-MM-dd, out: \"dd.MM.yyyy\"}}"],
  ["a time on the clocks of a zone, in winter and summer", { a: ["2026-01-02T03:04:05Z", "2026-07-02T03:04:05Z", "2026-07-02T23:30:00Z"] }, ["02/01/2026 04:04", "02/07/2026 05:04", "03/07/2026 01:30"], '{from: a, date: {out: "dd/MM/yyyy HH:mm", zone: Europe/Berlin}}'],
  ["a day on the clocks of a zone", { a: ["2026-01-02T23:30:00Z", "2026-07-02T22:30:00Z", "2026-07-02T12:00:00Z"] }, ["2026-01-03", "2026-07-03", "2026-07-02"], "{from: a, date: {out: yyyy-MM-dd, zone: Europe/Berlin}}"],
  ["the time of a zone's clocks in UTC", { a: ["2026-01-02 03:04:05", "2026-07-02 03:04:05", "2026-07-02 12:00:00"] }, ["2026-01-02T08:04:05Z", "2026-07-02T07:04:05Z", "2026-07-02T16:00:00Z"], "{from: a, date: {in: \"yyyy-MM-dd HH:mm:ss\", inZone: America/New_York}}"],
  ["seconds since 1970", { a: ["2026-01-02T03:04:05Z", "2026-07-02T03:04:05Z", "2025-01-01T00:00:00Z"] }, ["1767323045", "1782961445", "1735689600"], "{from: a, date: {out: unix}}"],
  ["another scale", { a: ["1050", "1", "99999"] }, ["10.50", "0.01", "999.99"], '{expr: "a * 0.01", type: "decimal(2)"}'],
  ["more digits", { a: ["1.5", "2", "3.25"] }, ["1.50", "2.00", "3.25"], '{expr: "a", type: "decimal(2)"}'],
  ["rounded", { a: ["1.555", "20.004", "3.251", "45.125", "9.999"] }, ["1.56", "20.00", "3.25", "45.13", "10.00"], '{expr: "a", type: "decimal(2)", round: half-up}'],
  ["plus a constant", { a: ["5", "17", "101"] }, ["1005", "1017", "1101"], '{expr: "a + 1000", type: int64}'],
  ["the product of two columns", { a: ["1.10", "2.50", "9.99"], b: ["3", "7", "2"] }, ["3.30", "17.50", "19.98"], '{expr: "a * b", type: "decimal(2)"}'],
  ["the difference of two columns", { a: ["10", "27", "90"], b: ["3", "5", "2"] }, ["7", "22", "88"], '{expr: "a - b", type: int64}'],
  ["joined", { a: ["Ann", "Bob", "Cyd"], b: ["Lee", "May", "Fox"] }, ["Lee, Ann", "May, Bob", "Fox, Cyd"], '{join: [b, a], sep: ", "}'],
  ["joined by nothing", { a: ["Ann", "Bob", "Cyd"], b: ["Lee", "May", "Fox"] }, ["AnnLee", "BobMay", "CydFox"], '{join: [a, b], sep: ""}'],
  ["behind each other with texts around", { a: ["Ann", "Bob", "Cyd"], b: ["7", "8", "9"] }, ["<Ann #7>", "<Bob #8>", "<Cyd #9>"], "{expr: \"concat('<', a, ' #', text(b), '>')\", type: string}"],
  ["parts in another order", { a: ["Ann Lee", "Bob May", "Cyd Fox"] }, ["Lee, Ann", "May, Bob", "Fox, Cyd"], "{expr: \"concat(part(a, ' ', 1), ', ', part(a, ' ', 0))\", type: string}"],
  ["a table of values", { a: ["NEW", "PAID", "NEW", "PAID"] }, ["0", "1", "0", "1"], '{from: a, map: {NEW: "0", PAID: "1"}}'],
  ["the words of booleans", { a: ["true", "false", "true", "false"] }, ["yes", "no", "yes", "no"], '{from: a, map: {"true": "yes", "false": "no"}}'],
];
const csv = (columns: Readonly<Record<string, readonly string[]>>): string => {
  const names = Object.keys(columns);
  const cell = (text: string): string => (/[",]/.test(text) ? `"${text}"` : text);
  const length = Math.max(...Object.values(columns).map((values) => values.length));
  return [names, ...Array.from({ length }, (_, row) => names.map((name) => cell(columns[name]?.[row] ?? "")))].map((line) => `${line.join(",")}\n`).join("");
};
for (const [name, columns, old, field] of cases) {
  test(`infer finds ${name}`, async () => {
    const key = old.map((_, row) => `k${row + 1}`);
    const reversed = Object.fromEntries(Object.entries({ ...columns, key }).map(([column, values]) => [column, values.toReversed()]));
    for (const recent of [{ key, ...columns }, reversed]) {
      const { code, text, fields } = await inferred(put("csv", csv({ id: key, wanted: old })), put("csv", csv(recent)));
      assert.equal(fields["wanted"]?.replace(/ # check: .*$/, ""), field, text);
      assert.equal(code, 0, text);
      assert.match(text, /^# Checked: the adapted sample equals the old one, record by record\.$/m);
    }
  });
}

test("a zone that others are as good as is to be checked", async () => {
  const { text } = await inferred(put("csv", csv({ k: ["a", "b"], at: ["02.01.2026 04:00", "03.01.2026 05:00"] })), put("csv", csv({ k: ["a", "b"], at: ["2026-01-02T03:00:00Z", "2026-01-03T04:00:00Z"] })));
  assert.match(text, /zone: Europe\/Berlin\}\} # check: \d+ other zones fit these times too/);
});

test("what is not found is a TODO with its reason, and the draft holds all the same", async () => {
  const old = csv({ id: ["1", "2", "3", "4"], note: ["q", "r", "s", "t"], amount: ["1.00", "2.00", "3.00", "9.99"] });
  const recent = csv({ id: ["1", "2", "3", "4"], amount: ["1.00", "2.00", "3.00", "4.00"], extra: ["x", "x", "y", "y"] });
  const { code, text, fields } = await inferred(put("csv", old), put("csv", recent));
  assert.equal(code, 1);
  assert.equal(fields["note"], '{const: ""}');
  assert.match(text, /# TODO: no column, part, sum or table of values of the new report gives "q", "r", "s", …\n/);
  assert.match(text, /# TODO: amount is the same in 3 of 4 records, but not where it is "4\.00" and should be "9\.99"\n/);
  assert.match(text, /^# Not found \(2\):\n# {3}note: /m);
  assert.match(text, /equals the old one, record by record, but for note, amount\./);
});

for (const [what, recent, condition] of [
  ["a value that others do not have", csv({ id: ["1", "2", "3", "4"], kind: ["a", "b", "TEST", "a"] }), "kind != 'TEST'"],
  ["a sign", csv({ id: ["1", "2", "3", "4"], qty: ["5", "5", "0", "7"] }), "qty > 0"],
  ["a truth", csv({ id: ["1", "2", "3", "4"], gone: ["false", "false", "true", "false"] }), "!gone"],
] as const) {
  test(`records that the old report leaves out are told by ${what}`, async () => {
    const { text, code } = await inferred(put("csv", csv({ id: ["4", "2", "1"] })), put("csv", recent));
    assert.ok(text.includes(`    where: ${JSON.stringify(condition)} # check: other records are not in the old sample`), text);
    assert.equal(code, 0, text);
  });
}

test("records without a counterpart that nothing tells are a TODO", async () => {
  const { text, code } = await inferred(put("csv", csv({ id: ["1", "2", "9"] })), put("csv", csv({ id: ["1", "2", "3", "4"], s: ["a", "b", "a", "b"] })));
  assert.equal(code, 1);
  assert.match(text, /# TODO where: 2 of 4 records of the new sample are not in the old one, and no column tells which/);
  assert.match(text, /# {3}1 records of the old sample are not in the new one/);
});

test("nested values become columns, and columns nested values", async () => {
  const nested = '[{"id":1,"customer":{"name":"Ann","address":{"city":"Bonn"}},"items":[{"price":1.50},{"price":2}],"tags":["a","b"]},\n{"id":2,"customer":{"name":"Bob","address":{"city":"Lyon"}},"items":[{"price":3.00}],"tags":[]}]\n';
  const flat = "order,buyer,city,first,tags\n1,Ann,Bonn,1.50,a;b\n2,Bob,Lyon,3.00,\n";
  const there = await inferred(put("csv", flat), put("json", nested));
  assert.deepEqual(there.fields, { ...there.fields, order: "id", buyer: "customer.name", city: "customer.address.city", first: '"items[0].price"', tags: '{from: tags, joinList: {sep: ";"}}' });
  assert.equal(there.code, 0, there.text);
  const back = await inferred(put("ndjson", '{"id":1,"customer":{"name":"Ann","address":{"city":"Bonn"}}}\n{"id":2,"customer":{"name":"Bob","address":{"city":"Lyon"}}}\n'), put("csv", flat));
  assert.deepEqual(back.fields, { ...back.fields, id: "order", "customer.name": "buyer", "customer.address.city": "city" });
  assert.equal(back.code, 0, back.text);
});

test("how the samples are written is found too", async () => {
  const semicolons = await inferred(put("csv.gz", gzipSync('\ufeff"id";"v"\r\n"1";"a"\r\n"2";"b"\r\n')), put("tsv", "v\tid\nb\t2\na\t1\n"));
  assert.match(semicolons.text, /out: \{format: csv, delimiter: ";", eol: crlf, bom: true, quote: all, file: "?\/legacy\/\{name\}\.csv"?\}/);
  assert.match(semicolons.text, /match: "\*\.tsv"/);
  const xml = await inferred(put("csv", "id,city\n1,Bonn\n2,Lyon\n"), put("xml", '<?xml version="1.0"?><report><made>now</made><orders><order id="1"><to><city>Bonn</city></to></order><order id="2"><to><city>Lyon</city></to></order></orders></report>'));
  assert.deepEqual([xml.fields["id"], xml.fields["city"]], ['"@id"', "to/city"], xml.text);
  assert.match(xml.text, /records: "?\/report\/orders\/order/);
  const ragged = await inferred(put("xml", '<?xml version="1.0"?><l><o id="1"><a><b>x</b></a><c>1</c></o><o id="2"><a><b>y</b><d>z</d></a><c>2</c></o></l>'), put("report", '{"id":1,"b":"x","c":1}\n{"id":2,"b":"y","d":"z","c":2}\n'));
  assert.match(ragged.text, /fields:\n +"@id": .*\n +a\/b: .*\n +a\/d: .*\n +c: /);
  const back = await inferred(put("xml", '<?xml version="1.0"?><l><o id="1"><c>Bonn</c></o><o id="2"><c>Lyon</c></o></l>'), put("report", '{"id":1,"c":"Bonn"}\n{"id":2,"c":"Lyon"}\n'));
  assert.match(back.text, /out: \{format: xml, root: l, record: o, file: /);
  assert.equal(back.code, 0, back.text);
});

test("of a large sample the first records are the example", async () => {
  const rows = Array.from({ length: 3_000 }, (_, row) => `${row},"line\n${row}"\n`).join("");
  const { text, code } = await inferred(put("csv", `id,t\n${rows}`), put("csv", `n,s\n${rows}`));
  assert.equal(code, 0, text);
  assert.match(text, /- in: "n,s\\n0,\\"line\\n0\\"|- in: \|\n {10}n,s\n/);
  assert.ok(text.length < 4_000);
});

for (const [what, argv, expected] of [
  ["one sample alone", ["a.csv"], /^infer takes two samples, got 1\nusage: /],
  ["a sample that is not there", ["absent.csv", "absent.csv"], /ENOENT/],
  ["a format that there is not", ["a.csv", "a.csv", "--old-format=xls"], /^cannot tell how to read .*a\.csv: .*Name the format by --old-format or --new-format, or rename the file\n$/],
  ["an option that there is not", ["--format=csv"], /^Unknown option '--format'[^]*\nusage: /],
  ["a sample of an unknown form", ["a.xyz", "a.xyz"], /cannot tell the format of .*a\.xyz; name it by --old-format or --new-format/],
] as const) {
  test(`infer tells what is wrong with ${what}`, async () => {
    writeFileSync(join(directory, "a.csv"), "a\n1\n");
    writeFileSync(join(directory, "a.xyz"), "a\n1\n");
    let [draft, text] = ["", ""];
    const paths = argv.map((name) => (name.startsWith("--") ? name : join(directory, name)));
    assert.equal(await infer(paths, (part) => (draft += part), (part) => (text += part)), 64);
    assert.match(text, expected);
    assert.equal(draft, "", "what is printed is the draft alone");
  });
}
