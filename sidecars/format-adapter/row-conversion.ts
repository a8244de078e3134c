// pure
import { applyPlan, type EnginePlan } from "./engine/plan.ts";
import type { ByteReader } from "./formats/byte-reader.ts";
import type { RecordHandler, Row } from "./formats/row.ts";
import type { RecordWriter } from "./formats/writers.ts";
import { RowRefusals } from "./row-refusals.ts";

const roomBytes = 262_144;

/** A conversion record by record, for the formats that the engine does not read and write by itself. As Engine otherwise. */
export class RowConversion {
  readonly #plan: EnginePlan;
  readonly #reader: ByteReader;
  readonly #writer: RecordWriter;
  readonly #room = Buffer.allocUnsafe(roomBytes);
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
    this.#reader = options.createReader({ onColumns, onRow: (row) => this.#convert(row) });
  }

  room(): Buffer {
    return this.#room;
  }

  *take(length: number): Generator<Uint8Array> {
    this.#reader.push(this.#room.subarray(0, length));
    yield* this.#flush();
  }

  *end(options: { readonly takeUnfinished: boolean }): Generator<Uint8Array> {
    this.#reader.end(options);
    this.refusals.end(this.rows);
    this.#pieces.push(this.#writer.end());
    yield* this.#flush();
  }

  #convert(row: Row): void {
    let cells: ReturnType<typeof applyPlan>;
    try {
      cells = applyPlan(this.#plan, row);
    } catch (error) {
      this.refusals.refuse(error, row, this.#columns);
      return;
    }
    if (cells === undefined) {
      this.refusals.dropped++;
      return;
    }
    this.#pieces.push(this.#writer.row(cells));
    this.rows++;
  }

  *#flush(): Generator<Uint8Array> {
    const pieces = this.#pieces;
    this.#pieces = [];
    const bytes = Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
    if (bytes.length > 0) yield bytes;
  }
}
