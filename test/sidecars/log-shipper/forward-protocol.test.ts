import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { entrySpans, enrichEntries } from "../../../sidecars/log-shipper/delivery/chunk.ts";
import { ackMessage, packedForwardFrame, readAck } from "../../../sidecars/log-shipper/forward-protocol/messages.ts";
import { decodeValue, incomplete, MalformedMessageError, MessageSplitter, skipValue, toPlain } from "../../../sidecars/log-shipper/forward-protocol/msgpack-reader.ts";
import { encodeExtraPairs } from "../../../sidecars/log-shipper/metadata/metadata.ts";

test("A stream of acks gives the same ids wherever it is split, at every byte", () => {
  const ids = ["a", "b".repeat(22), "c".repeat(40), "é"];
  const stream = Buffer.concat(ids.map((id) => ackMessage(Buffer.from(id))));
  const read = (pieces: readonly Buffer[]): readonly (string | undefined)[] => {
    const splitter = new MessageSplitter({ bytesMax: 1_000 });
    return pieces.flatMap((piece) => [...splitter.push(piece)].map((message) => readAck(message)));
  };
  for (let at = 0; at <= stream.length; at++) assert.deepEqual(read([stream.subarray(0, at), stream.subarray(at)]), ids);
  assert.deepEqual(read([...stream].map((byte) => Buffer.from([byte]))), ids);
});

test("skipValue and decodeValue agree with @msgpack/msgpack on every value and every truncation", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const bytes = Buffer.from(encode(value));
      assert.equal(skipValue(bytes, 0, bytes.length), bytes.length);
      for (let end = 0; end < bytes.length; end++) assert.equal(skipValue(bytes, 0, end), incomplete);
      assert.deepEqual(JSON.parse(JSON.stringify(toPlain(decodeValue(bytes, 0).value))), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 300 },
  );
});

test("Binary, extension and 64-bit forms are skipped and decoded", () => {
  for (const [hex, expected] of [["c403010203", 5], ["c5000101", 4], ["c70200aabb", 5], ["d4007f", 3], ["d700000000010000000f", 10], ["cf00000000ffffffff", 9], ["d3ffffffff00000000", 9], ["ca3fc00000", 5], ["dc00020102", 5], ["de0001a16101", 6], ["df0000000100a161", 8]] as const) {
    const bytes = Buffer.from(hex, "hex");
    assert.equal(skipValue(bytes, 0, bytes.length), expected, hex);
    assert.equal(decodeValue(bytes, 0).end, expected, hex);
  }
});

test("Deep nesting, a huge declared length and an impossible byte cost nothing and are refused", () => {
  const deep = Buffer.alloc(100_000, 0x91);
  assert.equal(skipValue(deep, 0, deep.length), incomplete);
  assert.throws(() => decodeValue(Buffer.concat([Buffer.alloc(100, 0x91), Buffer.from([1])]), 0), MalformedMessageError);
  assert.equal(skipValue(Buffer.from("ddffffffff01", "hex"), 0, 6), incomplete);
  assert.throws(() => skipValue(Buffer.from([0xc1]), 0, 1), MalformedMessageError);
  const splitter = new MessageSplitter({ bytesMax: 10 });
  assert.throws(() => [...splitter.push(Buffer.from("c600ffffff0000000000000000000000", "hex"))], MalformedMessageError);
});

test("A frame is a PackedForward message with chunk and number of events", () => {
  const entries = Buffer.from("9201820102", "hex");
  const { before, after } = packedForwardFrame({ tag: "app", entriesBytes: entries.length, count: 1, chunkId: "id", compression: "none" });
  assert.deepEqual(decode(Buffer.concat([before, entries, after])), ["app", entries, { chunk: "id", size: 1 }]);
});

test("Extra pairs are appended to each record's own; entries that are not pairs of time and map are refused", () => {
  const records = [{ a: 1 }, {}, Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`k${index}`, index]))];
  const entries = Buffer.concat(records.map((record) => encode([1_700_000_000, record])));
  assert.equal(entrySpans(entries).length, 6);
  const enriched = Buffer.from(enrichEntries(entries, encodeExtraPairs({ kubernetes: { pod_name: "p" } })));
  const decoded: unknown[] = [];
  for (let at = 0; at < enriched.length; ) {
    const end = skipValue(enriched, at, enriched.length);
    decoded.push(decode(enriched.subarray(at, end)));
    at = end;
  }
  assert.deepEqual(decoded, records.map((record) => [1_700_000_000, { ...record, kubernetes: { pod_name: "p" } }]));
  for (const wrong of [Buffer.from(encode([1, 2])), Buffer.from(encode([1])), Buffer.from(encode("x")), Buffer.from(encode([1, {}])).subarray(0, 2)]) assert.throws(() => entrySpans(wrong), MalformedMessageError);
});
