// pure

/** Of a block of bytes on its way through a report. */
export const blockBytes = 65_536;

/**
 * Rooms of one size that are used again: a folder may hold thousands of small reports, and what each would leave behind is collected late. At
 * most `sparesMax` wait for their next use. A room is never cleared.
 */
export class Rooms {
  readonly #bytes: number;
  readonly #sparesMax: number;
  readonly #spares: Buffer[] = [];

  constructor(bytes: number, sparesMax: number) {
    this.#bytes = bytes;
    this.#sparesMax = sparesMax;
  }

  take(): Buffer {
    return this.#spares.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  /** Nobody may use the room afterwards; it must come from `take`, and once. */
  give(room: Buffer): void {
    if (this.#spares.length < this.#sparesMax) this.#spares.push(room);
  }
}

/** Rooms of `blockBytes`. */
export const blocks = new Rooms(blockBytes, 8);
