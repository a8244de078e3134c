import assert from "node:assert/strict";
import { test } from "node:test";
import { encodingOf, type Encoding } from "../../../../sidecars/log-shipper/encode/encoding.ts";
import { encodeArriving, type Settings } from "./grouping.ts";

const le = (text: string): Buffer => Buffer.from(text, "utf16le");
const be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

const check = (name: string, bytes: Buffer, settings: Settings, expected: readonly string[], discarded = 0): void => {
  test(name, () => {
    const outcome = encodeArriving(bytes, settings);
    assert.deepEqual(outcome.records.map(({ record }) => record["log"]), expected);
    assert.equal(outcome.discarded, discarded);
    assert.equal(outcome.records.reduce((sum, { own }) => sum + own, 0) + discarded, bytes.length);
    for (let stop = 0; stop < bytes.length; stop++) assert.deepEqual(encodeArriving(bytes, settings, [stop]).records, outcome.records);
  });
};

check("UTF-16LE becomes UTF-8, CR before LF is taken off", le("grün\r\n😀 b\nc"), { encoding: "utf-16le" }, ["grün", "😀 b", "c"]);
check("UTF-16BE becomes UTF-8", be("grün\r\n😀 b\nc"), { encoding: "utf-16be" }, ["grün", "😀 b", "c"]);
check("A byte order mark is no part of the first line: UTF-16LE", le("\ufeffa\nb\n"), { encoding: "utf-16le" }, ["a", "b"], 2);
check("A byte order mark is no part of the first line: UTF-16BE", be("\ufeffa\nb\n"), { encoding: "auto", found: "utf-16be" }, ["a", "b"], 2);
check("A byte order mark is no part of the first line: UTF-8", Buffer.from("\ufeffa\nb\ufeff\n"), { encoding: "utf-8" }, ["a", "b\ufeff"], 3);
check("Half of a pair and half of a code unit become U+FFFD", Buffer.concat([le("a\ud83d\nb"), Buffer.from([0x41])]), { encoding: "utf-16le" }, ["a\ufffd", "b\ufffd"]);
check("A 10 within a code unit is no line end", le("\u0a0a\u0a00\u000b\ufffe\nb\n"), { encoding: "utf-16le" }, ["\u0a0a\u0a00\u000b\ufffe", "b"]);
check("The same in UTF-16BE", be("\u0a0a\u0a00\u000b\ufffe\u0100\nb\n"), { encoding: "utf-16be" }, ["\u0a0a\u0a00\u000b\ufffe\u0100", "b"]);
check("A hole of NUL characters is passed over", le("a\n\0\0\0b\0c\n"), { encoding: "utf-16le" }, ["a", "b\0c"], 6);
check("A line too long is divided between characters", le(`${"x".repeat(7)}😀${"y".repeat(7)}\n`), { encoding: "utf-16le", lineMax: 16 }, ["xxxxxxx", "😀yyyyyy", "y"]);
check("A line too long is dropped", be(`${"x".repeat(20)}\nb\n`), { encoding: "utf-16be", lineMax: 16, tooLong: "drop" }, ["b"], 42);
check("Latin-1 becomes UTF-8", Buffer.from("gr\u00fcn \u00ff\nb\n", "latin1"), { encoding: "latin1" }, ["gr\u00fcn \u00ff", "b"]);
check("Dropped lines leave nothing, the lines around them are whole", Buffer.from(`a\n${"x".repeat(50)}\nb\n${"y".repeat(17)}\n${"z".repeat(16)}\n${"e".repeat(20)}`), { lineMax: 16, tooLong: "drop" }, ["a", "b", "z".repeat(16)], 51 + 18 + 20);

test("Bytes that are not UTF-8 stay as they are", () => {
  const bytes = Buffer.from([0x61, 0xff, 0xc3, 0x0a, 0x80, 0x0a]);
  const { entries } = encodeArriving(bytes, { encoding: "utf-8" });
  assert.ok(entries.includes(Buffer.from([0xa3, 0x61, 0xff, 0xc3])));
  assert.ok(entries.includes(Buffer.from([0xa1, 0x80])));
});

const mark = (name: string, head: readonly number[], all: boolean, expected: Encoding | undefined): void => {
  test(`The byte order mark: ${name}`, () => assert.equal(encodingOf(Buffer.from(head), all), expected));
};
mark("none", [0x61, 0x62, 0x63], false, "utf-8");
mark("of UTF-8", [0xef, 0xbb, 0xbf], false, "utf-8");
mark("of UTF-16LE", [0xff, 0xfe, 0x61], false, "utf-16le");
mark("of UTF-16BE", [0xfe, 0xff, 0x00], false, "utf-16be");
mark("half of it says nothing yet", [0xff], false, undefined);
mark("half of it at the end is none", [0xff], true, "utf-8");
mark("nothing says nothing yet", [], false, undefined);
mark("one other byte is enough", [0x61], false, "utf-8");
