// pure
import { isUtf8 } from "node:buffer";
import { ConversionError } from "../conversion-error.ts";
import { parseLine } from "./line-fault.ts";
import { createLineReader } from "./line-reader.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./row.ts";
import { RecordSink, type Leaf } from "./tree.ts";
import type { TextWriter } from "./writers.ts";

/** A column: how wide it is, on which side its value stands, and what fills the other. */
export type FixedColumn = { readonly name: string; readonly width: number; readonly align: "left" | "right"; readonly pad: string };
/** Columns stand one behind the other; widths are in characters (code points) or in bytes of UTF-8. */
export type FixedLayout = { readonly layout: readonly FixedColumn[]; readonly unit: "characters" | "bytes" };

/**
 * Reads lines of fixed width: a record a line, exactly as wide as the columns together. The padding of each value is taken away, but for
 * the last character of a value that is zeros alone. Empty lines and all others of another width are faults of that record.
 */
export function createFixedWidthReader(layout: FixedLayout, handler: RecordHandler): RecordReader {
  const sink = new RecordSink(handler, readerLimitsDefault);
  const names = layout.layout.map(({ name }) => name);
  const total = layout.layout.reduce((sum, { width }) => sum + width, 0);
  const entriesOf = (text: string, line: number): ReadonlyMap<string, Leaf> => {
    const whole = layout.unit === "bytes" ? Buffer.from(text) : Array.from(text);
    if (whole.length !== total) throw new ConversionError("COLUMN", `the line is ${whole.length} ${layout.unit} long, its columns are ${total}`, { line, sample: text });
    const entries = new Map<string, Leaf>();
    let from = 0;
    for (const [index, { width, align, pad }] of layout.layout.entries()) {
      const part = whole.slice(from, from + width);
      if (Buffer.isBuffer(part) && !isUtf8(part)) throw new ConversionError("ENCODING", `the column "${names[index] ?? ""}" begins or ends within a character`, { line, column: names[index], sample: text });
      entries.set(names[index] ?? "", { kind: "text", text: trimmed(Buffer.isBuffer(part) ? part.toString("utf8") : part.join(""), align, pad) });
      from += width;
    }
    return entries;
  };
  return createLineReader((text, line) => {
    const entries = parseLine(handler, text, line, () => entriesOf(text, line));
    if (entries !== undefined) sink.take({ kind: "map", entries, line });
  });
}

function trimmed(text: string, align: FixedColumn["align"], pad: string): string {
  let [from, to] = [0, text.length];
  if (align === "left") while (to > 0 && text[to - 1] === pad) to--;
  else while (from < text.length && text[from] === pad) from++;
  return pad === "0" && from === to && text !== "" ? "0" : text.slice(from, to);
}

/** Writes lines of fixed width. A value that is too wide, holds a line end, or would not be read as it was, is an error. */
export function createFixedWidthWriter(layout: FixedLayout, eol: "lf" | "crlf", fields: readonly string[]): TextWriter {
  const places = layout.layout.map(({ name }) => fields.indexOf(name));
  const missing = layout.layout.find(({ name }) => !fields.includes(name)) ?? undefined;
  const extra = fields.find((field) => !layout.layout.some(({ name }) => name === field));
  if (missing !== undefined || extra !== undefined) throw new ConversionError("COLUMN", missing === undefined ? `the field "${extra ?? ""}" has no place in the layout` : `the layout's column "${missing.name}" is no field`, { line: 1, column: missing?.name ?? extra });
  const write = ({ name, width, align, pad }: FixedColumn, text: string): string => {
    const length = layout.unit === "bytes" ? Buffer.byteLength(text) : Array.from(text).length;
    if (length > width) throw new ConversionError("CAST", `the value is ${length} ${layout.unit} long, its column is ${width} wide`, { line: 1, column: name, sample: text });
    if (/[\r\n]/.test(text)) throw new ConversionError("CAST", "a line of fixed width cannot hold a line end", { line: 1, column: name, sample: text });
    const padding = pad.repeat(width - length);
    const written = align === "left" ? text + padding : padding + text;
    if (trimmed(written, align, pad) !== text) throw new ConversionError("CAST", `the value and its padding ${JSON.stringify(pad)} could not be told apart`, { line: 1, column: name, sample: text });
    return written;
  };
  let isFirst = true;
  const checked = (line: string): string => {
    if (isFirst && line.startsWith("\uFEFF")) throw new ConversionError("CAST", "readers would take U+FEFF at the beginning of the report for a byte order mark", { line: 1, column: layout.layout[0]?.name, sample: line });
    isFirst = false;
    return line;
  };
  return {
    start: () => "",
    row: (cells) => checked(layout.layout.map((column, index) => write(column, cells[places[index] ?? 0]?.json === "null" ? "" : (cells[places[index] ?? 0]?.text ?? ""))).join("")) + (eol === "crlf" ? "\r\n" : "\n"),
    end: () => "",
  };
}
