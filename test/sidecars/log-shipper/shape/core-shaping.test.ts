import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Core } from "../../../../sidecars/log-shipper/core/core.ts";
import { noExtraPairs } from "../../../../sidecars/log-shipper/encode/range-encoder.ts";
import { MsgpackWriter, type MsgpackValue } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { encodeExtraPairs } from "../../../../sidecars/log-shipper/metadata/metadata.ts";
import { compileProgram } from "../../../../sidecars/log-shipper/shape/core-program.ts";
import { shapeInCore } from "../../../../sidecars/log-shipper/shape/core-shaping.ts";
import { createRateLimits, createShaper } from "../../../../sidecars/log-shipper/shape/create-shaper.ts";
import { compileFilter } from "../../../../sidecars/log-shipper/shape/filters.ts";
import { KeyTable } from "../../../../sidecars/log-shipper/shape/keys.ts";
import { plainPattern } from "../../../../sidecars/log-shipper/shape/plain-pattern.ts";
import type { EntryBatch } from "../../../../sidecars/log-shipper/shape/shaper.ts";
import { Bench, batchOf, decodeAll, shaping } from "./shaping.ts";

// Bench holds what comes out with the core and without it against each other, whatever test uses it.

const core = new Core({ inputBytes: 65_536, outputBytes: 1_048_576 });

/** How many of the records the core leaves to the host; the host lets them through as they came. */
function left(filters: string, records: readonly MsgpackValue[]): number {
  const keys = new KeyTable();
  const configs = shaping(`filters: ${filters}`).filters.map((config, index) => ({ config, index }));
  for (const { config, index } of configs) compileFilter(config, index, keys, undefined);
  const program = compileProgram(configs, { keys, area: core.shapingArea, wantsAll: configs.some(({ config }) => config.type === "redact" && config.fields === undefined) });
  if (program === undefined) throw new Error("The core does not take the filters");
  const shaped = shapeInCore(core, { program, batch: batchOf(records), added: noExtraPairs, passOver: true, contentHash: 1, from: 0, host: () => new Uint8Array(0) });
  if (shaped === undefined) throw new Error("The batch does not fit");
  return shaped.hostRecords;
}

const line = { time: "2026-01-01T00:00:00Z", level: "info", seq: 5, path: "/orders/17", note: { deep: ["x", 1.5] }, ua: "curl" };
for (const [what, filters] of [
  ["drops and keeps", "[{ type: drop, when: { field: level, in: [debug, trace] } }, { type: keep, when: { any: [{ field: seq, above: 3 }, { not: { field: x, exists: true } }] } }]"],
  ["tests of nested fields", "[{ type: drop, when: { field: note.deep, equals: 1 } }]"],
  ["redacts with a plain pattern", "[{ type: redact, fields: [path], patterns: ['/orders/\\d+'] }]"],
  ["redacts nothing where a preset cannot match", "[{ type: redact, presets: [email, jwt, bearer-token, private-key, aws-access-key, url-password, credit-card] }]"],
  ["renames, removes, adds", "[{ type: rename, fields: { ua: user_agent } }, { type: remove, fields: [seq] }, { type: add, fields: { team: shop } }]"],
  ["samples", "[{ type: sample, share: 0.5 }, { type: sample, share: 0.5, key: level }]"],
] as const) test(`The core itself ${what}`, () => assert.equal(left(filters, [line, { ...line, level: "debug" }]), 0));

for (const [what, filters] of [
  ["a pattern that is not plain, where it may match", "[{ type: redact, fields: [path], patterns: ['(/orders/)\\d+'] }]"],
  ["a replacement that depends on the match", "[{ type: redact, fields: [path], patterns: ['/orders/\\d+'], replacement: '$&' }]"],
  ["the change of a nested field", "[{ type: remove, fields: [note.deep] }]"],
  ["text that is perhaps a number", "[{ type: drop, when: { field: ua, above: 1 } }]"],
] as const) test(`The core leaves ${what}`, () => assert.equal(left(filters, [line, {}]), 1));

test("The core takes no rate limits, and nothing that is longer than its program may be", () => {
  const compile = (filters: string): Buffer | undefined => compileProgram(shaping(`filters: ${filters}`).filters.map((config, index) => ({ config, index })), { keys: new KeyTable(), area: core.shapingArea, wantsAll: false });
  assert.equal(compile("[{ type: rate-limit, perSecond: 1 }]"), undefined);
  assert.equal(compile(`[{ type: add, fields: { a: ${"x".repeat(40_000)} } }]`), undefined);
  assert.equal(compile(`[{ type: remove, fields: [${Array.from({ length: 300 }, (_, index) => `f${index}`).join(", ")}] }]`), undefined);
  assert.notEqual(compile("[{ type: remove, fields: [a] }]"), undefined);
});

// Plain patterns

const atoms = ["a", "b", "1", " ", "\\d", "\\w", "\\s", "\\S", "\\.", "[ab]", "[^a]", "[\\d.]", ".", "\\x41", "\\/", "-", "é"];
const signs = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "{0}", "{0,2}"];
const pattern = fc
  .tuple(fc.constantFrom("", "", "^", "\\b"), fc.array(fc.tuple(fc.constantFrom(...atoms), fc.constantFrom(...signs)), { minLength: 1, maxLength: 5 }), fc.constantFrom("", "", "$"))
  .map(([begin, middle, end]) => begin + middle.map((each) => each.join("")).join("") + end)
  .filter((source) => !RegExp(source).test(""));
const asciiText = fc.array(fc.constantFrom("a", "b", "A", "1", "2", ".", " ", "-", "/", "_", "\n"), { maxLength: 30 }).map((letters) => letters.join(""));

test("Whatever the pattern, with the core and without it the same is replaced and the same matches", () => {
  let plain = 0;
  fc.assert(
    fc.property(pattern, fc.boolean(), fc.constantFrom("", "x", "a1", "xé"), fc.array(fc.oneof(asciiText, asciiText, fc.string({ maxLength: 20 }), fc.double(), fc.integer()), { minLength: 1, maxLength: 12 }), (source, ignoreCase, replacement, texts) => {
      if (plainPattern(source, ignoreCase ? "gi" : "g") !== undefined) plain++;
      const batch = batchOf(texts.map((text) => ({ a: text, b: text, n: 1 })));
      const quoted = JSON.stringify(source);
      new Bench(`filters: [{ type: redact, fields: [a, b], patterns: [${quoted}, 'x+'], ignoreCase: ${ignoreCase}, replacement: '${replacement}' }, { type: drop, when: { field: b, matches: ${quoted}, ignoreCase: ${ignoreCase} } }]`).shape(batch);
    }),
    { numRuns: 600 },
  );
  assert.ok(plain > 100, `${plain} of them were plain`);
});

test("Of numbers, those are looked at whose digits may match", () => {
  const numbers = fc.oneof(fc.double(), fc.integer().map((value) => value / 1000), fc.constantFrom(0.1 + 0.2, 9_999_999.999, -9_999_999.999, 1e7 + 0.001, 1.0005, 123_456.789_01));
  fc.assert(fc.property(fc.array(numbers, { minLength: 1, maxLength: 20 }), (values) => {
    new Bench("filters: [{ type: redact, patterns: ['\\d{13}', '[\\d.]{13}'], replacement: '#' }]").shape(batchOf(values.map((a) => ({ a }))));
  }), { numRuns: 300 });
  assert.equal(left("[{ type: redact, patterns: ['\\d{13}'] }]", [{ a: 12.5 }, { a: -9_999_999.999 }, { a: 0.1 + 0.2 }, { a: 2 ** 40 }, { a: true }]), 2);
});

for (const source of ["(a)", "a|b", "a+?", "a*", "a+ab", "\\d*1", "a\\b", "(?=a)a", "\\u0061", "x{", "[a-z]*\\w$", "a?a", "^", ""]) test(`not plain: ${source}`, () => assert.equal(plainPattern(source, "g"), undefined));
for (const source of ["a", "/orders/\\d+", "pw=\\S+", "^a?b$", "\\beyJ[\\w-]{5,}\\.eyJ[\\w-]{5,}\\.[\\w-]*", "[^,]*,", "\\d{3}-?\\d", "a\\$", "\\\\$", ".+\\n", "a[$]"]) test(`plain: ${source}`, () => assert.notEqual(plainPattern(source, "g"), undefined));

// Filters

const fields = ["a", "b", "m", "m.x", "m.y.z", "k.k", "long".repeat(20), "kubernetes", "kubernetes.pod"];
const field = fc.constantFrom(...fields);
const number = fc.constantFrom(-40_000_000_000, -70_000, -200, -33, -32, -1, 0, 1, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 2 ** 53, -(2 ** 53), 0.5, 1e300);
const when: fc.Arbitrary<object> = fc.letrec<{ when: object }>((tie) => ({
  when: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.record({ field, equals: fc.constantFrom("a", "A b", "1", "-70000", "0.5", "true", "null", "é") }),
    fc.record({ field, in: fc.array(fc.constantFrom("a", "b", "false", "128", ""), { minLength: 1, maxLength: 3 }), ignoreCase: fc.boolean() }),
    fc.record({ field, exists: fc.boolean() }),
    number.chain((bound) => fc.constantFrom("above", "atLeast", "below", "atMost").chain((kind) => fc.record({ field, [kind]: fc.constant(bound) }))),
    fc.record({ field, matches: fc.constantFrom("a", "^[ab]+$", "(a|b)1", "é") }),
    fc.record({ all: fc.array(tie("when"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie("when"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie("when") }),
  ),
})).when;
const filter = fc.oneof(
  fc.record({ type: fc.constantFrom("keep", "drop"), when }),
  fc.record({ type: fc.constant("redact"), fields: fc.array(field, { minLength: 1, maxLength: 2 }), patterns: fc.constantFrom(["a+"], ["1", "(b)"], ["\\d+", "x"], ["é"]), replacement: fc.constantFrom("", "x", "a", "$1", "é".repeat(200)) }),
  fc.record({ type: fc.constant("redact"), patterns: fc.constantFrom(["a+"], ["1"]), presets: fc.constantFrom([], ["email"], ["ipv4", "credit-card"]) }),
  fc.record({ type: fc.constant("sample"), share: fc.constantFrom(0.3, 0.7) }, { requiredKeys: ["type", "share"] }),
  fc.record({ type: fc.constant("sample"), share: fc.constant(0.5), key: field }),
  fc.record({ type: fc.constant("rename"), fields: fc.constantFrom<Record<string, string>>({ a: "b" }, { b: "new" }, { a: "b", b: "c" }, { "m.x": "x" }, { m: "kubernetes" }) }),
  fc.record({ type: fc.constant("remove"), fields: fc.array(field, { minLength: 1, maxLength: 3 }) }),
  fc.record({ type: fc.constant("add"), fields: fc.constantFrom({ a: "added" }, { new: 1, b: [1, { c: 2 }] }, { "m.x": true }), replace: fc.boolean() }),
);
const restricted = fc.tuple(filter, fc.option(when, { nil: undefined })).map(([each, condition]) => (condition === undefined || "when" in each ? each : { ...each, when: condition }));

const text = fc.oneof(asciiText, fc.constantFrom("a", "b", "A b", "a@b.example", "10.0.0.1", "4111 1111 1111 1111", "é", " 128 ", "true", "x".repeat(40), "a".repeat(300), "ab1 ".repeat(3_000), "y".repeat(70_000)));
const scalar = fc.oneof({ weight: 3, arbitrary: text }, number, fc.constantFrom(true, false, null), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), fc.double(), fc.integer({ min: -20_000_000_000, max: 20_000_000_000 }).map((thousandths) => thousandths / 1000));
const map = fc.dictionary(fc.constantFrom("x", "y", "z", "k"), fc.oneof(scalar, fc.dictionary(fc.constantFrom("z", "w"), scalar, { maxKeys: 2 }), fc.array(scalar, { maxLength: 18 })), { maxKeys: 4 });
const record = fc.record({ a: scalar, b: scalar, m: fc.oneof(scalar, map), "m.x": scalar, k: map, "k.k": scalar, ["long".repeat(20)]: scalar, kubernetes: scalar, more: fc.array(scalar, { maxLength: 3 }), other: map }, { requiredKeys: [] });
const many = fc.tuple(record, fc.nat({ max: 20 })).map(([each, count]): Readonly<Record<string, MsgpackValue>> => {
  const given = Object.entries(each).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return Object.fromEntries([...given, ...Array.from({ length: count }, (_, index) => [`f${index}`, index] as const)]);
});
const pod = encodeExtraPairs({ kubernetes: { pod: "a1", name: "web" }, source: "a" });

/** YAML is JSON too; without settings that contradict each other. */
function readable(filters: readonly object[]): string | undefined {
  const yaml = JSON.stringify({ filters });
  try {
    shaping(yaml);
    return yaml;
  } catch {
    return undefined;
  }
}

test("Whatever the filters and the records, the same comes out with the core and without it", () => {
  let run = 0;
  fc.assert(
    fc.property(fc.array(restricted, { minLength: 1, maxLength: 4 }), fc.array(many, { minLength: 1, maxLength: 12 }), fc.boolean(), fc.nat({ max: 2 ** 40 }), (filters, records, isEnriched, from) => {
      const yaml = readable(filters);
      if (yaml === undefined) return;
      run++;
      const extra = isEnriched ? pod : noExtraPairs;
      new Bench(yaml).shape(batchOf(records, extra), { extra, from });
    }),
    { numRuns: 600 },
  );
  assert.ok(run > 300, `${run} settings could be read`);
});

test("Names given twice, other times and other forms of text are shaped alike", () => {
  const writer = new MsgpackWriter(64);
  const put = (time: () => void, pairs: readonly (readonly [key: () => void, value: () => void])[]): void => {
    writer.byte(0x92);
    time();
    writer.mapHeader(pairs.length);
    for (const [key, value] of pairs) {
      key();
      value();
    }
  };
  const name = (value: string) => (): void => writer.string(value);
  const number = (value: number) => (): void => writer.number(value);
  const binary = (value: string) => (): void => writer.binary(Buffer.from(value));
  put(number(1_700_000_000), [[name("a"), number(1)], [name("b"), number(2)], [name("a"), number(3)]]);
  put(() => writer.raw(Buffer.from([0xc7, 8, 0, 0, 0, 0, 1, 0, 0, 0, 2])), [[binary("a"), binary("a 12")], [number(5), number(6)], [name("m"), () => writer.raw(Buffer.from([0xc7, 3, 9, 0x61, 0x62, 0x63]))]]);
  put(() => writer.float(1.5), [[name("a"), () => writer.raw(Buffer.from([0xd9, 2, 0x61, 0x31]))], [name("b"), () => writer.raw(Buffer.from([0xca, 0x3f, 0, 0, 0]))]]);
  const batch = { entries: writer.copy(), records: 3, spans: Uint32Array.from([0, 10, 10, 10, 20, 10]) };
  for (const filters of ["{ type: remove, fields: [a] }", "{ type: redact, fields: [a], patterns: ['\\d'] }", "{ type: redact, patterns: ['[a1]'] }", "{ type: rename, fields: { a: b } }", "{ type: keep, when: { field: a, equals: '3' } }", "{ type: keep, when: { field: b, atMost: 0.5 } }", "{ type: add, fields: { b: x } }", "{ type: sample, share: 0.5, key: a }"]) new Bench(`filters: [${filters}]`).shape(batch);
});

test("A batch that outgrows the core's memory, and one of records with more fields than it notes, are shaped all the same", () => {
  const small = new Core({ inputBytes: 4_096, outputBytes: 16_384 });
  const records = Array.from({ length: 200 }, (_, index) => ({ n: index, level: index % 3 === 0 ? "debug" : "info" }));
  const wide = [Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`f${index}`, index]))];
  const check = (filters: string, batch: EntryBatch): void => {
    const told: string[] = [];
    const shaper = (its: Core | undefined) => {
      const config = shaping(`filters: [{ type: drop, when: { field: level, equals: debug } }, ${filters}]`);
      return createShaper({ config, time: undefined, limits: createRateLimits(config.filters), core: its, events: { filtered: (name, count) => told.push(`${name} ${count}`), routed: (_, count) => told.push(`${count}`), unrouted: () => undefined, untimed: () => undefined } });
    };
    const facts = { content: "c", from: 0, tag: "t", nowMs: 0, memory: undefined };
    const outlet = shaper(small)?.shape(batch, facts).outlets[0], [...toldByCore] = told.splice(0);
    assert.deepEqual(decodeAll(outlet), decodeAll(shaper(undefined)?.shape(batch, facts).outlets[0]));
    assert.deepEqual(toldByCore, told, "each is told once");
  };
  check(`{ type: add, fields: { text: ${"x".repeat(500)} } }`, batchOf(records));
  check("{ type: redact, patterns: ['999'], replacement: '#' }", batchOf(wide));
  check("{ type: remove, fields: [n] }", batchOf(Array.from({ length: 3_000 }, () => records[1] ?? {})));
});
