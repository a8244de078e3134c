import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { add, compare, formatDecimal, isInt64, multiply, parseDecimal, rescale, type Decimal, type Rounding } from "../../../sidecars/format-adapter/mapping/decimal.ts";
import { EvaluationError, valueText } from "../../../sidecars/format-adapter/mapping/expression-node.ts";
import { compileExpression } from "../../../sidecars/format-adapter/mapping/expression.ts";
import { compileDateFormat } from "../../../sidecars/format-adapter/mapping/date-pattern.ts";
import { parseTimestamp } from "../../../sidecars/format-adapter/mapping/timestamp.ts";
import { parseType } from "../../../sidecars/format-adapter/mapping/types.ts";
import { mappingOf } from "./support.ts";

const columns: Readonly<Record<string, string>> = { i: "int64", d: "decimal(2)", s: "string", b: "bool", n: "int64?", "a.b[0]": "string", "odd name": "string" };
const evaluate = (text: string, values: Readonly<Record<string, string>>): string => {
  const compiled = compileExpression(text, (name) => parseType(columns[name] ?? ""));
  if (compiled.kind === "wrong") return `wrong: ${compiled.reason}`;
  try {
    const value = compiled.expression.evaluate({ column: (name) => (name === "b" ? values[name] === "true" : name === "n" && values[name] === undefined ? undefined : ["i", "d", "n"].includes(name) ? (parseDecimal(values[name] ?? "") ?? assert.fail()) : (values[name] ?? "")) });
    return value === undefined ? "no value" : valueText(value);
  } catch (error) {
    if (error instanceof EvaluationError) return `error: ${error.message}`;
    throw error;
  }
};

for (const [text, values, expected] of [
  ["d * i", { d: "10.50", i: "3" }, "31.50"],
  ["d + 0.005", { d: "1.10" }, "1.105"],
  ["0.1 + 0.2 == 0.3", {}, "true"],
  ["i * i", { i: "9223372036854775807" }, "85070591730234615847396907784232501249"],
  ["-i - -1", { i: "5" }, "-4"],
  ["2 + 3 * 4 - (1 - 2)", {}, "15"],
  ["if(i >= 10 && !b, upper(s), concat(s, '-', 'it\\'s'))", { i: "10", b: "false", s: "ab" }, "AB"],
  ["if(i < 10 || b, 'x', lower(trim(s)))", { i: "10", b: "false", s: " AB " }, "ab"],
  ["length(s)", { s: "a😀" }, "2"],
  ["s == 'a'", { s: "a" }, "true"],
  ["b ? i : -i", { b: "false", i: "3" }, "-3"],
  ["i > 1 ? 'many' : i == 1 ? 'one' : 'none'", { i: "1" }, "one"],
  ["s < '2026-02'", { s: "2026-01-31" }, "true"],
  ["'😀' > '\uFFFD'", {}, "true"],
  ["replace(s, '-', '')", { s: "1-2-3" }, "123"],
  ["substring(s, 1, 2)", { s: "a😀bc" }, "😀b"],
  ["substring(s, -2)", { s: "abc" }, "bc"],
  ["padLeft(s, 5, '0')", { s: "42" }, "00042"],
  ["padRight(s, 1, ' ')", { s: "42" }, "42"],
  ["part(s, '@', -1)", { s: "a@b" }, "b"],
  ["contains(s, 'b') && startsWith(s, 'a') && endsWith(s, 'c')", { s: "abc" }, "true"],
  ["matches(s, '^[A-Z]{2}-\\d+$')", { s: "AB-12" }, "true"],
  ["oneOf(s, 'x', 'y')", { s: "y" }, "true"],
  ["oneOf(i, 1, 2.0)", { i: "2" }, "true"],
  ["coalesce(n, i + 1)", { i: "4" }, "5"],
  ["coalesce(s, 'none')", { s: "" }, "none"],
  ["empty(n) && empty(s)", {}, "true"],
  ["n + 1", {}, "no value"],
  ["n > 1 || i > 1", { i: "2" }, "true"],
  ["n > 1 && i > 1", { i: "1" }, "false"],
  ["if(n > 1, 1, 2)", {}, "no value"],
  ["round(d, 1, 'half-even')", { d: "1.25" }, "1.2"],
  ["round(d, 4, 'down')", { d: "1.25" }, "1.2500"],
  ["divide(i, 3, 4, 'half-up')", { i: "-2" }, "-0.6667"],
  ["divide(d, -0.04, 1, 'down')", { d: "1.25" }, "-31.2"],
  ["divide(i, i - i, 2, 'down')", { i: "2" }, "error: 2 is divided by zero"],
  ["min(i, d, 2) + max(i, d)", { i: "3", d: "2.50" }, "5"],
  ["abs(d - 2)", { d: "1.25" }, "0.75"],
  ["decimal(s, 2) * 2", { s: "1.25" }, "2.50"],
  ["decimal(s, 1)", { s: "1.25" }, 'error: "1.25" is not decimal(1)'],
  ["decimal(s, 1)", { s: "" }, "no value"],
  ["text(d) == '1.10'", { d: "1.10" }, "true"],
  ["a.b[0] == `odd name`", { "a.b[0]": "x", "odd name": "x" }, "true"],
] as const) test(`the expression ${text} gives ${expected}`, () => assert.equal(evaluate(text, values), expected));

for (const [text, reason] of [
  ["i +", /a value is missing at the end/], ["x", /"x" is not a column/], ["s + s", /joined by concat/], ["i / 2", /no division/], ["s * 2", /expected a number, got a string/], ["i i", /stands where an operator belongs/],
  ["constructor(s)", /"constructor" is not a function/], ["upper(s", /"\)" is missing/], ["upper(i)", /takes strings/], ["if(i, 1, 2)", /expected a condition/], ["if(b, 1, 'x')", /of one type/], ["b < b", /no order/], ["i ? 1 : 2", /expected a condition/], ["b ? 1", /":" is missing/], ["padLeft(s, 5000, '0')", /up to 1000/], ["padLeft(s, i, '0')", /as a whole number/], ["matches(s, s)", /text in quotes/], ["matches(s, '(a')", /not closed/], ["matches(s, '(?=a)')", /\(\?: alone/], ["divide(i, 2, 2, 'up')", /half-even/], ["coalesce(i, s)", /one type/], ["round(i)", /how/], ["i % 2", /no division/], ["i == s", /cannot compare/], ["i # 1", /means nothing/],
  ["(".repeat(200) + "i" + ")".repeat(200), /nested deeper/], ["i*".repeat(600) + "i", /longer than/],
] as const) test(`the expression ${text.slice(0, 20)} is refused`, () => assert.match(evaluate(text, {}), reason));

test("any text is either an expression or refused, never an exception", () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom("i", "s", "(", ")", "+", "*", "1", ".", "'", ",", " ", "if", "&&", "=="), maxLength: 30 }), (text) => void compileExpression(text, (name) => parseType(columns[name] ?? ""))), { numRuns: 2000 });
});

const unscaledValues = fc.oneof(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.bigInt({ min: -(10n ** 16n), max: 10n ** 16n }), fc.bigInt({ min: -1000n, max: 1000n }), fc.constantFrom(2n ** 53n - 1n, -(2n ** 53n), 94_906_265n, 94_906_267n, 0n));
const decimals = fc.tuple(unscaledValues, fc.nat(6)).map(([unscaled, scale]) => ({ unscaled, scale }));
/** The same number as it comes from a report: small ones as numbers. */
const small = (value: { readonly unscaled: bigint; readonly scale: number }): Decimal => (Number.isSafeInteger(Number(value.unscaled)) ? { ...value, unscaled: Number(value.unscaled) } : value);

test("decimal arithmetic agrees with rational arithmetic, in numbers as in bigints", () => {
  fc.assert(fc.property(decimals, decimals, fc.nat(8), fc.constantFrom<Rounding[]>("none", "half-up", "half-even", "down"), (left, right, scale, rounding) => {
    const common = 10n ** 12n;
    const rational = ({ unscaled, scale: digits }: Decimal): bigint => BigInt(unscaled) * (common / 10n ** BigInt(digits));
    for (const [first, second] of [[left, right], [small(left), small(right)], [small(left), right]] as const) {
      assert.equal(rational(add(first, second)), rational(left) + rational(right));
      const product = multiply(first, second);
      assert.equal(BigInt(product.unscaled) * 10n ** BigInt(24 - product.scale), rational(left) * rational(right));
      assert.equal(compare(first, second), rational(left) < rational(right) ? -1 : rational(left) > rational(right) ? 1 : 0);
      const [scaled, expected] = [rescale(first, scale, rounding), rescale(left, scale, rounding)];
      assert.equal(scaled === undefined ? undefined : formatDecimal(scaled), expected === undefined ? undefined : formatDecimal(expected));
      assert.equal(formatDecimal(first), formatDecimal(left));
    }
    const text = formatDecimal(left);
    assert.equal(formatDecimal(parseDecimal(text) ?? assert.fail(text)), text);
  }), { numRuns: 2000 });
});
for (const [text, scale, rounding, expected] of [["1.005", 2, "half-up", "1.01"], ["-1.005", 2, "half-up", "-1.01"], ["1.005", 2, "half-even", "1.00"], ["1.015", 2, "half-even", "1.02"], ["-1.999", 2, "down", "-1.99"], ["1.10", 1, "none", "1.1"], ["1.11", 1, "none", undefined], ["2", 2, "none", "2.00"], ["-0.004", 2, "half-up", "0.00"]] as const) {
  test(`${text} at ${scale} digits, rounding ${rounding}, is ${expected}`, () => {
    const scaled = rescale(parseDecimal(text) ?? assert.fail(), scale, rounding satisfies Rounding);
    assert.equal(scaled === undefined ? undefined : formatDecimal(scaled), expected);
  });
}
for (const [text, expected] of [["9223372036854775807", true], ["9223372036854775808", false], ["-9223372036854775808", true], ["00123", false], ["-0", false], ["1.0", false], ["", false], ["+1", false]] as const) test(`"${text}" is ${expected ? "" : "not "}an int64`, () => assert.equal(isInt64(text), expected));

for (const [text, pattern, zone, expected] of [
  ["2026-01-02T03:04:05Z", "dd/MM/yyyy HH:mm", "UTC", "02/01/2026 03:04"],
  ["2026-01-02T03:04:05.678+02:00", "yyyyMMdd'T'HHmmss.SSS", "UTC", "20260102T010405.678"],
  ["2026-07-01T12:00:00Z", "yyyy-MM-dd HH:mm:ss", "Europe/Berlin", "2026-07-01 14:00:00"],
  ["2026-03-29T00:59:59Z", "HH:mm:ss 'o''clock'", "Europe/Berlin", "01:59:59 o'clock"],
  ["2026-03-29T01:00:00Z", "HH:mm", "Europe/Berlin", "03:00"],
  ["2026-12-31T23:30:00Z", "yyyy", "Asia/Tokyo", "2027"],
] as const) test(`${text} as ${pattern} in ${zone} is ${expected}`, () => {
  const compiled = compileDateFormat(pattern, zone);
  assert.ok(compiled.kind === "ok");
  assert.equal(compiled.format(parseTimestamp(text) ?? assert.fail()), expected);
});
for (const [text, form, expected] of [
  ["31.12.2025 23:30", { in: "dd.MM.yyyy HH:mm", inZone: "Europe/Berlin", out: "rfc3339" }, "2025-12-31T22:30:00Z"],
  ["29.03.2026 02:30", { in: "dd.MM.yyyy HH:mm", inZone: "Europe/Berlin", out: "rfc3339" }, "CAST"],
  ["29.03.2026 02:30", { in: "dd.MM.yyyy HH:mm", inZone: "Europe/Berlin", gap: "shift", out: "rfc3339" }, "2026-03-29T01:30:00Z"],
  ["25.10.2026 02:30", { in: "dd.MM.yyyy HH:mm", inZone: "Europe/Berlin", out: "rfc3339" }, "2026-10-25T00:30:00Z"],
  ["25.10.2026 02:30", { in: "dd.MM.yyyy HH:mm", inZone: "Europe/Berlin", overlap: "later", out: "rfc3339" }, "2026-10-25T01:30:00Z"],
  ["25.10.2026 02:30", { in: "dd.MM.yyyy HH:mm", inZone: "Europe/Berlin", overlap: "error", out: "rfc3339" }, "CAST"],
  ["2026-01-02", { in: "yyyy-MM-dd", out: "d MMM yyyy" }, "2 Jan 2026"],
  ["2 Jan 2026 12:05 AM", { in: "d MMM yyyy hh:mm a", out: "yyyy-MM-dd HH:mm" }, "2026-01-02 00:05"],
  ["2026-01-02T03:04:05.25+02:00", { in: "yyyy-MM-dd'T'HH:mm:ss.SSXXX", out: "HH:mm:ss.SSS h a" }, "01:04:05.250 1 AM"],
  ["1700000000", { in: "unix", out: "rfc3339" }, "2023-11-14T22:13:20Z"],
  ["1700000000.5", { in: "unix", out: "unix-ms" }, "1700000000500"],
  ["1700000000123", { in: "unix-ms", out: "yyyy-MM-dd HH:mm:ss.SSS" }, "2023-11-14 22:13:20.123"],
  ["-1", { in: "unix-ms", out: "rfc3339" }, "1969-12-31T23:59:59.999Z"],
  ["-1", { in: "unix", out: "unix" }, "-1"],
  ["2026-01-02T03:04:05.5Z", { out: "unix" }, "CAST"],
  ["2026-01-02T03:04:05.000Z", { out: "unix" }, "1767323045"],
  ["2026-07-01T12:00:00Z", { out: "yyyy-MM-dd'T'HH:mmXXX", zone: "Asia/Kolkata" }, "2026-07-01T17:30+05:30"],
  ["30.02.2026", { in: "dd.MM.yyyy" }, "CAST"],
  ["1767312000123", { in: "unix", out: "rfc3339" }, "CAST"], // milliseconds, taken for seconds: the year 57973
  ["1767312000123", { in: "unix", out: "d MMM yyyy" }, "CAST"],
  ["253402300799", { in: "unix", out: "yyyy-MM-dd" }, "9999-12-31"],
  ["253402300800", { in: "unix", out: "yyyy-MM-dd" }, "CAST"],
  ["-62167219201", { in: "unix", out: "yyyy" }, "CAST"],
  ["253402300800", { in: "unix", out: "dd/MM HH:mm" }, "01/01 00:00"],
  ["1950-07-01T00:00:00Z", { out: "rfc3339", zone: "Africa/Monrovia" }, "CAST"], // 44 minutes and 30 seconds behind
  ["1950-07-01T00:00:00Z", { out: "yyyy-MM-dd HH:mm:ss", zone: "Africa/Monrovia" }, "1950-06-30 23:15:30"],
  ["", { in: "dd.MM.yyyy" }, ""],
] as const) test(`${text} by ${JSON.stringify(form)} is ${expected}`, () => {
  const result = convertText(mappingOf({ in: "{format: csv}", fields: `{t: {from: t, date: ${JSON.stringify(form)}}, x: x}` }), `t,x\n${text},1\n`);
  assert.equal(result.kind === "converted" ? result.text : result.error.code, expected === "CAST" ? "CAST" : `t,x\n${expected},1\n`);
});
for (const [form, reason] of [[{ in: "HH:mm" }, /year, month and day/], [{ in: "yyyy-MM-dd hh:mm" }, /hh goes with a/], [{ in: "yyyy-MM-dd dd" }, /twice/], [{ out: "QQ" }, /mean nothing/], [{ out: "yyyy", zone: "Nowhere/City" }, /not known/], [{ in: "yyyy 'x" }, /not closed/], [{ in: "unix", inZone: "+02:00" }, /not known/]] as const) {
  test(`the date ${JSON.stringify(form)} is refused`, () => assert.throws(() => mappingOf({ in: "{format: csv}", fields: `{t: {from: t, date: ${JSON.stringify(form)}}}` }), reason));
}

for (const text of ["2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "2026-1-1T00:00:00Z", "2026-01-01T00:00:00+25:00"]) test(`${text} is no time`, () => assert.equal(parseTimestamp(text), undefined));

type Case = readonly [name: string, parts: { in: string; out?: string; fields: string }, input: string, expected: string];
const cases: readonly Case[] = [
  ["untouched values keep every character", { in: "{format: csv}", fields: "{b: a, a: b}" }, "a,b\n00123,1.10\n no , NO\n", "b,a\n00123,1.10\n no , NO\n"],
  ["quoting as needed, CRLF and BOM", { in: "{format: csv}", out: '{format: csv, eol: crlf, bom: true, file: "/o/{name}"}', fields: "{a: a}" }, 'a\n"x,y"\n"l1\nl2"\n', '\uFEFFa\r\n"x,y"\r\n"l1\nl2"\r\n'],
  ["everything quoted, another delimiter", { in: "{format: tsv}", out: '{format: csv, delimiter: ";", quote: all, file: "/o/{name}"}', fields: "{a: a, b: b}" }, "a\tb\n1;2\t\n", '"a";"b"\n"1;2";""\n'],
  ["CSV to NDJSON with types", { in: "{format: csv, columns: {i: int64, d: decimal(2), b: bool, n: 'int64?'}}", out: '{format: ndjson, file: "/o/{name}"}', fields: "{i: i, d: d, b: b, n: n, s: s, k: {const: 7}, t: {const: '7'}}" }, "i,d,b,n,s\n9007199254740993,1.10,true,,00123\n", '{"i":9007199254740993,"d":1.10,"b":true,"n":null,"s":"00123","k":7,"t":"7"}\n'],
  ["JSON to JSON keeps numbers and nested values", { in: "{format: json}", out: '{format: json, file: "/o/{name}"}', fields: "{x: a, y: b}" }, '[{"a":1.10,"b":{"c":[1]}},{"a":9007199254740993,"b":"q\\"\\n"}]', '[\n{"x":1.10,"y":{"c":[1]}},\n{"x":9007199254740993,"y":"q\\"\\n"}\n]\n'],
  ["an empty JSON array to CSV and JSON", { in: "{format: json}", out: '{format: json, file: "/o/{name}"}', fields: "{x: a}" }, "[]", "[]\n"],
  ["default, split, map with else and keep", { in: "{format: csv}", fields: "{n: {from: n, default: none}, d: {from: m, split: {sep: '@', index: 1}}, s: {from: s, map: {A: a}, else: other}, k: {from: s, map: {A: a}, else: keep}}" }, "n,m,s\n,x@y,A\n1,z,B\n", "n,d,s,k\nnone,y,a,a\n1,,other,B\n"],
  ["rounding that was asked for", { in: "{format: csv, columns: {d: decimal(3)}}", fields: "{d: {expr: d * 1.5, type: decimal(2), round: half-even}}" }, "d\n1.003\n1.01\n", "d\n1.50\n1.52\n"],
  ["null and missing keys in JSON", { in: "{format: json, columns: {a: 'string?', b: 'int64?'}}", fields: "{a: a, b: b}" }, '[{"a":null,"b":1},{"b":null}]', "a,b\n,1\n,\n"],
];
for (const [name, parts, input, expected] of cases) test(name, () => {
  const result = convertText(mappingOf(parts), input);
  assert.equal(result.kind === "converted" ? result.text : `${result.error.code}: ${result.error.message}`, expected);
});

for (const [name, parts, input, expected] of [
  ["a value that is not of its type", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a}" }, "a\n1\nx\n", "CAST 3 a"],
  ["64 bits overflow", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a}" }, "a\n9223372036854775808\n", "CAST 2 a"],
  ["more digits than the decimal keeps", { in: "{format: csv, columns: {a: decimal(2)}}", fields: "{a: a}" }, "a\n1.001\n", "CAST 2 a"],
  ["an empty value where one is needed", { in: "{format: csv, columns: {a: int64}}", fields: "{a: a}" }, 'a\n""\n', "CAST 2 a"],
  ["an unknown enum value", { in: "{format: csv}", fields: "{s: {from: s, map: {A: a}}}" }, "s\nA\nB\n", "ENUM 3 s"],
  ["a time that does not exist", { in: "{format: csv}", fields: "{t: {from: t, date: {out: yyyy}}}" }, "t\n2026-02-30T00:00:00Z\n", "CAST 2 t"],
  ["a new column", { in: "{format: csv}", fields: "{a: a}" }, "a,b\n1,2\n", "COLUMN 1 b"],
  ["a missing column", { in: "{format: csv}", fields: "{a: a}" }, "b\n1\n", "COLUMN 1 a"],
  ["a new key in JSON", { in: "{format: json}", fields: "{a: a}" }, '[{"a":1,"b":2}]', "COLUMN 1 b"],
  ["an object where a flat value is needed", { in: "{format: json}", fields: "{a: {join: [a]}}" }, '[{"a":{}}]', "CAST 1 a"],
  ["a result that does not fit int64", { in: "{format: csv, columns: {a: int64}}", fields: "{p: {expr: a * a, type: int64}}" }, "a\n9223372036854775807\n", "CAST 2 p"],
] as const) test(`refused with its place: ${name}`, () => {
  const result = convertText(mappingOf(parts), input);
  assert.ok(result.kind === "failed", JSON.stringify(result));
  assert.equal(`${result.error.code} ${result.error.line} ${result.error.column ?? ""}`.trim(), expected);
});

test("strict: false lets new columns pass unused", () => {
  const result = convertText(mappingOf({ in: "{format: csv, strict: false}", fields: "{a: a}" }), "a,b\n1,2\n");
  assert.deepEqual(result, { kind: "converted", text: "a\n1\n", rows: 1 });
});
