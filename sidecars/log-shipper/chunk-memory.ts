// pure
/**
 * Memory of chunks in flight, used again when they are done: left to the garbage collector, a flood of chunks of a megabyte
 * costs a collection of the whole heap every few dozen, and their memory is held until then.
 *
 * Small chunks are not worth it. What is free is bounded by `freeBytesMax`, and is let go but for one piece when nothing is in
 * flight.
 */
export class ChunkMemory {
  readonly #freeBytesMax: number;
  readonly #free: Buffer<ArrayBuffer>[] = [];
  readonly #lent = new Set<ArrayBufferLike>();
  #freeBytes = 0;

  constructor(options: { readonly freeBytesMax: number }) {
    this.#freeBytesMax = options.freeBytesMax;
  }

  /** The caller's own copy, until it gives it back. */
  copy(bytes: Uint8Array): Buffer {
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
    if (this.#lent.size === 0) while (this.#free.length > 1) this.#freeBytes -= this.#free.pop()?.length ?? 0;
  }

  /** What `copy` gave will not come back: somebody may read it for ever. */
  forget(bytes: Uint8Array): void {
    this.#lent.delete(bytes.buffer);
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
    return piece.subarray(0, size);
  }
}

const pooledBytesMin = 65_536;
const granuleBytes = 262_144;
