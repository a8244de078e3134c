import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonLayout, jsonLayoutFault } from "../../../sidecars/format-adapter/formats/json-layout.ts";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { compilePattern } from "../../../sidecars/format-adapter/mapping/text-pattern.ts";
import { byEngine, byReference } from "./engine/outcomes.ts";
import { mappingOf, parseConfig } from "./support.ts";

const ndjson = '{format: ndjson, file: "/o/{name}"}';
type Parts = Parameters<typeof mappingOf>[0];
type Case = readonly [name: string, parts: Parts, input: string, expected: string, left?: { readonly refused?: readonly number[]; readonly dropped?: number }];
const cases: readonly Case[] = [
  ["where leaves records out", { in: "{format: csv, columns: {a: int64, s: 'string?'}}", fields: "{a: a}", more: "where: a > 1 && !matches(s, '^test')" }, "a,s\n1,x\n2,test-1\n3,\n", "a\n3\n", { dropped: 2 }],
  ["a condition without a value leaves the record out", { in: "{format: csv, columns: {a: 'int64?'}}", fields: "{a: a}", more: "where: a > 1" }, 'a\n""\n2\n', "a\n2\n", { dropped: 1 }],
  ["skip-row leaves wrong records out", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a}", more: "onError: skip-row" }, "a\n1\nx\n3\n", "a\n1\n3\n", {}],
  ["quarantine-row keeps wrong records", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a, m: {from: m, map: {A: '1'}}}", more: "onError: {quarantine-row: {max: 50%}}" }, "a,m\n1,A\nx,A\n3,B\n4,A\n", "a,m\n1,1\n4,1\n", { refused: [3, 4] }],
  ["more wrong records than allowed refuse the report", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a}", more: "onError: {quarantine-row: {max: 1}}" }, "a\n1\nx\ny\n", "CAST on line 3"],
  ["a larger share of wrong records than allowed refuses the report", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a}", more: "onError: {skip-row: {max: 20%}}" }, "a\n1\nx\n3\n", "CAST on line 3"],
  ["a record that lacks a key is a wrong record", { in: "{format: ndjson}", fields: "{a: a, b: b}", more: "onError: {quarantine-row: {max: 5}}" }, '{"a":1,"b":2}\n{"a":3}\n{"a":5,"b":6}\n', "a,b\n1,2\n5,6\n", { refused: [2] }],
  ["a line that is no JSON is a wrong record", { in: "{format: ndjson, columns: {a: int64}}", fields: "{a: a}", more: "onError: {quarantine-row: {max: 5}}" }, '{"a":1}\n\n{"a":2,"b\n{"a":3}\n  what\r\n{"a":4,"a":5}\n{"z":[1,}\n\r\n{"a":"\\ud800"}\n{"a":6}\n', "a\n1\n3\n6\n", { refused: [3, 5, 6, 7, 9] }],
  ["the first line may be it", { in: "{format: ndjson}", fields: "{a: a}", more: "onError: skip-row" }, '{"b":1 2}\n{"a":1}\n{"a":2}{"a":3}\n', "a\n1\n", {}],
  ["a new key of a line that is left out is no drift, that of another is", { in: "{format: ndjson}", fields: "{a: a}", more: "onError: skip-row" }, '{"a":1}\n{"a":2,"new":1,}\n{"a":3,"new":1}\n', "COLUMN on line 3"],
  ["a last line without an end is not wrong but unfinished", { in: "{format: ndjson}", fields: "{a: a}", more: "onError: skip-row" }, '{"a":1}\n{"a":2', "INCOMPLETE on line 2"],
  ["a fault of the format that has no certain end refuses the report all the same", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a}", more: "onError: skip-row" }, 'a\n1\n"2\n3\n', "INCOMPLETE on line 3"],
  ["values inside of values, by key and place", { in: "{format: ndjson, columns: {'c.name': 'string?', 'items[0].n': int64, 'c.zip': 'string?'}}", fields: "{name: c.name, first: {expr: 'items[0].n * 2', type: int64}, zip: c.zip, none: {from: c.none, default: '-'}}" }, '{"c":{"name":"Ann \\"A\\"","zip":null},"items":[{"n":2},{"n":3}]}\n{"c":{"name":"","zip":"00123"},"items":[{"n":5}]}\n', 'name,first,zip,none\n"Ann ""A""",4,,-\n,10,00123,-\n'],
  ["a type inside of a value is checked", { in: "{format: ndjson, columns: {'c.n': int64}}", fields: "{n: c.n}" }, '{"c":{"n":1}}\n{"c":{"n":"x"}}\n', "CAST on line 2"],
  ["a path that is not there is a missing value", { in: "{format: ndjson}", fields: "{n: c.n}" }, '{"c":7}\n', "COLUMN on line 1"],
  ["a key with a point comes before a path", { in: "{format: ndjson}", fields: "{n: a.b}" }, '{"a.b":1}\n', "n\n1\n"],
  ["a point makes no path of a column of CSV", { in: "{format: csv}", fields: "{n: a.b}" }, "a.b\n1\n", "n\n1\n"],
  ["fields make objects", { in: "{format: csv, columns: {n: int64}}", out: ndjson, fields: "{id: id, customer.name: name, customer.address.city: city, customer.n: n, 'x\\.y': id, z: id}" }, "id,name,city,n\n1,Ann,Bonn,2\n", '{"id":"1","customer":{"name":"Ann","address":{"city":"Bonn"},"n":2},"x.y":"1","z":"1"}\n'],
  ["lists from texts and texts from lists", { in: "{format: ndjson}", out: ndjson, fields: "{a: {from: l, joinList: {sep: ';'}}, b: {from: t, splitList: {sep: ';'}}, c: {from: e, splitList: {sep: ';'}}, d: {from: t, joinList: {sep: '|'}}}" }, '{"l":["x",1.50,true,null,"ü\\n"],"t":"p;q","e":""}\n', '{"a":"x;1.50;true;;ü\\n","b":["p","q"],"c":[],"d":"p;q"}\n'],
  ["a list whose values hold the separator has no flat form", { in: "{format: ndjson}", fields: "{a: {from: l, joinList: {sep: ';'}}}" }, '{"l":["x;y"]}\n', "CAST on line 1"],
  ["parts from the end, and with what follows", { in: "{format: csv}", fields: "{a: {from: n, split: {sep: ' ', index: -1}}, b: {from: n, split: {sep: ' ', index: 1, rest: true}}, j: {join: [n, e], sep: '/', skipEmpty: true}}" }, "n,e\nx y z,\n", "a,b,j\nz,y z,x y z\n"],
  ["numbers keep their notation", { in: "{format: csv, columns: {f: number, g: 'float?'}}", out: ndjson, fields: "{f: f, g: g}" }, "f,g\n1e3,-0.10\n1.50,\n", '{"f":1e3,"g":-0.10}\n{"f":1.50,"g":null}\n'],
  ["what a map keeps stays what it is", { in: "{format: ndjson, columns: {n: 'decimal(2)?'}}", out: ndjson, fields: "{k: {from: k, map: {A: '1', '2.0': two, '': none}, else: keep}, n: {from: n, map: {'1.00': one}, else: keep}}" }, '{"k":1.0,"n":"1.10"}\n{"k":null,"n":null}\n{"k":true,"n":1.00}\n{"k":[1.0, {"a": null}],"n":-0.0}\n{"k":"x"}\n{"k":2.0,"n":""}\n{"k":"1","n":1.1}\n{"k":12345678901234567890}\n', '{"k":1.0,"n":1.10}\n{"k":"none","n":null}\n{"k":true,"n":"one"}\n{"k":[1.0,{"a":null}],"n":-0.0}\n{"k":"x","n":null}\n{"k":"two","n":null}\n{"k":"1","n":1.1}\n{"k":12345678901234567890,"n":null}\n'],
  ["nothing stays nothing in a map that keeps", { in: "{format: ndjson}", out: ndjson, fields: "{k: {from: k, map: {A: '1'}, else: keep}}" }, '{"k":null}\n{"k":""}\n{"k":"A"}\n', '{"k":null}\n{"k":""}\n{"k":"1"}\n'],
  ["a map keeps the types of CSV's columns", { in: "{format: csv, columns: {n: 'int64?', b: bool, d: 'date?', s: 'string?'}}", out: ndjson, fields: "{n: {from: n, map: {'1': one}, else: keep}, b: {from: b, map: {'true': yes}, else: keep}, d: {from: d, map: {'2026-01-02': day}, else: keep}, s: {from: s, map: {x: y}, else: keep}, t: {from: s, map: {x: y}, else: other}}" }, "n,b,d,s\n1,true,2026-01-02,x\n2,false,2026-01-03,00\n,false,,\n", '{"n":"one","b":"yes","d":"day","s":"y","t":"y"}\n{"n":2,"b":false,"d":"2026-01-03","s":"00","t":"other"}\n{"n":null,"b":false,"d":null,"s":"","t":"other"}\n'],
  ["constants are numbers where JSON writes them so", { in: "{format: csv}", out: ndjson, fields: "{n: n, a: {const: 1.50}, b: {const: true}, c: {const: 00123}, d: {const: .5}, e: {const: 0x1F}, f: {const: +1}, g: {const: '1'}, h: {const: .inf}}" }, "n\n1\n", '{"n":"1","a":1.50,"b":true,"c":"00123","d":".5","e":"0x1F","f":"+1","g":"1","h":".inf"}\n'],
  ["a default that is not of its column's type is a text", { in: "{format: csv, columns: {a: 'int64?', b: 'bool?', c: 'int64?'}}", out: ndjson, fields: "{n: n, a: {from: a, default: none}, b: {from: b, default: false}, c: {from: c, default: 007}}" }, "n,a,b,c\nx,,,\n", '{"n":"x","a":"none","b":false,"c":"007"}\n'],
  ["numbers of JSON are no formulas", { in: "{format: ndjson, columns: {t: decimal(2)}}", out: ndjson, fields: "{a: a, b: {join: [a]}, t: t}", more: "formulas: quote" }, '{"a":-5e3,"t":-1.5}\n{"a":"-5e3","t":-1.50}\n', '{"a":-5e3,"b":"\'-5e3","t":-1.5}\n{"a":"\'-5e3","b":"\'-5e3","t":-1.50}\n'],
  ["a number beyond a double is none", { in: "{format: csv, columns: {f: number}}", fields: "{f: f}" }, "f\n1e400\n", "CAST on line 2"],
  ["what a spreadsheet would compute is made text", { in: "{format: csv}", fields: "{a: a, b: {join: [a, b]}}", more: "formulas: quote" }, "a,b\n=cmd(),x\n-5,1\n@x,\n+1+1,\n", "a,b\n'=cmd(),'=cmd()x\n-5,-51\n'@x,'@x\n'+1+1,'+1+1\n"],
  ["a missing value of an expression without ? is an error", { in: "{format: csv, columns: {a: 'int64?', b: int64}}", fields: "{a: {expr: a + b, type: int64}}" }, "a,b\n,1\n", "CAST on line 2"],
  ["a division by zero names the line", { in: "{format: csv, columns: {a: int64}}", fields: "{a: {expr: \"divide(1, a, 2, 'down')\", type: decimal(2)}}" }, "a\n4\n0\n", "CAST on line 3"],
];
for (const [name, parts, input, expected, left] of cases) {
  test(name, () => {
    const mapping = mappingOf(parts);
    const result = byEngine(mapping, input, [7]);
    assert.equal("text" in result ? result.text : `${result.code} on line ${result.line}`, expected);
    if (left !== undefined && "text" in result) assert.deepEqual({ refused: result.refused, dropped: result.dropped }, { refused: left.refused ?? [], dropped: left.dropped ?? 0 });
    assert.deepEqual(result, byReference(mapping, input));
  });
}

for (const [delimiter, hint] of [[";", /set in\.skipLines: 1 and in\.delimiter: ";"/], [",", /set in\.skipLines: 1$/]] as const) {
  test(`a first line that tells Excel the delimiter ${delimiter} is told with the remedy`, () => {
    const outcome = convertText(mappingOf({ in: "{format: csv}", fields: "{a: a}" }), `sep=${delimiter}\r\na${delimiter}b\r\n`);
    assert.match(outcome.kind === "failed" ? outcome.error.message : outcome.text, hint);
  });
}

test("names of any length are told shortened", () => {
  const outcome = convertText(mappingOf({ in: "{format: csv}", fields: "{a: a}" }), `a,${"x".repeat(1_000_000)}\n`);
  assert.ok(outcome.kind === "failed" && outcome.error.message.length < 5_000 && (outcome.error.column ?? "").length < 5_000);
});

for (const [what, parts, reason] of [
  ["two objects of one name", { in: "{format: csv}", out: ndjson, fields: "{a.b: x, c: x, a.d: x}" }, /let its fields follow each other/],
  ["a key that is a value and an object", { in: "{format: csv}", out: ndjson, fields: "{a: x, a.b: x}" }, /belongs to the object/],
  ["a filter that is no condition", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a}", more: "where: a + 1" }, /gives a number/],
  ["a filter over an unknown column", { in: "{format: csv}", fields: "{a: a}", more: "where: b == 1" }, /not a column/],
  ["an unknown policy", { in: "{format: csv}", fields: "{a: a}", more: "onError: skip" }, /skip-row/],
  ["a share beyond all", { in: "{format: csv}", fields: "{a: a}", more: "onError: {skip-row: {max: 101%}}" }, /a share such as/],
  ["computing with a copied number", { in: "{format: csv, columns: {a: number}}", fields: "{a: {expr: a + 1, type: int64}}" }, /only copied/],
  ["a constant of which nobody knows whether it is a text", { in: "{format: csv}", out: ndjson, fields: "{a: {const: True}}" }, /write true, or "True" in quotes/],
  ["an expression that gives a float", { in: "{format: csv, columns: {a: int64}}", fields: "{a: {expr: a + 1, type: number}}" }, /exact numbers/],
] as const) {
  test(`refused: ${what}`, () => assert.throws(() => mappingOf(parts), reason));
}

test("whatever lines are left out, the engine and the reader leave out the same", () => {
  const strict = mappingOf({ in: "{format: ndjson, columns: {a: int64}}", fields: "{a: a, b: {from: b, default: x}}", more: "onError: {quarantine-row: {max: 90%}}" });
  const loose = mappingOf({ in: "{format: ndjson, strict: false}", fields: "{a: a}", more: "onError: {quarantine-row: {max: 1000}}" });
  const piece = fc.constantFrom("{", "}", '"a":', '"c":', "1", '"x"', ",", "\n", "\n", "\r\n", "[", "]", " ", "\r", '"', "\\", "null", '{"a":1}\n', '{"a":2,"b":"y"}\n', '{"a":3,"b":3,"a":4}\n', '{"a":1,"d":2}\n', '{"a":5}', '{"a":{"x":1,"x":2}}\n', '{"x"');
  fc.assert(fc.property(fc.array(piece, { minLength: 1, maxLength: 14 }), fc.constantFrom(strict, loose), fc.constantFrom(1, 4, 1000), (pieces, mapping, size) => {
    assert.deepEqual(byEngine(mapping, pieces.join(""), [size]), byReference(mapping, pieces.join("")));
  }), { numRuns: 300 });
});

test("the layout of any fields is JSON, or refused", () => {
  const key = fc.constantFrom("a", "b", "c", "a\\.b", "é");
  fc.assert(fc.property(fc.array(fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => keys.join(".")), { minLength: 1, maxLength: 6 }), (columns) => {
    const { before, tail } = jsonLayout(columns);
    const text = `{${before.map((part, index) => `${part}${index}`).join("")}${tail}}`;
    const leaves: number[] = [];
    const whole: unknown = JSON.parse(text, (_, value: unknown) => {
      if (typeof value === "number") leaves.push(value);
      return value;
    });
    // Only where no key comes twice do all values arrive.
    assert.equal(jsonLayoutFault(columns) === undefined, leaves.length === columns.length && JSON.stringify(whole).length === text.length, text);
  }), { numRuns: 3_000 });
});

test("patterns match what JavaScript's regular expressions match", () => {
  const piece = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "(a|b)", "(?:ab|a)", "^", "$", "é", "[a-c1]", "\\.", "|");
  const repeat = fc.constantFrom("", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,}");
  const source = fc.array(fc.tuple(piece, repeat).map(([part, times]) => (/^[\^$|]$/.test(part) ? part : part + times)), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "1", "é", "😀", "\n", "."), maxLength: 12 });
  fc.assert(fc.property(source, fc.array(text, { maxLength: 6 }), (pattern, texts) => {
    const compiled = compilePattern(pattern);
    assert.ok(compiled.kind === "ok", pattern);
    const expected = new RegExp(pattern, "u");
    for (const each of texts) assert.equal(compiled.matches(each), expected.test(each), `${pattern} on ${JSON.stringify(each)}`);
  }), { numRuns: 4_000 });
});

for (const [pattern, reason] of [["(a", /not closed/], ["a)", /closes no group/], ["*a", /nothing before it/], ["a**", /repeats a repetition/], ["a+?", /no lazy/], ["(?=a)", /\(\?: alone/], ["\\1", /not known/], ["[b-a]", /higher to the lower/], ["a{3,2}", /lower number/], ["a{5000}", /up to 200/], ["((a{200}){200}){200}", /more than/], ["\\", /escapes nothing/]] as const) {
  test(`the pattern ${pattern} is refused`, () => {
    const compiled = compilePattern(pattern);
    assert.match(compiled.kind === "wrong" ? compiled.reason : "", reason);
  });
}

test("a pattern takes time linear in the text, whatever it is", () => {
  for (const pattern of ["^(a+)+$", "^(a|a)*$", "(a*)*b", "^(.*a){20}$"]) {
    const compiled = compilePattern(pattern);
    assert.ok(compiled.kind === "ok");
    const started = performance.now();
    compiled.matches(`${"a".repeat(200_000)}!`);
    assert.ok(performance.now() - started < 5_000, pattern);
  }
});

test("an expression nested or repeated without end is refused at once", () => {
  const outcome = parseConfig(`watch: {dir: /in}\nmappings:\n  m:\n    in: {format: csv, columns: {a: int64}}\n    out: {format: csv, file: "/o/{name}"}\n    fields: {a: {expr: "${"a ? a : ".repeat(100)}a", type: int64}}`);
  assert.match("problems" in outcome ? outcome.problems.join() : "", /nested deeper than 50/);
});
