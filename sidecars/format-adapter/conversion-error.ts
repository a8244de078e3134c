// pure
/**
 * Why a report cannot be adapted.
 *   SYNTAX     the file is not in its format            INCOMPLETE  it ends in the middle: not finished yet, perhaps
 *   ENCODING   it is not UTF-8                          LIMIT       a field, record or nesting is larger than allowed
 *   COLUMN     a column is unknown, missing or double   CAST        a value is not of its declared type, or would lose something
 *   ENUM       a value that a map does not list         VERSION     no detect rule fits
 *   NAME       its name gives no adapted report of its own
 */
export type ConversionCode = "SYNTAX" | "INCOMPLETE" | "ENCODING" | "LIMIT" | "COLUMN" | "CAST" | "ENUM" | "VERSION" | "NAME";

const driftCodes: ReadonlySet<string> = new Set(["VERSION", "COLUMN", "ENUM"]);

/** Whether the report is of a kind that no mapping knows. */
export function isDrift(code: ConversionCode): boolean {
  return driftCodes.has(code);
}

/**
 * A permanent fault of the input. `line` counts from 1 (see countLineEnds) and is where the record begins, or where the fault is when the record has no
 * end. Of a format without lines it is the record's number, and `offset` the byte, as far as it is known.
 */
export class ConversionError extends Error {
  readonly code: ConversionCode;
  readonly line: number;
  readonly column: string | undefined;
  /** What was found, shortened. */
  readonly sample: string | undefined;
  readonly offset: number | undefined;

  constructor(code: ConversionCode, message: string, place: { readonly line: number; readonly column?: string | undefined; readonly sample?: string | undefined; readonly offset?: number | undefined }) {
    super(bounded(message));
    this.name = "ConversionError";
    this.code = code;
    this.line = place.line;
    this.column = place.column === undefined ? undefined : bounded(place.column);
    this.offset = place.offset;
    this.sample = place.sample === undefined ? undefined : shorten(place.sample);
  }
}

/** Names of columns are of any length in a report; logs and reason files do not hold them whole. */
function bounded(text: string): string {
  return text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text;
}

export function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
