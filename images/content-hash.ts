// pure
import { createHash } from "node:crypto";

/** Twelve hexadecimal digits over the parts in order; a boundary between two parts counts, so ("ab", "c") is not ("a", "bc"). */
export function contentHash(parts: Iterable<string | Uint8Array>): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex").slice(0, 12);
}
