// pure
import { ConversionError } from "../conversion-error.ts";
import { countLineEnds } from "./line-ends.ts";
import type { CellKind, ReaderLimits, RecordHandler, RecordReader, Row } from "./row.ts";

export type CsvDialect = { readonly delimiter: string };

/**
 * Reads CSV after RFC 4180, strictly: the first record is the header; LF, CRLF or CR ends a record; a quote may stand only around a whole
 * field; every record has as many fields as the header; no column name appears twice. A BOM at the start is skipped. Line ends inside quotes are
 * data and stay as they are. An empty line is a record of one empty field, and so an error unless there is one column.
 */
export function createCsvReader(dialect: CsvDialect, handler: RecordHandler, limits: ReaderLimits): RecordReader {
  const { delimiter } = dialect;
  let rest = "";
  let atStart = true;
  let line = 1;
  let columns: readonly string[] | undefined;
  let indexes: ReadonlyMap<string, number> = new Map();
  const delimiterCode = delimiter.charCodeAt(0);

  const finishRecord = (fields: string[], recordLine: number): void => {
    if (columns === undefined) {
      columns = checkHeader(fields, recordLine, limits);
      indexes = new Map(columns.map((name, index) => [name, index]));
      handler.onColumns(columns, recordLine);
      return;
    }
    if (fields.length !== columns.length) throw new ConversionError("COLUMN", `the record has ${fields.length} fields, the header has ${columns.length}`, { line: recordLine, sample: fields.join(delimiter) });
    handler.onRow(new CsvRow(recordLine, fields, indexes));
  };

  /** Parses all whole records of `rest`; keeps the part after the last one. */
  const drain = (isLast: boolean): void => {
    const text = rest;
    let position = 0;
    while (position < text.length) {
      const record = parseRecord(text, position, delimiterCode, isLast, line);
      if (record === undefined) break;
      finishRecord(record.fields, line);
      line += record.lines;
      position = record.end;
    }
    rest = text.slice(position);
    if (rest.length > limits.recordCharsMax) throw new ConversionError("LIMIT", `a record is longer than ${limits.recordCharsMax} characters; is a quote left open?`, { line, sample: rest.slice(0, 100) });
  };

  return {
    push(text) {
      rest += atStart && text.startsWith("\uFEFF") ? text.slice(1) : text;
      if (text !== "") atStart = false;
      drain(false);
    },
    end({ takeUnfinished }) {
      if (rest === "") {
        if (columns === undefined) throw new ConversionError("INCOMPLETE", "there is no header", { line });
        return;
      }
      // A CR at the very end was kept back, since an LF might have followed; it ends the record after all.
      if (!takeUnfinished && !(rest.endsWith("\r") && parseRecord(rest, 0, delimiterCode, true, line)?.ended === true)) throw new ConversionError("INCOMPLETE", "the last record has no end of line", { line, sample: rest.slice(0, 100) });
      drain(true);
      if (rest !== "") throw new ConversionError("INCOMPLETE", "a quoted field is not closed", { line, sample: rest.slice(0, 100) });
    },
  };
}

class CsvRow implements Row {
  readonly line: number;
  readonly #fields: readonly string[];
  readonly #indexes: ReadonlyMap<string, number>;
  constructor(line: number, fields: readonly string[], indexes: ReadonlyMap<string, number>) {
    this.line = line;
    this.#fields = fields;
    this.#indexes = indexes;
  }
  text(column: string): string | undefined {
    const index = this.#indexes.get(column);
    return index === undefined ? undefined : this.#fields[index];
  }
  kind(column: string): CellKind | undefined {
    return this.#indexes.has(column) ? "text" : undefined;
  }
}

type ParsedRecord = { readonly fields: string[]; readonly end: number; readonly lines: number; readonly ended: boolean };

const quote = 34;
const lineFeed = 10;
const carriageReturn = 13;

/** The record at `start`, or undefined when `text` ends before it does (`isLast` false). With `isLast` the end of the text ends it. */
function parseRecord(text: string, start: number, delimiter: number, isLast: boolean, line: number): ParsedRecord | undefined {
  const fields: string[] = [];
  let position = start;
  let linesInside = 0;
  while (true) {
    if (text.charCodeAt(position) === quote) {
      const field = parseQuoted(text, position, isLast, line);
      if (field === undefined) return undefined;
      fields.push(field.value);
      linesInside += field.lines;
      position = field.end;
    } else {
      const from = position;
      let code = text.charCodeAt(position);
      while (position < text.length && code !== delimiter && code !== lineFeed && code !== carriageReturn) {
        if (code === quote) throw new ConversionError("SYNTAX", "a quote inside an unquoted field; quote the whole field and double the quote", { line, sample: text.slice(from, from + 100) });
        code = text.charCodeAt(++position);
      }
      fields.push(text.slice(from, position));
    }
    if (position >= text.length) return isLast ? { fields, end: position, lines: linesInside + 1, ended: false } : undefined;
    const code = text.charCodeAt(position);
    if (code === delimiter) {
      position++;
      if (position >= text.length && !isLast) return undefined;
      continue;
    }
    if (code === lineFeed) return { fields, end: position + 1, lines: linesInside + 1, ended: true };
    if (code === carriageReturn) {
      if (position + 1 >= text.length && !isLast) return undefined; // an LF may follow
      return { fields, end: position + (text.charCodeAt(position + 1) === lineFeed ? 2 : 1), lines: linesInside + 1, ended: true };
    }
    throw new ConversionError("SYNTAX", "text after the closing quote of a field", { line, sample: text.slice(Math.max(0, position - 40), position + 40) });
  }
}

/** The quoted field at `start`, its end after the closing quote; undefined when it is not known yet to be closed. */
function parseQuoted(text: string, start: number, isLast: boolean, line: number): { readonly value: string; readonly end: number; readonly lines: number } | undefined {
  let from = start + 1;
  let value = "";
  while (true) {
    const close = text.indexOf('"', from);
    if (close < 0) {
      if (isLast) throw new ConversionError("INCOMPLETE", "a quoted field is not closed", { line, sample: text.slice(start, start + 100) });
      return undefined;
    }
    value += text.slice(from, close);
    if (close + 1 >= text.length && !isLast) return undefined; // another quote may follow
    if (text.charCodeAt(close + 1) !== quote) return { value, end: close + 1, lines: countLineEnds(value) };
    value += '"';
    from = close + 2;
  }
}

function checkHeader(fields: readonly string[], line: number, limits: ReaderLimits): readonly string[] {
  if (fields.length > limits.columnsMax) throw new ConversionError("LIMIT", `${fields.length} columns, more than ${limits.columnsMax}`, { line });
  const double = fields.find((name, index) => fields.indexOf(name) !== index);
  if (double !== undefined) throw new ConversionError("COLUMN", `the header names the column "${double}" twice`, { line, column: double });
  const empty = fields.indexOf("");
  if (empty >= 0) throw new ConversionError("COLUMN", fields.length === 1 ? "the header is an empty line" : `the header's column ${empty + 1} has no name`, { line });
  return fields;
}
