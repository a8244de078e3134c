// pure
import { ConversionError } from "../conversion-error.ts";
import type { CsvDialect } from "./csv-dialect.ts";
import { parseRecord, syntaxOf, type CsvRecord, type CsvSyntax, type ParsedRecord } from "./csv-record.ts";
import type { CellKind, ReaderLimits, RecordHandler, RecordReader, Row } from "./row.ts";

/**
 * Reads CSV, strictly: the first record is the header unless the dialect names the columns; LF, CRLF or CR ends a record; a quote may stand
 * only around a whole field; every record has as many fields as there are columns; no column name appears twice. A BOM at the start is skipped.
 * Line ends inside quotes are data and stay as they are. An empty line is a record of one empty field, and so an error unless there is one column.
 *
 * A record with too few or too many fields is a fault of that record. One with wrong quotes is when it is one line and has, its wrong quotes taken
 * for data, as many fields as there are columns; otherwise nobody can say where it ends.
 */
export function createCsvReader(dialect: CsvDialect, handler: RecordHandler, limits: ReaderLimits): RecordReader {
  return new CsvReader(dialect, handler, limits);
}

const lookCharsMin = 65_536;

class CsvReader implements RecordReader {
  readonly #dialect: CsvDialect;
  readonly #syntax: CsvSyntax;
  readonly #handler: RecordHandler;
  readonly #limits: ReaderLimits;
  #rest = "";
  /** What came since the rest was looked at: a long record is not looked at again before it may have twice its length. */
  #recent: string[] = [];
  #recentChars = 0;
  #line = 1;
  /** Lines at the start that are still to be passed over. */
  #skips: number;
  #place: "start" | "header" | "records" | "behind the trailer" = "start";
  #columns: readonly string[] = [];
  #indexes: ReadonlyMap<string, number> = new Map();
  #records = 0;

  constructor(dialect: CsvDialect, handler: RecordHandler, limits: ReaderLimits) {
    this.#dialect = dialect;
    this.#syntax = syntaxOf(dialect);
    this.#handler = handler;
    this.#limits = limits;
    this.#skips = dialect.skipLines;
  }

  push(text: string): void {
    if (text === "") return;
    const taken = this.#place === "start" && text.startsWith("\uFEFF") ? text.slice(1) : text;
    this.#begin();
    this.#recent.push(taken);
    this.#recentChars += taken.length;
    const charsMax = this.#limits.recordCharsMax;
    if (this.#rest.length > lookCharsMin && this.#recentChars < this.#rest.length && this.#rest.length + this.#recentChars <= charsMax) return;
    this.#join();
    this.#drain(false);
  }

  #join(): void {
    this.#rest += this.#recent.join("");
    this.#recent = [];
    this.#recentChars = 0;
  }

  end({ takeUnfinished }: { readonly takeUnfinished: boolean }): void {
    this.#begin();
    if (this.#recentChars > 0) {
      this.#join();
      this.#drain(false);
    }
    if (this.#rest !== "") {
      if (!takeUnfinished && !this.#endsWhole()) throw new ConversionError("INCOMPLETE", "the last record has no end of line", { line: this.#line, sample: this.#rest.slice(0, 100) });
      this.#drain(true);
    }
    if (this.#place === "header") throw new ConversionError("INCOMPLETE", "there is no header", { line: this.#line });
    const { trailer } = this.#dialect;
    if (trailer !== undefined && this.#place !== "behind the trailer") throw new ConversionError("INCOMPLETE", `the trailer "${trailer.marker}" is not there`, { line: this.#line });
  }

  #begin(): void {
    if (this.#place !== "start") return;
    const { names } = this.#dialect;
    this.#place = names === undefined ? "header" : "records";
    if (names !== undefined) this.#setColumns(names);
  }

  #setColumns(columns: readonly string[]): void {
    this.#columns = columns;
    this.#indexes = new Map(columns.map((name, index) => [name, index]));
    this.#handler.onColumns(columns, this.#line);
  }

  /** Whether what is left ends with a record's end: a CR at the very end was kept back, since an LF might have followed, and a trailer with the right count is whole without one. */
  #endsWhole(): boolean {
    const parsed = this.#parse(this.#rest, 0, true);
    if (parsed.kind === "fault") return parsed.record?.ended ?? true;
    if (parsed.kind !== "record" || parsed.ended) return parsed.kind === "record";
    return this.#place === "records" && this.#isTrailer(parsed) && this.#dialect.trailer?.count !== undefined && this.#countIn(parsed) === this.#records;
  }

  #parse(text: string, position: number, isLast: boolean): ParsedRecord {
    return parseRecord(text, position, this.#syntax, { isLast, seeksEnd: this.#handler.onFault !== undefined && this.#place === "records" });
  }

  /** Takes all whole records of the unread text; keeps the part after the last one. */
  #drain(isLast: boolean): void {
    const text = this.#rest;
    let position = 0;
    while (position < text.length) {
      const passed = this.#passedOver(text, position, isLast);
      if (passed === undefined) break;
      if (passed > position) {
        position = passed;
        this.#line++;
        continue;
      }
      const parsed = this.#parse(text, position, isLast);
      if (parsed.kind === "more") break;
      if (parsed.kind === "open") throw new ConversionError("INCOMPLETE", "a quoted field is not closed", { line: this.#line, sample: text.slice(parsed.at, parsed.at + 100) });
      const record = parsed.kind === "record" ? parsed : this.#wrongRecord(parsed, text, position);
      if (parsed.kind === "record") this.#take(record, text, position);
      this.#line += record.lines;
      position = record.end;
    }
    this.#rest = text.slice(position);
    if (this.#rest.length > this.#limits.recordCharsMax) throw new ConversionError("LIMIT", `a record is longer than ${this.#limits.recordCharsMax} characters; is a quote left open?`, { line: this.#line, sample: this.#rest.slice(0, 100) });
  }

  /** Where the line at `position` ends when it is no record; `position` when it is one, undefined when its end is not there yet. */
  #passedOver(text: string, position: number, isLast: boolean): number | undefined {
    const { comment } = this.#dialect;
    if (this.#skips === 0) {
      if (comment === undefined) return position;
      if (!text.startsWith(comment, position)) return !isLast && comment.startsWith(text.slice(position)) ? undefined : position;
    }
    const end = lineEnd(text, position);
    if (end === undefined && !isLast) return undefined;
    if (this.#skips > 0) this.#skips--;
    return end ?? text.length;
  }

  #take(record: CsvRecord, text: string, position: number): void {
    switch (this.#place) {
      case "start":
      case "header":
        this.#setColumns(checkHeader(record.fields, this.#line, this.#limits));
        this.#place = "records";
        return;
      case "behind the trailer":
        throw new ConversionError("SYNTAX", `a record behind the trailer "${this.#dialect.trailer?.marker ?? ""}"`, { line: this.#line, sample: text.slice(position, record.end) });
      case "records":
        if (this.#isTrailer(record)) return this.#takeTrailer(record, text.slice(position, record.end));
        this.#records++;
        if (record.fields.length === this.#columns.length) return this.#handler.onRow(new CsvRow(this.#line, record.fields, this.#indexes));
        return this.#refuse(new ConversionError("COLUMN", `the record has ${record.fields.length} fields, and there are ${this.#columns.length} columns`, { line: this.#line, sample: record.fields.join(this.#dialect.delimiter) }), record, text, position);
    }
  }

  /** Leaves the record out, or throws what is wrong with it. */
  #wrongRecord({ fault, record }: ParsedRecord & { readonly kind: "fault" }, text: string, position: number): CsvRecord {
    const error = new ConversionError("SYNTAX", fault.message, { line: this.#line, sample: fault.sample });
    if (record === undefined || this.#place !== "records" || record.fields.length !== this.#columns.length) throw error;
    this.#records++;
    this.#refuse(error, record, text, position);
    return record;
  }

  #refuse(error: ConversionError, { fields, end }: CsvRecord, text: string, position: number): void {
    if (this.#handler.onFault === undefined) throw error;
    this.#handler.onFault({ error, row: new CsvRow(this.#line, fields, this.#indexes), raw: text.slice(position, end).replace(/(?:\r\n|\n|\r)$/, "") });
  }

  #isTrailer({ fields }: CsvRecord): boolean {
    return this.#dialect.trailer !== undefined && fields[0] === this.#dialect.trailer.marker;
  }

  #takeTrailer(record: CsvRecord, sample: string): void {
    this.#place = "behind the trailer";
    const { count: place } = this.#dialect.trailer ?? {};
    if (place === undefined) return;
    const count = this.#countIn(record);
    if (count === undefined) throw new ConversionError("SYNTAX", `the trailer's field ${place} is no number of records`, { line: this.#line, sample });
    if (count !== this.#records) throw new ConversionError("SYNTAX", `the trailer says ${count} records, the report has ${this.#records}`, { line: this.#line, sample });
  }

  #countIn({ fields }: CsvRecord): number | undefined {
    const text = fields[(this.#dialect.trailer?.count ?? 0) - 1] ?? "";
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }
}

/** Behind the end of the line at `position`; undefined when it is not there, or may have an LF to come. */
function lineEnd(text: string, position: number): number | undefined {
  const ends = /\r\n|\n|\r(?!$)/g;
  ends.lastIndex = position;
  return ends.exec(text) === null ? undefined : ends.lastIndex;
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
    return this.text(column) === undefined ? undefined : "text";
  }
}

/** The names of a header; throws when there are too many, one without characters, or two that are the same. */
export function checkHeader(fields: readonly string[], line: number, limits: Pick<ReaderLimits, "columnsMax">): readonly string[] {
  if (fields.length > limits.columnsMax) throw new ConversionError("LIMIT", `${fields.length} columns, more than ${limits.columnsMax}`, { line });
  const [first = ""] = fields;
  // A column that has this name among others is one.
  if (/^sep=.?$/i.test(first) && fields.slice(1).every((name) => name === "")) throw excelLine(first.slice("sep=".length), line);
  const names = new Set<string>();
  const double = fields.find((name) => names.size === names.add(name).size);
  if (double !== undefined) throw new ConversionError("COLUMN", `the header names the column "${double}" twice`, { line, column: double });
  const empty = fields.indexOf("");
  if (empty >= 0) throw new ConversionError("COLUMN", fields.length === 1 ? "the header is an empty line" : `the header's column ${empty + 1} has no name`, { line });
  return fields;
}

/** Excel takes the delimiter from a first line of its own, such as sep=; */
function excelLine(delimiter: string, line: number): ConversionError {
  const setting = delimiter === "" ? "" : ` and in.delimiter: ${JSON.stringify(delimiter)}`;
  return new ConversionError("COLUMN", `the first line is none of the report, it tells Excel the delimiter: set in.skipLines: 1${setting}`, { line });
}
