// pure
import { ConversionError, isDrift, type ConversionCode } from "./conversion-error.ts";
import type { RecordFault, Row } from "./formats/row.ts";

/**
 * What becomes of a report with records that a mapping cannot adapt: it is refused as a whole, or those records are left out, and
 * kept in quarantine, as long as they are not more than the limits say. Faults of the format are such a record's when it is certain
 * where it ends; other ones refuse the report always.
 */
export type RefusalPolicy =
  | { readonly kind: "fail-file" }
  | { readonly kind: "skip-row" | "quarantine-row"; readonly rowsMax: number | undefined; readonly percentMax: number | undefined };

/** A record that was left out: where it began, why, and its values; all of it as it stood there (`raw`) when it was not in its format. */
export type RefusedRow = { readonly line: number; readonly code: ConversionCode; readonly message: string; readonly column: string | undefined; readonly sample: string | undefined; readonly record: Readonly<Record<string, string>>; readonly raw?: string };

const keptRowsMax = 1_000;
const keptCharactersMax = 1_048_576;
const valueCharactersMax = 10_000;

export class RowRefusals {
  readonly #policy: RefusalPolicy;
  readonly #kept: RefusedRow[] = [];
  #keptCharacters = 0;
  #first: ConversionError | undefined;
  count = 0;
  /** Whether any of them has a column or value that the mapping does not know. */
  hasDrift = false;
  /** Records that `where` left out. */
  dropped = 0;

  constructor(policy: RefusalPolicy) {
    this.#policy = policy;
  }

  /** Those to be kept in quarantine: the first ones, a thousand or a mebibyte at most. */
  get rows(): readonly RefusedRow[] {
    return this.#kept.toSorted((left, right) => left.line - right.line);
  }

  /** Leaves a record out, or throws the error, by the policy. */
  refuse(error: unknown, row: Row, columns: readonly string[]): void {
    this.#refuse(error, row, columns, undefined);
  }

  /** As `refuse`, for a record that is not in its format. */
  refuseRecord({ error, row, raw }: RecordFault, columns: readonly string[]): void {
    this.#refuse(error, row, columns, raw);
  }

  #refuse(error: unknown, row: Row, columns: readonly string[], raw: string | undefined): void {
    const policy = this.#policy;
    if (policy.kind === "fail-file" || !(error instanceof ConversionError)) throw error;
    this.count++;
    this.hasDrift ||= isDrift(error.code);
    if (this.#first === undefined || error.line < this.#first.line) this.#first = error;
    if (policy.rowsMax !== undefined && this.count > policy.rowsMax) throw this.#tooMany(`more than ${policy.rowsMax} records are wrong`);
    if (policy.kind === "skip-row" || this.#kept.length >= keptRowsMax || this.#keptCharacters >= keptCharactersMax) return;
    const record = Object.fromEntries(columns.flatMap((column) => (row.kind(column) === undefined ? [] : [[column, (row.text(column) ?? "").slice(0, valueCharactersMax)]])));
    const kept = { line: error.line, code: error.code, message: error.message, column: error.column, sample: error.sample, record, ...(raw === undefined ? {} : { raw: raw.slice(0, valueCharactersMax) }) };
    this.#keptCharacters += JSON.stringify(kept).length;
    this.#kept.push(kept);
  }

  /** The report is over, with so many records written. Throws when too many were left out. */
  end(written: number): void {
    const policy = this.#policy;
    if (policy.kind === "fail-file" || policy.percentMax === undefined || this.count === 0) return;
    const all = written + this.dropped + this.count;
    if (this.count * 100 > policy.percentMax * all) throw this.#tooMany(`${this.count} of ${all} records are wrong, more than ${policy.percentMax} %`);
  }

  #tooMany(what: string): ConversionError {
    const { code = "CAST", message = "", line = 1, column, sample } = this.#first ?? {};
    return new ConversionError(code, `${what}; the first: ${message}`, { line, column, sample });
  }
}
