// pure
// Finds where top-level replies end, in RESP2 and RESP3, over pieces cut anywhere. Nothing is decoded or copied.

const lineFeed = 10, carriageReturn = 13;
const nestingMax = 512;

/**
 * Where the reply at `at` ends, when it is a whole one of the commonest shapes (a line that is no error, a bulk string); else -1.
 * Bytes from `end` on may be anything.
 */
export function endOfSimpleReply(bytes: Uint8Array, at: number, end: number): number {
  const type = bytes[at];
  let index = at + 1;
  if (type === 36) {
    let byte = bytes[index] ?? 0, length = 0;
    if (byte === 45) return at + 5 <= end && bytes[at + 2] === 49 && bytes[at + 3] === carriageReturn ? at + 5 : -1; // null
    while (byte >= 48 && byte <= 57) {
      length = length * 10 + byte - 48;
      index += 1;
      byte = bytes[index] ?? 0;
    }
    if (byte !== carriageReturn || index === at + 1) return -1;
    const next = index + length + 4;
    return next <= end ? next : -1;
  }
  if (type !== 43 && type !== 58 && type !== 95 && type !== 35 && type !== 44) return -1; // + : _ # ,
  while (index < end && bytes[index] !== lineFeed) index += 1;
  return index < end ? index + 1 : -1;
}

const expects = { type: 0, number: 1, line: 2, body: 3 } as const;

/**
 * A resumable scanner of one server connection's replies. Aggregates are counted on a small stack; an attribute and the
 * value it describes count as one value; streamed strings (`$?`) and aggregates (`*?`, `%?`, `~?`) end at `;0` and `.`.
 */
export class ReplyScanner {
  #state: 0 | 1 | 2 | 3 = 0;
  #type = 0;
  #number = 0;
  #negative = false;
  #streamed = false;
  #bodyLeft = 0;
  #depth = 0;
  readonly #left: number[] = [];
  /** True while no byte of an unfinished top-level reply has been seen. */
  atBoundary = true;
  /** First byte of the current or just ended top-level reply, e.g. 45 for an error and 62 for a push. */
  firstByte = 0;
  /** True when the last `advance` ended a top-level reply. */
  ended = false;
  /** Set when the bytes are no RESP at all: the connection is then of no use any more. */
  failed = false;

  /** What is still to come of the string under way, its end included. */
  get bodyLeft(): number {
    return this.#bodyLeft;
  }

  /** Scans `bytes[start, end)` up to the end of one top-level reply; gives the index after the last byte looked at. */
  advance(bytes: Uint8Array, start: number, end: number): number {
    this.ended = false;
    let at = start;
    while (at < end) {
      if (this.#state === expects.type) {
        const type = bytes[at] ?? 0;
        at += 1;
        if (this.atBoundary) {
          this.atBoundary = false;
          this.firstByte = type;
        }
        this.#begin(type);
        if (this.failed) return at;
      } else if (this.#state === expects.body) {
        const part = Math.min(this.#bodyLeft, end - at);
        at += part;
        this.#bodyLeft -= part;
        if (this.#bodyLeft === 0 && this.#bodyEnded()) return at;
      } else if (this.#state === expects.line) {
        const newline = bytes.indexOf(lineFeed, at);
        if (newline < 0 || newline >= end) return end;
        at = newline + 1;
        if (this.#valueEnded()) return at;
      } else {
        while (at < end && this.#state === expects.number) {
          const byte = bytes[at] ?? 0;
          at += 1;
          if (byte === lineFeed) {
            if (this.#numberEnded()) return at;
            break;
          }
          if (byte >= 48 && byte <= 57) this.#number = this.#number * 10 + (byte - 48);
          else if (byte === 45) this.#negative = true;
          else if (byte === 63) this.#streamed = true;
          else if (byte !== carriageReturn) {
            this.failed = true;
            return at;
          }
        }
      }
    }
    return at;
  }

  #begin(type: number): void {
    this.#type = type;
    switch (type) {
      case 43: case 45: case 58: case 95: case 35: case 44: case 40: case 46: // + - : _ # , ( .
        this.#state = expects.line;
        return;
      case 36: case 61: case 33: case 59: case 42: case 126: case 62: case 37: case 124: // $ = ! ; * ~ > % |
        this.#state = expects.number;
        this.#number = 0;
        this.#negative = false;
        this.#streamed = false;
        return;
      default:
        this.failed = true;
    }
  }

  #numberEnded(): boolean {
    const count = this.#number;
    switch (this.#type) {
      case 36: case 61: case 33:
        if (this.#negative) return this.#valueEnded();
        if (this.#streamed) return this.#push(Number.POSITIVE_INFINITY);
        this.#bodyLeft = count + 2;
        this.#state = expects.body;
        return false;
      case 59: // one piece of a streamed string; the empty one ends it
        if (count === 0) return this.#pop();
        this.#bodyLeft = count + 2;
        this.#state = expects.body;
        return false;
      case 124:
        return this.#push(count * 2 + 1);
      default: {
        if (this.#negative) return this.#valueEnded();
        if (this.#streamed) return this.#push(Number.POSITIVE_INFINITY);
        const values = this.#type === 37 ? count * 2 : count;
        return values === 0 ? this.#valueEnded() : this.#push(values);
      }
    }
  }

  #bodyEnded(): boolean {
    if (this.#type !== 59) return this.#valueEnded();
    this.#state = expects.type;
    return false;
  }

  #push(values: number): boolean {
    if (this.#depth >= nestingMax) {
      this.failed = true;
      return true;
    }
    this.#left[this.#depth] = values;
    this.#depth += 1;
    this.#state = expects.type;
    return false;
  }

  /** Ends a streamed string or aggregate, which itself is one value of what holds it. */
  #pop(): boolean {
    if (this.#depth === 0) {
      this.failed = true;
      return true;
    }
    this.#depth -= 1;
    return this.#valueEnded();
  }

  #valueEnded(): boolean {
    this.#state = expects.type;
    if (this.#type === 46) {
      this.#type = 0;
      return this.#pop();
    }
    while (this.#depth > 0) {
      const left = (this.#left[this.#depth - 1] ?? 0) - 1;
      this.#left[this.#depth - 1] = left;
      if (left > 0) return false;
      this.#depth -= 1;
    }
    this.atBoundary = true;
    this.ended = true;
    return true;
  }
}
