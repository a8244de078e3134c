// pure
/**
 * Memory of chunks in flight, used again when they are done: left to the garbage collector, a flood of chunks of a megabyte
 * costs a collection of the whole heap every few dozen, and their memory is held until then.
 *
 * Small chunks are not worth it. What is free is bounded by `freeBytesMax`; what the last chunks had no use for is let go.
 */
export class ChunkMemory {
  readonly #freeBytesMax: number;
  readonly #free: Buffer<ArrayBuffer>[] = [];
  readonly #lent = new Set<ArrayBufferLike>();
  #freeBytes = 0;
  #copies = 0;
  /** The most pieces that were lent at once since the last trim. */
  #lentMost = 0;

  constructor(options: { readonly freeBytesMax: number }) {
    this.#freeBytesMax = options.freeBytesMax;
  }

  /** The caller's own copy, until it gives it back. */
  copy(bytes: Uint8Array): Buffer {
    if (++this.#copies % trimEvery === 0) this.#trim();
    const copy = this.#take(bytes.length);
    copy.set(bytes);
    return copy;
  }

  /** What `copy` gave comes back: nobody reads it any more. Bytes from elsewhere are none of its business. */
  giveBack(bytes: Uint8Array): void {
    const memory = bytes.buffer;
    if (!this.#lent.delete(memory) || !(memory instanceof ArrayBuffer)) return;
    if (this.#freeBytes + memory.byteLength <= this.#freeBytesMax) {
      this.#free.push(Buffer.from(memory));
      this.#freeBytes += memory.byteLength;
    }
  }

  /** What `copy` gave will not come back: somebody may read it for ever. */
  forget(bytes: Uint8Array): void {
    this.#lent.delete(bytes.buffer);
  }

  #trim(): void {
    while (this.#free.length > 0 && this.#lent.size + this.#free.length > this.#lentMost) this.#freeBytes -= this.#free.shift()?.length ?? 0;
    this.#lentMost = this.#lent.size;
  }

  #take(size: number): Buffer {
    if (size < pooledBytesMin) return Buffer.allocUnsafeSlow(size);
    const index = this.#free.findIndex((piece) => piece.length >= size);
    const piece = this.#free[index] ?? Buffer.allocUnsafeSlow(Math.ceil(size / granuleBytes) * granuleBytes);
    if (index !== -1) {
      this.#free.splice(index, 1);
      this.#freeBytes -= piece.length;
    }
    this.#lent.add(piece.buffer);
    this.#lentMost = Math.max(this.#lentMost, this.#lent.size);
    return piece.subarray(0, size);
  }
}

/** Copies, also small ones. */
const trimEvery = 64;
const pooledBytesMin = 65_536;
const granuleBytes = 262_144;
