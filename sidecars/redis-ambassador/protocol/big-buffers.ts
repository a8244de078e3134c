// pure
// Buffers that are used again: fresh memory costs more to have (pages to clear, garbage to collect) than to fill.

const bytesMin = 16 * 1024, bytesMax = 2 * 1024 * 1024;
/** So much is kept at most, all sizes together. */
const spareBytesMax = 16 * 1024 * 1024;
const spare = new Map<number, Buffer[]>();
let spareBytes = 0;

/** A buffer of at least this size, with whatever is in it. */
export function takeBuffer(size: number): Buffer {
  if (size > bytesMax) return Buffer.allocUnsafeSlow(size);
  let rounded = bytesMin;
  while (rounded < size) rounded *= 2;
  const kept = spare.get(rounded)?.pop();
  if (kept === undefined) return Buffer.allocUnsafeSlow(rounded);
  spareBytes -= rounded;
  return kept;
}

/** Nobody may use the buffer, or a part of it, after this. It must come from `takeBuffer`. */
export function giveBackBuffer(buffer: Buffer): void {
  const size = buffer.length;
  if (size > bytesMax || spareBytes + size > spareBytesMax) return;
  spareBytes += size;
  const kept = spare.get(size);
  if (kept === undefined) spare.set(size, [buffer]);
  else kept.push(buffer);
}
