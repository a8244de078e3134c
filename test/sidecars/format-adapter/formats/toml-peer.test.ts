// The reader of TOML against smol-toml, on generated documents.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse, TomlDate } from "smol-toml";
import { ConversionError } from "../../../../sidecars/format-adapter/conversion-error.ts";
import { parseToml } from "../../../../sidecars/format-adapter/formats/toml-reader.ts";
import type { Tree } from "../../../../sidecars/format-adapter/formats/tree.ts";

/** A value in one form for both: numbers and dates by what they mean, since ours keeps their characters. */
function ofTree(tree: Tree): unknown {
  switch (tree.kind) {
    case "list":
      return tree.items.map((item) => ofTree(item));
    case "map":
      return Object.fromEntries([...tree.entries].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([key, value]) => [`key ${key}`, ofTree(value)]));
    case "number":
      return /^-?\d+$/.test(tree.text) ? `integer ${BigInt(tree.text)}` : `float ${Number(tree.text)}`;
    case "text":
      return ofText(tree.text);
    case "boolean":
    case "null":
      return tree.text;
  }
}

/** Text that stands for a date, a time, inf or nan is told from other text by nothing; so it is here. */
function ofText(text: string): string {
  if (/^[+-]?(?:inf|nan)$/.test(text)) return `float ${Number(text.replace("inf", "Infinity"))}`;
  if (!/^(?:\d{4}-\d\d-\d\d|\d\d:\d\d)/.test(text)) return `text ${text}`;
  const isTime = text.includes(":");
  return `date ${new TomlDate(isTime && !/:\d\d:\d\d/.test(text) ? text.replace(/(\d\d:\d\d)/, "$1:00") : text).toISOString()}`;
}

function ofPeer(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => ofPeer(item));
  if (value instanceof TomlDate) return `date ${value.toISOString()}`;
  if (typeof value === "bigint") return `integer ${value}`;
  if (typeof value === "number") return `float ${value}`;
  if (typeof value === "string") return ofText(value);
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([key, each]) => [`key ${key}`, ofPeer(each)]));
  return String(value);
}

type Reading = { readonly value: unknown } | { readonly refused: string };

function ours(text: string): Reading {
  try {
    return { value: ofTree(parseToml(text)) };
  } catch (error) {
    if (error instanceof ConversionError) return { refused: `${error.code} ${error.message}` };
    throw error;
  }
}

function peer(text: string): Reading {
  try {
    return { value: ofPeer(parse(text, { integersAsBigInt: true })) };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : "" };
  }
}

/** Documents that the two read otherwise. */
const deviations: readonly (readonly [name: string, text: string, ours: "taken" | "refused", peer: "taken" | "refused"])[] = [
  ["a day that there is not; smol-toml makes the 2nd of March of it", "a = 2026-02-30\n", "refused", "taken"],
  ["a dotted key in a table that a header named on its way only; the specification does not say", "[[b.a.c]]\n[b]\na.b = 1\n", "refused", "taken"],
];

for (const [name, text, here, there] of deviations) {
  test(`a deviation: ${name}`, () => {
    assert.equal("value" in ours(text) ? "taken" : "refused", here, JSON.stringify(ours(text)));
    assert.equal("value" in peer(text) ? "taken" : "refused", there, JSON.stringify(peer(text)));
  });
}

const key = fc.constantFrom("a", "b", "c", "a.b", "a.c", "b.a.c", '"a"', "'b'.c", '"é.x"', "1", "-", "a . b", '""');
const scalar = fc.constantFrom("1", "+1", "-0", "0", "1_000", "0xFF", "0o17", "0b101", "1.5", "-1.10", "1e3", "6.26e-34", "1_0.0_1", "inf", "-inf", "nan", "true", "false", '"x"', "'x'", '"\\u00e9\\n\\t\\"\\\\"', '"\\e\\x41"', '"""\nl1\nl2 \\\n   l3"""', "'''\nl1\n'l2'''", "2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05.123+01:00", "2026-01-02T03:04:05", "03:04:05", "03:04", "9223372036854775807", "-9223372036854775808", "[]", "{}");
const wrong = fc.constantFrom("", "01", "1__0", "_1", "1_", "0x", "0xG", "+0x1", "1.", ".5", "1.e3", "True", "inff", '"\\q"', '"a\nb"', "'a", '"\u0001"', "2026-13-01", "2026-02-30", "25:00:00", "[1,,2]", "[1 2]", "{a = 1, a = 2}", "{a.b = 1, a = 2}", "nan1", "1 2", "0e", "1e+");
const value = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    { weight: 8, arbitrary: scalar },
    { weight: 1, arbitrary: wrong },
    { weight: 2, arbitrary: fc.tuple(fc.array(tie("value"), { maxLength: 3 }), fc.constantFrom(", ", ",", "\n,\n", " , # c\n")).map(([items, comma]) => `[${items.join(comma)}]`) },
    { weight: 2, arbitrary: fc.array(fc.tuple(key, tie("value")), { maxLength: 3 }).map((pairs) => `{ ${pairs.map(([name, each]) => `${name} = ${each}`).join(", ")} }`) },
  ),
})).value;
const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(key, value).map(([name, each]) => `${name} = ${each}`) },
  { weight: 2, arbitrary: key.map((name) => `[${name}]`) },
  { weight: 2, arbitrary: key.map((name) => `[[${name}]]`) },
  { weight: 1, arbitrary: fc.constantFrom("", "# comment é", "  ", "a", "= 1", "[a", "[a]]", "a = 1 # c", "\ta = 1", "[ a . b ]", '["a"]', "[[a]] b = 1", "#\u0001") },
);

test("generated documents are read alike", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.constantFrom("\n", "\r\n"), (lines, eol) => {
      const text = lines.map((each) => each + eol).join("");
      const [left, right] = [ours(text), peer(text)];
      if ("refused" in left || "refused" in right) {
        if (deviates(text, left)) return;
        assert.equal("refused" in left, "refused" in right, `${JSON.stringify(text)}\n${JSON.stringify(left)}\n${JSON.stringify(right)}`);
      } else assert.deepEqual(left, right, JSON.stringify(text));
    }),
    { numRuns: 20_000, seed: 20_261_121 },
  );
});

/** Whether a document has something of the table above. */
function deviates(text: string, reading: Reading): boolean {
  if (/\d-02-30/.test(text)) return true;
  return "refused" in reading && reading.refused.startsWith("COLUMN") && /^\[\[?[^\]]*\./m.test(text) && /^[^[\n=]*\.[^\n=]*=/m.test(text);
}
