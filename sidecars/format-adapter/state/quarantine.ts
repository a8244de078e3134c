import { createHash } from "node:crypto";
import { copyFile, lstat, readdir, readFile, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { makeDirectory, replaceFile } from "../../../kit/files.ts";
import type { AdaptOutcome } from "../adapt-file.ts";
import type { RefusedRow } from "../row-refusals.ts";
import { statKey } from "../stat-key.ts";
import { selectExcess, type Kept } from "../watch/retention.ts";

export type QuarantineLimits = { readonly maxFiles: number; readonly maxBytes: number; readonly maxAge?: number | undefined };

const reasonEnd = ".reason.json";

/**
 * Keeps a refused report and why: `<name>.<content>` and `<name>.<content>.reason.json` under the quarantine directory. The input itself is not
 * touched (its folder may be read-only), and consumers keep the last good adapted report. The oldest are removed when there are more or larger
 * ones than the limits allow.
 */
export async function quarantine(options: { readonly directory: string; readonly adapter: string; readonly path: string; readonly refused: AdaptOutcome & { readonly kind: "refused" }; readonly mappingHash: string; readonly limits: QuarantineLimits; readonly atMs: number; /** What was refused, when it is not the whole input. */ readonly bytes?: Uint8Array }): Promise<void> {
  const { directory, path, refused, limits, bytes } = options;
  const { error, content } = refused;
  makeDirectory(directory);
  const target = join(directory, quarantinedName(path, content));
  const reason = {
    input: path,
    adapter: options.adapter,
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
  const there = bytes === undefined ? await lstat(path, { bigint: true }).catch(() => undefined) : undefined;
  // No copy when the input is too large, or is not any more what was refused.
  const copyBytes = there !== undefined && statKey(there) === refused.stat && there.size <= limits.maxBytes ? Number(there.size) : bytes?.length;
  await makeRoom(directory, { stay: basename(target), nowMs: options.atMs, limits: { ...limits, maxFiles: limits.maxFiles - 1, maxBytes: limits.maxBytes - (copyBytes ?? 0) } });
  await replaceFile(`${target}${reasonEnd}`, `${JSON.stringify(reason, undefined, 2)}\n`);
  if (bytes !== undefined) await replaceFile(target, bytes);
  else if (copyBytes !== undefined) await copyFile(path, target);
}

/**
 * Keeps the records that were left out of a report that was adapted all the same, one a line, as `<name>.<content>.rows.ndjson`: line,
 * code, message, column, sample and the record's values. They count as refused reports do.
 */
export async function quarantineRows(options: { readonly directory: string; readonly path: string; readonly content: string; readonly rows: readonly RefusedRow[]; readonly limits: QuarantineLimits; readonly atMs: number }): Promise<void> {
  const { directory, limits } = options;
  makeDirectory(directory);
  const name = `${quarantinedName(options.path, options.content)}.rows.ndjson`;
  const text = options.rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  await makeRoom(directory, { stay: name, nowMs: options.atMs, limits: { ...limits, maxFiles: limits.maxFiles - 1, maxBytes: limits.maxBytes - Buffer.byteLength(text) } });
  await replaceFile(join(directory, name), text);
}

/** Removes what is too old, or too much; for between two refusals. */
export async function tidyQuarantine(directory: string, limits: QuarantineLimits, nowMs: number): Promise<void> {
  await makeRoom(directory, { stay: undefined, limits, nowMs });
}

/** Removes a refused report that was adapted after all, with its reason. */
export async function dropQuarantined(directory: string, path: string, content: string): Promise<void> {
  const target = join(directory, quarantinedName(path, content));
  await unlink(target).catch(() => undefined); // one too large to be kept has its reason alone
  await unlink(`${target}${reasonEnd}`);
}

/** What a reason file says of a refused report, as far as it is needed to take it up again. */
export type QuarantinedReport = { readonly stem: string; readonly input: string; readonly adapter: string | undefined; readonly content: string; readonly copy: string | undefined };

/** All that is in quarantine, the oldest first. A file that is none of ours is passed over. */
export async function listQuarantine(directory: string): Promise<readonly QuarantinedReport[]> {
  const names: readonly string[] = await readdir(directory).catch(() => []);
  const reports: (QuarantinedReport & { readonly at: string })[] = [];
  for (const name of names.filter((each) => each.endsWith(reasonEnd))) {
    const stem = name.slice(0, -reasonEnd.length);
    const reason = await readReason(join(directory, name));
    const text = (key: string): string | undefined => {
      const value = reason.get(key);
      return typeof value === "string" ? value : undefined;
    };
    const [input, content] = [text("input"), text("content")];
    if (input !== undefined && content !== undefined) reports.push({ stem, input, content, adapter: text("adapter"), copy: names.includes(stem) ? join(directory, stem) : undefined, at: text("at") ?? "" });
  }
  return reports.toSorted((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
}

async function readReason(path: string): Promise<ReadonlyMap<string, unknown>> {
  try {
    const reason: unknown = JSON.parse(await readFile(path, "utf8"));
    return new Map(Object.entries(typeof reason === "object" && reason !== null ? reason : {}));
  } catch {
    return new Map(); // gone since it was listed, or none of ours
  }
}

type Held = Kept & { readonly names: readonly string[] };

/** Removes the oldest refused reports, but not `stay`, until what is left is within the limits. */
async function makeRoom(directory: string, { stay, limits, nowMs }: { readonly stay: string | undefined; readonly limits: QuarantineLimits; readonly nowMs: number }): Promise<void> {
  const held = new Map<string, Held>();
  for (const name of await readdir(directory).catch(() => [])) {
    const stem = name.endsWith(reasonEnd) ? name.slice(0, -reasonEnd.length) : name;
    if (stem === stay) continue;
    const { names, bytes, mtimeMs } = held.get(stem) ?? { names: [], bytes: 0, mtimeMs: 0 };
    const stat = await lstat(join(directory, name));
    held.set(stem, { path: stem, names: [...names, name], bytes: name === stem ? stat.size : bytes, mtimeMs: Math.max(mtimeMs, stat.mtimeMs) });
  }
  const excess = selectExcess([...held.values()], { maxAgeMs: limits.maxAge, maxCount: limits.maxFiles, maxBytes: limits.maxBytes }, nowMs);
  for (const { names } of excess) for (const name of names) await unlink(join(directory, name));
}

function quarantinedName(path: string, content: string): string {
  return `${shortName(basename(path))}.${content.slice(0, 8)}`;
}

/** A file name has 255 bytes; a long one is cut and told apart by its hash. */
function shortName(name: string): string {
  return Buffer.byteLength(name) <= 200 ? name : `${name.slice(0, 40)}~${createHash("sha256").update(name).digest("hex").slice(0, 12)}`;
}
