// pure
import { isUtf8 } from "node:buffer";

/** What the beginning of a file looks like, for people: a guess, except where there is a byte order mark. */
export function encodingSeen(bytes: Buffer): string {
  if (bytes.length === 0) return "empty";
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return "gzip";
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "UTF-16LE with a byte order mark";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "UTF-16BE with a byte order mark";
  const zeros = [0, 0];
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  if (odd > bytes.length / 4 && even < bytes.length / 100) return "UTF-16LE by the look of it";
  if (even > bytes.length / 4 && odd < bytes.length / 100) return "UTF-16BE by the look of it";
  const holes = even + odd > 0 ? ", with NUL bytes" : "";
  if (isUtf8(wholeCharacters(bytes))) return `${bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? "UTF-8 with a byte order mark" : bytes.every((byte) => byte < 0x80) ? "ASCII" : "UTF-8"}${holes}`;
  return `not UTF-8, perhaps Latin-1${holes}`;
}

/** Without the beginning of a character at the end, which the rest of the file completes. */
function wholeCharacters(bytes: Buffer): Buffer {
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
    }
  }
  return bytes;
}
