// pure
export type Palette = Readonly<Record<"bold" | "dim" | "red" | "green" | "yellow" | "cyan", (text: string) => string>>;

const escape = (code: number, end: number) => (text: string): string => (text === "" ? "" : `\u001B[${code}m${text}\u001B[${end}m`);
const plain = (text: string): string => text;

export const colours: Palette = { bold: escape(1, 22), dim: escape(2, 22), red: escape(31, 39), green: escape(32, 39), yellow: escape(33, 39), cyan: escape(36, 39) };
export const noColours: Palette = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain };

/** Colours only on a terminal, never with NO_COLOR (any value but the empty one, https://no-color.org) nor TERM=dumb. */
export function choosePalette(options: { readonly isTty: boolean; readonly env: Readonly<Record<string, string | undefined>> }): Palette {
  const refused = (options.env["NO_COLOR"] ?? "") !== "" || options.env["TERM"] === "dumb";
  return options.isTty && !refused ? colours : noColours;
}
