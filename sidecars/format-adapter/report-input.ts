import { ConversionError } from "./conversion-error.ts";
import type { RandomAccess } from "./formats/parquet/parquet-pages.ts";
import { blocks } from "./blocks.ts";
import { ContentHash } from "./hash/content-hash.ts";

/** What is needed of a FileHandle to read a report. */
export type ReadableFile = {
  read(room: Uint8Array, offset: number, length: number, position: number | null): Promise<{ readonly bytesRead: number }>;
  stat(): Promise<{ readonly size: number }>;
};

/** Reads a file from its start, into memory of others, and hashes its content on the way. `close` must be called; the file stays open. */
export class ReportInput {
  readonly #file: ReadableFile;
  readonly #hash = new ContentHash();
  #isOver = false;
  /** The hash of the first reading, once that is compared with another. */
  #content: string | undefined;
  bytes = 0;

  constructor(file: ReadableFile) {
    this.#file = file;
  }

  /** Fills the room as far as one read does; 0 at the end of the file. */
  async read(room: Buffer): Promise<number> {
    const { bytesRead } = await this.#file.read(room, 0, room.length, null);
    this.bytes += bytesRead;
    this.#isOver = bytesRead === 0;
    this.#hash.update(room.subarray(0, bytesRead));
    return bytesRead;
  }

  /** Hashes what was not read for the conversion, so that the content can be known again. */
  async readRest(): Promise<void> {
    if (this.#isOver) return;
    const block = blocks.take();
    try {
      while ((await this.read(block)) > 0);
    } finally {
      blocks.give(block);
    }
  }

  /** Whether the file, read once more, is what was read; after `readRest`, and nothing may be read by `read` afterwards. */
  async isStill(): Promise<boolean> {
    // One hash at a time, since their number is limited.
    this.#content = this.contentHash();
    this.#hash.release();
    const again = new ContentHash();
    const block = blocks.take();
    try {
      for (let at = 0; at <= this.bytes; ) {
        const { bytesRead } = await this.#file.read(block, 0, block.length, at);
        if (bytesRead === 0) break;
        at += bytesRead;
        again.update(block.subarray(0, bytesRead));
      }
      return again.digest() === this.#content;
    } finally {
      again.release();
      blocks.give(block);
    }
  }

  contentHash(): string {
    return this.#content ?? this.#hash.digest();
  }

  close(): void {
    this.#hash.release();
  }
}

/** The pieces of a file from its start, whatever was read of it before. */
async function* pieces(file: ReadableFile): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(65_536);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(block, 0, block.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield block.subarray(0, bytesRead);
  }
}

/** Where a line begins (lines as countLineEnds counts them). Undefined when the file has fewer lines. */
export async function byteOffsetOfLine(file: ReadableFile, line: number): Promise<number | undefined> {
  let before = line - 1;
  let offset = 0;
  let afterReturn = false;
  for await (const piece of pieces(file)) {
    for (const byte of piece) {
      const endsPair = afterReturn && byte === 10;
      if (before === 0 && !endsPair) return offset;
      if (!endsPair && (byte === 10 || byte === 13)) before--;
      afterReturn = byte === 13;
      offset++;
    }
  }
  return before === 0 ? offset : undefined;
}

/** A report that is not read in order. Reading beyond what is there throws INCOMPLETE. */
export function randomAccess(file: ReadableFile, size: number): RandomAccess {
  return {
    size,
    async readAt(position, length) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; ) {
        const { bytesRead } = await file.read(bytes, at, length - at, position + at);
        if (bytesRead === 0) throw new ConversionError("INCOMPLETE", "the file became shorter while it was read", { line: 1 });
        at += bytesRead;
      }
      return bytes;
    },
  };
}
