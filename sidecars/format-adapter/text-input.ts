import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { ConversionError } from "./conversion-error.ts";

/** Larger blocks cost memory and save no time: rows are handled one by one. */
const blockBytesMax = 65_536;

/** Reads a file in blocks as UTF-8 text, checking every byte, and hashes its content on the way. */
export class TextInput {
  readonly #file: FileHandle;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #hash = createHash("sha256");
  readonly #block: Buffer;
  #ended = false;
  bytes = 0;

  /** `size` is what the file is thought to hold; a small one needs no large block. */
  constructor(file: FileHandle, size: bigint) {
    this.#file = file;
    this.#block = Buffer.allocUnsafe(size < blockBytesMax ? Number(size) + 1 : blockBytesMax);
  }

  /** The next piece, undefined at the end. Throws ENCODING with the line when the file is not UTF-8. */
  async next(): Promise<string | undefined> {
    if (this.#ended) return undefined;
    const block = await this.#read();
    try {
      const text = block === undefined ? this.#decoder.decode() : this.#decoder.decode(block, { stream: true });
      return block === undefined && text === "" ? undefined : text;
    } catch {
      const { line, sample } = await findBadBytes(this.#file); // the decoder does not say where
      throw new ConversionError("ENCODING", "the file is not UTF-8", { line, sample });
    }
  }

  /** Hashes what was not read for the conversion, so that the content can be known again. */
  async readRest(): Promise<void> {
    while ((await this.#read()) !== undefined);
  }

  contentHash(): string {
    return this.#hash.copy().digest("hex").slice(0, 32);
  }

  async #read(): Promise<Buffer | undefined> {
    const { bytesRead } = await this.#file.read(this.#block, 0, this.#block.length, null);
    if (bytesRead === 0) {
      this.#ended = true;
      return undefined;
    }
    this.bytes += bytesRead;
    const block = this.#block.subarray(0, bytesRead);
    this.#hash.update(block);
    return block;
  }
}

/** The pieces of a file from its start, whatever was read of it before. */
async function* pieces(file: FileHandle): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(65_536);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(block, 0, block.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield block.subarray(0, bytesRead);
  }
}

/** Where a line begins (lines as countLineEnds counts them). Undefined when the file has fewer lines. */
export async function byteOffsetOfLine(file: FileHandle, line: number): Promise<number | undefined> {
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

/** The line that holds the first byte that is not UTF-8, and that byte with the few around it as hexadecimal digits. */
async function findBadBytes(file: FileHandle): Promise<{ readonly line: number; readonly sample: string | undefined }> {
  let line = 1;
  let afterReturn = false;
  let rest = Buffer.alloc(0);
  for await (const piece of pieces(file)) {
    const bytes = Buffer.concat([rest, piece]);
    const good = validPrefix(bytes);
    for (const byte of bytes.subarray(0, good)) {
      if (byte === 13 || (byte === 10 && !afterReturn)) line++;
      afterReturn = byte === 13;
    }
    rest = bytes.subarray(good);
    if (rest.length > 3) return { line, sample: hexadecimal(rest) };
  }
  return { line, sample: rest.length === 0 ? undefined : hexadecimal(rest) };
}

/** The length of the longest prefix that is UTF-8. What stays is at most 3 bytes when only the end of a character is missing. */
function validPrefix(bytes: Buffer): number {
  let [good, bad] = [0, bytes.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    // A prefix may end inside a character: it is good when it is UTF-8 without its last 0 to 3 bytes.
    if ([0, 1, 2, 3].some((cut) => cut <= middle && isUtf8(bytes.subarray(0, middle - cut)))) good = middle;
    else bad = middle;
  }
  for (let cut = 0; cut <= 3; cut++) if (isUtf8(bytes.subarray(0, good - cut))) return good - cut;
  return 0;
}

function hexadecimal(bytes: Buffer): string {
  return bytes.subarray(0, 8).toString("hex").replace(/(..)(?!$)/g, "$1 ");
}
