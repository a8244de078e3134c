// pure
import { ConversionError } from "../conversion-error.ts";
import { parseLine } from "./line-fault.ts";
import { createLineReader } from "./line-reader.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./row.ts";
import { RecordSink, type Leaf } from "./tree.ts";
import type { TextWriter } from "./writers.ts";

const pair = /([^ \t="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^ \t="]*)))?(?=[ \t]|$)[ \t]*/y;

/**
 * Reads logfmt: a record a line, `key=value key="a value" flag`. Values are text; a key without `=` is true. Spaces and tabs stand between them, other white space is data. In quotes there are the escapes
 * \n, \r, \t, \", \\ and \uXXXX. Empty lines are passed over. A key twice in one line, and a quote within a bare value, are faults of that
 * record; a quote that is not closed is one of the report.
 */
export function createLogfmtReader(handler: RecordHandler): RecordReader {
  const sink = new RecordSink(handler, readerLimitsDefault);
  return createLineReader((text, line) => {
    const parse = (): ReadonlyMap<string, Leaf> => entriesOf(text, line);
    const entries = hasOpenQuote(text) ? parse() : parseLine(handler, text, line, parse);
    if (entries !== undefined && entries.size > 0) sink.take({ kind: "map", entries, line });
  });
}

/** Then the value may have been meant to go on behind the line's end. */
function hasOpenQuote(text: string): boolean {
  return (text.replaceAll(/\\./g, "").split('"').length - 1) % 2 === 1;
}

function entriesOf(text: string, line: number): ReadonlyMap<string, Leaf> {
  const entries = new Map<string, Leaf>();
  pair.lastIndex = /^[ \t]*/.exec(text)?.[0].length ?? 0;
  while (pair.lastIndex < text.length) {
    const at = pair.lastIndex;
    const match = pair.exec(text);
    if (match === null) throw new ConversionError("SYNTAX", "not logfmt: key=value, with quotes around the whole value if there are any", { line, sample: text.slice(at) });
    const [, key = "", quoted, bare] = match;
    if (entries.has(key)) throw new ConversionError("COLUMN", `the key "${key}" appears twice in one record`, { line, column: key });
    if (quoted === undefined && bare === undefined) entries.set(key, { kind: "boolean", text: "true" });
    else entries.set(key, { kind: "text", text: quoted === undefined ? (bare ?? "") : unquoted(quoted, line) });
  }
  return entries;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

function unquoted(text: string, line: number): string {
  const value = text.replace(/\\(?:u([\da-fA-F]{4})|(.))/g, (whole, code: string | undefined, letter: string | undefined) => {
    const found = code === undefined ? escapes[letter ?? ""] : String.fromCharCode(Number.parseInt(code, 16));
    if (found === undefined) throw new ConversionError("SYNTAX", `the escape ${whole} is not known`, { line, sample: text });
    return found;
  });
  if (!value.isWellFormed()) throw new ConversionError("SYNTAX", "a value holds half a surrogate pair, which UTF-8 cannot carry", { line, sample: text });
  return value;
}

/** Whether the name can stand before a `=`. */
export function isLogfmtKey(name: string): boolean {
  return /^[^\s="]+$/.test(name);
}

/** Writes logfmt. A value is quoted when it is empty or holds white space, `=`, a quote or a control character. What is null is left out; a record of nothing else is an error. */
export function createLogfmtWriter(columns: readonly string[]): TextWriter {
  const wrong = columns.find((column) => !isLogfmtKey(column));
  if (wrong !== undefined) throw new ConversionError("COLUMN", `"${wrong}" can be no key of logfmt`, { line: 1, column: wrong });
  return {
    start: () => "",
    row(cells) {
      const pairs = cells.flatMap(({ text, json }, index) => (json === "null" ? [] : [`${columns[index] ?? ""}=${text === "" || /[\s="\\\p{Cc}]/u.test(text) ? JSON.stringify(text) : text}`]));
      if (pairs.length === 0) throw new ConversionError("CAST", "no field has a value, and an empty line of logfmt is no record", { line: 1 });
      return `${pairs.join(" ")}\n`;
    },
    end: () => "",
  };
}
