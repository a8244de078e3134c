// pure
import type { LineFlag } from "./framing.ts";

/** Where a piece of a record's text is. */
export const pieceOf = { source: 0, scratch: 1, /** No bytes of its own: the line end between two lines. */ lineEnd: 2 } as const;
export type PieceKind = (typeof pieceOf)[keyof typeof pieceOf];

/** A record in the making: lines, or parts of a line, of one stream. */
export class LineGroup {
  /** Position of its first byte, and after its last. */
  readonly start: number;
  end: number;
  /** How many bytes of the source are its own. */
  own: number;
  /** Index of its stream. */
  readonly stream: number;
  /** Three numbers for each piece of its text: kind, from, to. */
  readonly pieces: number[] = [];
  textBytes = 0;
  lines = 1;
  /**
   * "line": its last line goes on in a later line of the container. "record": lines may follow that go on with it. "closed": it is
   * whole. "merged": it has become part of another.
   */
  state: "line" | "record" | "closed" | "merged" = "line";
  flag: LineFlag = "whole";
  /** It is passed over. */
  dropped = false;
  /** It is not of the container's format. */
  foreign = false;
  /** Of its first line, from the container's format; undefined without. */
  readonly time: { readonly seconds: number; readonly nanoseconds: number } | undefined;
  /** Of its last line. */
  lastMs = 0;
  attrsFrom = 0;
  attrsTo = 0;
  /** What was to be passed over when it began (`EncodeRequest.cutStreams`). */
  readonly cutStreams: number;

  constructor(at: { readonly start: number; readonly end: number; readonly own: number; readonly stream: number; readonly time: { readonly seconds: number; readonly nanoseconds: number } | undefined; readonly cutStreams: number }) {
    this.start = at.start;
    this.end = at.end;
    this.own = at.own;
    this.stream = at.stream;
    this.time = at.time;
    this.cutStreams = at.cutStreams;
    if (at.time !== undefined) this.lastMs = at.time.seconds * 1000 + at.time.nanoseconds / 1_000_000;
  }

  get isOpen(): boolean {
    return this.state === "line" || this.state === "record";
  }

  add(kind: PieceKind, from: number, to: number): void {
    this.pieces.push(kind, from, to);
    this.textBytes += to - from;
  }

  /** Takes the bytes of a source's line. */
  take(end: number, own: number, atMs: number): void {
    this.end = end;
    this.own += own;
    this.lastMs = atMs;
  }

  /** Goes on with the line that `other` is. */
  merge(other: LineGroup): void {
    this.pieces.push(pieceOf.lineEnd, 0, 0, ...other.pieces);
    this.textBytes += 1 + other.textBytes;
    this.lines++;
    this.take(other.end, other.own, other.lastMs);
    other.state = "merged";
  }
}

/**
 * How many of the groups, which are in the order of their starts, make a range of their own, if no more than the first `count` may
 * be in it and nothing from `limit` on. No group reaches over the range's end, which is the start of the next group.
 */
export function wholeGroups(groups: readonly LineGroup[], count: number, limit: number): { readonly count: number; readonly end: number } {
  let whole = count;
  let end = count < groups.length ? (groups[count]?.start ?? limit) : limit;
  for (let index = count - 1; index >= 0; index--) {
    const group = groups[index];
    if (group === undefined || group.state === "merged" || group.end <= end) continue;
    whole = index;
    end = group.start;
  }
  return { count: whole, end };
}
