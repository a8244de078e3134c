// pure

/** Of unpacking at most so many bytes. */
export type Unpacked = { readonly kind: "unpacked"; readonly bytes: Buffer } | { readonly kind: "too large" } | { readonly kind: "wrong"; readonly reason: string };

/**
 * Unpacks raw Snappy data (google/snappy, format_description.txt), of at most so many bytes. node:zlib has no Snappy, and the one in the Parquet
 * library writes as far as its input says.
 */
export function unpackSnappy(packed: Buffer, max: number): Unpacked {
  let [length, at] = [0, 0];
  for (let shift = 0; ; shift += 7) {
    const byte = packed[at++];
    if (byte === undefined || shift > 28) return { kind: "wrong", reason: "its length is missing" };
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > max) return { kind: "too large" };
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (at < packed.length) {
    const element = elementAt(packed, at);
    if (element === undefined || filled + element.length > length) return { kind: "wrong", reason: "it ends in the middle" };
    at = element.next;
    if (element.back === undefined) {
      packed.copy(bytes, filled, at, at + element.length);
      at += element.length;
    } else {
      if (element.back === 0 || element.back > filled) return { kind: "wrong", reason: "it copies from before its beginning" };
      // A copy may run into what it writes: so runs are made. Each round doubles what there is to copy.
      for (let done = 0; done < element.length; ) {
        const count = Math.min(element.length - done, element.back + done);
        bytes.copyWithin(filled + done, filled - element.back, filled - element.back + count);
        done += count;
      }
    }
    filled += element.length;
  }
  return filled === length ? { kind: "unpacked", bytes } : { kind: "wrong", reason: "it ends in the middle" };
}

/** A literal, whose bytes begin at `next`, or a copy from so far back. Undefined when the data ends in it. */
type Element = { readonly length: number; readonly back: number | undefined; readonly next: number };

function elementAt(packed: Buffer, at: number): Element | undefined {
  const tag = packed[at] ?? 0;
  const upper = tag >> 2;
  const behind = (count: number): number | undefined => (at + 1 + count <= packed.length ? packed.readUIntLE(at + 1, count) : undefined);
  if ((tag & 3) === 0) {
    const extra = Math.max(0, upper - 59);
    const value = extra === 0 ? upper : behind(extra);
    const next = at + 1 + extra;
    return value === undefined || next + value + 1 > packed.length ? undefined : { length: value + 1, back: undefined, next };
  }
  const count = (tag & 3) === 1 ? 1 : (tag & 3) === 2 ? 2 : 4;
  const value = behind(count);
  if (value === undefined) return undefined;
  return count === 1 ? { length: 4 + (upper & 7), back: ((upper >> 3) << 8) + value, next: at + 2 } : { length: upper + 1, back: value, next: at + 1 + count };
}
