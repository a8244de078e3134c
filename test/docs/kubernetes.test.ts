import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { listFields } from "../../orchestrator/api/validate/schema.ts";
import { schemas } from "../../orchestrator/api/validate/validate-object.ts";
import { kubernetesLists } from "./kubernetes-lists.ts";
import { documents, regenerate, withLists } from "./marked-lists.ts";

for (const { name, path, lists } of documents) {
  test(`the lists of ${name} are those of the code`, async () => {
    const text = await readFile(path, "utf8");
    assert.equal(text, withLists(text, lists()), `${name} is out of date: run \`${regenerate}\``);
  });
}

test("a list whose markers are gone is an error, not a success", () => {
  assert.throws(() => withLists("<!-- list a -->\n", new Map([["a", ""]])), /has no "<!-- list a -->"/);
});

test("the lists name what is supported and refused", () => {
  const found = kubernetesLists();
  assert.match(found.get("pod-fields") ?? "", /`spec\.containers\[\]`.*`imagePullPolicy`/);
  assert.match(found.get("pod-fields") ?? "", /`emptyDir\.\{medium, sizeLimit\}`/);
  assert.match(found.get("pod-refused") ?? "", /`priorityClassName`\\\*.*there are no priority classes/);
  assert.match(found.get("service-refused") ?? "", /`type: LoadBalancer`/);
  assert.match(found.get("refused-kinds") ?? "", /`Deployment`/);
});

test("every supported field of a Pod stands in the list, as itself or by the one whose fields it shares", () => {
  const below = (prefix: string): readonly string[] => listFields(schemas.Pod).filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  // What docs/kubernetes.md says instead of listing them.
  assert.deepEqual(below("spec.containers[].startupProbe."), below("spec.containers[].livenessProbe."));
  assert.deepEqual(below("spec.containers[].readinessProbe."), below("spec.containers[].livenessProbe."));
  assert.deepEqual(below("spec.containers[].lifecycle.preStop."), below("spec.containers[].lifecycle.postStart."));
  const shown = kubernetesLists().get("pod-fields") ?? "";
  const missing = below("spec.").filter((path) => !/\(refused\)$|^initContainers|\.(?:startupProbe|readinessProbe|preStop)\./.test(path)).filter((path) => !isShown(shown, `spec.${path}`));
  assert.deepEqual(missing, []);
});

/** Whether a row names the field: `spec.a | b`, or `spec | a.{b, c}`. */
function isShown(list: string, path: string): boolean {
  const parts = path.split(".");
  return list.split("\n").some((row) => [1, 2].some((own) => {
    const fields = row.split(" | ")[1] ?? "";
    if (!row.startsWith(`| \`${parts.slice(0, -own).join(".")}\` |`)) return false;
    const [first = "", second] = parts.slice(-own);
    return second === undefined ? fields.includes(`\`${first}\``) : (fields.split(`\`${first}.{`)[1]?.split("}")[0] ?? "").split(", ").includes(second);
  }));
}
