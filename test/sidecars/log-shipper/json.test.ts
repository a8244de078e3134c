import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { decodeValue, toPlain } from "../../../sidecars/log-shipper/forward-protocol/msgpack-reader.ts";
import { MsgpackWriter, type MsgpackValue } from "../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { JsonTranscoder } from "../../../sidecars/log-shipper/parse/json.ts";
import { writeLogfmt } from "../../../sidecars/log-shipper/parse/logfmt.ts";

const transcoder = new JsonTranscoder();

/** The MessagePack of a JSON text, or undefined when it is refused. The text stands inside a larger buffer, as a log line does. */
function transcode(text: string | Buffer): Buffer | undefined {
  const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text);
  const buffer = Buffer.concat([Buffer.from('{"x":'), bytes, Buffer.from('"}]}]')]);
  const writer = new MsgpackWriter(16);
  const pairs = transcoder.object(buffer, 5, 5 + bytes.length, writer, 0);
  if (pairs < 0) assert.equal(writer.length, 0, "a refused line leaves nothing behind");
  return pairs < 0 ? undefined : writer.copy();
}

const same = (text: string): void => {
  test(`${text.slice(0, 60)} means what JSON.parse says`, () => assert.deepEqual(decode(transcode(text) ?? assert.fail("refused")), JSON.parse(text)));
};
same("{}");
same('{"a":1,"b":-1,"c":127,"d":128,"e":255,"f":256,"g":65535,"h":65536,"i":4294967295,"j":4294967296,"k":9007199254740991}');
same('{"a":-32,"b":-33,"c":-128,"d":-129,"e":-32768,"f":-32769,"g":-2147483648,"h":-2147483649,"i":-9007199254740991}');
same('{"a":0.1,"b":1.5e3,"c":1E-7,"d":-0,"e":-0.0,"f":1e308,"g":123456789.123456789,"h":1e400}');
same(' {"a" : [ 1 , 2 , { } , [ ] ] , "b":{"c":null,"d":true,"e":false} }\t\r');
same(String.raw`{"a":"\"\\\/\b\f\n\r\t","b":"\u00e9\u20ac\ud83d\ude00x","c":"\u0000"}`);
same('{"é€😀":"é€😀"}');
same('{"a":1,"b":2,"a":3,"c":{"a":4,"a":5},"b":"last"}');
same('{"__proto__":1,"constructor":2}'.replace("__proto__", "proto"));
same(`{"long":"${"x".repeat(31)}","l2":"${"x".repeat(32)}","l3":"${"x".repeat(256)}","l4":"${"x".repeat(70_000)}"}`);
same(`{${Array.from({ length: 40 }, (_, index) => `"key${index}":[${index},"${index}"]`).join(",")}}`);
same(`{"a":[${Array.from({ length: 70_000 }, (_, index) => index % 10).join(",")}]}`);

const refused = (text: string): void => {
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => JSON.parse(text) as unknown, "JSON.parse refuses it too");
    assert.equal(transcode(text), undefined);
  });
};
for (const text of ["", "{", "}", '{"a"}', '{"a":}', '{"a":1,}', '{a:1}', '{"a":01}', '{"a":.5}', '{"a":1.}', '{"a":1e}', '{"a":+1}', '{"a":1}x', '{"a":tru}', '{"a":"\u0001"}', String.raw`{"a":"\x"}`, String.raw`{"a":"\u12"}`, '{"a":"b', '{"a":[1,]}', '{"a":[1 2]}', '{"a":nul', '{"a":-}', '{"a":"\\', '{"a":"\\u']) refused(text);
for (const text of ["1", '"a"', "[1]", "null", `${'{"a":'.repeat(70)}1${"}".repeat(70)}`]) test(`${text.slice(0, 20)} is not taken for a record`, () => assert.equal(transcode(text), undefined));

test("Integers beyond 2^53 stay exact as long as they fit 64 bits", () => {
  const { value } = decodeValue(transcode('{"a":18446744073709551615,"b":-9223372036854775808,"c":9007199254740993,"d":18446744073709551616}') ?? assert.fail("refused"), 0);
  assert.deepEqual(toPlain(value), { a: "18446744073709551615", b: "-9223372036854775808", c: "9007199254740993", d: 18446744073709552000 });
});

test("Bytes that are not UTF-8 stay as they are; a lone surrogate becomes U+FFFD", () => {
  assert.deepEqual(transcode(Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d])), Buffer.from([0x81, 0xa1, 0x61, 0xa2, 0xff, 0xfe]));
  assert.deepEqual(decode(transcode(String.raw`{"a":"\ud800x"}`) ?? assert.fail("refused")), { a: "\ufffdx" });
});

test("For every JSON object the result is that of JSON.parse", () => {
  const object = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ stringUnit: "binary", maxDepth: 4 }) as fc.Arbitrary<unknown>, { noNullPrototype: true }).filter((value) => !JSON.stringify(value).includes("__proto__"));
  fc.assert(
    fc.property(object, fc.constantFrom(undefined, 1), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      assert.deepEqual(decode(transcode(text) ?? assert.fail(`refused ${text}`)), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test("For every damaged JSON text it refuses when JSON.parse does, and agrees when it does not", () => {
  const damaged = fc.tuple(fc.jsonValue({ maxDepth: 3 }), fc.nat(), fc.constantFrom("{", "}", "[", "]", '"', ",", ":", "\\", "0", "-", ".", "e", "E", "1", "n", "t", " ", "\u0001")).map(([value, at, character]) => {
    const text = JSON.stringify({ a: value, b: -1.5 });
    return text.slice(0, at % text.length) + character + text.slice((at % text.length) + 1);
  });
  fc.assert(
    fc.property(damaged, (text) => {
      let expected: unknown;
      try {
        expected = JSON.parse(text);
      } catch {
        assert.equal(transcode(text), undefined, text);
        return;
      }
      if (text.includes("__proto__") || expected === null || typeof expected !== "object" || Array.isArray(expected)) return;
      const written = transcode(text);
      if (!/\d{16}/.test(text)) assert.deepEqual(decode(written ?? assert.fail(`refused ${text}`)), expected);
    }),
    { numRuns: 2_000 },
  );
});

test("The writer and @msgpack/msgpack agree on every value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary", maxDepth: 4 }).filter((value) => !JSON.stringify(value).includes("__proto__")), (value) => { // a key that @msgpack/msgpack refuses
      const writer = new MsgpackWriter(1);
      writer.value(value as MsgpackValue);
      assert.deepEqual(decode(writer.copy()), value);
    }).beforeEach(() => undefined),
    { numRuns: 300 },
  );
});

const manyKeys = (count: number): string => Array.from({ length: count }, (_, index) => `"k${index}":${index}`).join(",");
for (const count of [63, 64, 65, 200]) {
  test(`An object of ${count} keys, with repeated ones and inner objects, means what JSON.parse says`, () => {
    const text = `{${manyKeys(count)},"in":{${manyKeys(count)},"k1":"again"},"k0":"last","k${count - 1}":{"k0":1},"new":1,"new":2}`;
    assert.deepEqual(decode(transcode(text) ?? assert.fail("refused")), JSON.parse(text));
  });
}

const logfmt = (text: string, expected: unknown): void => {
  test(`logfmt ${text}`, () => {
    const writer = new MsgpackWriter();
    const pairs = writeLogfmt(text, writer, 0);
    assert.deepEqual(pairs < 0 ? undefined : decode(writer.copy()), expected);
  });
};
logfmt('level=info msg="two words" ok n=1', { level: "info", msg: "two words", ok: true, n: "1" });
logfmt(String.raw`a="q\"\n" b= c=""`, { a: 'q"\n', b: "", c: "" });
logfmt("just words", undefined);
logfmt('a="open', undefined);
