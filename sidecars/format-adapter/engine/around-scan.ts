// pure
import { JsonAround, type JsonAroundOptions } from "../formats/json-around.ts";
import type { JsonCell } from "../formats/json-text.ts";
import { afterArray, cellBytes, cellKinds, type Core } from "./core.ts";

/** Of the core's arrayPlace. */
const beforeRecord = 2;
/** The parent of columns that are no keys of the records. */
const constantsSlot = 0xffff_fffe;

/** What the core is told of a JSON document that is not the list of its records, and the values that all of them have. */
export class AroundScan extends JsonAround {
  readonly #core: Core;
  /** Where each value is, its length and its kind. */
  #cells: readonly (readonly [start: number, length: number, kind: number])[] = [];

  constructor(core: Core, options: JsonAroundOptions) {
    super(options);
    this.#core = core;
  }

  /** The records begin. Gives the names of their first columns, which have one value in all rows. */
  begin(): readonly string[] {
    const { functions } = this.#core;
    if (!this.isList) functions.arrayPlace.value = beforeRecord;
    this.#cells = [...this.constants].map(([column, cell]) => {
      const name = Buffer.from(column);
      functions.addSlot(constantsSlot, this.#core.keep(name), name.length, false);
      const value = Buffer.from(cell.text);
      return [this.#core.keep(value), value.length, kindOf(cell)] as const;
    });
    return [...this.constants.keys()];
  }

  /** Whether the core has come to the end of the records; it has just read so many. */
  isOver(rows: number): boolean {
    return this.isList ? this.#core.functions.arrayPlace.value === afterArray : rows > 0;
  }

  /** Puts the values into the first columns of rows. */
  put(rowsArea: number, rowBytes: number, rows: number): void {
    for (let row = 0; row < rows; row++) {
      for (const [index, [start, length, kind]] of this.#cells.entries()) this.#core.setCell(rowsArea + row * rowBytes + (index + 1) * cellBytes, start, length, kind);
    }
  }
}

function kindOf({ kind, text }: JsonCell): number {
  return kind === "boolean" ? cellKinds.indexOf("boolean") + (text === "true" ? 0 : 1) : cellKinds.indexOf(kind);
}
