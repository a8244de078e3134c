// XML that is read record by record in TypeScript: nothing is held back, memory does not grow, and nothing that has no end is taken in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ConversionError } from "../../../../sidecars/format-adapter/conversion-error.ts";
import { startConversion, type Conversion } from "../../../../sidecars/format-adapter/convert.ts";
import { isEngineInput } from "../../../../sidecars/format-adapter/formats/options.ts";
import type { Mapping } from "../../../../sidecars/format-adapter/mapping/mapping.ts";
import { mappingOf } from "../support.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const dialects = {
  lists: "lists: [t]",
  namespaces: 'namespaces: {"": "urn:p"}',
  envelope: "envelope: {batch: ../@batch}",
  "all together": 'lists: [t], namespaces: {"": "urn:p"}, envelope: {batch: ../@batch}',
} as const;

function mappingIn(dialect: string): Mapping {
  const mapping = mappingOf({ in: `{format: xml, records: /r/i, strict: false, ${dialect}}`, out: '{format: ndjson, file: "/o/{name}"}', fields: "{n: {from: n, default: none}}" });
  assert.ok(!isEngineInput(mapping.input), "the engine does not read it");
  return mapping;
}

/** Gives a text to a conversion, and what comes of it to nobody. */
function feed(conversion: Conversion, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    const count = bytes.copy(conversion.room(), 0, at);
    for (const piece of conversion.take(count)) assert.ok(piece.length > 0);
    at += count;
  }
}

const head = '<r xmlns="urn:p" batch="7">';

for (const [name, dialect] of Object.entries(dialects)) {
  test(`${name}: each record is handed on as soon as it is there, and memory does not grow`, () => {
    const conversion = startConversion(mappingIn(dialect));
    feed(conversion, head);
    const item = (index: number): string => `<i id="${index}"><n>${index}</n>${dialect.includes("lists") ? "<t>a</t><t>b</t>" : "<t>a</t>"}<note>${"x".repeat(4_000)}</note><!-- between --></i>\n`;
    const heap = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    let before = 0;
    for (let index = 0; index < 2_000; index++) {
      // Cut within the record: the part before is held, and no more than that.
      const text = item(index);
      feed(conversion, text.slice(0, 2_000));
      assert.equal(conversion.rows, index);
      feed(conversion, text.slice(2_000));
      assert.equal(conversion.rows, index + 1);
      if (index === 200) before = heap();
    }
    assert.ok(heap() - before < 2_097_152, `${heap() - before} bytes more after 7 MB of records`);
    feed(conversion, "</r>");
    for (const piece of conversion.end({ takeUnfinished: false })) assert.ok(piece.length > 0);
    assert.equal(conversion.rows, 2_000);
  });
}

const filler = "x".repeat(1_000_000);
for (const [what, start, expected] of [
  ["a record", "<i><n>", "LIMIT"],
  ["an attribute", '<i a="', "LIMIT"],
  ["the name of an element", "<", "LIMIT"],
  ["a comment", "<!-- ", "LIMIT"],
  ["a value of the envelope", "<at>", "LIMIT"],
  ["text around the records", "<other>", "passed over"],
] as const) {
  test(`${what} without an end: ${expected}`, () => {
    const conversion = startConversion(mappingIn('namespaces: {"": "urn:p"}, envelope: {at: ../at}'));
    const outcome = (): string => {
      try {
        feed(conversion, `${head}${start}`);
        for (let turn = 0; turn < 18; turn++) feed(conversion, filler);
        return "passed over";
      } catch (error) {
        return error instanceof ConversionError ? error.code : String(error);
      }
    };
    assert.equal(outcome(), expected);
  });
}
