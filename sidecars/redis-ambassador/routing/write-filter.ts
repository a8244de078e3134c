// pure

/** Above this many keys a set says "every key": the reads then go to the primary until the next fence. */
const keysMax = 32_768;
const slotsAtFirst = 1024, slotsKeptMax = 8192;

/** FNV-1a over a key's bytes; never 0, which marks a free slot. Two keys with one hash only send a read to the primary. */
export function hashKey(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash === 0 ? 1 : hash;
}

/** A bounded set of key hashes that were written. Never forgets a key before `clear`; may claim keys it never saw. */
export class WriteFilter {
  #slots = new Int32Array(slotsAtFirst);
  #size = 0;
  #all = false;

  get empty(): boolean {
    return this.#size === 0 && !this.#all;
  }
  get size(): number {
    return this.#size;
  }
  get everyKey(): boolean {
    return this.#all;
  }

  add(hash: number): void {
    if (this.#all) return;
    let slot = this.#slotOf(hash);
    if (this.#slots[slot] === hash) return;
    if (this.#size >= keysMax) {
      this.addAll();
      return;
    }
    if (this.#size * 2 >= this.#slots.length) {
      this.#grow();
      slot = this.#slotOf(hash);
    }
    this.#slots[slot] = hash;
    this.#size += 1;
  }

  addAll(): void {
    this.#all = true;
  }

  has(hash: number): boolean {
    return this.#all || (this.#size > 0 && this.#slots[this.#slotOf(hash)] === hash);
  }

  /** Forgets every key. Room for a usual number of them is kept. */
  clear(): void {
    if (this.#slots.length > slotsKeptMax) this.#slots = new Int32Array(slotsAtFirst);
    else if (this.#size > 0) this.#slots.fill(0);
    this.#size = 0;
    this.#all = false;
  }

  #slotOf(hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (this.#slots[slot] !== 0 && this.#slots[slot] !== hash) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (const hash of old) if (hash !== 0) this.#slots[this.#slotOf(hash)] = hash;
  }
}
