// pure

const hexDigit = (byte: number): number => {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
};
const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);
const escapes = new Map<number, number>([[110, 10], [114, 13], [116, 9], [98, 8], [97, 7]]);

/** One quoted or bare word from `at`; `undefined` when the quotes are unbalanced. */
function word(line: Uint8Array, from: number): { readonly bytes: number[]; readonly next: number } | undefined {
  const bytes: number[] = [];
  let at = from, quote = 0;
  for (;;) {
    const byte = at < line.length ? (line[at] ?? 0) : -1;
    if (quote === 0) {
      if (byte <= 0 || isSpace(byte)) return { bytes, next: at };
      if (byte === 34 || byte === 39) quote = byte;
      else bytes.push(byte);
      at += 1;
      continue;
    }
    if (byte < 0) return undefined;
    const after = line[at + 1] ?? -1;
    if (quote === 34 && byte === 92 && after === 120 && hexDigit(line[at + 2] ?? 0) >= 0 && hexDigit(line[at + 3] ?? 0) >= 0) {
      bytes.push(hexDigit(line[at + 2] ?? 0) * 16 + hexDigit(line[at + 3] ?? 0));
      at += 4;
    } else if (quote === 34 && byte === 92 && after >= 0) {
      bytes.push(escapes.get(after) ?? after);
      at += 2;
    } else if (quote === 39 && byte === 92 && after === 39) {
      bytes.push(39);
      at += 2;
    } else if (byte === quote) {
      // A closing quote must be followed by a space or by nothing at all.
      if (after >= 0 && !isSpace(after)) return undefined;
      quote = 0;
      at += 1;
    } else {
      bytes.push(byte);
      at += 1;
    }
  }
}

/**
 * Splits an inline request as the server's sdssplitargs does: bare words, "…" with \n \r \t \b \a \xHH escapes, '…'
 * with \' only. Gives `undefined` for unbalanced quotes and an empty list for a blank line.
 */
export function splitInline(line: Uint8Array): Uint8Array[] | undefined {
  const words: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at] ?? 0)) at += 1;
    if (at >= line.length || line[at] === 0) return words;
    const found = word(line, at);
    if (found === undefined) return undefined;
    words.push(Uint8Array.from(found.bytes));
    at = found.next;
  }
}

/** A request as the wire carries it: an array of bulk strings. */
export function encodeRequest(words: readonly (Uint8Array | string)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const each of words) {
    const bytes = typeof each === "string" ? Buffer.from(each) : Buffer.from(each.buffer, each.byteOffset, each.byteLength);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}
