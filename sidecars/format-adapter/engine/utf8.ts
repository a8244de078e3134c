// pure
import { isUtf8 } from "node:buffer";
import { ConversionError } from "../conversion-error.ts";

/** The error for bytes that are no UTF-8, of which `bytes` are the first; they stand on this line. */
export function notUtf8(line: number, bytes: Buffer): ConversionError {
  return new ConversionError("ENCODING", "the file is not UTF-8", { line, sample: bytes.toString("hex", 0, 8).replace(/(..)(?!$)/g, "$1 ") });
}

/** How many bytes at the end are the beginning of a character whose end is not there. */
export function unfinishedBytes(bytes: Buffer): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return length < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? length : 0;
  }
  return 0;
}

/** Whether the bytes are UTF-8, but for a character that is cut off at the end. */
export function isUtf8SoFar(bytes: Buffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** The length of the longest prefix that is UTF-8. */
export function validPrefix(bytes: Buffer): number {
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    // A prefix may end inside a character: it is good when it is UTF-8 without its last 0 to 3 bytes.
    if ([0, 1, 2, 3].some((cut) => cut <= middle && isUtf8(bytes.subarray(0, middle - cut)))) good = middle;
    else bad = middle;
  }
  for (let cut = 0; cut <= 3; cut++) if (isUtf8(bytes.subarray(0, good - cut))) return good - cut;
  return 0;
}
