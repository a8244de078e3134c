// pure
import { countLineEnds } from "./line-ends.ts";
import type { CsvDialect } from "./csv-dialect.ts";

/** What the parser looks for: codes of characters, `quote` -1 for none. */
export type CsvSyntax = { readonly delimiter: number; readonly quote: number; readonly isBackslash: boolean };

export function syntaxOf({ delimiter, quote, escape }: Pick<CsvDialect, "delimiter" | "quote" | "escape">): CsvSyntax {
  return { delimiter: delimiter.charCodeAt(0), quote: quote?.charCodeAt(0) ?? -1, isBackslash: escape === "backslash" };
}

/** A record in its text. `ended` is false for one that only the end of the text ends; `lines` counts its line ends, and one for such a one. */
export type CsvRecord = { readonly fields: readonly string[]; readonly end: number; readonly lines: number; readonly ended: boolean };

export type CsvFault = { readonly message: string; readonly sample: string };

export type ParsedRecord =
  | ({ readonly kind: "record" } & CsvRecord)
  /** Its quotes are not right. `record` is what it holds when the quotes that are wrong are taken for data, if its end is one line's end all the same. */
  | { readonly kind: "fault"; readonly fault: CsvFault; readonly record: CsvRecord | undefined }
  /** The text is over and a quoted field is not closed; it begins here. */
  | { readonly kind: "open"; readonly at: number }
  /** The text ends before the record does. */
  | { readonly kind: "more" };

const lineFeed = 10;
const carriageReturn = 13;
const backslash = 92;

type Field = { readonly kind: "field"; readonly value: string; readonly end: number; readonly lines: number };
type FieldOutcome = Field | { readonly kind: "fault"; readonly message: string; readonly at: number; readonly from: number; readonly to: number } | { readonly kind: "open" } | { readonly kind: "more" };

/** The record at `start`. With `isLast` nothing follows the text. `seeksEnd`: whether the end of a record with wrong quotes is looked for. */
export function parseRecord(text: string, start: number, syntax: CsvSyntax, { isLast, seeksEnd }: { readonly isLast: boolean; readonly seeksEnd: boolean }): ParsedRecord {
  const fields: string[] = [];
  let position = start;
  let linesInside = 0;
  let fault: CsvFault | undefined;
  const finished = (end: number, ended: boolean): ParsedRecord => {
    const record = { fields, end, lines: linesInside + 1, ended };
    return fault === undefined ? { kind: "record", ...record } : { kind: "fault", fault, record };
  };
  while (true) {
    const isQuoted = text.charCodeAt(position) === syntax.quote;
    let field: FieldOutcome = isQuoted ? parseQuoted(text, position, syntax, isLast) : parseBare(text, position, syntax);
    if (field.kind === "fault") {
      fault ??= { message: field.message, sample: text.slice(field.from, field.to) };
      if (!seeksEnd) return { kind: "fault", fault, record: undefined };
      field = parseWrong(text, position, field.at, syntax);
    }
    if (field.kind === "open") return fault === undefined ? { kind: "open", at: position } : { kind: "fault", fault, record: undefined };
    if (field.kind === "more") return { kind: "more" };
    fields.push(field.value);
    linesInside += field.lines;
    // With a wrong quote about, one that spans lines may as well be one that was never closed.
    if (fault !== undefined && linesInside > 0) return { kind: "fault", fault, record: undefined };
    position = field.end;
    if (position >= text.length) return isLast ? finished(position, false) : { kind: "more" };
    const code = text.charCodeAt(position);
    if (code === syntax.delimiter) {
      position++;
      if (position >= text.length && !isLast) return { kind: "more" };
      continue;
    }
    if (code === lineFeed) return finished(position + 1, true);
    if (position + 1 >= text.length && !isLast) return { kind: "more" }; // an LF may follow the CR
    return finished(position + (text.charCodeAt(position + 1) === lineFeed ? 2 : 1), true);
  }
}

function endsField(code: number, { delimiter }: CsvSyntax): boolean {
  return code === delimiter || code === lineFeed || code === carriageReturn;
}

/** A field without quotes, up to its delimiter, line end or the end of the text. */
function parseBare(text: string, start: number, syntax: CsvSyntax): FieldOutcome {
  let end = start;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (endsField(code, syntax)) break;
    if (code === syntax.quote) return { kind: "fault", message: syntax.isBackslash ? "a quote inside an unquoted field; quote the whole field" : "a quote inside an unquoted field; quote the whole field and double the quote", at: end, from: start, to: start + 100 };
  }
  return { kind: "field", value: text.slice(start, end), end, lines: 0 };
}

/** A field whose quotes are wrong from `at` on, every one taken for data. */
function parseWrong(text: string, start: number, at: number, syntax: CsvSyntax): Field {
  let end = at;
  while (end < text.length && !endsField(text.charCodeAt(end), syntax)) end++;
  return { kind: "field", value: text.slice(start, end), end, lines: countLineEnds(text.slice(start, at)) };
}

/** A quoted field, its end behind the closing quote. */
function parseQuoted(text: string, start: number, syntax: CsvSyntax, isLast: boolean): FieldOutcome {
  const closed = syntax.isBackslash ? parseEscaped(text, start, syntax, isLast) : parseDoubled(text, start, syntax, isLast);
  if (closed.kind !== "field" || closed.end >= text.length || endsField(text.charCodeAt(closed.end), syntax)) return closed;
  return { kind: "fault", message: "text after the closing quote of a field", at: closed.end, from: Math.max(start, closed.end - 40), to: closed.end + 40 };
}

/** A quote inside is written twice. */
function parseDoubled(text: string, start: number, { quote }: CsvSyntax, isLast: boolean): FieldOutcome {
  const mark = String.fromCharCode(quote);
  let from = start + 1;
  let value = "";
  while (true) {
    const close = text.indexOf(mark, from);
    if (close < 0) return { kind: isLast ? "open" : "more" };
    value += text.slice(from, close);
    if (close + 1 >= text.length && !isLast) return { kind: "more" }; // another quote may follow
    if (text.charCodeAt(close + 1) !== quote) return { kind: "field", value, end: close + 1, lines: countLineEnds(value) };
    value += mark;
    from = close + 2;
  }
}

/** A quote inside stands behind a backslash. Before anything that needs none a backslash means different things to different writers. */
function parseEscaped(text: string, start: number, { quote, delimiter }: CsvSyntax, isLast: boolean): FieldOutcome {
  let from = start + 1;
  let value = "";
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      value += text.slice(from, at);
      return { kind: "field", value, end: at + 1, lines: countLineEnds(value) };
    }
    if (code !== backslash) continue;
    if (at + 1 >= text.length) break;
    const next = text.charCodeAt(at + 1);
    if (next !== quote && next !== backslash && !endsField(next, { quote, delimiter, isBackslash: true })) return { kind: "fault", message: `a backslash before ${JSON.stringify(String.fromCodePoint(text.codePointAt(at + 1) ?? 0))}; it may stand before a quote, itself, the delimiter and a line end`, at, from: Math.max(start, at - 40), to: at + 40 };
    value += text.slice(from, at);
    from = at + 1;
    at++;
  }
  return { kind: isLast ? "open" : "more" };
}
