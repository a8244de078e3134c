// pure
/** The spans of an encoded range's records, in memory that is used again: start and size, two numbers per record. */
export class SpanList {
  #spans = new Uint32Array(256);
  records = 0;

  reset(): void {
    this.records = 0;
  }

  add(start: number, size: number): void {
    const at = this.records * 2;
    if (at === this.#spans.length) {
      const larger = new Uint32Array(this.#spans.length * 2);
      larger.set(this.#spans);
      this.#spans = larger;
    }
    this.#spans[at] = start;
    this.#spans[at + 1] = size;
    this.records++;
  }

  /** Valid until the next change. */
  view(): Uint32Array {
    return this.#spans.subarray(0, this.records * 2);
  }
}
