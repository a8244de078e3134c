// pure
import { ConversionError } from "../conversion-error.ts";
import { Unfinished, XmlText } from "../formats/xml-text.ts";
import type { XmlDialect } from "../formats/xml-reader.ts";
import { XmlRecordsPlace } from "../formats/xml-records-place.ts";
import type { Core } from "./core.ts";
import { XmlOutline } from "./xml-outline.ts";

const places = { afterDoctype: 1, inside: 2, afterRoot: 3 } as const;
const record = 0x3fff_ffff;
export const declarationBytesMax = 1_024;

/** How long the XML declaration is with which a report may begin; undefined when that is not there yet. Throws ConversionError when it is not UTF-8. */
export function declarationLength(bytes: Buffer): number | undefined {
  // The declaration is ASCII, so that characters are bytes.
  const text = new XmlText(bytes.toString("latin1"), 0, 1);
  try {
    text.declaration();
    return text.at;
  } catch (error) {
    if (!(error instanceof Unfinished)) throw error;
    if (bytes.length >= declarationBytesMax) throw new ConversionError("LIMIT", `an XML declaration longer than ${declarationBytesMax} bytes`, { line: 1 });
    return undefined;
  }
}

/** What the core keeps of an XML document. */
export class XmlScan {
  readonly #core: Core;
  #hadRecord = false;
  readonly #place: XmlRecordsPlace;
  readonly #outline: XmlOutline;

  constructor(core: Core, dialect: XmlDialect) {
    this.#core = core;
    this.#place = new XmlRecordsPlace(dialect);
    this.#outline = new XmlOutline(dialect.records, this.#place);
    const { functions } = core;
    const length = functions.xmlAreaBytes();
    const area = core.allocate(length);
    core.bytes.fill(0, area, area + length);
    const names = dialect.records.map((step) => Buffer.from(step));
    const steps = core.allocate(names.length * 8);
    const kept = names.flatMap((name) => [core.keep(name), name.length]);
    core.words.set(kept, steps >> 2);
    functions.openXml(area, steps, names.length);
  }

  /** Whether the root is closed. */
  get isOver(): boolean {
    return this.#core.functions.xmlPlace.value === places.afterRoot;
  }

  /** The core has passed over [from, to), which begins on this line; `isRecord` when there or behind it is a record. */
  passed(from: number, to: number, { line, isRecord }: { readonly line: number; readonly isRecord: boolean }): void {
    this.#hadRecord ||= isRecord;
    if (!this.#hadRecord && !this.#place.isDecided) this.#outline.take(this.#core.bytes.subarray(from, to), line);
  }

  /** A report without records has come to its end. Throws COLUMN when it is not an empty one. */
  checkRecords(): void {
    if (!this.#hadRecord) this.#place.check();
  }

  /** Gives the nodes that had values without having columns cells behind the `columns` that there are; the names of the new columns. */
  newColumns(columns: number): readonly string[] {
    const { functions } = this.#core;
    return Array.from({ length: functions.pendingCount.value }, (_, index) => {
      const node = functions.pendingNode(index) >>> 0;
      functions.setNodeColumn(node, columns + index + 1);
      return node === 0 ? "text()" : this.#name(node);
    });
  }

  #name(node: number): string {
    const { functions } = this.#core;
    const parent = functions.nodeParent(node) >>> 0;
    const own = this.#text(functions.nodeName(node), functions.nodeNameLength(node));
    return `${parent >>> 1 === record ? "" : `${this.#name(parent >>> 1)}/`}${(parent & 1) === 1 ? "@" : ""}${own}`;
  }

  #text(start: number, length: number): string {
    return this.#core.bytes.toString("utf8", start, start + length);
  }

  /** XML that brings a reader to where the document was being read. */
  context(): string {
    const { functions } = this.#core;
    switch (functions.xmlPlace.value) {
      case places.inside:
        return Array.from({ length: functions.openElements() }, (_, level) => `<${this.#text(functions.openName(level), functions.openNameLength(level))}>`).join("");
      case places.afterRoot:
        return "<x/>";
      case places.afterDoctype:
        return "<!DOCTYPE x>";
      default:
        return "<!---->";
    }
  }
}
