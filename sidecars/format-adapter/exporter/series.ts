// pure
import { ConversionError } from "../conversion-error.ts";
import { applyPlan } from "../engine/plan.ts";
import { metricValue, type Family, type Sample } from "../formats/exposition.ts";
import type { RecordHandler, Row } from "../formats/row.ts";
import { compileMapping, type CompiledMapping } from "../mapping/compile.ts";
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
      const [value, ...labelCells] = cells ?? [];
      if (value === undefined || value.json === "null" || value.text === "") continue;
      const number = value.text === "true" ? "1" : value.text === "false" ? "0" : metricValue(value.text);
      if (number === undefined || (metric.type === "counter" && (number.startsWith("-") || number === "NaN"))) throw new ConversionError("CAST", `the value is no ${metric.type === "counter" ? "count" : "number"}, which ${metric.family} needs`, { line: row.line, column: metric.family, sample: value.text });
      // A label without a value is the same as none.
      const labels = metric.labels.flatMap((label, index) => (labelCells[index] === undefined || labelCells[index].text === "" || labelCells[index].json === "null" ? [] : [[label, labelCells[index].text] as const]));
      const key = JSON.stringify(labels);
      if (seen.has(key)) throw new ConversionError("COLUMN", `two records give the same series ${metric.family}${key}; give it a label that tells them apart`, { line: row.line, column: metric.family });
      if (this.#series === this.#source.maxSeries) {
        this.#dropped++;
        continue;
      }
      seen.add(key);
      this.#series++;
      samples.push({ name: sampleName(metric), labels, value: number, timestamp: undefined });
    }
  }

  reading(): Reading {
    return { series: this.#series, dropped: this.#dropped, families: this.#metrics.map(({ metric: { family, type, help, unit }, samples }) => ({ name: family, type, help, unit, samples })) };
  }
}

function sampleName({ family, type }: ExportedMetric): string {
  return type === "counter" ? `${family}_total` : type === "info" ? `${family}_info` : family;
}

/** How many counters have a smaller value than before: their application began anew. The values are told as they are; who stores them knows resets. */
export function countResets(before: Reading | undefined, now: Reading): number {
  let resets = 0;
  for (const family of now.families) {
    if (family.type !== "counter") continue;
    const old = new Map(before?.families.find((each) => each.name === family.name)?.samples.map((sample) => [JSON.stringify(sample.labels), Number(sample.value)]));
    for (const sample of family.samples) if (Number(sample.value) < (old.get(JSON.stringify(sample.labels)) ?? -Infinity)) resets++;
  }
  return resets;
}
