import { readFile, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { replaceFile } from "../../../kit/files.ts";
import { nameBeside, type Beside } from "../watch/watch-config.ts";

/** What a consumer can check an adapted report by. */
export type Manifest = {
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  /** The report's name. */
  readonly source: string;
  readonly mapping: string;
  readonly mappingHash: string;
};

/**
 * Writes the manifest and the done-file of an adapted report that has its name, in this order, unless they stand there as they should. Holds
 * no time, so that the same report gives the same bytes. Not promised: that manifest and report change in one step; a consumer that finds
 * another SHA-256 reads both again.
 */
export async function writeBeside(output: string, beside: Beside, manifest: Manifest): Promise<void> {
  const { manifest: pattern, done } = beside;
  if (pattern !== undefined) await keep(place(output, pattern), `${JSON.stringify({ version: 1, ...manifest }, undefined, 2)}\n`);
  if (done !== undefined) await keep(place(output, done), "");
}

/** Removes an adapted report and what stands beside it: the done-file first, so that none ever stands without its report. */
export async function removeOutput(output: string, beside: Beside): Promise<void> {
  for (const path of [beside.done, undefined, beside.manifest].map((pattern) => (pattern === undefined ? output : place(output, pattern)))) await removeIfThere(path);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

async function keep(path: string, text: string): Promise<void> {
  const there = await readFile(path, "utf8").catch(() => undefined); // not there, or not for us to read: it is written again
  if (there !== text) await replaceFile(path, text);
}

function place(output: string, pattern: string): string {
  return join(dirname(output), nameBeside(pattern, basename(output)));
}
