import { closeSync, createReadStream, futimesSync, openSync, readSync, unlinkSync, write } from "node:fs";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { makeDirectory } from "../../../kit/files.ts";

/** Files compressed by gzip (RFC 1952): what can be told of them cheaply, and their content as an open file. */
const magic = [0x1f, 0x8b, 8];
const headerBytes = 10;
/** A header, an empty deflate block, CRC and size. */
const smallestBytes = headerBytes + 2 + 8;

export type GzipFacts = {
  /** When the original was last written to, as the compressor noted it (seconds); 0 when it did not. */
  readonly originalSeconds: number;
  /** How long the content is, modulo 2^32, if the file is whole and has one member. */
  readonly contentBytes: number;
};

/** Undefined when it is not a gzip file, or not yet a whole one, or cannot be read. */
export function gzipFacts(path: string, size: number): GzipFacts | undefined {
  if (size < smallestBytes) return undefined;
  try {
    const fd = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(headerBytes);
      if (readSync(fd, bytes, 0, headerBytes, 0) < headerBytes || magic.some((byte, index) => bytes[index] !== byte)) return undefined;
      const originalSeconds = bytes.readUInt32LE(4);
      return readSync(fd, bytes, 0, 4, size - 4) < 4 ? undefined : { originalSeconds, contentBytes: bytes.readUInt32LE(0) };
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined; // gone since the look, or not ours to read
  }
}

/** The first bytes of the content; fewer when it has no more. Rejects when they are damaged or cut off. */
export async function gunzipHead(path: string, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let got = 0;
  for await (const part of contentOf(path)) {
    parts.push(part);
    got += part.length;
    if (got >= length) break;
  }
  return Buffer.concat(parts).subarray(0, length);
}

export class ContentTooLargeError extends Error {}

/**
 * The content as an open file without a name, in `directory`; it is gone when the descriptor is closed. Its time is `modifiedSeconds`.
 * Rejects when the file is cut off or damaged, when the disk is full, and with ContentTooLargeError beyond `maxBytes`.
 */
export async function gunzipToUnnamed(path: string, options: { readonly directory: string; readonly maxBytes: number; readonly modifiedSeconds: number }): Promise<{ readonly fd: number; readonly size: number }> {
  makeDirectory(options.directory);
  const temporary = join(options.directory, `.gunzip-${process.pid}-${performance.now()}`);
  const fd = openSync(temporary, "wx+", 0o600);
  try {
    unlinkSync(temporary);
    let size = 0;
    for await (const part of contentOf(path)) {
      if (size + part.length > options.maxBytes) throw new ContentTooLargeError(`more than ${options.maxBytes} bytes`);
      await writeAll(fd, part, size);
      size += part.length;
    }
    futimesSync(fd, options.modifiedSeconds, options.modifiedSeconds);
    return { fd, size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function* contentOf(path: string): AsyncGenerator<Buffer> {
  const source = createReadStream(path);
  const gunzip = createGunzip();
  source.on("error", (error) => gunzip.destroy(error));
  try {
    for await (const part of source.pipe(gunzip)) {
      if (Buffer.isBuffer(part)) yield part;
    }
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

async function writeAll(fd: number, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += await new Promise<number>((resolve, reject) => {
      write(fd, bytes, done, bytes.length - done, position + done, (error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }
}
