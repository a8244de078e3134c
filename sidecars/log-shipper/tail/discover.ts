import { readdirSync, statSync, type BigIntStats } from "node:fs";
import { dirname, join, matchesGlob, relative, sep } from "node:path";
import { formerNames, inodeKey, type FileIdentity } from "./tail-state.ts";

/**
 * One look at the directories of a source's patterns: which files match, and which unmatched names may be rotated forms of
 * matching ones. Everything is read anew each time; wake-ups only decide when. Synchronous on purpose: a look at a directory that
 * is being rotated is as close to one moment as it can be, and a stat costs two microseconds instead of thirty. Where a generation of
 * a name was found, all older ones are, unless names are moved on a second time during the look.
 */
export type FoundFile = { readonly path: string; readonly identity: FileIdentity; readonly inode: string; readonly size: number; readonly mtimeNs: bigint };
/** A name outside the patterns whose shorter form, `formerPath`, is inside. */
export type FoundSibling = FoundFile & { readonly formerPath: string };
/** A file compressed by gzip, going by its name. */
export type FoundCompressed = FoundFile & {
  /** Its possible names before, as far as they match; the last is the oldest. */
  readonly formerPaths: readonly string[];
  /** Whether its own name matches. */
  readonly matched: boolean;
};
export type Look = {
  readonly directories: readonly string[];
  readonly matches: readonly FoundFile[];
  readonly siblings: readonly FoundSibling[];
  readonly compressed: readonly FoundCompressed[];
  /** Directories that exist and could not be listed. */
  readonly unlisted: readonly string[];
  /** More names than are looked at: what is missing here may well exist. */
  readonly truncated: boolean;
};

const directoryDepthMax = 8;
const namesMax = 20_000;
const matchCacheMax = 50_000;
const gzipSuffix = ".gz";
/** Longer than a look takes, with the process being stopped meanwhile. */
const latelyMs = 10_000;

type Findings = {
  /** How deep each directory was walked. */
  readonly depths: Map<string, number>;
  readonly matches: Map<string, FoundFile>;
  readonly siblings: Map<string, FoundSibling>;
  readonly compressed: Map<string, FoundCompressed>;
  readonly unlisted: string[];
  namesLeft: number;
};

export class Discovery {
  readonly #patterns: readonly string[];
  readonly #exclude: readonly string[];
  readonly #roots: readonly { readonly directory: string; readonly depth: number }[];
  /** Glob matching costs more than the rest of a look; names repeat. */
  readonly #known = new Map<string, boolean>();
  readonly #earlier: readonly Discovery[];

  /** What one of `earlier` matches does not match here. */
  constructor(options: { readonly patterns: readonly string[]; readonly exclude: readonly string[]; readonly earlier?: readonly Discovery[] }) {
    this.#earlier = options.earlier ?? [];
    this.#patterns = options.patterns;
    this.#exclude = options.exclude;
    this.#roots = options.patterns.map(rootOf);
  }

  look(): Look {
    const found = this.#find();
    // A file that was renamed during the look may be missed under both names, though the next one of its name was found.
    const { siblings } = [...found.depths.keys()].some(changedLately) ? this.#find() : found;
    return { directories: [...found.depths.keys()], matches: [...found.matches.values()], siblings: [...siblings.values()], compressed: [...found.compressed.values()], unlisted: found.unlisted, truncated: found.namesLeft <= 0 };
  }

  #find(): Findings {
    const found: Findings = { depths: new Map(), matches: new Map(), siblings: new Map(), compressed: new Map(), unlisted: [], namesLeft: namesMax };
    for (const root of this.#roots) this.#walk(root.directory, root.depth, found);
    return found;
  }

  matches(path: string): boolean {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const matched = this.#patterns.some((pattern) => matchesGlob(path, pattern)) && !this.#isExcluded(path) && !this.#earlier.some((each) => each.matches(path));
    if (this.#known.size >= matchCacheMax) this.#known.clear();
    this.#known.set(path, matched);
    return matched;
  }

  #isExcluded(path: string): boolean {
    return this.#exclude.some((pattern) => matchesGlob(path, pattern));
  }

  /** Undefined when the name is not that of a compressed log. */
  #compressed(directory: string, name: string): Pick<FoundCompressed, "formerPaths" | "matched"> | undefined {
    if (!name.endsWith(gzipSuffix)) return undefined;
    const plain = name.slice(0, -gzipSuffix.length);
    const matched = this.matches(join(directory, name));
    const formerPaths = [plain, ...formerNames(plain)].map((former) => join(directory, former)).filter((path) => this.matches(path));
    return matched || (formerPaths.length > 0 && !this.#isExcluded(join(directory, name))) ? { matched, formerPaths } : undefined;
  }

  #walk(directory: string, depth: number, found: Findings): void {
    // Patterns may share directories and reach to different depths.
    if ((found.depths.get(directory) ?? -1) >= depth) return;
    const names = namesIn(directory);
    if (names === undefined) found.unlisted.push(directory);
    if (names === undefined || names === "absent") return;
    found.depths.set(directory, depth);
    for (const name of names) {
      if (found.namesLeft-- <= 0) return;
      const path = join(directory, name);
      const compressed = this.#compressed(directory, name);
      const matched = compressed === undefined && this.matches(path);
      const formerName = matched ? undefined : formerNames(name).find((former) => this.matches(join(directory, former)));
      if (!matched && formerName === undefined && compressed === undefined && depth <= 0) continue;
      const each = statOf(path);
      if (each === undefined) continue;
      if (each.isDirectory()) {
        if (depth > 0) this.#walk(path, depth - 1, found);
      } else if (each.isFile() && compressed !== undefined) {
        found.compressed.set(path, { ...fileOf(path, each), ...compressed });
      } else if (each.isFile() && matched) {
        found.matches.set(path, fileOf(path, each));
      } else if (each.isFile() && formerName !== undefined) {
        found.siblings.set(path, { ...fileOf(path, each), formerPath: join(directory, formerName) });
      }
    }
  }
}

/**
 * One for each source, in their order. A path that two sources match belongs to the first: followed twice, different records would
 * have the same ids, and a receiver that stores each id once would lose some. For files under two names see claims.ts.
 */
export function discoveriesOf(sources: readonly { readonly paths: readonly string[]; readonly exclude: readonly string[] }[], excluded: readonly string[] = []): readonly Discovery[] {
  const made: Discovery[] = [];
  for (const { paths, exclude } of sources) made.push(new Discovery({ patterns: paths, exclude: [...exclude, ...excluded], earlier: [...made] }));
  return made;
}

/** The directory above the first wildcard, and how far below it a match may lie. */
function rootOf(pattern: string): { readonly directory: string; readonly depth: number } {
  const wild = pattern.search(/[*?[{(!+@]/);
  const directory = wild === -1 ? dirname(pattern) : dirname(`${pattern.slice(0, wild)}x`);
  if (pattern.includes("**")) return { directory, depth: directoryDepthMax };
  return { directory, depth: relative(directory, dirname(pattern)).split(sep).filter((part) => part !== "").length };
}

/** Undefined when the directory cannot be listed (permissions, no descriptor left), which is not the same as empty. */
function namesIn(directory: string): readonly string[] | "absent" | undefined {
  try {
    return readdirSync(directory);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "ENOENT" || code === "ENOTDIR" ? "absent" : undefined;
  }
}

/** Whether names may have come or gone while the directory was looked at. A time in the future, after the clock was set back, counts. */
function changedLately(directory: string): boolean {
  const mtimeMs = statOf(directory)?.mtimeMs;
  return mtimeMs !== undefined && Number(mtimeMs) > Date.now() - latelyMs;
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
