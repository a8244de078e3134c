// pure
import { join, matchesGlob, normalize } from "node:path";

type Settings = {
  readonly sources: readonly ({ readonly type: "tail"; readonly paths: readonly string[]; readonly exclude: readonly string[] } | { readonly type: "forward" | "stdin" })[];
  readonly sinks: readonly ({ readonly type: "file"; readonly name: string; readonly path: string } | { readonly type: string; readonly name: string })[];
  readonly deadLetter: { readonly path?: string | undefined };
  readonly state: { readonly directory: string };
};

type OwnFile = { readonly setting: string; readonly path: string };

export function deadLetterPath({ deadLetter, state }: Pick<Settings, "deadLetter" | "state">): string {
  return deadLetter.path ?? join(state.directory, "dead-letters.ndjson");
}

/**
 * Files that the shipper writes and would follow, so that each record made the next one until the disk is full; and files that two
 * parts of it would write.
 *
 * Another name of such a file (a symbolic link) is refused when it is found (tail/claims.ts). Not noticed: one shipper that follows what
 * another one writes.
 */
export function ownFileFaults(config: Settings): string[] {
  const own = ownFiles(config);
  return [
    ...config.sources.flatMap((source, index) => (source.type === "tail" ? own.filter(({ path }) => follows(source, path)).map(({ setting, path }) => `sources[${index}]: its paths match ${path}, which the shipper writes itself (${setting}); every record would make another one without end. Write it elsewhere, or add it to sources[${index}].exclude`) : [])),
    ...own.flatMap(({ setting, path }, index) => {
      const other = own.slice(0, index).find((each) => each.path === path);
      return other === undefined ? [] : [`${setting}: ${path} is written by ${other.setting} as well; give each a file of its own`];
    }),
  ];
}

/** The paths of the files that the shipper writes. */
export function ownPaths(config: Settings): readonly string[] {
  return ownFiles(config).map(({ path }) => path);
}

function ownFiles(config: Settings): readonly OwnFile[] {
  const sinks = config.sinks.flatMap((sink, index) => (sink.type === "file" && "path" in sink ? [{ setting: `sinks[${index}].path`, path: normalize(sink.path) }] : []));
  return [...sinks, { setting: "deadLetter.path", path: normalize(deadLetterPath(config)) }, { setting: "state.directory", path: join(config.state.directory, "positions.log") }];
}

function follows({ paths, exclude }: { readonly paths: readonly string[]; readonly exclude: readonly string[] }, path: string): boolean {
  return paths.some((pattern) => matchesGlob(path, pattern)) && !exclude.some((pattern) => matchesGlob(path, pattern));
}
