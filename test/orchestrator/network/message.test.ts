import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseMessage, serializeMessage } from "../../../orchestrator/network/dns/message.ts";
import type { Message, Name, RecordData } from "../../../orchestrator/network/dns/message.ts";

const query: Message = {
  id: 4711, isResponse: false, opcode: 0, authoritative: false, truncated: false, recursionDesired: true, recursionAvailable: false, code: 0,
  questions: [{ name: ["web", "default", "svc", "cluster", "local"], type: 1, class: 1 }], answers: [], authorities: [], additionals: [], edns: undefined,
};
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));

const label = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom("a", "b", "C", "D", "0", "9", "-", "_", ".", " ") });
const name: fc.Arbitrary<Name> = fc.array(label, { maxLength: 6 });
const uint16 = fc.integer({ min: 0, max: 65_535 }), uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const data: fc.Arbitrary<RecordData> = fc.oneof(
  fc.record({ kind: fc.constant("a" as const), address: fc.ipV4() }),
  fc.record({ kind: fc.constant("cname" as const), target: name }),
  fc.record({ kind: fc.constant("ptr" as const), target: name }),
  fc.record({ kind: fc.constant("srv" as const), priority: uint16, weight: uint16, port: uint16, target: name }),
  fc.record({ kind: fc.constant("soa" as const), server: name, mailbox: name, serial: uint32, refresh: uint32, retry: uint32, expire: uint32, minimum: uint32 }),
  fc.record({ kind: fc.constant("raw" as const), type: fc.constantFrom(16, 28, 99), bytes: fc.uint8Array({ maxLength: 40 }) }),
);
const records = fc.array(fc.record({ name, ttlSeconds: uint32, data }), { maxLength: 8 });
const message: fc.Arbitrary<Message> = fc.record({
  id: uint16, isResponse: fc.boolean(), opcode: fc.integer({ min: 0, max: 15 }), authoritative: fc.boolean(), truncated: fc.boolean(), recursionDesired: fc.boolean(), recursionAvailable: fc.boolean(),
  code: fc.integer({ min: 0, max: 15 }), questions: fc.array(fc.record({ name, type: uint16, class: uint16 }), { maxLength: 2 }), answers: records, authorities: records, additionals: records,
  edns: fc.option(fc.record({ udpBytesMax: uint16, version: fc.integer({ min: 0, max: 255 }) }), { nil: undefined }),
}).map((generated) => structuredClone(generated)); // plain objects: fast-check's have no prototype

describe("DNS messages", () => {
  test("a message survives being written and read", () => {
    fc.assert(fc.property(message, (original) => assert.deepEqual(parseMessage(serializeMessage(original, 65_535)), original)));
  });

  test("a limit is kept, by leaving out whole records and saying so", () => {
    fc.assert(fc.property(message, fc.integer({ min: 300, max: 600 }), (original, bytesMax) => {
      fc.pre(serializeMessage({ ...original, answers: [], authorities: [], additionals: [] }, 65_535).length <= bytesMax);
      const bytes = serializeMessage(original, bytesMax);
      assert.ok(bytes.length <= bytesMax);
      const read = parseMessage(bytes);
      assert.deepEqual(read.answers, original.answers.slice(0, read.answers.length));
      const cut = read.answers.length < original.answers.length || read.authorities.length < original.authorities.length;
      assert.equal(read.truncated, original.truncated || cut);
      assert.deepEqual(read.edns, original.edns);
    }));
  });

  test("bytes of any kind are a message or a SyntaxError, never anything else", () => {
    const mangled = fc.tuple(message, fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }), fc.nat(200)).map(([original, changes, cut]) => {
      const bytes = serializeMessage(original, 65_535);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes.subarray(0, bytes.length - Math.min(cut, bytes.length));
    });
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mangled), (bytes) => {
      try {
        parseMessage(bytes);
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }), { numRuns: 2_000 });
  });

  test("repeated names are written once", () => {
    const answers = [1, 2, 3].map((host) => ({ name: query.questions[0]?.name ?? [], ttlSeconds: 5, data: { kind: "a" as const, address: `10.0.0.${host}` } }));
    const bytes = serializeMessage({ ...query, isResponse: true, answers }, 512);
    // Header, question (31 + 4), and 16 bytes for each answer: a pointer instead of the name.
    assert.equal(bytes.length, 12 + 35 + 3 * 16);
  });

  const refuse = (what: string, bytes: string): void => {
    test(`refuses ${what}`, () => assert.throws(() => parseMessage(hex(bytes)), SyntaxError));
  };
  const header = "0001 0100 0001 0000 0000 0000";
  refuse("a pointer to itself", `${header} c00c 0001 0001`);
  refuse("a pointer forwards", `${header} c010 0001 0001 00`);
  refuse("two pointers that point at each other", `${header} c00e c00c 0001 0001`);
  refuse("a question that is not there", header);
  refuse("65535 answers in 17 bytes", "0001 8180 0001 ffff 0000 0000 00 0001 0001");
  refuse("a label longer than the packet", `${header} 3f61`);
  refuse("a reserved label type", `${header} 4061 00 0001 0001`);
  refuse("a name of more than 255 bytes", `${header} ${`3f${"61".repeat(63)}`.repeat(5)} 00 0001 0001`);
  refuse("record data that ends elsewhere than its length says", "0001 8180 0000 0001 0000 0000 00 0021 0001 00000005 0008 0000 0000 0050 0161 00");

  test("a name made of pointers is bounded", () => {
    // Every tail points two bytes back to a one-letter label: long chains would multiply the work.
    const labels = Array.from({ length: 200 }, (_, at) => (at === 0 ? "0161 00" : `0161 c0${(12 + (at === 1 ? 0 : 3 + (at - 2) * 4)).toString(16).padStart(2, "0").slice(-2)}`)).join(" ");
    assert.throws(() => parseMessage(hex(`0001 0100 00c8 0000 0000 0000 ${labels}`)), SyntaxError);
  });

  test("refuses to write a label that is too long", () => {
    assert.throws(() => serializeMessage({ ...query, questions: [{ name: ["a".repeat(64)], type: 1, class: 1 }] }, 512), RangeError);
    assert.throws(() => serializeMessage({ ...query, questions: [{ name: Array.from({ length: 130 }, () => "a"), type: 1, class: 1 }] }, 512), RangeError);
  });
});
