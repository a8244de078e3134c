import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { readManifests, type ManifestResult } from "../../../../orchestrator/api/manifest/read-manifests.ts";
import { fullObjects, fullPods, smallPod } from "../validate/examples.ts";

function read(text: string, name = "a.yaml"): ManifestResult {
  return readManifests([{ name, text }], { defaultNamespace: "default" });
}

/** Problems in the manner of a compiler: `line:column object path: message`. */
function problems(result: ManifestResult): readonly string[] {
  return result.kind === "ok" ? [] : result.problems.map((one) => `${one.line}:${one.column} ${one.object ?? "-"} ${one.path}: ${one.message}`);
}

/** A manifest of the Kubernetes documentation (sidecar containers), with its comments. */
const documented = `
apiVersion: v1
kind: Pod
metadata:
  name: myapp   # in the default namespace
  labels: {app: myapp}
spec:
  volumes:
    - name: data
      emptyDir: {}
  initContainers:
    - name: logshipper
      image: alpine:latest
      restartPolicy: Always
      command: ['sh', '-c', 'tail -F /opt/logs.txt']
      volumeMounts:
        - name: data
          mountPath: /opt
  containers:
    - name: myapp
      image: alpine:latest
      command: ['sh', '-c', 'while true; do echo "logging" >> /opt/logs.txt; sleep 1; done']
      volumeMounts:
        - name: data
          mountPath: /opt
`;

test("a manifest of the Kubernetes documentation is read", () => {
  const result = read(documented);
  assert.ok(result.kind === "ok");
  assert.deepEqual(result.objects.map((object) => [object.kind, object.metadata.name, object.metadata.namespace]), [["Pod", "myapp", "default"]]);
});

test("several documents, files and a List come in order, each with a namespace", () => {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", metadata: { resourceVersion: "" }, items: [{ ...smallPod(), metadata: { name: "b" } }, { apiVersion: "v1", kind: "Namespace", metadata: { name: "c" } }] });
  const first = `# only a comment\n---\n${stringify(smallPod())}---\n---\n${list}\n...\n`;
  const result = readManifests([{ name: "1.yaml", text: first }, { name: "2.json", text: JSON.stringify({ ...smallPod(), metadata: { name: "d", namespace: "other" } }, undefined, "\t") }, { name: "empty.yaml", text: "" }], { defaultNamespace: "team" });
  assert.ok(result.kind === "ok", problems(result).join("\n"));
  assert.deepEqual(result.objects.map((object) => `${object.metadata.namespace}/${object.metadata.name}`), ["default/web", "team/b", "undefined/c", "other/d"]);
});

test("what a running cluster prints can be applied again", () => {
  const printed = { ...smallPod(), metadata: { name: "web", namespace: "default", managedFields: [{ manager: "kubectl" }], creationTimestamp: null }, status: { phase: "Running", resize: "Proposed", somethingNew: 1 } };
  assert.deepEqual(read(stringify(printed)), { kind: "ok", objects: [smallPod()] });
});

test("YAML is read as Kubernetes reads it: octal modes, yes as a boolean, times as texts", () => {
  const result = read("apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {time: 12:30, date: 2026-01-31}}\nspec:\n  hostNetwork: yes\n  containers: [{name: a, image: a}]\n  volumes:\n  - {name: v, secret: {secretName: s, defaultMode: 0400}}\n  - {name: w, secret: {secretName: s, defaultMode: 0o400}}\n");
  assert.ok(result.kind === "ok", problems(result).join("\n"));
  const [object] = result.objects;
  assert.deepEqual(object?.metadata.annotations, { time: "12:30", date: "2026-01-31" });
  const spec: unknown = Reflect.get(object ?? {}, "spec");
  assert.deepEqual(spec, { containers: [{ name: "a", image: "a" }], hostNetwork: true, volumes: [{ name: "v", secret: { secretName: "s", defaultMode: 0o400 } }, { name: "w", secret: { secretName: "s", defaultMode: 0o400 } }] });
});

test("every full example comes through YAML as it was, but for the status of what runs", () => {
  for (const example of [...fullPods, ...fullObjects]) {
    const kept = ["Pod", "Service", "Namespace"].includes(String(example["kind"])) ? Object.fromEntries(Object.entries(example).filter(([key]) => key !== "status")) : example;
    assert.deepEqual(read(stringify(example)), { kind: "ok", objects: [kept] });
  }
});

function check(name: string, text: string, ...want: readonly string[]): void {
  test(name, () => assert.deepEqual(problems(read(text)), want));
}

const head = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n";
check("a wrong value is found at its place", `${head}  - name: web\n    image: a\n    ports:\n    - containerPort: 70000\n`, "10:22 Pod/web spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive");
check("a missing field is found at its nearest parent", `${head}  - image: a\n  - name: b\n    image: b\n`, "7:5 Pod/web spec.containers[0].name: Required value");
check("an unknown field is found at its name", `${head}  - name: web\n    image: a\n  restartpolicy: Never\n`, '9:3 Pod/web spec.restartpolicy: unknown field "spec.restartpolicy"; did you mean "restartPolicy"?');
check("an unsupported field is found at its name", `${head}  - {name: web, image: a}\n  affinity:\n    nodeAffinity: {}\n`, "8:3 Pod/web spec.affinity: Forbidden: affinity is not supported by podkit: there is one node, so use nodeSelector or leave it out");
check("faults of several documents are told together, in order", `${head}  - name: Web\n    image: ""\n---\napiVersion: v1\nkind: Pdo\n---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\n`,
  "7:11 Pod/web spec.containers[0].name: Invalid value: \"Web\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  "8:12 Pod/web spec.containers[0].image: Required value",
  '11:7 Pdo kind: "Pdo" is not a kind podkit knows; did you mean "Pod"?',
  '14:7 StatefulSet/db kind: "StatefulSet" is a kind of Kubernetes that podkit does not support yet; apply its Pods directly');
check("a fault inside a List is found in its item", 'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: c}\n  data:\n    a: 1\n', "8:8 ConfigMap/c data[a]: Invalid value: 1: must be a string, got a number; put it in quotes");
check("a fault in a key with dots is found", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  b: x\n  a.conf: [1]\n", "6:3 ConfigMap/c data[a.conf]: Invalid value: [1]: must be a string, got a list");
check("a fault behind an anchor is found", "apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: &a {x: z}}\nspec:\n  containers:\n  - &c {name: web, image: a, tty: 5}\n  - {<<: *c, name: b}\n", "6:35 Pod/web spec.containers[0].tty: Invalid value: 5: must be a boolean, got a number", "6:35 Pod/web spec.containers[1].tty: Invalid value: 5: must be a boolean, got a number");
check("a key given twice is refused", `${head}  - name: web\n    image: a\n    image: b\n`, "9:5 - : this key stands twice in one map");
check("broken YAML is refused with its place", "apiVersion: v1\nkind: [Pod\n", "3:1 - : is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]");
check("an unknown tag is refused", "apiVersion: !Foo v1\n", "1:13 - : is not YAML: Unresolved tag: !Foo");
check("a key that is no text is refused", "a: {? [1] : 2}\n", "1:7 - : has a key that is not a plain text");
check("a text is no object", "just words\n", '1:1 - : Invalid value: "just words": must be a map, got a string');
check("an object given twice is refused", `${stringify(smallPod())}---\n${stringify(smallPod())}`, '14:9 Pod/web metadata.name: Duplicate value: "web": the same object stands at a.yaml:4:9');
check("a List without items is refused", "apiVersion: v1\nkind: List\n", "1:1 - items: must be a list, got null");

const bomb = `a: &a [${"x,".repeat(10)}]\n${["b", "c", "d", "e", "f"].map((name, index) => `${name}: &${name} [${`*${"abcde"[index]},`.repeat(10)}]`).join("\n")}\n`;
check("aliases that multiply are refused", bomb, "1:1 - : is not YAML: Excessive alias count indicates a resource exhaustion attack");
check("nesting without end is refused", "[".repeat(50_000), "1:1 - : is nested too deeply to be read");
check("a huge file is refused unread", " ".repeat(16 * 1024 * 1024 + 1), "1:1 - : is larger than 16777216 characters");

test("thousands of problems are counted, not listed", () => {
  const result = read(`${head}${"  - {}\n".repeat(1000)}`);
  assert.ok(result.kind === "invalid");
  assert.equal(result.problems.length, 201);
  assert.equal(result.problems.at(-1)?.message, "and 1800 more problems");
});

test("no text at all makes it throw", () => {
  const piece = fc.constantFrom("apiVersion: v1\n", "kind: Pod\n", "kind: List\n", "items:\n", "- ", "  ", "spec:\n", "metadata: {name: a}\n", "containers: ", "[", "]", "{", "}", ": ", "&a ", "*a ", "<<: ", "---\n", "!!int ", "!!binary ", "? ", "|\n", "'", '"', "\t", "\u0000", "null", "1e999", "0x", "#");
  fc.assert(fc.property(fc.oneof(fc.string(), fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(""))), (text) => {
    const result = read(text);
    if (result.kind === "invalid") for (const one of result.problems) assert.ok(one.line >= 1 && one.column >= 1);
  }), { numRuns: 500 });
});
