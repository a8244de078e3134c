// pure
/**
 * The part of this index of a text, counted from the end when it is negative; with `rest` all that follow it too, separators between. Empty when
 * there is none. As split() and at() or slice(), without a list of all parts, which would take many times the memory of a long text.
 */
export function partOfText(text: string, separator: string, index: number, rest: boolean): string {
  const place = index < 0 ? countParts(text, separator) + index : index;
  if (place < 0 && !rest) return "";
  let start = 0;
  for (let left = Math.max(0, place); left > 0; left--) {
    const at = text.indexOf(separator, start);
    if (at < 0) return "";
    start = at + separator.length;
  }
  const end = rest ? -1 : text.indexOf(separator, start);
  return text.slice(start, end < 0 ? text.length : end);
}

function countParts(text: string, separator: string): number {
  let count = 1;
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + separator.length)) count++;
  return count;
}
