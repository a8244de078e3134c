// pure
import { ConversionError } from "../conversion-error.ts";
import type { CsvLayout } from "./csv-dialect.ts";
import type { OutCell, TextWriter } from "./writers.ts";

const number = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * CSV after RFC 4180, or as the layout says otherwise. `minimal` quotes a field only when it holds the delimiter, the quote, CR, LF, or a
 * backslash where that is the escape, or when it is the only column and empty, or when the report would begin with it and it with U+FEFF, which
 * readers take for a BOM outside of quotes. Throws ConversionError for a value that `quote: none` would have to quote, and for one
 * that would be read as the trailer; also at once for names of columns and markers that cannot be written.
 */
export function createCsvWriter(columns: readonly string[], layout: CsvLayout): TextWriter {
  const { delimiter, quoteCharacter: quote, trailer } = layout;
  const eol = layout.eol === "crlf" ? "\r\n" : "\n";
  const isBackslash = layout.escape === "backslash";
  const special = new RegExp(`[${[delimiter, quote, ...(isBackslash ? ["\\"] : [])].map((character) => `\\u{${character.charCodeAt(0).toString(16)}}`).join("")}\\r\\n]`, "u");
  const quoted = (text: string): string => quote + (isBackslash ? text.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`) : text.replaceAll(quote, quote + quote)) + quote;
  const written = ({ text, json }: OutCell, column: string | undefined, isStart: boolean): string => {
    const needsQuotes = special.test(text) || (text === "" && columns.length === 1) || (isStart && !layout.bom && text.startsWith("\uFEFF"));
    if (needsQuotes && layout.quote === "none") throw new ConversionError("CAST", `${text === "" ? "an empty value that is alone in its record" : "the value"} would need quotes, and "quote: none" writes none`, { line: 1, column, sample: text });
    return needsQuotes || layout.quote === "all" || (layout.quote === "nonnumeric" && !(json === "raw" && number.test(text))) ? quoted(text) : text;
  };
  const line = (cells: readonly OutCell[], isFirst: boolean): string => {
    if (trailer !== undefined && cells[0]?.text === trailer.marker) throw new ConversionError("CAST", `the value would be read as the trailer "${trailer.marker}"`, { line: 1, column: columns[0], sample: trailer.marker });
    return cells.map((cell, index) => written(cell, columns[index], isFirst && index === 0)).join(delimiter) + eol;
  };
  const trailerLine = (rows: number): string => {
    if (trailer === undefined) return "";
    const fields = Array.from({ length: trailer.count ?? 1 }, (): OutCell => ({ text: "", json: "string" }));
    fields[0] = { text: trailer.marker, json: "string" };
    if (trailer.count !== undefined) fields[trailer.count - 1] = { text: String(rows), json: "raw" };
    return fields.map((cell, index) => written(cell, undefined, index === 0 && rows === 0 && !layout.header)).join(delimiter) + eol;
  };
  const header = layout.header ? line(columns.map((text) => ({ text, json: "string" })), true) : "";
  trailerLine(0);
  let rows = 0;
  return {
    start: () => (layout.bom ? "\uFEFF" : "") + header,
    row(cells) {
      const text = line(cells, rows === 0 && !layout.header);
      rows++;
      return text;
    },
    end: () => trailerLine(rows),
  };
}

const bom = [0xef, 0xbb, 0xbf];

/**
 * The start of a report as createCsvWriter would make it, given what a writer that quotes as `minimal` or `all` do, but knows no first record, made
 * of at least that: a first value in quotes where it would be taken for a BOM.
 */
export function quotedStart(start: Uint8Array, layout: CsvLayout): Uint8Array {
  if (layout.bom || layout.header || !bom.every((byte, index) => start[index] === byte)) return start;
  const ends = [layout.delimiter, "\r", "\n"].map((end) => start.indexOf(end.charCodeAt(0))).filter((at) => at >= 0);
  const end = Math.min(...ends);
  const quote = Buffer.from('"');
  return Buffer.concat([quote, start.subarray(0, end), quote, start.subarray(end)]);
}
