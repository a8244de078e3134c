// pure
import { hash } from "node:crypto";

/**
 * Telling log files apart and telling growth from replacement.
 *
 * A file is identified by device, inode and birth time, and its content up to our position by two hashes: of its first bytes and
 * of the last bytes before the position. While we hold it open, device and inode alone are certain (an inode cannot be reused
 * then). A file shorter than the hashed lengths is identified by what it has; nothing waits for a file to grow.
 *
 * Not told apart: a rewrite in place whose first 256 bytes and whose 64 bytes before our position equal the old ones is taken
 * for an append.
 */
export type FileIdentity = { readonly dev: string; readonly ino: string; readonly birthNs: string };
export type Fingerprint = { readonly headLength: number; readonly headHash: string; readonly tailLength: number; readonly tailHash: string };

export const headBytesMax = 256;
export const tailBytesMax = 64;
export const emptyFingerprint: Fingerprint = { headLength: 0, headHash: "", tailLength: 0, tailHash: "" };

export function inodeKey(identity: Pick<FileIdentity, "dev" | "ino">): string {
  return `${identity.dev}:${identity.ino}`;
}

export function identityKey(identity: FileIdentity): string {
  return `${identity.dev}:${identity.ino}:${identity.birthNs}`;
}

export function hashBytes(bytes: Uint8Array): string {
  return bytes.length === 0 ? "" : hash("sha1", bytes, "base64url");
}

/** What a file's size and modification time say about content that we know up to `offset`. */
export type Observation = "unchanged" | "grown" | "shrunk" | "maybe-rewritten";

export function observe(known: { readonly offset: number; readonly size: number; readonly mtimeNs: bigint }, seen: { readonly size: number; readonly mtimeNs: bigint }): Observation {
  if (seen.size < known.offset) return "shrunk";
  if (seen.size > known.size) return "grown";
  if (seen.size === known.size && seen.mtimeNs === known.mtimeNs) return "unchanged";
  return "maybe-rewritten";
}

const compressed = /\.(?:gz|bz2|xz|zst|lz4|zip|tmp|swp)$/;

/**
 * The names that a rotated file may have had before: "app.log.2.1" came from "app.log.2", "app.log" or "app"; newest first.
 * Compressed files came from nothing that can be read on.
 */
export function formerNames(name: string): readonly string[] {
  if (compressed.test(name)) return [];
  const names: string[] = [];
  for (let at = name.length - 1; at > 0; at--) if (".-_~".includes(name[at] ?? " ")) names.push(name.slice(0, at));
  return names;
}
