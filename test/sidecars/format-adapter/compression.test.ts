import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { convertReport } from "../../../sidecars/format-adapter/convert.ts";
import { Compressor, unpack, type ByteSource } from "../../../sidecars/format-adapter/formats/compression.ts";
import { mappingOf } from "./support.ts";

const pack = { gzip: gzipSync, zstd: zstdCompressSync } as const;
const kinds = ["gzip", "zstd"] as const;

/** Hands out so many bytes at a time. */
function sourceOf(bytes: Uint8Array, size = Infinity): ByteSource {
  let at = 0;
  return {
    read(room) {
      const count = Math.min(size, room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + count));
      at += count;
      return Promise.resolve(count);
    },
  };
}

/** The unpacked text, or the code of the error. */
async function unpacked(bytes: Uint8Array, size?: number): Promise<{ readonly text: string } | { readonly code: string }> {
  const source = await unpack(sourceOf(bytes, size));
  const room = Buffer.alloc(1000);
  const pieces: Buffer[] = [];
  try {
    for (let count = await source.read(room); count > 0; count = await source.read(room)) pieces.push(Buffer.from(room.subarray(0, count)));
    return { text: Buffer.concat(pieces).toString() };
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return { code: error.code };
  } finally {
    source.close();
  }
}

async function packed(kind: "gzip" | "zstd", bytes: Uint8Array, size: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const compressor = new Compressor(kind, (piece) => {
    pieces.push(Buffer.from(piece));
    return Promise.resolve();
  });
  for (let at = 0; at < bytes.length; at += size) await compressor.write(bytes.subarray(at, at + size));
  await compressor.finish();
  compressor.close();
  return Buffer.concat(pieces);
}

for (const kind of kinds) {
  const member = pack[kind]("one line\n".repeat(9));
  const members = Buffer.concat([member, member, member]);

  test(`${kind}: members behind each other are one report, however they are read`, async () => {
    for (const size of [1, 2, 3, 7, member.length, member.length + 1, Infinity]) assert.deepEqual(await unpacked(members, size), { text: "one line\n".repeat(27) }, `read by ${size}`);
  });

  test(`${kind}: cut at any byte it is INCOMPLETE, but at the end of a member`, async () => {
    for (let cut = 4; cut < members.length; cut++) {
      const expected = cut % member.length === 0 ? { text: "one line\n".repeat((9 * cut) / member.length) } : { code: "INCOMPLETE" };
      for (const size of [1, Infinity]) assert.deepEqual(await unpacked(members.subarray(0, cut), size), expected, `cut at ${cut}, read by ${size}`);
    }
  });

  test(`${kind}: what stands behind the last member is refused`, async () => {
    for (const garbage of ["garbage", "\n\n\n\n", "\0\0\0\0\0\0\0\0"]) {
      for (const size of [1, member.length, Infinity]) assert.deepEqual(await unpacked(Buffer.concat([member, Buffer.from(garbage)]), size), { code: "SYNTAX" }, `${JSON.stringify(garbage)} read by ${size}`);
    }
  });

  test(`${kind}: a byte that was turned over is found`, async () => {
    const wrong = Buffer.from(member);
    wrong[member.length - 6] = (wrong[member.length - 6] ?? 0) ^ 0x10;
    assert.deepEqual(await unpacked(wrong), { code: "SYNTAX" });
  });

  test(`${kind}: a bomb is refused before it fills the disk`, async () => {
    const bomb = await packed(kind, Buffer.alloc(80_000_000), 1_000_000);
    const source = await unpack(sourceOf(bomb));
    const room = Buffer.alloc(262_144);
    let bytes = 0;
    await assert.rejects(async () => {
      for (let count = await source.read(room); count > 0; count = await source.read(room)) bytes += count;
    }, { code: "LIMIT" });
    source.close();
    assert.ok(bytes <= 67_108_864, `${bytes} bytes came out`);
  });

  test(`${kind}: the packed bytes depend on the content alone`, async () => {
    const content = Buffer.from(Array.from({ length: 20_000 }, (_, index) => `${index},${(index * 7919) % 1009}\n`).join(""));
    const whole = await packed(kind, content, content.length);
    for (const size of [1000, 65_536, 65_537, 200_001]) assert.ok(whole.equals(await packed(kind, content, size)), `written by ${size}`);
    assert.deepEqual(await unpacked(whole), { text: content.toString() });
  });

  test(`${kind}: a packed report becomes a packed report, and the mapping can insist`, async () => {
    const convert = async (input: string, bytes: Uint8Array): Promise<string> => {
      const mapping = mappingOf({ in: `{format: csv${input}}`, out: `{format: ndjson, compression: ${kind}, file: "/o/{name}"}`, fields: "{a: a}" });
      const pieces: Buffer[] = [];
      const source = await unpack(sourceOf(bytes));
      await convertReport({ mapping, source, takeUnfinished: false, signal: new AbortController().signal, write: (piece) => {
        pieces.push(Buffer.from(piece));
        return Promise.resolve();
      } });
      source.close();
      const out = await unpacked(Buffer.concat(pieces));
      return "text" in out ? out.text : out.code;
    };
    assert.equal(await convert("", pack[kind]("a\n00123\n1.10\n")), '{"a":"00123"}\n{"a":"1.10"}\n');
    assert.equal(await convert("", Buffer.from("a\n1\n")), '{"a":"1"}\n');
  });
}

test("gzip output has no time in its header", async () => {
  assert.equal((await packed("gzip", Buffer.from("x"), 1)).readUInt32LE(4), 0);
});

test("a zstd window that takes much memory is refused", async () => {
  // A frame header that asks for a window of 128 MiB: magic, descriptor, window descriptor, one empty raw block.
  assert.deepEqual(await unpacked(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00])), { code: "LIMIT" });
});
