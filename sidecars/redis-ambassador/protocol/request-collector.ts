// pure
import { giveBackBuffer, takeBuffer } from "./big-buffers.ts";

const growthMin = 16 * 1024;
/** It is not worth while to read into less room than this. */
const roomMin = 4 * 1024;

/** Puts an unfinished request together from its pieces, each byte copied about once or not at all. */
export class RequestCollector {
  #buffer: Buffer;
  #used: number;
  #needed: number;

  /** `begun` is copied; the request cannot be complete before `needed` bytes are there. */
  constructor(begun: Uint8Array, needed: number) {
    this.#buffer = takeBuffer(Math.max(needed, begun.length * 2, growthMin));
    this.#buffer.set(begun);
    this.#used = begun.length;
    this.#needed = needed;
  }

  get length(): number {
    return this.#used;
  }
  /** Whether it is worth looking at what there is. */
  get full(): boolean {
    return this.#used >= this.#needed;
  }
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used);
  }

  /** Takes as many of `bytes` as fit; gives how many. */
  add(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.#buffer.length - this.#used);
    this.#buffer.set(taken === bytes.length ? bytes : bytes.subarray(0, taken), this.#used);
    this.#used += taken;
    return taken;
  }

  /** Where the next bytes can be read to, to be followed by `filled`; undefined when there is hardly any room. */
  get room(): Buffer | undefined {
    return this.#buffer.length - this.#used < roomMin ? undefined : this.#buffer.subarray(this.#used);
  }

  filled(count: number): void {
    this.#used += count;
  }

  /** Nothing of it may be used any more. */
  release(): void {
    giveBackBuffer(this.#buffer);
  }
}
