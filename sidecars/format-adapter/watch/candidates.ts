import { lstatSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, matchesGlob } from "node:path";
import type { AdapterConfig } from "../adapter-config.ts";
import { mtimeNsOf, statKey } from "../stat-key.ts";
import { isNameBeside } from "./watch-config.ts";

/** `stat`: its statKey. */
export type Candidate = { readonly path: string; readonly name: string; readonly stat: string };
/** An entry that matches and cannot be a report. `encoding`: its name is not UTF-8, so that there is no name for its adapted form. */
export type Ignored = { readonly path: string; readonly reason: "link" | "special" | "encoding" };
/** `names`: of all entries, where reports wait for done-files. */
export type Listing = { readonly candidates: readonly Candidate[]; readonly ignored: readonly Ignored[]; readonly names: ReadonlySet<string> };

/** Names of files that are still being written, by the custom of writers. */
const unfinishedName = /^\.|\.tmp$|\.part$|~$/;
/** Stands in a name where bytes are not UTF-8; it may also be meant. */
const replacement = "\uFFFD";
/** After so many the process looks at what else there is to do. */
const lookAtOnce = 500;

/**
 * Lists the regular files of the watched folder that match, in the adapter's order. Symbolic links, pipes, sockets, devices and names that are
 * not UTF-8 are told apart; folders and done-files are passed over. Throws when the folder cannot be read.
 */
export async function listCandidates(adapter: AdapterConfig): Promise<Listing> {
  const { directory, match, ready } = adapter.watch;
  const entries = await readdir(directory, { withFileTypes: true });
  const matches = createMatcher(match);
  const candidates: Candidate[] = [];
  const ignored: Ignored[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % lookAtOnce === lookAtOnce - 1) await new Promise(setImmediate);
    const { name } = entry;
    if (entry.isDirectory() || !matches(name) || (ready.rename && unfinishedName.test(name)) || (ready.doneFile !== undefined && isNameBeside(ready.doneFile, name))) continue;
    const path = join(directory, name);
    if (!entry.isFile()) {
      ignored.push({ path, reason: entry.isSymbolicLink() ? "link" : "special" });
      continue;
    }
    // Not asynchronously: that costs ten times as much, for thousands of files.
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat?.isFile() === true) candidates.push({ path, name, stat: statKey(stat) });
    else if (stat === undefined && name.includes(replacement)) ignored.push({ path, reason: "encoding" }); // any other has just gone
  }
  return { candidates: candidates.toSorted((left, right) => compare(adapter.order, left, right)), ignored, names: new Set(ready.doneFile === undefined ? [] : entries.map((entry) => entry.name)) };
}

/** A glob compiles anew at each call of matchesGlob; most are a star and an ending. */
function createMatcher(match: string): (name: string) => boolean {
  const [before = "", after, ...more] = match.split("*");
  const isPlain = after !== undefined && more.length === 0 && !/[?[\]{}()!+@\\]/.test(match);
  if (!isPlain) return (name) => matchesGlob(name, match);
  // As matchesGlob: a star at the front does not match a leading dot.
  return (name) => name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after) && (before !== "" || !name.startsWith("."));
}

function compare(order: AdapterConfig["order"], left: Candidate, right: Candidate): number {
  if (order === "mtime") {
    const [one, other] = [mtimeNsOf(left.stat), mtimeNsOf(right.stat)];
    if (one !== other) return one < other ? -1 : 1;
  }
  return left.path < right.path ? -1 : left.path > right.path ? 1 : 0;
}
