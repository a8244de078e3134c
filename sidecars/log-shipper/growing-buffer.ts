// pure
/**
 * Bytes that are written one after another. One buffer is used again for many records: `reset()` forgets the content and keeps the
 * memory. It grows by doubling and never shrinks, so its owner decides the bound by deciding when to stop writing. A view taken
 * with `bytes()` is valid until the next write; `copy()` is the caller's own.
 */
export class GrowingBuffer {
  buffer: Buffer;
  length = 0;

  constructor(initialBytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  reset(): void {
    this.length = 0;
  }

  /** Makes room for `more` bytes after `length`. Afterwards `buffer` may be another object. */
  reserve(more: number): void {
    const need = this.length + more;
    if (need <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(need, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  copy(): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.length);
    this.buffer.copy(copy, 0, 0, this.length);
    return copy;
  }

  raw(source: Uint8Array, from = 0, to = source.length): void {
    this.reserve(to - from);
    this.buffer.set(from === 0 && to === source.length ? source : source.subarray(from, to), this.length);
    this.length += to - from;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }
}
