// pure
/** The text formats of metrics: Prometheus 0.0.4 and OpenMetrics 1.0. */
export type ExpositionFormat = "prometheus" | "openmetrics";
export const metricTypes = ["counter", "gauge", "histogram", "summary", "info", "stateset", "gaugehistogram", "unknown"] as const;
export type MetricType = (typeof metricTypes)[number];

export type Sample = { readonly name: string; readonly labels: readonly (readonly [name: string, value: string])[]; readonly value: string; readonly timestamp: string | undefined };
/** Samples that one TYPE line is for. `name` is without `_total`, `_bucket` and the like. */
export type Family = { readonly name: string; readonly type: MetricType; readonly help: string | undefined; readonly unit: string | undefined; readonly samples: readonly Sample[] };

const suffixes: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ["_total", "_created"],
  histogram: ["_bucket", "_count", "_sum", "_created"],
  gaugehistogram: ["_bucket", "_gcount", "_gsum"],
  summary: ["_count", "_sum", "_created"],
  info: ["_info"],
  gauge: [], stateset: [], unknown: [],
};

/** The name of the family that a sample belongs to. */
export function familyName(sample: string, type: MetricType): string {
  const suffix = suffixes[type].find((each) => sample.endsWith(each) && sample.length > each.length);
  return suffix === undefined ? sample : sample.slice(0, -suffix.length);
}

/** The names that a family takes: its own and those of its samples. */
export function sampleNames(family: string, type: MetricType): readonly string[] {
  return [family, ...suffixes[type].map((suffix) => `${family}${suffix}`)];
}

/** Whether a sample of this name may stand in the family. */
export function belongsTo(sample: string, family: string, type: MetricType): boolean {
  return sample === family || familyName(sample, type) === family;
}

export function isMetricName(name: string): boolean {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
}

/** Names that begin with two underscores are Prometheus's own. */
export function isLabelName(name: string): boolean {
  return /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
}

/** A value as both formats write it; undefined when it is no number. */
export function metricValue(text: string): string | undefined {
  if (/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number.isFinite(Number(text)) ? text : undefined;
  const word = /^([+-]?)(nan|inf|infinity)$/i.exec(text);
  return word === null ? undefined : word[2]?.toLowerCase() === "nan" ? "NaN" : `${word[1] === "-" ? "-" : "+"}Inf`;
}

const prometheusTypes: Readonly<Partial<Record<MetricType, string>>> = { info: "gauge", stateset: "gauge", gaugehistogram: "histogram", unknown: "untyped" };

/** The whole text, in the order given. Families must differ in name. Timestamps are of the format asked for. */
export function renderExposition(families: readonly Family[], format: ExpositionFormat): string {
  return families.map((family) => renderFamily(family, format)).join("") + (format === "openmetrics" ? "# EOF\n" : "");
}

function renderFamily({ name, type, help, unit, samples }: Family, format: ExpositionFormat): string {
  const isOpen = format === "openmetrics";
  // The older format knows no families: a counter's type belongs to the name of its samples.
  const shown = isOpen || (type !== "counter" && type !== "info") ? name : `${name}${suffixes[type][0] ?? ""}`;
  const head = [
    help === undefined ? "" : `# HELP ${shown} ${escape(help, isOpen)}\n`,
    `# TYPE ${shown} ${isOpen ? type : (prometheusTypes[type] ?? type)}\n`,
    isOpen && unit !== undefined ? `# UNIT ${shown} ${unit}\n` : "",
  ];
  // A counter's time of creation would be a sample without a type there.
  const told = isOpen ? samples : samples.filter((sample) => !sample.name.endsWith("_created"));
  return head.join("") + told.map((sample) => renderSample(sample)).join("");
}

function renderSample(sample: Sample): string {
  return `${renderSeries(sample)} ${sample.value}${sample.timestamp === undefined ? "" : ` ${sample.timestamp}`}\n`;
}

/** A name and its labels. */
export function renderSeries({ name, labels }: Pick<Sample, "name" | "labels">): string {
  const inside = labels.map(([label, text]) => `${label}="${escape(text, true)}"`).join(",");
  return `${name}${inside === "" ? "" : `{${inside}}`}`;
}

function escape(text: string, quotes: boolean): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return quotes ? escaped.replaceAll('"', '\\"') : escaped;
}
