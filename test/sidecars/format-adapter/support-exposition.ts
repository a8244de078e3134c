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
  return series;
}
