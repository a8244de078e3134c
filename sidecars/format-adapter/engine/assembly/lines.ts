/** Whether the byte before the range of the last call was CR: an LF then belongs to it. */
let afterReturn: bool = false;

export function openLines(): void {
  afterReturn = false;
}

/** So many blocks of 16 bytes can be counted in lanes of one byte. */
const LANES_MAX: usize = 255 * 16;

/** How many LF the blocks from `from` on hold, `length` bytes of at most LANES_MAX; -1 when there is a CR among them. */
function countFeeds(from: usize, length: usize): i32 {
  const feeds = i8x16.splat(10);
  const returns = i8x16.splat(13);
  let found = i8x16.splat(0);
  let carriages = i8x16.splat(0);
  for (let at = from; at < from + length; at += 16) {
    const bytes = v128.load(at);
    found = i8x16.sub(found, i8x16.eq(bytes, feeds));
    carriages = v128.or(carriages, i8x16.eq(bytes, returns));
  }
  if (v128.any_true(carriages)) return -1;
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(found));
  return i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
}

/** How many line ends [from, to) holds: LF, CRLF and CR each end a line. Ranges are to be given in order, without a gap. */
export function countLineEnds(from: usize, to: usize): u32 {
  const feeds = i8x16.splat(10);
  const returns = i8x16.splat(13);
  let count: u32 = 0;
  let begin = from;
  // As far as there is no CR, what stands before an LF does not matter.
  while (!afterReturn && begin + 16 <= to) {
    const length = min<usize>((to - begin) & ~15, LANES_MAX);
    const found = countFeeds(begin, length);
    if (found < 0) break;
    count += found;
    begin += length;
  }
  let carry: u32 = afterReturn ? 1 : 0;
  for (let at = begin; at < to; at += 16) {
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
