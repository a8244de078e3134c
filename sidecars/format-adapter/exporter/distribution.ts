// pure
import { ConversionError } from "../conversion-error.ts";
import { metricValue, type Sample } from "../formats/exposition.ts";
import type { NodeReader } from "../mapping/node-reader.ts";

/**
 * What a record gives: one value; or a histogram, the counts of its buckets, its sum and perhaps its count; or a summary, its quantiles and
 * perhaps both of these. `bounds` are those of the buckets, or the quantiles, ascending, as they are written. The values come in the order
 * bounds, sum, count.
 */
export type Shape =
  | { readonly kind: "value" }
  | { readonly kind: "histogram"; readonly bounds: readonly string[]; /** Each bucket counts also what the lower ones count. */ readonly isCumulative: boolean; readonly hasCount: boolean }
  | { readonly kind: "summary"; readonly bounds: readonly string[]; readonly hasTotals: boolean };

export const distributionKeys = ["buckets", "cumulative", "quantiles", "sum", "count"] as const;
const infinite = "+Inf";

/** How many values a record of this shape has. */
export function valuesOf(shape: Shape): number {
  switch (shape.kind) {
    case "value":
      return 1;
    case "histogram":
      return shape.bounds.length + 1 + Number(shape.hasCount);
    case "summary":
      return shape.bounds.length + (shape.hasTotals ? 2 : 0);
  }
}

type Part = { readonly name: string; readonly source: NodeReader };
type Parts = ReadonlyMap<string, NodeReader>;

/** Reads the settings of a histogram or summary: its shape, and where its values come from, in their order. Undefined when a problem was found. */
export function readDistribution(node: NodeReader, parts: Parts, type: "histogram" | "summary"): { readonly shape: Shape; readonly parts: readonly Part[] } | undefined {
  for (const key of ["value", ...(type === "histogram" ? ["quantiles"] : ["buckets", "cumulative"])]) parts.get(key)?.problem(`has no meaning for a ${type}`);
  for (const label of parts.get("labels")?.map()?.keys() ?? []) if (label === (type === "histogram" ? "le" : "quantile")) parts.get("labels")?.problem(`the label "${label}" is the ${type}'s own`);
  const key = type === "histogram" ? "buckets" : "quantiles";
  const bounds = readBounds(parts.get(key), type);
  const [sum, count] = [parts.get("sum"), parts.get("count")];
  const totals: readonly Part[] = [sum, count].flatMap((source, index) => (source === undefined ? [] : [{ name: index === 0 ? "sum" : "count", source }]));
  const withBounds = (shape: Shape): { readonly shape: Shape; readonly parts: readonly Part[] } => ({ shape, parts: [...bounds.map(({ bound, source }) => ({ name: `${key} ${bound}`, source })), ...totals] });
  if (type === "summary") {
    if ((sum === undefined) !== (count === undefined)) node.problem('needs both "sum" and "count", or neither');
    if (bounds.length === 0 && sum === undefined) node.problem('needs "quantiles", such as {"0.5": p50}, or "sum" and "count"');
    return withBounds({ kind: "summary", bounds: bounds.map(({ bound }) => bound), hasTotals: sum !== undefined });
  }
  if (bounds.length === 0 && !parts.has("buckets")) node.problem('needs "buckets": the upper bounds with the columns of their counts, such as {"0.1": fast, "+Inf": all}');
  if (sum === undefined) node.problem('needs "sum": the sum of all that was observed');
  const isCumulative = (parts.get("cumulative")?.oneOf(["true", "false"]) ?? "true") === "true";
  if (count === undefined && bounds.at(-1)?.bound !== infinite) node.problem(`needs "count", or a bucket "${infinite}"`);
  return sum === undefined ? undefined : withBounds({ kind: "histogram", bounds: bounds.map(({ bound }) => bound), isCumulative, hasCount: count !== undefined });
}

function readBounds(node: NodeReader | undefined, type: "histogram" | "summary"): readonly { readonly bound: string; readonly source: NodeReader }[] {
  const found = [...(node?.map() ?? [])].map(([text, source]) => ({ bound: boundText(text), source, text }));
  for (const { bound, source, text } of found) {
    const number = Number(bound?.replace("+Inf", "Infinity") ?? Number.NaN);
    const isRight = type === "histogram" ? !Number.isNaN(number) && number !== -Infinity : number >= 0 && number <= 1;
    if (!isRight) source.problem(type === "histogram" ? `expected an upper bound such as "0.5" or "${infinite}", got "${text}"` : `expected a quantile from 0 to 1, got "${text}"`);
  }
  const numberOf = (bound: string | undefined): number => (bound === infinite ? Infinity : Number(bound));
  const sorted = found.flatMap(({ bound, source }) => (bound === undefined ? [] : [{ bound, source }])).toSorted((left, right) => numberOf(left.bound) - numberOf(right.bound));
  for (const [index, { bound, source }] of sorted.entries()) if (index > 0 && numberOf(sorted[index - 1]?.bound) === numberOf(bound)) source.problem(`the bound ${bound} is given twice`);
  return sorted;
}

/** One way to write a bound for all scrapes, as OpenMetrics wants it: with a point. */
function boundText(text: string): string | undefined {
  const value = metricValue(text);
  return value === undefined || !/^[+-]?\d+$/.test(value) ? value : `${value.replace("+", "")}.0`;
}

/** The samples that a record gives, from its values in their order. Throws ConversionError CAST where they cannot be of one distribution. */
export function distributionSamples(shape: Exclude<Shape, { kind: "value" }>, family: string, values: readonly string[], labels: Sample["labels"], line: number): readonly Sample[] {
  const fail = (message: string, sample: string): ConversionError => new ConversionError("CAST", `${message}, which ${family} needs`, { line, column: family, sample });
  const { bounds } = shape;
  const sample = (ending: string, value: string, more: Sample["labels"] = []): Sample => ({ name: `${family}${ending}`, labels: [...labels, ...more], value, timestamp: undefined });
  const number = (index: number): string => metricValue(values[index] ?? "") ?? failNumber(index);
  const failNumber = (index: number): never => {
    throw fail("the value is no number", values[index] ?? "");
  };
  const count = (index: number): bigint => {
    const text = values[index] ?? "";
    if (!/^\d{1,19}$/.test(text)) throw fail("the value is no count", text);
    return BigInt(text);
  };
  if (shape.kind === "summary") {
    const quantiles = bounds.map((bound, index) => sample("", number(index), [["quantile", bound]]));
    return shape.hasTotals ? [...quantiles, sample("_sum", number(bounds.length)), sample("_count", String(count(bounds.length + 1)))] : quantiles;
  }
  let before = 0n;
  const counts = bounds.map((_, index) => {
    const own = count(index);
    const all = shape.isCumulative ? own : before + own;
    if (all < before) throw fail("a bucket counts less than the one below it (cumulative: false, if each counts its own)", values[index] ?? "");
    before = all;
    return all;
  });
  const total = shape.hasCount ? count(bounds.length + 1) : before;
  if (total < before || (bounds.at(-1) === infinite && total !== before)) throw fail("the count is not that of its buckets", String(total));
  const buckets = bounds.map((bound, index) => sample("_bucket", String(counts[index]), [["le", bound]]));
  return [...buckets, ...(bounds.at(-1) === infinite ? [] : [sample("_bucket", String(total), [["le", infinite]])]), sample("_sum", number(bounds.length)), sample("_count", String(total))];
}
