import { createReadStream } from "node:fs";

/** One member of an archive. Paths are relative, without a leading "./"; a directory has no trailing slash. */
export type TarEntry = {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
} & (
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** Read while the archive is written; it must still have `sizeBytes` then. */
  | { readonly kind: "file"; readonly source: string; readonly sizeBytes: number }
);

const blockBytes = 512;
const typeFlag = { directory: "5", symlink: "2", bytes: "0", file: "0" } as const;

/**
 * Writes a ustar archive (with GNU long names where a path passes 100 bytes). The same entries give the same bytes: every
 * time is 0, owners are numbers, and entries are sorted by path, which also puts a directory before what it holds.
 * Throws if a file changed its size while it was read.
 */
export async function* writeTar(entries: Iterable<TarEntry>): AsyncGenerator<Uint8Array> {
  const sorted = [...entries].toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  for (const entry of sorted) {
    yield header(entry);
    if (entry.kind === "bytes") {
      yield entry.bytes;
      yield padding(entry.bytes.length);
    } else if (entry.kind === "file") {
      let seenBytes = 0;
      for await (const chunk of createReadStream(entry.source, { highWaterMark: 1 << 20 })) {
        if (!(chunk instanceof Uint8Array)) throw new TypeError(`Cannot archive ${entry.source}: read text where bytes were expected`);
        seenBytes += chunk.length;
        yield chunk;
      }
      if (seenBytes !== entry.sizeBytes) throw new Error(`Cannot archive ${entry.source}: it had ${entry.sizeBytes} bytes and then ${seenBytes}`);
      yield padding(seenBytes);
    }
  }
  yield Buffer.alloc(2 * blockBytes);
}

/** The plain files of an archive by path; for archives of few and short names, as the engine makes of a folder of ours. */
export function readTarFiles(archive: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const text = (from: number, to: number): string => Buffer.from(archive.subarray(from, to)).toString("latin1").replace(/\0[^]*$/, "");
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + blockBytes <= archive.length && archive[at] !== 0; ) {
    const sizeBytes = Number.parseInt(text(at + 124, at + 136), 8);
    const start = at + blockBytes;
    if (text(at + 156, at + 157) === "0") files.set(text(at, at + 100), archive.subarray(start, start + sizeBytes));
    at = start + Math.ceil(sizeBytes / blockBytes) * blockBytes;
  }
  return files;
}

function header(entry: TarEntry): Uint8Array {
  const path = entry.kind === "directory" ? `${entry.path}/` : entry.path;
  const target = entry.kind === "symlink" ? entry.target : "";
  const parts: Uint8Array[] = [];
  if (Buffer.byteLength(path) > 100) parts.push(longName("L", path));
  if (Buffer.byteLength(target) > 100) parts.push(longName("K", target));
  const sizeBytes = entry.kind === "bytes" ? entry.bytes.length : entry.kind === "file" ? entry.sizeBytes : 0;
  parts.push(block({ path, target, sizeBytes, mode: entry.mode, uid: entry.uid, gid: entry.gid, flag: typeFlag[entry.kind] }));
  return Buffer.concat(parts);
}

/** GNU's way: a member of type L (path) or K (link target) that carries the name of the member behind it. */
function longName(flag: "L" | "K", name: string): Uint8Array {
  const bytes = Buffer.from(`${name}\0`);
  return Buffer.concat([block({ path: "././@LongLink", target: "", sizeBytes: bytes.length, mode: 0, uid: 0, gid: 0, flag }), bytes, padding(bytes.length)]);
}

function block(o: { path: string; target: string; sizeBytes: number; mode: number; uid: number; gid: number; flag: string }): Uint8Array {
  const bytes = Buffer.alloc(blockBytes);
  const octal = (value: number, offset: number, digits: number): void => {
    bytes.write(value.toString(8).padStart(digits, "0"), offset, "latin1");
  };
  bytes.set(Buffer.from(o.path).subarray(0, 100), 0);
  octal(o.mode & 0o7777, 100, 7);
  octal(o.uid, 108, 7);
  octal(o.gid, 116, 7);
  octal(o.sizeBytes, 124, 11);
  octal(0, 136, 11); // time of modification
  bytes.fill(" ", 148, 156); // the checksum counts as spaces while it is summed up
  bytes.write(o.flag, 156, "latin1");
  bytes.set(Buffer.from(o.target).subarray(0, 100), 157);
  bytes.write("ustar\x0000", 257, "latin1");
  octal(bytes.reduce((sum, byte) => sum + byte, 0), 148, 6);
  bytes.writeUInt8(0, 154);
  return bytes;
}

function padding(sizeBytes: number): Uint8Array {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}
