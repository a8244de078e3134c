import { readdir, stat } from "node:fs/promises";
import { join, matchesGlob } from "node:path";
import type { AdapterConfig } from "./adapter-config.ts";
import { statKey } from "./adapt-file.ts";

export type Candidate = { readonly path: string; readonly stat: string; readonly mtimeNs: bigint };

/** Names of files that are still being written, by the custom of writers. */
const unfinishedName = /^\.|\.tmp$|\.part$|~$/;

/**
 * Lists the regular files of the watched folder that match, in the adapter's order. Symbolic links, folders, pipes and devices are left out. Throws
 * when the folder cannot be read.
 */
export async function listCandidates(adapter: AdapterConfig): Promise<readonly Candidate[]> {
  const { directory, match, ready } = adapter.watch;
  const entries = await readdir(directory, { withFileTypes: true });
  const found: Candidate[] = [];
  for (const entry of entries) {
    if (!entry.isFile() || !matchesGlob(entry.name, match) || (ready.rename && unfinishedName.test(entry.name))) continue;
    const path = join(directory, entry.name);
    const stated = await stat(path, { bigint: true }).catch(() => undefined); // it may just have gone
    if (stated !== undefined) found.push({ path, stat: statKey(stated), mtimeNs: stated.mtimeNs });
  }
  return found.toSorted((left, right) => (adapter.order === "mtime" && left.mtimeNs !== right.mtimeNs ? (left.mtimeNs < right.mtimeNs ? -1 : 1) : left.path < right.path ? -1 : 1));
}
