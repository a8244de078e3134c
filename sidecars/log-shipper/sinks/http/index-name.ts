// pure

/** Names of indexes made of a pattern: `{yyyy.MM.dd}` is the record's day, `{tag}` its tag. */
export type IndexPattern = readonly ({ readonly kind: "text"; readonly text: string } | { readonly kind: "tag" } | { readonly kind: "date"; readonly format: string })[];

const dateFormat = /^(?:yyyy|MM|dd|HH|[._-])+$/;

/** What is wrong with a pattern, or undefined. */
export function indexFault(pattern: string): string | undefined {
  const texts = pattern.split(/\{[^{}]*\}/);
  const places = pattern.match(/\{[^{}]*\}/g) ?? [];
  const placesRight = places.every((place) => place === "{tag}" || dateFormat.test(place.slice(1, -1)));
  // The first character must not be one of _ - +, and none may be a capital letter or special in paths.
  return placesRight && texts.every((text) => /^[^A-Z\\/*?"<>| ,#:{}]*$/.test(text)) && /^[^-_+.]/.test(pattern) && Buffer.byteLength(pattern) <= 200 ? undefined : 'an index in small letters, such as "logs-{yyyy.MM.dd}" or "logs-{tag}-default"';
}

export function parseIndex(pattern: string): IndexPattern {
  return pattern.split(/(\{[^{}]*\})/).filter((part) => part !== "").map((part) => {
    if (part === "{tag}") return { kind: "tag" };
    return part.startsWith("{") ? { kind: "date", format: part.slice(1, -1) } : { kind: "text", text: part };
  });
}

/** The name for a record of this time; what an index name cannot have in a tag becomes `-`. */
export function indexName(pattern: IndexPattern, tag: string, seconds: number): string {
  const name = pattern.map((part) => {
    if (part.kind === "text") return part.text;
    return part.kind === "tag" ? tag.toLowerCase().replaceAll(/[^a-z0-9._-]/g, "-") : dateText(part.format, seconds);
  }).join("");
  return name.replace(/^[-_+.]+/, "").slice(0, 255) || "unnamed";
}

function dateText(format: string, seconds: number): string {
  const iso = new Date(seconds * 1_000).toISOString();
  return format.replaceAll("yyyy", iso.slice(0, 4)).replaceAll("MM", iso.slice(5, 7)).replaceAll("dd", iso.slice(8, 10)).replaceAll("HH", iso.slice(11, 13));
}
