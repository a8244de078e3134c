// What is wrong in a file is told with record, field, block and byte, and costs neither memory nor time beyond its limits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AvroReader } from "../../../../../sidecars/format-adapter/formats/avro/avro-reader.ts";
import { fileOf, long, readAvro, sync, text, type Block } from "./support.ts";

const schema = { type: "record", name: "Row", fields: [{ name: "id", type: "long" }, { name: "name", type: "string" }] };
const good = Buffer.concat([long(1), text("a"), long(2), text("b")]);
const headerBytes = fileOf(schema, []).length;

type Expected = { readonly code: string; readonly message: RegExp; readonly line?: number; readonly column?: string; readonly offset?: number };
const check = (name: string, bytes: () => Buffer, expected: Expected): void => {
  test(`${name} is refused`, () => {
    const { fault } = readAvro(bytes());
    assert.equal(fault?.code, expected.code, fault?.message);
    assert.match(fault.message, expected.message);
    if (expected.line !== undefined) assert.equal(fault.line, expected.line);
    if (expected.offset !== undefined) assert.equal(fault.offset, expected.offset);
    assert.equal(fault.column, expected.column);
    assert.deepEqual(readAvro(bytes(), 5).fault, fault, "in pieces of 5");
  });
};
const one = (type: unknown, data: Buffer, count: number | bigint = 1): Buffer => fileOf({ type: "record", name: "Row", fields: [{ name: "c", type }] }, [{ count, data }]);
const blocks = (...all: Block[]): Buffer => fileOf(schema, all);

check("another file", () => Buffer.from("id,name\n1,x\n"), { code: "SYNTAX", message: /does not begin with Obj/, line: 1, offset: 0 });
check("an older format", () => Buffer.from("Obj\u0000xxxx", "latin1"), { code: "SYNTAX", message: /does not begin with Obj/ });
check("a header without a schema", () => Buffer.concat([Buffer.from("Obj\u0001", "latin1"), long(0), sync]), { code: "SYNTAX", message: /its header has no schema/ });
check("an unknown codec", () => fileOf(schema, [], "bzip2"), { code: "SYNTAX", message: /its codec "bzip2" is not supported; there are null, deflate, snappy, zstandard/ });
check("a header without an end", () => Buffer.concat([Buffer.from("Obj\u0001", "latin1"), long(1), text("avro.schema"), long(2_000_000), Buffer.alloc(1_100_000, 32)]), { code: "LIMIT", message: /its header is larger than 1048576 bytes/ });
check("a header whose count is endless", () => Buffer.concat([Buffer.from("Obj\u0001", "latin1"), Buffer.alloc(11, 0xff)]), { code: "SYNTAX", message: /more than 64 bits \(byte 4\)/, offset: 4 });
check("a header with a length below zero", () => Buffer.concat([Buffer.from("Obj\u0001", "latin1"), long(1), long(-3)]), { code: "SYNTAX", message: /a length is -3 \(byte 5\)/, offset: 5 });

const schemas: readonly (readonly [name: string, schema: unknown, message: RegExp])[] = [
  ["a schema that is no JSON", "{no", /its schema is no JSON/],
  ["a schema of one value", "long", /its schema is of the type long/],
  ["a schema of a union", ["null", "long"], /its schema is of the type union/],
  ["a schema that nests too deep", `{"type":"record","name":"R","fields":[{"name":"a","type":${'{"type":"array","items":'.repeat(70)}"long"${"}".repeat(71)}]}`, /nested deeper than 64/],
  ["a schema with an unknown name", { type: "record", name: "R", fields: [{ name: "a", type: "Missing" }] }, /names the type "Missing", which it does not define/],
  ["a schema that defines a name twice", { type: "record", name: "R", fields: [{ name: "a", type: { type: "fixed", name: "R", size: 1 } }] }, /defines the type "R" twice/],
  ["a schema with a field twice", { type: "record", name: "R", fields: [{ name: "a", type: "int" }, { name: "a", type: "int" }] }, /the field "a" twice in "R"/],
  ["a field without a type", { type: "record", name: "R", fields: [{ name: "a" }] }, /undefined where a type is to stand/],
  ["a record without fields", { type: "record", name: "R" }, /without its list of fields/],
  ["a fixed type without a size", { type: "record", name: "R", fields: [{ name: "a", type: { type: "fixed", name: "F", size: -1 } }] }, /whose size is no number/],
  ["a decimal of endless digits", { type: "record", name: "R", fields: [{ name: "a", type: { type: "bytes", logicalType: "decimal", precision: 2e9, scale: 1e9 } }] }, /more than 1000 digits/],
];
for (const [name, wrong, message] of schemas) check(name, () => fileOf(wrong, []), { code: "SYNTAX", message });
check("a schema of too many columns", () => fileOf({ type: "record", name: "R", fields: Array.from({ length: 10_001 }, (_, index) => ({ name: `a${index}`, type: "int" })) }, []), { code: "LIMIT", message: /10001 fields, more than 10000/ });

check("a wrong sync marker", () => blocks({ count: 2, data: good }, { count: 2, data: good, sync: Buffer.alloc(16) }), { code: "SYNTAX", message: new RegExp(`sync marker of this file is missing \\(block 2, byte ${headerBytes + 2 * (2 + good.length) + 16}\\)`), line: 3, offset: headerBytes + 2 * (2 + good.length) + 16 });
check("a count below zero", () => blocks({ count: -1, data: good }), { code: "SYNTAX", message: new RegExp(`the number of its records is -1 \\(block 1, byte ${headerBytes}\\)`), offset: headerBytes });
check("a size below zero", () => blocks({ count: 1, data: good, size: -5 }), { code: "SYNTAX", message: /the size of its data is -5 \(block 1, / });
check("a size beyond all bounds", () => blocks({ count: 1, data: good, size: 2 ** 40 }), { code: "LIMIT", message: /a block of 1099511627776 bytes is larger than 16777216/ });
check("a count of too many bits", () => Buffer.concat([blocks(), Buffer.alloc(11, 0xff)]), { code: "SYNTAX", message: /more than 64 bits/ });
check("more records than there are", () => blocks({ count: 3, data: good }), { code: "SYNTAX", message: new RegExp(`the block ends in the middle of a value \\(block 1, byte ${headerBytes + 2 + good.length}\\)`), line: 3, column: "id" });
check("fewer records than there are", () => blocks({ count: 1, data: good }), { code: "SYNTAX", message: /behind the 1 records of the block stand 3 bytes more/, line: 1 });
check("a text that is longer than its block", () => blocks({ count: 1, data: Buffer.concat([long(1), long(4_000)]) }), { code: "SYNTAX", message: /ends in the middle/, line: 1, column: "name" });
check("a text of negative length", () => blocks({ count: 1, data: Buffer.concat([long(1), long(-1)]) }), { code: "SYNTAX", message: new RegExp(`a length is -1 \\(block 1, byte ${headerBytes + 3}\\)`), column: "name", offset: headerBytes + 3 });
check("a text of endless length", () => blocks({ count: 1, data: Buffer.concat([long(1), long(2n ** 62n)]) }), { code: "LIMIT", message: /a length is 4611686018427387904, more than/, column: "name" });
check("a text that is not UTF-8", () => blocks({ count: 1, data: Buffer.concat([long(1), Buffer.from([4, 0xc3, 0x28])]) }), { code: "ENCODING", message: /not UTF-8/, column: "name" });
check("a number of more than 64 bits", () => blocks({ count: 1, data: Buffer.alloc(12, 0xff) }), { code: "SYNTAX", message: /more than 64 bits/, column: "id" });
check("a number whose tenth byte says too much", () => blocks({ count: 1, data: Buffer.from([...Array<number>(9).fill(0xff), 2]) }), { code: "SYNTAX", message: /more than 64 bits/, column: "id" });
check("an int of more than 32 bits", () => one("int", long(2 ** 31)), { code: "SYNTAX", message: /more than 32 bits/, column: "c" });
check("a boolean of 2", () => one("boolean", Buffer.from([2])), { code: "SYNTAX", message: /a boolean is 2/, column: "c" });
check("an enum's index that is none", () => one({ type: "enum", name: "E", symbols: ["A"] }, long(1)), { code: "SYNTAX", message: /index is 1, it has 1 symbols/, column: "c" });
check("a union's index that is none", () => one(["null", "int"], long(-1)), { code: "SYNTAX", message: /index is -1, it has 2 branches/, column: "c" });
check("a key twice in a map", () => one({ type: "map", values: "null" }, Buffer.concat([long(2), text("a"), text("a"), long(0)])), { code: "SYNTAX", message: /the key "a" twice/, column: "c" });
check("bytes that are no text", () => one("bytes", Buffer.from([2, 0xff])), { code: "CAST", message: /bytes, not text; in: \{bytes: base64\}/, column: "c" });
check("a date beyond the calendar", () => one({ type: "int", logicalType: "date" }, long(2_147_483_647)), { code: "CAST", message: /2147483647 is no date or time/, column: "c" });
check("a time of no day", () => one({ type: "int", logicalType: "time-millis" }, long(86_400_000)), { code: "CAST", message: /no date or time/, column: "c" });
check("a decimal of a thousand bytes", () => one({ type: "bytes", logicalType: "decimal", precision: 3_000 }, Buffer.concat([long(1_000), Buffer.alloc(1_000, 1)])), { code: "LIMIT", message: /a decimal has 1000 bytes/, column: "c" });
check("a big decimal with more than itself", () => one({ type: "bytes", logicalType: "big-decimal" }, Buffer.concat([long(4), long(1), Buffer.from([1]), long(2), Buffer.from([9])])), { code: "SYNTAX", message: /a big-decimal is none/, column: "c" });

// Bombs: a few bytes that would unfold to gigabytes or run for ever.
check("a list of 2^40 nulls", () => one({ type: "array", items: "null" }, Buffer.concat([long(2n ** 40n), long(0)])), { code: "LIMIT", message: /more than 16777216 characters/, column: "c" });
check("a list of more than 2^53 nulls", () => one({ type: "array", items: "null" }, long(2n ** 60n)), { code: "LIMIT", message: /a list has 1152921504606846976 items/, column: "c" });
check("a type that contains itself", () => one({ type: "record", name: "A", fields: [{ name: "a", type: "A" }] }, Buffer.alloc(0)), { code: "LIMIT", message: /nested deeper than 128/, column: "c" });
check("a chain of records without an end", () => one({ type: "record", name: "N", fields: [{ name: "n", type: ["null", "N"] }] }, Buffer.alloc(100_000, 2)), { code: "LIMIT", message: /nested deeper than 128/, column: "c" });
check("a schema that doubles forty times", () => {
  let type: unknown = { type: "record", name: "L0", fields: [] };
  for (let level = 1; level < 40; level++) type = { type: "record", name: `L${level}`, fields: [{ name: "a", type }, { name: "b", type: `L${level - 1}` }] };
  return one(type, Buffer.alloc(0));
}, { code: "LIMIT", message: /more than 16777216 characters/, column: "c" });

test("endless records of no bytes are refused as a bomb, and handed out a few at a time until then", () => {
  let [records, steps] = [0, 0];
  const reader = new AvroReader({ bytes: "utf8" }, { onColumns: () => undefined, onRow: () => void records++ });
  assert.throws(() => {
    for (const _ of reader.steps(one("null", Buffer.alloc(0), 2n ** 60n))) steps++;
  }, { code: "LIMIT", message: /is it a bomb\?/ });
  assert.ok(records > 1_000 && records / steps <= 1_001, `${records} records in ${steps} steps`);
});

const snappyBomb = Buffer.concat([fileOf(schema, [], "snappy"), long(1), long(8), Buffer.from([0xc0, 0xcf, 0x8d, 0x08, 0, 0, 0, 0]), sync]);

for (const codec of ["deflate", "snappy", "zstandard"]) {
  test(`${codec}: a block that unpacks to more than 16 MiB is refused`, () => {
    // Snappy says its length at once.
    const { fault } = readAvro(codec === "snappy" ? snappyBomb : fileOf(schema, [{ count: 1, data: Buffer.alloc(17_000_000, 97) }], codec));
    assert.equal(fault?.code, "LIMIT");
    assert.match(fault.message, new RegExp(`block 1 unpacks to more than 16777216 bytes \\(byte ${fileOf(schema, [], codec).length + 1}`.slice(0, 50)));
  });

  test(`${codec}: blocks that are no such data are refused, whatever was changed in them`, () => {
    const data = Buffer.concat(Array.from({ length: 40 }, (_, index) => Buffer.concat([long(index), text("n".repeat(index))])));
    const bytes = fileOf(schema, [{ count: 40, data }], codec);
    const start = fileOf(schema, [], codec).length + 3;
    let refused = 0;
    for (let at = start; at < bytes.length - 16; at++) {
      const wrong = Buffer.from(bytes);
      wrong[at] = (wrong[at] ?? 0) ^ 0x10;
      const { fault, rows } = readAvro(wrong);
      if (fault === undefined) assert.equal(rows.length, 40);
      else assert.ok(["SYNTAX", "ENCODING", "LIMIT"].includes(fault.code), fault.message);
      if (fault !== undefined) refused++;
    }
    // Data without a checksum may be other data.
    assert.ok(refused > (codec === "snappy" ? 250 : 1), `${refused} refused`);
  });
}

test("a fault in a packed block is told by the block's place and the byte of its content", () => {
  const { fault } = readAvro(fileOf(schema, [{ count: 1, data: Buffer.concat([long(1), long(-1)]) }], "deflate"));
  const start = fileOf(schema, [], "deflate").length + 2;
  assert.match(fault?.message ?? "", new RegExp(`a length is -1 \\(block 1 at byte ${start}, byte 1 of its content\\)`));
  assert.equal(fault?.offset, start);
});

test("whatever one byte is changed to, the outcome is records or a fault, never another error", () => {
  const bytes = blocks({ count: 2, data: good }, { count: 2, data: good });
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [0x01, 0x40, 0x80, 0xff]) {
      const wrong = Buffer.from(bytes);
      wrong[at] = (wrong[at] ?? 0) ^ bit;
      readAvro(wrong);
    }
  }
});
