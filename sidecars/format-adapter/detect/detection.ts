// pure
import { posix } from "node:path";
import { ConversionError } from "../conversion-error.ts";
import type { ByteReader } from "../formats/byte-reader.ts";
import { createSniffer } from "../formats/create-reader.ts";
import type { InputOptions } from "../formats/options.ts";
import type { Row } from "../formats/row.ts";
import { isEmpty } from "../mapping/cells.ts";
import type { Mapping } from "../mapping/mapping.ts";
import { parsePath, withPaths } from "../mapping/path.ts";
import type { DetectRule } from "./detect-rule.ts";

/** The rules, and the mappings that they choose among. */
export type Detecting = { readonly detect: readonly DetectRule[]; readonly mappings: readonly Mapping[] };

export type Choice = { readonly kind: "chosen"; readonly mapping: Mapping } | { readonly kind: "undecided"; readonly atEnd: Mapping | ConversionError };

/**
 * The mapping for a report of this name that begins with these bytes, or is made of them alone (`isAll`). Undecided when they are too few to tell. A report that is not
 * in the format of a rule's mapping does not fit that rule. Throws VERSION when no rule holds, with what was seen; ENCODING when that
 * is why.
 */
export function chooseMapping(adapter: Detecting, name: string, bytes: Uint8Array, isAll: boolean): Choice {
  const detection = new Detection(adapter, name, { pieces: [bytes], isAll });
  for (const step of detection.tryRules()) step();
  const mapping = detection.chosen(isAll);
  if (mapping !== undefined) return { kind: "chosen", mapping };
  for (const step of detection.readWhole()) step();
  return { kind: "undecided", atEnd: detection.atEnd() };
}

/** A stretch of work that is not to be interrupted. */
export type Step = () => void;

/** The beginning of a report, or all of it. */
type Beginning = { readonly pieces: readonly Uint8Array[]; readonly isAll: boolean };

/** Holds the rules of detect against the beginning of a report, one after the other. The work is handed out in steps, so that others get their turn between them. */
export class Detection {
  readonly #adapter: Detecting;
  readonly #name: string;
  readonly #beginning: Beginning;
  readonly #trials: readonly Trial[];
  #isWhole = false;

  constructor(adapter: Detecting, name: string, beginning: Beginning) {
    this.#adapter = adapter;
    this.#name = name;
    this.#beginning = beginning;
    this.#trials = adapter.detect.flatMap((rule) => {
      const mapping = adapter.mappings.find((candidate) => candidate.name === rule.use);
      return mapping === undefined || (rule.name !== undefined && !posix.matchesGlob(name, rule.name)) ? [] : [new Trial(rule, mapping)];
    });
  }

  *tryRules(): Generator<Step> {
    for (const trial of this.#trials) {
      yield* trial.steps(this.#beginning);
      if (trial.verdict.kind === "fits") return; // those behind it cannot win
    }
  }

  /** The mapping of the first rule that holds. One before it that is still open is waited for, unless `isLate`. Throws when none can hold any more. */
  chosen(isLate: boolean): Mapping | undefined {
    const [only] = this.#adapter.mappings;
    if (this.#adapter.detect.length === 0 && only !== undefined) return only;
    const first = this.#trials.find(({ verdict }) => verdict.kind === "fits" || (verdict.kind === "open" && !isLate));
    if (first?.verdict.kind === "fits") return first.mapping;
    if (!this.#isUndecided) throw this.#noRule();
    return undefined;
  }

  get #isUndecided(): boolean {
    return this.#trials.some(({ verdict }) => verdict.kind === "open");
  }

  /** Finds out whether it is a whole report in one of the formats; before `atEnd`. */
  *readWhole(): Generator<Step> {
    const { pieces } = this.#beginning;
    if (!pieces.some((piece) => piece.some((byte) => byte > space))) return;
    for (const mapping of this.#adapter.mappings) {
      const whole = new WholeReading(mapping.input);
      for (const piece of pieces) yield () => whole.push(piece);
      yield () => whole.end();
      this.#isWhole ||= whole.isWhole;
      if (this.#isWhole) return;
    }
  }

  /** What becomes of a report that has ended and did not tell. */
  atEnd(): Mapping | ConversionError {
    const [only, second] = this.#adapter.mappings;
    if (!this.#isWhole) return new ConversionError("INCOMPLETE", "its columns are not there yet", { line: 1 });
    return only !== undefined && second === undefined ? only : this.#noRule();
  }

  #noRule(): ConversionError {
    const verdicts = this.#trials.map(({ verdict }) => verdict);
    const fault = verdicts.find((verdict) => verdict.kind === "fault")?.error;
    return unknownVersion(this.#name, verdicts.flatMap((verdict) => (verdict.kind === "other" ? [verdict.seen] : [])), this.#isUndecided ? undefined : fault, this.#isUndecided);
  }
}

function unknownVersion(name: string, seen: readonly string[], fault: ConversionError | undefined, undecided: boolean): ConversionError {
  if (seen.length > 0) return new ConversionError("VERSION", `no rule of detect fits a report with ${[...new Set(seen)].join(" and ")}`, { line: 1 });
  if (fault?.code === "ENCODING") return fault;
  if (fault !== undefined) return new ConversionError("VERSION", `no rule of detect fits a report in none of their formats: ${fault.message}`, { line: fault.line, column: fault.column, sample: fault.sample });
  return new ConversionError("VERSION", undecided ? "the report has no record that would tell its version" : `no rule of detect fits a report of the name ${name}`, { line: 1 });
}

const space = 32;

type Verdict =
  /** The bytes do not tell yet. */
  | { readonly kind: "open" }
  | { readonly kind: "fits" }
  /** It is another version. */
  | { readonly kind: "other"; readonly seen: string }
  /** It is not in this format. */
  | { readonly kind: "fault"; readonly error: ConversionError };

/** One rule, held against the columns that the report begins with and the value that its first record has in one of them. Some formats tell them at the end only. */
class Trial {
  readonly mapping: Mapping;
  readonly #rule: DetectRule;
  readonly #stop = new Error("seen");
  #columns: readonly string[] | undefined;
  #value: string | undefined;
  verdict: Verdict;

  constructor(rule: DetectRule, mapping: Mapping) {
    this.#rule = rule;
    this.mapping = mapping;
    this.verdict = rule.header.length === 0 && rule.value === undefined ? { kind: "fits" } : { kind: "open" };
  }

  /** The reader, which may hold all that it was given, is there only meanwhile. */
  *steps({ pieces, isAll }: Beginning): Generator<Step> {
    if (this.verdict.kind !== "open") return;
    const reader = createSniffer(this.mapping.input, { onColumns: (columns) => this.#onColumns(columns), onRow: (row) => this.#onRow(row) });
    for (const piece of pieces) {
      yield () => this.#read(() => reader.push(piece), false);
      if (this.verdict.kind !== "open") return;
    }
    if (isAll) yield () => this.#read(() => reader.end({ takeUnfinished: false }), true);
  }

  #read(read: () => void, isEnd: boolean): void {
    try {
      read();
    } catch (error) {
      if (error === this.#stop) this.verdict = this.#judge();
      else if (!(error instanceof ConversionError)) throw error;
      else if (error.code !== "INCOMPLETE" || !isEnd) this.verdict = { kind: "fault", error };
    }
    if (this.verdict.kind === "open" && this.#columns !== undefined) this.verdict = this.#otherColumns(this.#columns) ?? this.verdict;
  }

  #onColumns(columns: readonly string[]): void {
    this.#columns ??= columns;
    if (this.#rule.value === undefined) throw this.#stop;
  }

  #onRow(row: Row): void {
    const column = this.#rule.value?.column;
    const path = column === undefined ? undefined : parsePath(column);
    const seen = path === undefined || column === undefined ? row : withPaths(row, new Map([[column, path]]));
    if (column !== undefined && seen.kind(column) !== undefined && !isEmpty(seen, column)) this.#value = seen.text(column);
    throw this.#stop;
  }

  #judge(): Verdict {
    const other = this.#otherColumns(this.#columns ?? []);
    const { value } = this.#rule;
    if (other !== undefined || value === undefined) return other ?? { kind: "fits" };
    if (this.#value === undefined) return { kind: "other", seen: `no value in ${value.column}` };
    return value.values.includes(this.#value) ? { kind: "fits" } : { kind: "other", seen: `${value.column} ${JSON.stringify(this.#value.slice(0, 40))}` };
  }

  #otherColumns(columns: readonly string[]): Verdict | undefined {
    return this.#rule.header.every((column) => columns.includes(column)) ? undefined : { kind: "other", seen: `the columns ${columns.join(", ")}` };
  }
}

/** Whether all that is pushed is a whole report of a format. */
class WholeReading {
  readonly #reader: ByteReader;
  #hasFault = false;
  isWhole = false;

  constructor(input: InputOptions) {
    this.#reader = createSniffer(input, { onColumns: () => undefined, onRow: () => undefined });
  }

  push(bytes: Uint8Array): void {
    if (this.#hasFault) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof ConversionError)) throw error;
      this.#hasFault = true;
    }
  }

  end(): void {
    if (this.#hasFault) return;
    try {
      this.#reader.end({ takeUnfinished: false });
      this.isWhole = true;
    } catch (error) {
      if (!(error instanceof ConversionError)) throw error;
      // That the place of the records is missing is told of whole reports alone.
      this.isWhole = error.code === "COLUMN";
    }
  }
}
