import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReplyScanner } from "../../../sidecars/redis-ambassador/protocol/reply-scanner.ts";

const bulk = (mark: string) => fc.string({ maxLength: 12, unit: "binary-ascii" }).map((text) => `${mark}${text.length}\r\n${text}\r\n`);
const leaf = fc.oneof(
  fc.constantFrom("+OK\r\n", "-ERR no\r\n", ":-12\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "(123456789012345678901234567890\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "%0\r\n", "~0\r\n", "$0\r\n\r\n"),
  bulk("$"), bulk("="), bulk("!"),
  fc.constantFrom("$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n", "*?\r\n:1\r\n.\r\n", "%?\r\n+a\r\n:1\r\n.\r\n", "*?\r\n*?\r\n.\r\n.\r\n"),
);
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, leaf,
    fc.tuple(fc.constantFrom("*", "~", ">"), fc.array(tie("value"), { maxLength: 4 })).map(([mark, items]) => `${mark}${items.length}\r\n${items.join("")}`),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((pairs) => `%${pairs.length}\r\n${pairs.flat().join("")}`),
    fc.tuple(tie("value"), tie("value"), leaf).map(([key, described, reply]) => `|1\r\n${key}${described}${reply}`)),
}));

test("the ends of replies are found in both protocols, wherever the bytes are cut", () => {
  fc.assert(fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), fc.array(fc.nat({ max: 20 }), { minLength: 1 }), (replies, cuts) => {
    const bytes = Buffer.from(replies.join(""), "latin1"), scanner = new ReplyScanner(), ends: number[] = [];
    let at = 0;
    for (let turn = 0; at < bytes.length; turn += 1) {
      const end = Math.min(bytes.length, at + 1 + (cuts[turn % cuts.length] ?? 0));
      while (at < end) {
        at = scanner.advance(bytes, at, end);
        assert.equal(scanner.failed, false);
        if (scanner.ended) ends.push(at);
      }
    }
    let total = 0;
    assert.deepEqual(ends, replies.map((reply) => (total += reply.length)));
    assert.equal(scanner.atBoundary, true);
  }), { numRuns: 500 });
});

test("what is no RESP is recognised at once", () => {
  const scanner = new ReplyScanner();
  scanner.advance(Buffer.from("HTTP/1.1 400"), 0, 12);
  assert.equal(scanner.failed, true);
});

test("a reply nested without end is refused instead of growing memory", () => {
  const scanner = new ReplyScanner(), bytes = Buffer.from("*1\r\n".repeat(10_000));
  scanner.advance(bytes, 0, bytes.length);
  assert.equal(scanner.failed, true);
});
