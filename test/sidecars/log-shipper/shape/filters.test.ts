import assert from "node:assert/strict";
import { test } from "node:test";
import type { MsgpackValue } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { Bench, batchOf, decodeAll, shapeRecords } from "./shaping.ts";

/** The fields f<from> to f<to - 1>, each with its number. */
const numbered = (from: number, to: number): Record<string, number> => Object.fromEntries(Array.from({ length: to - from }, (_, index) => [`f${from + index}`, from + index]));

const kept = (what: string, when: string, record: MsgpackValue): void => {
  test(`kept: ${what}`, () => assert.deepEqual(shapeRecords(`filters: [{ type: keep, when: ${when} }]`, [record]), [record]));
};
const dropped = (what: string, when: string, record: MsgpackValue): void => {
  test(`dropped: ${what}`, () => assert.deepEqual(shapeRecords(`filters: [{ type: keep, when: ${when} }]`, [record]), []));
};

kept("a text equal to the one wanted", "{ field: level, equals: info }", { a: 1, level: "info", z: [1, { b: 2 }] });
dropped("a text that only begins so", "{ field: level, equals: info }", { level: "information" });
dropped("a text in other letters", "{ field: level, equals: info }", { level: "INFO" });
kept("a text in other letters with ignoreCase", "{ field: level, equals: info, ignoreCase: true }", { level: "INFO" });
kept("a number written as in the settings", "{ field: status, equals: 500 }", { status: 500 });
kept("a number written with a fraction", "{ field: status, equals: 500 }", { status: 500.0 });
kept("the text of that number", "{ field: status, equals: 500 }", { status: "500" });
dropped("another text for that number", "{ field: status, equals: 500 }", { status: "500.0" });
kept("true", "{ field: ok, equals: true }", { ok: true });
dropped("false for true", "{ field: ok, equals: true }", { ok: false });
kept("null", '{ field: ok, equals: "null" }', { ok: null });
dropped("a map for a text", "{ field: ok, equals: x }", { ok: { x: 1 } });
kept("one of a list", "{ field: level, in: [warn, error] }", { level: "error" });
dropped("none of a list", "{ field: level, in: [warn, error] }", { level: "info" });
kept("a single text for a list", "{ field: level, in: error }", { level: "error" });
kept("a match in the middle", "{ field: path, matches: '/api/v[12]/' }", { path: "GET /api/v2/x" });
dropped("no match", "{ field: path, matches: '/api/v[12]/' }", { path: "GET /api/v3/x" });
kept("a match of a number's digits", "{ field: status, matches: '^5..$' }", { status: 503 });
kept("a match beyond ASCII", "{ field: who, matches: '^.é€😀$' }", { who: "xé€😀" });
dropped("a match on a map", "{ field: m, matches: x }", { m: { x: "x" } });
kept("a field that is there", "{ field: a, exists: true }", { a: null });
dropped("a field that is not there", "{ field: a, exists: true }", { b: 1 });
kept("the absence of a field", "{ field: a, exists: false }", { b: 1 });
dropped("a test on a field that is not there", "{ field: a, equals: x }", {});
kept("the opposite of a test on a field that is not there", "{ not: { field: a, equals: x } }", {});
kept("a number above", "{ field: ms, above: 100 }", { ms: 101 });
dropped("the bound itself with above", "{ field: ms, above: 100 }", { ms: 100 });
kept("the bound itself with atLeast", "{ field: ms, atLeast: 100 }", { ms: 100 });
kept("a negative number below", "{ field: ms, below: 0 }", { ms: -70_000 });
kept("a fraction between bounds", "{ field: ms, above: 0.1, atMost: 0.25 }", { ms: 0.25 });
kept("a 64-bit number", "{ field: ns, above: 1e18 }", { ns: 2 ** 62 });
kept("text that is a number", "{ field: ms, above: 100 }", { ms: " 1e3 " });
dropped("text that is no number", "{ field: ms, above: 100 }", { ms: "1000 ms" });
dropped("true as a number", "{ field: ms, atLeast: 0 }", { ms: true });
kept("a nested field", "{ field: http.request.method, equals: GET }", { http: { other: [1, 2], request: { x: "y", method: "GET" } } });
dropped("a nested field that is elsewhere", "{ field: http.method, equals: GET }", { http: { request: { method: "GET" } } });
kept("a field with a dot in its name", "{ field: http.method, equals: GET }", { "http.method": "GET", http: { method: "PUT" } });
kept("all of several", "{ all: [{ field: a, equals: 1 }, { field: b, exists: true }] }", { a: 1, b: 2 });
dropped("not quite all of several", "{ all: [{ field: a, equals: 1 }, { field: b, exists: true }] }", { a: 1 });
kept("one of several", "{ any: [{ field: a, equals: 1 }, { field: b, exists: true }] }", { b: 2 });
dropped("none of several", "{ any: [{ field: a, equals: 1 }, { field: b, exists: true }] }", { a: 2 });
kept("nested combinations", "{ all: [{ any: [{ field: a, equals: 1 }, { field: a, equals: 2 }] }, { not: { field: b, equals: x } }] }", { a: 2, b: "y" });
kept("a key of more than 31 bytes", `{ field: ${"k".repeat(40)}, equals: v }`, { [`x${"k".repeat(39)}`]: 1, ["k".repeat(40)]: "v" });
kept("the last of more than 64 fields", "{ field: f99, equals: 99 }", numbered(0, 100));

const shaped = (what: string, filters: string, record: MsgpackValue, expected: unknown): void => {
  test(what, () => {
    const [first, second, third] = shapeRecords(`filters: [${filters}]`, [{ plain: 1 }, record, { plain: 2 }]);
    assert.deepEqual(second, expected);
    assert.deepEqual([first, third], [shapeRecords(`filters: [${filters}]`, [{ plain: 1 }])[0], shapeRecords(`filters: [${filters}]`, [{ plain: 2 }])[0]], "its neighbours are as they are alone");
  });
};

shaped("rename keeps value and place", "{ type: rename, fields: { msg: message } }", { a: 1, msg: { deep: [1] }, z: 2 }, { a: 1, message: { deep: [1] }, z: 2 });
shaped("rename replaces a field of the new name, wherever it stands", "{ type: rename, fields: { msg: message } }", { message: "old", msg: "new", z: 1 }, { message: "new", z: 1 });
shaped("rename lifts a nested field out", "{ type: rename, fields: { http.status: status } }", { http: { status: 200, x: 1 } }, { http: { x: 1 }, status: 200 });
shaped("rename swaps nothing by accident: one after another", "{ type: rename, fields: { a: b, b: c } }", { a: 1 }, { c: 1 });
shaped("rename to a name of more than 31 bytes", `{ type: rename, fields: { a: ${"n".repeat(50)} } }`, { a: "x" }, { ["n".repeat(50)]: "x" });
shaped("remove takes fields and nested fields out", "{ type: remove, fields: [a, m.x, m.y, gone] }", { a: 1, m: { x: 1, y: 2, z: 3 }, b: 2 }, { m: { z: 3 }, b: 2 });
shaped("remove empties a map of more than 15 fields to 15", "{ type: remove, fields: [m.f3, f1] }", { m: numbered(0, 17), f1: 1 }, { m: { ...numbered(0, 3), ...numbered(4, 17) } });
shaped("add sets constants of all kinds", "{ type: add, fields: { env: prod, port: 8080, share: 0.5, on: true, list: [1, a], map: { k: v } } }", { a: 1, env: "dev" }, { a: 1, env: "prod", port: 8080, share: 0.5, on: true, list: [1, "a"], map: { k: "v" } });
shaped("add leaves what is there with replace: false", "{ type: add, replace: false, fields: { env: prod, a: 2 } }", { env: "dev" }, { env: "dev", a: 2 });
shaped("add crosses the 15 fields that a small map can have", "{ type: add, fields: { f15: 1, f16: 2 } }", numbered(0, 15), { ...numbered(0, 15), f15: 1, f16: 2 });
shaped("a filter sees what those before it did", "{ type: add, fields: { a: x } }, { type: rename, fields: { a: b } }, { type: redact, fields: [b], patterns: [x], replacement: y }, { type: keep, when: { any: [{ field: b, equals: y }, { field: plain, exists: true }] } }", { z: 1 }, { z: 1, b: "y" });
shaped("when restricts a filter", "{ type: remove, fields: [a], when: { field: b, equals: 1 } }", { a: 1, b: 2 }, { a: 1, b: 2 });

shaped("redact replaces all matches in the fields given", "{ type: redact, fields: [msg, user.mail], patterns: ['pw=\\S+'] }", { msg: "pw=a pw=b", user: { mail: "pw=c", other: "pw=d" }, x: "pw=e" }, { msg: "[redacted] [redacted]", user: { mail: "[redacted]", other: "pw=d" }, x: "pw=e" });
shaped("redact looks everywhere without fields", "{ type: redact, patterns: ['pw=\\S+'], replacement: '' }", { a: "pw=1", b: [["x pw=2"], { c: { d: "pw=3", "pw=key": 1 } }], n: 5 }, { a: "", b: [["x "], { c: { d: "", "pw=key": 1 } }], n: 5 });
shaped("redact knows groups", "{ type: redact, fields: [a], patterns: ['(user)=(?<name>\\w)\\w*'], replacement: '$1:$<name>***$$' }", { a: "user=alice" }, { a: "user:a***$" });
shaped("redact finds in numbers what their digits hold", "{ type: redact, fields: [card, other], presets: [credit-card] }", { card: 4_111_111_111_111_111, other: 42 }, { card: "[redacted]", other: 42 });
shaped("redact finds what an earlier filter has put in", "{ type: add, fields: { a: 'pw=1' } }, { type: redact, fields: [a], patterns: ['pw=\\d'] }, { type: redact, fields: [a], patterns: ['ed'], replacement: ED }", { z: 1 }, { z: 1, a: "[rEDactED]" });
shaped("redact runs patterns one after another", "{ type: redact, fields: [a], patterns: [one, two], replacement: two }", { a: "one" }, { a: "two" });
shaped("redact beyond ASCII", "{ type: redact, fields: [a], patterns: ['ключ=\\S+'] }", { a: "é ключ=тайна 😀" }, { a: "é [redacted] 😀" });
shaped("redact keeps a text that begins a list of more than 15", "{ type: redact, patterns: [s] }", { l: Array.from({ length: 20 }, (_, index) => (index === 3 ? "s" : index)) }, { l: Array.from({ length: 20 }, (_, index) => (index === 3 ? "[redacted]" : index)) });

test("Whatever pattern is looked for, a redaction changes what String.replace does", () => {
  const patterns = ["token=\\w+", "(?i:Token)=\\w+", "a|bc", "[^a]b?", "(a?)b\\1", "\\bword\\b", "^.", ".$", "(?<=x)y", "x(?!y)", "é+", "\\u00e9", "\\x41", "\\d{3}-?\\d", "(?:ab)+c", "\\.\\*", "[\\]x]", "k{2,}", "\\p{2}"];
  const texts = ["", "a", "token=1", "TOKEN=2", "bcb", "aba", "a word.", "xy xz", "éé", "A123-4", "ababc", ".*]", "kkk", "pp", "p".repeat(300), "long ".repeat(20)];
  const records = texts.map((text) => ({ first: text, n: 1234, second: `${text}token=${text}` }));
  for (const pattern of patterns) {
    const replaced = (text: string): string => text.replaceAll(RegExp(pattern, "g"), "#");
    const expected = records.map(({ first, second }) => ({ first: replaced(first), n: replaced("1234") === "1234" ? 1234 : replaced("1234"), second: replaced(second) }));
    assert.deepEqual(shapeRecords(`filters: [{ type: redact, patterns: [${JSON.stringify(pattern)}], replacement: "#" }]`, records), expected, pattern);
    // In the order of the fields given, which is not that of the record.
    assert.deepEqual(shapeRecords(`filters: [{ type: redact, fields: [second, n, first], patterns: [${JSON.stringify(pattern)}], replacement: "#" }]`, records), expected, pattern);
    assert.deepEqual(shapeRecords(`filters: [{ type: keep, when: { field: second, matches: ${JSON.stringify(pattern)} } }]`, records), records.filter(({ second }) => RegExp(pattern).test(second)), pattern);
  }
});

test("Redact finds what stands anywhere in a text of any length", () => {
  const long = `${"word ".repeat(4_000)}pw=secret ${"x".repeat(20_000)} pw=other`;
  assert.deepEqual(shapeRecords("filters: [{ type: redact, fields: [a], patterns: ['pw=\\S+'], replacement: '#' }]", [{ a: long }]), [{ a: long.replaceAll(/pw=\S+/g, "#") }]);
});

const preset = (name: string, text: string, expected: string): void => {
  test(`preset ${name}: ${text}`, () => assert.deepEqual(shapeRecords(`filters: [{ type: redact, presets: [${name}], replacement: "$1" }]`, [{ a: text }]), [{ a: expected }]));
};
preset("email", "mail to jane.doe+x@mail.example.org now", "mail to $1 now");
preset("email", "not@mail, a@b.c", "not@mail, $1");
preset("credit-card", "card 4111 1111 1111 1111.", "card $1.");
preset("credit-card", "card 4111-1111-1111-1112.", "card 4111-1111-1111-1112.");
preset("credit-card", "378282246310005", "$1");
preset("credit-card", "order-4111111111111111", "order-4111111111111111");
preset("bearer-token", "Authorization: Bearer abc.def-ghi_123==", "Authorization: Bearer $1");
preset("bearer-token", "authorization=Basic dXNlcjpwYXNz", "authorization=Basic $1");
preset("jwt", "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP x", "t=$1 x");
preset("url-password", "postgres://app:s3cr3t@db:5432/x", "postgres://app:$1@db:5432/x");
preset("url-password", "http://host:80/path@x", "http://host:80/path@x");
preset("ipv4", "from 10.0.0.12:443 and 256.1.1.1", "from $1:443 and 256.1.1.1");
preset("aws-access-key", "key AKIAIOSFODNN7EXAMPLE", "key $1");
preset("private-key", "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- end", "$1 end");

test("Filters with tags leave records of other tags alone", () => {
  const filters = "filters: [{ type: drop, tags: ['app.*', web], when: { field: a, exists: true } }]";
  for (const [tag, passes] of [["app.x", false], ["app.x.y", false], ["app", true], ["web", false], ["webs", true], ["x.app.y", true]] as const) assert.equal(shapeRecords(filters, [{ a: 1 }], { tag }).length === 1, passes, tag);
});

test("Dropped records are counted by filter and their bytes are told", () => {
  const bench = new Bench("filters: [{ type: drop, name: noise, when: { field: l, equals: debug } }, { type: drop, when: { field: l, equals: trace } }]");
  const { outlets, filteredBytes, memory } = bench.shape(batchOf([{ l: "debug" }, { l: "info" }, { l: "trace" }, { l: "debug" }]), { from: 1000 });
  assert.equal(filteredBytes, 270);
  assert.deepEqual(outlets.map(({ records, spans }) => ({ records, spans: [...spans] })), [{ records: 1, spans: [100, 90] }]);
  assert.deepEqual(bench.told, { filtered: { noise: 2, "drop-1": 1 }, routed: { all: 1 }, unrouted: 0, untimed: 0 });
  assert.equal(memory, undefined);
});

test("Untouched records are the same bytes, whatever form a client has given them", () => {
  // A 64-bit 1, a long header for a short text, an integer key, a name twice: valid, and nobody's business.
  const odd = Buffer.from([0x92, 0xce, 0, 0, 0, 1, 0xde, 0, 4, 0xa1, 0x61, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1, 0xd9, 1, 0x62, 0xda, 0, 1, 0x63, 0x05, 0x06, 0xa1, 0x61, 0x01]);
  const batch = { entries: Buffer.concat([odd, odd]), records: 2, spans: Uint32Array.from([0, 10, 10, 10]) };
  const { outlets } = new Bench("filters: [{ type: drop, when: { field: zz, exists: true } }]").shape(batch);
  assert.deepEqual(outlets[0]?.entries, batch.entries);
  const [renamed] = new Bench("filters: [{ type: rename, fields: { b: B } }]").shape(batch).outlets;
  assert.deepEqual(renamed?.entries.subarray(0, 21), Buffer.from([0x92, 0xce, 0, 0, 0, 1, 0x84, 0xa1, 0x61, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1, 0xa1, 0x42, 0xda]));
});

test("A name given twice counts once, with its last value, for whoever speaks of it", () => {
  const twice = Buffer.from([0x92, 0xd7, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x83, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02, 0xa1, 0x62, 0x03]);
  const batch = { entries: twice, records: 1, spans: Uint32Array.from([0, 10]) };
  assert.deepEqual(decodeAll(new Bench("filters: [{ type: remove, fields: [a] }]").shape(batch).outlets[0]).map(({ record }) => record), [{ b: 3 }]);
  assert.deepEqual(decodeAll(new Bench("filters: [{ type: keep, when: { field: a, equals: 2 } }]").shape(batch).outlets[0]).map(({ record }) => record), [{ a: 2, b: 3 }]);
});
