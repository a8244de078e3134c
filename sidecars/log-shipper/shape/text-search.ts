// pure
import { requiredText } from "../parse/pattern.ts";

/**
 * A quick look whether a pattern can be found in a text at all: every match of most patterns contains some fixed text, and
 * searching bytes for that is far cheaper than decoding them. One search tells about all texts of a batch up to where it ended.
 */
export class TextSearch {
  readonly #required: Buffer;
  #bytes: Buffer | undefined;
  #from = 0;
  #next = 0;

  constructor(source: string, flags: string) {
    this.#required = Buffer.from(requiredText(source, flags));
  }

  /** False only if the pattern is not in the text `bytes[from, to)`. `bytes` must be another object when its content is another. */
  mayMatch(bytes: Buffer, from: number, to: number): boolean {
    const required = this.#required;
    if (required.length === 0) return true;
    if (bytes === this.#bytes && from < this.#from) return bytes.subarray(from, to).includes(required);
    if (bytes !== this.#bytes || this.#next < from) {
      const found = bytes.indexOf(required, from);
      this.#bytes = bytes;
      this.#from = from;
      this.#next = found < 0 ? Infinity : found;
    }
    return this.#next + required.length <= to;
  }
}
