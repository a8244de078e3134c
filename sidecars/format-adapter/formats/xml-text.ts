// pure
import { ConversionError, shorten } from "../conversion-error.ts";
import { countLineEnds } from "./line-ends.ts";

export const xmlLimits = { depthMax: 128, attributesMax: 256, nameBytesMax: 1_000, referenceMax: 32 } as const;

/** The text ends inside of something; more of it may follow. */
export class Unfinished extends Error {}

/** An attribute as it is written, its value undone. */
export type XmlAttribute = { readonly name: string; readonly value: string };
export type XmlElement = { readonly name: string; readonly attributes: readonly XmlAttribute[]; readonly elements: readonly XmlElement[]; readonly text: string };
export type XmlTag = { readonly name: string; readonly attributes: readonly XmlAttribute[]; readonly isEmpty: boolean };

const white = /[ \t\r\n]*/y;
const name = /[:A-Za-z_\u0080-\u{10ffff}][-.:\w\u0080-\u{10ffff}]*/uy;
const referenceForm = /&[#\dA-Za-z]*/y;
const noCharacter = /(?![\t\n\r\u007f-\u009f])\p{Cc}|[\ufffe\uffff]/u;
const declarationForm = /^[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]"|'1\.[0-9]')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*$/;
const entities: ReadonlyMap<string, string> = new Map([["lt", "<"], ["gt", ">"], ["amp", "&"], ["quot", '"'], ["apos", "'"]]);

export function isWhite(text: string): boolean {
  return /^[ \t\r\n]*$/.test(text);
}

/**
 * Reads the parts of an XML 1.0 document from a text that may be a piece of it. Strict but for names, whose characters above ASCII
 * are not looked at. Entities are the five that XML has and numbers: nothing is ever declared, expanded or fetched. Throws
 * ConversionError, and Unfinished where the text is over.
 */
export class XmlText {
  readonly text: string;
  readonly #line: number;
  #countedFrom: number | undefined;
  at: number;

  constructor(text: string, at: number, line: number) {
    this.text = text;
    this.at = at;
    this.#line = line;
  }

  /** From here on a fault's line is where it is, not where the text began. `isInPair`: this may be the LF of a CR before. */
  countLines(isInPair: boolean): void {
    this.#countedFrom = isInPair && this.text[this.at] === "\n" ? this.at + 1 : this.at;
  }

  fault(message: string): ConversionError {
    const before = this.#countedFrom === undefined ? "" : this.text.slice(this.#countedFrom, this.at);
    return new ConversionError("SYNTAX", `not XML: ${message}`, { line: this.#line + countLineEnds(before), sample: this.text.slice(Math.max(0, this.at - 20), this.at + 40) });
  }

  limit(message: string): ConversionError {
    return new ConversionError("LIMIT", message, { line: this.#line });
  }

  /** The character at so many places from here. Throws Unfinished. */
  peek(ahead = 0): string {
    const character = this.text[this.at + ahead];
    if (character === undefined) throw new Unfinished();
    return character;
  }

  /** Whether the text goes on with these words; Unfinished when that is not known. */
  startsWith(words: string): boolean {
    if (this.text.startsWith(words, this.at)) return true;
    if (words.startsWith(this.text.slice(this.at))) throw new Unfinished();
    return false;
  }

  white(): boolean {
    white.lastIndex = this.at;
    white.test(this.text);
    const found = white.lastIndex > this.at;
    this.at = white.lastIndex;
    return found;
  }

  name(): string {
    name.lastIndex = this.at;
    const found = name.exec(this.text)?.[0] ?? "";
    if (found === "" && this.at < this.text.length) throw this.fault("a name must follow");
    if (Buffer.byteLength(found) > xmlLimits.nameBytesMax) throw this.limit(`a name is longer than ${xmlLimits.nameBytesMax} bytes`);
    this.at += found.length;
    this.peek();
    return found;
  }

  /** The XML declaration, which may stand at the very beginning alone; false when there is none. Another encoding than UTF-8 is refused by its name. */
  declaration(): boolean {
    if (!this.startsWith("<?xml") || !isWhite(this.peek(5))) return false;
    const from = this.at;
    this.at += 5;
    const body = this.#until("?>");
    const match = declarationForm.exec(body);
    if (match === null) {
      this.at = from;
      throw this.fault("the XML declaration is not written right; this reads XML 1.0");
    }
    const encoding = match[1] ?? match[2] ?? "UTF-8";
    if (!/^(?:utf-8|us-ascii|ascii)$/i.test(encoding)) throw new ConversionError("ENCODING", `the file says that it is ${shorten(encoding)}; only UTF-8 is read`, { line: this.#line, sample: encoding });
    return true;
  }

  /** A tag from behind its `<` to behind its `>`. */
  tag(): XmlTag {
    const tagName = this.name();
    const attributes: XmlAttribute[] = [];
    const names = new Set<string>();
    for (;;) {
      const spaced = this.white();
      const first = this.peek();
      if (first === ">") {
        this.at++;
        return { name: tagName, attributes, isEmpty: false };
      }
      if (first === "/") {
        if (this.peek(1) !== ">") throw this.fault('">" must follow "/"');
        this.at += 2;
        return { name: tagName, attributes, isEmpty: true };
      }
      if (!spaced) throw this.fault(`white space must stand before an attribute of <${tagName}>`);
      if (attributes.length >= xmlLimits.attributesMax) throw this.limit(`more than ${xmlLimits.attributesMax} attributes in one element`);
      const attribute = this.name();
      if (names.has(attribute)) throw new ConversionError("COLUMN", `the attribute "${attribute}" appears twice in <${tagName}>`, { line: this.#line, column: `@${attribute}` });
      names.add(attribute);
      this.white();
      if (this.peek() !== "=") throw this.fault(`"=" must follow the attribute "${attribute}"`);
      this.at++;
      this.white();
      attributes.push({ name: attribute, value: this.#attributeValue(attribute) });
    }
  }

  #attributeValue(attribute: string): string {
    const quote = this.peek();
    if (quote !== '"' && quote !== "'") throw this.fault(`the value of the attribute "${attribute}" must be quoted`);
    this.at++;
    let value = "";
    for (;;) {
      const from = this.at;
      while (this.at < this.text.length && !this.#isOneOf(quote, "<", "&")) this.at++;
      const piece = this.text.slice(from, this.at);
      this.#checkCharacters(piece);
      value += piece.replace(/\r\n|[\t\r\n]/g, " ");
      const found = this.peek();
      if (found === quote) break;
      if (found === "<") throw this.fault(`"<" in the value of the attribute "${attribute}"`);
      value += this.#reference();
    }
    this.at++;
    return value;
  }

  #isOneOf(...characters: readonly string[]): boolean {
    const character = this.text[this.at];
    return character !== undefined && characters.includes(character);
  }

  /** Text up to the next `<`, its references undone. */
  characters(): string {
    let value = "";
    for (;;) {
      const from = this.at;
      while (this.at < this.text.length && !this.#isOneOf("<", "&")) this.at++;
      const piece = this.text.slice(from, this.at);
      const bracket = piece.indexOf("]]>");
      this.#checkCharacters(bracket < 0 ? piece : piece.slice(0, bracket));
      if (bracket >= 0) {
        this.at = from + bracket;
        throw this.fault('"]]>" in text');
      }
      value += piece.replace(/\r\n?/g, "\n");
      if (this.peek() === "<") return value;
      value += this.#reference();
    }
  }

  #checkCharacters(text: string): void {
    const match = noCharacter.exec(text);
    const found = match?.[0];
    this.at -= match === null ? 0 : text.length - match.index;
    if (found !== undefined) throw this.fault(`the character U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}, which XML does not have`);
  }

  #reference(): string {
    referenceForm.lastIndex = this.at;
    const reference = (referenceForm.exec(this.text)?.[0] ?? "").slice(1);
    const stop = this.at + 1 + reference.length;
    if (reference.length >= xmlLimits.referenceMax || (stop < this.text.length && this.text[stop] !== ";")) throw this.fault('"&" without an entity; write &amp;');
    if (stop >= this.text.length) throw new Unfinished();
    const known = entities.get(reference) ?? numbered(reference);
    if (known === undefined) throw this.fault(reference.startsWith("#") ? `&${reference}; is no character` : `the entity &${shorten(reference)}; is not known; declarations are never read`);
    this.at = stop + 1;
    return known;
  }

  /** A comment, a processing instruction or, where text may stand, a CDATA section, from its `<`. Gives the text. */
  aside(allowsText: boolean): string {
    if (this.peek(1) === "?") {
      this.at += 2;
      if (this.name().toLowerCase() === "xml") throw this.fault("an XML declaration that is not at the very beginning");
      const body = this.#until("?>");
      if (body !== "" && !/^[ \t\r\n]/.test(body)) throw this.fault("white space must stand behind the name of a processing instruction");
      return "";
    }
    if (this.startsWith("<!--")) {
      this.at += 4;
      this.#until("--");
      if (this.peek() !== ">") throw this.fault("two hyphens inside of a comment");
      this.at++;
      return "";
    }
    if (!allowsText || !this.startsWith("<![CDATA[")) throw this.fault("a declaration stands where none may be");
    this.at += 9;
    return this.#until("]]>").replace(/\r\n?/g, "\n");
  }

  #until(end: string): string {
    const stop = this.text.indexOf(end, this.at);
    const body = this.text.slice(this.at, stop < 0 ? undefined : stop);
    this.#checkCharacters(body);
    if (stop < 0) throw new Unfinished();
    this.at = stop + end.length;
    return body;
  }

  /** The document type declaration, from its `<`. One that declares anything is refused; what it names is never fetched. */
  doctype(): void {
    if (!this.startsWith("<!DOCTYPE")) throw this.fault("a declaration that is not known");
    this.at += 9;
    this.peek();
    if (!this.white()) throw this.fault("white space must stand behind <!DOCTYPE");
    this.name();
    let quote = "";
    for (; ; this.at++) {
      const character = this.peek();
      this.#checkCharacters(character);
      if (quote !== "") quote = character === quote ? "" : quote;
      else if (character === '"' || character === "'") quote = character;
      else if (character === ">") break;
      else if (character === "[" || character === "<") throw this.fault("the document type declaration declares entities or elements; they are never expanded, and a file that brings them is refused");
    }
    this.at++;
  }

  /** The closing tag of an element, from its `</`. */
  closing(opened: string): void {
    this.at += 2;
    if (!this.startsWith(opened)) throw this.fault(`<${opened}> is closed by another tag`);
    this.at += opened.length;
    this.white();
    if (this.peek() !== ">") throw this.fault(`<${opened}> is closed by another tag`);
    this.at++;
  }

  /** What stands in an element whose tag is read, and its closing tag. */
  element(tag: XmlTag, depth: number): XmlElement {
    if (depth > xmlLimits.depthMax) throw this.limit(`nested deeper than ${xmlLimits.depthMax}`);
    const elements: XmlElement[] = [];
    let text = "";
    while (!tag.isEmpty) {
      text += this.characters();
      const after = this.peek(1);
      if (after === "/") {
        this.closing(tag.name);
        break;
      }
      if (after === "!" || after === "?") text += this.aside(true);
      else {
        this.at++;
        elements.push(this.element(this.tag(), depth + 1));
      }
    }
    return { name: tag.name, attributes: tag.attributes, elements, text };
  }
}

/** The character of `#10` or `#xA`; undefined when there is none. */
function numbered(reference: string): string | undefined {
  const match = /^#(?:x([\da-fA-F]+)|(\d+))$/.exec(reference);
  if (match === null) return undefined;
  const code = match[1] === undefined ? Number.parseInt(match[2] ?? "", 10) : Number.parseInt(match[1], 16);
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
  const character = String.fromCodePoint(code);
  return noCharacter.test(character) ? undefined : character;
}
