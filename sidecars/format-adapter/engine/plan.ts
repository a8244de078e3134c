// pure
import type { Row } from "../formats/row.ts";
import type { OutCell } from "../formats/writers.ts";
import type { ValueType } from "../mapping/types.ts";

/**
 * What the engine is to do with each record: check some columns, compute some fields, write all of them. Columns are named; the
 * engine knows where they are.
 */
export type EnginePlan = {
  readonly checks: readonly { readonly column: string; readonly type: ValueType; readonly check: (row: Row) => void }[];
  readonly fields: readonly PlannedField[];
};

export type PlannedField = { readonly name: string } & (
  | {
      /** The column's value as it is. */
      readonly kind: "copy";
      readonly column: string;
      readonly bare: boolean;
      readonly emptyIsNull: boolean;
      readonly optional: boolean;
      readonly fallback: OutCell | undefined;
      /** Finds the words when the value cannot be written: throws ConversionError. */
      readonly make: (row: Row) => OutCell;
    }
  | { readonly kind: "constant"; readonly cell: OutCell }
  | { readonly kind: "computed"; readonly make: (row: Row) => OutCell }
);
