// pure

const rows = 4, columns = 2048;
/** Every row mixes the key's hash with another odd number. */
const mixers = Int32Array.from([0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f]);
const keyBytesMax = 64;

export type HotKey = { readonly key: string; readonly perSecond: number };

/**
 * The most used keys, by a count-min sketch over samples of the keys' hashes: bounded memory whatever keys there are. A
 * count is never too low; it is too high by at most about a two-thousandth of all samples, in all likelihood. Old use
 * fades: counts are halved every half-life.
 */
export class HotKeys {
  readonly #kept: number;
  readonly #sampledOneIn: number;
  readonly #halfLifeMs: number;
  readonly #counts = new Float64Array(rows * columns);
  /** The keys that may be among the most used, by their hash. */
  readonly #top = new Map<number, { readonly key: string; count: number }>();
  #least = 0;
  #fadedAtMs: number;

  /** Tells up to `kept` keys; every sample stands for `sampledOneIn` uses. */
  constructor(options: { kept: number; sampledOneIn: number; halfLifeMs: number; nowMs: number }) {
    this.#kept = options.kept;
    this.#sampledOneIn = options.sampledOneIn;
    this.#halfLifeMs = options.halfLifeMs;
    this.#fadedAtMs = options.nowMs;
  }

  /** Counts one sampled use of the key `bytes[start, end)` with this hash. */
  add(hash: number, bytes: Buffer, start: number, end: number): void {
    let count = Number.POSITIVE_INFINITY;
    for (let row = 0; row < rows; row += 1) {
      const at = row * columns + ((Math.imul(hash, mixers[row] ?? 1) >>> 16) & (columns - 1));
      const raised = (this.#counts[at] ?? 0) + 1;
      this.#counts[at] = raised;
      if (raised < count) count = raised;
    }
    const known = this.#top.get(hash);
    if (known !== undefined) {
      known.count = count;
      return;
    }
    if (this.#top.size >= this.#kept && count <= this.#least) return;
    this.#top.set(hash, { key: printable(bytes, start, end), count });
    if (this.#top.size > this.#kept) this.#dropLeast();
  }

  /** The most used keys of late, the most used first. */
  list(nowMs: number): HotKey[] {
    this.fade(nowMs);
    // With halving every half-life, a steady rate r adds up to between r and 2r half-lives; the middle is taken.
    const windowSeconds = (1.5 * this.#halfLifeMs) / 1000;
    return [...this.#top.values()].toSorted((a, b) => b.count - a.count)
      .map(({ key, count }) => ({ key, perSecond: (count * this.#sampledOneIn) / windowSeconds }));
  }

  /** Lets old use fade; to be called now and then. */
  fade(nowMs: number): void {
    while (nowMs - this.#fadedAtMs >= this.#halfLifeMs) {
      this.#fadedAtMs += this.#halfLifeMs;
      for (let at = 0; at < this.#counts.length; at += 1) this.#counts[at] = (this.#counts[at] ?? 0) / 2;
      for (const [hash, entry] of this.#top) {
        entry.count /= 2;
        if (entry.count < 0.5) this.#top.delete(hash);
      }
      this.#least /= 2;
      if (this.#top.size === 0) {
        this.#fadedAtMs = nowMs;
        return;
      }
    }
  }

  #dropLeast(): void {
    let leastHash = 0, least = Number.POSITIVE_INFINITY, second = Number.POSITIVE_INFINITY;
    for (const [hash, { count }] of this.#top) {
      if (count < least) {
        second = least;
        least = count;
        leastHash = hash;
      } else if (count < second) {
        second = count;
      }
    }
    this.#top.delete(leastHash);
    this.#least = Number.isFinite(second) ? Math.min(second, least + 1) : least;
  }
}

/** Bytes as text for people: what is not printable as \\xHH, cut when it is long. */
export function printable(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < Math.min(end, start + keyBytesMax); at += 1) {
    const byte = bytes[at] ?? 0;
    text += byte >= 32 && byte < 127 && byte !== 92 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return end - start > keyBytesMax ? `${text}… (${end - start} bytes)` : text;
}
