import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { MsgpackWriter } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { JsonWriter } from "../../../../sidecars/log-shipper/sinks/json-writer.ts";
import { KeyNames } from "../../../../sidecars/log-shipper/sinks/key-names.ts";

function jsonOf(bytes: Uint8Array): string {
  const writer = new JsonWriter(1);
  const end = writer.value(bytes, 0);
  assert.equal(end, bytes.length, "all of the value is read");
  return writer.bytes().toString("utf8");
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

const cases: readonly { readonly name: string; readonly bytes: Uint8Array; readonly json: string }[] = [
  { name: "nothing", bytes: hex("c0"), json: "null" },
  { name: "the smallest and largest short integers", bytes: hex("93 00 7f e0"), json: "[0,127,-32]" },
  { name: "unsigned integers of every width", bytes: hex("94 ccff cdffff ceffffffff cfffffffffffffffff"), json: "[255,65535,4294967295,18446744073709551615]" },
  { name: "signed integers of every width", bytes: hex("94 d080 d18000 d280000000 d38000000000000000"), json: "[-128,-32768,-2147483648,-9223372036854775808]" },
  { name: "an integer just beyond 2^53", bytes: hex("cf 0020000000000001"), json: "9007199254740993" },
  { name: "a whole float", bytes: hex("cb 3ff0000000000000"), json: "1.0" },
  { name: "a short float", bytes: hex("ca 3fc00000"), json: "1.5" },
  { name: "negative zero", bytes: hex("cb 8000000000000000"), json: "-0.0" },
  { name: "a huge float", bytes: hex("cb 7fefffffffffffff"), json: "1.7976931348623157e+308" },
  { name: "not a number and the infinities", bytes: hex("93 cb7ff8000000000000 cb7ff0000000000000 cbfff0000000000000"), json: '["NaN","Infinity","-Infinity"]' },
  { name: "every character that needs an escape", bytes: encode('"\\\b\f\n\r\t\u0000\u001f\u007f'), json: '"\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\u007f"' },
  { name: "text beyond ASCII", bytes: encode("grüße 🎉 \u2028"), json: '"grüße 🎉 \u2028"' },
  { name: "bytes that are not UTF-8", bytes: hex("a5 61 ff 62 e2 82"), json: '"a\ufffdb\ufffd"' },
  { name: "an escape after text beyond ASCII", bytes: encode('é"'), json: '"é\\""' },
  { name: "a binary", bytes: hex("c4 03 61 22 62"), json: '"a\\"b"' },
  { name: "an extension", bytes: hex("d5 05 0102"), json: '{"ext":5,"base64":"AQI="}' },
  { name: "a long extension of a negative type", bytes: hex("c7 03 ff 010203"), json: '{"ext":-1,"base64":"AQID"}' },
  { name: "keys that are no strings", bytes: hex("82 01 c3 92 0102 c2"), json: '{"1":true,"[1,2]":false}' },
  { name: "a key given twice", bytes: hex("83 a161 01 a162 02 a161 03"), json: '{"b":2,"a":3}' },
  { name: "a key given twice inside", bytes: hex("81 a178 82 a161 01 a161 02"), json: '{"x":{"a":2}}' },
  { name: "empty maps and arrays", bytes: hex("92 80 90"), json: "[{},[]]" },
];

for (const { name, bytes, json } of cases) test(`JSON of ${name}`, () => assert.equal(jsonOf(bytes), json));

test("Any value that a foreign encoder writes comes out as JSON.stringify would show it", () => {
  const noProto = (value: unknown): boolean => !JSON.stringify(value).includes("__proto__"); // the foreign encoder's own decoder refuses it
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: "medium", stringUnit: "binary" }).filter(noProto), (value) => {
      const expected: unknown = JSON.parse(JSON.stringify(value, (_, each: unknown) => (typeof each === "string" ? each.toWellFormed() : each)));
      assert.deepEqual(JSON.parse(jsonOf(encode(value))), expected);
    }),
    { numRuns: 300 },
  );
});

test("A map with thousands of keys keeps the last value of each, and does not take long", () => {
  const writer = new MsgpackWriter();
  const count = 20_000;
  writer.mapHeader(count + 1);
  for (let index = 0; index < count; index++) {
    writer.string(`k${index}`);
    writer.number(index);
  }
  writer.string("k7");
  writer.string("last");
  const started = process.cpuUsage();
  const value = JSON.parse(jsonOf(writer.copy())) as Record<string, unknown>;
  assert.ok(process.cpuUsage(started).user < 2_000_000, "linear in the number of keys");
  assert.equal(Object.keys(value).length, count);
  assert.equal(value["k7"], "last");
});

test("A record nested too deep comes as its bytes, the next one as it is", () => {
  const deep = Buffer.concat([hex("81 a161"), Buffer.alloc(500, 0x91), hex("01")]);
  const writer = new JsonWriter();
  assert.equal(writer.record(deep, 0), deep.length);
  assert.deepEqual(JSON.parse(writer.bytes().toString()), { msgpack: deep.toString("base64") });
  writer.reset();
  writer.record(hex("81 a161 01"), 0);
  assert.equal(writer.bytes().toString(), '{"a":1}');
});

test("Metadata that repeats is written alike, whatever changes between", () => {
  const writer = new JsonWriter();
  const records = Array.from({ length: 200 }, (_, index) => ({ n: index, kubernetes: { pod: index < 100 ? "first-pod-name" : "second-pod-name", labels: { app: "web" } }, other: { value: index % 3, padding: "0123456789abcdef" } }));
  for (const record of records) {
    writer.reset();
    writer.record(encode(record), 0);
    assert.deepEqual(JSON.parse(writer.bytes().toString()), record);
  }
});

test("Named fields are found, and left out when that is asked for", () => {
  const writer = new JsonWriter();
  const names = new KeyNames(["kubernetes", "log"], 1);
  writer.record(encode({ kubernetes: { a: 1 }, log: "text", more: 1 }), 0, names);
  assert.equal(writer.bytes().toString(), '{"log":"text","more":1}');
  assert.equal(writer.found, 0b11);
  assert.equal(writer.topMembers, 2);
  writer.reset();
  writer.record(hex("83 aa 6b756265726e65746573 01 a16101 a16102"), 0, names); // a repeated key takes the other path
  assert.equal(writer.bytes().toString(), '{"a":2}');
  assert.equal(writer.found, 0b01);
});

test("Cut-off values are refused, never read beyond", () => {
  const whole = encode({ a: [1, "two", { three: 3.5 }], b: "text" });
  for (let length = 0; length < whole.length; length++) {
    const writer = new JsonWriter();
    assert.throws(() => writer.value(Uint8Array.from(whole.subarray(0, length)), 0), { name: "MalformedMessageError" }, `cut at ${length}`);
  }
});
