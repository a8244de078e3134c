import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { formatProblem, type Problem } from "../../../kit/config/problem.ts";
import { readYaml } from "../../../kit/config/yaml-source.ts";
import { spec } from "../../../sidecars/log-shipper/config.ts";

const root = join(import.meta.dirname, "../../..");
const text = readFileSync(join(root, "docs/log-shipper.md"), "utf8");

function problemsOf(yaml: string): readonly string[] {
  const problems: Problem[] = [];
  const { node, problems: found } = readYaml("example.yaml", yaml);
  spec.parse(node, "", { problems, readSecretFile: () => "secret" });
  return [...found, ...problems].map((problem) => formatProblem(problem));
}

test("every configuration in the log shipper's documentation is a good one", () => {
  const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml ?? "");
  assert.ok(examples.length >= 2);
  for (const example of examples) assert.deepEqual(problemsOf(example), [], example);
  assert.notDeepEqual(problemsOf("sources: [{type: tail}]"), []);
});

test("every test that its table of faults names is there", () => {
  const table = text.slice(text.indexOf("## Each fault and its test"), text.indexOf("## The ledger"));
  const named = new Set([...table.matchAll(/\b((?:[a-z]+-)?[a-z]+)\.process\b/g)].map(([, name]) => `${name ?? ""}.process.test.ts`));
  assert.ok(named.size > 5);
  for (const name of named) assert.ok(existsSync(join(import.meta.dirname, name)), name);
});
