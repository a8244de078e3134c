// MessagePack, writing: headers and integers in their shortest form (https://github.com/msgpack/msgpack/blob/master/spec.md).

/** Writes the count into the one byte kept for it, moving the content up where the count needs more. */
@inline
export function countHeader(header: usize, to: usize, count: usize, fixed: u32, wide: u32): usize {
  if (count < 16) {
    store<u8>(header, fixed | (count as u32));
    return to;
  }
  return wideHeader(header, to, count, wide);
}

function wideHeader(header: usize, to: usize, count: usize, wide: u32): usize {
  const width: usize = count < 65536 ? 2 : 4;
  memory.copy(header + 1 + width, header + 1, to - header - 1);
  wideCount(header, count, wide);
  return to + width;
}

/** A count in two bytes or in four; returns where it ends. */
function wideCount(to: usize, count: usize, wide: u32): usize {
  if (count < 65536) {
    store<u8>(to, wide);
    store<u16>(to + 1, bswap<u16>(count as u16));
    return to + 3;
  }
  store<u8>(to, wide + 1);
  store<u32>(to + 1, bswap<u32>(count as u32));
  return to + 5;
}

@inline
export function mapHeaderBytes(count: usize): usize {
  return count < 16 ? 1 : count < 65536 ? 3 : 5;
}

/** Returns where it ends. */
@inline
export function mapHeader(to: usize, count: usize): usize {
  if (count >= 16) return wideCount(to, count, 0xde);
  store<u8>(to, 0x80 | (count as u32));
  return to + 1;
}

@inline
export function stringHeaderBytes(length: usize): usize {
  return length < 32 ? 1 : length < 256 ? 2 : length < 65536 ? 3 : 5;
}

@inline
export function stringHeader(to: usize, length: usize): usize {
  if (length < 32) {
    store<u8>(to, 0xa0 | length);
    return to + 1;
  }
  if (length < 256) {
    store<u8>(to, 0xd9);
    store<u8>(to + 1, length);
    return to + 2;
  }
  return wideCount(to, length, 0xda);
}

/** Also for a target that lies below the source and overlaps it. For long copies the memory's own is faster. */
@inline
export function copyBlocks(to: usize, start: usize, length: usize): void {
  if (length > 512) memory.copy(to, start, length);
  else for (let done: usize = 0; done < length; done += 16) v128.store(to + done, v128.load(start + done));
}

export function float(to: usize, double: f64): usize {
  store<u8>(to, 0xcb);
  store<u64>(to + 1, bswap<u64>(reinterpret<u64>(double)));
  return to + 9;
}

export function unsigned(to: usize, magnitude: u64): usize {
  if (magnitude < 128) {
    store<u8>(to, magnitude);
    return to + 1;
  }
  if (magnitude < 256) {
    store<u8>(to, 0xcc);
    store<u8>(to + 1, magnitude);
    return to + 2;
  }
  if (magnitude < 65536) {
    store<u8>(to, 0xcd);
    store<u16>(to + 1, bswap<u16>(magnitude as u16));
    return to + 3;
  }
  if (magnitude < 4294967296) {
    store<u8>(to, 0xce);
    store<u32>(to + 1, bswap<u32>(magnitude as u32));
    return to + 5;
  }
  store<u8>(to, 0xcf);
  store<u64>(to + 1, bswap<u64>(magnitude));
  return to + 9;
}

/** The number -magnitude, for 1 to 2^63. */
export function negated(to: usize, magnitude: u64): usize {
  const low = (0 - magnitude) as u64;
  if (magnitude <= 32) {
    store<u8>(to, low);
    return to + 1;
  }
  if (magnitude <= 128) {
    store<u8>(to, 0xd0);
    store<u8>(to + 1, low);
    return to + 2;
  }
  if (magnitude <= 32768) {
    store<u8>(to, 0xd1);
    store<u16>(to + 1, bswap<u16>(low as u16));
    return to + 3;
  }
  if (magnitude <= 2147483648) {
    store<u8>(to, 0xd2);
    store<u32>(to + 1, bswap<u32>(low as u32));
    return to + 5;
  }
  store<u8>(to, 0xd3);
  store<u64>(to + 1, bswap<u64>(low));
  return to + 9;
}
