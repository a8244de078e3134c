import { closeSync, constants, fstatSync, openSync, read, readSync, type BigIntStats } from "node:fs";
import { addColumns, noColumns, settledOf, type ByteRange, type Columns, type Cut, type FileState, type RememberedFile } from "../state/checkpoint-log.ts";
import { identityOf } from "./discover.ts";
import type { Encoding } from "../encode/encoding.ts";
import { headBytesMax, hashBytes, identityKey, tailBytesMax, inodeKey, type FileIdentity, type Fingerprint } from "./tail-state.ts";

export type FileLedger = Columns & { readonly acked: number; readonly pending: number };

/**
 * One content being read: usually one file, followed by its inode through every rename. After a copytruncate the content goes on
 * in the copy (`moveTo`) and the truncated file becomes a tracked file of its own.
 *
 * Positions: everything before `offset` was cut into chunks; what was not acknowledged of that is in flight or in `replay`.
 */
export class TrackedFile {
  readonly number: number;
  readonly path: string;
  readonly generation: number;
  readonly content: string;
  identity: FileIdentity;
  offset: number;
  print: Fingerprint;
  discarding: boolean;
  /** Streams of a container in which `offset` lies inside the rest of a line that was cut (encode/range-encoder.ts). */
  cutStreams: number;
  /** Of the content, once it was looked at. */
  encoding: Encoding | undefined;
  /** Ranges cut before a restart and not acknowledged; they are cut the same way again, before anything new. */
  replay: Cut[];
  fd: number | undefined;
  /** Whether the content up to `offset` was compared with the fingerprint since the file was opened. */
  verified = false;
  size = 0;
  mtimeNs = -1n;
  inFlight = 0;
  /** In-flight ranges, by their start, and since when (monotonic) they were known. */
  readonly unacked = new Map<number, { readonly to: number; readonly sinceMs: number }>();
  /** Bytes acknowledged, over all runs. */
  ackedBytes: number;
  /** Bytes settled otherwise, over all runs. */
  columns: Columns;
  /** How far it is known to reach, whether or not it could be opened. */
  seenTo: number;
  /** Size at which the bytes after `offset` were found not to hold a whole line. */
  partialAtSize = -1;
  /** When (monotonic) the whole lines after `offset`, held back because they may go on, are to be read as they are. */
  flushAtMs: number | undefined;
  /** Everything of it is being given up: its content was overwritten and no copy was found. */
  gone = false;
  /** In no plain file any more; it may be found compressed. */
  detached = false;
  lastGrowthMs: number;
  behindSinceMs: number | undefined;
  /** Since when no path leads from `path` to this content. */
  rotatedAtMs: number | undefined;
  lastSeenMs: number;
  /** When the loop should look at it next (monotonic). */
  dueMs = 0;
  /** Due again as soon as the pipeline has room. */
  starved = false;
  openedAtMs = 0;

  constructor(state: FileState, options: { readonly replay: readonly Cut[]; readonly nowMs: number }) {
    this.number = state.number;
    this.path = state.path;
    this.generation = state.generation;
    this.content = state.content;
    this.identity = { dev: state.dev, ino: state.ino, birthNs: state.birthNs };
    this.offset = state.offset;
    this.print = state.print;
    this.discarding = state.discarding;
    this.cutStreams = state.cutStreams ?? 0;
    this.replay = [...options.replay];
    this.columns = state.columns ?? noColumns;
    this.ackedBytes = state.offset - this.columns.filtered - this.columns.deadLettered - this.columns.skipped;
    this.seenTo = state.seenTo ?? 0;
    this.lastGrowthMs = options.nowMs;
    this.lastSeenMs = options.nowMs;
  }

  static remembered(remembered: RememberedFile, nowMs: number): TrackedFile {
    const { file, cuts } = remembered;
    const tracked = new TrackedFile(file, { replay: cuts.filter((cut) => !cut.acked), nowMs });
    const settled = settledOf(remembered);
    tracked.ackedBytes = settled.acked;
    tracked.columns = settled.columns;
    if (tracked.replay.length > 0) tracked.behindSinceMs = nowMs;
    const last = cuts.at(-1);
    if (last !== undefined) {
      tracked.offset = last.to;
      tracked.print = last.print;
      tracked.discarding = last.discarding;
      tracked.cutStreams = last.cutStreams ?? 0;
    }
    return tracked;
  }

  get inode(): string {
    return inodeKey(this.identity);
  }

  get behindBytes(): number {
    return Math.max(0, this.size - this.offset);
  }

  /** Whether, as far as was seen, nothing is left to read of it but an unterminated last line. */
  get readToEnd(): boolean {
    return this.verified && this.replay.length === 0 && this.flushAtMs === undefined && (this.size === this.offset || this.size === this.partialAtSize);
  }

  /** What is known to have been written and was not yet read again or for the first time. */
  get unread(): readonly ByteRange[] {
    return this.unreadUpTo(Math.max(this.size, this.seenTo));
  }

  unreadUpTo(end: number): readonly ByteRange[] {
    return [...this.replay.map(({ from, to }) => ({ from, to })), ...(end > this.offset ? [{ from: this.offset, to: end }] : [])];
  }

  /** Whether everything before `end` is delivered. */
  settledUpTo(end: number): boolean {
    return this.inFlight === 0 && this.replay.length === 0 && this.offset >= end;
  }

  /** What of the bytes before `end` is not known to be delivered, in order. */
  undelivered(end: number): readonly ByteRange[] {
    const ranges = [...this.unacked].map(([from, { to }]) => ({ from, to })).concat(this.replay.map(({ from, to }) => ({ from, to })), end > this.offset ? [{ from: this.offset, to: end }] : []);
    const joined: { from: number; to: number }[] = [];
    for (const range of ranges.toSorted((left, right) => left.from - right.from)) {
      const last = joined.at(-1);
      if (last?.to === range.from) last.to = range.to;
      else joined.push({ ...range });
    }
    return joined;
  }

  /** Its bytes by what became of them: offset = acked + filtered + dead-lettered + skipped + pending. */
  get ledger(): FileLedger {
    const { filtered, deadLettered, skipped } = this.columns;
    return { acked: this.ackedBytes, filtered, deadLettered, skipped, pending: this.offset - this.ackedBytes - filtered - deadLettered - skipped };
  }

  /** Since when (monotonic) the oldest byte waits that is known to be written and not known to be delivered. */
  get waitingSinceMs(): number | undefined {
    let since = this.behindSinceMs;
    for (const { sinceMs } of this.unacked.values()) since = Math.min(since ?? sinceMs, sinceMs);
    return since;
  }

  /** A range has been read and is on its way. */
  sent(range: ByteRange, sinceMs: number): void {
    this.inFlight++;
    this.unacked.set(range.from, { to: range.to, sinceMs });
  }

  /** A range on its way is settled: acknowledged but for `columns`. */
  settled(range: ByteRange, columns: Columns): void {
    this.unacked.delete(range.from);
    this.columns = addColumns(this.columns, columns);
    this.ackedBytes += range.to - range.from - columns.filtered - columns.deadLettered - columns.skipped;
  }

  /** Passes over everything before `to`, which nobody wants from here. */
  skipTo(to: number, print: Fingerprint): void {
    this.columns = addColumns(this.columns, { ...noColumns, skipped: to - this.offset });
    this.offset = to;
    this.print = print;
  }

  /** The lowest byte not known to be delivered. */
  get deliveredTo(): number {
    let lowest = this.offset;
    for (const from of this.unacked.keys()) lowest = Math.min(lowest, from);
    for (const cut of this.replay) lowest = Math.min(lowest, cut.from);
    return lowest;
  }

  /** Opens the content at `path`. False when the path now leads elsewhere; throws when the system refuses. */
  open(path: string): boolean {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (identityKey(identityOf(fstatSync(fd, { bigint: true }))) !== identityKey(this.identity)) {
      closeSync(fd);
      return false;
    }
    this.fd = fd;
    this.verified = false;
    this.dueMs = 0;
    return true;
  }

  /** Goes on with an open file of `size` bytes that has the whole content. */
  attach(fd: number, size: number): void {
    this.fd = fd;
    this.verified = false;
    this.seenTo = size;
    this.detached = false;
    this.dueMs = 0;
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  moveTo(identity: FileIdentity): void {
    this.identity = identity;
    this.fd = undefined;
  }

  /** The open file's own state; undefined when closed. */
  stat(): BigIntStats | undefined {
    return this.fd === undefined ? undefined : fstatSync(this.fd, { bigint: true });
  }
}

/** Reads up to `length` bytes at `position`; fewer only at the end of the file. */
export async function readAt(fd: number, buffer: Buffer, at: number, length: number, position: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await new Promise<number>((resolve, reject) => {
      read(fd, buffer, at + done, length - done, position + done, (error, bytes) => (error === null ? resolve(bytes) : reject(error)));
    });
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Whether the file holds, before `offset`, the content of the fingerprint. */
export async function holdsContent(fd: number, offset: number, print: Fingerprint): Promise<boolean> {
  const bytes = Buffer.allocUnsafe(headBytesMax + tailBytesMax);
  if ((await readAt(fd, bytes, 0, print.headLength, 0)) !== print.headLength) return false;
  if (hashBytes(bytes.subarray(0, print.headLength)) !== print.headHash) return false;
  if ((await readAt(fd, bytes, 0, print.tailLength, offset - print.tailLength)) !== print.tailLength) return false;
  return hashBytes(bytes.subarray(0, print.tailLength)) === print.tailHash;
}

const compared = Buffer.allocUnsafeSlow(headBytesMax);

/**
 * `holdsContent` without waiting, for a position that was just read up to: head and tail are in the page cache then, and two
 * system calls cost less than two turns of the thread pool.
 */
export function stillHoldsContent(fd: number, offset: number, print: Fingerprint): boolean {
  const { headLength, headHash, tailLength, tailHash } = print;
  if (readSync(fd, compared, 0, headLength, 0) !== headLength || hashBytes(compared.subarray(0, headLength)) !== headHash) return false;
  return readSync(fd, compared, 0, tailLength, offset - tailLength) === tailLength && hashBytes(compared.subarray(0, tailLength)) === tailHash;
}

/** The fingerprint at the file's present end, when it is to be passed over. Synchronous, so that nothing is read meanwhile. */
export function fingerprintAtEnd(fd: number): { readonly offset: number; readonly print: Fingerprint } {
  const offset = Number(fstatSync(fd, { bigint: true }).size);
  return { offset, print: fingerprintBefore(fd, offset) };
}

/** `fingerprintAt`, without waiting. */
export function fingerprintBefore(fd: number, offset: number): Fingerprint {
  const head = Buffer.alloc(Math.min(headBytesMax, offset));
  const tail = Buffer.alloc(Math.min(tailBytesMax, offset));
  readSync(fd, head, 0, head.length, 0);
  readSync(fd, tail, 0, tail.length, offset - tail.length);
  return { headLength: head.length, headHash: hashBytes(head), tailLength: tail.length, tailHash: hashBytes(tail) };
}

/** The fingerprint of the content up to `offset`, read from the file. */
export async function fingerprintAt(fd: number, offset: number): Promise<Fingerprint> {
  const head = Buffer.allocUnsafe(Math.min(headBytesMax, offset));
  const tail = Buffer.allocUnsafe(Math.min(tailBytesMax, offset));
  await readAt(fd, head, 0, head.length, 0);
  await readAt(fd, tail, 0, tail.length, offset - tail.length);
  return { headLength: head.length, headHash: hashBytes(head), tailLength: tail.length, tailHash: hashBytes(tail) };
}
