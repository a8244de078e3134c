// pure
import { invariant } from "../../../kit/assert.ts";

/** At most 31 names of keys, to be found by their bytes. A writer leaves out the first `omitted` of them. */
export class KeyNames {
  readonly #byLength: ({ readonly bytes: Uint8Array; readonly index: number }[] | undefined)[] = [];
  readonly #omitted: number;
  readonly #count: number;

  constructor(names: readonly string[], omitted = 0) {
    invariant(names.length <= 31, `a writer looks for at most 31 names of fields, got ${names.length}`);
    this.#omitted = omitted;
    this.#count = names.length;
    for (const [index, name] of names.entries()) {
      const bytes = Buffer.from(name, "utf8");
      (this.#byLength[bytes.length] ??= []).push({ bytes, index });
    }
  }

  get count(): number {
    return this.#count;
  }

  omits(index: number): boolean {
    return index < this.#omitted;
  }

  /** The index of the name that these bytes are, or -1. */
  find(bytes: Uint8Array, from: number, to: number): number {
    const candidates = this.#byLength[to - from];
    if (candidates === undefined) return -1;
    for (const candidate of candidates) if (sameBytes(bytes, from, to, candidate.bytes, 0)) return candidate.index;
    return -1;
  }
}

export function sameBytes(left: Uint8Array, from: number, to: number, right: Uint8Array, rightFrom: number): boolean {
  for (let at = from, other = rightFrom; at < to; at++, other++) if (left[at] !== right[other]) return false;
  return true;
}
