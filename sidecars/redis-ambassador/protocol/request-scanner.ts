// pure
// Finds where one client request ends and where its arguments stand, without decoding anything. The rules and the error
// texts are those of the Redis server (networking.c, processMultibulkBuffer and processInlineBuffer of 7.0): lengths are
// strict decimal numbers, they may exceed 32 bits (doubles are used throughout), and the two bytes after a bulk are
// skipped unread, as the server does.

/** What `RequestScanner.scan` found. `failed` means: answer `errorText`, then close. */
export const scanned = { complete: 0, incomplete: 1, empty: 2, inline: 3, failed: 4 } as const;
export type Scanned = (typeof scanned)[keyof typeof scanned];

const carriageReturn = 13, lineFeed = 10, star = 42, dollar = 36, minus = 45, zero = 48, nine = 57;
/** The longest line the server accepts without its end (PROTO_INLINE_MAX_SIZE). */
export const lineBytesMax = 64 * 1024;
const argumentsMax = 2_147_483_647;
/** What the server takes from a connection that has not authenticated. */
const strangerArgumentsMax = 10, strangerBulkBytesMax = 16_384;

/**
 * The server's string2ll over `bytes[start, end)`: no plus sign, no leading zero, no space.
 * Gives NaN for what the server refuses. Values above 2^53 lose precision, which no limit of ours can notice.
 */
export function parseLength(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const negative = bytes[at] === minus;
  if (negative) at += 1;
  const first = bytes[at];
  if (at >= end || end - at > 19 || first === undefined) return Number.NaN;
  if (first === zero) return end - at === 1 && !negative ? 0 : Number.NaN;
  let value = 0;
  for (; at < end; at += 1) {
    const digit = bytes[at] ?? 0;
    if (digit < zero || digit > nine) return Number.NaN;
    value = value * 10 + (digit - zero);
  }
  return negative ? -value : value;
}

/** A byte as the server shows it in an error: as it is, but no end of a line. Latin1 text. */
export function shownByte(byte: number): string {
  return byte === lineFeed || byte === carriageReturn ? " " : String.fromCharCode(byte);
}

/**
 * One scanner serves any number of clients: it keeps no state between calls, only the result of the last call in its
 * fields (so that the hot path allocates nothing). `args` are offsets into the scanned bytes, valid until the next call.
 */
export class RequestScanner {
  /** Index after the request (complete, empty, inline). */
  next = 0;
  /** Number of arguments whose offsets are known; all of them after `complete`. */
  argc = 0;
  /** Number of arguments that the request announces. */
  argcTotal = 0;
  readonly argStart: number[] = [];
  readonly argEnd: number[] = [];
  /** After `incomplete`: the request cannot be complete before this many bytes (from `start`) are there. */
  needed = 0;
  errorText = "";
  /** The client has not authenticated and must: set before each `scan` for another client. */
  stranger = false;
  readonly #bulkBytesMax: () => number;

  /** `bulkBytesMax` follows the server's proto-max-bulk-len, which can change at run time. */
  constructor(bulkBytesMax: () => number) {
    this.#bulkBytesMax = bulkBytesMax;
  }

  scan(bytes: Uint8Array, start: number, end: number): Scanned {
    this.argc = 0;
    this.argcTotal = 0;
    if (start >= end) return this.#incomplete(1);
    if (bytes[start] !== star) return this.#inline(bytes, start, end);
    return this.#short(bytes, start, end) ? scanned.complete : this.#multibulk(bytes, start, end);
  }

  #incomplete(needed: number): Scanned {
    this.needed = needed;
    return scanned.incomplete;
  }

  #failed(text: string): Scanned {
    this.errorText = `-ERR Protocol error: ${text}\r\n`;
    return scanned.failed;
  }

  #inline(bytes: Uint8Array, start: number, end: number): Scanned {
    const newline = bytes.indexOf(lineFeed, start);
    if (newline < 0 || newline >= end) {
      return end - start > lineBytesMax ? this.#failed("too big inline request") : this.#incomplete(end - start + 1);
    }
    this.next = newline + 1;
    return scanned.inline;
  }

  /** The commonest shape: whole, up to nine arguments, none of 100 bytes or more. False: it has to be looked at by all the rules. */
  #short(bytes: Uint8Array, start: number, end: number): boolean {
    const count = (bytes[start + 1] ?? 0) - zero;
    if (!(count > 0 && count <= 9) || bytes[start + 2] !== carriageReturn || this.stranger) return false;
    let at = start + 4;
    for (let index = 0; index < count; index += 1) {
      if (bytes[at] !== dollar) return false;
      let length = (bytes[at + 1] ?? 0) - zero;
      if (length < 0 || length > 9) return false;
      at += 2;
      const second = bytes[at] ?? 0;
      if (second !== carriageReturn) {
        if (length === 0 || second < zero || second > nine || bytes[at + 1] !== carriageReturn) return false;
        length = length * 10 + second - zero;
        at += 1;
      }
      at += 2;
      this.argStart[index] = at;
      at += length;
      this.argEnd[index] = at;
      at += 2;
      if (at > end) return false;
    }
    this.argc = count;
    this.argcTotal = count;
    this.next = at;
    return true;
  }

  #multibulk(bytes: Uint8Array, start: number, end: number): Scanned {
    let at = start + 1;
    while (at < end && bytes[at] !== carriageReturn) at += 1;
    if (at >= end) {
      return end - start > lineBytesMax ? this.#failed("too big mbulk count string") : this.#incomplete(end - start + 1);
    }
    if (at + 1 >= end) return this.#incomplete(end - start + 1);
    const count = parseLength(bytes, start + 1, at);
    if (!(count <= argumentsMax)) return this.#failed("invalid multibulk length");
    if (this.stranger && count > strangerArgumentsMax) return this.#failed("unauthenticated multibulk length");
    at += 2;
    this.next = at;
    if (count <= 0) return scanned.empty;
    this.argcTotal = count;
    const bulkBytesMax = this.#bulkBytesMax();
    for (let index = 0; index < count; index += 1) {
      const line = at;
      while (at < end && bytes[at] !== carriageReturn) at += 1;
      if (at >= end) {
        return end - line > lineBytesMax ? this.#failed("too big bulk count string") : this.#incomplete(end - start + 1);
      }
      if (at + 1 >= end) return this.#incomplete(end - start + 1);
      const mark = bytes[line] ?? 0;
      if (mark !== dollar) return this.#failed(`expected '$', got '${shownByte(mark)}'`);
      const length = parseLength(bytes, line + 1, at);
      if (!(length >= 0 && length <= bulkBytesMax)) return this.#failed("invalid bulk length");
      if (this.stranger && length > strangerBulkBytesMax) return this.#failed("unauthenticated bulk length");
      at += 2;
      if (at + length + 2 > end) return this.#incomplete(at + length + 2 - start);
      this.argStart[index] = at;
      this.argEnd[index] = at + length;
      this.argc = index + 1;
      at += length + 2;
    }
    this.next = at;
    return scanned.complete;
  }
}
