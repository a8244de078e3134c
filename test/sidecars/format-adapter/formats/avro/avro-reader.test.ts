import assert from "node:assert/strict";
import { test } from "node:test";
import { fileByOracle, fileOf, long, readAvro, text } from "./support.ts";

const record = (fields: readonly unknown[]): unknown => ({ type: "record", name: "Row", namespace: "com.example", fields });
const one = (type: unknown): unknown => record([{ name: "c", type }]);

/** The cells of a file of one column, written by hand: what stands between the bytes and the text is exact. */
const check = (name: string, type: unknown, data: readonly Buffer[], expected: readonly string[], bytes: "utf8" | "base64" | "hex" = "utf8"): void => {
  test(`${name} are exact`, () => {
    const outcome = readAvro(fileOf(one(type), [{ count: data.length, data: Buffer.concat(data) }]), undefined, { bytes });
    assert.deepEqual(outcome, { columns: ["c"], rows: expected.map((cell) => [cell]) });
  });
};
const le = (size: 4 | 8, value: number): Buffer => {
  const bytes = Buffer.alloc(size);
  if (size === 4) bytes.writeFloatLE(value, 0);
  else bytes.writeDoubleLE(value, 0);
  return bytes;
};
const int64 = [2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_993n, 2n ** 53n, -(2n ** 53n) - 1n, 2n ** 52n, 0n, -1n, 63n, 64n, -64n, -65n, 134_217_727n, 134_217_728n, 2n ** 55n, 2n ** 62n];
check("64-bit integers", "long", int64.map((value) => long(value)), int64.map(String));
check("32-bit integers", "int", [long(2_147_483_647), long(-2_147_483_648)], ["2147483647", "-2147483648"]);
check("booleans", "boolean", [Buffer.from([1]), Buffer.from([0])], ["true", "false"]);
check("nulls", "null", [Buffer.alloc(0), Buffer.alloc(0)], ["null", "null"]);
check("doubles", "double", [0.1, 1e21, -0, NaN, -Infinity, 5e-324].map((value) => le(8, value)), ["0.1", "1e+21", "-0", '"NaN"', '"-Infinity"', "5e-324"]);
check("floats", "float", [0.1, 16_777_216, 3.402_823_5e38].map((value) => le(4, value)), ["0.1", "16777216", "3.4028235e+38"]);
check("texts", "string", ["", "\uFEFFZoë 🎈", "\uFFFD", "00123"].map((value) => text(value)), ['""', '"\uFEFFZoë 🎈"', '"\uFFFD"', '"00123"']);
check("texts of bytes", "bytes", [text("no")], ['"no"']);
check("bytes in base64", "bytes", [Buffer.from([4, 0xff, 0x00])], ['"/wA="'], "base64");
check("fixed bytes in hex", { type: "fixed", name: "F", size: 3 }, [Buffer.from([0xff, 0, 1])], ['"ff0001"'], "hex");
check("enums", { type: "enum", name: "E", symbols: ["NEW", "PAID"] }, [long(1), long(0)], ['"PAID"', '"NEW"']);
check("unions", ["null", "long", "string"], [long(0), Buffer.concat([long(1), long(7)]), Buffer.concat([long(2), text("x")])], ["null", "7", '"x"']);
check("decimals", { type: "bytes", logicalType: "decimal", precision: 40, scale: 2 }, [[0x01, 0x00], [0xff], [], [0x7f, ...Array<number>(15).fill(0xff)]].map((digits) => Buffer.concat([long(digits.length), Buffer.from(digits)])), ["2.56", "-0.01", "0.00", "1701411834604692317316873037158841057.27"]);
check("decimals in fixed bytes", { type: "fixed", name: "D", size: 4, logicalType: "decimal", precision: 9, scale: 3 }, [Buffer.from([0xff, 0xff, 0xff, 0x85])], ["-0.123"]);
check("big decimals", { type: "bytes", logicalType: "big-decimal" }, [Buffer.concat([long(3), long(1), Buffer.from([0x7b]), long(2)])], ["1.23"]);
check("dates", { type: "int", logicalType: "date" }, [long(0), long(-719_162), long(20_778)], ['"1970-01-01"', '"0001-01-01"', '"2026-11-21"']);
check("times in milliseconds", { type: "int", logicalType: "time-millis" }, [long(86_399_999), long(0)], ['"23:59:59.999"', '"00:00:00"']);
check("times in microseconds", { type: "long", logicalType: "time-micros" }, [long(1)], ['"00:00:00.000001"']);
check("timestamps in milliseconds", { type: "long", logicalType: "timestamp-millis" }, [long(-1), long(1)], ['"1969-12-31T23:59:59.999Z"', '"1970-01-01T00:00:00.001Z"']);
check("timestamps in microseconds", { type: "long", logicalType: "timestamp-micros" }, [long(1_767_323_045_123_456n)], ['"2026-01-02T03:04:05.123456Z"']);
check("timestamps in nanoseconds", { type: "long", logicalType: "timestamp-nanos" }, [long(1_700_000_000_000_000_001n)], ['"2023-11-14T22:13:20.000000001Z"']);
check("local timestamps", { type: "long", logicalType: "local-timestamp-micros" }, [long(1_000_000)], ['"1970-01-01T00:00:01"']);
check("UUIDs", { type: "fixed", name: "U", size: 16, logicalType: "uuid" }, [Buffer.from("00112233445566778899aabbccddeeff", "hex")], ['"00112233-4455-6677-8899-aabbccddeeff"']);
check("durations", { type: "fixed", name: "L", size: 12, logicalType: "duration" }, [Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 0xbc, 0x0b, 0, 0])], ['"P1M2DT3.004S"']);
check("logical types that are malformed", { type: "bytes", logicalType: "decimal", precision: 2, scale: 3 }, [text("ab")], ['"ab"']);
check("logical types that nobody knows", { type: "long", logicalType: "frequency" }, [long(5)], ["5"]);
check("lists", { type: "array", items: ["null", "string"] }, [Buffer.concat([long(2), long(1), text("a\"b"), long(0), long(1), long(1), text("00123"), long(0)])], ['["a\\"b",null,"00123"]']);
check("lists of blocks that tell their size", { type: "array", items: "long" }, [Buffer.concat([long(-2), long(2), long(1), long(2), long(0)])], ["[1,2]"]);
check("maps", { type: "map", values: "double" }, [Buffer.concat([long(2), text("__proto__"), le(8, 1.5), text("b"), le(8, NaN), long(0)])], ['{"__proto__":1.5,"b":"NaN"}']);
check("records within records", { type: "record", name: "Inner", fields: [{ name: "id", type: "long" }, { name: "d", type: { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 } }] }, [Buffer.concat([long(9_007_199_254_740_993n), long(1), Buffer.from([0x96 - 256 & 0xff])])], ['{"id":9007199254740993,"d":-1.06}']);
check("types by their name", ["null", { type: "record", name: "Node", fields: [{ name: "v", type: "int" }, { name: "next", type: ["null", "Node"] }] }], [Buffer.concat([long(1), long(1), long(1), long(2), long(0)])], ['{"v":1,"next":{"v":2,"next":null}}']);

test("a name is looked up in its own namespace, then as it stands", () => {
  const schema = record([
    { name: "a", type: { type: "enum", name: "E", namespace: "other", symbols: ["X"] } }, { name: "b", type: "other.E" },
    { name: "c", type: { type: "enum", name: "E", symbols: ["Y"] } }, { name: "d", type: "E" }, { name: "e", type: "com.example.E" },
  ]);
  assert.deepEqual(readAvro(fileOf(schema, [{ count: 1, data: Buffer.alloc(5) }])).rows, [['"X"', '"X"', '"Y"', '"Y"', '"Y"']]);
});

const orders = record([
  { name: "id", type: "long" }, { name: "amount", type: ["null", "double"], default: null }, { name: "state", type: { type: "enum", name: "State", symbols: ["NEW", "PAID"] } },
  { name: "tags", type: { type: "array", items: "string" } }, { name: "customer", type: { type: "record", name: "Customer", fields: [{ name: "name", type: "string" }] } },
]);
const values = Array.from({ length: 500 }, (_, index) => ({ id: BigInt(index) * 123_456_789_012_345n, amount: index % 3 === 0 ? null : { double: index / 8 }, state: index % 2 === 0 ? "NEW" : "PAID", tags: Array.from({ length: index % 4 }, (__, tag) => `t${tag}`), customer: { name: `Zoë ${index}` } }));
const expected = values.map(({ id, amount, state, tags, customer }) => [String(id), amount === null ? "null" : String(amount.double), JSON.stringify(state), JSON.stringify(tags), JSON.stringify(customer)]);

for (const codec of ["null", "deflate"] as const) {
  test(`${codec}: what avsc wrote is read, in pieces of any size`, async () => {
    const bytes = await fileByOracle(orders, values, { codec, blockSize: 2_000 });
    for (const size of [1, 7, 4_096, bytes.length]) assert.deepEqual(readAvro(bytes, size), { columns: ["id", "amount", "state", "tags", "customer"], rows: expected }, `pieces of ${size}`);
  });
}

for (const codec of ["snappy", "zstandard"]) {
  test(`${codec}: blocks are unpacked`, () => {
    const data = Buffer.concat([text("x".repeat(300)), text("abc".repeat(50))]);
    assert.deepEqual(readAvro(fileOf(one("string"), [{ count: 2, data }, { count: 1, data: text("") }], codec), 13).rows, [[JSON.stringify("x".repeat(300))], [JSON.stringify("abc".repeat(50))], ['""']]);
  });
}

test("a file that is cut anywhere is not finished, but between two blocks", async () => {
  const bytes = await fileByOracle(orders, values.slice(0, 60), { blockSize: 300 });
  const whole = [...bytes.keys()].filter((cut) => readAvro(bytes.subarray(0, cut)).fault === undefined);
  const ends = [...bytes.keys()].filter((at) => bytes.subarray(at - 16, at).equals(bytes.subarray(-16)) && at >= 16);
  assert.ok(ends.length > 2);
  assert.deepEqual(whole, ends);
  for (let cut = 0; cut < bytes.length; cut++) {
    const { fault } = readAvro(bytes.subarray(0, cut));
    assert.ok(fault === undefined || fault.code === "INCOMPLETE", `cut at ${cut}: ${fault?.message}`);
  }
});

test("a file without a record has its columns all the same", () => {
  assert.deepEqual(readAvro(fileOf(orders, [])), { columns: ["id", "amount", "state", "tags", "customer"], rows: [] });
  assert.deepEqual(readAvro(fileOf(orders, [{ count: 0, data: Buffer.alloc(0) }])).rows, []);
});
