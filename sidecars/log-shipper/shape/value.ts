// pure
/** Looking at single MessagePack values without making objects of them. The values must be complete. */

export function isText(type: number): boolean {
  return (type >= 0xa0 && type < 0xc0) || (type >= 0xd9 && type <= 0xdb) || (type >= 0xc4 && type <= 0xc6);
}

export function isMapType(type: number): boolean {
  return (type >= 0x80 && type < 0x90) || type === 0xde || type === 0xdf;
}

export function isListType(type: number): boolean {
  return (type >= 0x90 && type < 0xa0) || type === 0xdc || type === 0xdd;
}

/** Where the content of the text at `at` begins. */
export function contentStart(bytes: Buffer, at: number): number {
  const type = bytes[at] ?? 0;
  if (type < 0xc0) return at + 1;
  return type === 0xd9 || type === 0xc4 ? at + 2 : type === 0xda || type === 0xc5 ? at + 3 : at + 5;
}

/** How many pairs the map at `at` has, or how many items the list. */
export function pairCount(bytes: Buffer, at: number): number {
  const type = bytes[at] ?? 0;
  if (type < 0xa0) return type & 15;
  return type === 0xde || type === 0xdc ? bytes.readUInt16BE(at + 1) : bytes.readUInt32BE(at + 1);
}

export function firstPairAt(bytes: Buffer, at: number): number {
  const type = bytes[at] ?? 0;
  return at + (type < 0xa0 ? 1 : type === 0xde || type === 0xdc ? 3 : 5);
}

/** The number at `at`, the nearest double for 64-bit integers; undefined for anything else. */
export function numberOf(bytes: Buffer, at: number): number | undefined {
  const type = bytes[at] ?? 0;
  if (type < 0x80) return type;
  if (type >= 0xe0) return type - 256;
  switch (type) {
    case 0xca:
      return bytes.readFloatBE(at + 1);
    case 0xcb:
      return bytes.readDoubleBE(at + 1);
    case 0xcc:
      return bytes[at + 1];
    case 0xcd:
      return bytes.readUInt16BE(at + 1);
    case 0xce:
      return bytes.readUInt32BE(at + 1);
    case 0xcf:
      return bytes.readUInt32BE(at + 1) * 4_294_967_296 + bytes.readUInt32BE(at + 5);
    case 0xd0:
      return bytes.readInt8(at + 1);
    case 0xd1:
      return bytes.readInt16BE(at + 1);
    case 0xd2:
      return bytes.readInt32BE(at + 1);
    case 0xd3:
      return bytes.readInt32BE(at + 1) * 4_294_967_296 + bytes.readUInt32BE(at + 5);
    default:
      return undefined;
  }
}

/** The text of the scalar in `bytes[from, to)`: a string's own, a number's digits, `true`, `false` or `null`; undefined for maps, lists and extensions. */
export function textAt(bytes: Buffer, from: number, to: number): string | undefined {
  const type = bytes[from] ?? 0;
  if (isText(type)) return bytes.toString("utf8", contentStart(bytes, from), to);
  if (type === 0xc2 || type === 0xc3) return type === 0xc3 ? "true" : "false";
  if (type === 0xc0) return "null";
  if (type === 0xcf) return bytes.readBigUInt64BE(from + 1).toString();
  if (type === 0xd3) return bytes.readBigInt64BE(from + 1).toString();
  return numberOf(bytes, from)?.toString();
}
