import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { reverseMapping } from "../../../sidecars/format-adapter/commands/reverse-mapping.ts";
import { createWriter } from "../../../sidecars/format-adapter/formats/create-writer.ts";
import type { Mapping } from "../../../sidecars/format-adapter/mapping/mapping.ts";
import { madeOf } from "./csv-outcomes.ts";
import { mappingOf, parseAdapter } from "./support.ts";

const news = ["", 'delimiter: ";"', "header: false", 'quoteCharacter: "\'"', "escape: backslash", "trailer: {marker: END, count: 2}", 'delimiter: "§", header: false, quoteCharacter: "|", escape: backslash, trailer: {marker: END, count: 3}'];
const olds = ["{format: csv", "{format: csv, quote: all, eol: crlf, bom: true", "{format: csv, header: false, delimiter: '|'", "{format: csv, escape: backslash, quote: nonnumeric", "{format: csv, quoteCharacter: \"'\", trailer: {marker: T, count: 2}", "{format: tsv", "{format: ndjson", "{format: json"];
const columns = '{id: int64, "text": "string?", price: "decimal(2)?", state: string, at: string, flag: "bool?"}';
const fields = '{number: id, note: text, cents: price, code: {from: state, map: {NEW: "0", "PAID, late": "1", "\\"": "2"}}, time: {from: at, date: {in: "dd.MM.yyyy HH:mm:ss", out: unix}}, yes: flag}';

const text = fc.oneof(fc.constantFrom("", "END", "T", "00123", "=1", "\\", '"', "'"), fc.string({ unit: fc.constantFrom("a", '"', "'", ",", ";", "|", "§", "\n", "\r", "\\", "é", "😀", "\t", " ", "\0"), maxLength: 12 }));
const record = fc.tuple(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  text,
  fc.constantFrom("", "0", "1.10", "-99999999999.99", "0.5"),
  fc.constantFrom("NEW", "PAID, late", '"'),
  fc.constantFrom("31.12.2025 23:59:59", "29.02.2024 00:00:00", "01.01.1970 00:00:00"),
  fc.constantFrom("true", "false", ""),
);

const mappings: readonly (readonly [Mapping, Mapping])[] = news.flatMap((dialect) => olds.map((old) => {
  const there = mappingOf({ in: `{format: csv${dialect === "" ? "" : `, ${dialect}`}, columns: ${columns}}`, out: `${old}, file: "/o/{name}"}`, fields });
  const reverse = reverseMapping(there);
  assert.ok(reverse.kind === "reversible", JSON.stringify(reverse));
  const [back] = parseAdapter(`watch: {dir: /in}\nmappings:\n  back:\n${reverse.yaml.replaceAll(/^/gm, "    ")}`).mappings;
  assert.ok(back);
  return [there, back] as const;
}));

test("a report comes back byte for byte, from any dialect through any format and the reversed mapping", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), fc.nat(mappings.length - 1), fc.constantFrom(1, 5, 1_000), (records, which, size) => {
      const [there, back] = mappings[which] ?? assert.fail();
      // The reversed mapping's output is the new dialect with the fewest quotes: what its own writer makes is a report of it.
      const writer = createWriter([...there.input.columns.keys()], back.output);
      const report = Buffer.concat([writer.start(), ...records.map((cells) => writer.row(cells.map((cell) => ({ text: cell, json: "string" })))), writer.end()].map((piece) => Buffer.from(piece)));
      const old = madeOf(there, report, size);
      assert.doesNotMatch(old, /^[A-Z]+ line \d/);
      assert.equal(madeOf(back, Buffer.from(old), size), report.toString("utf8"));
    }),
    { numRuns: 300 },
  );
});
