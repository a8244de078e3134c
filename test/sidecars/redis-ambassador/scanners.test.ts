import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeRequest, splitInline } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import { ReplyScanner } from "../../../sidecars/redis-ambassador/protocol/reply-scanner.ts";
import { lineBytesMax, RequestScanner, scanned } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import { RequestTail } from "../../../sidecars/redis-ambassador/protocol/request-tail.ts";
import { decodeAll } from "../../support/resp.ts";

const bulkBytesMax = 512 * 1024 * 1024;
const newScanner = (): RequestScanner => new RequestScanner(() => bulkBytesMax);
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const runs = { numRuns: 300 };

/** Bytes that look like the protocol more often than chance would have it. */
const protocolish = fc.array(fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("*", "$", "\r\n", "\r", "\n", "1", "2", "0", "-1", "3", "10", "+", "-", ":", "%", "~", ">", "|", "?", ";", ".", "_", "=", "(", ",", "#", "!") },
  { weight: 2, arbitrary: fc.constantFrom("*1\r\n", "*2\r\n$3\r\nGET\r\n", "$4\r\nPING\r\n", "$-1\r\n", "*0\r\n", "PING\r\n", "SET a 'b\r\n", "*3000000000\r\n", "$?\r\n", "%1\r\n", "|1\r\n") },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString("latin1")) },
), { maxLength: 30 }).map((parts) => latin1(parts.join("")));

/** Bytes with marks between 0 and 1 of where they are cut. */
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });
function pieces(bytes: Buffer, at: readonly number[]): Buffer[] {
  const ends = [...at.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b), bytes.length];
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end)).filter((piece) => piece.length > 0);
}

// ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────────

const word = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
/** The bytes of a request and what has to be found: its words, nothing, or a line. */
type Sent = { readonly bytes: Buffer; readonly found: readonly string[] | "nothing" | { readonly line: string } };
const request: fc.Arbitrary<Sent> = fc.oneof(
  { weight: 6, arbitrary: fc.array(word, { minLength: 1, maxLength: 6 }).map((words): Sent => ({ bytes: encodeRequest(words.map(latin1)), found: words })) },
  { weight: 1, arbitrary: fc.constantFrom("*0\r\n", "*-1\r\n", "*-7\r\n").map((text): Sent => ({ bytes: latin1(text), found: "nothing" })) },
  { weight: 2, arbitrary: fc.constantFrom("PING\r\n", "\r\n", "\n", "SET a b\n", " GET  x\t\r\n").map((text): Sent => ({ bytes: latin1(text), found: { line: text } })) },
);

/** What a scanner finds in pieces that come one after the other: what is not complete is kept and looked at again. */
function found(parts: readonly Buffer[]): { readonly seen: unknown[]; readonly rest: number } {
  const scanner = newScanner(), seen: unknown[] = [];
  let kept = Buffer.alloc(0), needed = 0;
  for (const part of parts) {
    kept = Buffer.concat([kept, part]);
    for (let more = kept.length > 0; more;) {
      const result = scanner.scan(kept, 0, kept.length);
      if (result === scanned.incomplete) {
        assert.ok(scanner.needed > kept.length, "more bytes are needed than are there");
        needed = scanner.needed;
        break;
      }
      if (result === scanned.failed) return { seen: [...seen, scanner.errorText], rest: kept.length };
      assert.ok(scanner.next > 0 && scanner.next <= kept.length, "the next request begins behind this one");
      assert.ok(scanner.next >= needed, "no request is complete before it said it could be");
      needed = 0;
      if (result === scanned.complete) seen.push(Array.from({ length: scanner.argc }, (_, index) => kept.toString("latin1", scanner.argStart[index], scanner.argEnd[index])));
      else seen.push(result === scanned.empty ? "nothing" : { line: kept.toString("latin1", 0, scanner.next) });
      kept = kept.subarray(scanner.next);
      more = kept.length > 0;
    }
  }
  return { seen, rest: kept.length };
}

test("requests cut anywhere are the requests that were sent", () => {
  fc.assert(fc.property(fc.array(request, { maxLength: 8 }), cuts, (requests, at) => {
    const { seen, rest } = found(pieces(Buffer.concat(requests.map((each) => each.bytes)), at));
    assert.deepEqual(seen, requests.map((each) => each.found));
    assert.equal(rest, 0);
  }), runs);
});

test("every prefix of a request is incomplete, and says so at once", () => {
  fc.assert(fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
    const bytes = encodeRequest(words.map(latin1)), scanner = newScanner();
    for (let end = 0; end < bytes.length; end += 1) {
      assert.equal(scanner.scan(bytes, 0, end), scanned.incomplete);
      assert.ok(scanner.needed > end && scanner.needed <= bytes.length, `${scanner.needed} of ${bytes.length} at ${end}`);
    }
  }), { numRuns: 60 });
});

test("no bytes make the request scanner throw, stand still, or look behind the end", () => {
  fc.assert(fc.property(protocolish, protocolish, protocolish, (bytes, behind, alsoBehind) => {
    const one = newScanner(), other = newScanner(), first = Buffer.concat([bytes, behind]), second = Buffer.concat([bytes, alsoBehind]);
    for (let at = 0; at < bytes.length;) {
      const result = one.scan(first, at, bytes.length);
      assert.equal(other.scan(second, at, bytes.length), result);
      assert.deepEqual([other.next, other.argc, other.needed, other.errorText], [one.next, one.argc, one.needed, one.errorText]);
      if (result === scanned.incomplete || result === scanned.failed) break;
      assert.ok(one.next > at && one.next <= bytes.length);
      for (let index = 0; index < one.argc; index += 1) assert.ok((one.argStart[index] ?? -1) >= at && (one.argEnd[index] ?? Infinity) <= bytes.length);
      at = one.next;
    }
  }), { numRuns: 1_000 });
});

test("a failure is found whether bytes come at once or in pieces", () => {
  fc.assert(fc.property(protocolish, cuts, (bytes, at) => {
    assert.deepEqual(found(pieces(bytes, at)).seen, found([bytes].filter((each) => each.length > 0)).seen);
  }), { numRuns: 1_000 });
});

/** Follows one request in pieces; gives how many bytes belong to it, or its failure. */
function followed(parts: readonly Buffer[]): number | string | undefined {
  const tail = new RequestTail();
  let length = 0;
  for (const part of parts) {
    const end = tail.feed(part, 0, part.length, bulkBytesMax);
    assert.ok(end > 0 && end <= part.length);
    length += end;
    if (tail.failure !== undefined) return tail.failure;
    if (tail.done) return length;
  }
  return undefined;
}

test("a request that is followed piece by piece ends where the scanner ends it, or fails with the same words", () => {
  fc.assert(fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), protocolish, cuts, (words, behind, at) => {
    const bytes = encodeRequest(words.map(latin1));
    assert.equal(followed(pieces(Buffer.concat([bytes, behind]), at)), bytes.length);
  }), runs);
  fc.assert(fc.property(protocolish.map((bytes) => Buffer.concat([latin1("*2\r\n$1\r\nx\r\n"), bytes])), cuts, (bytes, at) => {
    const scanner = newScanner(), result = scanner.scan(bytes, 0, bytes.length), followedTo = followed(pieces(bytes, at));
    if (result === scanned.failed) assert.equal(`-ERR Protocol error: ${followedTo}\r\n`, scanner.errorText);
    else assert.equal(followedTo, result === scanned.complete ? scanner.next : undefined);
  }), { numRuns: 1_000 });
});

// What Redis 7.0.15, Redis 8.0.2 and Valkey 8.1.1 answer before they close, word for word the same.
const refusals: readonly (readonly [bytes: string, text: string])[] = [
  ...["*3000000000", "*x", "*", "*+1", "* 1", "*1 ", "*01", "*0x1", "*1.5", "*-", "*99999999999999999999", "*2147483648", "*-99999999999999999999"].map((line) => [`${line}\r\n`, "invalid multibulk length"] as const),
  ...["$-3", "$-1", "$x", "$", "$+4", "$ 4", "$04", "$4 ", "$2000000000", "$536870913", "$99999999999999999999", "$9223372036854775807"].map((line) => [`*1\r\n${line}\r\n`, "invalid bulk length"] as const),
  ["*1\r\n+PING\r\n", "expected '$', got '+'"], ["*2\r\n$3\r\nGET\r\n:1\r\n", "expected '$', got ':'"], ["*2\r\n$4\r\nPING\r\n*1\r\n", "expected '$', got '*'"],
  ["*1\r\n\u00014\r\n", "expected '$', got '\u0001'"], ["*1\r\n\u00e94\r\n", "expected '$', got '\u00e9'"], ["*1\r\n\n4\r\n", "expected '$', got ' '"], ["*1\r\n\r\n", "expected '$', got ' '"],
  ["x".repeat(lineBytesMax + 1), "too big inline request"], [`*${"1".repeat(lineBytesMax)}`, "too big mbulk count string"], [`*1\r\n$${"1".repeat(lineBytesMax)}`, "too big bulk count string"],
];
test("protocol errors read as the servers' do", () => {
  for (const [bytes, text] of refusals) {
    const scanner = newScanner();
    assert.equal(scanner.scan(latin1(bytes), 0, bytes.length), scanned.failed, JSON.stringify(bytes.slice(0, 40)));
    assert.equal(scanner.errorText, `-ERR Protocol error: ${text}\r\n`);
    if (bytes.startsWith("*1\r\n")) assert.equal(followed([latin1(bytes)]), text);
  }
});

test("inline words come back as they were quoted, and no line makes the splitting throw", () => {
  const doubled = (text: string): string => `"${Array.from(text, (each) => (/[a-z0-9 ]/i.test(each) ? each : `\\x${each.charCodeAt(0).toString(16).padStart(2, "0")}`)).join("")}"`;
  const single = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const quoted = fc.oneof(word.map((text) => [text, doubled(text)] as const), word.filter((text) => !text.endsWith("\\") && !text.includes("\\'") && !text.includes("\\")).map((text) => [text, single(text)] as const), fc.stringMatching(/^[a-zA-Z0-9]{1,9}$/).map((text) => [text, text] as const));
  fc.assert(fc.property(fc.array(quoted, { maxLength: 5 }), (words) => {
    assert.deepEqual(splitInline(latin1(words.map(([, text]) => text).join(" \t ")))?.map((bytes) => Buffer.from(bytes).toString("latin1")), words.map(([text]) => text));
  }), runs);
  fc.assert(fc.property(protocolish, fc.array(fc.constantFrom("'", "\"", "\\", "x", "\\x4", " ")), (bytes, quotes) => {
    splitInline(Buffer.concat([latin1(quotes.join("")), bytes]));
  }), runs);
});

// ── Replies ────────────────────────────────────────────────────────────────────────────────────────────────────────

const line = fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, " "));
const bulk = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const scalar = fc.oneof(
  line.map((text) => `+${text}\r\n`), line.map((text) => `-ERR ${text}\r\n`), fc.integer().map((value) => `:${value}\r\n`), fc.double().map((value) => `,${value}\r\n`),
  fc.bigInt().map((value) => `(${value}\r\n`), fc.constantFrom("_\r\n", "#t\r\n", "#f\r\n", "$-1\r\n", "*-1\r\n", ",inf\r\n", "$0\r\n\r\n"),
  bulk.map((text) => `$${text.length}\r\n${text}\r\n`), bulk.map((text) => `=${text.length + 4}\r\ntxt:${text}\r\n`), bulk.map((text) => `!${text.length}\r\n${text}\r\n`),
  fc.array(bulk.filter((text) => text !== ""), { maxLength: 3 }).map((texts) => `$?\r\n${texts.map((text) => `;${text.length}\r\n${text}\r\n`).join("")};0\r\n`),
);
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { weight: 5, arbitrary: scalar },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom("*", "~", ">"), fc.array(tie("value"), { maxLength: 4 })).map(([type, items]) => `${type}${items.length}\r\n${items.join("")}`) },
    { weight: 1, arbitrary: fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((pairs) => `%${pairs.length}\r\n${pairs.flat().join("")}`) },
    { weight: 1, arbitrary: fc.tuple(fc.array(fc.tuple(scalar, tie("value")), { minLength: 1, maxLength: 2 }), tie("value")).map(([pairs, described]) => `|${pairs.length}\r\n${pairs.flat().join("")}${described}`) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom("*", "~"), fc.array(tie("value"), { maxLength: 3 })).map(([type, items]) => `${type}?\r\n${items.join("")}.\r\n`) },
    { weight: 1, arbitrary: fc.array(fc.tuple(scalar, tie("value")), { maxLength: 2 }).map((pairs) => `%?\r\n${pairs.flat().join("")}.\r\n`) },
  ),
}));

/** Where top-level replies end in a stream of pieces, and the first byte of each. */
function ends(parts: readonly Buffer[]): { readonly at: number[]; readonly first: string[]; readonly failed: boolean; readonly boundary: boolean } {
  const scanner = new ReplyScanner(), at: number[] = [], first: string[] = [];
  let base = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length;) {
      const next = scanner.advance(part, from, part.length);
      assert.ok(next > from && next <= part.length, "it goes on, and not behind the end");
      from = next;
      if (scanner.failed) return { at, first, failed: true, boundary: false };
      if (!scanner.ended) continue;
      at.push(base + next);
      first.push(String.fromCharCode(scanner.firstByte));
    }
    base += part.length;
  }
  return { at, first, failed: false, boundary: scanner.atBoundary };
}

test("replies cut anywhere end where a plain decoder ends them", () => {
  fc.assert(fc.property(fc.array(value, { maxLength: 6 }), cuts, (replies, cutAt) => {
    const text = replies.join(""), expected = decodeAll(text), got = ends(pieces(latin1(text), cutAt));
    assert.equal(expected.ends.at(-1) ?? 0, text.length);
    assert.deepEqual([got.failed, got.boundary], [false, true]);
    assert.deepEqual(got.at, expected.ends);
    assert.deepEqual(got.first, replies.map((reply) => reply.charAt(0)));
  }), runs);
});

test("no bytes make the reply scanner throw or stand still, cut or whole", () => {
  fc.assert(fc.property(protocolish, cuts, (bytes, at) => {
    const whole = ends(pieces(bytes, [])), cut = ends(pieces(bytes, at));
    assert.deepEqual([cut.at, cut.failed], [whole.at, whole.failed]);
  }), { numRuns: 1_000 });
});
