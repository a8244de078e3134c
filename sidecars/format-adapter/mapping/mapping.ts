// pure
import type { Compression, InputCompression } from "../formats/compression.ts";
import type { InputOptions, OutputOptions } from "../formats/options.ts";
import type { Rounding } from "./decimal.ts";
import type { ValueType } from "./types.ts";

/** A mapping as it was written, checked and with its defaults: what kind of report comes in, what goes out, and how each field is made. */
export type Mapping = {
  readonly name: string;
  readonly input: InputFormat;
  readonly output: OutputFormat;
  readonly fields: readonly FieldMapping[];
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

export type FieldSource =
  | { readonly kind: "copy"; readonly from: string; readonly type: ValueType | undefined; readonly fallback: string | undefined }
  | { readonly kind: "const"; readonly text: string; readonly bare: boolean }
  | { readonly kind: "join"; readonly from: readonly string[]; readonly separator: string }
  | { readonly kind: "split"; readonly from: string; readonly separator: string; readonly index: number }
  | { readonly kind: "date"; readonly from: string; readonly pattern: string; readonly zone: string }
  | { readonly kind: "map"; readonly from: string; readonly values: ReadonlyMap<string, string>; readonly otherwise: { readonly kind: "error" } | { readonly kind: "keep" } | { readonly kind: "value"; readonly text: string } }
  | { readonly kind: "expr"; readonly text: string; readonly type: ValueType; readonly rounding: Rounding };

export type Example =
  | { readonly kind: "gives"; readonly input: string; readonly output: string; readonly origin: string }
  | { readonly kind: "fails"; readonly input: string; readonly code: string; readonly line: number | undefined; readonly column: string | undefined; readonly origin: string };

/** All columns that the fields read. */
export function usedColumns(mapping: Mapping, expressionColumns: (field: FieldMapping) => readonly string[]): ReadonlySet<string> {
  return new Set(mapping.fields.flatMap((field) => {
    switch (field.source.kind) {
      case "const":
        return [];
      case "join":
        return [...field.source.from];
      case "expr":
        return [...expressionColumns(field)];
      case "copy":
      case "split":
      case "date":
      case "map":
        return [field.source.from];
    }
  }));
}
