// pure
export const code = (word: string): string => `\`${word}\``;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |");
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** The lines of the code blocks of these languages, with where they stand. Lines that end in a backslash are joined with the next. */
export function codeLines(text: string, languages: readonly string[]): readonly { readonly line: string; readonly at: number }[] {
  const found: { readonly line: string; readonly at: number }[] = [];
  let language: string | undefined;
  let begun = "";
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^\s*```(\w*)/.exec(line);
    if (fence !== null) {
      language = language === undefined ? (fence[1] ?? "") : undefined;
      continue;
    }
    if (language === undefined || !languages.includes(language)) continue;
    if (line.endsWith("\\")) {
      begun += line.slice(0, -1);
      continue;
    }
    found.push({ line: begun + line, at: index + 1 });
    begun = "";
  }
  return found;
}

/** The words of one simple shell command: quotes are taken off, a comment, a pipe or a redirection ends it. No expansion of any kind. */
export function shellWords(command: string): readonly string[] {
  const words: string[] = [];
  for (const [, single, double, plain, end] of command.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"|<>;&#]+)|([|<>;&#])/g)) {
    if (end !== undefined) break;
    words.push(single ?? double ?? plain ?? "");
  }
  return words;
}
