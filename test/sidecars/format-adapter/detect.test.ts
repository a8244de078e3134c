import assert from "node:assert/strict";
import { test } from "node:test";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { chooseMapping, detectMapping } from "../../../sidecars/format-adapter/detect.ts";
import { parseAdapter, parseConfig } from "./support.ts";

const configuration = (rules: string): string => `watch: {dir: /in}
detect:
${rules.split("\n").map((rule) => `  - ${rule}\n`).join("")}mappings:
  v3: {in: {format: csv}, out: {format: csv, file: "/o3/{name}"}, fields: {a: a}}
  v2: {in: {format: csv}, out: {format: csv, file: "/o2/{name}"}, fields: {a: a}}
  j: {in: {format: ndjson}, out: {format: csv, file: "/oj/{name}"}, fields: {a: a}}
`;

function chosen(rules: string, text: string, name = "r.csv"): string {
  try {
    const choice = chooseMapping(parseAdapter(configuration(rules)), name, Buffer.from(text), false);
    if (choice.kind === "chosen") return choice.mapping.name;
    return `undecided, then ${choice.atEnd instanceof ConversionError ? choice.atEnd.code : choice.atEnd.name}`;
  } catch (error) {
    return error instanceof ConversionError ? `${error.code}: ${error.message}` : assert.fail(String(error));
  }
}

const byHeader = "{when: {header: [id, discount]}, use: v3}\n{when: {header: [id]}, use: v2}";
const byValue = "{when: {value: {column: version, is: '3'}}, use: v3}\n{when: {value: {column: version, is: ['1', '2']}}, use: v2}";
const byName = "{when: {name: '*-v3.csv'}, use: v3}\n{when: {name: '*.csv', header: [id]}, use: v2}";
const byPath = "{when: {value: {column: meta.version, is: '2'}}, use: j}";
const mixed = `${byPath}\n${byHeader}`;
for (const [what, rules, text, expected, name] of [
  ["by columns, the first rule that fits", byHeader, "id,discount,x\n", "v3"],
  ["by columns, another rule", byHeader, "id,x\n", "v2"],
  ["by columns, before the header is there", byHeader, "id,dis", "undecided, then INCOMPLETE"],
  ["unknown columns", byHeader, "number\n", "VERSION: no rule of detect fits a report with the columns number"],
  ["by the value of a column", byValue, "id,version\n1,3\n2,2\n", "v3"],
  ["by one of several values", byValue, "id,version\n1,2\n", "v2"],
  ["an unknown version", byValue, "id,version\n1,4\n", 'VERSION: no rule of detect fits a report with version "4"'],
  ["a record without a version", byValue, "id,version\n1,\n", "VERSION: no rule of detect fits a report with no value in version"],
  ["by value, before the record is there", byValue, "id,version\n1,", "undecided, then INCOMPLETE"],
  ["by value, in a report without records", byValue, "id,version\n", "undecided, then VERSION"],
  ["by name", byName, "anything", "v3", "a-v3.csv"],
  ["by name and columns", byName, "id\n", "v2", "a-v2.csv"],
  ["an unknown name", byName, "id\n", "VERSION: no rule of detect fits a report of the name a.txt", "a.txt"],
  ["by a value inside of a value", byPath, '{"meta":{"version":2},"a":1}\n', "j"],
  ["among formats", mixed, '{"meta":{"version":2},"a":1}\n', "j"],
  ["among formats, the other one", mixed, "id\n1\n", "v2"],
  ["a format that no rule has", byPath, "id,b\n1,2\n", "VERSION: no rule of detect fits a report in none of their formats: not JSON: a record must be a JSON object"],
] as const) {
  test(`detected: ${what}`, () => assert.equal(chosen(rules, text, name), expected));
}

test("a report is read until its version is known, and no further", async () => {
  const text = `id,version,note\n1,3,${"x".repeat(300_000)}\n${"2,3,y\n".repeat(100_000)}`;
  const bytes = Buffer.from(text);
  let at = 0;
  const source = {
    read(room: Buffer): Promise<number> {
      const count = bytes.copy(room, 0, at);
      at += count;
      return Promise.resolve(count);
    },
  };
  const found = await detectMapping(parseAdapter(configuration(byValue)), "r.csv", source);
  assert.equal(found.mapping.name, "v3");
  assert.ok(found.bytes.equals(bytes.subarray(0, at)) && at >= 300_000 && at < 700_000, `${at} bytes`);
});

for (const [input, text] of [["format: xml, records: /r/i", "<q/>"], ["format: json, records: x", "{}"]] as const) {
  test(`a whole report whose records are missing is not waited for: ${input}`, () => {
    const adapter = parseAdapter(`watch: {dir: /in}\ndetect: [{when: {header: [id]}, use: c}, {when: {header: [id]}, use: x}]\nmappings:\n  c: {in: {format: csv}, out: {format: csv, file: "/c/{name}"}, fields: {id: id}}\n  x: {in: {${input}}, out: {format: csv, file: "/o/{name}"}, fields: {id: id}}\n`);
    const choice = chooseMapping(adapter, "r", Buffer.from(text), true);
    assert.ok(choice.kind === "undecided" && choice.atEnd instanceof ConversionError);
    assert.equal(choice.atEnd.code, "VERSION");
  });
}

test("a report that never tells its version is refused before it fills the memory", async () => {
  const start = Buffer.from("<report>");
  const element = Buffer.from(`<note>${"x".repeat(65_536)}</note>`);
  let taken = 0;
  const source = {
    read(room: Buffer): Promise<number> {
      const count = (taken === 0 ? start : element).copy(room);
      taken += count;
      return Promise.resolve(count);
    },
  };
  const adapter = parseAdapter('watch: {dir: /in}\ndetect: [{when: {header: [id]}, use: x}]\nmappings:\n  x: {in: {format: xml, records: /report/item}, out: {format: csv, file: "/o/{name}"}, fields: {id: id}}\n');
  await assert.rejects(detectMapping(adapter, "r.xml", source), (error: unknown) => error instanceof ConversionError && error.code === "LIMIT");
  assert.ok(taken < 18_000_000, `${taken} bytes`);
});

for (const [rule, reason] of [["{use: v2}", /needs "use: mapping" and "when:"/], ["{when: {}, use: v2}", /needs "use: mapping" and "when:"/], ["{when: {value: {column: v}}, use: v2}", /needs "column" and "is"/], ["{when: {name: 'a/b'}, use: v2}", /a glob on the file's name/], ["{when: {header: [a]}, use: v9}", /expected one of v3, v2, j/]] as const) {
  test(`refused: the rule ${rule}`, () => {
    const outcome = parseConfig(configuration(rule));
    assert.match("problems" in outcome ? outcome.problems.join("\n") : "", reason);
  });
}
