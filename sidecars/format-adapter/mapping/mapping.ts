// pure
import type { Compression, InputCompression } from "../formats/compression.ts";
import type { InputOptions, OutputOptions } from "../formats/options.ts";
import type { RefusalPolicy } from "../row-refusals.ts";
import type { DateForm, DateInput } from "./date-pattern.ts";
import type { Rounding } from "./decimal.ts";
import type { FormulaPolicy } from "./formulas.ts";
import { parsePath } from "./path.ts";
import type { ValueType } from "./types.ts";

/** A mapping as it was written, checked and with its defaults: what kind of report comes in, what goes out, and how each field is made. */
export type Mapping = {
  readonly name: string;
  readonly input: InputFormat;
  readonly output: OutputFormat;
  /** Records for which it is not true are left out. */
  readonly where: string | undefined;
  readonly fields: readonly FieldMapping[];
  readonly onError: RefusalPolicy;
  readonly formulas: FormulaPolicy;
  readonly examples: readonly Example[];
};

export type InputFormat = InputOptions & {
  readonly compression: InputCompression;
  /** Refuse columns that are neither declared nor used (drift). */
  readonly strict: boolean;
  readonly columns: ReadonlyMap<string, ValueType>;
};

export type OutputFormat = OutputOptions & {
  readonly compression: Compression;
  /** Path of the adapted report; {name} is the input's name without its extension. */
  readonly file: string;
};

export type FieldMapping = { readonly name: string; readonly source: FieldSource };

export type MapElse = { readonly kind: "error" } | { readonly kind: "keep" } | { readonly kind: "value"; readonly text: string };

export type FieldSource =
  | { readonly kind: "copy"; readonly from: string; readonly type: ValueType | undefined; readonly fallback: string | undefined }
  | { readonly kind: "const"; readonly text: string; readonly bare: boolean }
  | { readonly kind: "join"; readonly from: readonly string[]; readonly separator: string; readonly skipsEmpty: boolean }
  /** The part of this index, from the end when it is negative; `rest`: with all that follow it. */
  | { readonly kind: "split"; readonly from: string; readonly separator: string; readonly index: number; readonly rest: boolean }
  | { readonly kind: "date"; readonly from: string; readonly input: DateInput; readonly output: DateForm }
  | { readonly kind: "map"; readonly from: string; readonly values: ReadonlyMap<string, string>; readonly otherwise: MapElse }
  | { readonly kind: "expr"; readonly text: string; readonly type: ValueType; readonly rounding: Rounding }
  /** A list of plain values as one text, and the reverse: a JSON list of texts. */
  | { readonly kind: "joinList"; readonly from: string; readonly separator: string }
  | { readonly kind: "splitList"; readonly from: string; readonly separator: string };

export type Example =
  | { readonly kind: "gives"; readonly input: string; readonly output: string; readonly origin: string }
  | { readonly kind: "fails"; readonly input: string; readonly code: string; readonly line: number | undefined; readonly column: string | undefined; readonly origin: string };

/** The columns that a field reads; those of an expression are told by `expressionColumns`. */
export function columnsOf(field: FieldMapping, expressionColumns: (text: string) => readonly string[]): readonly string[] {
  const { source } = field;
  switch (source.kind) {
    case "const":
      return [];
    case "join":
      return source.from;
    case "expr":
      return expressionColumns(source.text);
    case "copy":
    case "split":
    case "date":
    case "map":
    case "joinList":
    case "splitList":
      return [source.from];
  }
}

/** The type of a field's values, as far as the mapping says. */
export function fieldType({ source }: FieldMapping, columns: ReadonlyMap<string, ValueType>): ValueType | undefined {
  if (source.kind === "expr") return source.type;
  return source.kind === "copy" ? (source.type ?? columns.get(source.from)) : undefined;
}

/** The column of the report that holds the value: of `a.b` it is `a`, unless there is one named `a.b`. */
export function rootColumn(column: string, there: (column: string) => boolean): string {
  return there(column) ? column : (parsePath(column)?.root ?? column);
}

const flatFormats: ReadonlySet<string> = new Set(["csv", "fixed-width"]);

/** Whether every record of the format has the same columns, and none holds others. */
export function isFlat(input: InputOptions): boolean {
  return flatFormats.has(input.format);
}
