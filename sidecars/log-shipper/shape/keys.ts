// pure
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";

/** The names of fields that some setting speaks of. Only these are looked for; all other pairs of a record are passed over as bytes. */
export class KeyTable {
  readonly #ids = new Map<string, number>();
  readonly #byLength: { readonly id: number; readonly bytes: Buffer }[][] = [];
  /** One bit for each length below 32 that some name has: most keys are told apart by it. */
  lengths = 0;

  get size(): number {
    return this.#ids.size;
  }

  /** By number. */
  get names(): readonly string[] {
    return [...this.#ids.keys()];
  }

  has(name: string): boolean {
    return this.#ids.has(name);
  }

  /** The number of a name, the same each time. */
  idOf(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#ids.size;
    const bytes = Buffer.from(name);
    this.#ids.set(name, id);
    while (this.#byLength.length <= bytes.length) this.#byLength.push([]);
    this.#byLength[bytes.length]?.push({ id, bytes });
    if (bytes.length < 32) this.lengths |= 1 << bytes.length;
    return id;
  }

  /** The number of the name in `bytes[from, to)`, -1 for a name nobody asked for. */
  find(bytes: Buffer, from: number, to: number): number {
    if (to - from >= this.#byLength.length) return -1;
    for (const candidate of this.#byLength[to - from] ?? []) if (sameBytes(candidate.bytes, bytes, from)) return candidate.id;
    return -1;
  }
}

export function sameBytes(wanted: Buffer, bytes: Buffer, from: number): boolean {
  for (let index = 0; index < wanted.length; index++) if (wanted[index] !== bytes[from + index]) return false;
  return true;
}

/**
 * Where a field is. `a.b` is the field that is called so, or else the field `b` in the map `a`. A name with dots that is nested
 * inside other maps cannot be named.
 */
export type FieldPath = { readonly name: string; readonly whole: number; readonly first: number; readonly rest: readonly Buffer[] };

export function compilePath(name: string, keys: KeyTable): FieldPath {
  const parts = name.split(".");
  return { name, whole: keys.idOf(name), first: keys.idOf(parts[0] ?? name), rest: parts.slice(1).map((part) => Buffer.from(part)) };
}

/** The name of a field as it is written. */
export type EncodedKey = { readonly name: string; readonly id: number; readonly encoded: Buffer };

export function encodeKey(name: string, keys: KeyTable): EncodedKey {
  const writer = new MsgpackWriter(64);
  writer.string(name);
  return { name, id: keys.idOf(name), encoded: writer.copy() };
}
