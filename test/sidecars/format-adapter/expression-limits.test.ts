// What hostile reports can do to an expression: nothing but a refusal, in bounded memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { compileExpression } from "../../../sidecars/format-adapter/mapping/expression.ts";
import { EvaluationError, type ExpressionValue } from "../../../sidecars/format-adapter/mapping/expression-node.ts";
import { parseDecimal } from "../../../sidecars/format-adapter/mapping/decimal.ts";
import { partOfText } from "../../../sidecars/format-adapter/mapping/text-parts.ts";
import { parseType } from "../../../sidecars/format-adapter/mapping/types.ts";
import { mappingOf } from "./support.ts";

const types = new Map([["i", "int64?"], ["d", "decimal(4)?"], ["s", "string?"], ["t", "string?"], ["b", "bool?"], ["__proto__", "string?"], ["constructor", "string?"]]);
/** Stands for a text that would fill the page when a test fails. */
const long = "50,000 letters";
const { number, text, truth } = fc.letrec<{ number: string; text: string; truth: string }>((tie) => ({
  number: fc.oneof({ maxDepth: 4 },
    { weight: 4, arbitrary: fc.constantFrom("i", "d", "0", "1", "0.05", "123456789012345678901234567890") },
    fc.tuple(tie("number"), fc.constantFrom("+", "-", "*"), tie("number")).map(([left, sign, right]) => `(${left} ${sign} ${right})`),
    fc.tuple(fc.constantFrom("min", "max", "coalesce"), tie("number"), tie("number")).map(([name, left, right]) => `${name}(${left}, ${right})`),
    fc.tuple(tie("number"), tie("number")).map(([left, right]) => `divide(${left}, ${right}, 3, 'half-even')`), tie("number").map((value) => `abs(${value})`), tie("text").map((value) => `length(${value})`), tie("text").map((value) => `decimal(${value}, 2)`)),
  text: fc.oneof({ maxDepth: 4 },
    { weight: 4, arbitrary: fc.constantFrom("s", "t", "`__proto__`", "`constructor`", "'a'", "''", "'é😀'") },
    fc.tuple(fc.constantFrom("upper", "lower", "trim"), tie("text")).map(([name, value]) => `${name}(${value})`), fc.tuple(tie("text"), tie("text")).map(([left, right]) => `concat(${left}, ${right}, ${left})`),
    fc.tuple(tie("text"), tie("text"), tie("text")).map(([source, what, by]) => `replace(${source}, ${what}, ${by})`), fc.tuple(tie("text"), tie("number"), tie("number")).map(([source, from, length]) => `substring(${source}, ${from}, ${length})`),
    fc.tuple(tie("text"), tie("text"), tie("number")).map(([source, separator, index]) => `part(${source}, ${separator}, ${index})`), tie("text").map((value) => `padLeft(${value}, 1000, 'x')`), tie("number").map((value) => `text(${value})`), fc.tuple(tie("truth"), tie("text"), tie("text")).map((parts) => `if(${parts.join(", ")})`)),
  truth: fc.oneof({ maxDepth: 3 }, fc.constantFrom("b", "true"), fc.tuple(tie("text"), tie("text")).map(([left, right]) => `${left} == ${right}`), fc.tuple(tie("text"), tie("text")).map(([left, right]) => `contains(${left}, ${right})`), tie("text").map((value) => `matches(${value}, '^(a+)+$')`), tie("number").map((value) => `empty(${value})`)),
}));
const values = fc.record({ i: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String), fc.constant("")), d: fc.constantFrom("0", "-1.5", "99999999999999999999.9999", ""), s: fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.constant(long)), t: fc.oneof(fc.string({ maxLength: 5 }), fc.constant("a")), b: fc.constantFrom("true", "false", "") });

test("any expression over any record gives a value of bounded length, none, or a reason", () => {
  let given = 0;
  fc.assert(fc.property(fc.oneof(number, text, truth), values, (source, row) => {
    const compiled = compileExpression(source, (name) => parseType(types.get(name) ?? ""));
    if (compiled.kind === "wrong") {
      assert.match(compiled.reason, /longer than|nested deeper|more than 30/);
      return;
    }
    const column = (name: string): ExpressionValue | undefined => {
      const value: string = Object.hasOwn(row, name) ? (row[name as keyof typeof row] ?? "") : "born";
      if (value === long) return "a".repeat(50_000);
      if (name === "i" || name === "d") return parseDecimal(value);
      return name === "b" ? (value === "" ? undefined : value === "true") : value;
    };
    try {
      const result = compiled.expression.evaluate({ column });
      if (result !== undefined) given++;
      assert.ok(typeof result !== "string" || result.length <= 1_100_000);
    } catch (error) {
      assert.ok(error instanceof EvaluationError, String(error));
    }
  }), { numRuns: 1_500 });
  assert.ok(given > 500);
});

for (const [expression, what] of [
  ["replace(s, 'a', s)", "a text in place of each of its characters"], ["concat(s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s)", "twenty times a text"],
  ["replace(replace(replace(s, 'a', 'aaaaaaaaaaaaaaaa'), 'a', 'aaaaaaaaaaaaaaaa'), 'a', 'aaaaaaaaaaaaaaaa')", "sixteen times, thrice"],
] as const) {
  test(`a result that would be enormous is refused before it is made: ${what}`, () => {
    const mapping = mappingOf({ in: "{format: csv, columns: {s: string}}", fields: `{x: {expr: ${JSON.stringify(expression)}, type: string}}` });
    const outcome = convertText(mapping, `s\n${"a".repeat(200_000)}\n`);
    assert.ok(outcome.kind === "failed");
    assert.deepEqual([outcome.error.code, outcome.error.line], ["CAST", 2]);
    assert.match(outcome.error.message, /longer than 1048576 characters/);
  });
}

test("parts are those of split, from either end, with what follows too", () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom("a", "b", "-", "é"), maxLength: 12 }), fc.constantFrom("-", "a", "--", "aa", "b-"), fc.integer({ min: -6, max: 6 }), (source, separator, index) => {
    assert.equal(partOfText(source, separator, index, false), source.split(separator).at(index) ?? "");
    assert.equal(partOfText(source, separator, index, true), source.split(separator).slice(index).join(separator));
  }), { numRuns: 3_000 });
});

test("columns and values named as what objects have by birth are columns and values", () => {
  const mapping = mappingOf({ in: '{format: csv, columns: {__proto__: int64, constructor: string}}', fields: '{a: {expr: "`__proto__` + 1", type: int64}, toString: {from: constructor, map: {__proto__: x, hasOwnProperty: y}}, __proto__: constructor}' });
  const outcome = convertText(mapping, "__proto__,constructor\n1,__proto__\n2,hasOwnProperty\n");
  assert.equal(outcome.kind === "converted" ? outcome.text : outcome.error.message, "a,toString,__proto__\n2,x,__proto__\n3,y,hasOwnProperty\n");
  const unknown = convertText(mapping, "__proto__,constructor\n1,valueOf\n");
  assert.equal(unknown.kind === "failed" ? unknown.error.code : unknown.text, "ENUM");
});
