import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineCursor, type LongLines } from "../../../sidecars/log-shipper/encode/framing.ts";

type Line = { readonly text: string; readonly flag: string };
type Framed = { readonly lines: readonly Line[]; readonly consumed: number; readonly discarded: number };

/** Frames `bytes` as they arrive in pieces that end at `stops`, carrying state over as the tailer does. */
function frame(bytes: Buffer, stops: readonly number[], options: { readonly lineMax: number; readonly longLines?: LongLines; readonly final?: boolean }): Framed {
  const cursor = new LineCursor({ lineMax: options.lineMax, longLines: options.longLines ?? "split" });
  const lines: Line[] = [];
  let from = 0;
  let discarding = false;
  let discarded = 0;
  for (const end of [...stops, bytes.length]) {
    cursor.open(bytes, { from, end, final: options.final === true && end === bytes.length, discarding });
    while (cursor.next()) lines.push({ text: bytes.toString("latin1", cursor.start, cursor.stop), flag: cursor.flag });
    from = cursor.at;
    discarding = cursor.discarding;
    discarded += cursor.discardedBytes;
  }
  return { lines, consumed: from, discarded };
}

const check = (name: string, input: string, options: { readonly lineMax?: number; readonly longLines?: LongLines; readonly final?: boolean }, expected: readonly (readonly [string, string] | string)[], consumed = input.length): void => {
  test(name, () => {
    const framed = frame(Buffer.from(input, "utf8"), [], { lineMax: 8, ...options });
    assert.deepEqual(framed.lines, expected.map((each) => (typeof each === "string" ? { text: Buffer.from(each).toString("latin1"), flag: "whole" } : { text: Buffer.from(each[0]).toString("latin1"), flag: each[1] })));
    assert.equal(framed.consumed, Buffer.byteLength(input.slice(0, consumed)));
  });
};
check("A line ends at LF", "a\nb\n", {}, ["a", "b"]);
check("One CR before LF is taken off", "a\r\nb\r\r\nc\r", {}, ["a", "b\r"], 7);
check("An empty line is a line", "\n\n", {}, ["", ""]);
check("An unterminated line waits", "a\nbc", {}, ["a"], 2);
check("At the end it is a line", "a\nbc", { final: true }, ["a", "bc"]);
check("A line of exactly the limit is whole", "12345678\n", {}, ["12345678"]);
check("A longer one is split and flagged", "123456789\n", {}, [["12345678", "partial"], "9"]);
check("A split falls before a UTF-8 sequence", "1234567é\n", {}, [["1234567", "partial"], "é"]);
check("A cut line keeps its beginning", "123456789abcdefgh\nx\n", { longLines: "cut" }, [["12345678", "cut"], "x"]);
check("Leading NUL bytes are passed over", "\0\0\0a\nb\0c\n", {}, ["a", "b\0c"]);

test("Where the bytes are cut on arrival changes nothing, at every byte and for every input", () => {
  const bytes = fc.array(fc.constantFrom(10, 13, 0, 65, 66, 0xc3, 0xa9, 0xff), { maxLength: 60 }).map((values) => Buffer.from(values));
  fc.assert(
    fc.property(bytes, fc.constantFrom<LongLines>("split", "cut"), fc.integer({ min: 4, max: 9 }), (input, longLines, lineMax) => {
      const whole = frame(input, [], { lineMax, longLines, final: true });
      for (let stop = 0; stop <= input.length; stop++) assert.deepEqual(frame(input, [stop], { lineMax, longLines, final: true }), whole);
      const everywhere = frame(input, Array.from({ length: input.length }, (_, index) => index + 1), { lineMax, longLines, final: true });
      assert.deepEqual(everywhere, whole);
      assert.equal(whole.consumed, input.length);
      const terminators = input.filter((byte) => byte === 10).length;
      const kept = whole.lines.reduce((sum, line) => sum + line.text.length, 0);
      assert.ok(kept + whole.discarded <= input.length && kept + whole.discarded + terminators * 2 >= input.length, "every byte is kept, discarded, or a line end");
    }),
    { numRuns: 300 },
  );
});
