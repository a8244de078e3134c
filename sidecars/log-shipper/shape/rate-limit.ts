// pure
/**
 * Token buckets by key. Bounded: beyond `keysMax` keys, the key unused for longest gives way if its bucket is full again, which
 * changes nothing for it; while none is, new keys share one bucket.
 */
type Bucket = { tokens: number; atMs: number };

export class RateLimiter {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #keysMax: number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #shared: Bucket;

  constructor({ perSecond, burst, keysMax }: { readonly perSecond: number; readonly burst: number; readonly keysMax: number }) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#keysMax = keysMax;
    this.#shared = { tokens: burst, atMs: 0 };
  }

  /** Takes a token of the key's bucket; false when there is none. */
  take(key: string, nowMs: number): boolean {
    const bucket = this.#bucketOf(key, nowMs);
    this.#refill(bucket, nowMs);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #bucketOf(key: string, nowMs: number): Bucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      // Order of last use: only needed once keys must give way.
      if (this.#buckets.size >= this.#keysMax) {
        this.#buckets.delete(key);
        this.#buckets.set(key, known);
      }
      return known;
    }
    if (this.#buckets.size >= this.#keysMax && !this.#dropIdle(nowMs)) return this.#shared;
    const bucket = { tokens: this.#burst, atMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #dropIdle(nowMs: number): boolean {
    for (const [key, bucket] of this.#buckets) {
      this.#refill(bucket, nowMs);
      this.#buckets.delete(key);
      if (bucket.tokens >= this.#burst) return true;
      this.#buckets.set(key, bucket);
      return false;
    }
    return false;
  }

  #refill(bucket: Bucket, nowMs: number): void {
    if (nowMs <= bucket.atMs) return;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + (nowMs - bucket.atMs) * this.#perMs);
    bucket.atMs = nowMs;
  }
}

/**
 * Which records of a range a limit dropped, as numbers small enough to be written with the cut: either runs (passed, dropped,
 * passed, …) or a bit for each record in words of 32, whichever is shorter; the first number tells which.
 */
const runsForm = 0;
const bitsForm = 1;

export class DropList {
  #dropped: boolean[] = [];

  add(dropped: boolean): void {
    this.#dropped.push(dropped);
  }

  encode(): readonly number[] {
    const runs: number[] = [];
    let length = 0;
    let state = false;
    for (const dropped of this.#dropped) {
      if (dropped !== state) {
        runs.push(length);
        length = 0;
        state = dropped;
      }
      length++;
    }
    if (state) runs.push(length);
    const words = new Uint32Array(Math.ceil(this.#dropped.length / 32));
    for (const [index, dropped] of this.#dropped.entries()) if (dropped) words[index >>> 5] = ((words[index >>> 5] ?? 0) | (1 << (index & 31))) >>> 0;
    return runs.length <= words.length * 2 ? [runsForm, ...runs] : [bitsForm, ...words];
  }
}

/** What `encode` made, as a function of how many decisions came before. Of nonsense, all pass. */
export function decodeDrops(encoded: readonly number[]): (index: number) => boolean {
  const [form, ...numbers] = encoded;
  if (form === bitsForm) return (index) => (((numbers[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1;
  if (form !== runsForm) return () => false;
  const ends: number[] = [];
  let end = 0;
  for (const length of numbers) ends.push((end += length));
  let run = 0;
  return (index) => {
    while (run < ends.length && index >= (ends[run] ?? 0)) run++;
    return run < ends.length && run % 2 === 1;
  };
}
