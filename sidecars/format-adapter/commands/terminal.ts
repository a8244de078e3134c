// pure

/** What could move the cursor, change colours or the reading direction, or end a line where none ends. A line feed and a tab are layout. */
const controls = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** A text of ours that may hold names and values of others, as a terminal may be given it. */
export function harmless(text: string): string {
  return text.replaceAll(controls, escaped);
}

/** A file's name within a line. */
export function shownName(name: string): string {
  return name.replaceAll(/[\n\t]/g, escaped);
}

function escaped(character: string): string {
  return character === "\n" ? "\\n" : character === "\r" ? "\\r" : character === "\t" ? "\\t" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
