// MessagePack, reading: single values without anything made of them. They must be complete.

@inline
export function isText(type: u32): bool {
  return (type >= 0xa0 && type < 0xc0) || (type >= 0xd9 && type <= 0xdb) || (type >= 0xc4 && type <= 0xc6);
}

@inline
export function isMap(type: u32): bool {
  return (type >= 0x80 && type < 0x90) || type == 0xde || type == 0xdf;
}

@inline
export function isList(type: u32): bool {
  return (type >= 0x90 && type < 0xa0) || type == 0xdc || type == 0xdd;
}

/** Where the content of the text at `at` begins. */
@inline
export function contentStart(at: usize): usize {
  const type: u32 = load<u8>(at);
  if (type < 0xc0) return at + 1;
  return type == 0xd9 || type == 0xc4 ? at + 2 : type == 0xda || type == 0xc5 ? at + 3 : at + 5;
}

/** How many pairs the map at `at` has, or how many items the list. */
@inline
export function pairCount(at: usize): u32 {
  const type: u32 = load<u8>(at);
  if (type < 0xa0) return type & 15;
  return type == 0xde || type == 0xdc ? wide16(at + 1) : wide32(at + 1);
}

@inline
export function firstPair(at: usize): usize {
  const type: u32 = load<u8>(at);
  return at + (type < 0xa0 ? 1 : type == 0xde || type == 0xdc ? 3 : 5);
}

@inline
function wide16(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}

@inline
function wide32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

/** Where the value at `at` ends. */
@inline
export function skipValue(at: usize): usize {
  const type: u32 = load<u8>(at);
  // The commonest first: short text, small numbers, text of up to 255 bytes.
  if (type >= 0xa0 && type < 0xc0) return at + 1 + (type & 31);
  if (type < 0x80 || type >= 0xe0) return at + 1;
  if (type == 0xd9) return at + 2 + (load<u8>(at + 1) as usize);
  return skipOther(at);
}

/** Maps and lists are gone through without recursion: they may be nested as deep as their sender likes. */
function skipOther(start: usize): usize {
  let at = start;
  for (let wanted: u32 = 1; wanted > 0; wanted--) {
    const type: u32 = load<u8>(at);
    if (type < 0x80 || type >= 0xe0) at++;
    else if (type < 0x90) {
      wanted += (type & 15) * 2;
      at++;
    } else if (type < 0xa0) {
      wanted += type & 15;
      at++;
    } else if (type < 0xc0) at += 1 + (type & 31);
    else if (type >= 0xdc) {
      wanted += pairCount(at) * (type >= 0xde ? 2 : 1);
      at = firstPair(at);
    } else at += fixedBytes(type) + variableBytes(type, at);
  }
  return at;
}

/** Bytes of the type 0xc0 to 0xdb, of its length and of what always follows. */
@inline
function fixedBytes(type: u32): usize {
  switch (type) {
    case 0xc4: case 0xcc: case 0xd0: case 0xd9: return 2;
    case 0xc5: case 0xc7: case 0xcd: case 0xd1: case 0xd4: case 0xda: return 3;
    case 0xc8: case 0xd5: return 4;
    case 0xc6: case 0xca: case 0xce: case 0xd2: case 0xdb: return 5;
    case 0xc9: case 0xd6: return 6;
    case 0xcb: case 0xcf: case 0xd3: return 9;
    case 0xd7: return 10;
    case 0xd8: return 18;
    default: return 1;
  }
}

@inline
function variableBytes(type: u32, at: usize): usize {
  switch (type) {
    case 0xc4: case 0xc7: case 0xd9: return load<u8>(at + 1);
    case 0xc5: case 0xc8: case 0xda: return wide16(at + 1);
    case 0xc6: case 0xc9: case 0xdb: return wide32(at + 1);
    default: return 0;
  }
}

/** Whether there is a number at `at`. */
@inline
export function isNumber(type: u32): bool {
  return type < 0x80 || type >= 0xe0 || (type >= 0xca && type <= 0xd3);
}

/** The number at `at`, the nearest double for 64-bit integers. */
export function numberOf(at: usize): f64 {
  const type: u32 = load<u8>(at);
  if (type < 0x80) return type as f64;
  if (type >= 0xe0) return load<i8>(at) as f64;
  switch (type) {
    case 0xca: return reinterpret<f32>(wide32(at + 1)) as f64;
    case 0xcb: return reinterpret<f64>(bswap<u64>(load<u64>(at + 1)));
    case 0xcc: return load<u8>(at + 1) as f64;
    case 0xcd: return wide16(at + 1) as f64;
    case 0xce: return wide32(at + 1) as f64;
    case 0xcf: return bswap<u64>(load<u64>(at + 1)) as f64;
    case 0xd0: return load<i8>(at + 1) as f64;
    case 0xd1: return (bswap<u16>(load<u16>(at + 1)) as i16) as f64;
    case 0xd2: return (wide32(at + 1) as i32) as f64;
    default: return (bswap<u64>(load<u64>(at + 1)) as i64) as f64;
  }
}

/** The most characters that the text of the scalar at `at` has, for all types but texts, maps and lists; 0 for those that have none. */
export function scalarTextMax(at: usize): u32 {
  const type: u32 = load<u8>(at);
  if (type < 0x80 || type >= 0xe0 || type == 0xcc) return 3;
  switch (type) {
    case 0xc0: case 0xd0: return 4;
    case 0xc2: case 0xc3: case 0xcd: return 5;
    case 0xd1: return 6;
    case 0xce: return 10;
    case 0xd2: return 11;
    case 0xcf: case 0xd3: return 20;
    case 0xca: case 0xcb: return isShortDecimal(numberOf(at)) ? 12 : 32;
    default: return 0;
  }
}

/** The double nearest to a number with up to seven digits before the point and three behind it: no other gives a whole number here. */
@inline
function isShortDecimal(value: f64): bool {
  const thousandfold = value * 1000;
  return abs(value) < 1e7 && trunc(thousandfold) == thousandfold;
}

/** Whether `length` bytes are the same. */
@inline
export function sameBytes(left: usize, right: usize, length: usize): bool {
  let done: usize = 0;
  for (; done + 8 <= length; done += 8) if (load<u64>(left + done) != load<u64>(right + done)) return false;
  for (; done < length; done++) if (load<u8>(left + done) != load<u8>(right + done)) return false;
  return true;
}
