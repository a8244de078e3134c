// pure
import { ConversionError } from "../conversion-error.ts";
import { createLineReader } from "./line-reader.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./row.ts";
import { RecordSink, type Leaf } from "./tree.ts";
import type { TextWriter } from "./writers.ts";

/**
 * Reads INI: each section is a record, its name in the column `section`, its keys the other columns; keys before the first section are a record
 * without that column. `key = value`, spaces and tabs around both are nothing, and one pair of quotes around a value too; a line that begins with
 * `;` or `#` is a comment, and nothing else is one. Values are text. The same key twice in a section, and the same section twice, are errors.
 */
export function createIniReader(section: string, handler: RecordHandler): RecordReader {
  const sink = new RecordSink(handler, readerLimitsDefault);
  const sections = new Set<string>();
  let entries = new Map<string, Leaf>();
  let begin = 1;
  const flush = (): void => {
    if (entries.size > 0) sink.take({ kind: "map", entries, line: begin });
  };
  return createLineReader((text, line) => {
    const trimmed = trimEnds(text);
    if (trimmed === "" || trimmed.startsWith(";") || trimmed.startsWith("#")) return;
    if (trimmed.startsWith("[")) {
      const inside = /^\[(.*)\]$/s.exec(trimmed)?.[1];
      const name = inside === undefined ? undefined : trimEnds(inside);
      if (name === undefined) throw new ConversionError("SYNTAX", 'not INI: "[" without "]"', { line, sample: text });
      if (sections.has(name)) throw new ConversionError("COLUMN", `the section "${name}" appears twice`, { line, sample: text });
      if (sections.size >= sectionsMax) throw new ConversionError("LIMIT", `more than ${sectionsMax} sections`, { line });
      flush();
      sections.add(name);
      entries = new Map([[section, { kind: "text", text: name }]]);
      begin = line;
      return;
    }
    const at = trimmed.indexOf("=");
    if (at <= 0) throw new ConversionError("SYNTAX", "not INI: a line must be key = value, [section] or a comment", { line, sample: text });
    const key = trimEnds(trimmed.slice(0, at));
    if (entries.has(key)) throw new ConversionError("COLUMN", `the key "${key}" appears twice in one section`, { line, column: key });
    if (entries.size === 0) begin = line;
    const value = trimEnds(trimmed.slice(at + 1));
    entries.set(key, { kind: "text", text: quotedForm.exec(value)?.[1] ?? value });
  }, flush);
}

const sectionsMax = 1_000_000;
const quotedForm = /^"(.*)"$/s;

/** Without spaces and tabs at its ends; any other white space, such as a no-break space, is data. */
function trimEnds(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/(?<![ \t])[ \t]+$/, "");
}

/** Writes INI: a section for each record, named by the field `section`; without that field one record's keys alone. What is null is left out. */
export function createIniWriter(section: string, columns: readonly string[]): TextWriter {
  for (const column of columns) if (column !== section && !/^[^\s=;#[\]"][^=\r\n]*(?<!\s)$/.test(column)) throw new ConversionError("COLUMN", `"${column}" can be no key of INI`, { line: 1, column });
  const names = new Set<string>();
  return {
    start: () => "",
    row(cells) {
      const lines: string[] = [];
      let name: string | undefined;
      for (const [index, { text, json }] of cells.entries()) {
        const column = columns[index] ?? "";
        if (/[\r\n]/.test(text)) throw new ConversionError("CAST", "INI cannot hold a line end in a value", { line: 1, column, sample: text });
        if (column === section) name = text;
        else if (json !== "null") lines.push(`${column} = ${text.trim() !== text || quotedForm.test(text) ? `"${text}"` : text}\n`);
      }
      if (name !== undefined && (name.trim() !== name || name === "")) throw new ConversionError("CAST", "no name of a section", { line: 1, column: section, sample: name });
      if (names.has(name ?? "")) throw new ConversionError("COLUMN", name === undefined ? `INI without the field "${section}" holds one record` : `the section "${name}" would come twice`, { line: 1, column: section });
      if (name === undefined && lines.length === 0) throw new ConversionError("CAST", "no field has a value, and INI without sections and keys has no record", { line: 1 });
      const isFirst = names.size === 0;
      names.add(name ?? "");
      return `${isFirst ? "" : "\n"}${name === undefined ? "" : `[${name}]\n`}${lines.join("")}`;
    },
    end: () => "",
  };
}

/**
 * Reads properties as java.util.Properties does, from UTF-8: the file is one record, its keys the columns. `key=value`, `key: value` or
 * `key value`; comments begin with `#` or `!`; a backslash at a line's end joins the next; escapes are \t \n \r \f \uXXXX, and any other escaped
 * character is itself. A key twice is an error. A file without keys has no record.
 */
export function createPropertiesReader(handler: RecordHandler): RecordReader {
  const sink = new RecordSink(handler, readerLimitsDefault);
  const entries = new Map<string, Leaf>();
  let joined: string | undefined;
  let begin = 0;
  const take = (text: string, line: number): void => {
    const match = /^((?:[^\\=: \t\f]|\\.)*)[ \t\f]*(?:[=:][ \t\f]*)?(.*)$/s.exec(text);
    const key = unescaped(match?.[1] ?? "", line);
    if (entries.has(key)) throw new ConversionError("COLUMN", `the key "${key}" appears twice`, { line, column: key });
    if (entries.size >= readerLimitsDefault.columnsMax) throw new ConversionError("LIMIT", `more than ${readerLimitsDefault.columnsMax} keys`, { line });
    entries.set(key, { kind: "text", text: unescaped(match?.[2] ?? "", line) });
  };
  return createLineReader((given, line) => {
    const text = given.replace(/^[ \t\f]+/, "");
    if (joined === undefined && (text === "" || /^[#!]/.test(text))) return;
    if (joined === undefined) begin = line;
    const whole = (joined ?? "") + text;
    if (whole.length > readerLimitsDefault.recordCharsMax) throw new ConversionError("LIMIT", `a value is longer than ${readerLimitsDefault.recordCharsMax} characters`, { line: begin });
    if ((/\\+$/.exec(whole)?.[0].length ?? 0) % 2 === 1) joined = whole.slice(0, -1);
    else {
      joined = undefined;
      take(whole, begin);
    }
  }, () => {
    if (joined !== undefined) take(joined, begin);
    if (entries.size > 0) sink.take({ kind: "map", entries, line: 1 });
  });
}

function unescaped(text: string, line: number): string {
  const value = text.replace(/\\(?:u([\da-fA-F]{4})|(.))/gs, (_, code: string | undefined, letter: string | undefined) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    if (letter === "u") throw new ConversionError("SYNTAX", "\\u must be followed by four hexadecimal digits", { line, sample: text });
    return { t: "\t", n: "\n", r: "\r", f: "\f" }[letter ?? ""] ?? letter ?? "";
  });
  if (!value.isWellFormed()) throw new ConversionError("SYNTAX", "a value holds half a surrogate pair, which UTF-8 cannot carry", { line, sample: text });
  return value;
}

/** Writes properties: one record's fields, `key=value` a line, in UTF-8. A second record is an error. What is null is left out. */
export function createPropertiesWriter(columns: readonly string[]): TextWriter {
  const escaped = (text: string, isKey: boolean): string => text.replace(isKey ? /[\\=:#! \t\n\r\f]/g : /\\|^[ \t\f]|[\n\r\t\f]/g, (character) => ({ "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f" })[character] ?? `\\${character}`);
  let isWritten = false;
  return {
    start: () => "",
    row(cells) {
      if (isWritten) throw new ConversionError("COLUMN", "a properties file holds one record", { line: 1 });
      const lines = cells.flatMap(({ text, json }, index) => (json === "null" ? [] : [`${escaped(columns[index] ?? "", true)}=${escaped(text, false)}\n`]));
      if (lines.length === 0) throw new ConversionError("CAST", "no field has a value, and properties without keys are no record", { line: 1 });
      isWritten = true;
      return lines.join("");
    },
    end: () => "",
  };
}
