// pure
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from "node:zlib";
import { ConversionError } from "../conversion-error.ts";
import { blockBytes, blocks } from "../blocks.ts";

/** How a report's bytes are packed. */
export type Compression = "none" | "gzip" | "zstd";

/** Where the bytes of a report come from, in order. */
export type ByteSource = {
  /** Fills the room as far as one read does; 0 at the end, and from then on. */
  read(room: Buffer): Promise<number>;
};

/** Bytes that are in memory already. */
export function sourceOf(bytes: Buffer): ByteSource {
  let at = 0;
  return {
    read(room) {
      const count = bytes.copy(room, 0, at);
      at += count;
      return Promise.resolve(count);
    },
  };
}

/** No bomb is seen in what is smaller. */
export const freeBytes = 67_108_864;
/** deflate packs a run of one byte 1032 times, a table of plain reports hardly 30 times. */
export const expansionMax = 250;

/** 16 MiB, the memory that unpacking takes; zstd asks for more in its "ultra" levels alone. */
const windowLogMax = 24;

const magics = { gzip: [0x1f, 0x8b], zstd: [0x28, 0xb5, 0x2f, 0xfd] } as const;
const magicBytes = 4;

/** What the first bytes say of the packing. No UTF-8 begins with either mark. */
export function compressionOf(start: Uint8Array): Compression {
  const begins = (magic: readonly number[]): boolean => magic.every((byte, index) => start[index] === byte);
  return begins(magics.gzip) ? "gzip" : begins(magics.zstd) ? "zstd" : "none";
}

/** Reads some bytes first that were read before, then on. */
export class ReplayedSource implements ByteSource {
  #bytes: Buffer;
  readonly #source: ByteSource;

  constructor(bytes: Buffer, source: ByteSource) {
    this.#bytes = bytes;
    this.#source = source;
  }

  async read(room: Buffer): Promise<number> {
    if (this.#bytes.length === 0) return await this.#source.read(room);
    const count = this.#bytes.copy(room);
    this.#bytes = this.#bytes.subarray(count);
    return count;
  }
}

/** A report as its format's reader wants it, and how it was packed. `close` must be called. */
export type UnpackedSource = ByteSource & { readonly compression: Compression; close(): void };

/** Unpacks a report that is packed, by what its first bytes say. */
export async function unpack(source: ByteSource): Promise<UnpackedSource> {
  const block = blocks.take();
  let filled = 0;
  try {
    for (let count = 1; count > 0 && filled < magicBytes; filled += count) count = await source.read(block.subarray(filled));
  } catch (error) {
    blocks.give(block);
    throw error;
  }
  const whole = new ReplayedSource(block.subarray(0, filled), source);
  const compression = compressionOf(block.subarray(0, filled));
  if (compression === "none") return { compression, read: async (room) => await whole.read(room), close: () => blocks.give(block) };
  const decompressor = new Decompressor(whole, compression);
  return {
    compression,
    read: async (room) => await decompressor.read(room),
    close() {
      decompressor.close();
      blocks.give(block);
    },
  };
}

/** `auto`: whatever it is. */
export type InputCompression = Compression | "auto";

/** Throws SYNTAX when the report is packed otherwise than its mapping says. */
export function checkCompression(wanted: InputCompression, found: Compression): void {
  if (wanted === "auto" || wanted === found) return;
  throw new ConversionError("SYNTAX", found === "none" ? `not ${wanted} data` : `it is ${found} data, its mapping says compression: ${wanted}`, { line: 1 });
}

/**
 * Unpacks a report while it is read. Several members or frames behind each other are one report. The end inside of one is INCOMPLETE,
 * anything else behind the last SYNTAX, and more than 250 times the packed bytes (beyond 64 MiB) LIMIT. Must be closed.
 */
export class Decompressor implements ByteSource {
  readonly #source: ByteSource;
  readonly #compression: "gzip" | "zstd";
  readonly #block = Buffer.allocUnsafe(blockBytes);
  #codec: Codec;
  #pieces: AsyncIterator<Buffer> | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #isOver = false;
  /** Bytes of the packed report that went into the codec in hand, and what it was last given. */
  #fed = 0;
  #last: Uint8Array = Buffer.alloc(0);
  #packed = 0;
  #unpacked = 0;

  constructor(source: ByteSource, compression: "gzip" | "zstd") {
    this.#source = source;
    this.#compression = compression;
    this.#codec = this.#open();
  }

  async read(room: Buffer): Promise<number> {
    while (this.#rest.length === 0 && !this.#isOver) this.#rest = await this.#next();
    const count = this.#rest.copy(room);
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  close(): void {
    this.#codec.close();
  }

  /** The next piece, perhaps an empty one. */
  async #next(): Promise<Buffer> {
    try {
      this.#pieces ??= await this.#feed();
      const next = await this.#pieces.next();
      if (next.done !== true) return this.#count(next.value);
    } catch (error) {
      throw this.#explain(error);
    }
    this.#pieces = undefined;
    if (this.#codec.hasEnded) this.#goOn();
    return Buffer.alloc(0);
  }

  async #feed(): Promise<AsyncIterator<Buffer>> {
    const count = await this.#source.read(this.#block);
    this.#packed += count;
    return this.#give(this.#block.subarray(0, count));
  }

  #give(bytes: Uint8Array): AsyncIterator<Buffer> {
    this.#last = bytes;
    this.#fed += bytes.length;
    return this.#codec.feed(bytes.length === 0 ? undefined : bytes);
  }

  /** A member is over; what was given behind it begins the next one. */
  #goOn(): void {
    const left = this.#fed - this.#codec.taken;
    const behind = this.#last.subarray(this.#last.length - left);
    this.#codec.close();
    if (left === 0) {
      this.#isOver = true;
      return;
    }
    if (!magics[this.#compression].every((byte, index) => index >= behind.length || behind[index] === byte)) throw new ConversionError("SYNTAX", `something else stands behind the ${this.#compression} data`, { line: 1 });
    this.#fed = 0;
    this.#codec = this.#open();
    this.#pieces = this.#give(behind);
  }

  #open(): Codec {
    return new Codec(this.#compression === "gzip" ? createGunzip() : createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: windowLogMax } }));
  }

  #count(piece: Buffer): Buffer {
    this.#unpacked += piece.length;
    if (this.#unpacked > freeBytes && this.#unpacked > this.#packed * expansionMax) throw new ConversionError("LIMIT", `unpacked it is more than ${expansionMax} times as large; is it a bomb?`, { line: 1 });
    return piece;
  }

  #explain(error: unknown): unknown {
    if (error instanceof ConversionError || !(error instanceof Error) || !("code" in error)) return error;
    const code = String(error.code);
    if (code === "Z_BUF_ERROR") return new ConversionError("INCOMPLETE", `the ${this.#compression} data ends in the middle`, { line: 1 });
    if (code === "ZSTD_error_frameParameter_windowTooLarge") return new ConversionError("LIMIT", `unpacking the zstd data takes more than ${2 ** (windowLogMax - 20)} MiB of memory; pack it without --long and --ultra`, { line: 1 });
    return code.startsWith("Z_") || code.startsWith("ZSTD_") ? new ConversionError("SYNTAX", `not whole ${this.#compression} data: ${error.message}`, { line: 1 }) : error;
  }
}

/**
 * Packs what is written. The bytes depend on the content alone, not on how it is cut: no time, no name, blocks of one size. `finish` or
 * `close` must be called.
 */
export class Compressor {
  readonly #codec: Codec;
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #block = Buffer.allocUnsafe(blockBytes);
  #filled = 0;

  constructor(compression: "gzip" | "zstd", write: (bytes: Uint8Array) => Promise<void>) {
    this.#codec = new Codec(compression === "gzip" ? createGzip() : createZstdCompress());
    this.#write = write;
  }

  /** Resolves when the bytes are no longer needed. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, blockBytes - this.#filled);
      this.#block.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === blockBytes) await this.#flush();
    }
  }

  async finish(): Promise<void> {
    if (this.#filled > 0) await this.#flush();
    for await (const piece of this.#codec.feed(undefined)) await this.#write(piece);
  }

  close(): void {
    this.#codec.close();
  }

  async #flush(): Promise<void> {
    const filled = this.#block.subarray(0, this.#filled);
    this.#filled = 0;
    for await (const piece of this.#codec.feed(filled)) await this.#write(piece);
  }
}

type CodecStream = ReturnType<typeof createGunzip> | ReturnType<typeof createGzip> | ReturnType<typeof createZstdCompress> | ReturnType<typeof createZstdDecompress>;

/** A stream of node:zlib, given one block at a time: it works no further ahead than its output is taken. */
class Codec {
  readonly #stream: CodecStream;
  #wake: () => void = () => undefined;
  #error: Error | undefined;
  #given = 0;
  /** The stream has told its end by itself, or after `feed(undefined)`. */
  hasEnded = false;

  constructor(stream: CodecStream) {
    this.#stream = stream;
    stream.on("readable", () => this.#wake());
    stream.on("end", () => {
      this.hasEnded = true;
      this.#wake();
    });
    stream.on("error", (error: Error) => {
      this.#error = error;
      this.#wake();
    });
  }

  /** Bytes that the stream has used up. */
  get taken(): number {
    return this.#stream.bytesWritten;
  }

  /** Gives a block, or the end, and yields what comes of it. The block must stay as it is until the generator is over. */
  async *feed(block: Uint8Array | undefined): AsyncGenerator<Buffer> {
    let isUsedUp = false;
    if (block === undefined) this.#stream.end();
    else {
      this.#given += block.length;
      this.#stream.write(block, () => {
        isUsedUp = true;
        this.#wake();
      });
    }
    for (;;) {
      const piece: unknown = this.#stream.read();
      if (Buffer.isBuffer(piece)) yield piece;
      else if (this.#error !== undefined) throw this.#error;
      else if (this.hasEnded || (isUsedUp && this.taken === this.#given)) return; // what is not taken lies behind an end that is about to be told
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  close(): void {
    this.#stream.destroy();
  }
}
