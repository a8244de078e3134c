// pure
import { ConversionError } from "./conversion-error.ts";
import { applyPlan, type EnginePlan } from "./engine/plan.ts";
import { Rooms } from "./blocks.ts";
import type { ByteReader } from "./formats/byte-reader.ts";
import type { RecordHandler, Row } from "./formats/row.ts";
import type { OutCell, RecordWriter } from "./formats/writers.ts";
import { RowRefusals } from "./row-refusals.ts";

const rooms = new Rooms(262_144, 4);

/** A conversion record by record, for the formats that the engine does not read and write by itself. As Engine otherwise. */
export class RowConversion {
  readonly #plan: EnginePlan;
  readonly #reader: ByteReader;
  readonly #writer: RecordWriter;
  readonly #room = rooms.take();
  #pieces: (string | Uint8Array)[];
  readonly refusals: RowRefusals;
  readonly #columns: string[] = [];
  rows = 0;

  constructor(options: { readonly plan: EnginePlan; readonly onColumns: RecordHandler["onColumns"]; readonly createReader: (handler: RecordHandler) => ByteReader; readonly writer: RecordWriter }) {
    this.#plan = options.plan;
    this.#writer = options.writer;
    this.#pieces = [this.#writer.start()];
    this.refusals = new RowRefusals(options.plan.refusals);
    const onColumns: RecordHandler["onColumns"] = (columns, line) => {
      this.#columns.push(...columns);
      options.onColumns(columns, line);
    };
    const onFault: RecordHandler["onFault"] = options.plan.refusals.kind === "fail-file" ? undefined : (fault) => this.refusals.refuseRecord(fault, this.#columns);
    this.#reader = options.createReader({ onColumns, onRow: (row) => this.#convert(row), onFault });
  }

  /** Gives its memory to the next conversion. May be left out; no byte may go in or out afterwards, `rows` and `refusals` stay. */
  close(): void {
    this.#reader.close?.();
    rooms.give(this.#room);
  }

  room(): Buffer {
    return this.#room;
  }

  *take(length: number): Generator<Uint8Array> {
    const bytes = this.#room.subarray(0, length);
    if (this.#reader.steps === undefined) this.#reader.push(bytes);
    else for (const _ of this.#reader.steps(bytes)) yield* this.#flush();
    yield* this.#flush();
  }

  *end(options: { readonly takeUnfinished: boolean }): Generator<Uint8Array> {
    this.#reader.end(options);
    this.refusals.end(this.rows);
    this.#pieces.push(this.#writer.end());
    yield* this.#flush();
  }

  #convert(row: Row): void {
    let written: string | Uint8Array | undefined;
    try {
      const cells = applyPlan(this.#plan, row);
      if (cells !== undefined) written = this.#write(cells, row);
    } catch (error) {
      this.refusals.refuse(error, row, this.#columns);
      return;
    }
    if (written === undefined) {
      this.refusals.dropped++;
      return;
    }
    this.#pieces.push(written);
    this.rows++;
  }

  /** Writers know no lines: what they refuse is told with the line of its record. */
  #write(cells: readonly OutCell[], row: Row): string | Uint8Array {
    try {
      return this.#writer.row(cells);
    } catch (error) {
      if (!(error instanceof ConversionError)) throw error;
      throw new ConversionError(error.code, error.message, { line: row.line, column: error.column, sample: error.sample });
    }
  }

  *#flush(): Generator<Uint8Array> {
    const pieces = this.#pieces;
    this.#pieces = [];
    const bytes = Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
    if (bytes.length > 0) yield bytes;
  }
}
