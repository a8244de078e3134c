// pure
// A checker for histories of registers: keys that are written and read by many clients at the same time.

/** Times are of one monotonic clock. An operation took effect at some moment between its beginning and its end. */
type Timed = {
  readonly client: number;
  /** The client's own order: of two operations of one client the one with the smaller number was executed first. */
  readonly order: number;
  readonly key: string;
  readonly begunMs: number;
};

export type Write = Timed & {
  /** What was written, different for every write of the key; undefined when the key was removed. */
  readonly value: string | undefined;
  /** Infinity when nobody knows whether and when it took effect. */
  readonly endedMs: number;
  /** The key vanishes so long after it was written. */
  readonly expiresMs?: number;
};

export type Read = Timed & { readonly value: string | undefined; readonly endedMs: number };

export type Verdict = {
  readonly reads: number;
  /** Reads of keys of which a write had ended shortly before. */
  readonly recentReads: number;
  /** The value had been overwritten before the read began, by a write of anybody that had ended. */
  readonly stale: readonly Read[];
  /** The same by a write of the reading client itself. */
  readonly staleOwn: readonly Read[];
  /** An earlier read of the same client had given a newer value. */
  readonly backwards: readonly Read[];
  /** Nobody had written such a value before the read ended, or it had expired before the read began. */
  readonly impossible: readonly Read[];
};

const recentMs = 100;
/** Servers and this process need not agree on when exactly a key expires. */
const expiryToleranceMs = 50;

/** Whether `one` was over before `other` began. */
function precedes(one: Write, other: Timed): boolean {
  if (one.endedMs === Number.POSITIVE_INFINITY) return false; // it may have been executed never, or later
  return one.client === other.client ? one.order < other.order : one.endedMs < other.begunMs;
}

/**
 * Checks every read against the writes of its key: it must give the value of a write that nothing had overwritten before
 * the read began (a regular register), whose order with writes at the same time is left open. Keys are absent at first.
 */
export function checkHistory(writes: readonly Write[], reads: readonly Read[]): Verdict {
  const writesByKey = new Map<string, Write[]>();
  for (const write of writes) {
    const known = writesByKey.get(write.key);
    if (known === undefined) writesByKey.set(write.key, [write]);
    else known.push(write);
  }
  const verdict = { reads: reads.length, recentReads: 0, stale: [] as Read[], staleOwn: [] as Read[], backwards: [] as Read[], impossible: [] as Read[] };
  const lastSeen = new Map<string, readonly Write[]>();
  for (const read of reads.toSorted((one, other) => one.order - other.order)) {
    const ofKey = writesByKey.get(read.key) ?? [];
    if (ofKey.some((write) => write.endedMs <= read.begunMs && write.endedMs > read.begunMs - recentMs)) verdict.recentReads += 1;
    const candidates = candidatesFor(read, ofKey);
    if (candidates.length === 0) {
      verdict.impossible.push(read);
      continue;
    }
    const isOverwritten = (candidate: Write, by: (later: Write) => boolean): boolean => ofKey.some((later) => later !== candidate && by(later) && precedes(candidate, later));
    if (candidates.every((candidate) => isOverwritten(candidate, (later) => precedes(later, read)))) verdict.stale.push(read);
    if (candidates.every((candidate) => isOverwritten(candidate, (later) => later.client === read.client && precedes(later, read)))) verdict.staleOwn.push(read);
    const place = `${read.client} ${read.key}`, seen = lastSeen.get(place);
    // Older than whatever write the former read may have seen.
    if (seen?.every((former) => candidates.every((candidate) => candidate !== former && precedes(candidate, former))) === true) verdict.backwards.push(read);
    else lastSeen.set(place, candidates);
  }
  return verdict;
}

const beginning = (key: string): Write => ({ client: -1, order: 0, key, begunMs: Number.NEGATIVE_INFINITY, endedMs: Number.NEGATIVE_INFINITY, value: undefined });

/** The writes that the read may have seen the effect of. */
function candidatesFor(read: Read, ofKey: readonly Write[]): Write[] {
  const begun = ofKey.filter((write) => write.begunMs < read.endedMs && !(write.client === read.client && write.order > read.order));
  if (read.value === undefined) {
    const gone = begun.filter((write) => write.value === undefined || (write.expiresMs !== undefined && write.begunMs + write.expiresMs - expiryToleranceMs <= read.endedMs));
    return [beginning(read.key), ...gone];
  }
  return begun.filter((write) => write.value === read.value && (write.expiresMs === undefined || read.begunMs <= write.endedMs + write.expiresMs + expiryToleranceMs));
}
