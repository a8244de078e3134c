// Contents of XML that readers are known to be attacked or deceived with, and what becomes of each.
import assert from "node:assert/strict";
import { test } from "node:test";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { contentTable } from "./content.ts";
import { mappingOf } from "./support.ts";

const nested = (depth: number): string => `<r><i>${"<a>".repeat(depth)}x${"</a>".repeat(depth)}</i></r>`;
const laughs = '<?xml version="1.0"?>\n<!DOCTYPE r [\n<!ENTITY a "ha">\n<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">\n<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">\n]>\n<r><i><a>&c;</a></i></r>';

for (const [by, input] of [["engine", "{format: xml, records: /r/i, strict: false}"], ["reader", '{format: xml, records: /r/i, strict: false, lists: ["none"]}']] as const) {
  contentTable({ in: input, fields: "{a: {from: a, default: none}}" }, ([
    ["billion laughs", laughs, { code: "SYNTAX", line: 2 }],
    ["quadratic blow-up", `<!DOCTYPE r [<!ENTITY a "${"x".repeat(5_000)}">]>\n<r><i><a>${"&a;".repeat(5_000)}</a></i></r>`, { code: "SYNTAX", line: 1 }],
    ["XXE: a file as an entity", '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<r><i><a>&x;</a></i></r>', { code: "SYNTAX", line: 1 }],
    ["XXE: parameter entities", '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>\n<r/>', { code: "SYNTAX", line: 1 }],
    ["an external document type is not fetched", '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">\n<r><i><a>1</a></i></r>', '{"a":"1"}\n'],
    ["entities that nothing declares", "<r>\n<i><a>&nbsp;</a></i></r>", { code: "SYNTAX", line: 2 }],
    ["128 levels", nested(125).replace("<i>", "<i><b/>"), '{"a":"none"}\n'],
    ["more levels", nested(127), { code: "LIMIT", line: 1 }],
    ["100,000 levels", nested(100_000), { code: "LIMIT", line: 1 }],
    ["100,000 levels that are not closed", `<r><i>${"<a>".repeat(100_000)}`, { code: "LIMIT", line: 1 }],
    ["100,000 levels around the records", `<r>${"<b>".repeat(100_000)}`, { code: "LIMIT", line: 1 }],
    ["mismatched tags", "<r>\n<i><a>1</b></i></r>", { code: "SYNTAX", line: 2 }],
    ["mismatched tags around the records", "<r><g>\n</r></g>", { code: "SYNTAX", line: 2 }],
    ["tags that overlap", "<r><i><a>1<b>2</a></b></i></r>", { code: "SYNTAX", line: 1 }],
    ["the root is not closed", "<r><i><a>1</a></i>\n", { code: "INCOMPLETE", line: 2 }],
    ["a record is not closed", "<r>\n<i><a>1", { code: "INCOMPLETE", line: 2 }],
    ["nothing", "", { code: "INCOMPLETE", line: 1 }],
    ["two roots", "<r/>\n<r/>", { code: "SYNTAX", line: 2 }],
    ["text behind the root", "<r/>\nx", { code: "SYNTAX", line: 2 }],
    ["CDATA in pieces, with what would end it", "<r><i><a><![CDATA[a]]]]><![CDATA[>b]]>c<![CDATA[<d>&amp;]]></a></i></r>", '{"a":"a]]>bc<d>&amp;"}\n'],
    ["CDATA that is not closed", "<r><i><a><![CDATA[x]]</a></i></r>", { code: "INCOMPLETE", line: 1 }],
    ["]]> in text", "<r><i><a>x]]>y</a></i></r>", { code: "SYNTAX", line: 1 }],
    ["two hyphens in a comment", "<r><!-- a -- b --></r>", { code: "SYNTAX", line: 1 }],
    ["prefixes are part of the names", '<r xmlns:p="u"><i><p:a>0</p:a><a>1</a></i></r>', '{"a":"1"}\n'],
    ["a default namespace changes no names", '<r xmlns="u"><i><a>1</a></i></r>', '{"a":"1"}\n'],
    ["an attribute twice", '<r>\n<i k="1" k="2"/></r>', { code: "COLUMN", line: 2, column: "@k" }],
    ["an element twice in one record", "<r><i><a>1</a><a>2</a></i></r>", { code: "COLUMN", line: 1, column: "a" }],
    ["text beside elements", "<r><i>x<a>1</a></i></r>", { code: "SYNTAX", line: 1 }],
    ["an attribute without quotes", "<r><i k=1/></r>", { code: "SYNTAX", line: 1 }],
    ["< in an attribute", '<r><i k="<"/></r>', { code: "SYNTAX", line: 1 }],
    ["& alone", "<r><i><a>a & b</a></i></r>", { code: "SYNTAX", line: 1 }],
    ["characters by number", "<r><i><a>&#65;&#x1F600;&#10;</a></i></r>", '{"a":"A😀\\n"}\n'],
    ["a character by number that XML does not have", "<r><i><a>&#0;</a></i></r>", { code: "SYNTAX", line: 1 }],
    ["half a pair by number", "<r><i><a>&#xD83D;&#xDE00;</a></i></r>", { code: "SYNTAX", line: 1 }],
    ["a number beyond Unicode", "<r><i><a>&#x110000;</a></i></r>", { code: "SYNTAX", line: 1 }],
    ["a reference of a million digits", `<r><i><a>&#${"0".repeat(1_000_000)}65;</a></i></r>`, { code: "SYNTAX", line: 1 }],
    ["NUL", "<r><i><a>\u0000</a></i></r>", { code: "SYNTAX", line: 1 }],
    ["U+FFFE", "<r><i><a>\uFFFE</a></i></r>", { code: "SYNTAX", line: 1 }],
    ["ISO-8859-1 by its declaration", Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?>\n<r><i><a>\xe9</a></i></r>', "latin1"), { code: "ENCODING", line: 1 }],
    ["bytes that are no UTF-8", Buffer.from("<r>\n<i><a>\xe9</a></i></r>", "latin1"), { code: "ENCODING", line: 2 }],
    ["UTF-16 with a mark", Buffer.from('\uFEFF<?xml version="1.0" encoding="UTF-16"?><r/>', "utf16le"), { code: "ENCODING", line: 1 }],
    ["UTF-16, the other way round", Buffer.from('\uFEFF<?xml version="1.0"?><r/>', "utf16le").swap16(), { code: "ENCODING", line: 1 }],
    ["UTF-8 with a mark", '\uFEFF<?xml version="1.0" encoding="UTF-8"?><r><i><a>é</a></i></r>', '{"a":"é"}\n'],
    ["XML 2.0", '<?xml version="2.0"?><r/>', { code: "SYNTAX", line: 1 }],
    ["a declaration that is not at the beginning", '\n<?xml version="1.0"?><r/>', { code: "SYNTAX", line: 2 }],
    ["line ends are LF, and white space in attributes is spaces", "<r>\r\n<i><a>1\r\n2\r3</a></i>\r</r>", '{"a":"1\\n2\\n3"}\n'],
    ["values that look like other things", "<r><i><a>00123</a></i><i><a>1.10</a></i><i><a>NO</a></i><i><a> </a></i><i><a/></i></r>", '{"a":"00123"}\n{"a":"1.10"}\n{"a":"NO"}\n{"a":" "}\n{"a":"none"}\n'],
  ] as const).map(([name, content, expected]) => [`${by}: ${name}`, content, expected] as const));
}

// Reports without records: an empty one is one, another kind of report is not.
const place = (line: number, column: string): { readonly code: string; readonly line: number; readonly column: string } => ({ code: "COLUMN", line, column });
for (const [by, more] of [["engine", ""], ["reader", ', lists: ["none"]']] as const) {
  const input = (records: string, strict = true): string => `{format: xml, records: ${records}, strict: ${strict}${more}}`;
  contentTable({ in: input("/r/i"), fields: "{a: a}", out: '{format: csv, file: "/o/{name}"}' }, ([
    ["an empty report", "<r/>", "a\n"],
    ["an empty report with a closing tag", "<?xml version='1.0'?>\n<!DOCTYPE r>\n<r x='1'> <!-- <q/> -->\n</r>\n", "a\n"],
    ["another root", "<?xml version='1.0'?>\n<!-- x -->\r\n<?p?><q><i><a>1</a></i></q>", place(3, "/r/i")],
    ["another root that is empty", "\n<q/>\n", place(2, "/r/i")],
    ["another root, strict or not", "<q><i><a>1</a></i></q>", place(1, "/r/i"), input("/r/i", false)],
    ["another root around the right one", "<q>\n<r><i><a>1</a></i></r></q>", place(1, "/r/i")],
    ["records of another name", "<r>\n<item><a>1</a></item>\n<item><a>2</a></item></r>", place(2, "/r/i")],
    ["records of another name, not strict", "<r><item><a>1</a></item></r>", "a\n", input("/r/i", false)],
    ["other elements before the records", "<r><x><i/></x><y/>\n<i><a>1</a></i></r>", "a\n1\n"],
    ["other elements behind the records", "<r><i><a>1</a></i><x/></r>", "a\n1\n"],
    ["a record alone that has another name", "<q><a>1</a></q>", place(1, "/r"), input("/r", false)],
    ["an element around the records is missing", "<r>\n<x/>\n<y><i><a>1</a></i></y></r>", place(2, "/r/g/i"), input("/r/g/i", false)],
    ["the root is empty, the records stand deeper", "\n<r></r>", place(2, "/r/g/i"), input("/r/g/i", false)],
    ["an empty element around the records, among others", "<r><x/><g/><y/></r>", "a\n", input("/r/g/i")],
    ["the second of the elements around the records has others", "<r><g></g>\n<g><x/></g></r>", place(2, "/r/g/i"), input("/r/g/i")],
    ["markup that looks like elements", "<!DOCTYPE r SYSTEM '>'>\n<r a='/>'><!-- <g> --><?p <g> ?><![CDATA[<g>]]>\n<x y=\"/>\" z='\"'/></r>", place(3, "/r/g/i"), input("/r/g/i", false)],
    ["an element of that name elsewhere", "<r><x><g><i><a>1</a></i></g></x></r>", place(1, "/r/g/i"), input("/r/g/i", false)],
    ["what is not XML is told first", "<q>\n<i></q>", { code: "SYNTAX", line: 2 }],
    ["another root that is not closed", "<q>\n<i/>", { code: "INCOMPLETE", line: 2 }],
  ] as const).map(([name, content, expected, other]) => [`${by}, no records: ${name}`, content, expected, other ?? input("/r/i")] as const));
}
contentTable({ in: '{format: xml, records: "/o:r/o:i", namespaces: {o: "urn:o"}, envelope: {t: "../o:info/@t"}}', fields: "{a: {from: \"o:a\", default: none}, t: t}" }, [
  ["reader, no records: what in.envelope names may stand there", '<r xmlns="urn:o"><info t="1"/></r>', ""],
  ["reader, no records: another element may not", '<r xmlns="urn:o"><info t="1"/>\n<more/></r>', place(2, "/o:r/o:i")],
  ["reader, no records: a root of another namespace", '<r xmlns="urn:x"><i><a>1</a></i></r>', place(1, "/o:r/o:i")],
]);

test("the message of a report of another kind names what was met", () => {
  for (const more of ["", ', lists: ["none"]']) {
    const message = (content: string): string => {
      const outcome = convertText(mappingOf({ in: `{format: xml, records: /r/g/i${more}}`, fields: "{a: a}" }), content);
      return outcome.kind === "failed" ? outcome.error.message : "";
    };
    assert.match(message("<q/>"), /no element \/r, .*its root is <q>/);
    assert.match(message("<r><x/></r>"), /no element \/r\/g, .*<x> stands there/);
    assert.match(message("<r/>"), /no element \/r\/g, but its records are to be \/r\/g\/i$/);
    assert.match(message("<r><g><item/></g></r>"), /no record \/r\/g\/i, but <item>/);
  }
});
