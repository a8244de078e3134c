// pure

type Stat = { readonly dev: bigint; readonly ino: bigint; readonly size: bigint; readonly mtimeNs: bigint; readonly ctimeNs: bigint };

/**
 * What tells whether a file was touched: device, inode, size, and both times in nanoseconds, with points between. The ctime shows also a
 * rewrite of the same size and mtime. One text instead of five values: a folder may hold thousands of reports.
 */
export function statKey(stat: Stat): string {
  return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(".");
}

/** Device and inode of a statKey, or of the beginning of one. */
export function idOf(key: string): string {
  return key.split(".", 2).join(".");
}

/** What identityOfOutput (publish/) says of the same file. */
export function outputIdentityOf(key: string): string {
  return key.slice(0, key.lastIndexOf("."));
}

export function sizeOf(key: string): number {
  return Number(key.split(".", 3)[2]);
}

export function mtimeNsOf(key: string): bigint {
  return BigInt(key.split(".", 4)[3] ?? 0);
}

/** Longer than a tick of the kernel's clock, 10 ms at most, by which file systems take their times before Linux 6.13. */
const tickMs = 20;

/**
 * Whether a write that follows a stat may leave the stat as it is: the file was written so shortly before that the next write may fall into the
 * same tick. `nowMs` is the wall clock just before the stat; an mtime in the future counts as recent. Not told are writes behind the mtime's
 * back (utimes, mmap), and those of a host whose clock is more than that behind ours.
 */
export function mayHideWrite(mtimeNs: bigint, nowMs: number): boolean {
  return mtimeNs >= BigInt(Math.floor(nowMs) - tickMs) * 1_000_000n;
}
