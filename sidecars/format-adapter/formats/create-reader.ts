// pure
import { createScannerReader, readerOfUtf8, type ByteReader } from "./byte-reader.ts";
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
    case "toml":
      return readerOfUtf8(createDocumentReader(input, parseToml, handler));
  }
}

/** A reader that costs little to make, for a look at the first records. */
export function createSniffer(input: InputOptions, handler: RecordHandler): ByteReader {
  return isEngineInput(input) ? readerOfUtf8(createReader(input, handler)) : createByteReader(input, handler);
}
