import assert from "node:assert/strict";
import { test } from "node:test";
import { ConversionError } from "../../../../../sidecars/format-adapter/conversion-error.ts";
import { convertText } from "../../../../../sidecars/format-adapter/convert.ts";
import { isSameNumber } from "../../../../../sidecars/format-adapter/formats/avro/avro-encoder.ts";
import type { Mapping } from "../../../../../sidecars/format-adapter/mapping/mapping.ts";
import { mappingOf, parseConfig } from "../../support.ts";
import { convert, fileByOracle, plain, valuesByOracle } from "./support.ts";

const columns = "id: int64, amount: decimal(4)?, ok: bool?, day: date?, at: timestamp?, rate: number?, name: string, note: string?";
const fields = "{id: id, amount: amount, ok: ok, day: day, at: at, rate: rate, name: name, note: note, code: code}";
const toAvro = (more = ""): Mapping => mappingOf({ in: `{format: ndjson, columns: {${columns}}}`, out: `{format: avro, ${more} file: "/o/{name}"}`, fields });
const toNdjson = mappingOf({ in: `{format: avro, columns: {${columns}}}`, out: '{format: ndjson, file: "/o/{name}"}', fields });
const records = [
  '{"id":9223372036854775807,"amount":1234567890123456789012345678901234.5600,"ok":true,"day":"2026-11-21","at":"2026-01-02T03:04:05.123456Z","rate":0.1,"name":"Zoë 🎈","note":"","code":"00123"}',
  '{"id":-9223372036854775808,"amount":-0.0001,"ok":false,"day":"1901-01-01","at":"1969-12-31T23:59:59.999999Z","rate":-5e-324,"name":"b","note":null,"code":"no"}',
  '{"id":9007199254740993,"amount":null,"ok":null,"day":null,"at":null,"rate":null,"name":"x","note":"y","code":null}',
].map((line) => `${line}\n`).join("");

for (const codec of ["none", "deflate", "zstd"]) {
  test(`${codec}: what was written is read back exactly, and written the same again`, async () => {
    const bytes = await convert(toAvro(`codec: ${codec},`), Buffer.from(records));
    assert.equal((await convert(toNdjson, bytes)).toString(), records);
    assert.ok(bytes.equals(await convert(toAvro(`codec: ${codec},`), Buffer.from(records))));
  });
}

test("avsc reads the schema and the values", async () => {
  const { schema, values } = await valuesByOracle(await convert(toAvro('name: Order, namespace: com.example, doc: "An order.", codec: deflate,'), Buffer.from(records)));
  const optional = (type: unknown): unknown => ["null", type];
  const field = (name: string, type: unknown): unknown => (Array.isArray(type) ? { name, type, default: null } : { name, type });
  assert.deepEqual(schema, {
    type: "record", name: "Order", namespace: "com.example", doc: "An order.",
    fields: [
      field("id", "long"), field("amount", optional({ type: "bytes", logicalType: "decimal", precision: 38, scale: 4 })), field("ok", optional("boolean")),
      field("day", optional({ type: "int", logicalType: "date" })), field("at", optional({ type: "long", logicalType: "timestamp-micros" })), field("rate", optional("double")),
      field("name", "string"), field("note", optional("string")), field("code", optional("string")),
    ],
  });
  assert.deepEqual(plain(values[0]), {
    id: 9_223_372_036_854_775_807n, amount: { bytes: 12_345_678_901_234_567_890_123_456_789_012_345_600n }, ok: { boolean: true }, day: { int: 20_778 },
    at: { long: 1_767_323_045_123_456 }, rate: { double: 0.1 }, name: "Zoë 🎈", note: { string: "" }, code: { string: "00123" },
  });
  assert.deepEqual(plain(values[2]), { id: 9_007_199_254_740_993n, amount: null, ok: null, day: null, at: null, rate: null, name: "x", note: { string: "y" }, code: null });
});

test("points in names make records within records", async () => {
  const mapping = mappingOf({ in: "{format: ndjson, columns: {id: int64, city: string, street: string}}", out: '{format: avro, name: Order, namespace: a.b, file: "/o/{name}"}', fields: "{id: id, to.place.city: city, to.place.zip: {const: x}, to.street: street}" });
  const bytes = await convert(mapping, Buffer.from('{"id":1,"city":"Bonn","street":"S"}\n'));
  const { schema, values } = await valuesByOracle(bytes);
  assert.deepEqual(values.map((value) => plain(value)), [{ id: 1n, to: { place: { city: "Bonn", zip: { string: "x" } }, street: "S" } }]);
  assert.match(JSON.stringify(schema), /"name":"to","type":\{"type":"record","name":"to","namespace":"a\.b\.Order","fields":\[\{"name":"place","type":\{"type":"record","name":"place","namespace":"a\.b\.Order\.to"/);
  const back = mappingOf({ in: "{format: avro, columns: {id: int64, to.place.city: string, to.place.zip: string, to.street: string}}", out: '{format: csv, file: "/o/{name}"}', fields: "{id: id, city: to.place.city, street: to.street}" });
  assert.equal((await convert(back, bytes)).toString(), "id,city,street\n1,Bonn,S\n");
});

test("many records make several blocks; none make a header, with a sync marker by the content", async () => {
  const lines = Array.from({ length: 30_000 }, (_, index) => `{"id":${index},"code":"${"c".repeat(index % 9)}"}\n`).join("");
  const mapping = (input: string, output: string): Mapping => mappingOf({ in: `{format: ${input}, columns: {id: int64, code: string?}}`, out: `{format: ${output}, file: "/o/{name}"}`, fields: "{id: id, code: code}" });
  const bytes = await convert(mapping("ndjson", "avro"), Buffer.from(lines));
  const sync = bytes.subarray(-16);
  assert.ok([...bytes.keys()].filter((at) => bytes.subarray(at, at + 16).equals(sync)).length > 3);
  assert.ok((await convert(mapping("avro", "ndjson"), bytes)).equals(Buffer.from(lines)));
  const empty = await convert(mapping("ndjson", "avro"), Buffer.alloc(0));
  assert.equal((await valuesByOracle(empty)).values.length, 0);
  assert.equal((await convert(mapping("avro", "csv"), empty)).toString(), "id,code\n");
  const other = await convert(mapping("ndjson", "avro"), Buffer.from(lines.replace("0", "7")));
  assert.ok(!other.subarray(-16).equals(sync) && !empty.subarray(-16).equals(sync));
});

async function faultOf(mapping: Mapping, text: string): Promise<Pick<ConversionError, "code" | "line" | "column">> {
  try {
    await convert(mapping, Buffer.from(text));
    return assert.fail("converted");
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    const { code, line, column } = error;
    return { code, line, column };
  }
}

test("values that the type cannot hold are refused with their line", async () => {
  const mapping = mappingOf({ in: "{format: ndjson, columns: {amount: decimal(4)?, at: timestamp?, rate: number?}}", out: '{format: avro, file: "/o/{name}"}', fields: "{amount: amount, at: at, rate: rate}" });
  const good = '{"amount":1,"at":"2026-01-01T00:00:00Z","rate":1.10}\n';
  for (const [bad, column] of [['{"amount":12345678901234567890123456789012345,"at":null,"rate":null}', "amount"], ['{"amount":1,"at":"2026-01-01T00:00:00.0000001Z","rate":null}', "at"], ['{"amount":1,"at":null,"rate":0.12345678901234567890}', "rate"]]) {
    assert.deepEqual(await faultOf(mapping, `${good}${bad}\n`), { code: "CAST", line: 2, column });
  }
});

test("a record that is left out leaves nothing behind", async () => {
  const mapping = mappingOf({ in: "{format: ndjson, columns: {name: string, rate: number}}", out: '{format: avro, file: "/o/{name}"}', fields: "{name: name, rate: rate}", more: "onError: {skip-row: {max: 5}}" });
  const bytes = await convert(mapping, Buffer.from('{"name":"a","rate":1}\n{"name":"b","rate":0.12345678901234567890}\n{"name":"c","rate":2}\n'));
  assert.deepEqual((await valuesByOracle(bytes)).values.map((value) => plain(value)), [{ name: "a", rate: 1 }, { name: "c", rate: 2 }]);
});

test("numbers are the same when no digit is lost", () => {
  for (const [left, right] of [["1.10", "1.1"], ["1e21", "1e+21"], ["100", "1e2"], ["0.001", "1e-3"], ["-0", "0"], ["0.000", "0"], ["-5e-324", "-5e-324"]] as const) assert.ok(isSameNumber(left, right), `${left} ${right}`);
  for (const [left, right] of [["1.1", "1.10000000000000001"], ["1", "-1"], ["10", "1"], ["9007199254740993", "9007199254740992"], ["1", "Infinity"]] as const) assert.ok(!isSameNumber(left, right), `${left} ${right}`);
});

test("names that Avro does not allow are told with the configuration", () => {
  const config = (out: string, fields: string): string => `watch: {dir: /in}\nmappings:\n  m:\n    in: {format: csv}\n    out: {format: avro, file: "/o/{name}", ${out}}\n    fields: ${fields}\n`;
  const problems = (text: string): string => {
    const outcome = parseConfig(text);
    return "problems" in outcome ? outcome.problems.join("\n") : "";
  };
  assert.match(problems(config("", "{order id: id}")), /"order id" is no name in Avro/);
  assert.match(problems(config("", "{a.b: id, c: id, a.d: id}")), /let its fields follow each other/);
  assert.match(problems(config("name: 1st", "{a: id}")), /out\.name: expected a name of letters/);
  assert.match(problems(config("namespace: a..b", "{a: id}")), /expected names with points/);
  assert.match(problems(config("codec: snappy", "{a: id}")), /expected one of deflate, none, zstd/);
  assert.equal(problems(config("", "{a.b: id, a.c: id}")), "");
});

test("examples and detection know Avro", async () => {
  const mapping = mappingOf({ in: "{format: avro, columns: {id: int64}}", out: '{format: avro, file: "/o/{name}"}', fields: "{a.id: id}" });
  assert.deepEqual(convertText(mapping, '{"id":1}\n'), { kind: "converted", text: '{"a":{"id":1}}\n', rows: 1 });
  const { parseAdapter } = await import("../../support.ts");
  const { chooseMapping } = await import("../../../../../sidecars/format-adapter/detect/detection.ts");
  const adapter = parseAdapter(`watch: {dir: /in}
detect: [{when: {header: [id, discount]}, use: v3}, {when: {value: {column: version, is: ["2"]}}, use: v2}]
mappings:
  v3: {in: {format: avro}, out: {format: csv, file: "/o/{name}"}, fields: {id: id}}
  v2: {in: {format: avro}, out: {format: csv, file: "/o/{name}"}, fields: {id: id}}
`);
  const schema = (name: string): unknown => ({ type: "record", name: "R", fields: [{ name: "id", type: "long" }, { name, type: "string" }] });
  const chosen = async (bytes: Buffer): Promise<string> => {
    const choice = chooseMapping(adapter, "r.avro", bytes, true);
    return choice.kind === "chosen" ? choice.mapping.name : "";
  };
  assert.equal(await chosen(await fileByOracle(schema("discount"), [{ id: 1n, discount: "x" }])), "v3");
  assert.equal(await chosen(await fileByOracle(schema("version"), [{ id: 1n, version: "2" }])), "v2");
  await assert.rejects(async () => await chosen(await fileByOracle(schema("version"), [{ id: 1n, version: "4" }])), { code: "VERSION" });
});
