import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SaxesParser } from "saxes";
import { ConversionError } from "../../../../sidecars/format-adapter/conversion-error.ts";
import { createScannerReader, readerOfUtf8 } from "../../../../sidecars/format-adapter/formats/byte-reader.ts";
import type { XmlInput } from "../../../../sidecars/format-adapter/formats/options.ts";
import { readerLimitsDefault, type RecordHandler } from "../../../../sidecars/format-adapter/formats/row.ts";
import { createXmlReader } from "../../../../sidecars/format-adapter/formats/xml-reader.ts";

const missing = "(missing)";

type Read = { readonly rows: readonly (readonly [line: number, values: Readonly<Record<string, string>>])[] } | { readonly code: string; readonly line: number; readonly column?: string | undefined };

/** The rows of a document given in pieces of so many bytes, by the reader in TypeScript or by the engine's. */
function read(by: "reference" | "engine", document: string | Buffer, options: { readonly records?: string; readonly lists?: readonly string[]; readonly size?: number } = {}): Read {
  const input: XmlInput = { format: "xml", records: (options.records ?? "/r/i").split("/").slice(1), lists: options.lists ?? [] };
  const columns: string[] = [];
  const rows: [number, Record<string, string>][] = [];
  const handler: RecordHandler = {
    onColumns: (names) => void columns.push(...names),
    onRow(row) {
      const values: Record<string, string> = Object.fromEntries(columns.map((name) => [name, row.text(name) ?? missing]));
      rows.push([row.line, Object.fromEntries(Object.entries(values).filter(([, text]) => text !== missing))]);
    },
  };
  const bytes = Buffer.from(document);
  const size = options.size ?? Math.max(bytes.length, 1);
  try {
    const reader = by === "engine" ? createScannerReader(input, handler) : readerOfUtf8(createXmlReader(input, handler, readerLimitsDefault));
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    reader.end({ takeUnfinished: false });
    return { rows };
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return { code: error.code, line: error.line, ...(error.column === undefined ? {} : { column: error.column }) };
  }
}

const ok = (...rows: [number, Record<string, string>][]): Read => ({ rows });
const bad = (code: string, line: number, column?: string): Read => ({ code, line, ...(column === undefined ? {} : { column }) });

const cases: readonly (readonly [name: string, document: string, expected: Read, records?: string])[] = [
  ["attributes and elements", '<r><i id="1"><a>x</a><b>y</b></i><i id="2"><a>z</a></i></r>', ok([1, { "@id": "1", a: "x", b: "y" }], [1, { "@id": "2", a: "z" }])],
  ["elements inside of elements, by path", '<r><i><p c="EUR">1.10</p><q><s>1</s><t u="v"/></q></i></r>', ok([1, { p: "1.10", "p/@c": "EUR", "q/s": "1", "q/t": "", "q/t/@u": "v" }])],
  ["the record's own text", '<r><i k="1">x</i><i> </i></r>', ok([1, { "@k": "1", "text()": "x" }], [1, {}])],
  ["the root as the one record", "<r><a>1</a></r>", ok([1, { a: "1" }]), "/r"],
  ["records deeper, and other elements passed over", "<r><h><i><a>0</a></i></h><l><i><a>1</a></i></l><l><i><a>2</a></i></l><i/></r>", ok([1, { a: "1" }], [1, { a: "2" }]), "/r/l/i"],
  ["no records", "<r/>", ok()],
  ["no records, in another root", "<!-- -->\n<q><i/></q>", bad("COLUMN", 2, "/r/i")],
  ["no records, and what they stand in is missing", "<r>\n<x/></r>", bad("COLUMN", 2, "/r/l/i"), "/r/l/i"],
  ["lines of records", "<r>\n  <i>\n    <a>1</a>\n  </i>\r\n  <i><a>2</a></i>\r<i><a>3</a></i>\n</r>\n", ok([2, { a: "1" }], [5, { a: "2" }], [6, { a: "3" }])],
  ["references of XML and of numbers", "<r><i a='&lt;&quot;&#x41;'><b>&amp;&gt;&apos;&#233;&#x1F600;&#10;</b></i></r>", ok([1, { "@a": '<"A', b: "&>'é😀\n" }])],
  ["CDATA, whole, empty and beside text", "<r><i><a><![CDATA[<x>&amp;]]]]></a><b>1<![CDATA[]]>2<![CDATA[3]]></b></i></r>", ok([1, { a: "<x>&amp;]]", b: "123" }])],
  ["comments and instructions within text", "<?p?><r><!-- a - b --><i><a>1<!-- <x> -->2<?p q?>3</a></i><?p?></r><!-- -->", ok([1, { a: "123" }])],
  ["line ends as XML has them", '<r><i a="1\r\n2\t3\r4"><b>1\r\n2\r3\n</b><c><![CDATA[\r\n]]></c></i></r>', ok([1, { "@a": "1 2 3 4", b: "1\n2\n3\n", c: "\n" }])],
  ["white space kept in an element that has nothing else", "<r><i><a> </a><b>  x </b></i></r>", ok([1, { a: " ", b: "  x " }])],
  ["prefixes as they are written, no columns of declarations", '<x:r xmlns:x="u" xmlns="v"><x:i xmlns:y="w" y:a="1"><y:b>2</y:b></x:i></x:r>', ok([1, { "@y:a": "1", "y:b": "2" }]), "/x:r/x:i"],
  ["a BOM and a declaration", '\uFEFF<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n<r><i/></r>', ok([2, {}])],
  ["a document type that declares nothing", '<!DOCTYPE r PUBLIC "-//x>" "http://127.0.0.1:9/x.dtd">\n<r><i/></r>', ok([2, {}])],
  ["columns named like properties of objects", "<r><i __proto__='1'><constructor>2</constructor></i></r>", ok([1, Object.fromEntries([["@__proto__", "1"], ["constructor", "2"]])])],
  ["values that look like other things", "<r><i><a>00123</a><b>1.10</b><c>NO</c><d>9007199254740993</d></i></r>", ok([1, { a: "00123", b: "1.10", c: "NO", d: "9007199254740993" }])],
  ["white space in tags", "<r ><i  a = '1' ><b\n/></i\t></r >", ok([1, { "@a": "1", b: "" }])],
  ["an element twice", "<r>\n<i><a>1</a><a>2</a></i></r>", bad("COLUMN", 2, "a")],
  ["an element with others twice", "<r><i><a><b>1</b></a><a><c>2</c></a></i></r>", bad("COLUMN", 1, "a")],
  ["an attribute twice", "<r><i a='1' a='2'/></r>", bad("COLUMN", 1, "@a")],
  ["an attribute twice around the records", "<r a='1' a='2'><i/></r>", bad("COLUMN", 1, "@a")],
  ["text beside elements", "<r><i>x<a/></i></r>", bad("SYNTAX", 1)],
  ["text behind elements", "<r><i><a/>x</i></r>", bad("SYNTAX", 1)],
  ["tags that do not match", "<r><i><a></b></i></r>", bad("SYNTAX", 1)],
  ["a tag that does not match around the records", "<r>\n<l></m></r>", bad("SYNTAX", 2)],
  ["a tag that begins like the right one", "<r><i><ab></a></i></r>", bad("SYNTAX", 1)],
  ["an entity that is not known", "<r><i><a>&nbsp;</a></i></r>", bad("SYNTAX", 1)],
  ["billion laughs", `<!DOCTYPE r [<!ENTITY a "x">${"bcdefgh".split("").map((name, at) => `<!ENTITY ${name} "${`&${"abcdefg"[at]};`.repeat(10)}">`).join("")}]>\n<r><i><a>&h;</a></i></r>`, bad("SYNTAX", 1)],
  ["an entity of a file", '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<r><i><a>&a;</a></i></r>', bad("SYNTAX", 1)],
  ["two roots", "<r/><r/>", bad("SYNTAX", 1)],
  ["text outside of the root", "<r/>\nx", bad("SYNTAX", 2)],
  ["no document", " ", bad("INCOMPLETE", 1)],
  ["a root that is not closed", "<r>\n<i/>\n", bad("INCOMPLETE", 3)],
  ["a record that is not closed", "<r>\n<i><a>1", bad("INCOMPLETE", 2)],
  ["a comment that is not closed", "<r/><!-- ", bad("INCOMPLETE", 1)],
  ["two hyphens in a comment", "<r><!-- a -- b --></r>", bad("SYNTAX", 1)],
  ["]]> in text", "<r><i>]]></i></r>", bad("SYNTAX", 1)],
  ["]]> around the records", "<r>]]></r>", bad("SYNTAX", 1)],
  ["a character that XML does not have", "<r><i>\u0001</i></r>", bad("SYNTAX", 1)],
  ["U+FFFE", "<r><i>\uFFFE</i></r>", bad("SYNTAX", 1)],
  ["a number of no character", "<r><i>&#0;</i></r>", bad("SYNTAX", 1)],
  ["half a surrogate by its number", "<r><i>&#xD800;</i></r>", bad("SYNTAX", 1)],
  ["an attribute without quotes", "<r><i a=1/></r>", bad("SYNTAX", 1)],
  ["an attribute without a value", "<r><i a/></r>", bad("SYNTAX", 1)],
  ["attributes without space between", "<r><i a='1'b='2'/></r>", bad("SYNTAX", 1)],
  ["< in an attribute", "<r><i a='<'/></r>", bad("SYNTAX", 1)],
  ["a declaration behind the beginning", ' <?xml version="1.0"?><r/>', bad("SYNTAX", 1)],
  ["another encoding", '<?xml version="1.0" encoding="ISO-8859-1"?><r/>', bad("ENCODING", 1)],
  ["129 levels", `<r><i>${"<a>".repeat(127)}${"</a>".repeat(127)}</i></r>`, bad("LIMIT", 1)],
  ["129 levels around the records", `${"<r>".repeat(129)}${"</r>".repeat(129)}`, bad("LIMIT", 1)],
  ["257 attributes", `<r><i ${Array.from({ length: 257 }, (_, index) => `a${index}="" `).join("")}/></r>`, bad("LIMIT", 1)],
  ["a name of 1,001 bytes", `<r><i><${"n".repeat(1_001)}/></i></r>`, bad("LIMIT", 1)],
];

for (const [name, document, expected, records = "/r/i"] of cases) {
  test(`XML: ${name}`, () => assert.deepEqual(read("reference", document, { records }), expected));
  test(`XML by the engine: ${name}`, () => assert.deepEqual(read("engine", document, { records }), expected));
  test(`XML cut at every byte: ${name}`, () => {
    const bytes = Buffer.from(document);
    assert.deepEqual(read("reference", bytes, { records, size: 1 }), expected);
    if (bytes.length < 2_000) assert.deepEqual(read("engine", bytes, { records, size: 1 }), expected);
  });
}

test("XML: bytes that are not UTF-8 are told with their line", () => {
  for (const by of ["reference", "engine"] as const) assert.deepEqual(read(by, Buffer.from("<r>\n<i>\xff</i></r>", "latin1")), { code: "ENCODING", line: 2 });
  for (const by of ["reference", "engine"] as const) assert.deepEqual(read(by, Buffer.from("\uFEFF<r/>", "utf16le")), { code: "ENCODING", line: 1 });
});

test("XML: elements that are declared as lists become JSON lists", () => {
  const document = '<r><i><t>a</t><t>b</t></i><i><t n="1">"c"</t></i><i><l><s>1</s><q><z/></q></l></i></r>';
  assert.deepEqual(read("reference", document, { lists: ["t", "l"] }), ok([1, { t: '["a","b"]' }], [1, { t: '[{"@n":"1","text()":"\\"c\\""}]' }], [1, { l: '[{"s":"1","q":{"z":""}}]' }]));
});

const name = fc.constantFrom("a", "b", "é", "x:y", "a-1");
const value = fc.string({ unit: fc.constantFrom("x", " ", "\n", "\r", "\t", "&", "<", ">", "]", "]]>", "'", '"', "é", "😀", "\uFFFD"), maxLength: 6 });
type Tree = { readonly name: string; readonly attributes: readonly (readonly [string, string])[]; readonly children: readonly Tree[]; readonly text: string };
const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({ tree: fc.record({ name, attributes: fc.uniqueArray(fc.tuple(name, value), { maxLength: 3, selector: ([key]) => key }), children: fc.oneof({ maxDepth: 2 }, fc.constant([]), fc.uniqueArray(tie("tree"), { maxLength: 3, selector: (child) => child.name })), text: value }) })).tree;
const written = (text: string, quote = ""): string => text.replace(/[&<>\r]|"/g, (character) => (character === '"' && quote === "" ? character : `&#${character.charCodeAt(0)};`)).replace(/[\n\t]/g, (character) => (quote === "" ? character : `&#${character.charCodeAt(0)};`));
const markup = ({ name: tag, attributes, children, text }: Tree): string => `<${tag}${attributes.map(([key, content]) => ` ${key}="${written(content, '"')}"`).join("")}>${children.length > 0 ? `\n${children.map((child) => markup(child)).join(" <!--x-->")}\n` : written(text)}</${tag}>`;
const cellsOf = ({ attributes, children, text }: Tree, path: string): readonly (readonly [string, string])[] => [
  ...attributes.map(([key, content]) => [`${path === "" ? "" : `${path}/`}@${key}`, content] as const),
  ...(children.length > 0 ? children.flatMap((child) => cellsOf(child, path === "" ? child.name : `${path}/${child.name}`)) : path !== "" ? [[path, text] as const] : text.trim() === "" ? [] : [["text()", text] as const]),
];

test("XML: whatever is written is read, by both readers, cut anywhere", () => {
  fc.assert(
    fc.property(fc.array(tree, { maxLength: 4 }), fc.integer({ min: 1, max: 40 }), (records, size) => {
      const named = records.map((record) => ({ ...record, name: "i" }));
      const document = `<r>${named.map((record) => markup(record)).join("")}</r>`;
      const expected = ok(...named.map((record): [number, Record<string, string>] => [0, Object.fromEntries(cellsOf(record, ""))]));
      for (const by of ["reference", "engine"] as const) {
        const result = read(by, document, { size });
        assert.deepEqual("rows" in result ? ok(...result.rows.map(([, values]): [number, Record<string, string>] => [0, { ...values }])) : result, expected, document);
      }
    }),
    { numRuns: 400 },
  );
});

test("XML: the engine reads what the reference reads and refuses what it refuses, on any text, and neither takes what saxes refuses", () => {
  const piece = fc.constantFrom("<r>", "</r>", "<i>", "</i>", "<i a='1'>", "<i/>", "<a>", "</a>", "<a/>", "<b c=\"", '"', "'", ">", "<", "/", "&lt;", "&#65;", "&x;", "&", ";", "]", "]]>", "<![CDATA[", "<!--", "-->", "--", "<?p", "?>", "<!DOCTYPE r>", "x", " ", "\n", "\r\n", "\r", "é", "=");
  // What saxes refuses and we do not, or the reverse, by intent: a prefix or an instruction is not looked into, and rows have rules of their own.
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), fc.boolean(), fc.integer({ min: 1, max: 30 }), (parts, wraps, size) => {
      const document = wraps ? `<r><i>${parts.join("")}</i></r>` : parts.join("");
      const reference = read("reference", document);
      const engine = read("engine", document, { size });
      assert.deepEqual(engine, reference, JSON.stringify(document));
      if ("rows" in reference) assert.equal(saxesRefuses(document), undefined, JSON.stringify(document));
    }),
    { numRuns: 4_000 },
  );
});

function saxesRefuses(document: string): string | undefined {
  let refused: string | undefined;
  const parser = new SaxesParser();
  parser.on("error", (error) => (refused ??= error.message));
  parser.write(document).close();
  return refused;
}

test("XML: what is wrong with a record is told by all of it, however it is cut", () => {
  const long = "x".repeat(100_000);
  for (const document of ["<r><i><i a='1'></i><i a='1'></i></r>", `<r><i><b a='1'/><b a='1'/>${long}</r>`, `<r><i><b a='1'/><b a='1'/>${long}</i></r>`]) {
    for (const size of [1, 7, 1_000, 70_001]) if (size > 1 || document.length < 1_000) assert.deepEqual(read("engine", document, { size }), read("reference", document), `${size}: ${document.slice(0, 60)}`);
  }
});

test("XML: a text of megabytes in one record comes out whole, however it is cut", () => {
  const long = "y&amp;".repeat(600_000);
  assert.deepEqual(read("engine", `<r><i><a>${long}</a></i></r>`, { size: 100_003 }), ok([1, { a: long.replaceAll("&amp;", "&") }]));
});

test("XML: a record without an end is refused at the limit, not kept", () => {
  const piece = Buffer.alloc(1_048_576, "x");
  const reader = createScannerReader({ format: "xml", records: ["r", "i"], lists: [] }, { onColumns: () => undefined, onRow: () => undefined });
  reader.push(Buffer.from("<r>\n<i><a>"));
  assert.throws(() => {
    for (let megabyte = 0; megabyte < 2_048; megabyte++) reader.push(piece);
  }, (error) => error instanceof ConversionError && error.code === "LIMIT" && error.line === 2);
});

test("XML: text around the records may be of any length", () => {
  const piece = Buffer.alloc(1_048_576, "x \n]");
  const rows: string[] = [];
  const reader = createScannerReader({ format: "xml", records: ["r", "i"], lists: [] }, { onColumns: () => undefined, onRow: (row) => rows.push(`${row.line} ${row.text("a") ?? ""}`) });
  reader.push(Buffer.from("<r><l>"));
  for (let megabyte = 0; megabyte < 40; megabyte++) reader.push(piece);
  reader.push(Buffer.from("</l><i><a>1</a></i></r>"));
  reader.end({ takeUnfinished: false });
  assert.deepEqual(rows, [`${40 * 262_144 + 1} 1`]);
});
