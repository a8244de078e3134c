// pure

/**
 * How many line ends a text holds. LF, CRLF and CR alone each end a line, in every format, so that a line number found by a reader can be
 * turned into a byte offset without knowing the format. A text cut between CR and LF counts as two.
 */
export function countLineEnds(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  for (let at = text.indexOf("\r"); at >= 0; at = text.indexOf("\r", at + 1)) if (text.charCodeAt(at + 1) !== 10) count++;
  return count;
}

/** Counts line ends character by character, as countLineEnds does; a pair cut in two counts once here. */
export class LineCounter {
  #afterReturn = false;
  /** The line of what comes next, from 1. */
  line = 1;

  take(code: number): void {
    if (code === 13 || (code === 10 && !this.#afterReturn)) this.line++;
    this.#afterReturn = code === 13;
  }
}

/** countLineEnds of bytes of UTF-8. */
export function countLineEndsOfBytes(bytes: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 10 || (bytes[at] === 13 && bytes[at + 1] !== 10)) count++;
  return count;
}
