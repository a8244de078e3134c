// pure
/**
 * Short texts of a batch as strings. Decoding them one by one costs a call out each; where they are many, a stretch of the batch
 * is decoded at once and they are parts of that.
 */
export class TextWindow {
  #bytes: Buffer | undefined;
  #text = "";
  #from = 0;
  #to = 0;
  #last = 0;

  /**
   * The text `bytes[from, to)`, or undefined if it is not ASCII, long, or better decoded alone. `bytes` must be another object when
   * its content is another. The string keeps the stretch alive: it is not to be stored.
   */
  text(bytes: Buffer, from: number, to: number): string | undefined {
    const isNear = bytes === this.#bytes && from >= this.#last && from - this.#last < nearWithin;
    this.#last = from;
    if (!isNear) {
      this.#bytes = bytes;
      this.#to = 0;
      return undefined;
    }
    if (to - from > shortTextMax) return undefined;
    for (let at = from; at < to; at++) if ((bytes[at] ?? 0) >= 128) return undefined;
    if (from < this.#from || to > this.#to) {
      this.#from = from;
      this.#to = Math.min(from + stretchBytes, bytes.length);
      this.#text = bytes.toString("latin1", this.#from, this.#to);
    }
    return this.#text.slice(from - this.#from, to - this.#from);
  }
}

const nearWithin = 1_024;
const stretchBytes = 16_384;
const shortTextMax = 64;
