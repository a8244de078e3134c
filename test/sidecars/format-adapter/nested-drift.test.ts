import assert from "node:assert/strict";
import { test } from "node:test";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { mappingOf } from "./support.ts";

const fields = "{city: customer.address.city, name: customer.name, first: \"items[0].price\"}";

/** What becomes of records: how many, or "CODE line column". */
function check(name: string, lines: readonly string[], expected: string, given: { readonly in?: string; readonly fields?: string; readonly more?: string } = {}): void {
  test(name, () => {
    for (const out of ['{format: ndjson, file: "/o/{name}"}', '{format: yaml, file: "/o/{name}"}']) {
      const mapping = mappingOf({ in: given.in ?? "{format: ndjson, columns: {customer.name: string?, customer.address.city: string?, \"items[0].price\": number?}}", out, fields: given.fields ?? fields, ...(given.more === undefined ? {} : { more: given.more }) });
      const outcome = convertText(mapping, lines.map((line) => `${line}\n`).join(""));
      assert.equal(outcome.kind === "converted" ? String(outcome.rows) : `${outcome.error.code} ${outcome.error.line} ${outcome.error.column}`, expected, out);
    }
  });
}

check("keys that the mapping names are known, and may be missing", ['{"customer":{"name":"a","address":{"city":"b"}},"items":[{"price":1},{"other":2}]}', '{"customer":{}}', '{"customer":null,"items":[]}'], "3");
check("a new key inside of an object is drift", ['{"customer":{"name":"a"}}', '{"customer":{"name":"a","vip":true}}'], "COLUMN 2 customer.vip");
check("a new key deeper is drift", ['{"customer":{"address":{"city":"b","zip":1}}}'], "COLUMN 1 customer.address.zip");
check("a new key in an element that is named is drift", ['{"items":[{"price":1,"sku":2}]}'], "COLUMN 1 items[0].sku");
check("an object that is used as a whole may hold anything", ['{"customer":{"name":"a","vip":true}}'], "1", { in: "{format: ndjson}", fields: "{name: customer.name, all: customer}" });
check("a part that is used as a whole may hold anything", ['{"customer":{"name":{"x":1}}}'], "1", { in: "{format: ndjson}", fields: "{name: customer.name}" });
check("a declared part is known although nothing is made of it", ['{"customer":{"name":"a","vip":true}}'], "1", { in: "{format: ndjson, columns: {customer.vip: bool?}}", fields: "{name: customer.name}" });
check("strict: false lets keys pass", ['{"customer":{"name":"a","vip":true}}'], "1", { in: "{format: ndjson, strict: false}", fields: "{name: customer.name}" });
check("a key with a point of its own is no object", ['{"customer.name":"a"}'], "1", { in: "{format: ndjson, columns: {customer.name: string}}", fields: "{name: customer.name}" });
check("onError applies to the record", ['{"customer":{"name":"a","vip":true}}', '{"customer":{"name":"b"}}'], "1", { in: "{format: ndjson}", fields: "{name: customer.name}", more: "onError: skip-row" });
check("documents of YAML too", ["- customer: {name: a, vip: 1}"], "COLUMN 1 customer.vip", { in: "{format: yaml}", fields: "{name: customer.name}" });
