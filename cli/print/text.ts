// pure
/** Breaks text into lines of at most `width` columns at spaces; a longer word keeps a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.trimEnd().split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return line === "" ? lines : [...lines, line];
}

// eslint-disable-next-line no-control-regex -- escape sequences are what this looks for
const escapeSequence = /\u001B\[[0-9;]*m/g;

/** The columns a text takes on a terminal, colours not counted. Wide characters count as one: names in Kubernetes are ASCII. */
export const visibleLength = (text: string): number => text.replace(escapeSequence, "").length;

/** Cuts a text, colours and all, to at most `width` visible columns, with an ellipsis in the last one. */
export function truncate(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let visible = 0;
  let result = "";
  for (let index = 0; index < text.length; ) {
    escapeSequence.lastIndex = index;
    const match = escapeSequence.exec(text);
    if (match?.index === index) {
      result += match[0];
      index += match[0].length;
      continue;
    }
    if (visible < width - 1) result += text.charAt(index);
    visible++;
    index++;
  }
  escapeSequence.lastIndex = 0;
  return `${result}…`;
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** Makes text of others (log lines, engine messages) safe to show: control characters but tab are shown as \xNN. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this looks for
  return text.replace(/[\u0000-\u0008\u000A-\u001F\u007F\u0080-\u009F]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
