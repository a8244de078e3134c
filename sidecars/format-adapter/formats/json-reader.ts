// pure
import { ConversionError } from "../conversion-error.ts";
import { JsonAround, type JsonAroundOptions } from "./json-around.ts";
import { countLineEnds, LineCounter } from "./line-ends.ts";
import { parseJsonRecord, type JsonCell } from "./json-text.ts";
import { parseLine } from "./line-fault.ts";
import type { CellKind, ReaderLimits, RecordHandler, RecordReader, Row } from "./row.ts";

class JsonRow implements Row {
  readonly line: number;
  readonly cells: ReadonlyMap<string, JsonCell>;
  constructor(line: number, cells: ReadonlyMap<string, JsonCell>) {
    this.line = line;
    this.cells = cells;
  }
  text(column: string): string | undefined {
    return this.cells.get(column)?.text;
  }
  kind(column: string): CellKind | undefined {
    return this.cells.get(column)?.kind;
  }
}

/** `constants`: columns that every record has beside its own. */
function createRowSink(handler: RecordHandler, limits: ReaderLimits, constants: () => ReadonlyMap<string, JsonCell> = () => none): (record: ReadonlyMap<string, JsonCell>, line: number) => void {
  /** Bounded: beyond `columnsMax` a new key is told each time it comes. */
  const known = new Set<string>();
  let first = true;
  return (record, line) => {
    const cells = withConstants(record, constants(), line);
    if (cells.size > limits.columnsMax) throw new ConversionError("LIMIT", `${cells.size} keys, more than ${limits.columnsMax}`, { line });
    const fresh = [];
    for (const key of cells.keys()) if (!known.has(key)) fresh.push(key);
    if (first || fresh.length > 0) handler.onColumns(fresh, line);
    first = false;
    for (const key of fresh) if (known.size < limits.columnsMax) known.add(key);
    handler.onRow(new JsonRow(line, cells));
  };
}

const none: ReadonlyMap<string, JsonCell> = new Map();

function withConstants(cells: ReadonlyMap<string, JsonCell>, constants: ReadonlyMap<string, JsonCell>, line: number): ReadonlyMap<string, JsonCell> {
  if (constants.size === 0) return cells;
  for (const column of constants.keys()) if (cells.has(column)) throw doubleColumn(column, line);
  return new Map([...constants, ...cells]);
}

/** A record has a key of its own that is the name of a value from around the records. */
export function doubleColumn(column: string, line: number): ConversionError {
  return new ConversionError("COLUMN", `the key "${column}" of a record is the name of a column under in.envelope too; give that another name`, { line, column });
}

/** Reads NDJSON: one JSON object a line (LF or CRLF); empty lines are skipped. A BOM at the start is skipped. A line that is no record is a fault of that record. */
export function createNdjsonReader(handler: RecordHandler, limits: ReaderLimits): RecordReader {
  const onRecord = createRowSink(handler, limits);
  let rest = "";
  let line = 0;
  const takeRecord = (text: string): void => {
    const record = parseLine(handler, text.replace(/\r$/, ""), line, () => parseJsonRecord(text, line, limits.depthMax));
    if (record !== undefined) onRecord(record, line);
  };
  const take = (text: string): void => {
    line++;
    if (text.trim() !== "") takeRecord(line === 1 && text.startsWith("\uFEFF") ? text.slice(1) : text);
    if (text.includes("\r")) line += countLineEnds(text.endsWith("\r") ? text.slice(0, -1) : text);
  };
  return {
    push(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const each of lines) take(each);
      if (rest.length > limits.recordCharsMax) throw new ConversionError("LIMIT", `a line is longer than ${limits.recordCharsMax} characters`, { line: line + 1, sample: rest });
    },
    end({ takeUnfinished }) {
      if (rest.trim() === "") return;
      if (!takeUnfinished) throw new ConversionError("INCOMPLETE", "the last line has no end", { line: line + 1, sample: rest });
      take(rest);
    },
  };
}

type Place = "beforeArray" | "beforeRecord" | "inRecord" | "afterRecord" | "afterArray";

/**
 * Reads a JSON array of objects, however it is laid out, one record at a time: memory holds one record, not the file. A BOM at the start is
 * skipped. An array that is not closed is INCOMPLETE. `options`: the array, or one record, stands inside of the document.
 */
export function createJsonArrayReader(handler: RecordHandler, limits: ReaderLimits, options?: JsonAroundOptions): RecordReader {
  const around = options === undefined ? undefined : new JsonAround(options);
  const onRecord = createRowSink(handler, limits, () => around?.constants ?? none);
  let place: Place = "beforeArray";
  let record = "";
  let recordLine = 1;
  const lines = new LineCounter();
  let depth = 0;
  let inString = false;
  let escaped = false;
  let commaSeen = false;
  let atStart = true;

  const fail = (message: string, sample: string): ConversionError => new ConversionError("SYNTAX", `not a JSON array of records: ${message}`, { line: lines.line, sample });

  /** One character outside a record. */
  const between = (character: string, sample: string): void => {
    if (character === " " || character === "\t" || character === "\n" || character === "\r") return;
    if (place === "beforeArray" && character === "[") place = "beforeRecord";
    else if (place === "beforeRecord" && character === "{") {
      place = "inRecord";
      recordLine = lines.line;
      depth = 0; // endOfRecord counts the opening brace
    } else if (place === "beforeRecord" && character === "]" && !commaSeen) place = "afterArray";
    else if (place === "afterRecord" && character === ",") {
      place = "beforeRecord";
      commaSeen = true;
    } else if (place === "afterRecord" && character === "]") place = "afterArray";
    else throw fail(`"${character}" stands where ${expectation[place]} belongs`, sample);
  };

  /** The position after the record that begins or goes on at `from`, or -1 when it goes on beyond the text. */
  const endOfRecord = (text: string, from: number): number => {
    for (let position = from; position < text.length; position++) {
      const code = text.charCodeAt(position);
      lines.take(code);
      if (inString) {
        if (escaped) escaped = false;
        else if (code === 92) escaped = true;
        else if (code === 34) inString = false;
      } else if (code === 34) inString = true;
      else if (code === 123 || code === 91) depth++;
      else if ((code === 125 || code === 93) && --depth === 0) return position + 1;
    }
    return -1;
  };

  /** Passes over what stands around the records; gives the position behind it. */
  const passAround = (reading: JsonAround, text: string, from: number): number => {
    const bytes = Buffer.from(text.slice(from));
    const taken = reading.take(bytes, (at) => lines.line + countLineEnds(bytes.toString("utf8", 0, at)));
    const passed = bytes.toString("utf8", 0, taken);
    for (let at = 0; at < passed.length; at++) lines.take(passed.charCodeAt(at));
    if (reading.place === "records" && !reading.isList) place = "beforeRecord";
    return from + passed.length;
  };

  return {
    push(given) {
      const text = atStart && given.startsWith("\uFEFF") ? given.slice(1) : given;
      if (given !== "") atStart = false;
      let position = 0;
      while (position < text.length) {
        if (around?.place === "records" && (place === "afterArray" || (!around.isList && place === "afterRecord"))) around.resume();
        if (around !== undefined && around.place !== "records") {
          position = passAround(around, text, position);
          continue;
        }
        if (place !== "inRecord") {
          const character = text[position] ?? "";
          between(character, text.slice(position, position + 40));
          if (place !== ("inRecord" as Place)) {
            lines.take(text.charCodeAt(position++));
            continue;
          }
        }
        const end = endOfRecord(text, position);
        record += text.slice(position, end < 0 ? text.length : end);
        if (record.length > limits.recordCharsMax) throw new ConversionError("LIMIT", `a record is longer than ${limits.recordCharsMax} characters`, { line: recordLine, sample: record.slice(0, 100) });
        if (end < 0) return;
        onRecord(parseJsonRecord(record, recordLine, limits.depthMax), recordLine);
        record = "";
        place = "afterRecord";
        commaSeen = false;
        position = end;
      }
    },
    end() {
      if (around?.place === "records" && (place === "afterArray" || (!around.isList && place === "afterRecord"))) around.resume();
      if (around !== undefined && (around.place !== "records" || !around.isList)) return around.end(lines.line);
      if (place !== "afterArray") throw new ConversionError("INCOMPLETE", "the array is not closed", { line: lines.line, sample: record });
    },
  };
}

const expectation: Readonly<Record<Place, string>> = { beforeArray: "[", beforeRecord: "a record {…}", inRecord: "a record", afterRecord: '"," or "]"', afterArray: "the end" };
