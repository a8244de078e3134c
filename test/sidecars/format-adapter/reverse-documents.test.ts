import assert from "node:assert/strict";
import { test } from "node:test";
import { reverseMapping } from "../../../sidecars/format-adapter/commands/reverse-mapping.ts";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { mappingOf, parseAdapter } from "./support.ts";

/** Adapts a report and back again. */
function thereAndBack(given: Parameters<typeof mappingOf>[0], report: string): string {
  const mapping = mappingOf(given);
  const reverse = reverseMapping(mapping);
  if (reverse.kind === "lossy") return reverse.reasons.map(({ field, reason }) => `${field}: ${reason}`).join();
  const [back] = parseAdapter(`watch: {dir: /in}\nmappings:\n  back:\n${reverse.yaml.replaceAll(/^/gm, "    ")}`).mappings;
  assert.ok(back);
  const there = convertText(mapping, report);
  assert.ok(there.kind === "converted", there.kind === "failed" ? there.error.message : "");
  const again = convertText(back, there.text);
  return again.kind === "converted" ? again.text : again.error.message;
}

test("a mapping between documents is undone with the places of its records", () => {
  const json = '{"data":{"a.b":[\n{"id":1},\n{"id":2}\n]}}\n';
  const given = { in: '{format: json, records: "data.a\\\\.b", columns: {id: int64}}', fields: '{"@n": id}' };
  assert.equal(thereAndBack({ ...given, out: '{format: xml, root: /r/list, record: i, namespaces: {"": "urn:p"}, attributes: {v: "1"}, file: "/o/{name}"}' }, json), json);
  const xml = '<?xml version="1.0" encoding="UTF-8"?>\n<o:r xmlns:o="urn:o">\n<o:i id="1"/>\n</o:r>\n';
  assert.equal(thereAndBack({ in: '{format: xml, records: "/o:r/o:i", namespaces: {o: "urn:o"}, columns: {"@id": int64}}', out: '{format: json, records: x.y, envelope: {v: 2, x.n: a}, indent: 2, file: "/o/{name}"}', fields: '{id: "@id"}' }, xml), xml);
});

test("values around the records are told not to come back", () => {
  assert.match(thereAndBack({ in: "{format: json, records: r, envelope: {v: v}}", fields: "{v: v}" }, ""), /values around the records do not come back/);
  assert.match(thereAndBack({ in: "{format: xml, records: /r/i, envelope: {v: ../@v}}", fields: "{v: v}" }, ""), /values around the records do not come back/);
});
