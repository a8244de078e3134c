/** Whether the byte before the range of the last call was CR: an LF then belongs to it. */
let afterReturn: bool = false;

export function openLines(): void {
  afterReturn = false;
}

/** How many line ends [from, to) holds: LF, CRLF and CR each end a line. Ranges are to be given in order, without a gap. */
export function countLineEnds(from: usize, to: usize): u32 {
  const feeds = i8x16.splat(10);
  const returns = i8x16.splat(13);
  let count: u32 = 0;
  let carry: u32 = afterReturn ? 1 : 0;
  for (let at = from; at < to; at += 16) {
    const left = to - at;
    const within: u32 = left >= 16 ? 0xffff : (1 << <u32>left) - 1;
    const bytes = v128.load(at);
    const feed = <u32>i8x16.bitmask(i8x16.eq(bytes, feeds)) & within;
    const carriage = <u32>i8x16.bitmask(i8x16.eq(bytes, returns)) & within;
    const afterCarriage = (carriage << 1) | carry;
    count += popcnt(carriage) + popcnt(feed & ~afterCarriage);
    carry = (carriage >> 15) & 1;
    if (left < 16) carry = (carriage >> (<u32>left - 1)) & 1;
  }
  if (to > from) afterReturn = carry != 0;
  return count;
}
