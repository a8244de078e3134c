import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addQuantities, canonicalQuantity, compareQuantities, divideQuantity, formatQuantity, parseQuantity, toBytes, toMilliCpu, tryParseQuantity } from "../../../../orchestrator/api/types/quantity.ts";

// The canonical forms are those of Kubernetes' own quantity_test.go.
const canonical: readonly (readonly [string, string])[] = [
  ["0", "0"], ["0n", "0"], ["-0", "0"], ["0Ki", "0"], ["1", "1"], ["+1", "1"], ["-1", "-1"], ["1000", "1k"], ["1000m", "1"], ["100m", "100m"], ["0.1", "100m"],
  [".5", "500m"], ["5.", "5"], ["1.50", "1500m"], ["1500m", "1500m"], ["1.5Gi", "1536Mi"], ["1024Ki", "1Mi"], ["1025Ki", "1025Ki"], ["0.5Ki", "512"], ["512Ki", "512Ki"],
  ["1Ei", "1Ei"], ["1E", "1E"], ["1e3", "1e3"], ["1E3", "1e3"], ["1e-3", "1e-3"], ["1.5e3", "1500"], ["1e0", "1"], ["0.0000000001", "1n"], ["-0.0000000001", "-1n"], ["1.0000000001", "1000000001n"],
  ["128974848", "128974848"], ["129e6", "129e6"], ["129M", "129M"], ["123Mi", "123Mi"], ["9223372036854775808", "9223372036854775807"], ["1e1000", "9223372036854775807"], ["100E", "9223372036854775807"], ["10Ei", "9223372036854775807"],
];
for (const [text, want] of canonical) test(`"${text}" is written "${want}"`, () => assert.equal(canonicalQuantity(text), want));

for (const text of ["", " 1", "1 ", "1.2.3", ".", "-", "1K", "1ki", "1mi", "1KI", "1e", "1e+", "e3", "0x10", "1,5", "1Kim", "１", "NaN", "1Zi", "--1", "9".repeat(300)])
  test(`"${text.slice(0, 20)}" is no quantity`, () => {
    assert.equal(tryParseQuantity(text), undefined);
    assert.throws(() => parseQuantity(text), SyntaxError);
  });

test("bytes and thousandths of a CPU round away from zero", () => {
  assert.equal(toBytes("1.5Gi"), 1_610_612_736);
  assert.equal(toBytes("1m"), 1);
  assert.equal(toBytes("128974848"), 128_974_848);
  assert.equal(toMilliCpu("0.5"), 500);
  assert.equal(toMilliCpu("1"), 1000);
  assert.equal(toMilliCpu("100u"), 1);
});

test("a resourceFieldRef divides rounding up", () => {
  assert.equal(divideQuantity("1.5Gi", "1Mi"), 1536n);
  assert.equal(divideQuantity("250m", "1"), 1n);
  assert.equal(divideQuantity("250m", "1m"), 250n);
  assert.equal(divideQuantity("10", "0"), 10n);
});

const amounts = fc.tuple(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), fc.constantFrom("DecimalSI" as const, "DecimalExponent" as const));
const texts = fc.tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.constantFrom("n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-3")).map(([n, suffix]) => `${n}${suffix}`);

test("formatting and parsing again loses nothing in the decimal families", () => {
  fc.assert(fc.property(amounts, ([nano, format]) => assert.equal(parseQuantity(formatQuantity({ nano, format })).nano, nano)));
});

test("the canonical form is stable and equal in value", () => {
  fc.assert(fc.property(texts, (text) => {
    const once = canonicalQuantity(text);
    assert.equal(canonicalQuantity(once), once);
    assert.equal(compareQuantities(once, text), 0);
  }));
});

test("comparison agrees with addition of a positive amount", () => {
  fc.assert(fc.property(texts, fc.integer({ min: 1, max: 1_000_000 }), (text, more) => assert.equal(compareQuantities(addQuantities(text, `${more}n`), text) >= 0, true)));
});
