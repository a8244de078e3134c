// pure
import { ConversionError } from "../conversion-error.ts";
import { countLineEnds, LineCounter } from "./line-ends.ts";
import { parseJsonRecord, type JsonCell } from "./json-text.ts";
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

function createRowSink(handler: RecordHandler, limits: ReaderLimits): (text: string, line: number) => void {
  /** Bounded: beyond `columnsMax` a new key is told each time it comes. */
  const known = new Set<string>();
  let first = true;
  return (text, line) => {
    const cells = parseJsonRecord(text, line, limits.depthMax);
    if (cells.size > limits.columnsMax) throw new ConversionError("LIMIT", `${cells.size} keys, more than ${limits.columnsMax}`, { line });
    const fresh = [];
    for (const key of cells.keys()) if (!known.has(key)) fresh.push(key);
    if (first || fresh.length > 0) handler.onColumns(fresh, line);
    first = false;
    for (const key of fresh) if (known.size < limits.columnsMax) known.add(key);
    handler.onRow(new JsonRow(line, cells));
  };
}

/** Reads NDJSON: one JSON object a line (LF or CRLF); empty lines are skipped. A BOM at the start is skipped. */
export function createNdjsonReader(handler: RecordHandler, limits: ReaderLimits): RecordReader {
  const onRecord = createRowSink(handler, limits);
  let rest = "";
  let line = 0;
  const take = (text: string): void => {
    line++;
    if (text.trim() !== "") onRecord(line === 1 && text.startsWith("\uFEFF") ? text.slice(1) : text, line);
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
 * skipped. An array that is not closed is INCOMPLETE.
 */
export function createJsonArrayReader(handler: RecordHandler, limits: ReaderLimits): RecordReader {
  const onRecord = createRowSink(handler, limits);
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

  return {
    push(given) {
      const text = atStart && given.startsWith("\uFEFF") ? given.slice(1) : given;
      if (given !== "") atStart = false;
      let position = 0;
      while (position < text.length) {
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
        onRecord(record, recordLine);
        record = "";
        place = "afterRecord";
        commaSeen = false;
        position = end;
      }
    },
    end() {
      if (place !== "afterArray") throw new ConversionError("INCOMPLETE", "the array is not closed", { line: lines.line, sample: record });
    },
  };
}

const expectation: Readonly<Record<Place, string>> = { beforeArray: "[", beforeRecord: "a record {…}", inRecord: "a record", afterRecord: '"," or "]"', afterArray: "the end" };
