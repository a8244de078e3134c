// pure
import { readerLimitsDefault } from "../formats/row.ts";
import type { EngineInput, EngineOutput } from "../formats/options.ts";
import type { RowRefusals } from "../row-refusals.ts";
import { Core } from "./core.ts";
import { Emitter } from "./emitter.ts";
import { explainRecord, recordFault } from "./explain.ts";
import type { EnginePlan } from "./plan.ts";
import { Scanner } from "./scanner.ts";

/**
 * Turns the bytes of a CSV, NDJSON or JSON report into those of another by a plan, without making strings of values that nobody
 * touches, in memory that does not grow with the report but with its longest record. Deterministic.
 */
export class Engine {
  readonly #core = new Core();
  readonly #scanner: Scanner;
  readonly #emitter: Emitter;

  /** `onColumns` as of RecordHandler (formats/row.ts). */
  constructor(options: { readonly input: EngineInput; readonly output: EngineOutput; readonly plan: EnginePlan; readonly onColumns: (columns: readonly string[], line: number) => void }) {
    const core = this.#core;
    const { input } = options;
    this.#scanner = new Scanner({
      core, input,
      recordBytesMax: readerLimitsDefault.recordCharsMax,
      columnsMax: readerLimitsDefault.columnsMax,
      onColumns: options.onColumns,
      explain: (text, line, isWhole) => explainRecord(input, text, { line, columns: this.#scanner.columns, isWhole }),
      onFault: options.plan.refusals.kind === "fail-file" ? undefined : (text, line) => this.refusals.refuseRecord(recordFault(input, text, { line, columns: this.#scanner.columns }), this.#scanner.columns),
    });
    this.#emitter = new Emitter(core, this.#scanner, options.plan, options.output);
  }

  /** Records that were left out. */
  get refusals(): RowRefusals {
    return this.#emitter.refusals;
  }

  /** Gives its memory to the next conversion. May be left out; no byte may go in or out afterwards, `rows` and `refusals` stay. */
  close(): void {
    this.#core.release();
  }

  /** Records written so far. */
  get rows(): number {
    return this.#emitter.rows;
  }

  /** Where the next bytes of the report are to be put; never empty. Valid until the next call. */
  room(): Buffer {
    return this.#scanner.room();
  }

  /** Takes so many bytes that were put into the room. Each piece of output is valid until the next one is asked for. Throws ConversionError. */
  *take(length: number): Generator<Uint8Array> {
    this.#scanner.filled(length);
    yield* this.#scanner.scan(false, (rows) => this.#emitter.write(rows));
  }

  /** The report is over. Throws INCOMPLETE when its last record has no end and `takeUnfinished` does not say that it has. */
  *end({ takeUnfinished }: { readonly takeUnfinished: boolean }): Generator<Uint8Array> {
    if (takeUnfinished) this.#scanner.closeLine();
    yield* this.#scanner.scan(true, (rows) => this.#emitter.write(rows));
    this.#scanner.checkEnd();
    yield* this.#emitter.end();
  }
}
