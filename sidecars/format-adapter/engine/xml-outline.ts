// pure
import { countLineEndsOfBytes } from "../formats/line-ends.ts";
import type { XmlRecordsPlace } from "../formats/xml-records-place.ts";

const [openings, closings, slash, exclamation, question, bracket, hyphen, quote, apostrophe, space, lineFeed, carriageReturn] = [60, 62, 47, 33, 63, 91, 45, 34, 39, 32, 10, 13] as const;

/**
 * Follows which elements stand in which, in XML that is known to be right and has no record yet, for XmlRecordsPlace. Pieces are cut where no
 * markup is.
 */
export class XmlOutline {
  readonly #records: readonly string[];
  readonly #place: XmlRecordsPlace;
  /** Elements that are open, and how many of them are steps of the path. */
  #depth = 0;
  #matched = 0;
  #endsWithReturn = false;

  constructor(records: readonly string[], place: XmlRecordsPlace) {
    this.#records = records;
    this.#place = place;
  }

  /** `line` is the one on which the bytes begin; an LF whose CR came before is counted with that. */
  take(bytes: Buffer, line: number): void {
    if (bytes.length === 0) return;
    const lines = { line, at: this.#endsWithReturn && bytes[0] === lineFeed ? 1 : 0 };
    this.#endsWithReturn = bytes.at(-1) === carriageReturn;
    for (let at = bytes.indexOf(openings); at !== -1 && !this.#place.isDecided; at = bytes.indexOf(openings, at)) {
      const after = bytes[at + 1];
      if (after === question) at = behind(bytes, "?>", at + 2);
      else if (after === exclamation) at = bytes[at + 2] === hyphen ? behind(bytes, "-->", at + 4) : bytes[at + 2] === bracket ? behind(bytes, "]]>", at + 9) : tagEnd(bytes, at);
      else if (after === slash) {
        this.#depth--;
        this.#matched = Math.min(this.#matched, this.#depth);
        at = tagEnd(bytes, at);
      } else at = this.#element(bytes, at, lines);
    }
  }

  #element(bytes: Buffer, at: number, lines: { line: number; at: number }): number {
    const end = tagEnd(bytes, at);
    const isEmpty = bytes[end - 2] === slash;
    if (this.#matched === this.#depth) {
      lines.line += countLineEndsOfBytes(bytes.subarray(lines.at, at));
      lines.at = at;
      const name = nameAt(bytes, at + 1);
      const isStep = this.#records[this.#depth] === name;
      this.#place.met({ name, line: lines.line }, this.#depth, isStep);
      if (isStep && !isEmpty) this.#matched++;
    }
    if (!isEmpty) this.#depth++;
    return end;
  }
}

function behind(bytes: Buffer, mark: string, from: number): number {
  const at = bytes.indexOf(mark, from, "latin1");
  return at === -1 ? bytes.length : at + mark.length;
}

/** Behind the tag's `>`, which may stand in values of attributes too. */
function tagEnd(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === closings) return at + 1;
    if (byte !== quote && byte !== apostrophe) continue;
    at = bytes.indexOf(byte, at + 1);
    if (at === -1) break;
  }
  return bytes.length;
}

function nameAt(bytes: Buffer, from: number): string {
  let end = from;
  for (let byte = bytes[end]; byte !== undefined && byte > space && byte !== slash && byte !== closings; byte = bytes[end]) end++;
  return bytes.toString("utf8", from, end);
}
