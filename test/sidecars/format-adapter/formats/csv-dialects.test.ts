import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { reverseMapping } from "../../../../sidecars/format-adapter/commands/reverse-mapping.ts";
import { startConversion } from "../../../../sidecars/format-adapter/convert.ts";
import { isEngineInput, isEngineOutput } from "../../../../sidecars/format-adapter/formats/options.ts";
import { madeOf, recordsOf } from "../csv-outcomes.ts";
import { byEngine, byReference } from "../engine/outcomes.ts";
import { mappingOf, parseAdapter, parseConfig } from "../support.ts";

/** `in` and `out` without the format; fields a and b are copied. */
type Case = readonly [name: string, dialect: { readonly in?: string; readonly out?: string; readonly fields?: string; readonly more?: string }, input: string, expected: string];

const csv = (settings: string | undefined, more = ""): string => `{format: csv${more}${settings === undefined ? "" : `, ${settings}`}}`;
const mapped = (dialect: Case[1]): ReturnType<typeof mappingOf> => mappingOf({ in: csv(dialect.in), out: csv(dialect.out, ', file: "/o/{name}"'), fields: dialect.fields ?? "{a: a, b: b}", ...(dialect.more === undefined ? {} : { more: dialect.more }) });

const reading: readonly Case[] = [
  ["no header, names given", { in: "header: false, names: [a, b]" }, "1,2\n", "a,b\n1,2\n"],
  ["no header, names of the declared columns", { in: 'header: false, columns: {a: int64, b: "string?"}' }, '\uFEFF1,"x\ny"\n', 'a,b\n1,"x\ny"\n'],
  ["no header, ragged", { in: "header: false, names: [a, b]" }, "1,2\n3\n", "COLUMN line 2"],
  ["no header and no records", { in: "header: false, names: [a, b]" }, "", "a,b\n"],
  ["another quote", { in: 'quoteCharacter: "\'"' }, "a,b\n'x''y',\"z\"\n", 'a,b\nx\'y,"""z"""\n'],
  ["a quote within an unquoted field, another quote", { in: 'quoteCharacter: "\'"' }, "a,b\nx'y,z\n", "SYNTAX line 2"],
  ["no quotes at all", { in: 'quote: none, delimiter: "|"' }, 'a|b\n"x|5" pipe\n', 'a,b\n"""x","5"" pipe"\n'],
  ["backslashes before quotes, themselves, delimiters and line ends", { in: "escape: backslash" }, 'a,b\n"x\\"y\\\\","p\\,q\\\nr"\n', 'a,b\n"x""y\\","p,q\nr"\n'],
  ["a backslash in a field without quotes is a character", { in: "escape: backslash" }, "a,b\nC:\\temp,x\\\n", "a,b\nC:\\temp,x\\\n"],
  ["a backslash before a letter", { in: "escape: backslash" }, 'a,b\n1,2\n"x\\ny",z\n', "SYNTAX line 3"],
  ["a doubled quote where backslashes escape", { in: "escape: backslash" }, 'a,b\n"x""y",z\n', "SYNTAX line 2"],
  ["a backslash at the end of an open quote", { in: "escape: backslash" }, 'a,b\n"x\\', "INCOMPLETE line 2"],
  ["comments, also before the header and with quotes in them", { in: 'comment: "#"' }, '# made by "x\n#\na,b\n1,2\n# more\r\n"#3",4\r\n', "a,b\n1,2\n#3,4\n"],
  ["a comment of two characters", { in: 'comment: "//"' }, "//x\na,b\n/1,2\n", "a,b\n/1,2\n"],
  ["a fault's line counts comments", { in: 'comment: "#"' }, "#\na,b\n#\n1\n", "COLUMN line 4"],
  ["a comment without its end at the end", { in: 'comment: "#"' }, "a,b\n1,2\n#x", "INCOMPLETE line 3"],
  ["lines passed over", { in: "skipLines: 2" }, 'Report "x\r\n\r\na,b\r\n1,2\r\n', "a,b\n1,2\n"],
  ["fewer lines than are passed over", { in: "skipLines: 3" }, "x\ny\n", "INCOMPLETE line 3"],
  ["a delimiter that takes two bytes", { in: 'delimiter: "§"' }, "a§b\n1§x§\n", "COLUMN line 2"],
  ["a delimiter that takes two bytes, one of which others have too", { in: 'delimiter: "§"' }, 'a§b\n"1§"§ß§\n', "COLUMN line 2"],
  ["a delimiter that takes three bytes", { in: 'delimiter: "€"' }, 'a€b\n"1€"€ß\n', "a,b\n1€,ß\n"],
  ["a trailer with the right count", { in: "trailer: {marker: T, count: 2}" }, "a,b\n1,2\n3,4\nT,0002\n", "a,b\n1,2\n3,4\n"],
  ["a trailer with a wrong count", { in: "trailer: {marker: T, count: 2}" }, "a,b\n1,2\nT,2\n", "SYNTAX line 3"],
  ["a trailer with no count", { in: "trailer: {marker: T, count: 3}" }, "a,b\n1,2\nT,1\n", "SYNTAX line 3"],
  ["a trailer that says no number", { in: "trailer: {marker: T, count: 2}" }, "a,b\n1,2\nT,one\n", "SYNTAX line 3"],
  ["a trailer that is a marker alone", { in: "trailer: {marker: EOF}" }, "a,b\n1,2\nEOF\n", "a,b\n1,2\n"],
  ["no trailer yet", { in: "trailer: {marker: EOF}" }, "a,b\n1,2\n", "INCOMPLETE line 3"],
  ["a trailer without its line end: perhaps not all of it", { in: "trailer: {marker: EOF}" }, "a,b\n1,2\nEOF", "INCOMPLETE line 3"],
  ["a trailer without its line end whose count holds", { in: "trailer: {marker: T, count: 2}" }, "a,b\n1,2\nT,1", "a,b\n1,2\n"],
  ["a trailer without its line end whose count does not hold yet", { in: "trailer: {marker: T, count: 2}" }, "a,b\n1,2\nT,", "INCOMPLETE line 3"],
  ["a record behind the trailer", { in: "trailer: {marker: T, count: 2}" }, "a,b\n1,2\nT,1\n3,4\n", "SYNTAX line 4"],
  ["the records of a trailer are those of the report, not those that are adapted", { in: "trailer: {marker: T, count: 2}, columns: {a: int64}", more: "where: a > 1\nonError: skip-row" }, "a,b\n1,2\n2,2\nx,2\n2\nT,4\n", "a,b\n2,2\n"],
  ["all at once", { in: 'header: false, names: [a, b], skipLines: 1, comment: "#", delimiter: ";", quoteCharacter: "\'", escape: backslash, trailer: {marker: T, count: 2}' }, "H\n#\n'x\\'y';2\n#\nT;1\n", "a,b\nx'y,2\n"],
];

const writing: readonly Case[] = [
  ["no header", { out: "header: false, bom: true, eol: crlf" }, "a,b\n1,2\n", "\uFEFF1,2\r\n"],
  ["all quoted", { out: "quote: all" }, "a,b\n1,\n", '"a","b"\n"1",""\n'],
  ["all quoted but numbers of a numeric type", { in: 'columns: {a: "decimal(2)?", b: bool}', out: "quote: nonnumeric", fields: '{a: a, b: b, c: {const: "1"}, d: {const: 1}}' }, "a,b\n-1.50,true\n,false\n", '"a","b","c","d"\n-1.50,"true","1",1\n"","false","1",1\n'],
  ["nothing quoted", { out: 'quote: none, delimiter: "|"' }, "a,b\n\"1,2\",\n", "a|b\n1,2|\n"],
  ["a delimiter where nothing may be quoted", { out: 'quote: none, delimiter: "|"' }, "a,b\n1,2\n1,x|y\n", "CAST line 3 column b"],
  ["a quote where nothing may be quoted", { out: "quote: none" }, 'a,b\n"x""y",2\n', "CAST line 2 column a"],
  ["a line end where nothing may be quoted", { out: "quote: none" }, 'a,b\n1,2\n"x\ny",2\n', "CAST line 3 column a"],
  ["a lonely empty value where nothing may be quoted", { out: "quote: none", fields: "{a: a}", in: "strict: false" }, "a,b\n,2\n", "CAST line 2 column a"],
  ["a value that would need quotes is left out when onError says so", { out: "quote: none", more: "onError: skip-row" }, 'a,b\n"x,y",2\n3,4\n', "a,b\n3,4\n"],
  ["another quote", { out: 'quoteCharacter: "\'"' }, 'a,b\n"x\'y","""z"""\n', "a,b\n'x''y',\"z\"\n"],
  ["backslashes", { out: "escape: backslash" }, 'a,b\n"x""y",p\\q\n', 'a,b\n"x\\"y","p\\\\q"\n'],
  ["a trailer with the count", { out: "trailer: {marker: T, count: 3}" }, "a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4\nT,,2\n"],
  ["a trailer that is a marker alone, quoted like all", { out: "trailer: {marker: EOF}, quote: all" }, "a,b\n", '"a","b"\n"EOF"\n'],
  ["a value that would be taken for the trailer", { out: "trailer: {marker: T}" }, "a,b\n1,T\nT,1\n", "CAST line 3 column a"],
  ["a delimiter that takes two bytes", { out: 'delimiter: "§"' }, "a,b\nx§,ß\n", 'a§b\n"x§"§ß\n'],
  ...["\\", "]", "^", "-", "|", "/", " ", "."].map((delimiter): Case => [`the delimiter ${delimiter}`, { out: `delimiter: '${delimiter}'` }, `a,b\nx${delimiter}y,z\n`, `a${delimiter}b\n"x${delimiter}y"${delimiter}z\n`]),
];

for (const [name, dialect, input, expected] of [...reading, ...writing]) {
  test(`CSV: ${name}`, () => {
    const mapping = mapped(dialect);
    for (const size of [1, 2, 3, 1_000]) assert.equal(madeOf(mapping, Buffer.from(input), size), expected, `in pieces of ${size}`);
    const byLine = input.replaceAll(/\r?\n/g, "\r\n");
    // CRLF in place of LF changes nothing but line ends that are data.
    if (!/"[^"]*\n/.test(input) && !input.includes("\\\n")) assert.equal(madeOf(mapping, Buffer.from(byLine), 1), expected);
  });
}

test("CSV: common dialects are read and written by the engine, others record by record", () => {
  const engine = (dialect: Case[1]): readonly [boolean, boolean] => {
    const { input, output } = mapped(dialect);
    return [isEngineInput(input), isEngineOutput(output)];
  };
  for (const dialect of [{}, { in: "header: false, names: [a, b]", out: "header: false" }, { in: 'quoteCharacter: "\'"', out: "quote: all" }, { in: 'quote: none, delimiter: "|"', out: 'delimiter: "|"' }]) assert.deepEqual(engine(dialect), [true, true]);
  for (const dialect of [{ in: "escape: backslash", out: "escape: backslash" }, { in: 'comment: "#"', out: "quote: none" }, { in: "skipLines: 1", out: "quote: nonnumeric" }, { in: "trailer: {marker: T}", out: "trailer: {marker: T}" }, { in: 'delimiter: "§"', out: 'delimiter: "§"' }]) assert.deepEqual(engine(dialect), [false, false]);
});

const faulty: readonly (readonly [name: string, input: string, made: string, refused: readonly string[]])[] = [
  ["too few and too many fields", "a,b\n1,2\n3\n4,5,6\n7,8\n", "a,b\n1,2\n7,8\n", ["COLUMN line 3", "COLUMN line 4"]],
  ["too few fields over several lines", 'a,b\n"1\n2"\n7,8\n', "a,b\n7,8\n", ["COLUMN line 2"]],
  ["an empty line", "a,b\n\n7,8\n\r\n9,0\r\n", "a,b\n7,8\n9,0\n", ["COLUMN line 2", "COLUMN line 4"]],
  ["text behind a quote", 'a,b\n"1"x,2\n7,8\n', "a,b\n7,8\n", ["SYNTAX line 2"]],
  ["a space between a quote and the delimiter, and a quoted field behind it", 'a,b\n"1" ,"2,3"\n7,8\n', "a,b\n7,8\n", ["SYNTAX line 2"]],
  ["a quote inside a field", 'a,b\n5" pipe,2\n7,8\n', "a,b\n7,8\n", ["SYNTAX line 2"]],
  ["the first and the last record", 'a,b\n1\n7,8\n1,2,3\n', "a,b\n7,8\n", ["COLUMN line 2", "COLUMN line 4"]],
  ["wrong quotes and a wrong number of fields: nobody knows the end", 'a,b\n"1"x\n2"\n', "SYNTAX line 2", []],
  ["a wrong quote and a quoted field that spans lines: nobody knows the end", 'a,b\n"1"x,"2\n3"\n', "SYNTAX line 2", []],
  ["an open quote", 'a,b\n1,2\n3,"4\n5,6\n', "INCOMPLETE line 3", []],
  ["an open quote that swallows a record", 'a,b\n"1,2\n3,4\n"5",6\n7,8\n', "SYNTAX line 2", []],
  ["a header that is wrong", 'a,b"\n1,2\n', "SYNTAX line 1", []],
  ["no end of a wrong last line", "a,b\n1,2\n3", "INCOMPLETE line 3", []],
  ["invalid UTF-8 within a wrong record", "a,b\n1,2,\xff\n", "ENCODING line 2", []],
];
for (const [name, input, made, refused] of faulty) {
  for (const [path, dialect] of [["engine", {}], ["reader", { in: "skipLines: 1" }]] as const) {
    test(`CSV: records whose end is certain are left out, ${path}: ${name}`, () => {
      const mapping = mapped({ ...dialect, more: "onError: quarantine-row" });
      const isSkipped = path === "reader";
      const bytes = Buffer.from(isSkipped ? `x\n${input}` : input, name.includes("UTF-8") ? "latin1" : "utf8");
      const moved = (text: string): string => text.replace(/line (\d+)/, (_, line: string) => `line ${Number(line) + (isSkipped ? 1 : 0)}`);
      for (const size of [1, 5, 1_000]) assert.deepEqual(recordsOf(mapping, bytes, size), { made: /^[A-Z]+ line/.test(made) ? moved(made) : made, refused: refused.map((each) => moved(each)) }, `in pieces of ${size}`);
    });
  }
}

test("CSV: what is kept of a wrong record is all of it as it stood there, and its values as far as there are any", () => {
  for (const dialect of [{}, { in: "skipLines: 0, comment: '#'" }]) {
    const conversion = startConversion(mapped({ ...dialect, more: "onError: quarantine-row" }));
    const length = conversion.room().write('a,b\r\n1,2\r\n"3\r\n"\r\n"x"y,ü\r\n');
    for (const _ of conversion.take(length)) continue;
    for (const _ of conversion.end({ takeUnfinished: false })) continue;
    assert.deepEqual(conversion.refusals.rows.map(({ line, code, record, raw }) => ({ line, code, record, raw })), [
      { line: 3, code: "COLUMN", record: { a: "3\r\n" }, raw: '"3\r\n"' },
      { line: 5, code: "SYNTAX", record: { a: '"x"y', b: "ü" }, raw: '"x"y,ü' },
    ]);
  }
});

test("CSV: more wrong records than allowed refuse the report with the first of them", () => {
  assert.equal(madeOf(mapped({ more: "onError: {skip-row: {max: 1}}" }), Buffer.from("a,b\n1\n2,3\n4\n"), 4), "COLUMN line 2");
  assert.equal(madeOf(mapped({ more: "onError: {skip-row: {max: 50%}}" }), Buffer.from("a,b\n1\n2,3\n4\n"), 4), "COLUMN line 2");
  assert.equal(madeOf(mapped({ more: "onError: {skip-row: {max: 70%}}" }), Buffer.from("a,b\n1\n2,3\n4\n"), 4), "a,b\n2,3\n");
});

test("CSV: a block full of wrong records is passed over in time linear in its length", () => {
  const mapping = mapped({ more: "onError: {skip-row: {max: 100%}}" });
  const records = 40_000;
  const { made } = recordsOf(mapping, Buffer.from(`a,b\n${'x"y,2,3\n1\n'.replace(",3", "").repeat(records)}1,2\n`), 1_000_000);
  assert.equal(made, "a,b\n1,2\n");
});

test("CSV: in any dialect of its own, the engine leaves out and refuses what the reference does, on any text", () => {
  const dialects = ["", "header: false, names: [a, b]", 'quoteCharacter: "\'"', 'quote: none, delimiter: ";"', 'delimiter: ";", header: false, names: [a, b], quoteCharacter: "\'"'];
  const mappings = dialects.flatMap((dialect) => ["fail-file", "{quarantine-row: {max: 3}}"].map((onError) => mapped({ in: `strict: false${dialect === "" ? "" : `, ${dialect}`}`, fields: "{a: {from: a, default: none}}", more: `onError: ${onError}` })));
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", '"', "'", ",", ";", "\n", "\r", "é"), maxLength: 28 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }), fc.nat(mappings.length - 1), (body, pieces, which) => {
      const mapping = mappings[which];
      assert.ok(mapping?.input.format === "csv");
      const text = mapping.input.names === undefined ? `a${mapping.input.delimiter}b\n${body}` : body;
      assert.deepEqual(byEngine(mapping, text, pieces), byReference(mapping, text));
    }),
    { numRuns: 2_000 },
  );
});

const refusedSettings: readonly (readonly [what: string, parts: { readonly in?: string; readonly out?: string; readonly more?: string }, reason: RegExp])[] = [
  ["no header and no names", { in: "header: false" }, /needs the names of the columns/],
  ["names beside a header", { in: "names: [a, b]" }, /add "header: false"/],
  ["a name twice", { in: "header: false, names: [a, b, a]" }, /names the column "a" twice/],
  ["a declared column that is not there", { in: "header: false, names: [a, b], columns: {c: int64}" }, /does not have the column "c"/],
  ["a quote that is the delimiter", { in: 'delimiter: ";", quoteCharacter: ";"' }, /no quote and no line end/],
  ["an escape where nothing is quoted", { in: "quote: none, escape: backslash" }, /has no meaning/],
  ["a backslash as escape and delimiter", { in: 'escape: backslash, delimiter: "\\\\"' }, /at once/],
  ["a comment that begins with the quote", { in: "comment: '\"'" }, /no quote/],
  ["a trailer without a marker", { in: "trailer: {count: 2}" }, /needs "marker"/],
  ["a trailer whose marker is its count", { in: "trailer: {marker: T, count: 1}" }, /from 2 to/],
  ["an endless number of lines to pass over", { in: "skipLines: -1" }, /from 0 to/],
  ["a name that would need quotes", { out: 'quote: none, delimiter: "a"' }, /would need quotes/],
  ["a marker that would need quotes", { out: 'quote: none, delimiter: "|", trailer: {marker: "x|y"}' }, /would need quotes/],
  ["a header that would be taken for the trailer", { out: "trailer: {marker: a}" }, /read as the trailer/],
];
for (const [what, dialect, reason] of refusedSettings) test(`CSV: refused in a configuration: ${what}`, () => assert.throws(() => mapped(dialect), reason));

const markFields = '{"\\uFEFFa": a, b: b}';
for (const [what, dialect, report, expected] of [
  ["a header", { fields: markFields }, "a,b\n1,2\n", '"\uFEFFa",b\n1,2\n'],
  ["a header behind a BOM", { fields: markFields, out: "bom: true" }, "a,b\n1,2\n", "\uFEFF\uFEFFa,b\n1,2\n"],
  ["a header that is quoted anyway", { fields: markFields, out: "quote: all" }, "a,b\n1,2\n", '"\uFEFFa","b"\n"1","2"\n'],
  ["a value behind a header", {}, "a,b\n\uFEFF1,2\n", "a,b\n\uFEFF1,2\n"],
  ["the first value, but no other", { out: "header: false" }, "a,b\n\uFEFF1,\uFEFF2\n\uFEFF3,4\n", '"\uFEFF1",\uFEFF2\n\uFEFF3,4\n'],
  ["the first value, which is all there is", { out: "header: false, eol: crlf", fields: "{a: a}", in: "columns: {a: string, b: string}" }, "a,b\n\uFEFF1,2\n", '"\uFEFF1"\r\n'],
  ["a constant", { out: "header: false", fields: '{a: {const: "\\uFEFFx"}, b: b}', in: "columns: {a: string, b: string}, strict: false" }, "a,b\n1,2\n3,4\n", '"\uFEFFx",2\n\uFEFFx,4\n'],
  ["a value in quotes", { out: "header: false" }, 'a,b\n"\uFEFF,1",2\n', '"\uFEFF,1",2\n'],
  ["a value behind a BOM", { out: "header: false, bom: true" }, "a,b\n\uFEFF1,2\n", "\uFEFF\uFEFF1,2\n"],
  ["a value where nothing may be quoted", { out: "header: false, quote: none" }, "a,b\n\uFEFF1,2\n", "CAST line 2 column a"],
] as const) test(`CSV: a report that would begin with U+FEFF begins with a quote, so that it is not taken for a BOM: ${what}`, () => {
  const mapping = mapped(dialect);
  for (const size of [1_000_000, 1, 3]) assert.equal(madeOf(mapping, Buffer.from(report), size), expected, `in pieces of ${size}`);
  if (isEngineOutput(mapping.output)) assert.deepEqual(byReference(mapping, report), { text: expected, refused: [], dropped: 0 });
});

test("CSV: a formula is kept, made text or a wrong value, as the mapping says", () => {
  const made = (more: string): string => madeOf(mapped({ more }), Buffer.from("a,b\n-1,@x\n=cmd,2\n"), 3);
  assert.equal(made(""), "a,b\n-1,@x\n=cmd,2\n");
  assert.equal(made("formulas: quote"), "a,b\n-1,'@x\n'=cmd,2\n");
  assert.equal(made("formulas: refuse"), "CAST line 2 column b");
  assert.equal(made("formulas: refuse\nonError: skip-row"), "a,b\n");
  assert.throws(() => mapped({ fields: '{a: {const: "=1+1"}, b: b}', more: "formulas: refuse" }), /which "formulas: refuse" refuses/);
});

for (const [what, dialect, report] of [
  ["a delimiter", { in: 'delimiter: ";"', out: 'delimiter: "|"' }, "a;b\nx|y;2\n"],
  ["no header on either side", { in: "header: false, names: [b, a]", out: "header: false" }, "1,2\n"],
  ["quotes and escapes", { in: "quoteCharacter: \"'\", escape: backslash", out: "escape: backslash" }, "a,b\n'x\\\\',\"\n"],
  ["trailers", { in: "trailer: {marker: T, count: 2}", out: "header: false, trailer: {marker: E}" }, "a,b\n1,2\nT,1\n"],
] as const) {
  test(`CSV: a mapping and its reverse give the report again: ${what}`, () => {
    const mapping = mapped(dialect);
    const reverse = reverseMapping(mapping);
    assert.ok(reverse.kind === "reversible", JSON.stringify(reverse));
    const [back] = parseAdapter(`watch: {dir: /in}\nmappings:\n  back:\n${reverse.yaml.replaceAll(/^/gm, "    ")}`).mappings;
    assert.ok(back);
    const there = madeOf(mapping, Buffer.from(report), 1_000);
    assert.doesNotMatch(there, /^[A-Z]+ line/);
    assert.equal(madeOf(back, Buffer.from(there), 1_000), report);
  });
}

test("CSV: lines that are no records do not come back", () => {
  for (const dialect of [{ in: 'comment: "#"' }, { in: "skipLines: 1" }]) assert.equal(reverseMapping(mapped(dialect)).kind, "lossy");
});

test("CSV: a dialect whose lines mean nothing without their neighbours cannot be adapted while it grows", () => {
  const problems = (dialect: string): string => {
    const outcome = parseConfig(`watch: {dir: /in, ready: [append]}\nmappings:\n  m:\n    in: {format: csv, ${dialect}}\n    out: {format: csv, file: "/o/{name}.{segment}.csv"}\n    fields: {a: a}`);
    return "problems" in outcome ? outcome.problems.join("\n") : "";
  };
  assert.equal(problems('delimiter: ";"'), "");
  for (const dialect of ["header: false, names: [a]", "escape: backslash", 'comment: "#"', "skipLines: 1", "trailer: {marker: T}"]) assert.match(problems(dialect), /cannot be adapted while it grows/, dialect);
});
