// pure
import { ConversionError } from "../conversion-error.ts";
import { applyPlan } from "../engine/plan.ts";
import { metricValue, type Family, type Sample } from "../formats/exposition.ts";
import type { RecordHandler, Row } from "../formats/row.ts";
import { compileMapping, type CompiledMapping } from "../mapping/compile.ts";
import { distributionSamples, valuesOf } from "./distribution.ts";
import type { ExportedMetric, ExportedSource } from "./exporter-config.ts";

/** What one reading of a source gave. `dropped`: series beyond maxSeries. */
export type Reading = { readonly families: readonly Family[]; readonly series: number; readonly dropped: number };

const compiledMetrics = new WeakMap<ExportedMetric, CompiledMapping>();

function compiledOf(metric: ExportedMetric): CompiledMapping {
  const known = compiledMetrics.get(metric) ?? compileMapping(metric.mapping);
  compiledMetrics.set(metric, known);
  return known;
}

/** Makes the metrics of a source's records while they are read. Throws ConversionError: CAST for a value that is no number, COLUMN for two records that give one series. */
export class SeriesCollector implements RecordHandler {
  readonly #source: ExportedSource;
  readonly #metrics: readonly { readonly metric: ExportedMetric; readonly compiled: CompiledMapping; readonly samples: Sample[]; readonly seen: Set<string> }[];
  #series = 0;
  #dropped = 0;

  constructor(source: ExportedSource) {
    this.#source = source;
    this.#metrics = source.metrics.map((metric) => ({ metric, compiled: compiledOf(metric), samples: [], seen: new Set() }));
  }

  onColumns(columns: readonly string[], line: number): void {
    for (const { compiled } of this.#metrics) compiled.checkColumns(columns, line);
  }

  onRow(row: Row): void {
    for (const { metric, compiled, samples, seen } of this.#metrics) {
      const cells = applyPlan(compiled.plan, row);
      const count = valuesOf(metric.shape);
      const [values, labelCells] = [cells?.slice(0, count) ?? [], cells?.slice(count) ?? []];
      if (values.length === 0 || values.some((cell) => cell.json === "null" || cell.text === "")) continue;
      // A label without a value is the same as none.
      const labels = metric.labels.flatMap((label, index) => (labelCells[index] === undefined || labelCells[index].text === "" || labelCells[index].json === "null" ? [] : [[label, labelCells[index].text] as const]));
      const key = JSON.stringify(labels);
      if (seen.has(key)) throw new ConversionError("COLUMN", `two records give the same series ${metric.family}${key}; give it a label that tells them apart`, { line: row.line, column: metric.family });
      const made = samplesOf(metric, values.map((cell) => cell.text), labels, row.line);
      // A part of a distribution would be a wrong one.
      if (this.#series + made.length > this.#source.maxSeries) {
        this.#dropped += made.length;
        continue;
      }
      seen.add(key);
      this.#series += made.length;
      samples.push(...made);
    }
  }

  reading(): Reading {
    return { series: this.#series, dropped: this.#dropped, families: this.#metrics.map(({ metric: { family, type, help, unit }, samples }) => ({ name: family, type, help, unit, samples })) };
  }
}

function samplesOf(metric: ExportedMetric, values: readonly string[], labels: Sample["labels"], line: number): readonly Sample[] {
  const { shape, type, family } = metric;
  if (shape.kind !== "value") return distributionSamples(shape, family, values, labels, line);
  const [text = ""] = values;
  const value = text === "true" ? "1" : text === "false" ? "0" : metricValue(text);
  if (value === undefined || (type === "counter" && (value.startsWith("-") || value === "NaN"))) throw new ConversionError("CAST", `the value is no ${type === "counter" ? "count" : "number"}, which ${family} needs`, { line, column: family, sample: text });
  return [{ name: sampleName(metric), labels, value, timestamp: undefined }];
}

function sampleName({ family, type }: ExportedMetric): string {
  return type === "counter" ? `${family}_total` : type === "info" ? `${family}_info` : family;
}

/** How many counters, and counts of histograms and summaries, are smaller than before: their application began anew. The values are told as they are; who stores them knows resets. */
export function countResets(before: Reading | undefined, now: Reading): number {
  let resets = 0;
  for (const family of now.families) {
    const counting = countingSamples(family);
    if (counting.length === 0) continue;
    const earlier = before?.families.find((each) => each.name === family.name);
    const old = new Map((earlier === undefined ? [] : countingSamples(earlier)).map((sample) => [JSON.stringify(sample.labels), Number(sample.value)]));
    for (const sample of counting) if (Number(sample.value) < (old.get(JSON.stringify(sample.labels)) ?? -Infinity)) resets++;
  }
  return resets;
}

/** The samples that never become smaller while their application runs, one for each set of labels. */
function countingSamples({ name, type, samples }: Family): readonly Sample[] {
  if (type === "counter") return samples;
  return type === "histogram" || type === "summary" ? samples.filter((sample) => sample.name === `${name}_count`) : [];
}
