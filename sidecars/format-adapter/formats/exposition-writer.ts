// pure
import { ConversionError } from "../conversion-error.ts";
import { familyName, isLabelName, isMetricName, metricTypes, metricValue, renderExposition, renderSeries, type ExpositionFormat, type Family, type MetricType, type Sample } from "./exposition.ts";
import { treeOfJson } from "./tree.ts";
import type { OutCell, TextWriter } from "./writers.ts";

const known = ["name", "value", "timestamp", "type", "help", "unit", "labels"] as const;
/** All samples of a metric must stand together, so they and the names of their series are held until the end; counted are the samples. */
const charsMax = 16_777_216;

/**
 * Writes metrics: a record is a sample. The fields `name` and `value` are needed; `labels` is an object of labels, and each field of another name
 * than `timestamp`, `type`, `help` and `unit` is a label too. A series may come once;
 * in OpenMetrics also at other timestamps. Records of one metric need not follow each other; their order stays.
 */
export function createExpositionWriter(columns: readonly string[], format: ExpositionFormat): TextWriter {
  const families = new Map<string, { family: Family; samples: Sample[] }>();
  const series = new Set<string>();
  let chars = 0;
  let record = 0;
  const place = new Map(columns.map((column, index) => [column, index]));
  for (const name of ["name", "value"] as const) if (!place.has(name)) throw new ConversionError("COLUMN", `metrics need the field "${name}"`, { line: 1, column: name });
  const own = columns.flatMap((column, index) => (known.some((name) => name === column) ? [] : [{ column, index }]));

  const row = (cells: readonly OutCell[]): string => {
    record++;
    const cell = (name: (typeof known)[number]): string | undefined => {
      const found = cells[place.get(name) ?? -1];
      return found === undefined || found.json === "null" || found.text === "" ? undefined : found.text;
    };
    const fail = (column: string, message: string, sample: string): ConversionError => new ConversionError("CAST", `${message} (record ${record})`, { line: record, column, sample });
    const name = cell("name") ?? "";
    if (!isMetricName(name)) throw fail("name", "not a name of a metric", name);
    const value = metricValue(cell("value") ?? "");
    if (value === undefined) throw fail("value", "not a number", cell("value") ?? "");
    const labels: [string, string][] = own.flatMap(({ column, index }) => (cells[index] === undefined || cells[index].json === "null" ? [] : [[column, cells[index].text]]));
    const nested = treeOfJson(cell("labels") ?? "{}");
    if (nested.kind !== "map") throw fail("labels", "not an object of labels", cell("labels") ?? "");
    for (const [label, tree] of nested.entries) labels.push([label, tree.kind === "list" || tree.kind === "map" ? "" : tree.text]);
    const wrong = labels.find(([label]) => !isLabelName(label));
    if (wrong !== undefined) throw fail("labels", "not a name of a label", wrong[0]);
    const names = new Set<string>();
    const twice = labels.find(([label]) => names.size === names.add(label).size);
    if (twice !== undefined) throw fail("labels", "the label is there already", twice[0]);
    const type = typeOf(cell("type"));
    if (type === undefined) throw fail("type", "not a type of metrics", cell("type") ?? "");
    const sample: Sample = { name, labels, value, timestamp: cell("timestamp") };
    const family = familyName(name, type);
    const there = families.get(family) ?? { family: { name: family, type, help: cell("help"), unit: cell("unit"), samples: [] }, samples: [] };
    if (there.family.type !== type) throw fail("type", `the metric is a ${there.family.type} before`, type);
    const key = JSON.stringify([name, labels.filter(([, text]) => text !== "").toSorted(([one], [other]) => (one < other ? -1 : 1)), format === "openmetrics" ? sample.timestamp : undefined]);
    if (series.has(key)) throw fail("name", "a metric of this name and these labels is there already", renderSeries(sample));
    series.add(key);
    families.set(family, there);
    there.samples.push(sample);
    chars += name.length + value.length + labels.reduce((sum, [label, text]) => sum + label.length + text.length, 0) + 64;
    if (chars > charsMax) throw new ConversionError("LIMIT", `the metrics are larger than ${charsMax} characters together`, { line: record });
    return "";
  };
  return {
    start: () => "",
    row,
    end: () => renderExposition([...families.values()].map(({ family, samples }) => ({ ...family, samples })), format),
  };
}

function typeOf(word: string | undefined): MetricType | undefined {
  return word === undefined || word === "untyped" ? "unknown" : metricTypes.find((each) => each === word);
}
