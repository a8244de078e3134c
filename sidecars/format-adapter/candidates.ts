import { lstat, readdir } from "node:fs/promises";
import { join, matchesGlob } from "node:path";
import type { AdapterConfig } from "./adapter-config.ts";
import { statKey } from "./adapt-file.ts";

export type Candidate = { readonly path: string; readonly stat: string; readonly mtimeNs: bigint };
/** An entry that matches and cannot be a report. `encoding`: its name is not UTF-8, so that there is no name for its adapted form. */
export type Ignored = { readonly path: string; readonly reason: "link" | "special" | "encoding" };
export type Listing = { readonly candidates: readonly Candidate[]; readonly ignored: readonly Ignored[] };

/** Names of files that are still being written, by the custom of writers. */
const unfinishedName = /^\.|\.tmp$|\.part$|~$/;
/** Stands in a name where bytes are not UTF-8; it may also be meant. */
const replacement = "\uFFFD";

/**
 * Lists the regular files of the watched folder that match, in the adapter's order. Symbolic links, pipes, sockets, devices and names that are
 * not UTF-8 are told apart; folders are passed over. Throws when the folder cannot be read.
 */
export async function listCandidates(adapter: AdapterConfig): Promise<Listing> {
  const { directory, match, ready } = adapter.watch;
  const entries = await readdir(directory, { withFileTypes: true });
  const candidates: Candidate[] = [];
  const ignored: Ignored[] = [];
  for (const entry of entries) {
    if (entry.isDirectory() || !matchesGlob(entry.name, match) || (ready.rename && unfinishedName.test(entry.name))) continue;
    const path = join(directory, entry.name);
    if (!entry.isFile()) {
      ignored.push({ path, reason: entry.isSymbolicLink() ? "link" : "special" });
      continue;
    }
    const stat = await lstat(path, { bigint: true }).catch(() => undefined);
    if (stat !== undefined) candidates.push({ path, stat: statKey(stat), mtimeNs: stat.mtimeNs });
    else if (entry.name.includes(replacement)) ignored.push({ path, reason: "encoding" }); // any other has just gone
  }
  return { candidates: candidates.toSorted((left, right) => compare(adapter.order, left, right)), ignored };
}

function compare(order: AdapterConfig["order"], left: Candidate, right: Candidate): number {
  if (order === "mtime" && left.mtimeNs !== right.mtimeNs) return left.mtimeNs < right.mtimeNs ? -1 : 1;
  return left.path < right.path ? -1 : left.path > right.path ? 1 : 0;
}
