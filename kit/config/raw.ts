// pure
/** Where a value was written: `file:line:column`, an environment variable's name, or a flag. */
export type Origin = string;

/** A value as it was written, before any type is known, with its place. */
export type RawNode =
  | { readonly kind: "scalar"; readonly value: string | number | bigint | boolean | null; readonly text: string; readonly origin: Origin }
  | { readonly kind: "list"; readonly items: readonly RawNode[]; readonly origin: Origin }
  | { readonly kind: "map"; readonly entries: ReadonlyMap<string, { readonly keyOrigin: Origin; readonly node: RawNode }>; readonly origin: Origin };

/** The later layer over the earlier: maps are merged by key, everything else is replaced. */
export function overlay(base: RawNode | undefined, top: RawNode | undefined): RawNode | undefined {
  if (base === undefined || top === undefined) return top ?? base;
  if (base.kind !== "map" || top.kind !== "map") return top;
  const entries = new Map(base.entries);
  for (const [key, entry] of top.entries) {
    const node = overlay(entries.get(key)?.node, entry.node);
    if (node !== undefined) entries.set(key, { keyOrigin: entry.keyOrigin, node });
  }
  return { kind: "map", entries, origin: top.origin };
}

/** A map that holds one value at the end of a path of keys. */
export function nest(path: readonly string[], leaf: RawNode): RawNode {
  return path.reduceRight<RawNode>((node, key) => ({ kind: "map", origin: leaf.origin, entries: new Map([[key, { keyOrigin: leaf.origin, node }]]) }), leaf);
}

/** What a person would call the value in an error: its text, or its kind. */
export function describeRaw(node: RawNode): string {
  if (node.kind === "map") return "a map";
  if (node.kind === "list") return `a list of ${node.items.length}`;
  if (node.value === null) return "nothing";
  // Credentials that were written into an address are not repeated.
  const text = node.text.replace(/\/\/[^/@\s]+@/g, "//[redacted]@");
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
