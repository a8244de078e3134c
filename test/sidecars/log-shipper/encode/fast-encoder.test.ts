import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Core } from "../../../../sidecars/log-shipper/core/core.ts";
import { FastEncoder } from "../../../../sidecars/log-shipper/encode/fast-encoder.ts";
import type { LongLines } from "../../../../sidecars/log-shipper/encode/framing.ts";
import { LineEncoder } from "../../../../sidecars/log-shipper/encode/line-encoder.ts";
import { noExtraPairs, type EncodedRange, type EncodeRequest, type ExtraPairs } from "../../../../sidecars/log-shipper/encode/range-encoder.ts";
import { MsgpackWriter } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { encodeExtraPairs } from "../../../../sidecars/log-shipper/metadata/metadata.ts";

/** One core for all, as in the shipper: what an earlier range left in its memory must not matter. */
const core = new Core({ inputBytes: 1_048_576, outputBytes: 4_194_304 });
const formats = ["raw", "json"] as const;
type Settings = { readonly lineMax: number; readonly longLines: LongLines; readonly extra: ExtraPairs };
type Range = Partial<Omit<EncodeRequest, "from" | "end">>;
const extras: readonly ExtraPairs[] = [noExtraPairs, encodeExtraPairs({ pod: "web-1" }), encodeExtraPairs(Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`key-${index}`, `value ${index}`])))];

/** Both encoders over the same bytes until no more comes, each in a place of its own; what they say must be the same. */
function compare(input: Buffer, format: "raw" | "json", settings: Partial<Settings>, range: Range = {}): EncodedRange[] {
  const { lineMax = 100_000, longLines = "split", extra = noExtraPairs } = settings;
  const writer = new MsgpackWriter(64);
  const reference = new LineEncoder({ format, lineMax, longLines, writer });
  const fast = new FastEncoder({ core, format, lineMax, longLines, writer });
  const at = 7;
  // What lies behind the range looks like the rest of a line.
  core.input.fill('"}\n{"a":1}\n', at + input.length, at + input.length + 200);
  core.input.set(input, at);
  const other = Buffer.concat([Buffer.from("xyz"), input, Buffer.from('"}\n{"a":1}\n')]);
  const results: EncodedRange[] = [];
  let discarding = range.discarding ?? false;
  for (let from = 0; ; ) {
    const request = { final: false, inputMax: Infinity, outputMax: 1_000_000, time: { seconds: 1_700_000_000, nanoseconds: 123_456_789 }, extra, flush: false, ...range, discarding };
    const expected = copied(reference.encode(other, { ...request, from: 3 + from, end: 3 + input.length }), 3);
    const encoded = fast.encode(core.input, { ...request, from: at + from, end: at + input.length });
    assert.equal(encoded.entries.buffer, core.memory.buffer, "it was the core that made them");
    const actual = copied(encoded, at);
    assert.deepEqual(actual, expected);
    results.push(expected);
    if (expected.end === from || expected.end === input.length) return results;
    from = expected.end;
    discarding = expected.discarding;
  }
}

function copied(range: EncodedRange, base: number): EncodedRange {
  return { ...range, end: range.end - base, entries: Buffer.from(range.entries), spans: Uint32Array.from(range.spans) };
}

const deep = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
const deepArray = (depth: number): string => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
const keys = (count: number): string => `{${Array.from({ length: count }, (_, index) => `"key${index}":${index}`).join(",")}}`;
/** As many open keys as can be. */
const nested = (depth: number, count: number): string => `${`${keys(count - 1).slice(0, -1)},"down":`.repeat(depth)}{}${"}".repeat(depth)}`;
const escape = (text: string): string => `{"a":"${text}"}`;

const lines: readonly (string | Buffer)[] = [
  "", " ", "plain text", "{", "}", "{}", " { } ", "[]", "1", "null", '{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', "{a:1}", '{"a":1}x', '{"a":1}}', '{"a":1', '{"a":"b', '{"a":"b\\', '{"a":"b\\"', '{"a":"\\u', '{"a":[1,]}', '{"a":[,1]}', '{"a":[1 2]}', '{"a":[1', '{"a" 1}',
  '{"a":1}', '{"a":1} ', '\t{ "a" :\t1 , "b" : [ ] , "c" : { } }\r', '{"a":true,"b":false,"c":null}', '{"a":tru}', '{"a":truex}', '{"a":fals', '{"a":nul}', '{"a":True}',
  '{"a":[1,[2,[3,{"b":[]}]]],"c":{"d":{"e":1}}}',
  // Numbers: leading zeros, -0, fractions, exponents, 64 bits and beyond.
  ...["0", "-0", "00", "01", "-01", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+", "1E5", "1e-5", "0.0", "-0.0", "0e0", "-0e5", "1.0", "10.50", "-1.5", "0.1", "0.3", "1.1e1", "12e-1", "1e22", "1e23", "1e-22", "1e-23", "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775807", "-9223372036854775808", "-9223372036854775809", "9999999999999999999", "10000000000000000000", "18446744073709551615", "18446744073709551616", "19999999999999999999", "20000000000000000000", "99999999999999999999", "123456789012345678901", "-12345678901234567890", "1e308", "1e309", "-1e309", "1e400", "1e-400", "4.9e-324", "0.30000000000000004", "3.141592653589793", "123456789.123456789", "12345678901234.567", "0.000000000000000000000001", "100000000000000000000000.0", "1e99999999999", "9007199254740991.0", "9007199254740992.0", "90071992547409910e-1", "127", "128", "255", "256", "65535", "65536", "4294967295", "4294967296", "-32", "-33", "-128", "-129", "-32768", "-32769", "-2147483648", "-2147483649", "1x", "1-", "1.2.3", "0x1"].map((number) => `{"n":${number},"m":[${number}]}`),
  // Keys: given twice, at any place and depth, and the one that is special to JavaScript.
  '{"a":1,"b":2,"a":3}', '{"a":1,"a":2,"a":3}', '{"a":{"x":1},"b":2,"c":[3],"b":{"y":1},"a":4}', '{"a":{"b":1,"b":2},"a":{"b":3,"c":4,"b":5}}', '{"":1,"":2}', '{"a":1,"\\u0061":2}', '{"__proto__":{"x":1},"constructor":1,"__proto__":2}',
  '{"abcdefg":1,"abcdefgh":2,"abcdefgi":3,"abcdefg":4,"abcdefgh":5}', `{"${"k".repeat(40)}":1,"${"k".repeat(41)}":2,"${"k".repeat(40)}":3}`, `{"${"k".repeat(300)}":1,"b":1,"${"k".repeat(300)}":3}`,
  ...[14, 15, 16, 17, 40, 63, 64, 65, 66, 200].map(keys), `{"a":${keys(40)},"b":${keys(65)}}`, `${keys(64).slice(0, -1)},"key3":"again"}`, `${keys(70).slice(0, -1)},"key3":"again"}`,
  `{${Array.from({ length: 10_000 }, (_, index) => `"${index.toString(36)}":0`).join(",")}}`, nested(64, 64),
  ...[1, 63, 64, 65, 66, 200].flatMap((depth) => [deep(depth), deepArray(depth)]), deep(20_000),
  // Strings: every header, every escape, surrogates, control characters.
  ...[0, 1, 14, 15, 16, 17, 30, 31, 32, 33, 47, 48, 255, 256, 511, 512, 513, 65_535, 65_536, 70_000].map((length) => escape("x".repeat(length))),
  ...[30, 31, 32, 255, 256, 65_535, 65_536].map((length) => escape(`\\n${"x".repeat(length - 1)}`)),
  ...["\\\"", "\\\\", "\\/", "\\b\\f\\n\\r\\t", "\\x", "\\", "\\u00e9\\u20ac\\ud83d\\ude00x", "\\u0000", "\\u12", "\\u12g4", "\\uD83D", "\\ud83dx", "\\ud83d\\n", "\\ud83d\\u0041", "\\ud83d\\ud83d\\ude00", "\\ude00", "\\udbff\\udfff", "\\ud800\\udc00", "\\ud83d\\u12", "\\ud83d\\", "\\u0800\\uffff\\u07ff\\u007f\\u0080", `${"x".repeat(40)}\\n${"y".repeat(40)}\\tz`, "at a (b.js:1:2)\\n    ".repeat(50), "\\u0041".repeat(100), "\\\\".repeat(5_000), "\u0001", "\u001f", "\u007f", "tab\t", "é€😀"].map(escape),
  Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0xc3, 0x22, 0x7d]), Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0x00, 0x22, 0x7d]), Buffer.from([0xff, 0xfe, 0x00, 0x01]),
  `{"a":[${Array.from({ length: 20_000 }, (_, index) => index % 10).join(",")}]}`, `{"a":[${"-0,".repeat(30_000)}0]}`, `{"a":[${"0.1,".repeat(20_000)}0]}`,
  ...[31, 32, 255, 256, 65_535, 65_536].map((length) => "x".repeat(length)),
  "\0\0\0after a hole", "within\0the line", "\0", "ends with CR\r", "two\r\r", "\r", "x".repeat(99_999), "x".repeat(100_000), "x".repeat(100_001), `${"x".repeat(99_999)}é`, "é".repeat(120_000),
];

const nameOf = (line: string | Buffer): string => JSON.stringify(line.length > 60 ? `${line.toString("utf8").slice(0, 60)}… ${line.length}` : line.toString("utf8"));
for (const line of lines) {
  test(`Both cores make the same of ${nameOf(line)}`, () => {
    const bytes = Buffer.from(line);
    const terminated = Buffer.concat([bytes, Buffer.from("\n")]);
    const amongOthers = Buffer.concat([Buffer.from('{"before":"it"}\r\n'), terminated, Buffer.from('{"after":"it"}\n')]);
    for (const format of formats) {
      for (const extra of extras) {
        compare(terminated, format, { extra });
        compare(bytes, format, { extra }, { final: true });
        compare(amongOthers, format, { extra, longLines: "cut" });
      }
      compare(amongOthers, format, { lineMax: 16 }, { final: true });
      compare(amongOthers, format, { lineMax: 16, longLines: "cut" });
      compare(bytes, format, {}, { rest: "partial" });
      compare(bytes, format, {}, { rest: "cut" });
      compare(terminated, format, {}, { discarding: true });
      compare(amongOthers, format, {}, { inputMax: 1 });
      compare(amongOthers, format, {}, { outputMax: 1 });
    }
  });
}

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('"', "\\", "\\n", "\\u00", "\\ud83d", "\\ude00", "{", "}", "[", "]", ":", ",", " ", "\t", "\r", "\n", "\r\n", "\0", "0", "-", ".", "e", "E", "1", "9", "true", "false", "null", '"a":', '"b":1', '{"a":', "é", "\u0001", "0123456789abcdef") },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
);
const noise = fc.array(fc.oneof({ weight: 20, arbitrary: piece.map((text) => Buffer.from(text)) }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) }), { maxLength: 60 }).map((parts) => Buffer.concat(parts));
const settings = fc.record({ lineMax: fc.integer({ min: 4, max: 80 }), longLines: fc.constantFrom<LongLines>("split", "cut"), extra: fc.constantFrom(...extras) });
const ranges = fc.record({ final: fc.boolean(), discarding: fc.boolean(), inputMax: fc.constantFrom(1, 50, Infinity), outputMax: fc.constantFrom(1, 50, 1_000_000), rest: fc.constantFrom(undefined, undefined, "partial" as const, "cut" as const) });

test("Whatever the bytes and the request, both cores give the same", () => {
  fc.assert(
    fc.property(noise, fc.constantFrom(...formats), settings, ranges, (bytes, format, how, range) => {
      compare(bytes, format, how, range);
    }),
    { numRuns: 3_000 },
  );
});

test("Whatever the JSON values, both cores give the same", () => {
  const key = fc.oneof(fc.constantFrom("a", "b", "__proto__", "", "abcdefgh", "abcdefgi"), fc.string({ unit: "binary", maxLength: 40 }));
  const { value } = fc.letrec<{ readonly value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.oneof(fc.string({ unit: "binary" }), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)).map((plain) => JSON.stringify(plain) ?? "null"),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
      fc.string({ unit: "binary" }).map((text) => `"${Array.from({ length: text.length }, (_, index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`).join("")}"`),
      fc.array(tie("value"), { maxLength: 20 }).map((items) => `[${items.join(" ,")}]`),
      fc.array(fc.tuple(key, tie("value")), { maxLength: 20 }).map((pairs) => `{${pairs.map(([name, item]) => `${JSON.stringify(name)}: ${item}`).join(",")}}`),
    ),
  }));
  const line = fc.array(fc.tuple(key, value), { maxLength: 80 }).map((pairs) => `{${pairs.map(([name, item]) => `${JSON.stringify(name)}:${item}`).join(",")}}\n`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), fc.constantFrom(...extras), (texts, extra) => {
      const [range] = compare(Buffer.from(texts.join("")), "json", { extra });
      assert.equal(range?.unparsed, 0, "they are JSON");
    }),
    { numRuns: 500 },
  );
});

test("A range that does not fit the core's memory is encoded all the same", () => {
  const small = new Core({ inputBytes: 1_000, outputBytes: 2_000 });
  const writer = new MsgpackWriter(64);
  const line = Buffer.from(`${'{"a":1}'.padEnd(20)}\n`.repeat(500));
  const request = { from: 0, end: line.length, final: false, discarding: false, inputMax: Infinity, outputMax: Infinity, time: { seconds: 1, nanoseconds: 2 }, extra: noExtraPairs, flush: false };
  for (const format of formats) {
    const options = { format, lineMax: 100, longLines: "split" as const, writer };
    const expected = copied(new LineEncoder(options).encode(line, request), 0);
    const fast = new FastEncoder({ ...options, core: small });
    assert.deepEqual(copied(fast.encode(line, request), 0), expected);
    line.copy(small.input);
    assert.deepEqual(copied(fast.encode(small.input, { ...request, end: 987 }), 0), copied(new LineEncoder(options).encode(line, { ...request, end: 987 }), 0));
    const large = encodeExtraPairs({ large: "x".repeat(40_000) });
    assert.deepEqual(copied(fast.encode(line, { ...request, extra: large }), 0), copied(new LineEncoder(options).encode(line, { ...request, extra: large }), 0));
  }
});
