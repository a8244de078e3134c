// pure
import type { Limits } from "./watch-config.ts";

export type Kept = { readonly path: string; readonly mtimeMs: number; readonly bytes: number };

/** What is to be removed so that the newest stay within the limits; the oldest first. Of several of one time, those first by name go first. */
export function selectExcess<T extends Kept>(items: readonly T[], limits: Limits, nowMs: number): readonly T[] {
  const { maxAgeMs = Number.POSITIVE_INFINITY, maxCount = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = limits;
  const newestFirst = items.toSorted((left, right) => right.mtimeMs - left.mtimeMs || (left.path < right.path ? 1 : -1));
  let bytes = 0;
  const firstOut = newestFirst.findIndex((item, index) => {
    bytes += item.bytes;
    return index >= maxCount || bytes > maxBytes || nowMs - item.mtimeMs > maxAgeMs;
  });
  return firstOut < 0 ? [] : newestFirst.slice(firstOut).toReversed();
}
