import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SaxesParser } from "saxes";
import { convertText } from "../../../../sidecars/format-adapter/convert.ts";
import { createByteReader } from "../../../../sidecars/format-adapter/formats/create-reader.ts";
import { ConversionError } from "../../../../sidecars/format-adapter/conversion-error.ts";
import { mappingOf, parseConfig } from "../support.ts";

type Read = readonly Readonly<Record<string, string>>[] | string;

/** The records, or the error as "CODE line column". */
function read(input: string, document: string, size: number): Read {
  const mapping = mappingOf({ in: input, fields: "{x: {from: x, default: none}}" });
  const columns: string[] = [];
  const rows: Record<string, string>[] = [];
  try {
    const reader = createByteReader(mapping.input, {
      onColumns: (names) => void columns.push(...names),
      onRow: (row) => void rows.push(Object.fromEntries(columns.flatMap((name) => (row.kind(name) === undefined ? [] : [[name, row.text(name) ?? ""]])))),
    });
    const bytes = Buffer.from(document);
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    reader.end({ takeUnfinished: false });
    return rows;
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return `${error.code} ${error.line}${error.column === undefined ? "" : ` ${error.column}`}`;
  }
}

function check(name: string, input: string, document: string, expected: Read): void {
  test(name, () => {
    assert.deepEqual(read(input, document, 1_000_000), expected);
    assert.deepEqual(read(input, document, 1), expected, "byte by byte");
    for (let cut = 2; cut < Buffer.from(document).length; cut += 7) assert.deepEqual(read(input, document, cut), expected, `in pieces of ${cut}`);
  });
}

const bound = '{format: xml, strict: false, records: "/o:r/o:i", namespaces: {o: "urn:o", "": "urn:p"}}';
check("a prefix of the mapping stands for a URI, whatever the document calls it", bound, '<a:r xmlns:a="urn:o"><a:i a:k="1" l="2"><b:n xmlns:b="urn:p">x</b:n></a:i><i xmlns="urn:o"><n xmlns="urn:p">y</n></i></a:r>', [{ "@o:k": "1", "@l": "2", n: "x" }, { n: "y" }]);
check("names of other namespaces and of none are told apart", bound, '<r xmlns="urn:o"><i><x:a xmlns:x="urn:x">1</x:a><b xmlns="">2</b><c>3</c></i></r>', [{ "{urn:x}a": "1", "{}b": "2", "o:c": "3" }]);
check("an element of another namespace is no record", bound, '<r xmlns="urn:o"><i xmlns="urn:z"><n>1</n></i></r>', []);
check("a binding ends with its element", bound, '<r xmlns="urn:o"><i><q xmlns:x="urn:p"><x:n>1</x:n></q>\n<x:m/></i></r>', "SYNTAX 1");
check("xml: is bound always", bound, '<r xmlns="urn:o"><i xml:lang="de"/></r>', [{ "@xml:lang": "de" }]);
check("a prefix that is bound to nothing", bound, '<r xmlns="urn:o">\n<y:z/></r>', "SYNTAX 2");
check("an attribute's prefix that is bound to nothing", bound, '<r xmlns="urn:o" y:z="1"/>', "SYNTAX 1");
check("one attribute by two prefixes", bound, '<r xmlns="urn:o" xmlns:a="urn:a" xmlns:b="urn:a"><i a:k="1" b:k="2"/></r>', "COLUMN 1 @{urn:a}k");
check("bindings that are not allowed", bound, '<r xmlns="urn:o" xmlns:xml="urn:x"/>', "SYNTAX 1");
check("a prefix cannot be unbound", bound, '<r xmlns="urn:o" xmlns:a=""/>', "SYNTAX 1");
check("names with two colons", bound, '<r xmlns="urn:o" xmlns:a="urn:a"><a:b:c/></r>', "SYNTAX 1");
check("lists of names by URI", '{format: xml, strict: false, records: "/o:r/o:i", lists: ["o:t"], namespaces: {o: "urn:o"}}', '<r xmlns="urn:o"><i><t>1</t><t>2</t></i></r>', [{ "o:t": '["1","2"]' }]);

const enveloped = '{format: xml, strict: false, records: /r/g/i, envelope: {batch: ../@batch, at: /r/info/@at, by: ../../info/by, note: ../note}}';
check("values around the records are columns of each", enveloped, '<r><info at="T"><by>me &amp; you</by></info><g batch="7"><note>n</note><i><x>1</x></i><i><x>2</x></i></g></r>', [{ x: "1", batch: "7", at: "T", by: "me & you", note: "n" }, { x: "2", batch: "7", at: "T", by: "me & you", note: "n" }]);
check("they end with the element that they stand in", enveloped, '<r><g batch="7"><note>n</note><i><x>1</x></i></g><g><i><x>2</x></i></g></r>', [{ x: "1", batch: "7", note: "n" }, { x: "2" }]);
check("an empty element around the records has its attributes", enveloped, '<r><info at="T"/><g><i/></g></r>', [{ at: "T" }]);
check("a value behind records", enveloped, '<r><g batch="7"><i/>\n<note>n</note></g></r>', "COLUMN 2 note");
check("an attribute behind records", enveloped, '<r><g><i/></g>\n<info at="T"/></r>', "COLUMN 2 at");
check("two values of one", enveloped, '<r><g><note>1</note>\n<note>2</note><i/></g></r>', "COLUMN 2 note");
check("a value that has elements", enveloped, "<r><g><note><b/></note><i/></g></r>", "SYNTAX 1 note");
check("a record with an element of that name", enveloped, '<r><g batch="7">\n<i><batch>1</batch></i></g></r>', "COLUMN 2 batch");
check("other elements of those names are nothing", enveloped, "<r><x><note>0</note></x><g><y><note>0</note></y><i/></g></r>", [{}]);
check("values in namespaces", '{format: xml, strict: false, records: "/o:r/o:i", namespaces: {o: "urn:o"}, envelope: {v: "../@o:v"}}', '<a:r xmlns:a="urn:o" a:v="1"><a:i/></a:r>', [{ v: "1" }]);

test("settings that mean nothing are told", () => {
  const problems = (input: string, output = '{format: csv, file: "/o/{name}"}'): string => {
    const outcome = parseConfig(`watch: {dir: /in}\nmappings:\n  m:\n    in: ${input}\n    out: ${output}\n    fields: {a: a}\n`);
    return "problems" in outcome ? outcome.problems.join("\n") : "";
  };
  assert.match(problems('{format: xml, records: "/o:r/i", namespaces: {p: "urn:p"}}'), /the prefix of "o:r" is not under namespaces/);
  assert.match(problems('{format: xml, records: /r/i, namespaces: {p: "urn:p", q: "urn:p"}}'), /expected a URI that no other prefix stands for/);
  for (const path of ["/r", "../text()", "/x/y", "/r/i/@a", "../../../@a", "@a"]) assert.match(problems(`{format: xml, records: /r/g/i, envelope: {v: "${path === "/r/i/@a" ? "/r/g/i/@a" : path}"}}`), /expected the path of an attribute/, path);
  assert.match(problems("{format: xml, records: /r/i}", '{format: xml, record: a/b, file: "/o/{name}"}'), /expected one name/);
  assert.match(problems("{format: xml, records: /r/i}", '{format: xml, record: "q:a", namespaces: {p: "urn:p"}, file: "/o/{name}"}'), /the prefix of "q:a" is not under out.namespaces/);
});

test("documents are written with namespaces, attributes and elements around the records", () => {
  const mapping = mappingOf({ in: "{format: csv}", out: '{format: xml, root: "/o:report/o:items", record: "o:item", namespaces: {o: "urn:o", "": "urn:p&q"}, attributes: {version: "1 \\" <"}, file: "/o/{name}"}', fields: '{"@id": id, name: name}' });
  const outcome = convertText(mapping, "id,name\n1,<a>\n");
  assert.ok(outcome.kind === "converted");
  assert.equal(outcome.text, '<?xml version="1.0" encoding="UTF-8"?>\n<o:report xmlns:o="urn:o" xmlns="urn:p&amp;q" version="1 &quot; &lt;"><o:items>\n<o:item id="1"><name>&lt;a&gt;</name></o:item>\n</o:items></o:report>\n');
  assert.deepEqual(read('{format: xml, strict: false, records: "/a:report/a:items/a:item", namespaces: {a: "urn:o", b: "urn:p&q"}, envelope: {v: /a:report/@version}}', outcome.text, 5), [{ v: '1 " <', "@id": "1", "b:name": "<a>" }]);
});

test("names are what saxes makes of them", () => {
  const uri = fc.constantFrom("urn:a", "urn:b", "");
  const prefix = fc.constantFrom("p", "q");
  const around = (inner: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.tuple(fc.option(prefix), fc.constantFrom("x", "y"), fc.option(uri), fc.option(fc.tuple(prefix, fc.constantFrom("urn:a", "urn:b"))), fc.option(prefix), inner).map(([own, local, plain, declared, attribute, content]) => {
      const name = own === null ? local : `${own}:${local}`;
      return `<${name}${plain === null ? "" : ` xmlns="${plain}"`}${declared === null ? "" : ` xmlns:${declared[0]}="${declared[1]}"`}${attribute === null ? "" : ` ${attribute}:k="1"`}>${content}</${name}>`;
    });
  const leaf = around(fc.constant(""));
  const element = around(fc.array(around(fc.oneof(leaf, fc.constant(""))), { maxLength: 2 }).map((inner) => inner.join("")));
  fc.assert(
    fc.property(element, fc.integer({ min: 1, max: 9 }), (body, size) => {
      const document = `<r xmlns:q="urn:q"><i>${body}</i></r>`;
      const expected = saxesNames(document);
      const ours = read('{format: xml, strict: false, records: /r/i, namespaces: {A: "urn:a", B: "urn:b", Q: "urn:q"}}', document, size);
      if (typeof expected === "string" || typeof ours === "string") {
        // Two elements of one name in one record are refused here alone.
        if (typeof ours !== "string" || !ours.startsWith("COLUMN")) assert.equal(typeof ours, typeof expected, `${document} ${JSON.stringify(ours)} ${JSON.stringify(expected)}`);
        return;
      }
      const seen = new Set(ours.flatMap((row) => Object.keys(row).flatMap((column) => column.split("/").map((step) => step.replace(/^@/, "")))));
      for (const step of seen) assert.ok(expected.has(step), `${step} of ${document}`);
    }),
    { numRuns: 1_500 },
  );
});

/** The names of elements and attributes, with the prefixes of the test above; the message of the error. */
function saxesNames(document: string): ReadonlySet<string> | string {
  const known = new Map([["urn:a", "A:"], ["urn:b", "B:"], ["urn:q", "Q:"], ["", ""]]);
  const names = new Set<string>();
  let fault: string | undefined;
  const parser = new SaxesParser({ xmlns: true });
  parser.on("error", (error) => (fault ??= error.message));
  parser.on("opentag", (tag) => {
    names.add(`${known.get(tag.uri) ?? "?"}${tag.local}`);
    for (const attribute of Object.values(tag.attributes)) names.add(`${known.get(attribute.uri) ?? "?"}${attribute.local}`);
  });
  parser.write(document).close();
  return fault ?? names;
}
