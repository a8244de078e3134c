// pure
import { nearest } from "../../../kit/nearest.ts";
import { differences, likeness, numberForm, shown, type Comparison, type Likeness, type ValueDifference, type ValueForm } from "./compare-values.ts";
import type { ReadRecord, RecordSource } from "./read-records.ts";

export type DiffOptions = Comparison & {
  /** Records with the same values in these columns are compared; without any, those at the same place. */
  readonly keys: readonly string[];
  /** Of flat formats: whether the order of the columns matters. */
  readonly inColumnOrder: boolean;
  /** Bytes of records that may wait for the one of their key in the other report. */
  readonly waitingBytesMax: number;
  /** Differing records that are shown. */
  readonly shownMax: number;
};

export const diffDefaults: DiffOptions = { keys: [], ignored: new Set(), numeric: false, inColumnOrder: true, waitingBytesMax: 134_217_728, shownMax: 20 };

/** What was found. `lines` tell it to people, the counts at their end. `different`: records that are not the same in both, and differences of the header. */
export type DiffOutcome = { readonly records: number; readonly different: number; readonly lines: readonly string[] };

/** The reports cannot be compared in this way; the message says in which they can. */
export class DiffFault extends Error {}

type Numbered = ReadRecord & { readonly number: number };
type Pair = { readonly first: Numbered | undefined; readonly second: Numbered | undefined };

/**
 * Compares two reports record by record. By their order memory does not grow with the reports. By key it grows with what is out of order: a
 * record waits until the one of its key has come in the other report, and DiffFault is thrown when too much waits. Records of one key are
 * compared in their order.
 */
export async function diffReports(first: RecordSource, second: RecordSource, options: DiffOptions = diffDefaults): Promise<DiffOutcome> {
  const tally = new Tally(options, first.form);
  const pairs = options.keys.length === 0 ? inOrder(first, second) : byKey(first, second, options);
  const header = compareHeaders(first, second, options);
  let headerDiffers: readonly string[] | undefined;
  for await (const pair of pairs) {
    headerDiffers ??= header();
    tally.take(pair);
  }
  headerDiffers ??= header();
  return tally.outcome(headerDiffers);
}

async function* numbered(source: RecordSource): AsyncGenerator<Numbered> {
  let number = 0;
  for await (const record of source) yield { ...record, number: ++number };
}

async function* inOrder(first: RecordSource, second: RecordSource): AsyncGenerator<Pair> {
  const [left, right] = [numbered(first), numbered(second)];
  try {
    for (;;) {
      const [one, other] = [await left.next(), await right.next()];
      if (one.done === true && other.done === true) return;
      yield { first: one.done === true ? undefined : one.value, second: other.done === true ? undefined : other.value };
    }
  } finally {
    await Promise.all([left.return(undefined), right.return(undefined)]);
  }
}

/** A record of one report that waits for the other one's. Its values are one text, which takes far less memory than a map. */
type Waiting = { readonly number: number; readonly line: number; readonly values: string };
type Side = { readonly name: string; readonly source: RecordSource; readonly records: AsyncGenerator<Numbered>; readonly waiting: Map<string, readonly Waiting[]>; isOver: boolean };

async function* byKey(first: RecordSource, second: RecordSource, options: DiffOptions): AsyncGenerator<Pair> {
  const side = (name: string, source: RecordSource): Side => ({ name, source, records: numbered(source), waiting: new Map(), isOver: false });
  const [left, right] = [side("first", first), side("second", second)];
  let waitingBytes = 0;
  const advance = async (own: Side, other: Side): Promise<readonly [mine: Numbered, theirs: Numbered | undefined] | undefined> => {
    const next = await own.records.next();
    if (next.done === true) {
      own.isOver = true;
      return undefined;
    }
    const key = keyOf(next.value, own, options);
    const [match, ...rest] = other.waiting.get(key) ?? [];
    if (match !== undefined) {
      if (rest.length === 0) other.waiting.delete(key);
      else other.waiting.set(key, rest);
      waitingBytes -= sizeOf(key, match);
      return [next.value, unpacked(match)];
    }
    const { number, line, values } = next.value;
    const packed: Waiting = { number, line, values: JSON.stringify([...values]) };
    own.waiting.set(key, [...(own.waiting.get(key) ?? []), packed]);
    waitingBytes += sizeOf(key, packed);
    if (waitingBytes > options.waitingBytesMax) throw new DiffFault(`more than ${options.waitingBytesMax} bytes of records wait for one of the same key in the other report (after record ${number} of the ${own.name}): the order is too different, or the key is not in both. Sort both reports by the key, or allow more by --memory`);
    return undefined;
  };
  try {
    while (!left.isOver || !right.isOver) {
      const [one, other] = [left.isOver ? undefined : await advance(left, right), right.isOver ? undefined : await advance(right, left)];
      if (one !== undefined) yield { first: one[0], second: one[1] };
      if (other !== undefined) yield { first: other[1], second: other[0] };
    }
    for (const records of left.waiting.values()) for (const record of records) yield { first: unpacked(record), second: undefined };
    for (const records of right.waiting.values()) for (const record of records) yield { first: undefined, second: unpacked(record) };
  } finally {
    await Promise.all([left.records.return(undefined), right.records.return(undefined)]);
  }
}

const overheadBytes = 200;

/** What a waiting record takes, estimated from above: two bytes a character, and what holds it. */
function sizeOf(key: string, { values }: Waiting): number {
  return 2 * (key.length + values.length) + overheadBytes;
}

function unpacked({ number, line, values }: Waiting): Numbered {
  return { number, line, values: new Map(JSON.parse(values) as readonly (readonly [string, string])[]) };
}

function keyOf({ values, line }: ReadRecord, { name, source }: Side, { keys, numeric }: DiffOptions): string {
  return JSON.stringify(keys.map((key) => {
    const value = values.get(key);
    if (value !== undefined) return numeric ? numberForm(value) : value;
    const near = nearest(key, source.columns);
    throw new DiffFault(`the ${name} report has no "${key}" on line ${line}; its columns are ${source.columns.join(", ")}${near === undefined ? "" : `. Is "${near}" meant?`}`);
  }));
}

/** What the headers of two flat reports do not have in common, once they are known. */
function compareHeaders(first: RecordSource, second: RecordSource, { ignored, inColumnOrder }: DiffOptions): () => readonly string[] {
  return () => {
    if (!first.isFlat || !second.isFlat) return [];
    const [left, right] = [first, second].map(({ columns }) => columns.filter((column) => !ignored.has(column))) as [string[], string[]];
    const [before, after] = [left.filter((column) => !right.includes(column)), right.filter((column) => !left.includes(column))];
    const alone = [...before.map((column) => `column ${JSON.stringify(column)} is in the first report only`), ...after.map((column) => `column ${JSON.stringify(column)} is in the second report only`)];
    const place = left.findIndex((column, index) => right[index] !== column);
    const moved = alone.length === 0 && inColumnOrder && place >= 0 ? [`the columns stand in another order: number ${place + 1} is ${JSON.stringify(left[place])} in the first report, ${JSON.stringify(right[place])} in the second`] : [];
    return [...alone, ...moved];
  };
}

type ColumnTally = { records: number; readonly why: Map<Likeness, number> };
const lineCharacters = 80;

/** Counts what differs, and words the first of it. */
class Tally {
  readonly #options: DiffOptions;
  readonly #form: ValueForm;
  readonly #lines: string[] = [];
  readonly #columns = new Map<string, ColumnTally>();
  #firstCount = 0;
  #secondCount = 0;
  #changed = 0;
  #onlyFirst = 0;
  #onlySecond = 0;
  #runOfChanges = 0;

  constructor(options: DiffOptions, form: ValueForm) {
    this.#options = options;
    this.#form = form;
  }

  take({ first, second }: Pair): void {
    if (first !== undefined) this.#firstCount++;
    if (second !== undefined) this.#secondCount++;
    if (first === undefined || second === undefined) {
      const record = first ?? second;
      if (record === undefined) return;
      if (first === undefined) this.#onlySecond++;
      else this.#onlyFirst++;
      this.#show(() => [`${first === undefined ? "+ only in the second" : "- only in the first"}: ${this.#name(record)}line ${record.line}`, `    ${this.#contents(record)}`]);
      return;
    }
    const found = differences(first.values, second.values, this.#options);
    this.#runOfChanges = found.length === 0 ? 0 : this.#runOfChanges + 1;
    if (found.length === 0) return;
    this.#changed++;
    for (const difference of found) this.#count(difference);
    const place = first.line === second.line ? `line ${first.line} in both` : `line ${first.line} in the first, ${second.line} in the second`;
    this.#show(() => [`${this.#name(first)}${place}:`, ...found.flatMap((each) => this.#worded(each))]);
  }

  #count(difference: ValueDifference): void {
    const tally = this.#columns.get(difference.column) ?? { records: 0, why: new Map<Likeness, number>() };
    const why = likeness(difference);
    tally.records++;
    tally.why.set(why, (tally.why.get(why) ?? 0) + 1);
    this.#columns.set(difference.column, tally);
  }

  #different(): number {
    return this.#changed + this.#onlyFirst + this.#onlySecond;
  }

  #show(lines: () => readonly string[]): void {
    if (this.#different() <= this.#options.shownMax) this.#lines.push(...lines());
  }

  /** What tells a record from the others. */
  #name({ number, values }: Numbered): string {
    const { keys } = this.#options;
    return keys.length === 0 ? `record ${number}, ` : `${keys.map((key) => `${key} ${shown(values.get(key), undefined, this.#form)}`).join(", ")}, `;
  }

  /** The first values of a record, as far as they go into a line. */
  #contents({ values }: ReadRecord): string {
    const others = [...values].filter(([column]) => !this.#options.keys.includes(column));
    const text = others.slice(0, 20).map(([column, value]) => `${column} ${shown(value, undefined, this.#form)}`).join(", ");
    return text.length <= lineCharacters - 4 ? text : `${text.slice(0, lineCharacters - 5)}…`;
  }

  #worded({ column, first, second }: ValueDifference): readonly string[] {
    const [before, after] = [shown(first, second, this.#form), shown(second, first, this.#form)];
    const line = `  ${column}: ${before} -> ${after}`;
    return line.length <= lineCharacters ? [line] : [`  ${column}:`, `    - ${before}`, `    + ${after}`];
  }

  outcome(header: readonly string[]): DiffOutcome {
    const different = this.#different();
    const records = Math.max(this.#firstCount, this.#secondCount);
    const lines = [...header, ...this.#lines];
    if (different > this.#options.shownMax) lines.push(`… and ${different - this.#options.shownMax} more (--show N shows more)`);
    if (this.#columns.size > 0) lines.push("", "Columns that differ:", ...[...this.#columns].map(([column, tally]) => `  ${column}: ${countOf(tally.records, "record")}${reasonOf(tally)}`));
    if (lines.length > 0) lines.push("");
    lines.push(`${countOf(this.#firstCount, "record")} in the first report, ${this.#secondCount} in the second${this.#verdict(different)}`);
    if (this.#options.keys.length === 0 && this.#runOfChanges > 2 && records > this.#runOfChanges) lines.push(`The last ${this.#runOfChanges} records all differ. If one is missing or stands elsewhere: --key COLUMN`);
    return { records, different: different + header.length, lines };
  }

  #verdict(different: number): string {
    if (different === 0) return ": all equal";
    const counts = [[this.#firstCount - this.#changed - this.#onlyFirst, "equal"], [this.#changed, "different"], [this.#onlyFirst, "only in the first"], [this.#onlySecond, "only in the second"]] as const;
    return `\n${counts.filter(([count], index) => index === 0 || count > 0).map(([count, what]) => `${count} ${what}`).join(", ")}`;
  }
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Says why when one reason holds for all. */
function reasonOf({ records, why }: ColumnTally): string {
  const [only] = [...why].filter(([, count]) => count === records);
  if (only === undefined || only[0] === "other values") return "";
  return `, ${only[0]}${only[0] === "equal numbers, written differently" ? " (see --numeric)" : ""}`;
}
