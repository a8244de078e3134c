// pure
// Which of a cluster's hash slots a key belongs to (Redis Cluster specification, "Key distribution model").

export const slotsCount = 16_384;

const openBrace = 123, closeBrace = 125;

/** CRC16/XMODEM: polynomial 0x1021, nothing reflected, starts with 0. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let at = start; at < end; at += 1) crc = ((crc << 8) & 0xffff) ^ (table[(crc >>> 8) ^ (bytes[at] ?? 0)] ?? 0);
  return crc;
}

/** The slot of the key `bytes[start, end)`. Of a key with a non-empty `{tag}` only the first tag counts. */
export function hashSlot(bytes: Uint8Array, start: number, end: number): number {
  let open = start;
  while (open < end && bytes[open] !== openBrace) open += 1;
  let close = open + 1;
  while (close < end && bytes[close] !== closeBrace) close += 1;
  const tagged = close < end && close > open + 1;
  return (tagged ? crc16(bytes, open + 1, close) : crc16(bytes, start, end)) & (slotsCount - 1);
}
