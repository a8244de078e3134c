// pure
import { isUtf8 } from "node:buffer";
import { ConversionError } from "../conversion-error.ts";
import { checkHeader } from "../formats/csv-reader.ts";
import { countLineEndsOfBytes } from "../formats/line-ends.ts";
import { refuseUtf16 } from "../formats/byte-order.ts";
import { doubleColumn } from "../formats/json-reader.ts";
import { checkNested, isDeeper, isJsonRecord } from "../formats/json-text.ts";
import { readerLimitsDefault, type CellKind, type Row } from "../formats/row.ts";
import { aroundOf, type EngineInput } from "../formats/options.ts";
import { wrongRecordEnd } from "./csv-fault.ts";
import { isUtf8SoFar, notUtf8, unfinishedBytes, validPrefix } from "./utf8.ts";
import { AroundScan } from "./around-scan.ts";
import { declarationBytesMax, declarationLength, XmlScan } from "./xml-scan.ts";
import { afterArray, cellBytes, cellKind, cellKinds, missingKind, scanned, type Core } from "./core.ts";

/**
 * The reading half of the engine: takes bytes of a report and gives rows of cells. Faults of the format are found by the core and
 * put into words by `explain`.
 */
export type ScannerOptions = {
  readonly core: Core;
  readonly input: EngineInput;
  readonly recordBytesMax: number;
  readonly columnsMax: number;
  /** New columns, as of RecordHandler (formats/row.ts). Throws when they will not do. */
  readonly onColumns: (columns: readonly string[], line: number) => void;
  /** The error for a record that the core has refused; `isWhole` tells whether its end must be in the text. */
  readonly explain: (text: string, line: number, isWhole: boolean) => Error;
  /** Takes a record of CSV or NDJSON that the core has refused, whole, when that need not refuse the report; throws when it does. */
  readonly onFault: ((text: string, line: number) => void) | undefined;
};

const blockBytes = 1_048_576;
const rowsBytes = 524_288;
const rowsMax = 2_048;
const slotsMax = 10_000;
const slotsTable = 32_768;
const lineFeed = 10;
const carriageReturn = 13;
const openingBrace = 123;
/** So much of a wrong record is waited for, to tell what is wrong with it. */
const explainedBytes = 65_536;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

export class Scanner {
  readonly #options: ScannerOptions;
  readonly #core: Core;
  readonly rowsArea: number;
  #scratch: number;
  #input: number;
  #inputBytes = blockBytes;
  /** Unread input: [from, to) of the memory. */
  #from: number;
  #to: number;
  /** The line on which the unread input begins. */
  #line = 1;
  /** Whether a CR stands before the unread input, which was counted: an LF that comes first ends no other line. */
  #afterReturn = false;
  /** The last line of NDJSON that was looked at whole, and is a record. */
  #soundLine = 0;
  /** The last row whose line was asked for, while the unread input begins at `base`. */
  #lastRow = { base: -1, at: 0, line: 0 };
  #begun = false;
  /** Whether a BOM would have been passed over. */
  #passedMark = false;
  readonly columns: string[] = [];
  readonly #indexOf = new Map<string, number>();
  readonly #xml: XmlScan | undefined;
  /** Of a JSON document that is not the list of records itself. */
  readonly #around: AroundScan | undefined;

  constructor(options: ScannerOptions) {
    this.#options = options;
    const { core } = options;
    this.#core = core;
    this.rowsArea = core.allocate(rowsBytes);
    this.#scratch = core.allocate(blockBytes);
    this.#input = core.allocate(blockBytes);
    this.#from = this.#input;
    this.#to = this.#input;
    core.functions.openLines();
    this.#xml = options.input.format === "xml" ? new XmlScan(core, options.input) : undefined;
    const around = options.input.format === "json" ? aroundOf(options.input) : undefined;
    this.#around = around === undefined ? undefined : new AroundScan(core, around);
    if (options.input.format === "csv" || options.input.format === "xml") return;
    core.functions.openSlots(core.allocate(slotsMax * 16), core.allocate(slotsMax * 4), slotsMax, core.allocate(slotsTable * 4), slotsTable);
    core.functions.openArray();
  }

  get #delimiter(): number {
    const { input } = this.#options;
    return input.format === "csv" ? input.delimiter.charCodeAt(0) : 0;
  }

  /** For the core a quote that is the delimiter is none. */
  get #quote(): number {
    const { input } = this.#options;
    return input.format === "csv" && input.quote !== undefined ? input.quote.charCodeAt(0) : this.#delimiter;
  }

  get rowBytes(): number {
    return (this.columns.length + 1) * cellBytes;
  }

  /** Position of a column's cell in its row, undefined while no record has had the column. */
  columnIndex(column: string): number | undefined {
    const index = this.#indexOf.get(column);
    return index === undefined ? undefined : index + 1;
  }

  /** Where the next bytes of the report are to be put; never empty. Valid until the next call of any kind. */
  room(): Buffer {
    if (this.#input + this.#inputBytes - this.#to < this.#inputBytes / 4) this.#makeRoom();
    // Not more than a block at a time, so that a record is found to be too long before much more of it is in memory.
    return this.#core.bytes.subarray(this.#to, Math.min(this.#input + this.#inputBytes, this.#to + blockBytes));
  }

  filled(length: number): void {
    this.#to += length;
  }

  /** A line end behind the last record, which has none. */
  closeLine(): void {
    const last = this.#core.bytes[this.#to - 1];
    if (this.#options.input.format === "json" || this.#options.input.format === "xml" || this.#to === this.#from || last === lineFeed) return;
    const room = this.room();
    room[0] = lineFeed;
    this.#to++;
  }

  /**
   * Scans what is there. `use` is given the number of rows while they are valid. Throws ConversionError.
   */
  *scan<T>(isLast: boolean, use: (rows: number) => Iterable<T>): Generator<T> {
    if (!this.#begun && !this.#begin(isLast)) return;
    if (this.#around?.place === "behind") return void this.#passAround(this.#around, isLast);
    const { functions } = this.#core;
    for (;;) {
      functions.setScratch(this.#scratch);
      const outcome = this.#scan(isLast);
      const rows = functions.records.value;
      const next = functions.next.value;
      this.#checkUtf8(next);
      if (functions.hasUncompared.value !== 0) this.#compareKeys(rows);
      this.#around?.put(this.rowsArea, this.rowBytes, rows);
      this.#xml?.passed(this.#from, next, { line: this.#line, isRecord: rows > 0 || outcome === scanned.newColumns });
      if (rows > 0) yield* use(rows);
      this.#consume(next);
      if (this.#around?.isOver(rows) === true) {
        this.#around.resume();
        return void this.#passAround(this.#around, isLast);
      }
      if (outcome === scanned.wrong) {
        if (this.#leaveOut(isLast)) continue;
        break;
      }
      if (outcome === scanned.tooManyNames) throw new ConversionError("LIMIT", "too many names of elements and attributes", { line: this.#line });
      if (outcome === scanned.newKey) {
        const isSound = this.#isSoundLine();
        if (isSound === undefined) break;
        if (isSound) this.#addKey();
        else this.#leaveOutLine(isLast);
      }
      else if (outcome === scanned.newColumns) this.#addNodes();
      else if (rows === 0 || this.#from === this.#to) break;
    }
    const { recordBytesMax } = this.#options;
    if (!isLast && this.#to - this.#from > recordBytesMax) throw this.#tooLong(recordBytesMax);
  }

  /** Throws unless the report has come to its end. */
  checkEnd(): void {
    const { input } = this.#options;
    this.#around?.end(this.#lineOf(this.#to));
    if (input.format === "json" && this.#around === undefined && this.#core.functions.arrayPlace.value !== afterArray) throw new ConversionError("INCOMPLETE", "the array is not closed", { line: this.#lineOf(this.#to), sample: this.#rest() });
    const rest = this.#rest();
    if (this.#xml?.isOver === false) throw this.#wrong(true);
    if (input.format === "csv" ? rest !== "" : rest.trim() !== "") throw this.#wrong(true);
    this.#xml?.checkRecords();
  }

  row(index: number): Row {
    return new CellRow(this, this.rowsArea + index * this.rowBytes);
  }

  cellText(row: number, column: string): string | undefined {
    const cell = this.#cell(row, column);
    return cell === undefined || this.#core.kindAt(cell) === missingKind ? undefined : this.#core.textAt(cell);
  }

  cellKind(row: number, column: string): CellKind | undefined {
    const cell = this.#cell(row, column);
    return cell === undefined ? undefined : cellKinds[this.#core.kindAt(cell)];
  }

  /** The line on which the record of this row begins. */
  lineOfRow(row: number): number {
    const position = this.#core.startAt(row);
    // Rows are mostly asked for one after the other: the lines before the last one need not be counted again.
    const { base, at, line } = this.#lastRow;
    const isBehind = base === this.#from && position >= at;
    const from = isBehind ? at : this.#from;
    const found = (isBehind ? line : this.#line) + this.#lineEnds(from, position);
    this.#lastRow = { base: this.#from, at: position, line: found };
    return found;
  }

  #cell(row: number, column: string): number | undefined {
    const index = this.columnIndex(column);
    return index === undefined ? undefined : row + index * cellBytes;
  }

  #scan(isLast: boolean): number {
    const { functions } = this.#core;
    const { input } = this.#options;
    const { format } = input;
    const rows = this.#around?.isList === false ? 1 : Math.max(1, Math.min(rowsMax, Math.floor(rowsBytes / this.rowBytes)));
    if (format === "xml") return functions.scanXml(this.#from, this.#to, this.rowsArea, this.columns.length, rows);
    if (format === "csv") return functions.scanCsv(this.#from, this.#to, isLast, this.rowsArea, this.columns.length, rows, this.#delimiter, this.#quote);
    return (format === "json" ? functions.scanArray : functions.scanLines)(this.#from, this.#to, this.rowsArea, this.rowBytes, rows);
  }

  /** Passes over a BOM and reads the header of CSV. False when more input is needed for that. */
  #begin(isLast: boolean): boolean {
    if (!isLast && this.#to - this.#from < byteOrderMark.length) return false;
    if (!this.#passedMark && this.#core.bytes.subarray(this.#from, this.#from + byteOrderMark.length).equals(byteOrderMark)) this.#from += byteOrderMark.length;
    if (!this.#passedMark) refuseUtf16(this.#core.bytes.subarray(this.#from, this.#to));
    this.#passedMark = true;
    if (this.#around !== undefined) {
      this.#begun = this.#passAround(this.#around, isLast);
      const constants = this.#begun ? this.#around.begin() : [];
      if (constants.length > 0) this.#addColumns(constants, this.#line);
      return this.#begun;
    }
    this.#begun = this.#options.input.format === "xml" ? this.#declaration(isLast) : this.#options.input.format !== "csv" || this.#header(isLast);
    return this.#begun;
  }

  /** Takes what stands before or behind the records; whether it is passed and the records begin. */
  #passAround(around: AroundScan, isLast: boolean): boolean {
    const unread = this.#core.bytes.subarray(this.#from, this.#to);
    // A character or a line end that may be cut off is left for the next time.
    const bytes = isLast ? unread : unread.subarray(0, unread.length - (unread.at(-1) === carriageReturn ? 1 : unfinishedBytes(unread)));
    let taken = bytes.length;
    try {
      taken = around.take(bytes, (at) => this.#lineOf(this.#from + at));
    } finally {
      this.#checkUtf8(this.#from + taken);
    }
    this.#consume(this.#from + taken);
    return around.place === "records";
  }

  /** Passes over the declaration of XML. */
  #declaration(isLast: boolean): boolean {
    const length = declarationLength(this.#core.bytes.subarray(this.#from, Math.min(this.#to, this.#from + declarationBytesMax)));
    if (length === undefined) return isLast;
    this.#consume(this.#from + length);
    return true;
  }

  #header(isLast: boolean): boolean {
    const { input } = this.#options;
    if (input.format === "csv" && input.names !== undefined) {
      this.#addColumns(input.names, 1);
      return true;
    }
    const { functions } = this.#core;
    const { columnsMax, recordBytesMax } = this.#options;
    const columns = this.#headerColumns(isLast);
    if (columns === undefined && !isLast) {
      if (this.#to - this.#from > recordBytesMax) throw this.#tooLong(recordBytesMax);
      return false;
    }
    if (columns === undefined) throw this.#from === this.#to ? new ConversionError("INCOMPLETE", "there is no header", { line: 1 }) : this.#wrong(true);
    if (columns > columnsMax) throw new ConversionError("LIMIT", `${columns} columns, more than ${columnsMax}`, { line: 1 });
    functions.setScratch(this.#scratch);
    functions.scanCsv(this.#from, this.#to, isLast, this.rowsArea, columns, 1, this.#delimiter, this.#quote);
    if (functions.records.value !== 1) throw this.#wrong(isLast);
    const next = functions.next.value;
    this.#checkUtf8(next);
    const names = Array.from({ length: columns }, (_, index) => this.#core.textAt(this.rowsArea + (index + 1) * cellBytes));
    this.#addColumns(checkHeader(names, 1, this.#options), 1);
    this.#consume(next);
    return true;
  }

  /** How many fields the first record has, as far as it is written right; undefined when its end is not there yet. */
  #headerColumns(isLast: boolean): number | undefined {
    const { bytes } = this.#core;
    const [delimiter, quote] = [this.#delimiter, this.#quote];
    let columns = 1;
    let inQuotes = false;
    for (let at = this.#from; at < this.#to; at++) {
      const byte = bytes[at];
      if (byte === quote && quote !== delimiter) inQuotes = !inQuotes;
      else if (inQuotes) continue;
      else if (byte === delimiter) columns++;
      else if (byte === lineFeed) return columns;
      else if (byte === carriageReturn) return at + 1 < this.#to || isLast ? columns : undefined;
    }
    return undefined;
  }

  #addColumns(names: readonly string[], line: number): void {
    for (const name of names) {
      this.#indexOf.set(name, this.columns.length);
      this.columns.push(name);
    }
    this.#options.onColumns(names, line);
  }

  /** A key that no record had before gets its slot; its record is scanned again. */
  #addKey(): void {
    const { functions } = this.#core;
    const { columnsMax } = this.#options;
    const key = Buffer.from(this.#core.bytes.subarray(functions.keyStart.value, functions.keyStart.value + functions.keyLength.value));
    const line = this.#lineOf(this.#from);
    if (!isUtf8(key)) throw new ConversionError("ENCODING", "the file is not UTF-8", { line });
    if (this.columns.length >= Math.min(columnsMax, slotsMax)) throw new ConversionError("LIMIT", `more than ${Math.min(columnsMax, slotsMax)} keys`, { line });
    const name = key.toString("utf8");
    if (this.#around?.constants.has(name) === true) throw doubleColumn(name, this.#lineOf(this.#recordStart()));
    functions.addSlot(functions.keyParent.value, this.#core.keep(key), key.length, false);
    this.#addColumns([name], line);
  }

  /** What no record before had gets columns; its record is scanned again. */
  #addNodes(): void {
    const { columnsMax } = this.#options;
    const line = this.#lineOf(this.#from);
    const names = this.#xml?.newColumns(this.columns.length) ?? [];
    if (this.columns.length + names.length > columnsMax) throw new ConversionError("LIMIT", `more than ${columnsMax} columns`, { line });
    this.#addColumns(names, line);
  }

  /** Looks for keys that come twice in objects with so many that the core has not. */
  #compareKeys(rows: number): void {
    this.#core.functions.openNested();
    for (let row = 0; row < rows; row++) {
      for (let column = 1; column <= this.columns.length; column++) {
        const cell = this.rowsArea + row * this.rowBytes + column * cellBytes;
        if (this.#core.kindAt(cell) === cellKind.nested) checkNested(this.#core.textAt(cell), () => this.lineOfRow(this.rowsArea + row * this.rowBytes));
      }
    }
  }

  #consume(next: number): void {
    this.#line += this.#core.functions.countLineEnds(this.#from, next);
    if (next > this.#from) this.#afterReturn = this.#core.bytes[next - 1] === carriageReturn;
    this.#from = next;
  }

  /** Passes over a record of CSV or NDJSON that is wrong, when its end is certain and the report may go on without it; throws otherwise. False when its end is not there yet. */
  #leaveOut(isLast: boolean): boolean {
    const { input, onFault } = this.#options;
    if (input.format === "ndjson" && onFault !== undefined) return this.#leaveOutLine(isLast);
    // What is wrong with JSON and XML is told by the whole record, so that it does not depend on where the reads are cut.
    if (input.format !== "csv" && !isLast && this.#to - this.#from < explainedBytes) return false;
    if (input.format === "xml" && !isLast) {
      const error = this.#wrong(false);
      if (error instanceof ConversionError && error.code === "INCOMPLETE") return false;
      throw error;
    }
    if (onFault === undefined || input.format !== "csv") throw this.#wrong(isLast);
    const end = wrongRecordEnd(this.#core.bytes.subarray(this.#from, this.#to), input, isLast);
    if (end === "unknown") throw this.#wrong(isLast);
    if (end === "more" && isLast) throw new ConversionError("INCOMPLETE", "the last record has no end of line", { line: this.#line, sample: this.#rest() });
    if (end === "more") return false;
    this.#checkUtf8(this.#from + end);
    onFault(this.#core.bytes.toString("utf8", this.#from, this.#from + end), this.#line);
    this.#consume(this.#from + end);
    return true;
  }

  /** As #leaveOut, of the line that the unread input begins with. */
  #leaveOutLine(isLast: boolean): boolean {
    const end = this.#endOfLine();
    if (end === undefined && isLast) throw this.#wrong(isLast);
    if (end === undefined) return false;
    this.#checkUtf8(end);
    this.#options.onFault?.(this.#core.bytes.toString("utf8", this.#from, end), this.#line);
    this.#consume(end + 1);
    return true;
  }

  /**
   * Whether the record with a new key is one: a key of a line that is left out is not to be told. Undefined when its end is not there yet. Always
   * true where records are not left out.
   */
  #isSoundLine(): boolean | undefined {
    const { input, onFault } = this.#options;
    if (input.format !== "ndjson" || onFault === undefined || this.#soundLine === this.#line) return true;
    const end = this.#endOfLine();
    if (end === undefined) return undefined;
    if (!isJsonRecord(this.#core.bytes.toString("utf8", this.#from, end))) return false;
    this.#soundLine = this.#line;
    return true;
  }

  #endOfLine(): number | undefined {
    const end = this.#core.bytes.subarray(this.#from, this.#to).indexOf(lineFeed);
    return end < 0 ? undefined : this.#from + end;
  }

  /** Why the unread input is refused; it begins with the record that is wrong. */
  #wrong(isLast: boolean): Error {
    if (this.#options.input.format === "csv") this.#checkRecord(isLast);
    else this.#checkUtf8(this.#to, isLast);
    const rest = this.#rest();
    const error = this.#options.explain(this.#context() + rest, this.#line, isLast);
    if (this.#options.input.format !== "json" || !(error instanceof ConversionError) || error.code !== "INCOMPLETE") return error;
    // The reader looks into a record when it has all of it, the core as it comes.
    if (isDeeper(rest, readerLimitsDefault.depthMax)) return new ConversionError("LIMIT", `nested deeper than ${readerLimitsDefault.depthMax}`, { line: this.#lineOf(this.#recordStart()) });
    return new ConversionError("SYNTAX", "the record is not JSON", { line: this.#lineOf(this.#recordStart()), sample: rest });
  }

  /** Whether the unread input is UTF-8 as far as the record that is wrong; what stands behind it was not asked for. */
  #checkRecord(isLast: boolean): void {
    try {
      this.#checkUtf8(this.#to, isLast);
    } catch (error) {
      const unread = this.#core.bytes.subarray(this.#from, this.#to);
      const before = this.#options.explain(unread.toString("utf8", 0, validPrefix(unread)), this.#line, true);
      throw before instanceof ConversionError && before.code !== "INCOMPLETE" ? before : error;
    }
  }

  /** `isWhole` false: the last character may be cut off. */
  #checkUtf8(next: number, isWhole = true): void {
    const bytes = this.#core.bytes.subarray(this.#from, next);
    if (isUtf8(bytes)) return;
    if (!isWhole && isUtf8SoFar(bytes)) return;
    const good = validPrefix(bytes);
    throw notUtf8(this.#lineOf(this.#from + good), bytes.subarray(good));
  }

  /** The line of a position in the unread input. */
  #lineOf(position: number): number {
    return this.#line + this.#lineEnds(this.#from, position);
  }

  #lineEnds(from: number, position: number): number {
    const bytes = this.#core.bytes.subarray(from, position);
    const isHalf = this.#afterReturn && from === this.#from && bytes[0] === lineFeed;
    return countLineEndsOfBytes(isHalf ? bytes.subarray(1) : bytes);
  }

  /** JSON that brings a reader to where the array was being read. */
  #context(): string {
    if (this.#xml !== undefined) return this.#xml.context();
    const contexts = ["", "[", "[{},", "[{}", "[]"];
    return this.#options.input.format === "json" ? (contexts[this.#core.functions.arrayPlace.value] ?? "") : "";
  }

  #rest(): string {
    return this.#core.bytes.toString("utf8", this.#from, this.#to);
  }

  #tooLong(recordBytesMax: number): ConversionError {
    const hint = this.#options.input.format === "csv" ? "; is a quote left open?" : "";
    return new ConversionError("LIMIT", `a record is longer than ${recordBytesMax} bytes${hint}`, { line: this.#lineOf(this.#recordStart()), sample: this.#core.bytes.toString("utf8", this.#from, this.#from + 100) });
  }

  #recordStart(): number {
    const { bytes } = this.#core;
    let at = this.#from;
    if (this.#xml === undefined && this.#options.input.format !== "csv") while (at < this.#to && bytes[at] !== openingBrace) at++;
    return at;
  }

  /** Moves what is unread to the front, and takes more memory when a record fills it. */
  #makeRoom(): void {
    const unread = this.#to - this.#from;
    const wanted = unread > this.#inputBytes / 2 ? this.#inputBytes * 2 : this.#inputBytes;
    if (wanted > this.#inputBytes) {
      // Once as large as the unread input may become: memory that is not written to costs nothing, and the input grows in place behind it.
      if (this.#inputBytes === blockBytes) this.#scratch = this.#core.allocate(this.#options.recordBytesMax + 2 * blockBytes);
      this.#input = this.#core.extend(this.#input, this.#inputBytes, wanted);
      this.#inputBytes = wanted;
    }
    this.#core.bytes.copyWithin(this.#input, this.#from, this.#to);
    this.#from = this.#input;
    this.#to = this.#input + unread;
  }
}

class CellRow implements Row {
  readonly #scanner: Scanner;
  readonly #row: number;

  constructor(scanner: Scanner, row: number) {
    this.#scanner = scanner;
    this.#row = row;
  }
  get line(): number {
    return this.#scanner.lineOfRow(this.#row);
  }
  text(column: string): string | undefined {
    return this.#scanner.cellText(this.#row, column);
  }
  kind(column: string): CellKind | undefined {
    return this.#scanner.cellKind(this.#row, column);
  }
}
