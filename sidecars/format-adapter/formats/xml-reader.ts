// pure
import { ConversionError } from "../conversion-error.ts";
import { doubleColumn } from "./json-reader.ts";
import { countLineEnds } from "./line-ends.ts";
import type { CellKind, ReaderLimits, RecordHandler, RecordReader, Row } from "./row.ts";
import { EnvelopeValues, wantedElements, type WantedElement, type XmlEnvelopeValue } from "./xml-envelope.ts";
import { isDeclaration, outermostScope, XmlNames, type XmlScope } from "./xml-names.ts";
import { XmlRecordsPlace } from "./xml-records-place.ts";
import { isWhite, Unfinished, xmlLimits, XmlText, type XmlElement, type XmlTag } from "./xml-text.ts";

/**
 * How records stand in an XML report: the elements at the path `records`, such as /report/items/item. What is inside of one becomes
 * columns named by their paths from there: `@id`, `name`, `address/city`, `price/@currency`, and `text()` for its own text. Without
 * `namespaces`, names are taken as they are written, with their prefixes: what a prefix is bound to is not looked at. Declarations of namespaces
 * are no columns.
 */
export type XmlDialect = {
  readonly records: readonly string[];
  /** Columns whose elements may come more than once: lists, also of one or none. */
  readonly lists: readonly string[];
  /** Prefixes of the names in this mapping and the URIs that they stand for; "" for names without one. */
  readonly namespaces?: ReadonlyMap<string, string>;
  /** Values of the elements around the records that become columns of each. */
  readonly envelope?: readonly XmlEnvelopeValue[];
  /** Whether a report without records must have no other elements in their place. */
  readonly strict?: boolean;
};

/** An element around the records that is open. */
type Open = { readonly written: string; readonly scope: XmlScope; readonly wanted: WantedElement | undefined; readonly values: EnvelopeValues };

/**
 * Reads records of XML one at a time: memory holds one record, not the file. Strict (see XmlText); UTF-8 alone. Text beside elements, and an
 * element that comes twice in one record without being a list, are errors, since a row could not hold them. White space between elements is
 * nothing; in an element without others it is kept. What stands outside of the records is checked and passed over, but for what `envelope` names:
 * a record has the values that stand before it in the elements that it is in. A report without records is refused at its end unless
 * it is an empty one (see XmlRecordsPlace).
 */
export function createXmlReader(dialect: XmlDialect, handler: RecordHandler, limits: ReaderLimits): RecordReader {
  return new XmlReader(dialect, handler, limits);
}

const lookCharsMin = 65_536;

class XmlReader implements RecordReader {
  readonly #dialect: XmlDialect;
  readonly #handler: RecordHandler;
  readonly #limits: ReaderLimits;
  readonly #known = new Set<string>();
  readonly #open: Open[] = [];
  #matched = 0;
  #place: "start" | "prolog" | "afterDoctype" | "inside" | "afterRoot" = "start";
  #rest = "";
  /** How long the rest must be to be looked at. */
  #looksAt = 0;
  #line = 1;
  #endsWithReturn = false;
  #hadRecord = false;
  readonly #lists: ReadonlySet<string>;
  readonly #names: XmlNames | undefined;
  readonly #wanted: WantedElement;
  readonly #recordsPlace: XmlRecordsPlace;

  constructor(dialect: XmlDialect, handler: RecordHandler, limits: ReaderLimits) {
    this.#recordsPlace = new XmlRecordsPlace(dialect);
    this.#names = dialect.namespaces === undefined ? undefined : new XmlNames(dialect.namespaces);
    this.#wanted = wantedElements(dialect.envelope ?? []);
    this.#dialect = dialect;
    this.#handler = handler;
    this.#limits = limits;
    this.#lists = new Set(dialect.lists);
  }

  push(text: string): void {
    this.#rest += text;
    // A long record is not looked at again before it may have twice its length.
    if (this.#rest.length >= this.#looksAt || this.#rest.length > this.#limits.recordCharsMax) this.#drain();
  }

  #drain(): void {
    let at = 0;
    while (at < this.#rest.length) {
      const end = this.#step(at);
      if (end === undefined) break;
      this.#count(this.#rest.slice(at, end));
      at = end;
    }
    this.#rest = this.#rest.slice(at);
    this.#looksAt = this.#rest.length > lookCharsMin ? this.#rest.length * 2 : 0;
    if (this.#rest.length > this.#limits.recordCharsMax) throw new ConversionError("LIMIT", `a record is longer than ${this.#limits.recordCharsMax} characters`, { line: this.#line, sample: this.#rest });
  }

  end(): void {
    if (this.#looksAt > 0) this.#drain();
    if (this.#place === "afterRoot" && isWhite(this.#rest)) {
      if (!this.#hadRecord) this.#recordsPlace.check();
      return;
    }
    const open = this.#open.at(-1)?.written;
    throw new ConversionError("INCOMPLETE", this.#rest !== "" ? "it ends in the middle of something" : open === undefined ? "there is no root element" : `<${open}> is not closed`, { line: this.#line, sample: this.#rest });
  }

  #count(text: string): void {
    this.#line += countLineEnds(text) - (this.#endsWithReturn && text.startsWith("\n") ? 1 : 0);
    this.#endsWithReturn = text.endsWith("\r");
  }

  /** Reads what begins at `from`; gives where it ends, undefined when that is not there yet. */
  #step(from: number): number | undefined {
    const text = new XmlText(this.#rest, from, this.#line);
    try {
      this.#take(text);
      return text.at;
    } catch (error) {
      if (error instanceof Unfinished) return this.#place !== "start" && text.at > from && this.#rest[from] !== "<" ? this.#cutText(from, text.at) : undefined;
      throw error;
    }
  }

  /** Text outside of the records may be passed over in pieces. */
  #cutText(from: number, at: number): number | undefined {
    const held = at < this.#rest.length ? 0 : (/(?:\]{1,2}|\r)$/.exec(this.#rest.slice(from))?.[0].length ?? 0);
    const end = at - held;
    return end > from ? end : undefined;
  }

  #take(text: XmlText): void {
    if (this.#place === "start") {
      if (text.peek() === "\uFEFF") text.at++;
      text.declaration();
      this.#place = "prolog";
      return;
    }
    if (text.peek() !== "<") {
      text.countLines(this.#endsWithReturn);
      if (this.#open.length > 0) text.characters();
      else if (!text.white()) throw text.fault("text outside of the root element");
      return;
    }
    const after = text.peek(1);
    if (after === "?" || (after === "!" && !(this.#place === "prolog" && text.peek(2) === "D"))) text.aside(this.#open.length > 0);
    else if (after === "!") {
      text.doctype();
      this.#place = "afterDoctype";
    } else if (after === "/") this.#close(text);
    else this.#element(text);
  }

  #close(text: XmlText): void {
    const name = this.#open.at(-1)?.written;
    if (name === undefined) throw text.fault("a closing tag that nothing opened");
    text.closing(name);
    this.#open.pop();
    this.#matched = Math.min(this.#matched, this.#open.length);
    if (this.#open.length === 0) this.#place = "afterRoot";
  }

  #element(text: XmlText): void {
    if (this.#place === "afterRoot") throw text.fault("there may be one root element alone");
    const depth = this.#open.length;
    text.at++;
    const written = text.tag();
    const { tag, scope } = this.#named(written);
    const { records } = this.#dialect;
    const isStep = this.#matched === depth && depth < records.length && records[depth] === tag.name;
    const wanted = (depth === 0 ? this.#wanted : this.#open[depth - 1]?.wanted)?.children.get(tag.name);
    const values = new EnvelopeValues();
    if (!this.#hadRecord && this.#matched === depth && (isStep ? depth + 1 < records.length : wanted === undefined)) this.#recordsPlace.met({ name: tag.name, line: this.#line }, depth, isStep);
    if (isStep && depth + 1 === records.length) this.#record(text, { written, tag, scope });
    else if (wanted !== undefined && wanted.textColumns.length > 0) this.#value(text, { written, tag, wanted });
    else {
      if (wanted !== undefined) this.#keepAttributes(tag, wanted, isStep ? values : this.#owner());
      if (!tag.isEmpty) return this.#opened({ written: written.name, scope, wanted, values }, { text, isStep });
    }
    if (depth === 0) this.#place = "afterRoot";
  }

  #opened(element: Open, { text, isStep }: { readonly text: XmlText; readonly isStep: boolean }): void {
    if (this.#open.length + 1 > xmlLimits.depthMax) throw text.limit(`nested deeper than ${xmlLimits.depthMax}`);
    this.#open.push(element);
    if (isStep) this.#matched = this.#open.length;
    this.#place = "inside";
  }

  #named(written: XmlTag): { readonly tag: XmlTag; readonly scope: XmlScope } {
    const outer = this.#open.at(-1)?.scope ?? outermostScope;
    return this.#names === undefined ? { tag: written, scope: outer } : this.#names.tag(written, outer, this.#line);
  }

  /** Who keeps a value that stands here: the innermost open element on the way to the records. */
  #owner(): EnvelopeValues | undefined {
    return this.#open[this.#matched - 1]?.values;
  }

  /** Takes the attributes that are wanted. */
  #keepAttributes(tag: XmlTag, wanted: WantedElement, owner: EnvelopeValues | undefined): void {
    for (const { name, value } of tag.attributes) owner?.set(wanted.attributes.get(name) ?? [], value, this.#line);
  }

  /** An element whose text is wanted. */
  #value(text: XmlText, { written, tag, wanted }: { readonly written: XmlTag; readonly tag: XmlTag; readonly wanted: WantedElement }): void {
    const { elements, text: value } = text.element(written, this.#open.length + 1);
    const [column] = wanted.textColumns;
    if (elements.length > 0) throw new ConversionError("SYNTAX", `<${written.name}>, which is to be the column "${column ?? ""}", has elements`, { line: this.#line, column });
    this.#keepAttributes(tag, wanted, this.#owner());
    this.#owner()?.set(wanted.textColumns, value, this.#line);
  }

  #record(text: XmlText, { written, tag, scope }: { readonly written: XmlTag; readonly tag: XmlTag; readonly scope: XmlScope }): void {
    const element = text.element(written, this.#open.length + 1);
    const cells = new XmlCells(this.#lists, this.#line);
    cells.record(this.#names === undefined ? element : this.#names.element(element, tag, scope, this.#line));
    const columns = cells.cells;
    for (const { values } of this.#open) {
      values.hadRecord = true;
      for (const [column, value] of values.values) {
        if (columns.has(column)) throw doubleColumn(column, this.#line);
        columns.set(column, { kind: "text", text: value });
      }
    }
    if (columns.size > this.#limits.columnsMax) throw text.limit(`${columns.size} columns, more than ${this.#limits.columnsMax}`);
    const fresh = [...columns.keys()].filter((column) => !this.#known.has(column));
    if (!this.#hadRecord || fresh.length > 0) this.#handler.onColumns(fresh, this.#line);
    this.#hadRecord = true;
    for (const column of fresh) if (this.#known.size < this.#limits.columnsMax) this.#known.add(column);
    this.#handler.onRow(new XmlRow(this.#line, columns));
  }
}

type XmlCell = { readonly kind: CellKind; readonly text: string };

class XmlRow implements Row {
  readonly line: number;
  readonly #cells: ReadonlyMap<string, XmlCell>;
  constructor(line: number, cells: ReadonlyMap<string, XmlCell>) {
    this.line = line;
    this.#cells = cells;
  }
  text(column: string): string | undefined {
    return this.#cells.get(column)?.text;
  }
  kind(column: string): CellKind | undefined {
    return this.#cells.get(column)?.kind;
  }
}

/** The columns of one record. */
class XmlCells {
  readonly cells = new Map<string, XmlCell>();
  readonly #lists: ReadonlySet<string>;
  readonly #line: number;

  constructor(lists: ReadonlySet<string>, line: number) {
    this.#lists = lists;
    this.#line = line;
  }

  record(element: XmlElement): void {
    this.#attributes(element, "");
    if (element.elements.length > 0) this.#inside(element, "");
    else if (!isWhite(element.text)) this.cells.set("text()", { kind: "text", text: element.text });
  }

  #attributes(element: XmlElement, path: string): void {
    for (const { name, value } of element.attributes) if (!isDeclaration(name)) this.cells.set(`${path}@${name}`, { kind: "text", text: value });
  }

  #inside(element: XmlElement, path: string): void {
    this.#checkMixed(element);
    const lists = new Map<string, string[]>();
    const seen = new Set<string>();
    for (const inner of element.elements) {
      const column = `${path}${inner.name}`;
      if (this.#lists.has(column)) {
        append(lists, column, this.#json(inner, column));
        continue;
      }
      this.#checkTwice(seen, inner.name, column);
      this.#attributes(inner, `${column}/`);
      if (inner.elements.length > 0) this.#inside(inner, `${column}/`);
      else this.cells.set(column, { kind: "text", text: inner.text });
    }
    for (const [column, items] of lists) this.cells.set(column, { kind: "nested", text: `[${items.join(",")}]` });
  }

  /** An element of a list as JSON: its text, or an object when it has attributes or elements. */
  #json(element: XmlElement, path: string): string {
    const members = element.attributes.filter(({ name }) => !isDeclaration(name)).map(({ name, value }) => `${JSON.stringify(`@${name}`)}:${JSON.stringify(value)}`);
    if (element.elements.length === 0) {
      if (members.length === 0) return JSON.stringify(element.text);
      return `{${[...members, ...(element.text === "" ? [] : [`"text()":${JSON.stringify(element.text)}`])].join(",")}}`;
    }
    this.#checkMixed(element);
    const lists = new Map<string, string[]>();
    const seen = new Set<string>();
    for (const inner of element.elements) {
      const column = `${path}/${inner.name}`;
      const value = this.#json(inner, column);
      if (this.#lists.has(column)) append(lists, inner.name, value);
      else {
        this.#checkTwice(seen, inner.name, column);
        members.push(`${JSON.stringify(inner.name)}:${value}`);
      }
    }
    for (const [name, items] of lists) members.push(`${JSON.stringify(name)}:[${items.join(",")}]`);
    return `{${members.join(",")}}`;
  }

  #checkTwice(seen: Set<string>, name: string, column: string): void {
    if (seen.has(name)) throw new ConversionError("COLUMN", `the element "${column}" appears twice in one record; name it under in.lists if it may`, { line: this.#line, column });
    seen.add(name);
  }

  #checkMixed(element: XmlElement): void {
    if (!isWhite(element.text)) throw new ConversionError("SYNTAX", `text stands beside elements in <${element.name}>`, { line: this.#line, sample: element.text.trim() });
  }
}

function append(lists: Map<string, string[]>, name: string, item: string): void {
  const items = lists.get(name);
  if (items === undefined) lists.set(name, [item]);
  else items.push(item);
}
