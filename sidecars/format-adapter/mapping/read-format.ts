// pure
import { posix } from "node:path";
import { parseSizeBytes } from "../../../kit/config/units.ts";
import { jsonKeys } from "../formats/json-layout.ts";
import type { InputOptions, OutputOptions } from "../formats/options.ts";
import { parquetCodecs } from "../formats/parquet/parquet-writer.ts";
import { avroInput, avroOutput } from "./read-avro-format.ts";
import type { InputFormat, OutputFormat } from "./mapping.ts";
import type { NodeReader } from "./node-reader.ts";
import { csvInput, csvOutput } from "./read-csv-format.ts";
import { readAround, readIgnored, readWrap } from "./read-json-document.ts";
import { recordInputs, recordOutputs } from "./read-record-formats.ts";
import { parseType, typeNames, type ValueType } from "./types.ts";

export type Parts = ReadonlyMap<string, NodeReader>;
/** How a format's settings are read: their keys, and what they mean together. Problems are pushed; undefined when nothing can be made of them. */
export type Settings<O> = { readonly keys: readonly string[]; readonly read: (node: NodeReader, parts: Parts) => O | undefined };

const inputs: Readonly<Record<string, Settings<InputOptions>>> = {
  csv: csvInput(","),
  tsv: csvInput("\t"),
  ndjson: { keys: [], read: () => ({ format: "ndjson" }) },
  json: { keys: ["records", "envelope", "ignore"], read: (_, parts) => ({ format: "json", ...readAround(parts) }) },
  yaml: documentInput("yaml"),
  toml: documentInput("toml"),
  prometheus: { keys: [], read: () => ({ format: "prometheus" }) },
  openmetrics: { keys: [], read: () => ({ format: "openmetrics" }) },
  parquet: { keys: [], read: (_, parts) => (isNotPacked(parts) ? { format: "parquet" } : undefined) },
  avro: avroInput,
  ...recordInputs,
};

/** Parquet packs its pages itself. */
function isNotPacked(parts: Parts): boolean {
  const word = parts.get("compression")?.oneOf(["auto", "none"]);
  return word !== undefined || !parts.has("compression");
}

/** The format says what columns there are, so one that nobody uses is no drift. */
const fixedColumns: ReadonlySet<string> = new Set(["prometheus", "openmetrics"]);

/** YAML's parser takes some 150 bytes of memory for each of the document, ours for TOML far less. */
const maxSizes = { yaml: 1_048_576, toml: 8_388_608 } as const;

function documentInput(format: keyof typeof maxSizes): Settings<InputOptions> {
  return {
    keys: ["records", "ignore", "maxSize"],
    read: (_, parts) => {
      const records = readPath(parts.get("records"));
      return { format, records, ignored: readIgnored(parts.get("ignore"), [records]), maxBytes: readSize(parts.get("maxSize"), maxSizes[format]) };
    },
  };
}

const outputs: Readonly<Record<string, Settings<OutputOptions>>> = {
  csv: csvOutput(","),
  tsv: csvOutput("\t"),
  ndjson: { keys: [], read: () => ({ format: "ndjson" }) },
  json: { keys: ["records", "envelope", "indent"], read: (_, parts) => ({ format: "json", ...readWrap(parts) }) },
  yaml: { keys: [], read: () => ({ format: "yaml" }) },
  prometheus: { keys: [], read: () => ({ format: "prometheus" }) },
  openmetrics: { keys: [], read: () => ({ format: "openmetrics" }) },
  parquet: { keys: ["codec"], read: (_, parts) => (isNotPacked(parts) ? { format: "parquet", codec: parts.get("codec")?.oneOf(parquetCodecs) ?? "snappy" } : undefined) },
  avro: avroOutput,
  ...recordOutputs,
  toml: { keys: ["records"], read: (_, parts) => ({ format: "toml", name: parts.get("records")?.text("the name of the list of tables") ?? "records" }) },
};

/** The words after `format:`. */
export const formatsIn: readonly string[] = Object.keys(inputs);
export const formatsOut: readonly string[] = Object.keys(outputs);

/** Reads `in:`. */
export function readInput(node: NodeReader): InputFormat | undefined {
  const settings = settingsOf(node, inputs);
  const parts = settings === undefined ? node.map() : node.map(["format", "compression", "strict", "columns", ...settings.keys]);
  const columns = readColumns(parts?.get("columns"));
  if (settings === undefined || parts === undefined) return undefined;
  const options = settings.read(node, parts);
  return options === undefined ? undefined : { ...options, compression: parts.get("compression")?.oneOf(["auto", "none", "gzip", "zstd"]) ?? "auto", strict: (parts.get("strict")?.oneOf(["true", "false"]) ?? String(!fixedColumns.has(options.format))) === "true", columns };
}

/** Reads `out:`. */
export function readOutput(node: NodeReader): OutputFormat | undefined {
  const settings = settingsOf(node, outputs);
  const parts = settings === undefined ? node.map() : node.map(["format", "compression", "file", ...settings.keys]);
  const file = parts === undefined ? undefined : readFile(node, parts);
  if (settings === undefined || parts === undefined) return undefined;
  const options = settings.read(node, parts);
  return options === undefined || file === undefined ? undefined : { ...options, compression: parts.get("compression")?.oneOf(["none", "gzip", "zstd"]) ?? "none", file };
}

function settingsOf<O>(node: NodeReader, all: Readonly<Record<string, Settings<O>>>): Settings<O> | undefined {
  const names = Object.keys(all);
  if (node.raw.kind !== "map") return undefined; // told when its parts are read
  const format = node.map()?.get("format");
  if (format === undefined) node.problem(`needs "format": one of ${names.join(", ")}`);
  const name = format?.oneOf(names);
  return name === undefined ? undefined : all[name];
}

function readColumns(node: NodeReader | undefined): ReadonlyMap<string, ValueType> {
  const columns = new Map<string, ValueType>();
  for (const [column, type] of node?.map() ?? []) {
    const text = type.text("a type");
    const parsed = text === undefined ? undefined : parseType(text);
    if (parsed !== undefined) columns.set(column, parsed);
    else if (text !== undefined) type.problem(`"${text}" is not a type; there are ${typeNames.join(", ")}, each with ? behind it when it may be empty`);
  }
  return columns;
}

function readFile(node: NodeReader, parts: Parts): string | undefined {
  if (!parts.has("file")) node.problem('needs "file": the path of the adapted report, with {name} for the name of the input');
  const place = parts.get("file");
  const file = place?.text("a path");
  if (place === undefined || file === undefined) return undefined;
  if (!file.startsWith("/")) place.problem(`expected an absolute path, got "${file}"`);
  const unknown = [...file.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]).find((word) => word !== "name" && word !== "segment");
  if (unknown !== undefined) place.problem(`"{${unknown}}" means nothing here; there is {name}`);
  if (posix.dirname(file).includes("{")) place.problem(`{name} may stand in the last part alone, got "${file}"`);
  return file;
}

/** The keys that lead to the records, with points between them. */
function readPath(node: NodeReader | undefined): readonly string[] {
  const text = node?.text("the path of the records, such as data.items");
  return text === undefined || text === "" ? [] : jsonKeys(text);
}

function readSize(node: NodeReader | undefined, fallback: number): number {
  const text = node?.text("a size such as 1MiB");
  const bytes = text === undefined ? fallback : parseSizeBytes(text);
  if (bytes === undefined) node?.problem(`expected a size such as 1MiB, got "${text}"`);
  return bytes ?? fallback;
}
