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
