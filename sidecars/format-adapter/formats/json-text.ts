// pure
import { ConversionError } from "../conversion-error.ts";
import type { CellKind } from "./row.ts";

export type JsonCell = { readonly kind: CellKind; readonly text: string };

const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;

const words = [["true", "boolean"], ["false", "boolean"], ["null", "null"]] as const;

/**
 * Parses the text of one JSON object (RFC 8259) into cells by key, strictly: double keys, trailing commas, bare words and lone surrogates are
 * errors. Numbers keep their digits; objects and arrays inside are checked and kept as JSON text.
 */
export function parseJsonRecord(text: string, line: number, depthMax: number): ReadonlyMap<string, JsonCell> {
  const parser = new JsonParser(text, line, depthMax);
  const cells = parser.record();
  parser.expectEnd();
  return cells;
}

/** Whether the text is one JSON object, as parseJsonRecord takes it. */
export function isJsonRecord(text: string): boolean {
  try {
    parseJsonRecord(text, 1, Infinity);
    return true;
  } catch (error) {
    if (error instanceof ConversionError) return false;
    throw error;
  }
}

/** Checks an object or a list as those inside of records are checked; `line` is asked for when it is wrong. */
export function checkNested(text: string, line: () => number): void {
  try {
    parseJsonRecord(`{"nested":${text}}`, 0, Infinity);
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw new ConversionError(error.code, error.message, { line: line(), column: error.column, sample: error.sample });
  }
}

/** Whether JSON, whole or not, has more levels than these. */
export function isDeeper(text: string, depthMax: number): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (depth > depthMax) return true;
  }
  return false;
}

/** JSON text without the white space between its parts, which might hold line ends. */
export function compactJson(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1");
}

class JsonParser {
  readonly #text: string;
  readonly #line: number;
  readonly #depthMax: number;
  #position = 0;

  constructor(text: string, line: number, depthMax: number) {
    this.#text = text;
    this.#line = line;
    this.#depthMax = depthMax;
  }

  record(): ReadonlyMap<string, JsonCell> {
    const cells = new Map<string, JsonCell>();
    this.#space();
    if (this.#text[this.#position] !== "{") throw this.#error("a record must be a JSON object");
    this.#members((key) => {
      if (cells.has(key)) throw new ConversionError("COLUMN", `the key "${key}" appears twice in one record`, { line: this.#line, column: key });
      cells.set(key, this.#cell());
    });
    return cells;
  }

  expectEnd(): void {
    this.#space();
    if (this.#position < this.#text.length) throw this.#error("text after the record");
  }

  #cell(): JsonCell {
    const first = this.#text[this.#position];
    if (first === '"') return { kind: "text", text: this.#string() };
    const from = this.#position;
    const kind = this.#value(2); // the record is the first level
    return { kind, text: this.#text.slice(from, this.#position) };
  }

  /** Skips one value, checking it. */
  #value(depth: number): CellKind {
    const first = this.#text[this.#position];
    if (depth > this.#depthMax && (first === "{" || first === "[")) throw new ConversionError("LIMIT", `nested deeper than ${this.#depthMax}`, { line: this.#line });
    if (first === "{") {
      const keys = new Set<string>();
      this.#members((key) => {
        if (keys.has(key)) throw new ConversionError("COLUMN", `the key "${key}" appears twice in one object`, { line: this.#line, column: key });
        keys.add(key);
        this.#value(depth + 1);
      });
      return "nested";
    }
    if (first === "[") {
      this.#elements(() => this.#value(depth + 1));
      return "nested";
    }
    if (first === '"') {
      this.#string();
      return "text";
    }
    if (this.#number()) return "number";
    for (const [word, kind] of words) {
      if (!this.#text.startsWith(word, this.#position)) continue;
      this.#position += word.length;
      return kind;
    }
    throw this.#error("not a JSON value");
  }

  #members(onKey: (key: string) => void): void {
    this.#sequence("}", () => {
      if (this.#text[this.#position] !== '"') throw this.#error("a key must be a string");
      const key = this.#string();
      this.#space();
      if (this.#text[this.#position] !== ":") throw this.#error("a colon must follow the key");
      this.#position++;
      this.#space();
      onKey(key);
    });
  }

  #elements(onElement: () => void): void {
    this.#sequence("]", onElement);
  }

  #sequence(close: "}" | "]", onItem: () => void): void {
    this.#position++;
    this.#space();
    if (this.#text[this.#position] === close) {
      this.#position++;
      return;
    }
    while (true) {
      onItem();
      this.#space();
      const next = this.#text[this.#position++];
      if (next === close) return;
      if (next !== ",") {
        this.#position--;
        throw this.#error(`"," or "${close}" must follow`);
      }
      this.#space();
    }
  }

  #string(): string {
    const text = this.#text;
    let from = ++this.#position;
    let value = "";
    let mayHoldHalves = false;
    while (true) {
      const code = text.charCodeAt(this.#position);
      if (code === 34) break;
      if (code === 92) {
        value += text.slice(from, this.#position) + this.#escape();
        from = this.#position;
        mayHoldHalves = true;
        continue;
      }
      if (!(code >= 32)) throw this.#error(Number.isNaN(code) ? "a string is not closed" : "a control character inside a string must be escaped");
      if (code >= 0xd800) mayHoldHalves = true;
      this.#position++;
    }
    value = value === "" ? text.slice(from, this.#position) : value + text.slice(from, this.#position);
    this.#position++;
    if (mayHoldHalves && !value.isWellFormed()) throw this.#error("a string holds half a surrogate pair, which UTF-8 cannot carry");
    return value;
  }

  #escape(): string {
    const letter = this.#text[this.#position + 1] ?? "";
    const simple = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }[letter];
    if (simple !== undefined) {
      this.#position += 2;
      return simple;
    }
    const digits = this.#text.slice(this.#position + 2, this.#position + 6);
    if (letter !== "u" || !/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#error("not an escape that JSON knows");
    this.#position += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #space(): void {
    while (true) {
      const code = this.#text.charCodeAt(this.#position);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
      this.#position++;
    }
  }

  #number(): boolean {
    numberForm.lastIndex = this.#position;
    if (!numberForm.test(this.#text)) return false;
    this.#position = numberForm.lastIndex;
    return true;
  }

  #error(message: string): ConversionError {
    return new ConversionError("SYNTAX", `not JSON: ${message}`, { line: this.#line, sample: this.#text.slice(Math.max(0, this.#position - 20), this.#position + 40) });
  }
}
