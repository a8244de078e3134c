// pure
import { isDeepStrictEqual } from "node:util";
import { filterName, type FilterConfig, type MatchConfig } from "./filter-config.ts";
import { matchesTag } from "./tags.ts";

type Settings = {
  readonly sources: readonly ({ readonly type: "tail"; readonly tag: string } | { readonly type: string })[];
  readonly filters: readonly FilterConfig[];
  readonly sinks: readonly { readonly name: string; readonly match: MatchConfig }[];
};

/** What makes filters and routes meaningless together, in the words of the configuration. */
export function shapingFaults({ sources, filters, sinks }: Settings): string[] {
  const tags = sources.map((source) => ("tag" in source && source.type === "tail" && !source.tag.includes("{file}") ? source.tag : undefined));
  const known = tags.filter((tag) => tag !== undefined);
  // Applications choose their tags themselves, and {file} is known only later.
  const allKnown = known.length === tags.length;
  const reachable = (globs: readonly string[] | undefined): boolean => !allKnown || known.some((tag) => matchesTag(tag, globs));
  const told = [...new Set(known)].map((tag) => JSON.stringify(tag)).join(", ");
  return [
    ...filters.flatMap((filter, index) => (reachable(filter.tags) ? [] : [`filters[${index}].tags: ${filter.tags?.join(", ") ?? ""} matches the tag of no source; there are ${told}`])),
    ...sinks.flatMap((sink, index) => (reachable(sink.match?.tags) ? [] : [`sinks[${index}].match.tags: ${sink.match?.tags?.join(", ") ?? ""} matches the tag of no source, so the sink "${sink.name}" would get nothing; there are ${told}`])),
    ...sameNames(filters),
    ...filters.flatMap((filter, index) => againstEarlier(filter, index, filters)),
  ];
}

function sameNames(filters: readonly FilterConfig[]): readonly string[] {
  const names = filters.map(filterName);
  return names.flatMap((name, index) => (names.indexOf(name) < index ? [`filters[${index}].name: "${name}" is used twice; give each filter its own name`] : []));
}

/** Two filters in a row that leave nothing over. */
function againstEarlier(filter: FilterConfig, index: number, filters: readonly FilterConfig[]): readonly string[] {
  if (filter.type !== "drop" && filter.type !== "keep") return [];
  const before = index - 1;
  const earlier = filters[before];
  if (earlier === undefined || (earlier.type !== "drop" && earlier.type !== "keep") || !isDeepStrictEqual([earlier.tags, earlier.when], [filter.tags, filter.when])) return [];
  if (earlier.type === filter.type) return [`filters[${index}]: says the same as filters[${before}]; leave one out`];
  return [`filters[${index}]: together with filters[${before}] it drops every record: one keeps only what the other drops`];
}
