// pure
import type { Row } from "../formats/row.ts";
import type { OutCell } from "../formats/writers.ts";
import type { DatePiece } from "../mapping/date-pattern.ts";
import type { Rounding } from "../mapping/decimal.ts";
import type { ExpressionNode } from "../mapping/expression-node.ts";
import type { ValueType } from "../mapping/types.ts";
import type { RefusalPolicy } from "../row-refusals.ts";

/**
 * What the engine is to do with each record: check some columns, leave some records out, compute some fields, write all of them.
 * Columns are named; the engine knows where they are.
 */
export type EnginePlan = {
  readonly checks: readonly { readonly column: string; readonly type: ValueType; readonly check: (row: Row) => void }[];
  /** Checks of what is inside of columns. */
  readonly rowChecks: readonly ((row: Row) => void)[];
  readonly where: RowFilter | undefined;
  readonly fields: readonly PlannedField[];
  readonly refusals: RefusalPolicy;
};

/** Records for which `keep` is false are left out. `node` says the same to whoever can compute it for many records at once. */
export type RowFilter = { readonly keep: (row: Row) => boolean; readonly node: ExpressionNode; readonly columns: readonly string[] };

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
  | {
      readonly kind: "computed";
      readonly make: (row: Row) => OutCell;
      /** The same, said to whoever can compute it for many records at once; `make` is asked where that is not sure of a value. */
      readonly kernel: FieldKernel | undefined;
    }
);

export type FieldKernel =
  | { readonly kind: "expression"; readonly node: ExpressionNode; readonly columns: readonly string[]; readonly type: ValueType; readonly rounding: Rounding }
  | { readonly kind: "map"; readonly column: string; readonly values: ReadonlyMap<string, string>; /** What unlisted values become; "ask" leaves them to `make`. */ readonly otherwise: { readonly kind: "ask" } | { /** `bare`: texts are numbers or booleans by their type. */ readonly kind: "keep"; readonly bare: boolean } | { readonly kind: "value"; readonly text: string } }
  | { readonly kind: "join"; readonly columns: readonly string[]; readonly separator: string }
  | { readonly kind: "split"; readonly column: string; readonly separator: string; readonly index: number }
  /** RFC 3339 in UTC to a pattern in UTC. */
  | { readonly kind: "date"; readonly column: string; readonly pieces: readonly DatePiece[] };

/** The columns that a field is computed of. */
export function kernelColumns(kernel: FieldKernel): readonly string[] {
  return "columns" in kernel ? kernel.columns : [kernel.column];
}

/** The cells of one record; undefined when it is left out. Throws ConversionError. */
export function applyPlan(plan: EnginePlan, row: Row): readonly OutCell[] | undefined {
  for (const { check } of plan.checks) check(row);
  for (const check of plan.rowChecks) check(row);
  if (plan.where?.keep(row) === false) return undefined;
  return plan.fields.map((field) => (field.kind === "constant" ? field.cell : field.make(row)));
}
