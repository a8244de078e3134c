// pure

/** Bytes of a file that came in pieces and are not used up: the room grows to what is expected, and no further. */
export class PendingBytes {
  #room = Buffer.allocUnsafe(65_536);
  #from = 0;
  #to = 0;
  /** Where in the file they begin. */
  offset = 0;

  /** Valid until the next `add`. */
  get bytes(): Buffer {
    return this.#room.subarray(this.#from, this.#to);
  }

  add(piece: Uint8Array): void {
    const { length } = this.bytes;
    if (this.#to + piece.length > this.#room.length) this.#move(length + piece.length > this.#room.length ? Math.max(length + piece.length, Math.min(2 * this.#room.length, length + 1_048_576)) : this.#room.length);
    this.#room.set(piece, this.#to);
    this.#to += piece.length;
  }

  /** So many bytes are to be there before they can be used: makes room once, not piece by piece. */
  expect(length: number): void {
    if (length > this.#room.length) this.#move(length + 262_144);
  }

  drop(count: number): void {
    this.#from += count;
    this.offset += count;
  }

  #move(size: number): void {
    const room = size > this.#room.length ? Buffer.allocUnsafe(size) : this.#room;
    const { bytes } = this;
    if (room === this.#room) room.copyWithin(0, this.#from, this.#to);
    else room.set(bytes);
    this.#room = room;
    [this.#from, this.#to] = [0, bytes.length];
  }
}
