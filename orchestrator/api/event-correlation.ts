// pure
/** How repeated events become one object with a count, after client-go's EventCorrelator: its limits and its order of steps. */

export type Occurrence = { readonly about: string; readonly source: string; readonly type: string; readonly reason: string; readonly message: string; readonly atMs: number };
export type Correlated =
  | { readonly kind: "drop" }
  /** `key` names the stored event to count up; `message` may have been replaced by that of the aggregate. */
  | { readonly kind: "record"; readonly key: string; readonly message: string };

const burst = 25;
const refillMs = 300_000;
const similarMax = 10;
const similarWindowMs = 600_000;
const rememberedMax = 4096;

type Bucket = { tokens: number; atMs: number };
type Similar = { readonly messages: Set<string>; atMs: number };

/** Remembers at most 4,096 objects and as many groups of similar events; the one unused longest is forgotten first. */
export class EventCorrelation {
  readonly #buckets = new Map<string, Bucket>();
  readonly #similar = new Map<string, Similar>();

  /** Up to 10 different messages of one reason within 10 minutes stay apart; further ones are combined. 25 events an object at once, then one in 5 minutes. */
  correlate(event: Occurrence): Correlated {
    const group = JSON.stringify([event.source, event.about, event.type, event.reason]);
    const similar = touch(this.#similar, group, () => ({ messages: new Set<string>(), atMs: event.atMs }));
    if (event.atMs - similar.atMs > similarWindowMs) similar.messages.clear();
    similar.atMs = event.atMs;
    const combine = !similar.messages.has(event.message) && similar.messages.size >= similarMax;
    if (!combine) similar.messages.add(event.message);
    if (!this.#takeToken(JSON.stringify([event.source, event.about]), event.atMs)) return { kind: "drop" };
    if (combine) return { kind: "record", key: `${group} combined`, message: `(combined from similar events): ${event.message}` };
    return { kind: "record", key: `${group} ${event.message}`, message: event.message };
  }

  #takeToken(key: string, atMs: number): boolean {
    const bucket = touch(this.#buckets, key, () => ({ tokens: burst, atMs }));
    bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, atMs - bucket.atMs) / refillMs);
    bucket.atMs = atMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

/** A map in the order of last use, cut at `rememberedMax`. */
export function touch<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make();
  map.delete(key);
  map.set(key, value);
  if (map.size > rememberedMax) for (const oldest of map.keys()) { map.delete(oldest); break; }
  return value;
}
