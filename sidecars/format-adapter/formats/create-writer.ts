// pure
import { ConversionError } from "../conversion-error.ts";
import { createAvroWriter } from "./avro/avro-writer.ts";
import { createTomlWriter, createYamlWriter } from "./document-writers.ts";
import { createExpositionWriter } from "./exposition-writer.ts";
import { createCsvWriter } from "./csv-writer.ts";
import { createFixedWidthWriter } from "./fixed-width.ts";
import { createIniWriter, createPropertiesWriter } from "./ini.ts";
import { createLogfmtWriter } from "./logfmt.ts";
import { createXmlWriter } from "./xml-writer.ts";
import type { OutputOptions } from "./options.ts";
import { createParquetWriter } from "./parquet/parquet-writer.ts";
import type { ValueType } from "../mapping/types.ts";
import { createJsonArrayWriter, createNdjsonWriter, type RecordWriter } from "./writers.ts";

/** The writer of a format. `types` are those of the columns; for formats that have types. */
export function createWriter(columns: readonly string[], output: OutputOptions, types: readonly (ValueType | undefined)[] = []): RecordWriter {
  switch (output.format) {
    case "csv":
      return createCsvWriter(columns, output);
    case "ndjson":
      return createNdjsonWriter(columns);
    case "json":
      return createJsonArrayWriter(columns, output.wrap);
    case "xml":
      return createXmlWriter(output, columns);
    case "logfmt":
      return createLogfmtWriter(columns);
    case "ini":
      return createIniWriter(output.section, columns);
    case "properties":
      return createPropertiesWriter(columns);
    case "fixed-width":
      return createFixedWidthWriter(output, output.eol, columns);
    case "yaml":
      return createYamlWriter(columns);
    case "prometheus":
    case "openmetrics":
      return createExpositionWriter(columns, output.format);
    case "parquet":
      return createParquetWriter(columns, types, output.codec);
    case "avro":
      return createAvroWriter(columns, types, output);
    case "toml":
      return createTomlWriter(columns, output.name);
  }
}

/** Why these fields cannot be written in this format; undefined when they can. */
export function writerFault(columns: readonly string[], output: OutputOptions): string | undefined {
  if (output.format === "parquet") return undefined; // any fields; its libraries are not loaded for a configuration
  try {
    createWriter(columns, output);
    return undefined;
  } catch (error) {
    if (error instanceof ConversionError) return error.message;
    throw error;
  }
}
