// pure

/** A value of the last records and its JSON. MessagePack says by itself where a value ends, so equal bytes are an equal value. */
export class JsonMemo {
  source: Buffer = Buffer.alloc(0);
  json: Buffer = Buffer.alloc(0);
  readonly #sourceSpace = Buffer.allocUnsafeSlow(memoBytesMax);
  readonly #jsonSpace = Buffer.allocUnsafeSlow(memoBytesMax);
  #misses = 0;

  matches(bytes: Uint8Array, at: number): boolean {
    const { length } = this.source;
    if (length === 0 || at + length > bytes.length || bytes[at] !== this.source[0] || bytes[at + length - 1] !== this.source[length - 1]) return false;
    if (this.source.compare(bytes, at, at + length) !== 0) return false;
    this.#misses = 0;
    return true;
  }

  /** Remembers it, unless values here keep changing: then only now and again. */
  offer(bytes: Uint8Array, at: number, end: number, json: Buffer, from: number, to: number): void {
    if (++this.#misses > 8 && this.#misses % 64 !== 0) return;
    if (end - at < 16 || end - at > memoBytesMax || to - from > memoBytesMax) return;
    this.#sourceSpace.set(bytes.subarray(at, end));
    this.#jsonSpace.set(json.subarray(from, to));
    this.source = this.#sourceSpace.subarray(0, end - at);
    this.json = this.#jsonSpace.subarray(0, to - from);
  }
}

const memoBytesMax = 4_096;
