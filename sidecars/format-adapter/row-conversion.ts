// pure
import type { EnginePlan } from "./engine/plan.ts";
import type { ByteReader } from "./formats/byte-reader.ts";
import type { RecordHandler, Row } from "./formats/row.ts";
import type { RecordWriter } from "./formats/writers.ts";

const roomBytes = 262_144;

/** A conversion record by record, for the formats that the engine does not read and write by itself. As Engine otherwise. */
export class RowConversion {
  readonly #plan: EnginePlan;
  readonly #reader: ByteReader;
  readonly #writer: RecordWriter;
  readonly #room = Buffer.allocUnsafe(roomBytes);
  #pieces: (string | Uint8Array)[];
  rows = 0;

  constructor(options: { readonly plan: EnginePlan; readonly onColumns: RecordHandler["onColumns"]; readonly createReader: (handler: RecordHandler) => ByteReader; readonly writer: RecordWriter }) {
    this.#plan = options.plan;
    this.#writer = options.writer;
    this.#pieces = [this.#writer.start()];
    this.#reader = options.createReader({ onColumns: options.onColumns, onRow: (row) => this.#convert(row) });
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
    this.#pieces.push(this.#writer.end());
    yield* this.#flush();
  }

  #convert(row: Row): void {
    for (const { check } of this.#plan.checks) check(row);
    this.#pieces.push(this.#writer.row(this.#plan.fields.map((field) => (field.kind === "constant" ? field.cell : field.make(row)))));
    this.rows++;
  }

  *#flush(): Generator<Uint8Array> {
    const pieces = this.#pieces;
    this.#pieces = [];
    const bytes = Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
    if (bytes.length > 0) yield bytes;
  }
}
