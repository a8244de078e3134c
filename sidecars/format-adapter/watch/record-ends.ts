// pure

const [lineFeed, quote] = [10, 34];

/**
 * Where the last whole line ends in bytes that begin with a record: the place behind its line feed, 0 when there is none. In CSV a line feed
 * between quotes is data; that is told by counting quotes, which strict quoting allows.
 */
export function lastRecordEnd(bytes: Uint8Array, inQuotes: boolean): number {
  if (!inQuotes) return bytes.lastIndexOf(lineFeed) + 1;
  let end = 0;
  let isQuoted = false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === quote) isQuoted = !isQuoted;
    else if (bytes[at] === lineFeed && !isQuoted) end = at + 1;
  }
  return end;
}

/** Where the first record ends, as above; 0 when it does not. */
export function firstRecordEnd(bytes: Uint8Array): number {
  let isQuoted = false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === quote) isQuoted = !isQuoted;
    else if (bytes[at] === lineFeed && !isQuoted) return at + 1;
  }
  return 0;
}
