import { createHash } from "node:crypto";
import { copyFile, lstat, mkdir, readdir, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { replaceFile } from "../../kit/files.ts";
import { statKey, type AdaptOutcome } from "./adapt-file.ts";

export type QuarantineLimits = { readonly maxFiles: number; readonly maxBytes: number };

const reasonEnd = ".reason.json";

/**
 * Keeps a refused report and why: `<name>.<content>` and `<name>.<content>.reason.json` under the quarantine directory. The input itself is not
 * touched (its folder may be read-only), and consumers keep the last good adapted report. The oldest are removed when there are more or larger
 * ones than the limits allow.
 */
export async function quarantine(options: { readonly directory: string; readonly path: string; readonly refused: AdaptOutcome & { readonly kind: "refused" }; readonly mappingHash: string; readonly limits: QuarantineLimits; readonly atMs: number }): Promise<void> {
  const { directory, path, refused, limits } = options;
  const { error, content } = refused;
  await mkdir(directory, { recursive: true });
  const target = join(directory, `${shortName(basename(path))}.${content.slice(0, 8)}`);
  const reason = {
    input: path,
    at: new Date(options.atMs).toISOString(),
    code: error.code,
    message: error.message,
    line: error.line,
    byteOffsetOfLine: refused.byteOffsetOfLine,
    column: error.column,
    sample: error.sample,
    mapping: refused.mapping?.name,
    mappingHash: options.mappingHash,
    content,
  };
  const there = await lstat(path, { bigint: true }).catch(() => undefined);
  // No copy when the input is too large, or is not any more what was refused.
  const copyBytes = there !== undefined && statKey(there) === refused.stat && there.size <= limits.maxBytes ? Number(there.size) : undefined;
  await makeRoom(directory, basename(target), { maxFiles: limits.maxFiles - 1, maxBytes: limits.maxBytes - (copyBytes ?? 0) });
  await replaceFile(`${target}${reasonEnd}`, `${JSON.stringify(reason, undefined, 2)}\n`);
  if (copyBytes !== undefined) await copyFile(path, target);
}

type Kept = { readonly names: string[]; bytes: number; newestMs: number };

/** Removes the oldest refused reports, but not `stay`, until what is left is within the limits. */
async function makeRoom(directory: string, stay: string, limits: QuarantineLimits): Promise<void> {
  const kept = new Map<string, Kept>();
  for (const name of await readdir(directory)) {
    const stem = name.endsWith(reasonEnd) ? name.slice(0, -reasonEnd.length) : name;
    if (stem === stay) continue;
    const entry = kept.get(stem) ?? { names: [], bytes: 0, newestMs: 0 };
    const stat = await lstat(join(directory, name));
    kept.set(stem, entry);
    entry.names.push(name);
    if (name === stem) entry.bytes = stat.size;
    entry.newestMs = Math.max(entry.newestMs, stat.mtimeMs);
  }
  const oldestFirst = [...kept.values()].toSorted((left, right) => left.newestMs - right.newestMs);
  let [files, bytes] = [oldestFirst.length, oldestFirst.reduce((sum, entry) => sum + entry.bytes, 0)];
  for (const entry of oldestFirst) {
    if (files <= limits.maxFiles && bytes <= limits.maxBytes) return;
    for (const name of entry.names) await unlink(join(directory, name));
    files--;
    bytes -= entry.bytes;
  }
}

/** A file name has 255 bytes; a long one is cut and told apart by its hash. */
function shortName(name: string): string {
  return Buffer.byteLength(name) <= 200 ? name : `${name.slice(0, 40)}~${createHash("sha256").update(name).digest("hex").slice(0, 12)}`;
}
