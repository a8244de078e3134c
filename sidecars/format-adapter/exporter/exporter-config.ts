// pure
import type { TypedField } from "../../../kit/config/schema.ts";
import { parseAddress, parseDurationMs, parseSizeBytes } from "../../../kit/config/units.ts";
import { familyName, isLabelName, isMetricName, sampleNames, type MetricType } from "../formats/exposition.ts";
import type { FieldMapping, InputFormat, Mapping } from "../mapping/mapping.ts";
import { readNode, type NodeReader } from "../mapping/node-reader.ts";
import { readSource } from "../mapping/read-fields.ts";
import { readInput } from "../mapping/read-format.ts";
import { compileExpression } from "../mapping/expression.ts";
import { distributionKeys, readDistribution, type Shape } from "./distribution.ts";

export type SourcePlace = { readonly kind: "file"; readonly path: string } | { readonly kind: "url"; readonly url: string };

/** One metric that is made of a source's records. `mapping` gives the values of the shape first, then the labels in the order of `labels`. */
export type ExportedMetric = { readonly family: string; readonly type: MetricType; readonly shape: Shape; readonly help: string | undefined; readonly unit: string | undefined; readonly labels: readonly string[]; readonly mapping: Mapping };

export type ExportedSource = {
  readonly name: string;
  readonly place: SourcePlace;
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** Values older than this are no longer told. */
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly maxSeries: number;
  readonly input: InputFormat;
  readonly metrics: readonly ExportedMetric[];
};

export type ExporterConfig = { readonly listen: { readonly host: string; readonly port: number }; readonly sources: readonly ExportedSource[] };

const listenDefault = "127.0.0.1:9902";

/** `exporter:`, the metrics adapter. Undefined when it is not configured. */
export const exporterField: TypedField<ExporterConfig | undefined> = {
  doc: "makes metrics of an application's files or answers, on a listener of its own",
  form: "structure",
  secret: false,
  env: undefined,
  fields: undefined,
  optionalValue: true,
  parse: (node, path, context) => (node === undefined ? undefined : readExporter(readNode(node, path, context.problems))),
  redact: (value) => {
    const config = value as ExporterConfig | undefined;
    return config === undefined ? undefined : { listen: config.listen, sources: config.sources.map(({ name, place, metrics }) => ({ name, place, metrics: metrics.map((metric) => metric.family) })) };
  },
  jsonSchema: () => ({ type: "object" }),
};

function readExporter(node: NodeReader): ExporterConfig | undefined {
  const parts = node.map(["listen", "sources"]);
  if (parts === undefined) return undefined;
  const listenText = parts.get("listen")?.text("an address such as 127.0.0.1:9902") ?? listenDefault;
  const listen = parseAddress(listenText);
  if (listen === undefined) parts.get("listen")?.problem(`expected an address such as ${listenDefault}, got "${listenText}"`);
  if (!parts.has("sources")) node.problem('needs "sources": where the values come from');
  const items = parts.get("sources")?.list() ?? [];
  const sources = items.map((item, index) => readExportedSource(item, index));
  const families = new Map<string, string>();
  for (const [index, source] of sources.entries()) {
    for (const { family, type } of source?.metrics ?? []) {
      // Also a gauge a_sum beside a summary a: a scraper could not tell them apart.
      const names = sampleNames(family, type);
      const taken = names.find((name) => families.has(name));
      if (taken !== undefined) items[index]?.problem(`the metric "${taken}" is made by "${families.get(taken)}" already`);
      for (const name of names) families.set(name, source?.name ?? "");
    }
    if (sources.findIndex((other) => other?.name === source?.name) !== index) items[index]?.problem(`the name "${source?.name}" is taken by another source`);
  }
  return listen === undefined || sources.includes(undefined) ? undefined : { listen, sources: sources.filter((source) => source !== undefined) };
}

const sourceKeys = ["name", "file", "url", "allowRemote", "every", "timeout", "maxAge", "maxSize", "maxSeries", "in", "metrics"] as const;

function readExportedSource(node: NodeReader, index: number): ExportedSource | undefined {
  const parts = node.map(sourceKeys);
  if (parts === undefined) return undefined;
  for (const key of ["in", "metrics"] as const) if (!parts.has(key)) node.problem(`needs "${key}"`);
  const inNode = parts.get("in");
  const read = inNode === undefined ? undefined : readInput(inNode);
  // What else a source holds is not for us to judge.
  const input = read === undefined ? undefined : { ...read, strict: false };
  const place = readPlace(node, parts);
  const duration = (key: "every" | "timeout" | "maxAge", fallback: number): number => {
    const text = parts.get(key)?.text("a duration such as 10s");
    const milliseconds = text === undefined ? fallback : parseDurationMs(text);
    if (milliseconds === undefined || milliseconds < 1) parts.get(key)?.problem(`expected a duration such as 10s, got "${text}"`);
    return milliseconds ?? fallback;
  };
  const size = parts.get("maxSize")?.text("a size such as 8MiB");
  const maxBytes = size === undefined ? 8_388_608 : parseSizeBytes(size);
  if (maxBytes === undefined) parts.get("maxSize")?.problem(`expected a size such as 8MiB, got "${size}"`);
  const series = parts.get("maxSeries")?.text("a number") ?? "1000";
  if (!/^[1-9]\d{0,5}$/.test(series)) parts.get("maxSeries")?.problem(`expected a number of at least 1, got "${series}"`);
  const metrics = input === undefined ? [] : (parts.get("metrics")?.list() ?? []).map((metric) => readMetric(metric, input));
  if (input?.format === "parquet") inNode?.problem("metrics cannot be made of Parquet");
  if (input === undefined || place === undefined || maxBytes === undefined || metrics.includes(undefined)) return undefined;
  return {
    name: parts.get("name")?.text("a name") ?? `source-${index + 1}`, place, input, maxBytes, maxSeries: Number(series),
    everyMs: duration("every", 10_000), timeoutMs: duration("timeout", 5000), maxAgeMs: duration("maxAge", 300_000),
    metrics: metrics.filter((metric) => metric !== undefined),
  };
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

function readPlace(node: NodeReader, parts: ReadonlyMap<string, NodeReader>): SourcePlace | undefined {
  const [file, address] = [parts.get("file"), parts.get("url")];
  if ((file === undefined) === (address === undefined)) {
    node.problem('needs either "file" or "url"');
    return undefined;
  }
  const path = file?.text("an absolute path");
  if (file !== undefined) {
    if (path !== undefined && path.startsWith("/")) return { kind: "file", path };
    file.problem(`expected an absolute path, got "${path ?? ""}"`);
    return undefined;
  }
  const text = address?.text("a URL such as http://127.0.0.1:8080/stats") ?? "";
  const url = URL.parse(text);
  if (url === null || url.protocol !== "http:" || url.username !== "") address?.problem(`expected a URL such as http://127.0.0.1:8080/stats, got "${text}"`);
  else if (!loopback.test(url.hostname) && parts.get("allowRemote")?.oneOf(["true", "false"]) !== "true") address?.problem(`"${url.hostname}" is another machine; the adapter is for the application beside it. Say allowRemote: true if that is meant`);
  else return { kind: "url", url: url.href };
  return undefined;
}

const exportedTypes = ["counter", "gauge", "histogram", "summary", "info", "unknown"] as const;

function readMetric(node: NodeReader, input: InputFormat): ExportedMetric | undefined {
  const parts = node.map(["name", "type", "help", "unit", "value", "labels", "where", ...distributionKeys]);
  if (parts === undefined) return undefined;
  const type = parts.get("type")?.oneOf(exportedTypes) ?? "gauge";
  const name = parts.get("name")?.text("the name of the metric");
  const family = name === undefined ? "" : familyName(name, type);
  const unit = parts.get("unit")?.text("a unit such as seconds");
  if (name === undefined) node.problem('needs "name"');
  else if (!isMetricName(name)) parts.get("name")?.problem(`"${name}" is not the name of a metric: letters, digits, _ and :, no digit first`);
  else if (family.startsWith("podkit_adapter_source_")) parts.get("name")?.problem("names that begin with podkit_adapter_source_ are the adapter's own");
  else if (unit !== undefined && !family.endsWith(`_${unit}`)) parts.get("unit")?.problem(`the name must end with the unit, as in ${family}_${unit}${type === "counter" ? "_total" : ""}`);
  const distribution = type === "histogram" || type === "summary" ? readDistribution(node, parts, type) : undefined;
  const isPlain = type !== "histogram" && type !== "summary";
  const value = parts.get("value");
  if (value === undefined && isPlain && type !== "info") node.problem('needs "value": a column, or how it is made');
  for (const key of isPlain ? distributionKeys : []) parts.get(key)?.problem(`has a meaning for histogram and summary alone, not for a ${type}`);
  const fields: FieldMapping[] = [];
  const add = (field: string, source: NodeReader | undefined): void => {
    const made = source === undefined ? ({ kind: "const", text: "1", bare: true } as const) : readSource(source, input.columns);
    if (made !== undefined) fields.push({ name: field, source: made });
  };
  if (isPlain) add("value", value);
  for (const part of distribution?.parts ?? []) add(part.name, part.source);
  const before = isPlain ? 1 : (distribution?.parts.length ?? -1);
  const labels = [...(parts.get("labels")?.map() ?? [])];
  for (const [label, source] of labels) {
    if (!isLabelName(label)) source.problem(`"${label}" is not the name of a label: letters, digits and _, no digit and no __ first`);
    add(label, source);
  }
  const where = readCondition(parts.get("where"), input);
  if (fields.length !== labels.length + before || family === "") return undefined;
  const mapping: Mapping = { name: family, input, output: { format: "ndjson", compression: "none", file: "" }, where, fields, onError: { kind: "fail-file" }, formulas: "keep", examples: [] };
  return { family, type, shape: distribution?.shape ?? { kind: "value" }, help: parts.get("help")?.text("a sentence"), unit, labels: labels.map(([label]) => label), mapping };
}

function readCondition(node: NodeReader | undefined, input: InputFormat): string | undefined {
  const text = node?.text("a condition");
  if (node === undefined || text === undefined) return undefined;
  const compiled = compileExpression(text, (column) => input.columns.get(column));
  if (compiled.kind === "ok" && compiled.expression.type.kind === "boolean") return text;
  node.problem(`cannot use the condition "${text}": ${compiled.kind === "wrong" ? compiled.reason : `it gives a ${compiled.expression.type.kind}`}`);
  return undefined;
}
