// pure
import { ConversionError } from "../conversion-error.ts";
import type { CellKind } from "./row.ts";

export type JsonCell = { readonly kind: CellKind; readonly text: string };

const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const spaceForm = /[ \t\n\r]*/y;
// Up to the next quote, backslash or control character.
// eslint-disable-next-line no-control-regex
const plainForm = /[^"\\\u0000-\u001F]*/y;

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
    const kind = this.#value(1);
    return { kind, text: this.#text.slice(from, this.#position) };
  }

  /** Skips one value, checking it. */
  #value(depth: number): CellKind {
    if (depth > this.#depthMax) throw new ConversionError("LIMIT", `nested deeper than ${this.#depthMax}`, { line: this.#line });
    const first = this.#text[this.#position];
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
    for (const [word, kind] of [["true", "boolean"], ["false", "boolean"], ["null", "null"]] as const) {
      if (!this.#text.startsWith(word, this.#position)) continue;
      this.#position += word.length;
      return kind;
    }
    if (this.#match(numberForm) === "") throw this.#error("not a JSON value");
    return "number";
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
    this.#position++;
    let value = "";
    while (true) {
      value += this.#match(plainForm);
      const next = this.#text[this.#position];
      if (next === '"') {
        this.#position++;
        if (!value.isWellFormed()) throw this.#error("a string holds half a surrogate pair, which UTF-8 cannot carry");
        return value;
      }
      if (next !== "\\") throw this.#error(next === undefined ? "a string is not closed" : "a control character inside a string must be escaped");
      value += this.#escape();
    }
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
    this.#match(spaceForm);
  }

  #match(form: RegExp): string {
    form.lastIndex = this.#position;
    const found = form.exec(this.#text)?.[0] ?? "";
    this.#position += found.length;
    return found;
  }

  #error(message: string): ConversionError {
    return new ConversionError("SYNTAX", `not JSON: ${message}`, { line: this.#line, sample: this.#text.slice(Math.max(0, this.#position - 20), this.#position + 40) });
  }
}
