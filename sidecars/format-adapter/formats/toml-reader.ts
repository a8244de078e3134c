// pure
import { ConversionError } from "../conversion-error.ts";
import { LineCounter } from "./line-ends.ts";
import { readerLimitsDefault } from "./row.ts";
import { numberLeaf, type Leaf, type Tree } from "./tree.ts";

const { depthMax } = readerLimitsDefault;

/** Characters of comments and strings, without control characters; the negated classes are spelled with what is allowed. */
const comment = String.raw`#[\t\x20-\x7E\x80-\u{10FFFF}]*`;
const patterns = {
  comment: new RegExp(comment, "uy"),
  blank: new RegExp(`(?:[ \\t\\r\\n]|${comment})+`, "uy"),
  basic: /[\t\x20!\x23-\x5B\x5D-\x7E\x80-\u{10FFFF}]+/uy,
  literal: /[\t\x20-\x26\x28-\x7E\x80-\u{10FFFF}]*/uy,
  longBasic: /[\t\r\n\x20!\x23-\x5B\x5D-\x7E\x80-\u{10FFFF}]+/uy,
  longLiteral: /[\t\r\n\x20-\x26\x28-\x7E\x80-\u{10FFFF}]+/uy,
} as const;

type Table = { readonly kind: "map"; readonly entries: Map<string, Tree>; readonly line: number };
/** What made a table decides what may be added to it. */
type TableState = { origin: "implicit" | "header" | "dotted" | "inline" };

/**
 * A TOML 1.1 document. Numbers keep their digits (underscores and plus signs go, other bases become decimal, exactly), dates, times, inf and nan
 * are text as written. Written by hand because libraries make floats of 1.10 and milliseconds of microseconds.
 */
export function parseToml(text: string): Tree {
  return new TomlParser(text).document();
}

class TomlParser {
  readonly #text: string;
  #at = 0;
  readonly #root: Table = { kind: "map", entries: new Map(), line: 1 };
  readonly #states = new WeakMap<Tree, TableState>();
  /** Lists that [[headers]] made. */
  readonly #tableLists = new WeakSet<Tree>();
  readonly #lines = new LineCounter();
  #counted = 0;

  constructor(text: string) {
    this.#text = text;
    this.#states.set(this.#root, { origin: "header" });
  }

  document(): Tree {
    let current = this.#root;
    for (;;) {
      this.#blank();
      if (this.#at >= this.#text.length) return this.#root;
      if (this.#peek("[")) current = this.#header();
      else this.#pair(current);
      this.#lineEnd();
    }
  }

  /** [a.b] or [[a.b]]: the table that is meant. */
  #header(): Table {
    const line = this.#line();
    const isList = this.#peek("[[");
    this.#at += isList ? 2 : 1;
    const keys = this.#keys();
    if (!this.#peek(isList ? "]]" : "]")) throw this.#error("a table's name must be closed");
    this.#at += isList ? 2 : 1;
    let parent = this.#root;
    for (const key of keys.slice(0, -1)) parent = this.#step(parent, key, line);
    const last = keys.at(-1) ?? "";
    const there = parent.entries.get(last);
    if (isList) return this.#appended(parent, last, line);
    if (there === undefined) return this.#created(parent, last, line, "header");
    if (there.kind !== "map" || this.#states.get(there)?.origin !== "implicit") throw this.#double(keys);
    this.#states.set(there, { origin: "header" });
    return there as Table;
  }

  #appended(parent: Table, key: string, line: number): Table {
    const there = parent.entries.get(key);
    const item: Table = { kind: "map", entries: new Map(), line };
    this.#states.set(item, { origin: "header" });
    if (there === undefined) {
      const list: Tree = { kind: "list", items: [item] };
      this.#tableLists.add(list);
      parent.entries.set(key, list);
    } else if (there.kind === "list" && this.#tableLists.has(there)) (there.items as Tree[]).push(item);
    else throw this.#double([key]);
    return item;
  }

  /** One key further on the way of a header: through the last item of a list of tables. */
  #step(parent: Table, key: string, line: number): Table {
    const there = parent.entries.get(key);
    if (there === undefined) return this.#created(parent, key, line, "implicit");
    const table = there.kind === "list" && this.#tableLists.has(there) ? there.items.at(-1) : there;
    if (table?.kind !== "map" || this.#states.get(table)?.origin === "inline") throw this.#double([key]);
    return table as Table;
  }

  #created(parent: Table, key: string, line: number, origin: TableState["origin"]): Table {
    const table: Table = { kind: "map", entries: new Map(), line };
    this.#states.set(table, { origin });
    parent.entries.set(key, table);
    return table;
  }

  #pair(table: Table, depth = 0): void {
    const line = this.#line();
    const keys = this.#keys();
    if (!this.#peek("=")) throw this.#error("= must follow the key");
    this.#at++;
    this.#space();
    let parent = table;
    for (const key of keys.slice(0, -1)) {
      const there = parent.entries.get(key);
      if (there === undefined) parent = this.#created(parent, key, line, "dotted");
      else if (there.kind === "map" && this.#states.get(there)?.origin === "dotted") parent = there as Table;
      else throw this.#double(keys);
    }
    const last = keys.at(-1) ?? "";
    if (parent.entries.has(last)) throw this.#double(keys);
    parent.entries.set(last, this.#value(depth + 1));
  }

  #keys(): readonly string[] {
    const keys: string[] = [];
    for (;;) {
      this.#space();
      const first = this.#text[this.#at];
      if (first === '"') keys.push(this.#basic());
      else if (first === "'") keys.push(this.#literal());
      else keys.push(this.#match(/[A-Za-z0-9_-]+/y) ?? this.#fail("a key must be a name or a string"));
      if (keys.length > depthMax) throw this.#deep();
      this.#space();
      if (!this.#peek(".")) return keys;
      this.#at++;
    }
  }

  #value(depth: number): Tree {
    if (depth > depthMax) throw this.#deep();
    const first = this.#text[this.#at];
    if (first === '"') return { kind: "text", text: this.#peek('"""') ? this.#long('"""') : this.#basic() };
    if (first === "'") return { kind: "text", text: this.#peek("'''") ? this.#long("'''") : this.#literal() };
    if (first === "[") return this.#array(depth);
    if (first === "{") return this.#inline(depth);
    return this.#bare();
  }

  #array(depth: number): Tree {
    const items: Tree[] = [];
    this.#at++;
    for (;;) {
      this.#blank();
      if (this.#peek("]")) break;
      items.push(this.#value(depth + 1));
      this.#blank();
      if (this.#peek("]")) break;
      if (!this.#peek(",")) throw this.#error('"," or "]" must follow');
      this.#at++;
    }
    this.#at++;
    return { kind: "list", items };
  }

  #inline(depth: number): Tree {
    const table: Table = { kind: "map", entries: new Map(), line: this.#line() };
    this.#states.set(table, { origin: "inline" });
    this.#at++;
    for (;;) {
      this.#blank();
      if (this.#peek("}")) break;
      this.#pair(table, depth);
      this.#blank();
      if (this.#peek("}")) break;
      if (!this.#peek(",")) throw this.#error('"," or "}" must follow');
      this.#at++;
    }
    this.#at++;
    for (const value of table.entries.values()) if (value.kind === "map") this.#states.set(value, { origin: "inline" });
    return table;
  }

  #bare(): Leaf {
    const date = this.#match(/\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)?)?|\d\d:\d\d(?::\d\d(?:\.\d+)?)?/y);
    if (date !== undefined) return this.#checkedDate(date);
    const word = this.#match(/[A-Za-z0-9_.+-]+/y) ?? "";
    if (word === "true" || word === "false") return { kind: "boolean", text: word };
    if (/^[+-]?(?:inf|nan)$/.test(word)) return { kind: "text", text: word };
    const digits = word.replace(/(?<=[0-9A-Fa-f])_(?=[0-9A-Fa-f])/g, "");
    if (/^0(?:x[0-9A-Fa-f]+|o[0-7]+|b[01]+)$/.test(digits)) return numberLeaf(BigInt(digits).toString());
    if (/^[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(digits)) return numberLeaf(digits.replace(/^\+/, ""));
    this.#at -= word.length;
    throw this.#error("not a TOML value");
  }

  /** Days and times that there are. */
  #checkedDate(text: string): Leaf {
    const day = /^\d{4}-\d\d-\d\d/.exec(text)?.[0];
    const hour = /(?:^|[Tt ])(\d\d:\d\d(?::\d\d)?)/.exec(text)?.[1];
    const isDay = day === undefined || new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day);
    if (!isDay || (hour !== undefined && !/^(?:[01]\d|2[0-3]):[0-5]\d(?::(?:[0-5]\d|60))?$/.test(hour))) {
      this.#at -= text.length;
      throw this.#error("there is no such day or time");
    }
    return { kind: "text", text };
  }

  #basic(): string {
    let value = "";
    this.#at++;
    for (;;) {
      value += this.#match(patterns.basic) ?? "";
      const next = this.#text[this.#at];
      if (next === '"') break;
      if (next !== "\\") throw this.#error("a string must be closed on its line");
      value += this.#escape();
    }
    this.#at++;
    return value;
  }

  #literal(): string {
    this.#at++;
    const value = this.#match(patterns.literal) ?? "";
    if (!this.#peek("'")) throw this.#error("a string must be closed on its line");
    this.#at++;
    return value;
  }

  /** A string over several lines. */
  #long(quotes: '"""' | "'''"): string {
    let value = "";
    this.#at += 3;
    this.#match(/\r?\n/y);
    const plain = quotes === '"""' ? patterns.longBasic : patterns.longLiteral;
    for (;;) {
      value += this.#match(plain) ?? "";
      if (this.#peek(quotes)) {
        this.#at += 3;
        for (let more = 0; more < 2 && this.#text[this.#at] === quotes[0]; more++, this.#at++) value += quotes[0];
        return value;
      }
      if (this.#text[this.#at] === quotes[0]) value += this.#text[this.#at++];
      else if (quotes === '"""' && this.#peek("\\")) value += this.#match(/\\[ \t]*\r?\n[ \t\r\n]*/y) === undefined ? this.#escape() : "";
      else throw this.#error("a string is not closed");
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? "";
    const simple = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\u001B", '"': '"', "\\": "\\" }[letter];
    if (simple !== undefined) {
      this.#at += 2;
      return simple;
    }
    const digits = /^\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/.exec(this.#text.slice(this.#at, this.#at + 10));
    const code = Number.parseInt(digits?.[1] ?? digits?.[2] ?? digits?.[3] ?? "", 16);
    if (digits === null || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw this.#error("not an escape that TOML knows");
    this.#at += digits[0].length;
    return String.fromCodePoint(code);
  }

  #lineEnd(): void {
    this.#space();
    this.#match(patterns.comment);
    if (this.#at < this.#text.length && this.#match(/\r?\n/y) === undefined) throw this.#error("the line must end here");
  }

  /** Space, comments and line ends. */
  #blank(): void {
    this.#match(patterns.blank);
  }

  #space(): void {
    this.#match(/[ \t]+/y);
  }

  #peek(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  /** The line of what comes next. */
  #line(): number {
    for (; this.#counted < this.#at; this.#counted++) this.#lines.take(this.#text.charCodeAt(this.#counted));
    return this.#lines.line;
  }

  #double(keys: readonly string[]): ConversionError {
    return new ConversionError("COLUMN", `"${keys.join(".")}" is there already`, { line: this.#line(), column: keys.join(".") });
  }

  #deep(): ConversionError {
    return new ConversionError("LIMIT", `nested deeper than ${depthMax}`, { line: this.#line() });
  }

  #error(message: string): ConversionError {
    const rest = this.#text.slice(this.#at, this.#at + 40);
    // Where line ends may stand they are passed over before: one that is left ends what was begun, and nothing that follows would mend it.
    return new ConversionError(/^[ \t]*\r?$/.test(this.#text.slice(this.#at)) ? "INCOMPLETE" : "SYNTAX", `not TOML: ${message}`, { line: this.#line(), sample: rest });
  }

  #fail(message: string): never {
    throw this.#error(message);
  }
}
