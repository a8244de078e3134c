import assert from "node:assert/strict";

const sampleForm = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|NaN|[+-]Inf)(?: (-?\d+(?:\.\d+)?))?$/;
const endings: Readonly<Record<string, readonly string[]>> = { counter: ["_total", "_created"], histogram: ["_bucket", "_count", "_sum", "_created"], summary: ["_count", "_sum", "_created", ""], info: ["_info"], gauge: [""], unknown: [""], untyped: [""], stateset: [""] };
const metadataOrder = ["HELP", "TYPE", "UNIT"];

/**
 * A reader of the two text formats, written from their specifications and independent of the code under test: every line must be of the grammar,
 * a family's lines together, its metadata first and once, no series twice, a unit the end of its family's name, counters not negative. Gives the
 * samples by series.
 */
export function checkExposition(text: string, format: "prometheus" | "openmetrics"): ReadonlyMap<string, string> {
  const series = new Map<string, string>();
  const families = new Set<string>();
  let family = "";
  let type = "";
  let told: string[] = [];
  assert.ok(text === "" || text.endsWith("\n"), "the text must end with a line end");
  const lines = text.split("\n").slice(0, -1);
  if (format === "openmetrics") assert.equal(lines.pop(), "# EOF", "the last line must be # EOF");
  for (const line of lines) {
    const [, word = "", name = "", rest = ""] = /^# (HELP|TYPE|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line) ?? [];
    if (word !== "") {
      if (name !== family) {
        assert.ok(!families.has(name), `${name} comes twice`);
        families.add(name);
        [family, type, told] = [name, "", []];
      }
      assert.ok(!told.includes(word) && metadataOrder.includes(word), line);
      assert.ok(!told.includes("samples"), `${line} stands behind samples`);
      told.push(word);
      assert.doesNotMatch(rest, format === "openmetrics" ? /(?<!\\)(?:\\\\)*(?:"|\\[^"\\n])/ : /(?<!\\)(?:\\\\)*\\[^\\n]/, line);
      if (word === "TYPE") type = rest;
      if (word === "TYPE") assert.ok(Object.hasOwn(endings, rest) && rest !== (format === "openmetrics" ? "untyped" : "unknown"), line);
      if (word === "UNIT") assert.ok(format === "openmetrics" && name.endsWith(`_${rest}`), line);
      continue;
    }
    const found = sampleForm.exec(line);
    assert.ok(found !== null, `not a sample: ${line}`);
    const [, sample = "", labels = "", value = ""] = found;
    told.push("samples");
    assert.ok((endings[type] ?? []).some((ending) => sample === (format === "prometheus" && type === "counter" ? family : family + ending)), `${sample} does not belong to the ${type} ${family}`);
    assert.ok(!labels.endsWith(","), line);
    const names = [...labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="/g)].map((match) => match[1]);
    assert.ok(format === "prometheus" || type !== "counter" || !value.startsWith("-"), line);
    const key = `${sample}{${labels}}`;
    assert.ok(!series.has(key), `${key} comes twice`);
    assert.equal(new Set(names).size, names.length, line);
    series.set(key, value);
  }
  checkDistributions(lines, format);
  return series;
}

/** Of each histogram, by its labels: bounds ascend, counts do not fall, +Inf is there and is the count; sum and count come together. Of each summary: quantiles from 0 to 1. */
function checkDistributions(lines: readonly string[], format: "prometheus" | "openmetrics"): void {
  const types = new Map(lines.flatMap((line) => [...line.matchAll(/^# TYPE (\S+) (histogram|summary)$/g)].map((match) => [match[1] ?? "", match[2] ?? ""] as const)));
  const found = new Map<string, { readonly bounds: number[]; readonly counts: number[]; readonly totals: Map<string, number> }>();
  for (const line of lines.filter((each) => !each.startsWith("#"))) {
    const [, name = "", labels = "", value = ""] = sampleForm.exec(line) ?? [];
    const [family = "", type] = [...types].find(([each]) => name === each || ["_bucket", "_sum", "_count"].some((ending) => name === `${each}${ending}`)) ?? [];
    if (type === undefined) continue;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((match) => [match[1] ?? "", match[2] ?? ""] as const);
    const own = type === "histogram" ? "le" : "quantile";
    const key = `${type} ${family} ${JSON.stringify(pairs.filter(([label]) => label !== own))}`;
    const group = found.get(key) ?? { bounds: [], counts: [], totals: new Map<string, number>() };
    found.set(key, group);
    const bound = pairs.find(([label]) => label === own)?.[1];
    assert.equal(bound !== undefined, name === (type === "histogram" ? `${family}_bucket` : family), line);
    if (bound === undefined) group.totals.set(name.slice(family.length), Number(value));
    else {
      assert.ok(format === "prometheus" || /[.eI]/.test(bound), `${bound} is no float`);
      group.bounds.push(Number(bound.replace("Inf", "Infinity")));
      group.counts.push(Number(value));
    }
  }
  for (const [key, { bounds, counts, totals }] of found) {
    assert.ok(bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] ?? 0)), `${key}: the bounds ascend`);
    assert.equal(totals.has("_sum"), totals.has("_count"), `${key}: sum and count`);
    if (key.startsWith("summary")) assert.ok(bounds.every((bound) => bound >= 0 && bound <= 1), `${key}: quantiles`);
    else {
      assert.ok(counts.every((count, index) => index === 0 || count >= (counts[index - 1] ?? 0)), `${key}: the counts do not fall`);
      assert.deepEqual([bounds.at(-1), counts.at(-1)], [Infinity, totals.get("_count")], `${key}: +Inf is the count`);
    }
  }
}
