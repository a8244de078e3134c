// pure
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import { appliedAnnotation } from "./kinds.ts";

/** A describe page is a tree: a label with a value, with lines beside it in one column, with a block of lines below it, or with children. */
export type Entry = readonly [label: string, value: string | readonly Entry[] | readonly string[] | Block];
export type Block = { readonly block: readonly string[] };

const isBlock = (value: Exclude<Entry[1], string>): value is Block => "block" in value;
const isEntries = (value: readonly Entry[] | readonly string[]): value is readonly Entry[] => Array.isArray(value[0]);

/** kubectl's layout: labels end with a colon and values stand in one column per level; lists of text stand below one another. */
export function renderEntries(entries: readonly Entry[], indent = 0): string[] {
  const width = Math.max(0, ...entries.filter(([, value]) => typeof value === "string" || isBlock(value) || !isEntries(value)).map(([label]) => label.length)) + 3;
  const lead = " ".repeat(indent);
  return entries.flatMap(([label, value]) => {
    const title = `${lead}${label}:`;
    if (typeof value === "string") return [`${title.padEnd(indent + width)}${value === "" ? "<none>" : value}`];
    if (isBlock(value)) return value.block.length === 0 ? [`${title.padEnd(indent + width)}<none>`] : [title, ...value.block.map((line) => `${lead}  ${line}`)];
    if (value.length === 0) return [`${title.padEnd(indent + width)}<none>`];
    if (isEntries(value)) return [title, ...renderEntries(value, indent + 2)];
    return value.map((text, index) => `${(index === 0 ? title : "").padEnd(indent + width)}${text}`);
  });
}

export const mapLines = (map: Readonly<Record<string, string>> | undefined, separator = "="): readonly string[] =>
  Object.entries(map ?? {}).map(([key, value]) => `${key}${separator}${value}`);

/** The annotations, without the two that hold a copy or a hash of the manifest. */
export const annotationLines = (object: ApiObject): readonly string[] =>
  Object.entries(object.metadata.annotations ?? {}).flatMap(([key, value]) => (key === appliedAnnotation || key === "kubectl.kubernetes.io/last-applied-configuration" ? [] : [`${key}: ${value}`]));
