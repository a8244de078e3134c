// pure
import { ConversionError } from "./conversion-error.ts";
import { createCsvReader } from "./formats/csv-reader.ts";
import { createJsonArrayReader, createNdjsonReader } from "./formats/json-reader.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./formats/row.ts";
import { createCsvWriter, createJsonArrayWriter, createNdjsonWriter, type RecordWriter } from "./formats/writers.ts";
import { compileMapping, type CompiledMapping } from "./mapping/compile.ts";
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

/** Compiled once: a folder may hold thousands of small reports. */
const compiledMappings = new WeakMap<Mapping, CompiledMapping>();

function compiledOf(mapping: Mapping): CompiledMapping {
  const known = compiledMappings.get(mapping) ?? compileMapping(mapping);
  compiledMappings.set(mapping, known);
  return known;
}

/** Starts a conversion by a mapping. `push` and `end` throw ConversionError. */
export function startConversion(mapping: Mapping): Conversion {
  const compiled = compiledOf(mapping);
  const writer = createWriter(compiled.columns, mapping.output);
  let out = writer.start();
  let rows = 0;
  const reader = createReader(mapping.input, {
    onColumns: (columns, line) => compiled.checkColumns(columns, line),
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

export type Sniffed = { readonly kind: "columns"; readonly columns: readonly string[] } | { readonly kind: "more" } | { readonly kind: "fault"; readonly error: ConversionError };

/** The columns that a report of this format begins with; "more" when the text does not hold them yet, "fault" when it is not in this format. */
export function sniffColumns(input: Pick<InputFormat, "format" | "delimiter">, text: string): Sniffed {
  let columns: readonly string[] | undefined;
  const stop = new Error("columns found");
  const reader = createReader(input, {
    onColumns(names) {
      columns = names;
      throw stop;
    },
    onRow: () => undefined,
  });
  try {
    reader.push(text);
  } catch (error) {
    if (error instanceof ConversionError) return { kind: "fault", error };
    if (error !== stop) throw error;
  }
  return columns === undefined ? { kind: "more" } : { kind: "columns", columns };
}

/** Whether the text is a whole report of this format. */
export function readsWhole(input: Pick<InputFormat, "format" | "delimiter">, text: string): boolean {
  try {
    const reader = createReader(input, { onColumns: () => undefined, onRow: () => undefined });
    reader.push(text);
    reader.end({ takeUnfinished: false });
    return true;
  } catch (error) {
    if (error instanceof ConversionError) return false;
    throw error;
  }
}
