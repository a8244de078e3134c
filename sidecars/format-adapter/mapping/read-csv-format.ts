// pure
import type { CsvTrailer } from "../formats/csv-dialect.ts";
import type { CsvInput, CsvOutput } from "../formats/options.ts";
import type { NodeReader } from "./node-reader.ts";
import type { Parts, Settings } from "./read-format.ts";

const skipLinesMax = 1_000_000;
const trailerFieldsMax = 10_000;

/** Settings of CSV that comes in; `delimiter` is the default. */
export function csvInput(delimiter: string): Settings<CsvInput> {
  return {
    keys: ["delimiter", "quote", "quoteCharacter", "escape", "header", "names", "comment", "skipLines", "trailer"],
    read(node, parts) {
      const isQuoted = (parts.get("quote")?.oneOf(["any", "none"]) ?? "any") === "any";
      const syntax = readSyntax(parts, delimiter);
      if (!isQuoted) for (const key of ["quoteCharacter", "escape"]) parts.get(key)?.problem('has no meaning with "quote: none"');
      return { format: "csv", ...syntax.common, quote: isQuoted ? syntax.quoteCharacter : undefined, names: readNames(node, parts), comment: readComment(parts, syntax.quoteCharacter), skipLines: readNumber(parts.get("skipLines"), { fallback: 0, least: 0, most: skipLinesMax }) ?? 0, trailer: readTrailer(parts) };
    },
  };
}

/** Settings of CSV that goes out. */
export function csvOutput(delimiter: string): Settings<CsvOutput> {
  return {
    keys: ["eol", "bom", "quote", "quoteCharacter", "escape", "delimiter", "header", "trailer"],
    read(_, parts) {
      const { common, quoteCharacter } = readSyntax(parts, delimiter);
      const quote = parts.get("quote")?.oneOf(["minimal", "all", "nonnumeric", "none"]) ?? "minimal";
      if (quote === "none") parts.get("escape")?.problem('has no meaning with "quote: none"');
      return { format: "csv", ...common, eol: parts.get("eol")?.oneOf(["lf", "crlf"]) ?? "lf", bom: readFlag(parts.get("bom")) ?? false, quote, quoteCharacter, header: readFlag(parts.get("header")) ?? true, trailer: readTrailer(parts) };
    },
  };
}

function readFlag(node: NodeReader | undefined): boolean | undefined {
  const word = node?.oneOf(["true", "false"]);
  return word === undefined ? undefined : word === "true";
}

function readSyntax(parts: Parts, delimiterDefault: string): { readonly common: Pick<CsvInput, "delimiter" | "escape">; readonly quoteCharacter: string } {
  const quoteCharacter = readCharacter(parts.get("quoteCharacter"), '"', "\r\n", "one character that is no line end");
  const escape = parts.get("escape")?.oneOf(["double", "backslash"]) ?? "double";
  const delimiter = readCharacter(parts.get("delimiter"), delimiterDefault, `${quoteCharacter}\r\n`, "one character that is no quote and no line end");
  if (escape === "backslash" && (delimiter === "\\" || quoteCharacter === "\\")) parts.get("escape")?.problem("the backslash cannot be delimiter or quote and escape at once");
  return { common: { delimiter, escape }, quoteCharacter };
}

function readCharacter(node: NodeReader | undefined, fallback: string, refused: string, expected: string): string {
  const text = node?.text("one character") ?? fallback;
  if (text.length === 1 && !refused.includes(text)) return text;
  node?.problem(`expected ${expected}, got ${JSON.stringify(text)}`);
  return fallback;
}

/** The columns of a report without a header: those of `names`, or those of `columns` in their order. */
function readNames(node: NodeReader, parts: Parts): readonly string[] | undefined {
  const hasHeader = readFlag(parts.get("header")) ?? true;
  const place = parts.get("names");
  if (hasHeader) {
    place?.problem('is for reports without a header; add "header: false"');
    return undefined;
  }
  const declared = parts.get("columns");
  const columns = declared?.raw.kind === "map" ? [...declared.raw.entries.keys()] : [];
  const names = place === undefined ? columns : (place.list() ?? []).flatMap((item) => item.text("the name of a column") ?? []);
  if (names.length === 0) (place ?? node).problem('needs the names of the columns, in their order, under "names" or as "columns"');
  const double = names.find((name, index) => names.indexOf(name) !== index);
  if (double !== undefined) place?.problem(`names the column "${double}" twice`);
  if (names.includes("")) (place ?? declared)?.problem("has a column without a name");
  const missing = columns.find((column) => !names.includes(column));
  if (missing !== undefined) place?.problem(`does not have the column "${missing}", which is declared under columns`);
  return names;
}

function readComment(parts: Parts, quoteCharacter: string): string | undefined {
  const node = parts.get("comment");
  const text = node?.text("what comments begin with, such as #");
  if (text !== undefined && (text === "" || /[\r\n]/.test(text) || text.startsWith(quoteCharacter))) node?.problem(`expected what comments begin with, such as #, and no quote, got ${JSON.stringify(text)}`);
  return text === "" ? undefined : text;
}

/** `{marker: T, count: 2}`. */
function readTrailer(parts: Parts): CsvTrailer | undefined {
  const node = parts.get("trailer");
  const settings = node?.map(["marker", "count"]);
  const marker = settings?.get("marker")?.text("the first field of the trailer");
  if (settings !== undefined && (marker === undefined || marker === "")) node?.problem('needs "marker": the first field of the trailer');
  const count = readNumber(settings?.get("count"), { fallback: undefined, least: 2, most: trailerFieldsMax });
  return marker === undefined || marker === "" ? undefined : { marker, count };
}

function readNumber(node: NodeReader | undefined, { fallback, least, most }: { readonly fallback: number | undefined; readonly least: number; readonly most: number }): number | undefined {
  const text = node?.text("a number");
  if (text === undefined) return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  node?.problem(`expected a number from ${least} to ${most}, got "${text}"`);
  return fallback;
}
