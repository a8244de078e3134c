// pure
import { invariant } from "./assert.ts";

/**
 * Counters, gauges and histograms with the Prometheus text exposition format 0.0.4 and OpenMetrics 1.0. Our own because a client library
 * costs about 5 MiB in every sidecar. Labels are bounded: past `seriesMax` series of one metric, further label values are counted
 * under "other". Names follow podkit_<role>_<thing>_<unit>.
 */
export type MetricOptions = { readonly name: string; readonly help: string; readonly labels?: readonly string[]; readonly seriesMax?: number };
export type LabelValues = Readonly<Record<string, string>>;

const seriesMaxDefault = 200;
const overflowValue = "other";

type Kind = "counter" | "gauge" | "histogram";
type Format = "prometheus" | "openmetrics";

interface Family {
  readonly name: string;
  readonly kind: Kind;
  readonly help: string;
  lines(format: Format): string[];
}

/** The series of one metric, by their label values; keeps the bound. */
class SeriesMap<S> {
  readonly #names: readonly string[];
  readonly #seriesMax: number;
  readonly #make: () => S;
  readonly #byKey = new Map<string, S>();

  constructor(options: MetricOptions, make: () => S) {
    this.#names = options.labels ?? [];
    this.#seriesMax = options.seriesMax ?? seriesMaxDefault;
    this.#make = make;
    if (this.#names.length === 0) this.#byKey.set("", make());
  }

  get(values: LabelValues | undefined): S {
    const key = this.#key(this.#names.map((name) => values?.[name] ?? ""));
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const given = Object.keys(values ?? {});
    invariant(given.every((name) => this.#names.includes(name)), `labels ${given.join(",")} were not declared (${this.#names.join(",")})`);
    if (this.#byKey.size < this.#seriesMax) return this.#insert(key);
    const overflow = this.#key(this.#names.map(() => overflowValue));
    return this.#byKey.get(overflow) ?? this.#insert(overflow);
  }

  delete(values: LabelValues): void {
    this.#byKey.delete(this.#key(this.#names.map((name) => values[name] ?? "")));
  }

  clear(): void {
    this.#byKey.clear();
  }

  entries(): IterableIterator<[string, S]> {
    return this.#byKey.entries();
  }

  #insert(key: string): S {
    const series = this.#make();
    this.#byKey.set(key, series);
    return series;
  }

  #key(values: readonly string[]): string {
    return this.#names.map((name, index) => `${name}="${escapeLabel(values[index] ?? "")}"`).join(",");
  }
}

export class Counter implements Family {
  readonly kind = "counter";
  readonly name: string;
  readonly help: string;
  readonly #series: SeriesMap<CounterHandle>;
  #collect: (() => Iterable<{ readonly value: number; readonly labels?: LabelValues }>) | undefined;

  constructor(options: MetricOptions) {
    invariant(options.name.endsWith("_total"), `a counter's name ends in _total, got ${options.name}`);
    this.name = options.name;
    this.help = options.help;
    this.#series = new SeriesMap(options, () => new CounterHandle());
  }

  inc(labels?: LabelValues, amount = 1): void {
    this.#series.get(labels).inc(amount);
  }
  /** A handle that costs no lookup; for hot paths. */
  with(labels?: LabelValues): CounterHandle {
    return this.#series.get(labels);
  }
  value(labels?: LabelValues): number {
    return this.#series.get(labels).value;
  }
  /** Asks for the counts at each scrape. A count that has fallen, because who counted is gone, leaves the counter as it was. */
  collect(readings: () => Iterable<{ readonly value: number; readonly labels?: LabelValues }>): void {
    this.#collect = readings;
  }
  lines(): string[] {
    for (const { value, labels } of this.#collect?.() ?? []) {
      const handle = this.#series.get(labels);
      handle.value = Math.max(handle.value, value);
    }
    return [...this.#series.entries()].map(([key, handle]) => sample(this.name, key, handle.value));
  }
}

export class CounterHandle {
  value = 0;
  inc(amount = 1): void {
    invariant(amount >= 0, `a counter never falls, got ${amount}`);
    this.value += amount;
  }
}

export class Gauge implements Family {
  readonly kind = "gauge";
  readonly name: string;
  readonly help: string;
  readonly #series: SeriesMap<{ value: number }>;
  #collect: (() => Iterable<{ readonly value: number; readonly labels?: LabelValues }>) | undefined;

  constructor(options: MetricOptions) {
    this.name = options.name;
    this.help = options.help;
    this.#series = new SeriesMap(options, () => ({ value: 0 }));
  }

  set(value: number, labels?: LabelValues): void {
    this.#series.get(labels).value = value;
  }
  add(amount: number, labels?: LabelValues): void {
    this.#series.get(labels).value += amount;
  }
  remove(labels: LabelValues): void {
    this.#series.delete(labels);
  }
  /** Asks for the readings at each scrape; they replace all series. */
  collect(readings: () => Iterable<{ readonly value: number; readonly labels?: LabelValues }>): void {
    this.#collect = readings;
  }
  lines(): string[] {
    if (this.#collect !== undefined) {
      this.#series.clear();
      for (const { value, labels } of this.#collect()) this.set(value, labels);
    }
    return [...this.#series.entries()].map(([key, series]) => sample(this.name, key, series.value));
  }
}

export class Histogram implements Family {
  readonly kind = "histogram";
  readonly name: string;
  readonly help: string;
  readonly #buckets: readonly number[];
  readonly #series: SeriesMap<HistogramHandle>;
  #collect: (() => Iterable<HistogramReading>) | undefined;

  /** `buckets` are upper bounds, rising, without +Inf. */
  constructor(options: MetricOptions & { readonly buckets: readonly number[] }) {
    invariant(options.buckets.every((bound, index) => index === 0 || bound > (options.buckets[index - 1] ?? bound)), `buckets of ${options.name} must rise`);
    this.name = options.name;
    this.help = options.help;
    this.#buckets = options.buckets;
    this.#series = new SeriesMap(options, () => new HistogramHandle(options.buckets));
  }

  observe(value: number, labels?: LabelValues): void {
    this.#series.get(labels).observe(value);
  }
  with(labels?: LabelValues): HistogramHandle {
    return this.#series.get(labels);
  }
  /** Asks for the readings at each scrape; they replace all series. Counts are per bucket, the last one for what is above all bounds. */
  collect(readings: () => Iterable<HistogramReading>): void {
    this.#collect = readings;
  }
  lines(): string[] {
    if (this.#collect !== undefined) {
      this.#series.clear();
      for (const { counts, sum, labels } of this.#collect()) this.#series.get(labels).set(counts, sum);
    }
    return [...this.#series.entries()].flatMap(([key, handle]) => {
      let cumulative = 0;
      const buckets = [...this.#buckets.map(formatNumber), "+Inf"].map((bound, index) => {
        cumulative += handle.counts[index] ?? 0;
        return sample(`${this.name}_bucket`, joinLabels(key, `le="${bound}"`), cumulative);
      });
      return [...buckets, sample(`${this.name}_sum`, key, handle.sum), sample(`${this.name}_count`, key, cumulative)];
    });
  }
}

export type HistogramReading = { readonly counts: ArrayLike<number>; readonly sum: number; readonly labels?: LabelValues };

export class HistogramHandle {
  readonly #bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }
  observe(value: number): void {
    let index = 0;
    while (index < this.#bounds.length && value > (this.#bounds[index] ?? Infinity)) index++;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
  }
  set(counts: ArrayLike<number>, sum: number): void {
    for (let index = 0; index < this.counts.length; index += 1) this.counts[index] = counts[index] ?? 0;
    this.sum = sum;
  }
}

export class MetricRegistry {
  readonly #families = new Map<string, Family>();

  counter(options: MetricOptions): Counter {
    return this.#add(new Counter(options));
  }
  gauge(options: MetricOptions): Gauge {
    return this.#add(new Gauge(options));
  }
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram {
    return this.#add(new Histogram(options));
  }

  /** Prometheus text format 0.0.4. */
  render(): string {
    return this.#render("prometheus");
  }
  /** OpenMetrics 1.0: counter families lose _total in their metadata, and the text ends with # EOF. */
  renderOpenMetrics(): string {
    return `${this.#render("openmetrics")}# EOF\n`;
  }

  #add<F extends Family>(family: F): F {
    invariant(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(family.name), `"${family.name}" is not a metric name`);
    invariant(!this.#families.has(family.name), `the metric ${family.name} is registered already`);
    this.#families.set(family.name, family);
    return family;
  }

  #render(format: Format): string {
    const parts: string[] = [];
    for (const family of this.#families.values()) {
      const title = format === "openmetrics" && family.kind === "counter" ? family.name.replace(/_total$/, "") : family.name;
      parts.push(`# HELP ${title} ${escapeHelp(family.help)}`, `# TYPE ${title} ${family.kind}`, ...family.lines(format));
    }
    return parts.length === 0 ? "" : `${parts.join("\n")}\n`;
  }
}

function sample(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${formatNumber(value)}` : `${name}{${labels}} ${formatNumber(value)}`;
}

function joinLabels(left: string, right: string): string {
  return left === "" ? right : `${left},${right}`;
}

function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
