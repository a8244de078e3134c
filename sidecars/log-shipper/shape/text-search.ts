// pure
import { requiredText, shortestMatch } from "../parse/pattern-needs.ts";

/**
 * A quick look whether a pattern can be found in a text at all: every match of most patterns contains some fixed text, and
 * searching bytes for that is far cheaper than decoding them. One search tells about all texts of a batch up to where it ended.
 * Texts shorter than any match, or with fewer digits, are out at once.
 */
export class TextSearch {
  readonly #required: Buffer;
  readonly #bytesMin: number;
  readonly #digitsMin: number;
  #bytes: Buffer | undefined;
  #from = 0;
  #next = 0;
  #isCommon = false;

  /** `digitsMin` is how many digits every match has at least, with nothing but spaces and dashes between them; 0 if that is not worth counting. */
  constructor(source: string, flags: string, digitsMin = 0) {
    this.#bytesMin = shortestMatch(source, flags);
    this.#digitsMin = digitsMin;
    this.#required = Buffer.from(requiredText(source, flags));
  }

  /** False only if the pattern is not in the text `bytes[from, to)`. `bytes` must be another object when its content is another. */
  mayMatch(bytes: Buffer, from: number, to: number): boolean {
    if (to - from < this.#bytesMin || (this.#digitsMin > 0 && !hasDigits(bytes, from, to, this.#digitsMin))) return false;
    const required = this.#required;
    if (required.length === 0) return true;
    if (bytes === this.#bytes && from < this.#from) return bytes.subarray(from, to).includes(required);
    // Where it is in most texts, a search in short ones costs less than calling out.
    if (bytes === this.#bytes && this.#next < from && this.#isCommon && to - from <= shortTextMax) return includes(bytes, from, to, required);
    if (bytes !== this.#bytes || this.#next < from) {
      const found = bytes.indexOf(required, from);
      this.#bytes = bytes;
      this.#from = from;
      this.#next = found < 0 ? Infinity : found;
      this.#isCommon = this.#next - from < commonWithin;
    }
    return this.#next + required.length <= to;
  }
}

const commonWithin = 1_024;
const shortTextMax = 64;

function includes(bytes: Buffer, from: number, to: number, wanted: Buffer): boolean {
  const [first] = wanted;
  const last = to - wanted.length;
  for (let at = from; at <= last; at++) {
    if (bytes[at] !== first) continue;
    let same = 1;
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++;
    if (same === wanted.length) return true;
  }
  return false;
}

/** Nothing but spaces and dashes between them. */
function hasDigits(bytes: Buffer, from: number, to: number, wanted: number): boolean {
  let digits = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) {
      if (++digits === wanted) return true;
    } else if (byte !== 0x20 && byte !== 0x2d) {
      digits = 0;
    }
  }
  return false;
}
