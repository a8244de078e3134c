// pure
import { ConversionError } from "../conversion-error.ts";

/** An element that was met where a step of the path was looked for. */
type Met = { readonly name: string; readonly line: number };

/**
 * Tells, of a report without records, whether it is an empty one or one of another kind: the elements that the records are to stand in must
 * be there, and, when `strict`, hold no element that the mapping does not know.
 */
export class XmlRecordsPlace {
  readonly #records: readonly string[];
  readonly #isStrict: boolean;
  /** How many steps of the path there were, one in the other; the record is none of them. */
  #reached = 0;
  /** The line of the last of them. */
  #line = 1;
  /** The first element that stands where the next step would. */
  #other: Met | undefined;

  constructor(dialect: { readonly records: readonly string[]; readonly strict?: boolean }) {
    this.#records = dialect.records;
    this.#isStrict = dialect.strict === true;
  }

  /** An element before the first record that stands in the first `depth` steps of the path: the next step, which is not the record, or another element. */
  met(element: Met, depth: number, isStep: boolean): void {
    if (isStep && depth === this.#reached) {
      this.#reached = depth + 1;
      this.#line = element.line;
      this.#other = undefined;
    } else if (!isStep && depth === this.#reached) this.#other ??= element;
  }

  /** Whether nothing but a record could change what `check` does. */
  get isDecided(): boolean {
    if (this.#isThere) return !this.#isStrict || this.#other !== undefined;
    return this.#reached === 0 && this.#other !== undefined;
  }

  /** The report is over and had no record. Throws COLUMN when it is not an empty one. */
  check(): void {
    const path = `/${this.#records.join("/")}`;
    const place = { line: this.#other?.line ?? this.#line, column: path };
    const found = this.#other?.name;
    if (!this.#isThere) {
      const missing = `/${this.#records.slice(0, this.#reached + 1).join("/")}`;
      const instead = found === undefined ? "" : this.#reached === 0 ? `; its root is <${found}>` : `; <${found}> stands there`;
      throw new ConversionError("COLUMN", `the document has no element ${missing}, but its records are to be ${path}${instead}`, place);
    }
    if (this.#isStrict && found !== undefined) throw new ConversionError("COLUMN", `there is no record ${path}, but <${found}> where records are to stand; set in.records right, name it under in.envelope, or set strict: false`, place);
  }

  /** Whether all elements around the records are there; around a root that is the record there are none, and it must be there itself. */
  get #isThere(): boolean {
    return this.#reached >= Math.max(1, this.#records.length - 1);
  }
}
