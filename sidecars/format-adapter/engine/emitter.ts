// pure
import type { Row } from "../formats/row.ts";
import { createCsvWriter, createJsonArrayWriter, createNdjsonWriter, type OutCell, type TextWriter } from "../formats/writers.ts";
import type { EngineOutput } from "../formats/options.ts";
import { cellBytes, cellKind, checkType, emitted, programFlag, type Core } from "./core.ts";
import type { EnginePlan, PlannedField } from "./plan.ts";
import type { Scanner } from "./scanner.ts";

/**
 * The writing half of the engine: checks the scanner's rows, computes what is computed, and writes. The bytes are those that the
 * writers of formats/writers.ts would make of the same cells.
 */
const outputBytes = 1_048_576;
const computedTextBytes = 262_144;
const entryBytes = 32;
const checkBytes = 16;
const rowsMax = 2_048;

type Fault = { readonly row: number; readonly error: unknown };
/** Bytes that stay in the memory. */
type Literal = { readonly at: number; readonly length: number };

export class Emitter {
  readonly #core: Core;
  readonly #scanner: Scanner;
  readonly #plan: EnginePlan;
  readonly #output: EngineOutput;
  readonly #program: number;
  readonly #checks: number;
  readonly #computed: number;
  readonly #makers: readonly ((row: Row) => OutCell)[];
  readonly #literals = new Map<string, Literal>();
  #computedText: number;
  #computedTextBytes = computedTextBytes;
  #area: number;
  #areaBytes = outputBytes;
  #at: number;
  /** Columns known when the program was made; it is made again when there are more. */
  #madeFor = -1;
  /** Which of the plan's checks have a column, in the order of the core's checks. */
  #checked: readonly number[] = [];
  rows = 0;

  constructor(core: Core, scanner: Scanner, plan: EnginePlan, output: EngineOutput) {
    this.#core = core;
    this.#scanner = scanner;
    this.#plan = plan;
    this.#output = output;
    this.#makers = plan.fields.flatMap((field) => (field.kind === "computed" ? [field.make] : []));
    this.#program = core.allocate(plan.fields.length * entryBytes);
    this.#checks = core.allocate(plan.checks.length * checkBytes);
    this.#computed = core.allocate(rowsMax * this.#makers.length * cellBytes);
    this.#computedText = core.allocate(computedTextBytes);
    this.#area = core.allocate(outputBytes);
    this.#at = this.#area;
    this.#openOutput();
    this.#text(this.#writer().start());
  }

  /** Writes the scanner's rows; yields when the output is full. Throws ConversionError. */
  *write(rows: number): Generator<Uint8Array> {
    const { functions } = this.#core;
    if (this.#madeFor !== this.#scanner.columns.length) this.#makeProgram();
    const fault = this.#prepare(rows);
    const good = fault?.row ?? rows;
    const { rowsArea, rowBytes } = this.#scanner;
    const computedRowBytes = this.#makers.length * cellBytes;
    for (let done = 0; done < good; ) {
      const outcome = functions.emit(this.#output.format === "csv", rowsArea + done * rowBytes, rowBytes, this.#computed + done * computedRowBytes, computedRowBytes, good - done, this.#at, this.#area + this.#areaBytes);
      done += functions.rowsDone.value;
      this.rows += functions.rowsDone.value;
      this.#at = functions.written.value;
      if (outcome === emitted.wrong) throw this.#fieldFault(this.#scanner.row(done), functions.wrongField.value);
      if (outcome !== emitted.full) continue;
      if (this.#at > this.#area) yield* this.flush();
      else this.#growOutput();
    }
    if (fault !== undefined) throw fault.error;
  }

  *end(): Generator<Uint8Array> {
    this.#text(this.#output.format === "json" ? (this.rows === 0 ? "]\n" : "\n]\n") : "");
    yield* this.flush();
  }

  *flush(): Generator<Uint8Array> {
    if (this.#at > this.#area) yield this.#core.bytes.subarray(this.#area, this.#at);
    this.#at = this.#area;
  }

  /** The writer whose forms of head, constants and keys are used here. */
  #writer(): TextWriter {
    const names = this.#plan.fields.map((field) => field.name);
    switch (this.#output.format) {
      case "csv":
        return createCsvWriter(names, this.#output);
      case "ndjson":
        return createNdjsonWriter(names);
      case "json":
        return createJsonArrayWriter(names);
    }
  }

  #text(text: string): void {
    const bytes = Buffer.from(text);
    while (this.#at + bytes.length > this.#area + this.#areaBytes) this.#growOutput();
    this.#core.bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #growOutput(): void {
    const kept = this.#core.bytes.subarray(this.#area, this.#at);
    const length = kept.length;
    this.#areaBytes *= 2;
    const area = this.#core.allocate(this.#areaBytes);
    this.#core.bytes.copyWithin(area, this.#area, this.#area + length);
    this.#area = area;
    this.#at = area + length;
  }

  #openOutput(): void {
    const { format, eol, delimiter, quote } = this.#output;
    const { functions } = this.#core;
    const isJson = format !== "csv";
    const first = this.#literal(isJson ? (format === "json" ? "\n{" : "{") : "");
    const other = this.#literal(isJson ? (format === "json" ? ",\n{" : "{") : "");
    const tail = this.#literal(format === "json" ? "}" : format === "ndjson" ? "}\n" : eol === "crlf" ? "\r\n" : "\n");
    functions.openOutput(this.#program, this.#plan.fields.length, first.at, first.length, other.at, other.length, tail.at, tail.length);
    functions.openCsvOutput(delimiter.charCodeAt(0), quote === "all");
  }

  #literal(text: string): Literal {
    const known = this.#literals.get(text);
    if (known !== undefined) return known;
    const bytes = Buffer.from(text);
    const literal = { at: this.#core.keep(bytes), length: bytes.length };
    this.#literals.set(text, literal);
    return literal;
  }

  /** A cell as this output writes it: what a record of nothing else would hold. */
  #written(cell: OutCell): Literal {
    if (this.#output.format !== "csv") return this.#literal(cell.json === "raw" ? cell.text : cell.json === "null" ? "null" : JSON.stringify(cell.text));
    // Beside another field, since an only and empty one is written in its own way.
    const names = this.#plan.fields.length === 1 ? ["a"] : ["a", "b"];
    const line = createCsvWriter(names, this.#output).row(names.map((_, index) => (index === 0 ? cell : { text: "", json: "string" as const })));
    const eolLength = this.#output.eol === "crlf" ? 2 : 1;
    const restLength = names.length === 1 ? 0 : this.#output.delimiter.length + (this.#output.quote === "all" ? 2 : 0);
    return this.#literal(line.slice(0, line.length - eolLength - restLength));
  }

  #makeProgram(): void {
    this.#madeFor = this.#scanner.columns.length;
    let computed = 0;
    for (const [index, field] of this.#plan.fields.entries()) {
      const entry = this.#program + index * entryBytes;
      const comma = index === 0 ? "" : this.#output.format === "csv" ? this.#output.delimiter : ",";
      const before = this.#literal(this.#output.format === "csv" ? comma : `${comma}${JSON.stringify(field.name)}:`);
      const { column, flags, literal } = this.#entry(field, computed);
      if (field.kind === "computed") computed++;
      this.#core.words.set([before.at, before.length, column, flags, literal?.at ?? 0, literal?.length ?? 0], entry >> 2);
    }
    this.#makeChecks();
  }

  #entry(field: PlannedField, computed: number): { readonly column: number; readonly flags: number; readonly literal?: Literal | undefined } {
    switch (field.kind) {
      case "constant":
        return { column: 0, flags: programFlag.constant, literal: this.#written(field.cell) };
      case "computed":
        return { column: computed, flags: programFlag.computed | programFlag.optional };
      case "copy": {
        const column = this.#scanner.columnIndex(field.column);
        const literal = field.fallback === undefined ? undefined : this.#written(field.fallback);
        const flags = (field.bare ? programFlag.bare : 0) | (field.emptyIsNull ? programFlag.emptyIsNull : 0) | (field.optional ? programFlag.optional : 0) | (literal === undefined ? 0 : programFlag.fallback);
        if (column !== undefined) return { column, flags, literal };
        // No record has had the column: what stands for a missing value is written, or the first record that should have it is refused.
        if (literal !== undefined || field.optional) return { column: 0, flags: programFlag.constant, literal: literal ?? this.#written({ text: "", json: "null" }) };
        return { column: 0, flags: programFlag.absent };
      }
    }
  }

  #makeChecks(): void {
    this.#checked = this.#plan.checks.flatMap(({ column }, index) => (this.#scanner.columnIndex(column) === undefined ? [] : [index]));
    for (const [place, index] of this.#checked.entries()) {
      const check = this.#plan.checks[index];
      if (check === undefined) continue;
      this.#core.words.set([this.#scanner.columnIndex(check.column) ?? 0, checkType[check.type.kind], check.type.digits, check.type.optional ? 1 : 0], (this.#checks + place * checkBytes) >> 2);
    }
  }

  /** Checks the rows and computes what is computed, as far as they are right. */
  #prepare(rows: number): Fault | undefined {
    const wrong = this.#check(rows);
    return this.#compute(wrong?.row ?? rows) ?? wrong;
  }

  #check(rows: number): Fault | undefined {
    const { functions } = this.#core;
    const { rowsArea, rowBytes } = this.#scanner;
    let row = 0;
    let first = 0;
    while (row < rows) {
      row += functions.firstUnsure(rowsArea + row * rowBytes, rowBytes, rows - row, this.#checks, this.#checked.length, first);
      if (row >= rows) break;
      const unsure = functions.unsureCheck.value;
      try {
        this.#plan.checks[this.#checked[unsure] ?? 0]?.check(this.#scanner.row(row));
      } catch (error) {
        return { row, error };
      }
      first = unsure + 1;
    }
    return undefined;
  }

  #compute(rows: number): Fault | undefined {
    if (this.#makers.length === 0) return undefined;
    let text = this.#computedText;
    let cell = this.#computed;
    for (let row = 0; row < rows; row++) {
      const view = this.#scanner.row(row);
      try {
        for (const make of this.#makers) {
          text = this.#put(cell, text, make(view));
          cell += cellBytes;
        }
      } catch (error) {
        return { row, error };
      }
    }
    return undefined;
  }

  /** Puts a computed cell; gives where the next one's text goes. */
  #put(cell: number, at: number, { text, json }: OutCell): number {
    const core = this.#core;
    const most = text.length * 3;
    let start = at;
    if (start + most > this.#computedText + this.#computedTextBytes) {
      // The cells before point into the area before, which stays.
      this.#computedTextBytes = Math.max(this.#computedTextBytes * 2, most * 2);
      this.#computedText = core.allocate(this.#computedTextBytes);
      start = this.#computedText;
    }
    const length = core.bytes.write(text, start);
    core.setCell(cell, start, length, json === "string" ? cellKind.text : json === "raw" ? cellKind.number : cellKind.null);
    return start + length;
  }

  #fieldFault(row: Row, index: number): unknown {
    const field = this.#plan.fields[index];
    try {
      if (field?.kind === "copy") field.make(row);
    } catch (error) {
      return error;
    }
    return new Error(`The engine refused the field "${field?.name ?? ""}", which the mapping accepts`);
  }
}
