// pure
import { ConversionError } from "../conversion-error.ts";
import { parseJsonRecord, type JsonCell } from "./json-text.ts";
import { unknownAround } from "./tree.ts";

/**
 * Where the records stand in a JSON document: at these keys, none for the top. There is a list of them, or one of them. `constants` are values
 * of the document that stand before the records and become columns of each: by the column's name, the keys that lead to it. With `strict` the
 * objects around the records have no other keys than those that lead to records and constants, and those that are `ignored` with all that is in them.
 */
export type JsonAroundOptions = { readonly records: readonly string[]; readonly constants: ReadonlyMap<string, readonly string[]>; readonly ignored: readonly (readonly string[])[]; readonly strict?: boolean };

/** What the document is wanted for, by key. */
type Wanted = { readonly children: Map<string, Wanted>; isRecords: boolean; /** The object may have keys that nobody wants. */ hasOthers: boolean; readonly columns: string[]; readonly path: string };
type Level = { readonly keys: Set<string> | undefined; /** Of the object; undefined where nothing inside is wanted. */ readonly wanted: Wanted | undefined; key: string; keptCharacters: number };
type Mode = "value" | "firstElement" | "firstKey" | "key" | "colon" | "after" | "string" | "bare" | "over";

const depthMax = 128;
const keyBytesMax = 65_536;
const bareBytesMax = 4_096;
const constantBytesMax = 65_536;
/** Of the keys of all objects that are open around the records: none of them may come twice. */
const keptCharactersMax = 4_194_304;
const bareForm = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)$/;

/**
 * Reads what stands before and behind the records of a JSON document (RFC 8259), in pieces of UTF-8 that are cut anywhere, and finds where the
 * records begin. Strict, as records are: no double keys, no trailing commas, no half surrogate pairs. Memory is bounded by the limits
 * above. Whether the bytes are UTF-8 is not looked at. Throws ConversionError.
 */
export class JsonAround {
  readonly #options: JsonAroundOptions;
  readonly #wanted: Wanted;
  readonly #levels: Level[] = [];
  readonly #constants = new Map<string, JsonCell>();
  #mode: Mode = "value";
  #keptCharacters = 0;
  // The string or bare word under way.
  #isKey = false;
  #token: Buffer[] | undefined;
  #tokenBytes = 0;
  /** Of an escape: -1 for none, 0 behind the backslash, then how many hexadecimal digits are still to come, and the code so far. */
  #escape = -1;
  #code = 0;
  #awaitsLow = false;
  /** The value that is kept for a constant: its pieces, and how many levels were open where it began. */
  #kept: { readonly columns: readonly string[]; readonly pieces: Buffer[]; bytes: number; readonly depth: number } | undefined;
  #keptFrom = 0;
  /** "records": the records begin at the next byte, and what is theirs is read by somebody else until `resume`. */
  place: "before" | "records" | "behind" = "before";
  #isList = true;
  /** The line of the document's end. */
  #lastLine = 1;
  #line: (at: number) => number = () => 1;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(options: JsonAroundOptions) {
    this.#options = options;
    this.#wanted = wantedOf(options);
  }

  /** Whether the records are a list; otherwise there is one. */
  get isList(): boolean {
    return this.#isList;
  }

  /** The constants, as they are known when the records begin. */
  get constants(): ReadonlyMap<string, JsonCell> {
    return this.#constants;
  }

  /** The records are over. */
  resume(): void {
    this.place = "behind";
    this.#mode = this.#levels.length === 0 ? "over" : "after";
  }

  /** Takes bytes, up to where the records begin; gives how many. `line` tells the line of a position in them. */
  take(bytes: Buffer, line: (at: number) => number): number {
    this.#bytes = bytes;
    this.#line = line;
    this.#keptFrom = 0;
    let at = 0;
    while (at < bytes.length && this.place !== "records") at = this.#step(at);
    this.#keep(at);
    this.#bytes = Buffer.alloc(0);
    return at;
  }

  /** The document is over. `line` is its last. */
  end(line: number): void {
    if (this.place !== "before" && this.#mode === "over") return;
    if (this.#mode === "over") throw new ConversionError("COLUMN", `the document has no "${this.#options.records.join(".")}", where its records are to stand`, { line: this.#lastLine, column: this.#options.records.join(".") });
    throw new ConversionError("INCOMPLETE", this.place === "records" ? "the records are not closed" : "the JSON document is not closed", { line });
  }

  #step(at: number): number {
    switch (this.#mode) {
      case "string":
        return this.#string(at);
      case "bare":
        return this.#bare(at);
      default: {
        const byte = this.#bytes[at] ?? 0;
        return byte === 32 || byte === 9 || byte === 10 || byte === 13 ? at + 1 : this.#punctuation(at, byte);
      }
    }
  }

  #punctuation(at: number, byte: number): number {
    const level = this.#levels.at(-1);
    switch (this.#mode) {
      case "firstKey":
      case "key":
        if (byte === 125 && this.#mode === "firstKey") return this.#close(at);
        if (byte !== 34) throw this.#fault("a key must be a string", at);
        this.#openString(true);
        return at + 1;
      case "colon":
        if (byte !== 58) throw this.#fault("a colon must follow the key", at);
        this.#mode = "value";
        return at + 1;
      case "after":
        if (byte === 44) {
          this.#mode = level?.keys === undefined ? "value" : "key";
          return at + 1;
        }
        if (byte !== (level?.keys === undefined ? 93 : 125)) throw this.#fault(`"," or "${level?.keys === undefined ? "]" : "}"}" must follow`, at);
        return this.#close(at);
      case "over":
        throw this.#fault("text after the document", at);
      case "firstElement":
        if (byte === 93) return this.#close(at);
        return this.#value(at, byte, undefined);
      default:
        return this.#value(at, byte, level === undefined ? this.#wanted : level.wanted?.children.get(level.key));
    }
  }

  /** The value that begins here; what of it is wanted. */
  #value(at: number, byte: number, wanted: Wanted | undefined): number {
    if (wanted?.isRecords === true) {
      if (byte !== 91 && byte !== 123) throw this.#fault(`${wanted.path === "" ? "the document" : `"${wanted.path}"`} must be a list of records, or one record`, at);
      this.#isList = byte === 91;
      this.#checkConstants(at);
      this.place = "records";
      return at;
    }
    const outer = this.#levels.at(-1);
    if (wanted === undefined && outer?.keys !== undefined && outer.wanted?.hasOthers === false) throw unknownAround([...(outer.wanted.path === "" ? [] : [outer.wanted.path]), outer.key].join("."), this.#line(at));
    if (wanted !== undefined && wanted.columns.length > 0) {
      if (this.place === "behind") throw new ConversionError("COLUMN", `"${wanted.path}" stands behind the records; only what stands before them can be a column of each`, { line: this.#line(at), column: wanted.columns[0] });
      this.#kept = { columns: wanted.columns, pieces: [], bytes: 0, depth: this.#levels.length };
      this.#keptFrom = at;
    }
    if (byte === 123 || byte === 91) {
      if (this.#levels.length >= depthMax) throw new ConversionError("LIMIT", `nested deeper than ${depthMax}`, { line: this.#line(at) });
      this.#levels.push({ keys: byte === 123 ? new Set() : undefined, wanted: byte === 123 ? wanted : undefined, key: "", keptCharacters: 0 });
      this.#mode = byte === 123 ? "firstKey" : "firstElement";
      return at + 1;
    }
    if (byte === 34) {
      this.#openString(false);
      return at + 1;
    }
    if (!isBare(byte)) throw this.#fault("not a JSON value", at);
    this.#mode = "bare";
    this.#token = [];
    this.#tokenBytes = 0;
    return at;
  }

  #checkConstants(at: number): void {
    for (const [column, path] of this.#options.constants) {
      if (!this.#constants.has(column)) throw new ConversionError("COLUMN", `"${path.join(".")}" does not stand before the records; only what does can be a column of each`, { line: this.#line(at), column });
    }
  }

  #close(at: number): number {
    const level = this.#levels.pop();
    this.#keptCharacters -= level?.keptCharacters ?? 0;
    return this.#ended(at + 1);
  }

  /** A value ends before `at`. */
  #ended(at: number): number {
    this.#mode = this.#levels.length === 0 ? "over" : "after";
    if (this.#mode === "over") this.#lastLine = this.#line(at);
    if (this.#kept?.depth !== this.#levels.length) return at;
    this.#keep(at);
    const { columns, pieces } = this.#kept;
    this.#kept = undefined;
    const cell = parseJsonRecord(`{"value":${Buffer.concat(pieces).toString("utf8")}}`, 1, depthMax).get("value");
    if (cell !== undefined) for (const column of columns) this.#constants.set(column, cell);
    return at;
  }

  /** Keeps what of a constant stands before `at`. */
  #keep(at: number): void {
    if (this.#kept === undefined) return;
    this.#kept.pieces.push(Buffer.from(this.#bytes.subarray(this.#keptFrom, at)));
    this.#kept.bytes += at - this.#keptFrom;
    this.#keptFrom = at;
    const [column] = this.#kept.columns;
    if (this.#kept.bytes > constantBytesMax) throw new ConversionError("LIMIT", `a value for each record is longer than ${constantBytesMax} bytes`, { line: this.#line(at), column });
  }

  #openString(isKey: boolean): void {
    this.#mode = "string";
    this.#isKey = isKey;
    this.#token = isKey ? [] : undefined;
    this.#tokenBytes = 0;
    this.#escape = -1;
    this.#awaitsLow = false;
  }

  /** Goes on in a string. */
  #string(from: number): number {
    const bytes = this.#bytes;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (this.#escape >= 0) this.#escaped(at, byte);
      else if (byte === 34) {
        if (this.#awaitsLow) throw this.#half(at);
        this.#takeToken(from, at);
        if (!this.#isKey) return this.#ended(at + 1);
        this.#key(at);
        return at + 1;
      } else if (byte === 92) this.#escape = 0;
      else if (byte < 32) throw this.#fault("a control character inside a string must be escaped", at);
      else if (this.#awaitsLow) throw this.#half(at);
    }
    this.#takeToken(from, bytes.length);
    return bytes.length;
  }

  /** A byte behind a backslash. */
  #escaped(at: number, byte: number): void {
    if (this.#escape === 0) {
      const isLetter = byte === 34 || byte === 92 || byte === 47 || byte === 98 || byte === 102 || byte === 110 || byte === 114 || byte === 116;
      if (!isLetter && byte !== 117) throw this.#fault("not an escape that JSON knows", at);
      if (isLetter && this.#awaitsLow) throw this.#half(at);
      this.#escape = isLetter ? -1 : 4;
      this.#code = 0;
      return;
    }
    const digit = Number.parseInt(String.fromCharCode(byte), 16);
    if (Number.isNaN(digit)) throw this.#fault("not an escape that JSON knows", at);
    this.#code = this.#code * 16 + digit;
    this.#escape--;
    if (this.#escape > 0) return;
    this.#escape = -1;
    const isLow = this.#code >= 0xdc00 && this.#code < 0xe000;
    if (isLow !== this.#awaitsLow) throw this.#half(at);
    this.#awaitsLow = this.#code >= 0xd800 && this.#code < 0xdc00;
  }

  #half(at: number): ConversionError {
    return this.#fault("a string holds half a surrogate pair, which UTF-8 cannot carry", at);
  }

  #takeToken(from: number, to: number): void {
    if (this.#token === undefined || to === from) return;
    this.#token.push(Buffer.from(this.#bytes.subarray(from, to)));
    this.#tokenBytes += to - from;
    const most = this.#mode === "bare" ? bareBytesMax : keyBytesMax;
    if (this.#tokenBytes > most) throw new ConversionError("LIMIT", `a ${this.#mode === "bare" ? "number" : "key"} is longer than ${most} bytes`, { line: this.#line(from) });
  }

  #key(at: number): void {
    const level = this.#levels.at(-1);
    const key = JSON.parse(`"${Buffer.concat(this.#token ?? []).toString("utf8")}"`) as string;
    this.#mode = "colon";
    if (level?.keys === undefined) return;
    if (level.keys.has(key)) throw new ConversionError("COLUMN", `the key "${key}" appears twice in one object`, { line: this.#line(at), column: key });
    level.keys.add(key);
    level.key = key;
    level.keptCharacters += key.length + 16;
    this.#keptCharacters += key.length + 16;
    if (this.#keptCharacters > keptCharactersMax) throw new ConversionError("LIMIT", `the objects around the records have keys of more than ${keptCharactersMax} characters`, { line: this.#line(at) });
  }

  /** Goes on in a number or a word. */
  #bare(from: number): number {
    let at = from;
    while (at < this.#bytes.length && isBare(this.#bytes[at] ?? 0)) at++;
    this.#takeToken(from, at);
    if (at === this.#bytes.length) return at;
    if (!bareForm.test(Buffer.concat(this.#token ?? []).toString("latin1"))) throw this.#fault("not a JSON value", from);
    return this.#ended(at);
  }

  #fault(message: string, at: number): ConversionError {
    return new ConversionError("SYNTAX", `not JSON: ${message}`, { line: this.#line(at), sample: this.#bytes.toString("utf8", at, at + 40) });
  }
}

function isBare(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || byte === 45 || byte === 43 || byte === 46;
}

function wantedOf({ records, constants, ignored, strict = false }: JsonAroundOptions): Wanted {
  const root: Wanted = { children: new Map(), isRecords: false, hasOthers: !strict, columns: [], path: "" };
  const at = (path: readonly string[]): Wanted => {
    let found = root;
    for (const [depth, key] of path.entries()) {
      const next: Wanted = found.children.get(key) ?? { children: new Map(), isRecords: false, hasOthers: !strict, columns: [], path: path.slice(0, depth + 1).join(".") };
      found.children.set(key, next);
      found = next;
    }
    return found;
  };
  at(records).isRecords = true;
  for (const [column, path] of constants) at(path).columns.push(column);
  for (const path of ignored) at(path).hasOthers = true;
  return root;
}
