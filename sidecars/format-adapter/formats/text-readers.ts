// pure
import { createCsvReader } from "./csv-reader.ts";
import { createJsonArrayReader, createNdjsonReader } from "./json-reader.ts";
import { aroundOf, type EngineInput } from "./options.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./row.ts";
import { createXmlReader } from "./xml-reader.ts";

/** The readers that the engine is held to; they also find the words for its errors. */
export function createReader(input: EngineInput, handler: RecordHandler): RecordReader {
  switch (input.format) {
    case "csv":
      return createCsvReader(input, handler, readerLimitsDefault);
    case "ndjson":
      return createNdjsonReader(handler, readerLimitsDefault);
    case "json":
      return createJsonArrayReader(handler, readerLimitsDefault, aroundOf(input));
    case "xml":
      return createXmlReader(input, handler, readerLimitsDefault);
  }
}
