// pure

/** How a CSV report is written that comes in. */
export type CsvDialect = {
  /** One character. */
  readonly delimiter: string;
  /** One character; undefined when nothing is quoted, and a quote is a character like any other. */
  readonly quote: string | undefined;
  /** How a quote stands inside of quotes: twice, or behind a backslash, which then also stands before itself, the delimiter and line ends. */
  readonly escape: "double" | "backslash";
  /** The columns of a report without a header; undefined when the first record is the header. */
  readonly names: readonly string[] | undefined;
  /** A line that begins with it where a record would begin is passed over. */
  readonly comment: string | undefined;
  /** So many lines at the start are passed over, whatever they hold. */
  readonly skipLines: number;
  readonly trailer: CsvTrailer | undefined;
};

/** The last record: its first field is `marker`, and its field number `count` (from 1) says how many records stand before it, the header not counted. */
export type CsvTrailer = { readonly marker: string; readonly count: number | undefined };

/** `nonnumeric` quotes all but numbers of a numeric type; `none` refuses what would need quotes. */
export type CsvQuoting = "minimal" | "all" | "nonnumeric" | "none";

/** How a CSV report is written that goes out. */
export type CsvLayout = {
  readonly delimiter: string;
  readonly eol: "lf" | "crlf";
  readonly bom: boolean;
  readonly quote: CsvQuoting;
  readonly quoteCharacter: string;
  readonly escape: CsvDialect["escape"];
  readonly header: boolean;
  readonly trailer: CsvTrailer | undefined;
};

/** CSV after RFC 4180 with this delimiter. */
export function strictCsv(delimiter: string): CsvDialect {
  return { delimiter, quote: '"', escape: "double", names: undefined, comment: undefined, skipLines: 0, trailer: undefined };
}

function isAscii(character: string | undefined): boolean {
  return character === undefined || character.charCodeAt(0) < 128;
}

/** Whether the engine reads the dialect; any other is read by csv-reader.ts, record by record. */
export function isEngineDialect({ delimiter, quote, escape, comment, skipLines, trailer }: CsvDialect): boolean {
  return escape === "double" && comment === undefined && skipLines === 0 && trailer === undefined && isAscii(delimiter) && isAscii(quote);
}

/** Whether the engine writes the layout. */
export function isEngineLayout({ delimiter, quote, quoteCharacter, escape, trailer }: CsvLayout): boolean {
  return (quote === "minimal" || quote === "all") && quoteCharacter === '"' && escape === "double" && trailer === undefined && isAscii(delimiter);
}

/** Why lines of the dialect cannot be read piece by piece, each piece with the header before it; undefined when they can. */
export function piecesFault({ names, quote, escape, comment, skipLines, trailer }: CsvDialect): string | undefined {
  if (names !== undefined) return "has no header";
  if (quote !== '"' || escape !== "double") return "has quotes of its own kind";
  if (comment !== undefined || skipLines > 0) return "has lines that are no records";
  return trailer === undefined ? undefined : "ends with a trailer";
}
