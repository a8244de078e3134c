// pure
import { crc32, inflateRawSync, zstdDecompressSync } from "node:zlib";
import { unpackSnappy, type Unpacked } from "../snappy.ts";

/** The codecs that are read (specification, "Required Codecs" and "Optional Codecs"). */
export const readCodecs = ["null", "deflate", "snappy", "zstandard"] as const;
export type ReadCodec = (typeof readCodecs)[number];

/** Unpacks a block, of at most so many bytes. */
export function unpackBlock(codec: ReadCodec, packed: Buffer, max: number): Unpacked {
  try {
    switch (codec) {
      case "null":
        return { kind: "unpacked", bytes: packed };
      case "deflate":
        return { kind: "unpacked", bytes: inflateRawSync(packed, { maxOutputLength: max }) };
      case "zstandard":
        return { kind: "unpacked", bytes: zstdDecompressSync(packed, { maxOutputLength: max }) };
      case "snappy":
        return snappyBlock(packed, max);
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "ERR_BUFFER_TOO_LARGE") return { kind: "too large" };
    if (error instanceof Error && /^Z(?:STD)?_/.test(code)) return { kind: "wrong", reason: error.message };
    throw error;
  }
}

/** Behind the data stands the CRC-32 of what it unpacks to, its highest byte first. */
function snappyBlock(packed: Buffer, max: number): Unpacked {
  if (packed.length < 4) return { kind: "wrong", reason: "its checksum is missing" };
  const unpacked = unpackSnappy(packed.subarray(0, -4), max);
  if (unpacked.kind === "unpacked" && crc32(unpacked.bytes) !== packed.readUInt32BE(packed.length - 4)) return { kind: "wrong", reason: "its checksum is another" };
  return unpacked;
}
