// pure
import type { AvroDialect } from "./avro/avro-reader.ts";
import type { AvroLayout } from "./avro/avro-writer.ts";
import { isEngineDialect, isEngineLayout, type CsvDialect, type CsvLayout } from "./csv-dialect.ts";
import type { DocumentOptions } from "./document-reader.ts";
import type { ExpositionFormat } from "./exposition.ts";
import type { FixedLayout } from "./fixed-width.ts";
import type { JsonAroundOptions } from "./json-around.ts";
import type { JsonWrap } from "./json-frame.ts";
import type { ParquetCodec } from "./parquet/parquet-writer.ts";
import type { XmlDialect } from "./xml-reader.ts";
import type { XmlLayout } from "./xml-writer.ts";

/** What `in:` says of a format beyond its name. Each format's module says what its settings mean. */
export type InputOptions = EngineInput | LinesInput | DocumentInput | ExpositionOptions | ParquetInput | AvroInput;
/** What `out:` says of a format beyond its name. */
export type OutputOptions = EngineOutput | LinesOutput | (XmlLayout & { readonly format: "xml" }) | YamlOutput | TomlOutput | ExpositionOptions | ParquetOutput | AvroOutput;

/** Formats that the engine reads by itself; CSV in most of its dialects. */
export type EngineInput = CsvInput | JsonInput | XmlInput;
export type CsvInput = CsvDialect & { readonly format: "csv" };
/** `around`: the document is not the list of records itself. `strict` as in JsonAroundOptions. */
export type JsonInput = { readonly format: "ndjson" } | { readonly format: "json"; readonly around?: Omit<JsonAroundOptions, "strict">; readonly strict?: boolean };
export type XmlInput = XmlDialect & { readonly format: "xml" };
/** `section`: the column of the section's name. */
export type LinesInput = { readonly format: "logfmt" | "properties" } | { readonly format: "ini"; readonly section: string } | (FixedLayout & { readonly format: "fixed-width" });
export type LinesOutput = { readonly format: "logfmt" | "properties" } | { readonly format: "ini"; readonly section: string } | (FixedLayout & { readonly format: "fixed-width"; readonly eol: "lf" | "crlf" });

/** Formats that the engine writes by itself; CSV in most of its forms. */
export type EngineOutput = CsvOutput | JsonOutput;
export type CsvOutput = CsvLayout & { readonly format: "csv" };
export type JsonOutput = { readonly format: "ndjson" } | { readonly format: "json"; readonly wrap?: JsonWrap };

export type DocumentInput = DocumentOptions & { readonly format: "yaml" | "toml" };
export type ExpositionOptions = { readonly format: ExpositionFormat };
export type ParquetInput = { readonly format: "parquet" };
export type ParquetOutput = { readonly format: "parquet"; readonly codec: ParquetCodec };
export type AvroInput = AvroDialect & { readonly format: "avro" };
export type AvroOutput = AvroLayout & { readonly format: "avro" };
export type YamlOutput = { readonly format: "yaml" };
/** `name`: of the list of tables. */
export type TomlOutput = { readonly format: "toml"; readonly name: string };

/** How a JSON document is read whose records stand inside of it. */
export function aroundOf({ around, strict = false }: JsonInput & { readonly format: "json" }): JsonAroundOptions | undefined {
  return around === undefined ? undefined : { ...around, strict };
}

const engineFormats: ReadonlySet<string> = new Set(["ndjson", "json"]);

/** Whether files of this format are bytes, which have no lines and stand in no configuration. */
export function isBinary({ format }: InputOptions | OutputOptions): boolean {
  return format === "parquet" || format === "avro";
}

/** Whether the engine reads this format by itself. */
export function isEngineInput(input: InputOptions): input is EngineInput {
  if (input.format === "csv") return isEngineDialect(input);
  return input.format === "xml" ? input.lists.length === 0 && input.namespaces === undefined && input.envelope === undefined : engineFormats.has(input.format);
}

/** Whether the engine writes this format by itself. */
export function isEngineOutput(output: OutputOptions): output is EngineOutput {
  if (output.format === "csv") return isEngineLayout(output);
  return engineFormats.has(output.format);
}
