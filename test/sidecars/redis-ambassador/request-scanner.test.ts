import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeRequest, splitInline } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import { RequestScanner, parseLength, scanned } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import { RequestTail } from "../../../sidecars/redis-ambassador/protocol/request-tail.ts";

const limit = 512 * 1024 * 1024;
const scanner = new RequestScanner(() => limit);
const request = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 8 });

describe("the request scanner", () => {
  test("finds every argument of any request, and asks for more at every earlier byte", () => {
    fc.assert(fc.property(request, fc.uint8Array({ maxLength: 5 }), (words, following) => {
      const bytes = Buffer.concat([encodeRequest(words), following]), end = bytes.length - following.length;
      for (let cut = 0; cut < end; cut += 1) {
        assert.equal(scanner.scan(bytes.subarray(0, cut), 0, cut), scanned.incomplete);
        assert.ok(scanner.needed > cut && scanner.needed <= end, `at ${cut} of ${end} it wanted ${scanner.needed}`);
      }
      assert.equal(scanner.scan(bytes, 0, bytes.length), scanned.complete);
      assert.equal(scanner.next, end);
      assert.deepEqual(words.map((_, index) => Buffer.from(bytes.subarray(scanner.argStart[index], scanner.argEnd[index]))), words.map((word) => Buffer.from(word)));
    }));
  });

  test("junk never makes it run past the end or throw", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
      const bytes = Buffer.from(junk), found = scanner.scan(bytes, 0, bytes.length);
      if (found !== scanned.incomplete && found !== scanned.failed) assert.ok(scanner.next > 0 && scanner.next <= bytes.length);
    }));
  });

  const fails = (input: string, text: string): void => {
    test(`${JSON.stringify(input.slice(0, 20))} is "${text}"`, () => {
      const bytes = Buffer.from(input, "latin1");
      assert.equal(scanner.scan(bytes, 0, bytes.length), scanned.failed);
      assert.equal(scanner.errorText, `-ERR Protocol error: ${text}\r\n`);
    });
  };
  fails("*3000000000\r\n", "invalid multibulk length");
  fails("*x\r\n", "invalid multibulk length");
  fails("*+1\r\n", "invalid multibulk length");
  fails("*01\r\n", "invalid multibulk length");
  fails("*-0\r\n", "invalid multibulk length");
  fails("*\r\n", "invalid multibulk length");
  fails("*1\r\n$-3\r\n", "invalid bulk length");
  fails("*1\r\n$2000000000\r\n", "invalid bulk length");
  fails("*1\r\n$99999999999999999999\r\n", "invalid bulk length");
  fails("*1\r\n+PING\r\n", "expected '$', got '+'");
  fails(`*${"1".repeat(66_000)}`, "too big mbulk count string");
  fails(`*1\r\n$${"1".repeat(66_000)}`, "too big bulk count string");
  fails("x".repeat(66_000), "too big inline request");

  test("*0 and negative counts are requests without a reply", () => {
    for (const text of ["*0\r\n", "*-5\r\n"]) assert.equal(scanner.scan(Buffer.from(text), 0, text.length), scanned.empty);
  });

  test("lengths are no 32-bit numbers", () => {
    const text = Buffer.from("10000000000");
    assert.equal(parseLength(text, 0, text.length), 10_000_000_000);
  });
});

test("a big request is followed over any cuts to its very end", () => {
  fc.assert(fc.property(request, fc.array(fc.nat({ max: 30 }), { minLength: 1 }), fc.uint8Array({ maxLength: 9 }), (words, cuts, following) => {
    const bytes = Buffer.concat([encodeRequest(words), following]), tail = new RequestTail();
    let at = 0, turn = 0;
    while (!tail.done && at < bytes.length) {
      const end = Math.min(bytes.length, at + 1 + (cuts[turn % cuts.length] ?? 0));
      turn += 1;
      at = tail.feed(bytes, at, end, limit);
    }
    assert.equal(tail.failure, undefined);
    assert.equal(at, bytes.length - following.length);
  }));
});

const splits = (line: string, words: readonly string[] | undefined): void => {
  test(`inline ${JSON.stringify(line)} is ${JSON.stringify(words)}`, () => {
    assert.deepEqual(splitInline(Buffer.from(line, "latin1"))?.map((word) => Buffer.from(word).toString("latin1")), words);
  });
};
splits("", []);
splits("  SET  a\tb ", ["SET", "a", "b"]);
splits(String.raw`SET a "x\x41\n\"y"`, ["SET", "a", 'xA\n"y']);
splits(String.raw`SET a 'it\'s \n'`, ["SET", "a", String.raw`it's \n`]);
splits('SET a ""', ["SET", "a", ""]);
splits('SET a "b', undefined);
splits('SET a "b"c', undefined);
splits("SET a 'b", undefined);
