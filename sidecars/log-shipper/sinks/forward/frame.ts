import { promisify } from "node:util";
import { constants, gzip, zstdCompress } from "node:zlib";
import type { Chunk } from "../../delivery/chunk.ts";
import { packedForwardFrame, type Compression } from "../../forward-protocol/messages.ts";

/** A chunk as it goes over the wire: made once, so that a resend is the same bytes. */
export type Frame = { readonly id: string; readonly before: Buffer; readonly entries: Uint8Array; readonly after: Buffer; readonly bytes: number };

const gzipAsync = promisify(gzip);
const zstdAsync = promisify(zstdCompress);

/** The chunk's own memory is part of the frame. */
export function plainFrame(chunk: Chunk): Frame {
  return frameOf(chunk, chunk.entries, "none");
}

/** Fast rather than small: logs shrink to a tenth either way. Equal input gives equal bytes. */
export async function compressedFrame(chunk: Chunk, compression: Exclude<Compression, "none">): Promise<Frame> {
  const entries = compression === "gzip" ? await gzipAsync(chunk.entries, { level: 1 }) : await zstdAsync(chunk.entries, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  return frameOf(chunk, entries, compression);
}

function frameOf(chunk: Chunk, entries: Uint8Array, compression: Compression): Frame {
  const { before, after } = packedForwardFrame({ tag: chunk.tag, entriesBytes: entries.length, count: chunk.records, chunkId: chunk.id, compression });
  return { id: chunk.id, before, entries, after, bytes: before.length + entries.length + after.length };
}
