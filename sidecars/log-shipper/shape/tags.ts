// pure
/** Whether one of the globs matches the tag; `*` stands for any characters, dots included, everything else for itself. Without globs every tag does. */
export function matchesTag(tag: string, globs: readonly string[] | undefined): boolean {
  return globs === undefined || globs.some((glob) => matchesGlob(tag, glob));
}

/** Linear in the product of the lengths, whatever the glob. */
function matchesGlob(tag: string, glob: string): boolean {
  const [first = "", ...rest] = glob.split("*");
  if (!tag.startsWith(first)) return false;
  const last = rest.pop();
  if (last === undefined) return tag === first;
  let at = first.length;
  for (const part of rest) {
    const found = tag.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return tag.length - last.length >= at && tag.endsWith(last);
}
