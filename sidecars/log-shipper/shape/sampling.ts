// pure
import { contentStart, isText } from "./value.ts";

/** Hashes for sampling: spread evenly, the same everywhere and always, not against somebody who chooses the input. 32 bits. */
export function hashBytes(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let hash = seed ^ 0x811c_9dc5;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x0100_0193);
  return mixed(hash);
}

/** The hash of a record by its place: as its id (chunk.ts) it depends on content and position alone, not on where chunks were cut. */
export function hashPlace(contentHash: number, position: number): number {
  return mixed(mixed(contentHash ^ Math.floor(position / 4_294_967_296)) ^ (position >>> 0));
}

/** The finaliser of MurmurHash3. */
function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The hash of one value; a text has the same however long its header is. */
export function hashValue(bytes: Buffer, from: number, to: number): number {
  return hashBytes(bytes, isText(bytes[from] ?? 0) ? contentStart(bytes, from) : from, to, 0);
}

export function hashText(text: string): number {
  const bytes = Buffer.from(text);
  return hashBytes(bytes, 0, bytes.length, 0);
}
