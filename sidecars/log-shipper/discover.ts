import { readdirSync, statSync, type BigIntStats } from "node:fs";
import { dirname, join, matchesGlob, relative, sep } from "node:path";
import { formerNames, inodeKey, type FileIdentity } from "./tail-state.ts";

/**
 * One look at the directories of a source's patterns: which files match, and which unmatched names may be rotated forms of
 * matching ones. Everything is read anew each time; wake-ups only decide when. Synchronous on purpose: a look at a directory that
 * is being rotated is as close to one moment as it can be, and a stat costs two microseconds instead of thirty.
 */
export type FoundFile = { readonly path: string; readonly identity: FileIdentity; readonly inode: string; readonly size: number; readonly mtimeNs: bigint };
/** A name outside the patterns whose shorter form, `formerPath`, is inside. */
export type FoundSibling = FoundFile & { readonly formerPath: string };
export type Look = { readonly directories: ReadonlyMap<string, string>; readonly matches: readonly FoundFile[]; readonly siblings: readonly FoundSibling[]; readonly truncated: boolean };

const directoryDepthMax = 8;
const namesMax = 20_000;
const matchCacheMax = 50_000;

export class Discovery {
  readonly #patterns: readonly string[];
  readonly #exclude: readonly string[];
  readonly #roots: readonly { readonly directory: string; readonly depth: number }[];
  /** Glob matching costs more than the rest of a look; names repeat. */
  readonly #known = new Map<string, boolean>();

  constructor(options: { readonly patterns: readonly string[]; readonly exclude: readonly string[] }) {
    this.#patterns = options.patterns;
    this.#exclude = options.exclude;
    this.#roots = options.patterns.map(rootOf);
  }

  look(): Look {
    const directories = new Map<string, string>();
    const matches = new Map<string, FoundFile>();
    const siblings = new Map<string, FoundSibling>();
    const budget = { names: namesMax };
    for (const root of this.#roots) this.#walk(root.directory, root.depth, { directories, matches, siblings, budget });
    return { directories, matches: [...matches.values()], siblings: [...siblings.values()], truncated: budget.names <= 0 };
  }

  matches(path: string): boolean {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const matched = this.#patterns.some((pattern) => matchesGlob(path, pattern)) && !this.#exclude.some((pattern) => matchesGlob(path, pattern));
    if (this.#known.size >= matchCacheMax) this.#known.clear();
    this.#known.set(path, matched);
    return matched;
  }

  #walk(directory: string, depth: number, found: { directories: Map<string, string>; matches: Map<string, FoundFile>; siblings: Map<string, FoundSibling>; budget: { names: number } }): void {
    if (found.directories.has(directory)) return;
    const stats = statOf(directory);
    if (stats === undefined || !stats.isDirectory()) return;
    found.directories.set(directory, inodeKey(identityOf(stats)));
    for (const name of namesIn(directory)) {
      if (found.budget.names-- <= 0) return;
      const path = join(directory, name);
      const matched = this.matches(path);
      const formerName = matched ? undefined : formerNames(name).find((former) => this.matches(join(directory, former)));
      if (!matched && formerName === undefined && depth <= 0) continue;
      const each = statOf(path);
      if (each === undefined) continue;
      if (each.isDirectory()) {
        if (depth > 0) this.#walk(path, depth - 1, found);
      } else if (each.isFile() && matched) {
        found.matches.set(path, fileOf(path, each));
      } else if (each.isFile() && formerName !== undefined) {
        found.siblings.set(path, { ...fileOf(path, each), formerPath: join(directory, formerName) });
      }
    }
  }
}

/** The directory above the first wildcard, and how far below it a match may lie. */
function rootOf(pattern: string): { readonly directory: string; readonly depth: number } {
  const wild = pattern.search(/[*?[{(!+@]/);
  const directory = wild === -1 ? dirname(pattern) : dirname(`${pattern.slice(0, wild)}x`);
  if (pattern.includes("**")) return { directory, depth: directoryDepthMax };
  return { directory, depth: relative(directory, dirname(pattern)).split(sep).filter((part) => part !== "").length };
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // removed or unreadable since the stat; the next look tells
  }
}

/** Follows symbolic links. Undefined when nothing is there (a name may vanish between the listing and this). */
export function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

export function identityOf(stats: BigIntStats): FileIdentity {
  return { dev: stats.dev.toString(), ino: stats.ino.toString(), birthNs: stats.birthtimeNs.toString() };
}

function fileOf(path: string, stats: BigIntStats): FoundFile {
  const identity = identityOf(stats);
  return { path, identity, inode: inodeKey(identity), size: Number(stats.size), mtimeNs: stats.mtimeNs };
}
