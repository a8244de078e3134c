// docs/format-adapter.md shows what really happens: its examples are executed, its tables compared with the sources.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { describeSettings } from "../../../kit/config/read.ts";
import { MetricRegistry } from "../../../kit/metrics.ts";
import { readManifests } from "../../../orchestrator/api/manifest/read-manifests.ts";
import { registerAdapterMetrics } from "../../../sidecars/format-adapter/adapter-metrics.ts";
import { spec } from "../../../sidecars/format-adapter/config.ts";
import { convertText } from "../../../sidecars/format-adapter/convert.ts";
import { runExamples } from "../../../sidecars/format-adapter/examples.ts";
import { functionUsages } from "../../../sidecars/format-adapter/mapping/expression-functions.ts";
import type { Mapping } from "../../../sidecars/format-adapter/mapping/mapping.ts";
import { code, table } from "../../docs/markdown.ts";
import { parseAdapter, parseConfig } from "./support.ts";

const text = readFileSync(join(import.meta.dirname, "../../../docs/format-adapter.md"), "utf8");

type Block = { readonly use: string; readonly body: string; readonly line: number };
/** The code blocks with their use: the word after the language in ```yaml mapping. */
const blocks: readonly Block[] = [...text.matchAll(/^```\w+ (\w+)\n([\s\S]*?)^```$/gm)].map((match) => ({ use: match[1] ?? "", body: match[2] ?? "", line: text.slice(0, match.index).split("\n").length }));

const indented = (body: string, by: number): string => body.split("\n").map((line) => (line === "" ? line : " ".repeat(by) + line)).join("\n");

function mappingFrom(body: string): Mapping {
  const [mapping] = parseAdapter(`watch: {dir: /in}\nmappings:\n  documented:\n${indented(body, 4)}`).mappings;
  return mapping ?? assert.fail();
}

/** What a mapping makes of a text, as the document shows it. */
function shown(mapping: Mapping, input: string): string {
  const result = convertText(mapping, input);
  if (result.kind === "converted") return result.text.replaceAll("\r\n", "\n");
  const { code: fault, line, column } = result.error;
  return `${fault} on line ${line}${column === undefined ? "" : ` in column ${column}`}\n`;
}

test("the document has examples of every verb", () => {
  const mappings = blocks.filter((block) => block.use === "mapping").map((block) => mappingFrom(block.body));
  const verbs = new Set(mappings.flatMap((mapping) => mapping.fields.map((field) => field.source.kind)));
  assert.deepEqual([...verbs].toSorted(), ["const", "copy", "date", "expr", "join", "joinList", "map", "split", "splitList"]);
});

let current: Mapping | undefined;
for (const [index, block] of blocks.entries()) {
  if (block.use === "mapping") current = mappingFrom(block.body);
  if (block.use !== "in") continue;
  const mapping = current;
  const answer = blocks[index + 1];
  test(`the example on line ${block.line} gives what the document says`, () => {
    assert.ok(mapping !== undefined && (answer?.use === "out" || answer?.use === "error"));
    assert.equal(shown(mapping, block.body), answer.body);
  });
}

test("whole configurations are accepted and their examples hold", () => {
  const configurations = blocks.filter((block) => block.use === "config");
  assert.ok(configurations.length >= 1);
  for (const { body } of configurations) assert.deepEqual(runExamples(parseAdapter(body).mappings), []);
});

test("the manifest is accepted, and the configuration in its ConfigMap too", () => {
  const [manifest] = blocks.filter((block) => block.use === "manifest");
  assert.ok(manifest);
  const result = readManifests([{ name: "format-adapter.md", text: manifest.body }], { defaultNamespace: "default" });
  assert.ok(result.kind === "ok", "problems" in result ? result.problems.map((problem) => problem.message).join("\n") : "");
  const [configMap] = result.objects;
  const { data } = JSON.parse(JSON.stringify(configMap)) as { data: Record<string, string> };
  const parsed = parseConfig(data["format-adapter.yaml"] ?? "");
  assert.ok("config" in parsed, "problems" in parsed ? parsed.problems.join("\n") : "");
});

function between(name: string): string {
  const match = new RegExp(`<!-- ${name} -->\\n([\\s\\S]*?)<!-- end -->`).exec(text);
  return (match?.[1] ?? "").trim();
}

/** An address as it is written, anything else as YAML has it. */
function defaultText(value: unknown): string {
  return typeof value === "object" && value !== null ? Object.values(value).join(":") : typeof value === "string" ? value : JSON.stringify(value);
}

test("the table of settings is that of the sources", () => {
  const settings = describeSettings(spec).filter((setting) => setting.path !== "adapters" && setting.path !== "exporter");
  const rows = settings.map(({ path, variable, doc, defaultValue }) => [code(path), code(variable), code(defaultText(defaultValue)), doc]);
  assert.equal(between("settings"), table(["setting", "variable", "default", "meaning"], rows));
});

test("the functions are those of the sources", () => {
  assert.equal(between("functions"), functionUsages.map((usage) => code(usage)).join(" "));
});

test("the table of metrics is that of the sources", () => {
  const registry = new MetricRegistry();
  registerAdapterMetrics(registry);
  const rows = [...registry.render().matchAll(/^# HELP (podkit_format_adapter_\w+) (.*)\n# TYPE \S+ (\w+)$/gm)].map(([, name = "", help = "", type = ""]) => [code(name), type, help]);
  assert.ok(rows.length >= 10);
  assert.equal(between("metrics"), table(["metric", "type", "meaning"], rows));
});

test("the table of fault codes names each, once", () => {
  const source = readFileSync(join(import.meta.dirname, "../../../sidecars/format-adapter/conversion-error.ts"), "utf8");
  const declared = [...(/type ConversionCode = ([^;]*);/.exec(source)?.[1] ?? "").matchAll(/"(\w+)"/g)].map((match) => match[1]);
  const section = text.slice(text.indexOf("\n## Faults\n"), text.indexOf("\n## Commands\n"));
  assert.deepEqual(new Set([...section.matchAll(/^\| `([A-Z]+)` \|/gm)].map((match) => match[1])), new Set(declared));
  assert.ok(declared.length >= 9);
});

test("configurations of metrics are accepted", () => {
  const configurations = blocks.filter((block) => block.use === "exporter");
  assert.ok(configurations.length >= 1);
  for (const { body } of configurations) assert.ok("config" in parseConfig(body), JSON.stringify(parseConfig(body)));
});

test("the commands that are shown give what is shown", () => {
  const directory = mkdtempSync(join(tmpdir(), "podkit-docs-"));
  after(() => rmSync(directory, { recursive: true }));
  const entry = join(import.meta.dirname, "../../../sidecars/format-adapter/main.ts");
  let commands = 0;
  for (const [, name, file, body = ""] of text.matchAll(/^```(\w+)(?: file (\S+))?\n([\s\S]*?)^```$/gm)) {
    if (file !== undefined && existsSync(join(directory, file))) assert.equal(readFileSync(join(directory, file), "utf8"), body, `${file} is what infer drafted`);
    else if (file !== undefined) writeFileSync(join(directory, file), body);
    if (name !== "console") continue;
    for (const [, line = "", expected = ""] of body.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const [argv = "", target] = line.split(" > ");
      const { stdout, stderr, error } = spawnSync(process.execPath, [entry, ...argv.split(" ").slice(1)], { cwd: directory, env: {}, encoding: "utf8", timeout: 170_000 });
      assert.ifError(error);
      if (target !== undefined) writeFileSync(join(directory, target), stdout);
      else assert.equal(stdout, expected, `${line} gave\n${stdout}and on standard error\n${stderr}`);
      commands++;
    }
  }
  assert.ok(commands >= 6);
});

test("no block of the document goes unread by these tests", () => {
  const uses = new Set(["mapping", "in", "out", "error", "config", "manifest", "exporter", "file"]);
  const openings = [...text.matchAll(/^```(\w+)(?: (\w+))?.*\n[\s\S]*?^```$/gm)];
  for (const [whole, language, use] of openings) assert.ok(language === "console" || uses.has(use ?? ""), whole.slice(0, 80));
  assert.equal([...text.matchAll(/^```/gm)].length, openings.length * 2);
});

test("each fault in the table has its tests, by the titles that they have", () => {
  const root = join(import.meta.dirname, "../../..");
  const pathOf = (file: string): string => {
    const [place = "", name = ""] = file.includes(" ") ? file.split(" ") : ["", file];
    if (place === "bench") return `bench/format-adapter/${name}.ts`;
    return place === "e2e" ? `test/e2e/format-adapter/${name}.test.ts` : `test/sidecars/format-adapter/${name}.test.ts`;
  };
  const rows = between("fault tests").split("\n").slice(2).map((row) => row.split(" | "));
  assert.ok(rows.length >= 20);
  for (const [fault = "", promise = "", cell = ""] of rows) {
    assert.ok(promise.length > 5, fault);
    const tests = cell.replace(/ \|$/, "").split("; ").map((each) => /^([\w. -]+) "([^"]+)"$/.exec(each) ?? assert.fail(`${fault}: ${each} names no test`));
    for (const [, file = "", title = ""] of tests) {
      const titles = file.startsWith("bench ") ? [readFileSync(join(root, pathOf(file)), "utf8")] : [...readFileSync(join(root, pathOf(file)), "utf8").matchAll(/\btest\((["`])(.*?)\1,/g)].map((match) => match[2] ?? "");
      assert.ok(titles.some((each) => each.includes(title)), `${fault}: ${pathOf(file)} has no test "${title}"`);
    }
  }
});

test("the list of contents names every section, once, in their order", () => {
  const sections = [...text.matchAll(/^## (.*)$/gm)].map((match) => match[1] ?? "");
  const anchorOf = (title: string): string => title.toLowerCase().replaceAll(/[^a-z0-9 -]/g, "").replaceAll(" ", "-");
  const contents = text.slice(text.indexOf("**Contents**"), text.indexOf("\n\n", text.indexOf("**Contents**")));
  assert.deepEqual([...contents.matchAll(/\[([^\]]*)\]\(#([^)]*)\)/g)].map((match) => [match[1], match[2]]), sections.map((title) => [title, anchorOf(title)]));
});
