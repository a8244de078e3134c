// pure
import { createTomlWriter, createYamlWriter } from "./document-writers.ts";
import { createExpositionWriter } from "./exposition-writer.ts";
import type { OutputOptions } from "./options.ts";
import { createCsvWriter, createJsonArrayWriter, createNdjsonWriter, type RecordWriter } from "./writers.ts";

/** The writer of a format. */
export function createWriter(columns: readonly string[], output: OutputOptions): RecordWriter {
  switch (output.format) {
    case "csv":
      return createCsvWriter(columns, output);
    case "ndjson":
      return createNdjsonWriter(columns);
    case "json":
      return createJsonArrayWriter(columns);
    case "yaml":
      return createYamlWriter(columns);
    case "prometheus":
    case "openmetrics":
      return createExpositionWriter(columns, output.format);
    case "toml":
      return createTomlWriter(columns, output.name);
  }
}
