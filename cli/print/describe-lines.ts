// pure
/** A describe page is a tree: a label with a value, or with children indented below it. */
export type Entry = readonly [label: string, value: string | readonly Entry[] | readonly string[]];

const isEntries = (value: readonly Entry[] | readonly string[]): value is readonly Entry[] => Array.isArray(value[0]);

/** kubectl's layout: labels end with a colon and values stand in one column per level; lists of text stand below one another. */
export function renderEntries(entries: readonly Entry[], indent = 0): string[] {
  const width = Math.max(0, ...entries.filter(([, value]) => typeof value === "string" || !isEntries(value)).map(([label]) => label.length)) + 3;
  const lead = " ".repeat(indent);
  return entries.flatMap(([label, value]) => {
    const title = `${lead}${label}:`;
    if (typeof value === "string") return [`${title.padEnd(indent + width)}${value === "" ? "<none>" : value}`];
    if (value.length === 0) return [`${title.padEnd(indent + width)}<none>`];
    if (isEntries(value)) return [title, ...renderEntries(value, indent + 2)];
    return value.map((text, index) => `${(index === 0 ? title : "").padEnd(indent + width)}${text}`);
  });
}

export const mapLines = (map: Readonly<Record<string, string>> | undefined, separator = "="): readonly string[] =>
  Object.entries(map ?? {}).map(([key, value]) => `${key}${separator}${value}`);
