// pure
import type { Row } from "../formats/row.ts";
import { createJsonArrayWriter, createNdjsonWriter, type OutCell, type TextWriter } from "../formats/writers.ts";
import { createCsvWriter, quotedStart } from "../formats/csv-writer.ts";
import type { EngineOutput } from "../formats/options.ts";
import { jsonFrame, type JsonFrame } from "../formats/json-frame.ts";
import { jsonLayout } from "../formats/json-layout.ts";
import { RowRefusals } from "../row-refusals.ts";
import { cellBytes, cellKind, checkType, emitted, programFlag, type Core } from "./core.ts";
import { batchRowsMax, compileFilter, compileKernel, type Batch, type FilterKernel, type Kernel } from "./kernels.ts";
import { kernelColumns, type EnginePlan, type PlannedField } from "./plan.ts";
import type { Scanner } from "./scanner.ts";

/**
 * The writing half of the engine: checks the scanner's rows, computes what is computed, and writes. The bytes are those that the
 * writers of formats/writers.ts would make of the same cells.
 */
const outputBytes = 1_048_576;
const computedTextBytes = 262_144;
const entryBytes = 32;
const checkBytes = 16;

type Frame = Omit<JsonFrame, "start">;
type Fault = { readonly row: number; readonly error: unknown };
type ComputedField = PlannedField & { readonly kind: "computed" };
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
  readonly #makers: readonly ComputedField[];
  readonly #frame: Frame;
  /** What the core computes by itself, as far as its columns are known; for the others the makers are asked. */
  readonly #kernels: (Kernel | undefined)[];
  readonly #triedKernels = new Set<ComputedField>();
  #filter: FilterKernel | undefined;
  #triedFilter = false;
  /** One byte for each record of the batch: it is not written, or the core is not sure of it. */
  readonly #leftOut: number;
  readonly #unsure: number;
  readonly refusals: RowRefusals;
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
  /** Whether nothing was handed over yet. */
  #isStart = true;
  rows = 0;

  constructor(core: Core, scanner: Scanner, plan: EnginePlan, output: EngineOutput) {
    this.#core = core;
    this.#scanner = scanner;
    this.#plan = plan;
    this.#output = output;
    this.#makers = plan.fields.filter((field) => field.kind === "computed");
    this.#kernels = this.#makers.map(() => undefined);
    this.#frame = frameOf(plan, output);
    this.#leftOut = core.allocate(batchRowsMax);
    this.#unsure = core.allocate(batchRowsMax);
    this.refusals = new RowRefusals(plan.refusals);
    this.#program = core.allocate(plan.fields.length * entryBytes);
    this.#checks = core.allocate(plan.checks.length * checkBytes);
    this.#computed = core.allocate(batchRowsMax * this.#makers.length * cellBytes);
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
    let done = functions.nextUnmarked(this.#leftOut, 0, good);
    while (done < good) {
      const until = functions.nextMarked(this.#leftOut, done, good);
      yield* this.#writeRun(done, until);
      done = functions.nextUnmarked(this.#leftOut, until, good);
    }
    if (fault !== undefined) throw fault.error;
  }

  /** Writes rows from..until. */
  *#writeRun(from: number, until: number): Generator<Uint8Array> {
    const { functions } = this.#core;
    const { rowsArea, rowBytes } = this.#scanner;
    const computedRowBytes = this.#makers.length * cellBytes;
    for (let done = from; done < until; ) {
      const outcome = functions.emit(this.#output.format === "csv", rowsArea + done * rowBytes, rowBytes, this.#computed + done * computedRowBytes, computedRowBytes, until - done, this.#at, this.#area + this.#areaBytes);
      done += functions.rowsDone.value;
      this.rows += functions.rowsDone.value;
      this.#at = functions.written.value;
      if (outcome === emitted.wrong) {
        const row = this.#scanner.row(done);
        this.refusals.refuse(this.#fieldFault(row, functions.wrongField.value), row, this.#scanner.columns);
        done++;
        continue;
      }
      if (outcome !== emitted.full) continue;
      if (this.#at > this.#area) yield* this.flush();
      else this.#growOutput();
    }
  }

  *end(): Generator<Uint8Array> {
    this.refusals.end(this.rows);
    this.#text(this.rows === 0 ? this.#frame.endOfNone : this.#frame.end);
    yield* this.flush();
  }

  *flush(): Generator<Uint8Array> {
    const made = this.#core.bytes.subarray(this.#area, this.#at);
    if (made.length > 0) yield this.#isStart && this.#output.format === "csv" ? quotedStart(made, this.#output) : made;
    this.#isStart &&= made.length === 0;
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
        return createJsonArrayWriter(names, this.#output.wrap);
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
    const csv = this.#output.format === "csv" ? this.#output : undefined;
    const { functions } = this.#core;
    const first = this.#literal(this.#frame.first);
    const other = this.#literal(this.#frame.other);
    const tail = this.#literal(this.#frame.tail);
    functions.openOutput(this.#program, this.#plan.fields.length, first.at, first.length, other.at, other.length, tail.at, tail.length);
    if (csv !== undefined) functions.openCsvOutput(csv.delimiter.charCodeAt(0), csv.quote === "all");
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
    const output = this.#output;
    if (output.format !== "csv") return this.#literal(cell.json === "raw" ? cell.text : cell.json === "null" ? "null" : JSON.stringify(cell.text));
    // Beside another field, since an only and empty one is written in its own way.
    const names = this.#plan.fields.length === 1 ? ["a"] : ["a", "b"];
    // With a header, since no other record is written as the first of a report is.
    const line = createCsvWriter(names, { ...output, header: true }).row(names.map((_, index) => (index === 0 ? cell : { text: "", json: "string" as const })));
    const eolLength = output.eol === "crlf" ? 2 : 1;
    const restLength = names.length === 1 ? 0 : output.delimiter.length + (output.quote === "all" ? 2 : 0);
    return this.#literal(line.slice(0, line.length - eolLength - restLength));
  }

  #makeProgram(): void {
    this.#madeFor = this.#scanner.columns.length;
    let computed = 0;
    for (const [index, field] of this.#plan.fields.entries()) {
      const entry = this.#program + index * entryBytes;
      const before = this.#literal(this.#frame.before[index] ?? "");
      const { column, flags, literal } = this.#entry(field, computed);
      if (field.kind === "computed") computed++;
      this.#core.words.set([before.at, before.length, column, flags, literal?.at ?? 0, literal?.length ?? 0], entry >> 2);
    }
    this.#makeChecks();
    this.#compileKernels();
  }

  /** Each is compiled once, when its columns are known: it takes memory that stays. */
  #compileKernels(): void {
    const columnIndex = (column: string): number | undefined => this.#scanner.columnIndex(column);
    const areKnown = (columns: readonly string[]): boolean => columns.every((column) => columnIndex(column) !== undefined);
    for (const [place, field] of this.#makers.entries()) {
      if (field.kernel === undefined || this.#triedKernels.has(field) || !areKnown(kernelColumns(field.kernel))) continue;
      this.#triedKernels.add(field);
      this.#kernels[place] = compileKernel(this.#core, field.kernel, columnIndex);
    }
    const { where } = this.#plan;
    if (where === undefined || this.#triedFilter || !areKnown(where.columns)) return;
    this.#triedFilter = true;
    this.#filter = compileFilter(this.#core, where.node, columnIndex);
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

  /**
   * Checks the rows, leaves out those that are not wanted, and computes what is computed. The first fault that refuses the report is
   * given, and rows before it are right; other faulty ones are left out.
   */
  #prepare(rows: number): Fault | undefined {
    this.#core.bytes.fill(0, this.#leftOut, this.#leftOut + rows);
    const faults: Fault[] = [];
    let limit = rows;
    const onFault = (row: number, error: unknown): void => {
      faults.push({ row, error });
      this.#core.bytes[this.#leftOut + row] = 1;
      if (this.#plan.refusals.kind === "fail-file") limit = Math.min(limit, row);
    };
    this.#check(limit, onFault);
    if (this.#plan.rowChecks.length > 0) this.#checkRows(limit, onFault);
    if (this.#plan.where !== undefined) this.#select(limit, onFault);
    if (this.#makers.length > 0) this.#compute(limit, onFault);
    if (faults.length === 0) return undefined;
    for (const { row, error } of faults.toSorted((left, right) => left.row - right.row)) {
      try {
        this.refusals.refuse(error, this.#scanner.row(row), this.#scanner.columns);
      } catch (refused) {
        return { row, error: refused };
      }
    }
    return undefined;
  }

  #check(rows: number, onFault: (row: number, error: unknown) => void): void {
    const { functions } = this.#core;
    const { rowsArea, rowBytes } = this.#scanner;
    let row = 0;
    let first = 0;
    while (row < rows) {
      row += functions.firstUnsure(rowsArea + row * rowBytes, rowBytes, rows - row, this.#checks, this.#checked.length, first);
      if (row >= rows) return;
      const unsure = functions.unsureCheck.value;
      first = unsure + 1;
      try {
        this.#plan.checks[this.#checked[unsure] ?? 0]?.check(this.#scanner.row(row));
      } catch (error) {
        onFault(row, error);
        if (this.#plan.refusals.kind === "fail-file") return;
        row++;
        first = 0;
      }
    }
  }

  /** Tries something with each row that is not left out, until one refuses the report. */
  #eachRow(rows: number, onFault: (row: number, error: unknown) => void, use: (row: number) => void): void {
    const { functions } = this.#core;
    for (let row = functions.nextUnmarked(this.#leftOut, 0, rows); row < rows; row = functions.nextUnmarked(this.#leftOut, row + 1, rows)) {
      try {
        use(row);
      } catch (error) {
        onFault(row, error);
        if (this.#plan.refusals.kind === "fail-file") return;
      }
    }
  }

  #checkRows(rows: number, onFault: (row: number, error: unknown) => void): void {
    this.#eachRow(rows, onFault, (row) => {
      for (const check of this.#plan.rowChecks) check(this.#scanner.row(row));
    });
  }

  #batch(rows: number): Batch {
    this.#core.bytes.fill(0, this.#unsure, this.#unsure + rows);
    return { rows, cells: this.#scanner.rowsArea, rowBytes: this.#scanner.rowBytes, unsure: this.#unsure };
  }

  #select(rows: number, onFault: (row: number, error: unknown) => void): void {
    const { where } = this.#plan;
    const flags = this.#filter?.(this.#batch(rows));
    this.#eachRow(rows, onFault, (row) => {
      const isSure = flags !== undefined && this.#core.bytes[this.#unsure + row] === 0;
      const isKept = isSure ? this.#core.bytes[flags + row * 8] === 1 : where?.keep(this.#scanner.row(row));
      if (isKept === true) return;
      this.#core.bytes[this.#leftOut + row] = 1;
      this.refusals.dropped++;
    });
  }

  #compute(rows: number, onFault: (row: number, error: unknown) => void): void {
    const rowBytes = this.#makers.length * cellBytes;
    const batch = this.#batch(rows);
    for (const [place, kernel] of this.#kernels.entries()) kernel?.(batch, { cells: this.#computed + place * cellBytes, cellsBytes: rowBytes });
    const slow = this.#makers.flatMap((_, place) => (this.#kernels[place] === undefined ? [place] : []));
    const all = [...this.#makers.keys()];
    const { functions } = this.#core;
    // Where the core is not sure of one field, the row's fields are made one after the other, so that the first fault is told.
    if (slow.length === 0 && functions.nextMarked(this.#unsure, 0, rows) === rows) return;
    let text = this.#computedText;
    this.#eachRow(rows, onFault, (row) => {
      const isSure = this.#core.bytes[this.#unsure + row] === 0;
      if (isSure && slow.length === 0) return;
      const view = this.#scanner.row(row);
      for (const place of isSure ? slow : all) {
        const made = this.#makers[place]?.make(view);
        if (made !== undefined) text = this.#put(this.#computed + row * rowBytes + place * cellBytes, text, made);
      }
    });
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

/** The text between the values. */
function frameOf({ fields }: EnginePlan, output: EngineOutput): Frame {
  const names = fields.map((field) => field.name);
  switch (output.format) {
    case "csv":
      return { first: "", other: "", before: names.map((_, index) => (index === 0 ? "" : output.delimiter)), tail: output.eol === "crlf" ? "\r\n" : "\n", end: "", endOfNone: "" };
    case "ndjson": {
      const { before, tail } = jsonLayout(names);
      return { first: "{", other: "{", before, tail: `${tail}}\n`, end: "", endOfNone: "" };
    }
    case "json":
      return jsonFrame(names, output.wrap);
  }
}
