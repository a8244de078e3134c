import assert from "node:assert/strict";
import { test } from "node:test";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { detectMapping } from "../../../sidecars/format-adapter/detect/detect-mapping.ts";
import { chooseMapping } from "../../../sidecars/format-adapter/detect/detection.ts";
import { Pace } from "../../../sidecars/format-adapter/pace.ts";
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

/** A source that gives so many bytes at a time. */
function cut(text: string, pieceBytes: number): { readonly reads: () => number; read(room: Buffer): Promise<number> } {
  const bytes = Buffer.from(text);
  let at = 0;
  let reads = 0;
  return {
    reads: () => reads,
    read(room) {
      reads++;
      const count = bytes.copy(room, 0, at, at + pieceBytes);
      at += count;
      return Promise.resolve(count);
    },
  };
}

for (const [what, noteBytes, expected] of [["that comes soon", 100_000, "j"], ["for which nobody would wait", 400_000, "v3"]] as const) {
  test(`the first rule that holds decides, however the report is cut: a first record ${what}`, async () => {
    const text = `{"note":"${"x".repeat(noteBytes)}","version":"2"}\n`;
    const adapter = parseAdapter(configuration("{when: {value: {column: version, is: '2'}}, use: j}\n{when: {name: 'r*'}, use: v3}"));
    const found = await Promise.all([1_000, 65_536, 1_048_576].map(async (pieceBytes) => (await detectMapping(adapter, "r", cut(text, pieceBytes))).mapping.name));
    assert.deepEqual(found, [expected, expected, expected]);
  });
}

const slow = parseAdapter("watch: {dir: /in}\ndetect: [{when: {value: {column: a, is: x}}, use: x}]\nmappings:\n  x: {in: {format: xml, records: /r/i}, out: {format: csv, file: \"/o/{name}\"}, fields: {a: a}}\n");
const late = `<r>${"<other>1</other>".repeat(100_000)}<i><a>x</a></i></r>`;

test("while a version is looked for in much, others get their turn between its pieces", async () => {
  const source = cut(late, 1_048_576);
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const { mapping } = await detectMapping(slow, "r", source);
  isOver = true;
  assert.equal(mapping.name, "x");
  assert.ok(source.reads() > 10 && turns >= source.reads(), `${turns} turns, ${source.reads()} reads`);
});

test("while a version is looked for in much, the pieces become smaller when they take long", async () => {
  let nowMs = 0;
  const quick = cut(late, 4_194_304);
  await detectMapping(slow, "r", quick, { pace: new Pace(() => nowMs) });
  const held = cut(late, 4_194_304);
  await detectMapping(slow, "r", held, { pace: new Pace(() => (nowMs += 50)) });
  assert.ok(held.reads() > 2 * quick.reads(), `${held.reads()} reads, ${quick.reads()} when they are quick`);
});

test("looking for a version ends when it is asked to", async () => {
  const stop = new AbortController();
  const source = cut(late, 65_536);
  const stopping = { read: async (room: Buffer): Promise<number> => {
    if (source.reads() === 3) stop.abort(new Error("asked to end"));
    return await source.read(room);
  } };
  await assert.rejects(detectMapping(slow, "r", stopping, { signal: stop.signal }), /asked to end/);
  assert.ok(source.reads() < 6, `${source.reads()} reads`);
});

test("a report that never tells its version is refused before it fills the memory", async () => {
  const element = Buffer.from(`<note>${"x".repeat(65_536)}</note>`);
  let rest = Buffer.from("<report>");
  let taken = 0;
  const source = {
    read(room: Buffer): Promise<number> {
      if (rest.length === 0) rest = element;
      const count = rest.copy(room);
      rest = rest.subarray(count);
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
