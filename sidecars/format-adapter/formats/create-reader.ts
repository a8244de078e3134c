// pure
import { ConversionError } from "../conversion-error.ts";
import { AvroReader } from "./avro/avro-reader.ts";
import { createScannerReader, readerOfUtf8, type ByteReader } from "./byte-reader.ts";
import { createCsvReader } from "./csv-reader.ts";
import { createDocumentReader } from "./document-reader.ts";
import { createExpositionReader } from "./exposition-reader.ts";
import { isEngineInput, type InputOptions } from "./options.ts";
import { readerLimitsDefault, type RecordHandler } from "./row.ts";
import { createReader } from "./text-readers.ts";
import { parseToml } from "./toml-reader.ts";
import { createFixedWidthReader } from "./fixed-width.ts";
import { createIniReader, createPropertiesReader } from "./ini.ts";
import { createLogfmtReader } from "./logfmt.ts";
import { createXmlReader } from "./xml-reader.ts";
import { createYamlReader } from "./yaml-reader.ts";

/** The reader of a format. Its rows need not be kept. */
export function createByteReader(input: InputOptions, handler: RecordHandler): ByteReader {
  switch (input.format) {
    case "csv":
      return isEngineInput(input) ? createScannerReader(input, handler) : readerOfUtf8(createCsvReader(input, handler, readerLimitsDefault));
    case "ndjson":
    case "json":
      return createScannerReader(input, handler);
    case "logfmt":
      return readerOfUtf8(createLogfmtReader(handler));
    case "ini":
      return readerOfUtf8(createIniReader(input.section, handler));
    case "properties":
      return readerOfUtf8(createPropertiesReader(handler));
    case "fixed-width":
      return readerOfUtf8(createFixedWidthReader(input, handler));
    case "xml":
      return isEngineInput(input) ? createScannerReader(input, handler) : readerOfUtf8(createXmlReader(input, handler, readerLimitsDefault));
    case "yaml":
      return readerOfUtf8(createYamlReader(input, handler));
    case "prometheus":
    case "openmetrics":
      return readerOfUtf8(createExpositionReader(input.format, handler));
    case "parquet":
      return createMagicReader("PAR1");
    case "avro":
      return new AvroReader(input, handler);
    case "toml":
      return readerOfUtf8(createDocumentReader(input, parseToml, handler));
  }
}

/** Of a format that is not read in order: tells by the first bytes whether a file may be of it. */
function createMagicReader(magic: string): ByteReader {
  let start = Buffer.alloc(0);
  return {
    push(bytes) {
      if (start.length < magic.length) start = Buffer.concat([start, bytes.subarray(0, magic.length)]);
      if (!start.toString("latin1").startsWith(magic.slice(0, start.length))) throw new ConversionError("SYNTAX", `the file does not begin with ${magic}`, { line: 1 });
    },
    end() {
      throw new ConversionError("INCOMPLETE", "it is not read in order", { line: 1 });
    },
  };
}

/** A reader that costs little to make, for a look at the first records. Unknown keys beside the records are told when a mapping is chosen. */
export function createSniffer(given: InputOptions, handler: RecordHandler): ByteReader {
  const input = given.format === "json" || given.format === "yaml" || given.format === "toml" ? { ...given, strict: false } : given;
  return isEngineInput(input) ? readerOfUtf8(createReader(input, handler)) : createByteReader(input, handler);
}
