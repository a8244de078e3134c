// pure
import { ConversionError } from "../conversion-error.ts";

/** Throws ENCODING when a report begins as one in UTF-16 or UTF-32 does: with a byte order mark of them, which no UTF-8 begins with. */
export function refuseUtf16(start: Uint8Array): void {
  const [first] = start;
  if (first !== 0xff && first !== 0xfe) return;
  throw new ConversionError("ENCODING", "the file begins as UTF-16 does, and only UTF-8 is read; let the application write UTF-8", { line: 1, sample: Buffer.from(start.subarray(0, 8)).toString("hex").replace(/(..)(?!$)/g, "$1 ") });
}
