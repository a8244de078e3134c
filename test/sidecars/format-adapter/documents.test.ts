import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse, parseDocument } from "yaml";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { createDocumentReader } from "../../../sidecars/format-adapter/formats/document-reader.ts";
import { createTomlWriter, createYamlWriter } from "../../../sidecars/format-adapter/formats/document-writers.ts";
import { parseToml } from "../../../sidecars/format-adapter/formats/toml-reader.ts";
import { treeJson } from "../../../sidecars/format-adapter/formats/tree.ts";
import { createYamlReader } from "../../../sidecars/format-adapter/formats/yaml-reader.ts";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { mappingOf } from "./support.ts";

type Format = "yaml" | "toml";
type Given = { readonly records?: readonly string[]; readonly strict?: boolean; readonly size?: number; readonly maxBytes?: number; readonly takeUnfinished?: boolean };

/** The records as "line:kind text, …" in the order of their columns, or the error as "CODE line". */
function read(format: Format, text: string, { records = [], strict = false, size = Infinity, maxBytes = 1_000_000, takeUnfinished = false }: Given = {}): readonly string[] | string {
  const columns: string[] = [];
  const rows: string[] = [];
  const handler = {
    onColumns: (names: readonly string[]) => void columns.push(...names),
    onRow: (row: { readonly line: number; text(column: string): string | undefined; kind(column: string): string | undefined }) => void rows.push(`${row.line}: ${columns.filter((column) => row.kind(column) !== undefined).map((column) => `${column}=${row.kind(column)} ${row.text(column)}`).join(", ")}`),
  };
  try {
    const options = { records, strict, maxBytes, ignored: [["defaults"], ["x", "n", "m"]] };
    const reader = format === "yaml" ? createYamlReader(options, handler) : createDocumentReader(options, parseToml, handler);
    for (let at = 0; at < text.length; at += size) reader.push(text.slice(at, at + size));
    reader.end({ takeUnfinished });
    return rows;
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return `${error.code} ${error.line}`;
  }
}

const check = (format: Format, name: string, text: string, expected: readonly string[] | string, given: Given = {}): void => {
  test(`${format}: ${name}`, () => {
    assert.deepEqual(read(format, text, given), expected);
    if (text.length < 2000) assert.deepEqual(read(format, text, { ...given, size: 1 }), expected, "character by character");
  });
};

check("yaml", "what core YAML calls a number, boolean or null is that, with its own characters; the rest is text",
  "- {a: 9223372036854775807, b: 9007199254740993, c: 1.10, d: 1e400, e: -0}\n- {a: 00123, b: 0x1F, c: +5, d: .5, e: 1_000}\n- {a: no, b: None, c: True, d: ~, e: 2026-01-02}\n- {a: '1', b: \"true\", c: 12:30, d: null, e: .inf}\n",
  ["1: a=number 9223372036854775807, b=number 9007199254740993, c=number 1.10, d=number 1e400, e=number -0", "2: a=text 00123, b=text 0x1F, c=text +5, d=text .5, e=text 1_000", "3: a=text no, b=text None, c=boolean true, d=null null, e=text 2026-01-02", "4: a=text 1, b=text true, c=text 12:30, d=null null, e=text .inf"]);
check("yaml", "items over several lines, comments and documents keep their lines", "%YAML 1.2\n---\n# c\n- a: 1\n  b: |\n    - x\n# d\n-\n  a: 2\n---\na: 5\n...\n", ["4: a=number 1, b=text - x\n", "9: a=number 2", "11: a=number 5"]);
check("yaml", "records stand at a path", "x:\n  y:\n    - a: 1\n    - a: [1, {b: 2.50}]\n", ["3: a=number 1", '4: a=nested [1,{"b":2.50}]'], { records: ["x", "y"] });
check("yaml", "a path that is not there is told", "x: 1\n", "COLUMN 1", { records: ["x", "y"] });
check("yaml", "a map is one record", "a: 1\n", ["1: a=number 1"]);
for (const [what, text, expected] of [
  ["what is ignored may stand beside the records", "defaults: {a: 1}\nx: {n: {m: 1}, y: [{a: 1}]}\n", ["2: a=number 1"]],
  ["a new key at the top is told", "x: {y: []}\nnew: 1\n", "COLUMN 1"],
  ["a new key beside the records is told", "x:\n  y: []\n  z: 1\n", "COLUMN 2"],
  ["a new key beside what is ignored is told", "x: {n: {k: 1}, y: []}\n", "COLUMN 1"],
] as const) check("yaml", `strict: ${what}`, text, expected, { records: ["x", "y"], strict: true });
check("toml", "strict: a new key beside the records is told", "title = 1\n[[r]]\nid = 1\n", "COLUMN 1", { records: ["r"], strict: true });
check("yaml", "an empty list has no records", "[]\n", []);
check("yaml", "aliases are followed, also from item to item", "- a: &x {b: 1}\n- a: *x\n", ['1: a=nested {"b":1}', '2: a=nested {"b":1}']);
check("yaml", "an alias that holds itself is refused", "a: &x [*x]\n", "SYNTAX 1");
check("yaml", "an unknown alias is refused", "a: *y\n", "SYNTAX 1");
check("yaml", "double keys are refused", "- a: 1\n  b: {c: 1, c: 2}\n", "COLUMN 2");
check("yaml", "tags are refused", "- a: !!int 3\n", "SYNTAX 1");
check("yaml", "merge keys are refused", "- <<: {a: 1}\n", "SYNTAX 1");
check("yaml", "a quoted << is a key", "- '<<': 1\n", ["1: <<=number 1"]);
check("yaml", "keys that are lists are refused", "? [a]\n: 1\n", "SYNTAX 1");
check("yaml", "an item that is no record is refused", "- a: 1\n- 2\n", "SYNTAX 2");
check("yaml", "__proto__ and constructor are columns", "- {__proto__: 1, constructor: 2}\n", ["1: __proto__=number 1, constructor=number 2"]);
check("yaml", "a list that is cut is not finished", "- a: 1\n- a: [1,\n", "INCOMPLETE 3");
check("yaml", "a cut in an item before the last is wrong", "- a: [1\n- a: 2\n", "SYNTAX 2");
check("yaml", "a last line without an end is not finished", "- a: 1", "INCOMPLETE 1");
check("yaml", "a last line without an end is taken when asked to", "- a: 1", ["1: a=number 1"], { takeUnfinished: true });
check("yaml", "nothing at all is not finished", "# only this\n", "INCOMPLETE 2");
check("yaml", "flow lists nested deep are refused", `a: ${"[".repeat(50_000)}\n`, "LIMIT 1");
check("yaml", "block lists nested deep on one line are refused", `${"- ".repeat(50_000)}\n`, "LIMIT 1");
check("yaml", "maps nested deep by indentation are refused", Array.from({ length: 300 }, (_, depth) => `${" ".repeat(depth)}a:\n`).join(""), "LIMIT 130");
check("yaml", "an alias bomb is refused", `a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, index) => `a${index + 1}: &a${index + 1} [${Array(10).fill(`*a${index}`).join(",")}]\n`).join("")}`, "LIMIT 1");
check("yaml", "a document that is too large is refused", `a: 1\n${"# x\n".repeat(300)}`, "LIMIT 1", { maxBytes: 1000 });
check("yaml", "a list may be larger than any of its items may be", "- a: 1\n".repeat(300), Array.from({ length: 300 }, (_, index) => `${index + 1}: a=number 1`), { maxBytes: 100 });

check("toml", "numbers keep their digits, dates their text", "a = 9223372036854775807\nb = 1.10\nc = 0x1F\nd = 1_000\ne = +5\nf = 1979-05-27T07:32:00.999999Z\ng = inf\nh = true\ni = 1e06\nj = '00123'\n",
  ["1: a=number 9223372036854775807, b=number 1.10, c=number 31, d=number 1000, e=number 5, f=text 1979-05-27T07:32:00.999999Z, g=text inf, h=boolean true, i=number 1e06, j=text 00123"]);
check("toml", "lists of tables are records", "[[r]]\nid = 1\n[[r]]\nid = 2\n[r.sub]\nx.y = 'z'\n", ["1: id=number 1", '3: id=number 2, sub=nested {"x":{"y":"z"}}'], { records: ["r"] });
check("toml", "strings of all four kinds", 'a = "t\\u00e9\\n"\nb = \'c:\\x\'\nc = """\nx\n y\\\n   z"""\nd = \'\'\'\nx\'y\'\'\'\'\'\n', ["1: a=text té\n, b=text c:\\x, c=text x\n yz, d=text x'y''"]);
check("toml", "a table defined twice is refused", "[a]\nb = 1\n[a]\n", "COLUMN 3");
check("toml", "a key defined twice is refused", "a.b = 1\na = {}\n", "COLUMN 2");
check("toml", "an inline table is closed for additions", "a = {b = {c = 1}}\n[a.b]\n", "COLUMN 2");
check("toml", "a leading zero is no number", "a = 01\n", "SYNTAX 1");
check("toml", "a day that is none is refused", "a = 2026-02-30\n", "SYNTAX 1");
check("toml", "a list that is cut is not finished", "a = [1,\n2", "INCOMPLETE 1");
for (const text of ["a", "a ", "a.", "a = ", "[a", "[[a]", 'a = "x', "a = {b", "a = {b = 1,\n", 'a = """x\n', "a\r"]) check("toml", `${JSON.stringify(text)} is not finished`, text, `INCOMPLETE ${text.endsWith("\n") ? 2 : 1}`);
for (const text of ["a", "a ", "a.", "a = ", "[a", "[[a]", 'a = "x', "a = {b", "a = {b ="]) for (const end of ["\n", "\r\n", "\n\n"]) check("toml", `${JSON.stringify(text + end)} is wrong: no line end may stand there`, text + end, "SYNTAX 1");
check("toml", "lists nested deep are refused", `a = ${"[".repeat(50_000)}\n`, "LIMIT 1");
check("toml", "keys nested deep are refused", `${"a.".repeat(50_000)}a = 1\n`, "LIMIT 1");
check("toml", "__proto__ is a column", "__proto__ = 1\n", ["1: __proto__=number 1"]);

const columns = ["id", "odd key", "no"];
/** Texts that some reader takes for something else. */
const texts = ["", "no", "NO", "None", "true", "1e3", "00123", "1.10", "0x1F", "~", "null", "- a", "a: b", "a #b", "#a", "'q'", '"q"', "x\ny", " lead", "trail ", "Zoë 🎈", "\u0085\u2028\uFEFF", "12:30:45", "2026-01-02", "<<", "=", "*a", "&a", "!t", "%d", "@x", "`", "[", "{", "|", ">", "?", ",", "a,b", "\u0001", "\u007F", "\\", "y", ".inf", "e3", "_", "__proto__"];

for (const format of ["yaml", "toml"] as const) {
  const written = (values: readonly string[]): string => {
    const writer = format === "yaml" ? createYamlWriter(columns) : createTomlWriter(columns, "records");
    return writer.start() + values.map((value) => writer.row([{ text: "9007199254740993", json: "raw" }, { text: value, json: "string" }, { text: `[1.10,${JSON.stringify(value)},{"k":true}]`, json: "raw" }])).join("") + writer.end();
  };
  const records = format === "toml" ? ["records"] : [];
  test(`${format}: any text is read back as it was written`, () => {
    const back = (values: readonly string[]): void => {
      const rows = read(format, written(values), { records });
      assert.ok(typeof rows !== "string", rows as string);
      assert.deepEqual(rows.map((row) => row.replace(/^\d+: /, "")), values.map((value) => `id=number 9007199254740993, odd key=text ${value}, no=nested [1.10,${JSON.stringify(value)},{"k":true}]`));
    };
    back(texts);
    fc.assert(fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 4 }), (values) => back(values.map((value) => value.toWellFormed()))), { numRuns: 200 });
  });
}

test("yaml: a reader of YAML 1.1 and one of 1.2 find the same texts", () => {
  const writer = createYamlWriter(["a"]);
  for (const text of texts) {
    const line = writer.row([{ text, json: "string" }]);
    for (const version of ["1.1", "1.2"] as const) assert.deepEqual(parseDocument(line, { version }).toJS(), [{ a: text }], `${line} in ${version}`);
  }
});

test("toml: a number beyond 64 bits is refused, a missing value is left out", () => {
  const writer = createTomlWriter(["a", "b"], "r");
  assert.equal(writer.row([{ text: "", json: "null" }, { text: "x", json: "string" }]), '[[r]]\nb = "x"\n');
  assert.throws(() => writer.row([{ text: "9223372036854775808", json: "raw" }, { text: "x", json: "string" }]), { code: "CAST", column: "a" });
});

test("points in names are levels, in YAML and in TOML, and come back as objects", () => {
  const fields = '{id: id, "order.by.first name": name, order.by.no: no, order.total: total, "a\\\\.b": id, z.y: total}';
  const given = 'id,name,no,total\n1,Ann,"a: b",1.10\n2,,,\n';
  const columns = '{id: int64, name: "string?", no: "string?", total: "decimal(2)?"}';
  const converted = (out: string): string => {
    const outcome = convertText(mappingOf({ in: `{format: csv, columns: ${columns}}`, out, fields }), given);
    assert.ok(outcome.kind === "converted", outcome.kind === "failed" ? outcome.error.message : "");
    return outcome.text;
  };
  const yaml = converted('{format: yaml, file: "/o/{name}"}');
  assert.equal(yaml, '- id: 1\n  order:\n    by:\n      first name: Ann\n      "no": "a: b"\n    total: 1.10\n  a.b: 1\n  z:\n    "y": 1.10\n- id: 2\n  order:\n    by:\n      first name: ""\n      "no": ""\n    total: null\n  a.b: 2\n  z:\n    "y": null\n');
  const toml = converted('{format: toml, file: "/o/{name}"}');
  assert.equal(toml, '[[records]]\nid = 1\norder.by."first name" = "Ann"\norder.by.no = "a: b"\norder.total = 1.10\n"a.b" = 1\nz.y = 1.10\n\n[[records]]\nid = 2\norder.by."first name" = ""\norder.by.no = ""\n"a.b" = 2\n');
  const json = converted('{format: ndjson, file: "/o/{name}"}').trimEnd().split("\n");
  assert.deepEqual(parse(yaml), json.map((line): unknown => JSON.parse(line)));
  assert.equal(parseDocument(yaml, { version: "1.1" }).errors.length, 0);
});

test("documents are mapped as other reports are", () => {
  const yaml = mappingOf({ in: "{format: yaml, records: items, columns: {id: int64}}", out: '{format: toml, records: row, file: "/o/{name}"}', fields: "{id: id, twice: {expr: id * 2, type: int64}, name: name}" });
  assert.deepEqual(convertText(yaml, "items:\n- {id: 4611686018427387903, name: no}\n"), { kind: "converted", text: '[[row]]\nid = 4611686018427387903\ntwice = 9223372036854775806\nname = "no"\n', rows: 1 });
  const toml = mappingOf({ in: "{format: toml, records: row}", out: '{format: yaml, file: "/o/{name}"}', fields: "{id: id, name: name}" });
  assert.deepEqual(convertText(toml, '[[row]]\nid = 1.10\nname = "no"\n'), { kind: "converted", text: '- id: 1.10\n  name: "no"\n', rows: 1 });
});

test("a tree's JSON keeps the order of its keys", () => assert.equal(treeJson(parseToml("b = 1\n2 = 2\n1 = 3\n")), '{"b":1,"2":2,"1":3}'));
