// pure
import { ConversionError } from "./conversion-error.ts";
import { createCsvReader } from "./formats/csv-reader.ts";
import { createJsonArrayReader, createNdjsonReader } from "./formats/json-reader.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./formats/row.ts";
import { createCsvWriter, createJsonArrayWriter, createNdjsonWriter, type RecordWriter } from "./formats/writers.ts";
import { compileMapping } from "./mapping/compile.ts";
import type { InputFormat, Mapping, OutputFormat } from "./mapping/mapping.ts";

/** A conversion in progress: text in, text out, records counted. Deterministic; no clock, no randomness. */
export type Conversion = { push(text: string): string; end(options: { readonly takeUnfinished: boolean }): string; readonly rows: number };

export function createReader(input: Pick<InputFormat, "format" | "delimiter">, handler: RecordHandler): RecordReader {
  switch (input.format) {
    case "csv":
      return createCsvReader({ delimiter: input.delimiter }, handler, readerLimitsDefault);
    case "ndjson":
      return createNdjsonReader(handler, readerLimitsDefault);
    case "json":
      return createJsonArrayReader(handler, readerLimitsDefault);
  }
}

function createWriter(columns: readonly string[], output: OutputFormat): RecordWriter {
  switch (output.format) {
    case "csv":
      return createCsvWriter(columns, output);
    case "ndjson":
      return createNdjsonWriter(columns);
    case "json":
      return createJsonArrayWriter(columns);
  }
}

/** Starts a conversion by a mapping. `push` and `end` throw ConversionError. */
export function startConversion(mapping: Mapping): Conversion {
  const compiled = compileMapping(mapping);
  const writer = createWriter(compiled.columns, mapping.output);
  let out = writer.start();
  let rows = 0;
  const reader = createReader(mapping.input, {
    onColumns: (columns) => compiled.checkColumns(columns),
    onRow(row) {
      out += writer.row(compiled.apply(row));
      rows++;
    },
  });
  const take = (): string => {
    const text = out;
    out = "";
    return text;
  };
  return {
    push(text) {
      reader.push(text);
      return take();
    },
    end(options) {
      reader.end(options);
      out += writer.end();
      return take();
    },
    get rows() {
      return rows;
    },
  };
}

/** Converts a whole text at once; for examples and tests. */
export function convertText(mapping: Mapping, text: string): { readonly kind: "converted"; readonly text: string; readonly rows: number } | { readonly kind: "failed"; readonly error: ConversionError } {
  try {
    const conversion = startConversion(mapping);
    const output = conversion.push(text) + conversion.end({ takeUnfinished: false });
    return { kind: "converted", text: output, rows: conversion.rows };
  } catch (error) {
    if (error instanceof ConversionError) return { kind: "failed", error };
    throw error;
  }
}

/** The columns that a report of this format begins with, or undefined when the text does not hold them yet. Throws ConversionError. */
export function sniffColumns(input: Pick<InputFormat, "format" | "delimiter">, text: string): readonly string[] | undefined {
  let found: readonly string[] | undefined;
  const stop = new Error("columns found");
  const reader = createReader(input, {
    onColumns(columns) {
      found = columns;
      throw stop;
    },
    onRow: () => undefined,
  });
  try {
    reader.push(text);
  } catch (error) {
    if (error !== stop) throw error;
  }
  return found;
}
