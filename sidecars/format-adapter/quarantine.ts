import { createHash } from "node:crypto";
import { copyFile, mkdir, open } from "node:fs/promises";
import { basename, join } from "node:path";
import { replaceFile } from "../../kit/files.ts";
import type { ConversionError } from "./conversion-error.ts";

/**
 * Keeps a refused report and why: `<name>.<content>` and `<name>.<content>.reason.json` under the quarantine directory. The input itself is not
 * touched (its folder may be read-only), and consumers keep the last good adapted report.
 */
export async function quarantine(options: { readonly directory: string; readonly path: string; readonly content: string; readonly error: ConversionError; readonly mapping: string | undefined; readonly mappingHash: string; readonly keepBytesMax: number; readonly atMs: number }): Promise<void> {
  const { path, error } = options;
  await mkdir(options.directory, { recursive: true });
  const target = join(options.directory, `${shortName(basename(path))}.${options.content.slice(0, 8)}`);
  const reason = {
    input: path,
    at: new Date(options.atMs).toISOString(),
    code: error.code,
    message: error.message,
    line: error.line,
    byteOffsetOfLine: await byteOffsetOfLine(path, error.line),
    column: error.column,
    sample: error.sample,
    mapping: options.mapping,
    mappingHash: options.mappingHash,
    content: options.content,
  };
  await replaceFile(`${target}.reason.json`, `${JSON.stringify(reason, undefined, 2)}\n`);
  const { size } = await sizeOf(path);
  if (size <= options.keepBytesMax) await copyFile(path, target);
}

async function sizeOf(path: string): Promise<{ readonly size: number }> {
  const file = await open(path, "r");
  try {
    return { size: (await file.stat()).size };
  } finally {
    await file.close();
  }
}

/** A file name has 255 bytes; a long one is cut and told apart by its hash. */
function shortName(name: string): string {
  return Buffer.byteLength(name) <= 200 ? name : `${name.slice(0, 60)}~${createHash("sha256").update(name).digest("hex").slice(0, 12)}`;
}

async function byteOffsetOfLine(path: string, line: number): Promise<number | undefined> {
  const file = await open(path, "r");
  try {
    const block = Buffer.allocUnsafe(65_536);
    let offset = 0;
    let newlines = line - 1;
    while (newlines > 0) {
      const { bytesRead } = await file.read(block, 0, block.length, offset);
      if (bytesRead === 0) return undefined;
      let position = -1;
      while (newlines > 0 && (position = block.subarray(0, bytesRead).indexOf(10, position + 1)) >= 0) newlines--;
      if (newlines === 0) return offset + position + 1;
      offset += bytesRead;
    }
    return offset;
  } finally {
    await file.close();
  }
}
