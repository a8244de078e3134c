import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import { MsgpackWriter } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { createParser } from "../../../../sidecars/log-shipper/parse/create-parser.ts";
import { requiredText, requiredTexts, shortestMatch } from "../../../../sidecars/log-shipper/parse/pattern-needs.ts";
import { groupNames, patternFault } from "../../../../sidecars/log-shipper/parse/pattern.ts";
import { regexpSpec, RegexpParser } from "../../../../sidecars/log-shipper/parse/regexp.ts";
import { readSettings } from "../shape/shaping.ts";

function parserOf(yaml: string): RegexpParser {
  const { value, problems } = readSettings(regexpSpec, yaml);
  assert.deepEqual(problems, []);
  return new RegexpParser(value ?? assert.fail("no settings"));
}

/** The fields of a line that stands inside a larger buffer; undefined when it is refused. */
function parse(yaml: string, line: string | Buffer): unknown {
  const bytes = Buffer.isBuffer(line) ? line : Buffer.from(line);
  const writer = new MsgpackWriter(8);
  const pairs = parserOf(yaml).object(Buffer.concat([Buffer.from("before\n"), bytes, Buffer.from("\nafter")]), 7, 7 + bytes.length, writer, 0);
  if (pairs < 0) assert.equal(writer.length, 0, "a refused line leaves nothing behind");
  return pairs < 0 ? undefined : decode(writer.bytes());
}

const access = String.raw`pattern: '^(?<host>\S+) \S+ (?<user>\S+) \[(?<time>[^\]]+)\] "(?<method>\S+) (?<path>\S+)[^"]*" (?<status>\d+) (?<size>\d+|-)$'
types: { status: integer, size: integer }`;

test("Named groups become fields of their types", () => {
  assert.deepEqual(parse(access, '10.0.0.1 - jane [21/Nov/2026:10:00:00 +0000] "GET /é€ HTTP/1.1" 200 1234'), { host: "10.0.0.1", user: "jane", time: "21/Nov/2026:10:00:00 +0000", method: "GET", path: "/é€", status: 200, size: 1234 });
});

test("Text that is not of its type stays text", () => {
  assert.deepEqual(parse(access, 'h - - [t] "GET / x" 404 -'), { host: "h", user: "-", time: "t", method: "GET", path: "/", status: 404, size: "-" });
});

test("A line that the pattern does not match is refused", () => assert.equal(parse(access, "something else"), undefined));

test("A group that took no part gives no field", () => assert.deepEqual(parse("pattern: '^(?:a=(?<a>.)|b=(?<b>.))$'", "b=x"), { b: "x" }));

const typed = (type: string, text: string, expected: unknown): void => {
  test(`${JSON.stringify(text)} as ${type} is ${typeof expected} ${String(expected)}`, () => assert.deepEqual(parse(`{ pattern: '^(?<v>.*)$', types: { v: ${type} } }`, text), { v: expected }));
};
typed("integer", "-42", -42);
typed("integer", "+7", 7);
typed("integer", "007", 7);
typed("integer", "9223372036854775807", 2 ** 63);
typed("integer", "9223372036854775808", "9223372036854775808");
typed("integer", "1.5", "1.5");
typed("integer", "", "");
typed("number", "1.5e3", 1500);
typed("number", ".25", 0.25);
typed("number", "1e999", "1e999");
typed("number", "0x10", "0x10");
typed("boolean", "TRUE", true);
typed("boolean", "off", false);
typed("boolean", "maybe", "maybe");
typed("string", "12", "12");

test("Lines over the limit, and lines that are not UTF-8, are refused and say so", () => {
  const yaml = "{ pattern: '(?<v>x)', maxBytes: 20 }";
  assert.deepEqual(parse(yaml, "x".padEnd(20, "y")), { v: "x" });
  assert.equal(parse(yaml, "x".padEnd(21, "y")), undefined);
  assert.equal(parse(yaml, Buffer.from([0x78, 0xff])), undefined);
  assert.equal(parserOf(yaml).refusal("x".padEnd(21, "y")), "the line has 21 bytes, more than regexp.maxBytes (20): such lines are not tried");
  assert.equal(parserOf(yaml).refusal("y"), "the pattern does not match the line");
  assert.equal(parserOf(yaml).refusal("x"), undefined);
});

test("Letters match in either case with ignoreCase", () => assert.deepEqual(parse("{ pattern: '^error (?<m>.*)$', ignoreCase: true }", "ERROR Down"), { m: "Down" }));

const refused = (yaml: string, problem: RegExp): void => {
  test(`settings ${yaml} are refused`, () => assert.match(readSettings(regexpSpec, yaml).problems.join("\n"), problem));
};
refused("{ pattern: '(?<a>x' }", /test\.yaml:1:12: pattern: expected a JavaScript regular expression: the group that begins at character 1 is not closed, got "\(\?<a>x"/);
refused("{ pattern: '[a-(?<a>x)' }", /the character class that begins at character 1 is not closed/);
refused("{ pattern: '(?<a>x))' }", /at character 8 "\)" closes no group/);
refused("{ pattern: '(?<a>*x)' }", /at character 6 "\*" has nothing before it to repeat/);
refused("{ pattern: '(?<a>x)(?<a>y)' }", /Duplicate capture group name/);
refused("{ pattern: '(x)' }", /at least one named group/);
refused("{ pattern: '(?<level>x)', types: { lvel: integer } }", /test\.yaml:1:42: types\.lvel: is not a group of the pattern; there are level; did you mean "level"\?/);
refused("{ pattern: '(?<level>x)', types: { level: int } }", /expected one of string, integer, number, boolean, got "int"/);
refused("{ pattern: '^(?<a>(x+)+)$' }", /can take exponential time/);

const exponential = (pattern: string, attack: (length: number) => string): void => {
  test(`${pattern} is refused, and for a reason`, () => {
    assert.match(patternFault(pattern) ?? "", /exponential/);
    const regexp = RegExp(pattern);
    const cost = (length: number): number => {
      const from = process.hrtime.bigint();
      regexp.test(attack(length));
      return Number(process.hrtime.bigint() - from);
    };
    cost(10);
    let [length, spent] = [16, 0];
    for (; length <= 40 && spent < 30_000_000; length++) spent = cost(length);
    assert.ok(spent >= 30_000_000, `even ${length} characters took only ${spent} ns`);
  });
};
exponential("^(a+)+$", (length) => `${"a".repeat(length)}!`);
exponential("^(\\w|\\d)*$", (length) => `${"1".repeat(length)}!`);
exponential("^(a?b?)+$", (length) => `${"ab".repeat(length / 2)}!`);
exponential("^(?:(\\w+)=?\\s*)*$", (length) => `${"a".repeat(length)}!`);
exponential("^(?:a|a+)*$", (length) => `${"a".repeat(length)}!`);

for (const pattern of ["(?:\\w+\\s+)*x", "(?:\\d[ -]?){13,19}", '"(?:\\\\.|[^"\\\\])*"', "(?:foo|bar)+", "([a-z]+\\.)+[a-z]{2,}", "(\\d{3})+", "(?:(\\w+)=(\\w+)\\s+)*", "^\\S+ (?<m>.*)$", "(?:[^,]*,)*", "\\p{L}+", "(?<=x)y+"]) {
  test(`${pattern} is taken`, () => assert.equal(patternFault(pattern), undefined));
}

test("The names of groups are found wherever brackets stand", () => assert.deepEqual(groupNames(String.raw`(?<a>x)[(?<no>]\(?<no>(?<=q)(?<b>(?<c>.))`), ["a", "b", "c"]));

const required = (pattern: string, text: string): void => {
  test(`every match of ${pattern} contains ${JSON.stringify(text)}`, () => assert.equal(requiredText(pattern), text));
};
required("token=\\w+", "token=");
required("(?:x|y)abc+d", "abc");
required("a?bc*de", "de");
required("(ab)(?<n>cd)\\.", "abcd.");
required("a|b", "");
required("x{2}y", "x");
required("[ab]c\\d", "c");
required("\\bpass(?=word)w", "passw");
required("(?i:token)=x", "=x");
required("(a?)b\\1c", "b");

for (const [pattern, texts] of [
  ["token=\\w+", ["token="]], ["a|bc", ["a", "bc"]], ["a|b?", []], ["(?:AKIA|ASIA)[A-Z]{2}", ["AKIA", "ASIA"]], ["([Bb]earer|Token) x", ["earer", "Token"]], ["(?:(?:1|22)\\.){3}", ["."]],
  ["(?:ab|cd)?x", ["x"]], ["(?:abc|x)yz", ["yz"]], ["[ab]", []], ["(?!no)a", ["a"]],
] as const) test(`every match of ${pattern} contains one of ${texts.join(", ") || "nothing known"}`, () => assert.deepEqual(requiredTexts(pattern), texts));

for (const [pattern, characters] of [["abc", 3], ["a|bc", 1], ["a{3}b*c+", 4], ["(?<=xx)(?:ab|c)?d", 1], ["^$", 0], ["[a-z]{2,}\\d", 3], ["(a?)b\\1", 1], ["(?<n>a?)b\\k<n>", 1], ["[^]x", 2]] as const) {
  test(`every match of ${pattern} has at least ${characters} characters`, () => assert.equal(shortestMatch(pattern), characters));
}

test("logfmt reads the escapes of its quoted values and refuses what is not UTF-8", () => {
  const parser = createParser({ format: "logfmt", regexp: undefined }) ?? assert.fail("no parser");
  const logfmt = (line: Buffer): unknown => {
    const writer = new MsgpackWriter(8);
    return parser.object(line, 0, line.length, writer, 0) < 0 ? undefined : decode(writer.bytes());
  };
  assert.deepEqual(logfmt(Buffer.from(String.raw`a="x\ty\"z\\ \u001b[0m \u00e9" b=\n c d=`)), { a: 'x\ty"z\\ \u001b[0m é', b: "\\n", c: true, d: "" });
  assert.equal(logfmt(Buffer.from([0x61, 0x3d, 0xff])), undefined);
  const long = `a="${'\\"x'.repeat(400_000)}"`;
  assert.deepEqual(logfmt(Buffer.from(long)), { a: '"x'.repeat(400_000) });
});
