// pure
const newline = 0x0a;
/** A line longer than this is passed on in pieces, each ended with a line feed, so that a log without line feeds takes no memory. */
export const lineBytesMax = 1_048_576;

/** Cuts a stream of bytes into lines, each with its line feed; the last one gets one when it has none. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let carry: Uint8Array[] = [];
  let carried = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline, start); end !== -1; end = chunk.indexOf(newline, start)) {
      yield join([...carry, chunk.subarray(start, end + 1)]);
      carry = [];
      carried = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    carry.push(chunk.subarray(start));
    carried += chunk.length - start;
    if (carried < lineBytesMax) continue;
    yield join([...carry, Uint8Array.of(newline)]);
    carry = [];
    carried = 0;
  }
  if (carried > 0) yield join([...carry, Uint8Array.of(newline)]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
